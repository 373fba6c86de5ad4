// SPDX-License-Identifier: Apache-2.0
// Fencing is what the start of a generation does, by the commit log itself. Brokers learn of a
// deletion one by one, so topics are listed again until none of the job's is there.
#include "worker/connect/kafka/job_remains.h"

#include <fmt/core.h>

#include <set>

#include "worker/connect/kafka/admin.h"
#include "worker/connect/kafka/commit_log.h"
#include "worker/connect/kafka/metadata.h"

namespace sj::worker::connect::kafka {
namespace {

// Shorter than a start's: a deletion has little time, and the caller tries again.
constexpr milliseconds kFenceMax{20'000};
constexpr milliseconds kTopicsGoneMax{20'000};
constexpr int kLookAgainMs = 200;

}  // namespace

KafkaJobRemains::KafkaJobRemains(Cluster cluster, ConnectContext context)
    : cluster_(std::move(cluster)),
      context_(std::move(context)),
      group_(fmt::format("{}.{}", context_.id_prefix, context_.job_id)) {
}

base::Result<Client*> KafkaJobRemains::Admin() {
  if (admin_ == nullptr) {
    SJ_ASSIGN_OR_RETURN(admin_, Client::Make(cluster_, Role::kMetadata, {{"group.id", group_}}));
  }
  return admin_.get();
}

base::Status KafkaJobRemains::Fence(int ordinals) {
  CommitLogOptions options;
  options.cluster = cluster_;
  options.id_prefix = context_.id_prefix;
  options.job_id = context_.job_id;
  options.ordinal = 0;
  options.fence_total = kFenceMax;
  std::vector<int> others;
  for (int i = 1; i < ordinals; ++i) {
    others.push_back(i);
  }
  KafkaCommitLog log(std::move(options));
  return log.Fence(others);
}

base::Status KafkaJobRemains::DeleteGroup() {
  SJ_ASSIGN_OR_RETURN(Client * client, Admin());
  return kafka::DeleteGroup(*client, group_);
}

base::Result<int> KafkaJobRemains::DeleteTopics() {
  SJ_ASSIGN_OR_RETURN(Client * client, Admin());
  std::set<std::string> deleted;
  for (Deadline deadline(kTopicsGoneMax);;) {
    SJ_ASSIGN_OR_RETURN(std::vector<std::string> topics, ListTopics(*client));
    std::erase_if(topics, [this](const std::string& name) { return !IsJobTopic(context_, name); });
    if (topics.empty()) {
      return static_cast<int>(deleted.size());
    }
    if (deadline.passed()) {
      return base::Unavailable(
          fmt::format("delete topic \"{}\": it is still there", topics.front()));
    }
    SJ_RETURN_IF_ERROR(kafka::DeleteTopics(*client, topics));
    deleted.insert(topics.begin(), topics.end());
    rd_kafka_poll(client->handle(), kLookAgainMs);
  }
}

}  // namespace sj::worker::connect::kafka
