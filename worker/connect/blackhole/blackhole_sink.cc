// SPDX-License-Identifier: Apache-2.0
// Nothing leaves the process, so its guarantee is exactly-once by having no effect.
#include "worker/connect/blackhole/blackhole_sink.h"

namespace sj::worker::connect::blackhole {
namespace {

constexpr OptionRule kRules[] = {{"connector"}};

class BlackholeWriter final : public SinkWriter {
 public:
  explicit BlackholeWriter(ConnectorStats& stats) : stats_(stats) {}
  base::Status Write(const types::Batch& batch, types::Epoch) override {
    stats_.records.fetch_add(batch.rows, std::memory_order_relaxed);
    return base::OkStatus();
  }
  base::Status EndEpoch(types::Epoch) override { return base::OkStatus(); }

 private:
  ConnectorStats& stats_;
};

class BlackholeSink final : public Sink {
 public:
  base::Result<std::unique_ptr<SinkWriter>> OpenWriter(CommitLog*) override {
    return std::unique_ptr<SinkWriter>(std::make_unique<BlackholeWriter>(stats_));
  }
  base::Status Check() override { return base::OkStatus(); }
  Delivery delivery() const override { return Delivery::kExactlyOnce; }
  ConnectorStats& stats() override { return stats_; }

 private:
  ConnectorStats stats_;
};

}  // namespace

std::span<const OptionRule> BlackholeOptionRules() {
  return kRules;
}

base::Result<std::unique_ptr<Sink>> MakeBlackholeSink(const types::TableSpec& table) {
  SJ_RETURN_IF_ERROR(OptionReader(table).RefuseUnknown(kRules));
  return std::unique_ptr<Sink>(std::make_unique<BlackholeSink>());
}

}  // namespace sj::worker::connect::blackhole
