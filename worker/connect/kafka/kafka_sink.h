// SPDX-License-Identifier: Apache-2.0
// KafkaSink: rows to a Kafka topic through the job's commit log, so they stand or fall with the
// epoch. 'kafka' is append-only; 'upsert-kafka' writes the last row of a key, and a tombstone when
// the key is deleted. Thread-safe; its writers belong to one task thread each.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>

#include "worker/connect/connector.h"
#include "worker/connect/kafka/client.h"
#include "worker/connect/kafka/kafka_options.h"

namespace sj::worker::connect::kafka {

class KafkaSink final : public Sink {
 public:
  KafkaSink(KafkaOptions options, types::Schema schema, const ConnectContext& context);

  base::Result<std::unique_ptr<SinkWriter>> OpenWriter(CommitLog* log) override;
  base::Status Check() override;
  Delivery delivery() const override { return Delivery::kExactlyOnce; }
  ConnectorStats& stats() override { return stats_; }

 private:
  const KafkaOptions options_;
  const types::Schema schema_;
  const std::string group_;
  const int ordinal_;
  ConnectorStats stats_;
  std::mutex mu_;
  int partitions_ = 0;  // guarded by mu_; 0: not asked yet
  int writers_ = 0;     // guarded by mu_
};

// kInvalidArgument, with the position in the SQL.
base::Result<std::unique_ptr<Sink>> MakeKafkaSink(const types::TableSpec& table,
                                                  const ConnectContext& context);

}  // namespace sj::worker::connect::kafka
