// SPDX-License-Identifier: Apache-2.0
// Each call is repeated in slices until its deadline, and ends early when a login was refused.
#include "worker/connect/kafka/metadata.h"

#include <fmt/core.h>

#include "worker/connect/kafka/errors.h"

namespace sj::worker::connect::kafka {
namespace {

bool IsPassing(rd_kafka_resp_err_t code) {
  switch (code) {
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR__WAIT_CACHE:
    case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION:
    case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
      return true;
    default:
      return false;
  }
}

// A broker learns of a new topic a little after the controller has confirmed it, so one broker's
// "unknown" is no answer yet (librdkafka's topic.metadata.propagation.max.ms says the same of its
// own requests).
constexpr milliseconds kPropagationMax{3'000};

// Calls `ask(milliseconds)` until it neither times out nor meets a passing state.
template <typename Ask>
base::Status Repeat(const Client& client, const std::string& doing, Ask ask) {
  Deadline deadline(kMetadataTotalMax);
  Deadline propagation(kPropagationMax);
  for (;;) {
    rd_kafka_resp_err_t code = ask(deadline.Slice(kSliceMax));
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
      return base::OkStatus();
    }
    rd_kafka_poll(client.handle(), 50);
    SJ_RETURN_IF_ERROR(client.LoginFailure().WithContext(doing));
    bool passing =
        code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ? !propagation.passed() : IsPassing(code);
    if (!passing || deadline.passed()) {
      return client.Explain(code, doing);
    }
  }
}

}  // namespace

base::Result<int> CountPartitions(const Client& client, const std::string& topic) {
  TopicHandle handle(rd_kafka_topic_new(client.handle(), topic.c_str(), nullptr));
  if (handle == nullptr) {
    return FromCode(rd_kafka_last_error(), fmt::format("look up topic \"{}\"", topic));
  }
  int count = 0;
  auto ask = [&](int wait_ms) {
    const rd_kafka_metadata_t* metadata = nullptr;
    rd_kafka_resp_err_t code =
        rd_kafka_metadata(client.handle(), 0, handle.get(), &metadata, wait_ms);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
      code = metadata->topic_cnt == 1 ? metadata->topics[0].err
                                      : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
      count = metadata->topic_cnt == 1 ? metadata->topics[0].partition_cnt : 0;
      rd_kafka_metadata_destroy(metadata);
    }
    return code;
  };
  SJ_RETURN_IF_ERROR(Repeat(client, fmt::format("look up topic \"{}\"", topic), ask));
  if (count <= 0) {
    return base::Unavailable(fmt::format("look up topic \"{}\": it has no partitions", topic));
  }
  return count;
}

base::Result<std::vector<std::string>> ListTopics(const Client& client) {
  std::vector<std::string> topics;
  auto ask = [&](int wait_ms) {
    const rd_kafka_metadata_t* metadata = nullptr;
    rd_kafka_resp_err_t code = rd_kafka_metadata(client.handle(), 1, nullptr, &metadata, wait_ms);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
      topics.clear();
      for (int i = 0; i < metadata->topic_cnt; ++i) {
        if (metadata->topics[i].err != RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
          topics.emplace_back(metadata->topics[i].topic);
        }
      }
      rd_kafka_metadata_destroy(metadata);
    }
    return code;
  };
  SJ_RETURN_IF_ERROR(Repeat(client, "list the topics", ask));
  return topics;
}

base::Result<LogRange> ReadLogRange(const Client& client, const std::string& topic, int partition) {
  LogRange range;
  auto ask = [&](int wait_ms) {
    return rd_kafka_query_watermark_offsets(client.handle(), topic.c_str(), partition, &range.begin,
                                            &range.end, wait_ms);
  };
  SJ_RETURN_IF_ERROR(Repeat(
      client, fmt::format("read the range of topic \"{}\" partition {}", topic, partition), ask));
  return range;
}

base::Result<std::vector<int64_t>> OffsetsAtTime(const Client& client, const std::string& topic,
                                                 const std::vector<int>& partitions,
                                                 int64_t millis) {
  PartitionsHandle list(rd_kafka_topic_partition_list_new(static_cast<int>(partitions.size())));
  for (int partition : partitions) {
    rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), partition);
  }
  auto ask = [&](int wait_ms) {
    for (int i = 0; i < list->cnt; ++i) {
      list->elems[i].offset = millis;
    }
    rd_kafka_resp_err_t code = rd_kafka_offsets_for_times(client.handle(), list.get(), wait_ms);
    for (int i = 0; i < list->cnt && code == RD_KAFKA_RESP_ERR_NO_ERROR; ++i) {
      code = list->elems[i].err;
    }
    return code;
  };
  SJ_RETURN_IF_ERROR(
      Repeat(client, fmt::format("find offsets by time in topic \"{}\"", topic), ask));
  std::vector<int64_t> out;
  for (int partition : partitions) {
    rd_kafka_topic_partition_t* element =
        rd_kafka_topic_partition_list_find(list.get(), topic.c_str(), partition);
    out.push_back(element == nullptr || element->offset < 0 ? -1 : element->offset);
  }
  return out;
}

}  // namespace sj::worker::connect::kafka
