// SPDX-License-Identifier: Apache-2.0
// One event queue for each call; results are looked at topic by topic.
#include "worker/connect/kafka/admin.h"

#include <fmt/core.h>

#include "worker/connect/kafka/errors.h"

namespace sj::worker::connect::kafka {
namespace {

constexpr int kOperationMs = 20'000;
constexpr int kAnswerMs = 30'000;

using NewTopicHandle = std::unique_ptr<rd_kafka_NewTopic_t, Deleter<rd_kafka_NewTopic_destroy>>;
using DeleteTopicHandle =
    std::unique_ptr<rd_kafka_DeleteTopic_t, Deleter<rd_kafka_DeleteTopic_destroy>>;
using DeleteGroupHandle =
    std::unique_ptr<rd_kafka_DeleteGroup_t, Deleter<rd_kafka_DeleteGroup_destroy>>;
using DeleteRecordsHandle =
    std::unique_ptr<rd_kafka_DeleteRecords_t, Deleter<rd_kafka_DeleteRecords_destroy>>;

AdminOptionsHandle Options(const Client& client, rd_kafka_admin_op_t operation, bool wait) {
  AdminOptionsHandle options(rd_kafka_AdminOptions_new(client.handle(), operation));
  char error[256];
  rd_kafka_AdminOptions_set_request_timeout(options.get(), kAnswerMs, error, sizeof error);
  if (wait) {
    rd_kafka_AdminOptions_set_operation_timeout(options.get(), kOperationMs, error, sizeof error);
  }
  return options;
}

// The answer, or why there is none.
base::Result<EventHandle> Answer(const Client& client, rd_kafka_queue_t* queue,
                                 const std::string& doing) {
  EventHandle event(rd_kafka_queue_poll(queue, kAnswerMs + 5000));
  rd_kafka_poll(client.handle(), 0);
  if (event == nullptr) {
    return client.Explain(RD_KAFKA_RESP_ERR__TIMED_OUT, doing);
  }
  if (rd_kafka_resp_err_t code = rd_kafka_event_error(event.get())) {
    return client.Explain(code, doing, rd_kafka_event_error_string(event.get()));
  }
  return event;
}

base::Status CheckTopics(const rd_kafka_topic_result_t** results, size_t count,
                         rd_kafka_resp_err_t accepted, const std::string& doing) {
  for (size_t i = 0; i < count; ++i) {
    rd_kafka_resp_err_t code = rd_kafka_topic_result_error(results[i]);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR && code != accepted) {
      const char* detail = rd_kafka_topic_result_error_string(results[i]);
      return FromCode(code, fmt::format("{} \"{}\"", doing, rd_kafka_topic_result_name(results[i])),
                      detail == nullptr ? "" : detail);
    }
  }
  return base::OkStatus();
}

}  // namespace

base::Status CreateTopics(const Client& client, const std::vector<std::string>& topics,
                          int partitions) {
  std::vector<NewTopicHandle> owners;
  std::vector<rd_kafka_NewTopic_t*> list;
  for (const std::string& topic : topics) {
    char error[256];
    NewTopicHandle made(rd_kafka_NewTopic_new(topic.c_str(), partitions, -1, error, sizeof error));
    if (made == nullptr) {
      return base::InvalidArgument(fmt::format("create topic \"{}\": {}", topic, error));
    }
    rd_kafka_NewTopic_set_config(made.get(), "retention.ms", "-1");
    rd_kafka_NewTopic_set_config(made.get(), "retention.bytes", "-1");
    rd_kafka_NewTopic_set_config(made.get(), "cleanup.policy", "delete");
    list.push_back(made.get());
    owners.push_back(std::move(made));
  }
  QueueHandle queue(rd_kafka_queue_new(client.handle()));
  AdminOptionsHandle options = Options(client, RD_KAFKA_ADMIN_OP_CREATETOPICS, true);
  rd_kafka_CreateTopics(client.handle(), list.data(), list.size(), options.get(), queue.get());
  SJ_ASSIGN_OR_RETURN(EventHandle event, Answer(client, queue.get(), "create topics"));
  size_t count = 0;
  const rd_kafka_topic_result_t** results =
      rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event.get()), &count);
  return CheckTopics(results, count, RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS, "create topic");
}

base::Status DeleteGroup(const Client& client, const std::string& group) {
  const std::string doing = fmt::format("delete consumer group \"{}\"", group);
  DeleteGroupHandle request(rd_kafka_DeleteGroup_new(group.c_str()));
  rd_kafka_DeleteGroup_t* requests[] = {request.get()};
  QueueHandle queue(rd_kafka_queue_new(client.handle()));
  AdminOptionsHandle options = Options(client, RD_KAFKA_ADMIN_OP_DELETEGROUPS, false);
  rd_kafka_DeleteGroups(client.handle(), requests, 1, options.get(), queue.get());
  SJ_ASSIGN_OR_RETURN(EventHandle event, Answer(client, queue.get(), doing));
  size_t count = 0;
  const rd_kafka_group_result_t** results =
      rd_kafka_DeleteGroups_result_groups(rd_kafka_event_DeleteGroups_result(event.get()), &count);
  for (size_t i = 0; i < count; ++i) {
    const rd_kafka_error_t* error = rd_kafka_group_result_error(results[i]);
    if (error != nullptr && rd_kafka_error_code(error) != RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND) {
      return client.Explain(rd_kafka_error_code(error), doing, rd_kafka_error_string(error));
    }
  }
  return base::OkStatus();
}

base::Status DeleteTopics(const Client& client, const std::vector<std::string>& topics) {
  std::vector<DeleteTopicHandle> owners;
  std::vector<rd_kafka_DeleteTopic_t*> list;
  for (const std::string& topic : topics) {
    owners.emplace_back(rd_kafka_DeleteTopic_new(topic.c_str()));
    list.push_back(owners.back().get());
  }
  QueueHandle queue(rd_kafka_queue_new(client.handle()));
  AdminOptionsHandle options = Options(client, RD_KAFKA_ADMIN_OP_DELETETOPICS, true);
  rd_kafka_DeleteTopics(client.handle(), list.data(), list.size(), options.get(), queue.get());
  SJ_ASSIGN_OR_RETURN(EventHandle event, Answer(client, queue.get(), "delete topics"));
  size_t count = 0;
  const rd_kafka_topic_result_t** results =
      rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event.get()), &count);
  return CheckTopics(results, count, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, "delete topic");
}

base::Status DeleteRecordsBefore(const Client& client, const std::vector<ExchangeStart>& before) {
  PartitionsHandle list(rd_kafka_topic_partition_list_new(static_cast<int>(before.size())));
  for (const ExchangeStart& start : before) {
    rd_kafka_topic_partition_list_add(list.get(), start.partition.topic.c_str(),
                                      start.partition.partition)
        ->offset = start.offset;
  }
  DeleteRecordsHandle request(rd_kafka_DeleteRecords_new(list.get()));
  rd_kafka_DeleteRecords_t* requests[] = {request.get()};
  QueueHandle queue(rd_kafka_queue_new(client.handle()));
  AdminOptionsHandle options = Options(client, RD_KAFKA_ADMIN_OP_DELETERECORDS, true);
  rd_kafka_DeleteRecords(client.handle(), requests, 1, options.get(), queue.get());
  SJ_ASSIGN_OR_RETURN(EventHandle event, Answer(client, queue.get(), "delete old records"));
  const rd_kafka_topic_partition_list_t* result =
      rd_kafka_DeleteRecords_result_offsets(rd_kafka_event_DeleteRecords_result(event.get()));
  for (int i = 0; i < result->cnt; ++i) {
    if (result->elems[i].err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return FromCode(result->elems[i].err,
                      fmt::format("delete old records of topic \"{}\" partition {}",
                                  result->elems[i].topic, result->elems[i].partition));
    }
  }
  return base::OkStatus();
}

}  // namespace sj::worker::connect::kafka
