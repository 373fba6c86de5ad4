// SPDX-License-Identifier: Apache-2.0
// One line a call. Positions are written as  <topic>/<partition>@<offset>[!<generation>]  with
// blanks between, the last part being the generation a release mark names. Adds nothing to the
// calls' results.
#include "worker/connect/traced_commit_log.h"

#include <fmt/core.h>

#include "api/base/log.h"

namespace sj::worker::connect {
namespace {

// The release mark is the third part of "sj2:<object>:<footer hash>:<generation>".
std::string MarkOf(const std::string& metadata) {
  constexpr std::string_view kReleased = "sj2:";
  const size_t last = metadata.rfind(':');
  if (!metadata.starts_with(kReleased) || last == std::string::npos) {
    return "";
  }
  return "!" + metadata.substr(last + 1);
}

std::string Words(const std::vector<CommittedPosition>& positions) {
  std::string words;
  for (const CommittedPosition& position : positions) {
    words += fmt::format("{}{}/{}@{}{}", words.empty() ? "" : " ", position.partition.topic,
                         position.partition.partition, position.offset, MarkOf(position.metadata));
  }
  return words;
}

class TracedCommitLog final : public CommitLog {
 public:
  TracedCommitLog(std::unique_ptr<CommitLog> log, const TraceIdentity& identity)
      : log_(std::move(log)), identity_(identity) {}

  base::Status Fence(const std::vector<int>& gone_ordinals) override {
    Say("fencing", 0, "");
    base::Status status = log_->Fence(gone_ordinals);
    if (status.ok()) {
      Say("ids taken over", 0, "");
    }
    return Seen(std::move(status));
  }

  base::Result<std::vector<CommittedPosition>> ReadCommitted(
      const std::vector<types::InputPartition>& partitions) override {
    auto read = log_->ReadCommitted(partitions);
    if (read.ok()) {
      Say("positions read", 0, Words(*read));
    }
    return read;
  }

  base::Status Produce(types::Epoch epoch, const OutputRecord& record) override {
    return log_->Produce(epoch, record);
  }

  base::Status Flush(types::Epoch epoch) override { return Seen(log_->Flush(epoch)); }

  base::Status Commit(types::Epoch epoch,
                      const std::vector<CommittedPosition>& positions) override {
    base::Status status = log_->Commit(epoch, positions);
    if (status.ok()) {
      Say("epoch committed", epoch, Words(positions));
    }
    return Seen(std::move(status));
  }

  uint64_t waited_ns() const override { return log_->waited_ns(); }
  void Cancel() override { log_->Cancel(); }
  void Close() override { log_->Close(); }

 private:
  void Say(std::string_view what, types::Epoch epoch, const std::string& positions) {
    base::LogDebug(what, {{"generation", *identity_.generation},
                          {"ordinal", identity_.ordinal},
                          {"epoch", epoch},
                          {"positions", positions}});
  }
  base::Status Seen(base::Status status) {
    if (!status.ok() && status.kind() == base::ErrorKind::kFenced) {
      Say("fenced", 0, "");
    }
    return status;
  }

  const std::unique_ptr<CommitLog> log_;
  const TraceIdentity identity_;
};

}  // namespace

std::unique_ptr<CommitLog> Traced(std::unique_ptr<CommitLog> log, const TraceIdentity& identity) {
  if (!base::LogEnabled(base::LogLevel::kDebug)) {
    return log;
  }
  return std::make_unique<TracedCommitLog>(std::move(log), identity);
}

}  // namespace sj::worker::connect
