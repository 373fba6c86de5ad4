// SPDX-License-Identifier: Apache-2.0
// bare_loop MODE BROKERS TOPIC: what the libraries alone cost. One thread reads all partitions to
// the end with librdkafka, finds the query's fields with simdjson and does the least a program can:
//   read     looks at no value
//   parse    user, type, amount and time of each event; purchases are counted
//   agg      the same, with count and sum of the purchases by (user, minute) in a hash table
// No watermark, no state kept, no errors handled, nothing committed. It uses the library's settings
// that our worker uses. Prints events, seconds and a check as JSON. One thread of ours.
#include <librdkafka/rdkafka.h>
#include <simdjson.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace {

constexpr size_t kBatch = 8192;
constexpr int kPartitionsMax = 1024;

struct Sum {
  uint64_t count = 0;
  int64_t cents = 0;
};

struct Key {
  std::string user;
  int64_t minute = 0;
  bool operator==(const Key& other) const = default;
};

struct KeyHash {
  size_t operator()(const Key& key) const {
    return std::hash<std::string>()(key.user) ^
           (static_cast<size_t>(key.minute) * 0x9e3779b97f4a7c15ull);
  }
};

[[noreturn]] void Die(const char* doing, const char* why) {
  std::fprintf(stderr, "bare_loop: %s: %s\n", doing, why);
  std::exit(1);
}

// "123.45" -> 12345.
int64_t Cents(std::string_view text) {
  int64_t value = 0;
  int decimals = -1;
  for (char c : text) {
    if (c == '.') {
      decimals = 0;
    } else if (c >= '0' && c <= '9') {
      value = value * 10 + (c - '0');
      decimals += decimals >= 0 ? 1 : 0;
    } else {
      break;
    }
  }
  for (; decimals < 2; decimals = decimals < 0 ? 1 : decimals + 1) {
    value *= 10;
  }
  return value;
}

int64_t Digits(const char* text, int count) {
  int64_t value = 0;
  for (int i = 0; i < count; ++i) {
    value = value * 10 + (text[i] - '0');
  }
  return value;
}

// "2026-01-05 00:00:00.123" -> minutes, comparable inside one month.
int64_t Minute(std::string_view text) {
  const char* t = text.data();
  return ((Digits(t, 4) * 12 + Digits(t + 5, 2)) * 31 + Digits(t + 8, 2)) * 1440 +
         Digits(t + 11, 2) * 60 + Digits(t + 14, 2);
}

class Loop {
 public:
  Loop(std::string mode, const char* brokers, const char* topic) : mode_(std::move(mode)) {
    char error[512];
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    const std::pair<const char*, const char*> settings[] = {
        {"bootstrap.servers", brokers},
        {"group.id", "bare-loop"},
        {"enable.auto.commit", "false"},
        {"enable.auto.offset.store", "false"},
        {"enable.partition.eof", "true"},
        {"isolation.level", "read_committed"},
        {"check.crcs", "true"},
        {"fetch.wait.max.ms", "10"},
        {"queued.min.messages", "1000000"},
        {"queued.max.messages.kbytes", "32768"},
        {"fetch.max.bytes", "16777216"},
        {"receive.message.max.bytes", "67108864"}};
    for (const auto& [name, value] : settings) {
      if (rd_kafka_conf_set(conf, name, value, error, sizeof error) != RD_KAFKA_CONF_OK) {
        Die(name, error);
      }
    }
    client_ = rd_kafka_new(RD_KAFKA_CONSUMER, conf, error, sizeof error);
    if (client_ == nullptr) {
      Die("connect", error);
    }
    rd_kafka_poll_set_consumer(client_);
    Assign(topic);
    queue_ = rd_kafka_queue_get_consumer(client_);
    text_.resize(1 << 20);
  }

  void Run() {
    std::vector<rd_kafka_message_t*> inbox(kBatch);
    auto start = std::chrono::steady_clock::now();
    for (int ended = 0; ended < partitions_;) {
      ssize_t got = rd_kafka_consume_batch_queue(queue_, 5, inbox.data(), inbox.size());
      for (ssize_t i = 0; i < got; ++i) {
        rd_kafka_message_t* message = inbox[static_cast<size_t>(i)];
        if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
          ++ended;
        } else if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
          Die("read", rd_kafka_message_errstr(message));
        } else {
          Take(*message);
        }
        rd_kafka_message_destroy(message);
      }
    }
    Print(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }

 private:
  void Assign(const char* topic) {
    rd_kafka_topic_t* handle = rd_kafka_topic_new(client_, topic, nullptr);
    const rd_kafka_metadata_t* metadata = nullptr;
    if (rd_kafka_metadata(client_, 0, handle, &metadata, 10'000) != RD_KAFKA_RESP_ERR_NO_ERROR) {
      Die("ask for the topic", topic);
    }
    partitions_ = metadata->topics[0].partition_cnt;
    rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_destroy(handle);
    if (partitions_ < 1 || partitions_ > kPartitionsMax) {
      Die("read the topic", "it does not exist");
    }
    rd_kafka_topic_partition_list_t* list = rd_kafka_topic_partition_list_new(partitions_);
    for (int p = 0; p < partitions_; ++p) {
      rd_kafka_topic_partition_list_add(list, topic, p)->offset = RD_KAFKA_OFFSET_BEGINNING;
    }
    rd_kafka_assign(client_, list);
    rd_kafka_topic_partition_list_destroy(list);
  }

  void Take(const rd_kafka_message_t& message) {
    ++events_;
    bytes_ += message.len;
    if (mode_ == "read") {
      return;
    }
    std::memcpy(text_.data(), message.payload, message.len);
    simdjson::padded_string_view view(text_.data(), message.len, text_.size());
    auto event = parser_.iterate(view);
    std::string_view user;
    std::string_view type;
    std::string_view time;
    if (event["user_id"].get(user) != simdjson::SUCCESS ||
        event["event_type"].get(type) != simdjson::SUCCESS) {
      Die("parse", "an event without user or type");
    }
    int64_t cents = Cents(event["amount"].raw_json_token().value());
    if (event["event_time"].get(time) != simdjson::SUCCESS || time.size() < 16) {
      Die("parse", "an event without time");
    }
    int64_t minute = Minute(time);
    if (type != "purchase") {
      return;
    }
    ++purchases_;
    if (mode_ == "agg") {
      key_.user.assign(user);
      key_.minute = minute;
      Sum& sum = sums_[key_];
      ++sum.count;
      sum.cents += cents;
    } else {
      check_ += cents + minute;
    }
  }

  void Print(double seconds) {
    for (const auto& [key, sum] : sums_) {
      check_ += sum.cents;
    }
    std::printf(
        "{\"events\": %llu, \"bytes\": %llu, \"seconds\": %.3f, \"purchases\": %llu, "
        "\"groups\": %zu, \"check\": %lld}\n",
        static_cast<unsigned long long>(events_), static_cast<unsigned long long>(bytes_), seconds,
        static_cast<unsigned long long>(purchases_), sums_.size(), static_cast<long long>(check_));
    std::fflush(stdout);
    std::_Exit(0);  // the client would take a second to say goodbye
  }

  std::string mode_;
  rd_kafka_t* client_ = nullptr;
  rd_kafka_queue_t* queue_ = nullptr;
  int partitions_ = 0;
  simdjson::ondemand::parser parser_;
  std::string text_;
  std::unordered_map<Key, Sum, KeyHash> sums_;
  Key key_;
  uint64_t events_ = 0;
  uint64_t bytes_ = 0;
  uint64_t purchases_ = 0;
  int64_t check_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  std::string_view mode = argc == 4 ? argv[1] : "";
  if (mode != "read" && mode != "parse" && mode != "agg") {
    std::fprintf(stderr, "bare_loop read|parse|agg BROKERS TOPIC\n");
    return 2;
  }
  Loop(std::string(mode), argv[2], argv[3]).Run();
}
