// SPDX-License-Identifier: Apache-2.0
// The reader hands messages out one by one, partition after partition; their bytes stay in the
// client's receive buffer for the time of the call.
#include "worker/connect/kafka/exchange_log.h"

#include <fmt/core.h>

#include <algorithm>

#include "worker/connect/kafka/admin.h"
#include "worker/connect/kafka/fetcher.h"
#include "worker/connect/kafka/metadata.h"

namespace sj::worker::connect::kafka {
namespace {

constexpr int64_t kPrefetchBytes = 16 << 20;  // of all exchange readers of the process
constexpr milliseconds kTopicReadyMax{30'000};

class KafkaExchangeReader final : public ExchangeReader {
 public:
  explicit KafkaExchangeReader(std::unique_ptr<Fetcher> fetcher) : fetcher_(std::move(fetcher)) {}

  base::Result<int> Poll(int records_max, std::chrono::milliseconds wait,
                         const std::function<base::Status(const ExchangeRecord&)>& take) override;
  int64_t Position(const types::InputPartition& partition) override;
  void Drop(const types::InputPartition& partition) override;
  int wake_fd() const override { return fetcher_->wake_fd(); }

 private:
  base::Status Deliver(FetchPartition* partition, int records_max, int* read,
                       const std::function<base::Status(const ExchangeRecord&)>& take);

  std::unique_ptr<Fetcher> fetcher_;
};

base::Status KafkaExchangeReader::Deliver(
    FetchPartition* partition, int records_max, int* read,
    const std::function<base::Status(const ExchangeRecord&)>& take) {
  while (!partition->pending.empty() && *read < records_max) {
    MessageHandle message = fetcher_->Take(partition);
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      continue;  // the log's end: the position is moved
    }
    ++*read;
    ExchangeRecord record{
        .topic = &partition->id.topic,
        .partition = partition->id.partition,
        .offset = message->offset,
        .value = std::string_view(static_cast<const char*>(message->payload), message->len),
        .key = std::string_view(static_cast<const char*>(message->key), message->key_len)};
    SJ_RETURN_IF_ERROR(take(record));
  }
  return base::OkStatus();
}

base::Result<int> KafkaExchangeReader::Poll(
    int records_max, std::chrono::milliseconds wait,
    const std::function<base::Status(const ExchangeRecord&)>& take) {
  int read = 0;
  SJ_RETURN_IF_ERROR(fetcher_->Fill(static_cast<size_t>(std::max(records_max, 1)), wait));
  while (read < records_max) {
    FetchPartition* partition = fetcher_->NextPending();
    if (partition == nullptr) {
      break;
    }
    SJ_RETURN_IF_ERROR(Deliver(partition, records_max, &read, take));
  }
  fetcher_->Rearm();
  return read;
}

int64_t KafkaExchangeReader::Position(const types::InputPartition& partition) {
  for (const FetchPartition& known : fetcher_->partitions()) {
    if (known.id == partition) {
      return known.position;
    }
  }
  return kNoOffset;
}

void KafkaExchangeReader::Drop(const types::InputPartition& partition) {
  for (FetchPartition& known : fetcher_->partitions()) {
    if (known.id == partition) {
      fetcher_->Finish(&known);
    }
  }
}

// The brokers learn of a new topic one by one.
bool Passing(const base::Status& status) {
  return status.kind() == base::ErrorKind::kNotFound ||
         status.kind() == base::ErrorKind::kUnavailable;
}

template <typename Ask>
auto Await(const Client& client, const Deadline& deadline, Ask ask) {
  for (;;) {
    auto answer = ask();
    if (answer.ok() || !Passing(answer.status()) || deadline.passed()) {
      return answer;
    }
    rd_kafka_poll(client.handle(), 100);
  }
}

// A topic that exists or was just made is usable when the leader of each partition answers.
base::Status AwaitTopic(const Client& client, const std::string& topic, int partitions) {
  const Deadline deadline(kTopicReadyMax);
  SJ_ASSIGN_OR_RETURN(int count,
                      Await(client, deadline, [&] { return CountPartitions(client, topic); }));
  if (count != partitions) {
    return base::InvalidArgument(
        fmt::format("use exchange topic \"{}\": it has {} partitions, the job needs {}", topic,
                    count, partitions));
  }
  for (int partition = 0; partition < partitions; ++partition) {
    SJ_RETURN_IF_ERROR(
        Await(client, deadline, [&] { return ReadLogRange(client, topic, partition); }).status());
  }
  return base::OkStatus();
}

}  // namespace

KafkaExchangeLog::KafkaExchangeLog(Cluster cluster, std::string group, int task_threads)
    : cluster_(std::move(cluster)),
      group_(std::move(group)),
      task_threads_(std::max(1, task_threads)) {
}

base::Result<Client*> KafkaExchangeLog::Metadata() {
  std::lock_guard lock(mu_);
  if (metadata_ == nullptr) {
    SJ_ASSIGN_OR_RETURN(metadata_, Client::Make(cluster_, Role::kMetadata, {{"group.id", group_}}));
  }
  return metadata_.get();
}

base::Result<Client*> KafkaExchangeLog::Uncommitted() {
  std::lock_guard lock(mu_);
  if (uncommitted_ == nullptr) {
    SJ_ASSIGN_OR_RETURN(uncommitted_, Client::Make(cluster_, Role::kMetadata,
                                                   {{"group.id", group_},
                                                    {"isolation.level", "read_uncommitted"}}));
  }
  return uncommitted_.get();
}

base::Status KafkaExchangeLog::EnsureTopics(const std::vector<std::string>& topics,
                                            int partitions) {
  if (topics.empty()) {
    return base::OkStatus();
  }
  SJ_ASSIGN_OR_RETURN(Client * client, Metadata());
  std::vector<std::string> missing;
  for (const std::string& topic : topics) {
    base::Result<int> count = CountPartitions(*client, topic);
    if (!count.ok() && count.status().kind() == base::ErrorKind::kNotFound) {
      missing.push_back(topic);
      continue;
    }
    SJ_RETURN_IF_ERROR(count.status());
  }
  if (!missing.empty()) {
    SJ_RETURN_IF_ERROR(CreateTopics(*client, missing, partitions));
  }
  for (const std::string& topic : topics) {
    SJ_RETURN_IF_ERROR(AwaitTopic(*client, topic, partitions));
  }
  return base::OkStatus();
}

base::Result<int64_t> KafkaExchangeLog::Earliest(const types::InputPartition& partition) {
  SJ_ASSIGN_OR_RETURN(Client * client, Metadata());
  SJ_ASSIGN_OR_RETURN(LogRange range, ReadLogRange(*client, partition.topic, partition.partition));
  return range.begin;
}

base::Result<int64_t> KafkaExchangeLog::StableEnd(const types::InputPartition& partition) {
  SJ_ASSIGN_OR_RETURN(Client * client, Metadata());
  SJ_ASSIGN_OR_RETURN(LogRange range, ReadLogRange(*client, partition.topic, partition.partition));
  return range.end;
}

base::Result<int64_t> KafkaExchangeLog::End(const types::InputPartition& partition) {
  SJ_ASSIGN_OR_RETURN(Client * client, Uncommitted());
  SJ_ASSIGN_OR_RETURN(LogRange range, ReadLogRange(*client, partition.topic, partition.partition));
  return range.end;
}

base::Result<std::unique_ptr<ExchangeReader>> KafkaExchangeLog::OpenReader(
    const std::vector<ExchangeStart>& starts) {
  for (const ExchangeStart& start : starts) {
    if (start.offset < 0) {
      return base::Internal(fmt::format("open a reader of topic \"{}\" partition {} at offset {}",
                                        start.partition.topic, start.partition.partition,
                                        start.offset));
    }
  }
  Fetcher::Options options{
      .cluster = cluster_, .group = group_, .prefetch_bytes = kPrefetchBytes / task_threads_};
  SJ_ASSIGN_OR_RETURN(std::unique_ptr<Fetcher> fetcher, Fetcher::Make(options, starts));
  return std::unique_ptr<ExchangeReader>(std::make_unique<KafkaExchangeReader>(std::move(fetcher)));
}

base::Status KafkaExchangeLog::Trim(const std::vector<ExchangeStart>& before) {
  if (before.empty()) {
    return base::OkStatus();
  }
  SJ_ASSIGN_OR_RETURN(Client * client, Metadata());
  return DeleteRecordsBefore(*client, before);
}

base::Status KafkaExchangeLog::DeleteTopics(const std::vector<std::string>& topics) {
  if (topics.empty()) {
    return base::OkStatus();
  }
  SJ_ASSIGN_OR_RETURN(Client * client, Metadata());
  return kafka::DeleteTopics(*client, topics);
}

}  // namespace sj::worker::connect::kafka
