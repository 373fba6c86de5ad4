// SPDX-License-Identifier: Apache-2.0
// The return code and every element are checked: on a time-out the library leaves "no error" and
// old metadata in the elements.
#include "worker/connect/kafka/committed.h"

#include <fmt/core.h>

#include <map>

#include "worker/connect/kafka/errors.h"

namespace sj::worker::connect::kafka {
namespace {

constexpr milliseconds kReadSlice{10'000};

bool WorthAnotherTry(rd_kafka_resp_err_t code) {
  switch (code) {
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__WAIT_COORD:
    case RD_KAFKA_RESP_ERR__WAIT_CACHE:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS:
    case RD_KAFKA_RESP_ERR_NOT_COORDINATOR:
    case RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT:
    case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
      return true;
    default:
      return false;
  }
}

// The worst of the return code and the elements' errors.
rd_kafka_resp_err_t ReadOnce(rd_kafka_t* rk, rd_kafka_topic_partition_list_t* list, int wait_ms) {
  for (int i = 0; i < list->cnt; ++i) {
    list->elems[i].offset = RD_KAFKA_OFFSET_INVALID;
    list->elems[i].err = RD_KAFKA_RESP_ERR_NO_ERROR;
  }
  rd_kafka_resp_err_t code = rd_kafka_committed(rk, list, wait_ms);
  for (int i = 0; i < list->cnt && code == RD_KAFKA_RESP_ERR_NO_ERROR; ++i) {
    code = list->elems[i].err;
  }
  return code;
}

}  // namespace

base::Result<std::vector<CommittedPosition>> ReadCommittedPositions(
    const Cluster& cluster, const std::string& group,
    const std::vector<types::InputPartition>& partitions, milliseconds total) {
  std::vector<CommittedPosition> out;
  if (partitions.empty()) {
    return out;
  }
  SJ_ASSIGN_OR_RETURN(std::unique_ptr<Client> client,
                      Client::Make(cluster, Role::kMetadata, {{"group.id", group}}));
  PartitionsHandle list(rd_kafka_topic_partition_list_new(static_cast<int>(partitions.size())));
  for (const types::InputPartition& partition : partitions) {
    rd_kafka_topic_partition_list_add(list.get(), partition.topic.c_str(), partition.partition);
  }
  std::string doing = fmt::format("read committed offsets of group \"{}\"", group);
  Deadline deadline(total);
  for (;;) {
    rd_kafka_resp_err_t code = ReadOnce(client->handle(), list.get(), deadline.Slice(kReadSlice));
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
      break;
    }
    rd_kafka_poll(client->handle(), 50);
    SJ_RETURN_IF_ERROR(client->LoginFailure().WithContext(doing));
    if (!WorthAnotherTry(code) || deadline.passed()) {
      return client->Explain(code, doing,
                             code == RD_KAFKA_RESP_ERR__TIMED_OUT
                                 ? "no answer in time; an open transaction or a missing Read right "
                                   "on the group looks like this"
                                 : "");
    }
  }
  std::map<types::InputPartition, const rd_kafka_topic_partition_t*> found;
  for (int i = 0; i < list->cnt; ++i) {
    const rd_kafka_topic_partition_t& element = list->elems[i];
    found[{element.topic, element.partition}] = &element;
  }
  for (const types::InputPartition& partition : partitions) {
    auto at = found.find(partition);
    if (at == found.end()) {
      return base::Unavailable(doing + ": the answer leaves partitions out");
    }
    CommittedPosition position{.partition = partition, .metadata = {}};
    if (at->second->offset >= 0) {
      position.offset = at->second->offset;
      position.metadata.assign(static_cast<const char*>(at->second->metadata),
                               at->second->metadata_size);
    }
    out.push_back(std::move(position));
  }
  return out;
}

}  // namespace sj::worker::connect::kafka
