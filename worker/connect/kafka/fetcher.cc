// SPDX-License-Identifier: Apache-2.0
// Assignment, the wait for the first message, and the words for what goes wrong.
#include "worker/connect/kafka/fetcher.h"

#include <fmt/core.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>

#include "api/base/check.h"
#include "worker/connect/kafka/errors.h"

namespace sj::worker::connect::kafka {
namespace {

constexpr uint64_t kWakePayload = 1;
constexpr int64_t kFetchBytesMax = 16 << 20;  // one answer of a broker
constexpr int64_t kFetchBytesMin = 1 << 20;
// From here on the library itself looks again after fetch.queue.backoff.ms.
constexpr int kVersionWithQueueBackoff = 0x020200ff;

bool IsDamage(rd_kafka_resp_err_t code) {
  switch (code) {
    case RD_KAFKA_RESP_ERR__BAD_MSG:
    case RD_KAFKA_RESP_ERR__BAD_COMPRESSION:
    case RD_KAFKA_RESP_ERR__UNDERFLOW:
    case RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED:
    case RD_KAFKA_RESP_ERR_INVALID_MSG:
      return true;
    default:
      return false;
  }
}

}  // namespace

base::Result<std::unique_ptr<Fetcher>> Fetcher::Make(const Options& options,
                                                     const std::vector<ExchangeStart>& starts) {
  auto fetcher = std::unique_ptr<Fetcher>(new Fetcher());
  fetcher->wake_fd_ = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (fetcher->wake_fd_ < 0) {
    return base::Exhausted("make an event descriptor for a Kafka reader");
  }
  if (starts.empty()) {
    return fetcher;
  }
  fetcher->prefetch_bytes_ = static_cast<size_t>(options.prefetch_bytes);
  int64_t answer = std::clamp(options.prefetch_bytes / 2, kFetchBytesMin, kFetchBytesMax);
  SJ_ASSIGN_OR_RETURN(
      fetcher->client_,
      Client::Make(options.cluster, Role::kReader,
                   {{"group.id", options.group},
                    {"queued.min.messages", "1000000"},
                    {"queued.max.messages.kbytes", std::to_string(options.prefetch_bytes / 1024)},
                    {"fetch.max.bytes", std::to_string(answer)},
                    {"receive.message.max.bytes", std::to_string(64 << 20)}}));
  SJ_RETURN_IF_ERROR(fetcher->Assign(starts));
  return fetcher;
}

base::Status Fetcher::Assign(const std::vector<ExchangeStart>& starts) {
  rd_kafka_t* rk = client_->handle();
  rd_kafka_poll_set_consumer(rk);
  queue_.reset(rd_kafka_queue_get_consumer(rk));
  rd_kafka_queue_io_event_enable(queue_.get(), wake_fd_, &kWakePayload, sizeof kWakePayload);
  PartitionsHandle list(rd_kafka_topic_partition_list_new(static_cast<int>(starts.size())));
  for (const ExchangeStart& start : starts) {
    SJ_CHECK(start.offset >= 0);
    rd_kafka_topic_partition_list_add(list.get(), start.partition.topic.c_str(),
                                      start.partition.partition)
        ->offset = start.offset;
    FetchPartition& partition = partitions_.emplace_back();
    partition.id = start.partition;
    partition.position = start.offset;
  }
  rd_kafka_resp_err_t code = rd_kafka_assign(rk, list.get());
  return code == RD_KAFKA_RESP_ERR_NO_ERROR ? base::OkStatus()
                                            : FromCode(code, "assign partitions to a reader");
}

Fetcher::~Fetcher() {
  // Messages, then the queue, then the client: each holds a part of the next.
  partitions_.clear();
  if (queue_ != nullptr) {
    rd_kafka_queue_io_event_enable(queue_.get(), -1, nullptr, 0);
  }
  queue_.reset();
  client_.reset();
  if (wake_fd_ >= 0) {
    ::close(wake_fd_);
  }
}

FetchPartition* Fetcher::Find(const rd_kafka_message_t& message) {
  if (message.rkt == last_topic_ && message.partition == last_partition_) {
    return last_found_;
  }
  if (message.rkt == nullptr) {
    return nullptr;
  }
  std::string_view topic = rd_kafka_topic_name(message.rkt);
  for (FetchPartition& partition : partitions_) {
    if (partition.id.partition == message.partition && partition.id.topic == topic) {
      last_topic_ = message.rkt;
      last_partition_ = message.partition;
      last_found_ = &partition;
      return &partition;
    }
  }
  return nullptr;
}

base::Status Fetcher::FromMessage(const rd_kafka_message_t& message) const {
  std::string where = message.rkt == nullptr ? std::string("read from Kafka")
                                             : fmt::format("read topic \"{}\" partition {}",
                                                           rd_kafka_topic_name(message.rkt),
                                                           static_cast<int>(message.partition));
  if (message.err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET ||
      message.err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE) {
    return base::NotFound(fmt::format(
        "{} from offset {}: the log does not have this offset any more, or not yet. Retention may"
        " have deleted it, or the topic was made anew. Nothing was skipped.",
        where, static_cast<int64_t>(message.offset)));
  }
  const char* detail = rd_kafka_message_errstr(&message);
  if (IsDamage(message.err)) {
    return base::Corrupt(fmt::format("{} near offset {}: a batch is damaged: {}", where,
                                     static_cast<int64_t>(message.offset), detail));
  }
  base::Status status = FromCode(message.err, where, detail);
  // The client goes on by itself after anything that a retry can help.
  return status.kind() == base::ErrorKind::kUnavailable ? base::OkStatus() : status;
}

base::Status Fetcher::Sort(MessageHandle message) {
  bool is_end = message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
  if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR && !is_end) {
    return FromMessage(*message);
  }
  FetchPartition* partition = Find(*message);
  if (partition == nullptr || partition->done) {
    return base::OkStatus();
  }
  partition->pending.push_back(std::move(message));
  ++pending_;
  return base::OkStatus();
}

// A client thread that found the prefetch queue full sleeps until something wakes it, up to a
// second, however empty the queue is by then. A question to the partitions' leaders, whose answer
// nobody awaits, wakes it; asked once for each half of the queue that was taken.
void Fetcher::WakeFetching(size_t taken_bytes, size_t taken) {
  taken_bytes_ += taken_bytes;
  if (taken_bytes_ < prefetch_bytes_ / 2 || rd_kafka_version() >= kVersionWithQueueBackoff) {
    return;
  }
  size_t waiting = rd_kafka_queue_length(queue_.get());
  if (taken > 0 && waiting * (taken_bytes / taken) > prefetch_bytes_ / 2) {
    return;
  }
  taken_bytes_ = 0;
  if (wake_list_ == nullptr) {
    wake_list_.reset(rd_kafka_topic_partition_list_new(static_cast<int>(partitions_.size())));
    for (const FetchPartition& partition : partitions_) {
      rd_kafka_topic_partition_list_add(wake_list_.get(), partition.id.topic.c_str(),
                                        partition.id.partition)
          ->offset = RD_KAFKA_OFFSET_END;
    }
  }
  rd_kafka_offsets_for_times(client_->handle(), wake_list_.get(), 0);
}

void Fetcher::WaitWithoutPartitions(milliseconds wait) const {
  pollfd descriptor{wake_fd_, POLLIN, 0};
  ::poll(&descriptor, 1, static_cast<int>(wait.count()));
}

base::Status Fetcher::Fill(size_t messages_max, milliseconds wait) {
  if (pending_ > 0) {
    return base::OkStatus();
  }
  if (queue_ == nullptr) {
    WaitWithoutPartitions(wait);
    return base::OkStatus();
  }
  uint64_t drained = 0;
  // Cleared before the queue is looked at, so an arrival after the look is not lost.
  static_cast<void>(::read(wake_fd_, &drained, sizeof drained));
  inbox_.resize(messages_max);
  // The batch call waits until the batch is full, so the wait is for one message only.
  ssize_t got = rd_kafka_consume_batch_queue(queue_.get(), 0, inbox_.data(), messages_max);
  if (got <= 0 && wait.count() > 0) {
    got = rd_kafka_consume_batch_queue(queue_.get(), static_cast<int>(wait.count()), inbox_.data(),
                                       1);
    if (got == 1 && messages_max > 1) {
      ssize_t more =
          rd_kafka_consume_batch_queue(queue_.get(), 0, inbox_.data() + 1, messages_max - 1);
      got += std::max<ssize_t>(more, 0);
    }
  }
  if (got < 0) {
    return FromCode(rd_kafka_last_error(), "read from Kafka");
  }
  more_in_queue_ = static_cast<size_t>(got) == messages_max;
  base::Status status;
  size_t bytes = 0;
  for (ssize_t i = 0; i < got; ++i) {
    MessageHandle message(inbox_[static_cast<size_t>(i)]);
    bytes += message->len;
    if (status.ok()) {
      status = Sort(std::move(message));
    }
  }
  WakeFetching(bytes, static_cast<size_t>(got));
  return status;
}

FetchPartition* Fetcher::NextPending() {
  for (size_t i = 0; i < partitions_.size() && pending_ > 0; ++i) {
    FetchPartition& partition = partitions_[turn_];
    turn_ = turn_ + 1 == partitions_.size() ? 0 : turn_ + 1;
    if (!partition.pending.empty()) {
      return &partition;
    }
  }
  return nullptr;
}

MessageHandle Fetcher::Take(FetchPartition* partition) {
  MessageHandle message = std::move(partition->pending.front());
  partition->pending.pop_front();
  --pending_;
  if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
    partition->position = std::max(partition->position, static_cast<int64_t>(message->offset));
    partition->at_log_end = true;
  } else {
    partition->position = message->offset + 1;
    partition->at_log_end = false;
  }
  return message;
}

void Fetcher::Rearm() {
  if (pending_ > 0 || more_in_queue_) {
    static_cast<void>(::write(wake_fd_, &kWakePayload, sizeof kWakePayload));
  }
}

void Fetcher::Finish(FetchPartition* partition) {
  pending_ -= partition->pending.size();
  partition->pending.clear();
  partition->done = true;
  PartitionsHandle list(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_list_add(list.get(), partition->id.topic.c_str(),
                                    partition->id.partition);
  rd_kafka_pause_partitions(client_->handle(), list.get());
}

int64_t Fetcher::CachedEnd(const FetchPartition& partition) const {
  if (partition.at_log_end) {
    return partition.position;
  }
  // Above the last stable offset by what open transactions have written.
  return CachedLogEnd(partition);
}

int64_t Fetcher::CachedLogEnd(const FetchPartition& partition) const {
  int64_t low = 0;
  int64_t high = -1;
  rd_kafka_resp_err_t code = rd_kafka_get_watermark_offsets(
      client_->handle(), partition.id.topic.c_str(), partition.id.partition, &low, &high);
  return code == RD_KAFKA_RESP_ERR_NO_ERROR && high >= 0 ? std::max(high, partition.position) : -1;
}

}  // namespace sj::worker::connect::kafka
