// SPDX-License-Identifier: Apache-2.0
// Transactional calls in bounded slices, and the mapping of their errors.
#include "worker/connect/kafka/txn_producer.h"

#include <fmt/core.h>

#include <cstdlib>
#include <cstring>

#include "api/base/watchdog.h"
#include "worker/connect/kafka/errors.h"

namespace sj::worker::connect::kafka {
namespace {

constexpr int kQueueFullPollMs = 10;
constexpr uint32_t kServeEvery = 256;  // a power of two

// Sleeps serving the client's callbacks; the wait between two retriable failures.
void Pause(const Client& client) {
  rd_kafka_poll(client.handle(), 20);
}

}  // namespace

base::Result<std::unique_ptr<TxnProducer>> TxnProducer::Make(const Cluster& cluster,
                                                             const std::string& transactional_id) {
  SJ_ASSIGN_OR_RETURN(
      std::unique_ptr<Client> client,
      Client::Make(cluster, Role::kTransactional, {{"transactional.id", transactional_id}}));
  auto producer =
      std::unique_ptr<TxnProducer>(new TxnProducer(transactional_id, std::move(client)));
  for (const auto& [name, value] : cluster.producer) {
    if (name == "transaction.timeout.ms") {
      producer->timeout_ = milliseconds(std::atoll(value.c_str()));
    }
  }
  producer->topics_.reserve(kTopicsMax);
  return producer;
}

TxnProducer::~TxnProducer() {
  topics_.clear();  // before the client they belong to
}

base::Status TxnProducer::InWords(base::Status status) const {
  auto open = std::chrono::steady_clock::now() - begun_at_.load();
  if (status.kind() != base::ErrorKind::kFenced || open < timeout_) {
    return status;
  }
  return base::Fenced(fmt::format(
      "{}. The transaction was open for {} ms, longer than 'transaction.timeout.ms' = {}: the"
      " broker may have ended it because the checkpoint was slower than that",
      status.message(), std::chrono::duration_cast<milliseconds>(open).count(), timeout_.count()));
}

base::Status TxnProducer::FromError(ErrorHandle error, std::string_view doing) {
  rd_kafka_resp_err_t code = rd_kafka_error_code(error.get());
  requires_abort_ = rd_kafka_error_txn_requires_abort(error.get()) != 0;
  char text[512];
  rd_kafka_resp_err_t fatal = rd_kafka_fatal_error(client_->handle(), text, sizeof text);
  if (fatal != RD_KAFKA_RESP_ERR_NO_ERROR) {
    bool fenced = IsFencing(fatal) || IsFencing(code);
    return InWords(FromCode(fenced ? RD_KAFKA_RESP_ERR__FENCED : fatal,
                            fmt::format("{} as \"{}\"", doing, id_), text));
  }
  base::Status delivery = client_->DeliveryFailure();
  if (!delivery.ok() && delivery.kind() == base::ErrorKind::kInvalidArgument) {
    return delivery;
  }
  return client_->Explain(code, fmt::format("{} as \"{}\"", doing, id_),
                          rd_kafka_error_string(error.get()));
}

base::Status TxnProducer::Init(milliseconds total) {
  Deadline deadline(total);
  for (;;) {
    base::WatchedCall watched("start transactions");
    ErrorHandle error(
        rd_kafka_init_transactions(client_->handle(), deadline.Slice(milliseconds(2000))));
    if (error == nullptr) {
      return base::OkStatus();
    }
    client_->Serve();
    base::Status login = client_->LoginFailure();
    if (!login.ok()) {
      return login;
    }
    if (rd_kafka_error_is_retriable(error.get()) == 0 || deadline.passed()) {
      return FromError(std::move(error), "start transactions");
    }
    Pause(*client_);
  }
}

base::Status TxnProducer::Begin() {
  client_->ClearDelivery();
  begun_at_.store(std::chrono::steady_clock::now());
  ErrorHandle error(rd_kafka_begin_transaction(client_->handle()));
  return error == nullptr ? base::OkStatus() : FromError(std::move(error), "begin a transaction");
}

base::Result<rd_kafka_topic_t*> TxnProducer::Topic(std::string_view name) {
  size_t known = topics_size_.load(std::memory_order_acquire);
  for (size_t i = 0; i < known; ++i) {
    if (topics_[i].name == name) {
      return topics_[i].topic.get();
    }
  }
  std::lock_guard lock(topics_mu_);
  for (size_t i = known; i < topics_.size(); ++i) {
    if (topics_[i].name == name) {
      return topics_[i].topic.get();
    }
  }
  if (topics_.size() >= kTopicsMax) {
    return base::Exhausted(
        fmt::format("write to topic \"{}\": more than {} topics", name, kTopicsMax));
  }
  std::string text(name);
  rd_kafka_topic_t* topic = rd_kafka_topic_new(client_->handle(), text.c_str(), nullptr);
  if (topic == nullptr) {
    return FromCode(rd_kafka_last_error(), fmt::format("write to topic \"{}\"", name));
  }
  topics_.push_back({std::move(text), TopicHandle(topic)});
  topics_size_.store(topics_.size(), std::memory_order_release);
  return topic;
}

rd_kafka_resp_err_t TxnProducer::TryProduce(rd_kafka_topic_t* topic, const OutputRecord& record) {
  // librdkafka takes a null pointer for "no key" and "null value", also when the length is zero.
  static char empty[1] = {};
  auto* value = record.tombstone       ? nullptr
                : record.value.empty() ? empty
                                       : const_cast<char*>(record.value.data());
  size_t value_size = record.tombstone ? 0 : record.value.size();
  const char* key = !record.has_key ? nullptr : record.key.empty() ? empty : record.key.data();
  size_t key_size = record.has_key ? record.key.size() : 0;
  if (record.timestamp_ms < 0) {
    int failed = rd_kafka_produce(topic, record.partition, RD_KAFKA_MSG_F_COPY, value, value_size,
                                  key, key_size, nullptr);
    return failed == 0 ? RD_KAFKA_RESP_ERR_NO_ERROR : rd_kafka_last_error();
  }
  return rd_kafka_producev(
      client_->handle(), RD_KAFKA_V_RKT(topic), RD_KAFKA_V_PARTITION(record.partition),
      RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_VALUE(value, value_size),
      RD_KAFKA_V_KEY(key, key_size), RD_KAFKA_V_TIMESTAMP(record.timestamp_ms), RD_KAFKA_V_END);
}

base::Status TxnProducer::Produce(const OutputRecord& record, const std::atomic<bool>& cancelled) {
  SJ_ASSIGN_OR_RETURN(rd_kafka_topic_t * topic, Topic(record.topic));
  rd_kafka_resp_err_t code = TryProduce(topic, record);
  if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
    Deadline deadline(kQueueWaitMax);
    auto start = std::chrono::steady_clock::now();
    while (code == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
      if (cancelled.load(std::memory_order_relaxed)) {
        return base::Cancelled(fmt::format("write to topic \"{}\"", record.topic));
      }
      if (deadline.passed()) {
        return client_->Explain(RD_KAFKA_RESP_ERR__TIMED_OUT,
                                fmt::format("write to topic \"{}\"", record.topic),
                                "the producer's queue stays full");
      }
      rd_kafka_poll(client_->handle(), kQueueFullPollMs);
      code = TryProduce(topic, record);
    }
    waited_ns_.fetch_add(static_cast<uint64_t>(
        std::chrono::nanoseconds(std::chrono::steady_clock::now() - start).count()));
  }
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    char text[512];
    rd_kafka_resp_err_t fatal = rd_kafka_fatal_error(client_->handle(), text, sizeof text);
    bool is_fatal = fatal != RD_KAFKA_RESP_ERR_NO_ERROR;
    base::Status delivery = client_->DeliveryFailure();
    if (!is_fatal && !delivery.ok()) {
      return delivery;
    }
    return InWords(FromCode(is_fatal ? fatal : code,
                            fmt::format("write a record of {} bytes to topic \"{}\"",
                                        record.value.size(), record.topic),
                            is_fatal ? text : ""));
  }
  if ((produced_.fetch_add(1, std::memory_order_relaxed) & (kServeEvery - 1)) == 0) {
    rd_kafka_poll(client_->handle(), 0);
  }
  return base::OkStatus();
}

base::Status TxnProducer::Flush(milliseconds total) {
  Deadline deadline(total);
  for (;;) {
    base::WatchedCall watched("flush");
    rd_kafka_resp_err_t code = rd_kafka_flush(client_->handle(), deadline.Slice(kSliceMax));
    char text[512];
    rd_kafka_resp_err_t fatal = rd_kafka_fatal_error(client_->handle(), text, sizeof text);
    if (fatal != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return InWords(FromCode(fatal, fmt::format("flush as \"{}\"", id_), text));
    }
    if (base::Status failed = client_->DeliveryFailure(); !failed.ok()) {
      requires_abort_ = true;
      return failed;
    }
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
      return base::OkStatus();
    }
    if (code != RD_KAFKA_RESP_ERR__TIMED_OUT || deadline.passed()) {
      return client_->Explain(code, fmt::format("flush as \"{}\"", id_));
    }
  }
}

base::Status TxnProducer::SendOffsets(const std::string& group,
                                      const std::vector<CommittedPosition>& positions,
                                      milliseconds total) {
  PartitionsHandle list(rd_kafka_topic_partition_list_new(static_cast<int>(positions.size())));
  for (const CommittedPosition& position : positions) {
    rd_kafka_topic_partition_t* element = rd_kafka_topic_partition_list_add(
        list.get(), position.partition.topic.c_str(), position.partition.partition);
    element->offset = position.offset;
    if (!position.metadata.empty()) {
      element->metadata = strdup(position.metadata.c_str());  // freed with the list
      element->metadata_size = position.metadata.size();
    }
  }
  GroupMetadataHandle metadata(rd_kafka_consumer_group_metadata_new(group.c_str()));
  Deadline deadline(total);
  for (;;) {
    base::WatchedCall watched("send offsets");
    ErrorHandle error(rd_kafka_send_offsets_to_transaction(
        client_->handle(), list.get(), metadata.get(), deadline.Slice(kSliceMax)));
    if (error == nullptr) {
      return base::OkStatus();
    }
    client_->Serve();
    bool again = rd_kafka_error_is_retriable(error.get()) != 0 &&
                 rd_kafka_error_txn_requires_abort(error.get()) == 0 &&
                 rd_kafka_error_is_fatal(error.get()) == 0;
    if (!again || deadline.passed()) {
      return FromError(std::move(error), "send offsets");
    }
    Pause(*client_);
  }
}

base::Status TxnProducer::Commit(milliseconds total) {
  uint64_t sent_before = client_->end_txn_sent();
  Deadline deadline(total);
  for (;;) {
    base::WatchedCall watched("commit");
    ErrorHandle error(rd_kafka_commit_transaction(client_->handle(), deadline.Slice(kSliceMax)));
    if (error == nullptr) {
      suspicious_ = suspicious_ || client_->end_txn_sent() - sent_before > 1;
      return base::OkStatus();
    }
    suspicious_ = true;
    client_->Serve();
    bool again = rd_kafka_error_is_retriable(error.get()) != 0 &&
                 rd_kafka_error_txn_requires_abort(error.get()) == 0 &&
                 rd_kafka_error_is_fatal(error.get()) == 0;
    if (!again || deadline.passed()) {
      return FromError(std::move(error), "commit");
    }
    Pause(*client_);
  }
}

base::Status TxnProducer::Probe(const std::string& group, const types::InputPartition& partition,
                                milliseconds total) {
  const bool suspicious = suspicious_;
  const uint64_t sent_before = client_->end_txn_sent();
  SJ_RETURN_IF_ERROR(Begin());
  // The offset is never seen: the coordinator checks the producer's epoch before it takes it.
  base::Status sent = SendOffsets(group, {{partition, 0, ""}}, total);
  if (!sent.ok()) {
    return Settle(std::move(sent));
  }
  SJ_RETURN_IF_ERROR(Abort(total));
  suspicious_ = suspicious || client_->end_txn_sent() - sent_before > 1;
  return base::OkStatus();
}

base::Status TxnProducer::Settle(base::Status failed) {
  if (failed.kind() == base::ErrorKind::kFenced || !requires_abort_) {
    return failed;
  }
  base::Status aborted = Abort(kSettleMax);
  return !aborted.ok() && aborted.kind() == base::ErrorKind::kFenced ? aborted : failed;
}

base::Status TxnProducer::Abort(milliseconds total) {
  suspicious_ = true;
  requires_abort_ = false;
  Deadline deadline(total);
  {
    base::WatchedCall watched("flush before an abort");
    rd_kafka_flush(client_->handle(), deadline.Slice(total));
  }
  for (;;) {
    base::WatchedCall watched("abort");
    ErrorHandle error(rd_kafka_abort_transaction(client_->handle(), deadline.Slice(kSliceMax)));
    if (error == nullptr) {
      return base::OkStatus();
    }
    client_->Serve();
    bool again =
        rd_kafka_error_is_retriable(error.get()) != 0 && rd_kafka_error_is_fatal(error.get()) == 0;
    if (!again || deadline.passed()) {
      return FromError(std::move(error), "abort");
    }
    Pause(*client_);
  }
}

}  // namespace sj::worker::connect::kafka
