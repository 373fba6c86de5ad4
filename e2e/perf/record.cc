// SPDX-License-Identifier: Apache-2.0
// record BROKERS TOPIC EVENTS SEED [USERS] [SPAN_SECONDS]: writes a topic of purchase events, the
// same bytes for the same arguments, and prints their number and mean size as JSON. Event n goes to
// partition n mod 8; inside a partition times are out of order by less than four seconds. A closing
// record in each partition, an hour behind, lets every window fire. One thread.
#include <librdkafka/rdkafka.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <string_view>

namespace {

constexpr int kPartitions = 8;
constexpr int64_t kStartMs = 1'767'571'200'000;  // 2026-01-05 00:00:00 UTC
constexpr int64_t kDisorderMs = 4000;
constexpr int64_t kClosingAfterMs = 3'600'000;
constexpr int kProducts = 500;

// SplitMix64: event n is a function of the seed and n alone.
class Random {
 public:
  Random(uint64_t seed, uint64_t n) : state_(seed ^ (n * 0xd1342543de82ef95ull)) { Next(); }
  uint64_t Next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
  }
  uint64_t Below(uint64_t n) {
    return static_cast<uint64_t>((static_cast<unsigned __int128>(Next()) * n) >> 64);
  }

 private:
  uint64_t state_;
};

struct Shape {
  uint64_t events = 0;
  uint64_t seed = 0;
  uint64_t users = 1000;
  int64_t span_ms = 3'600'000;
};

void AppendPadded(uint64_t value, size_t width, std::string* out) {
  std::string digits = std::to_string(value);
  out->append(width > digits.size() ? width - digits.size() : 0, '0');
  *out += digits;
}

void AppendTime(int64_t ms, std::string* out) {
  static int64_t cached_second = -1;
  static std::array<char, 32> text;
  int64_t second = ms / 1000;
  if (second != cached_second) {
    std::time_t t = second;
    std::tm tm{};
    gmtime_r(&t, &tm);
    std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S.", &tm);
    cached_second = second;
  }
  *out += text.data();
  AppendPadded(static_cast<uint64_t>(ms % 1000), 3, out);
}

void AppendHex(uint64_t value, std::string* out) {
  for (int shift = 60; shift >= 0; shift -= 4) {
    out->push_back("0123456789abcdef"[(value >> shift) & 15]);
  }
}

// What a web shop logs beside the five fields the queries read.
void AppendRest(Random* random, std::string* out) {
  static constexpr std::string_view kPages[] = {"/checkout/confirm", "/product/detail",
                                                "/category/garden", "/search"};
  *out += R"(","session_id":")";
  AppendHex(random->Next(), out);
  AppendHex(random->Next(), out);
  *out += R"(","page":")";
  *out += kPages[random->Below(4)];
  *out += R"(","user_agent":"Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101","ip":"10.)";
  *out += std::to_string(random->Below(256)) + "." + std::to_string(random->Below(256)) + ".7";
  *out += R"(","currency":"EUR","ab_test":)";
  *out += random->Below(2) == 0 ? "true}" : "false}";
}

void AppendEvent(const Shape& shape, uint64_t n, std::string* out) {
  static constexpr std::string_view kTypes[] = {"purchase", "purchase",   "purchase", "purchase",
                                                "purchase", "view",       "view",     "view",
                                                "click",    "add_to_cart"};
  Random random(shape.seed, n);
  int64_t base =
      kStartMs + static_cast<int64_t>(n) * shape.span_ms / static_cast<int64_t>(shape.events);
  int64_t ms = base - static_cast<int64_t>(random.Below(kDisorderMs));
  uint64_t cents = 1 + random.Below(99'999);
  *out += R"({"user_id":"user-)";
  AppendPadded(random.Below(shape.users), 5, out);
  *out += R"(","event_type":")";
  *out += kTypes[random.Below(10)];
  *out += R"(","product_id":"product-)";
  AppendPadded(random.Below(kProducts), 4, out);
  *out += R"(","amount":)" + std::to_string(cents / 100) + ".";
  AppendPadded(cents % 100, 2, out);
  *out += R"(,"event_time":")";
  AppendTime(ms, out);
  AppendRest(&random, out);
}

std::string Closing(const Shape& shape) {
  std::string out =
      R"({"user_id":"closing","event_type":"close","product_id":"none","amount":0.00,"event_time":")";
  AppendTime(kStartMs + shape.span_ms + kClosingAfterMs, &out);
  return out + "\"}";
}

[[noreturn]] void Die(const char* doing, const char* why) {
  std::fprintf(stderr, "record: %s: %s\n", doing, why);
  std::exit(1);
}

class Writer {
 public:
  Writer(const char* brokers, const char* topic) {
    char error[512];
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    const std::pair<const char*, const char*> settings[] = {
        {"bootstrap.servers", brokers},
        {"enable.idempotence", "true"},
        {"linger.ms", "50"},
        {"batch.size", "1000000"},
        {"batch.num.messages", "10000"},
        {"queue.buffering.max.messages", "1000000"},
        {"queue.buffering.max.kbytes", "262144"}};
    for (const auto& [name, value] : settings) {
      if (rd_kafka_conf_set(conf, name, value, error, sizeof error) != RD_KAFKA_CONF_OK) {
        Die(name, error);
      }
    }
    rd_kafka_conf_set_dr_msg_cb(conf, [](rd_kafka_t*, const rd_kafka_message_t* m, void*) {
      if (m->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        Die("write", rd_kafka_err2str(m->err));
      }
    });
    client_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof error);
    if (client_ == nullptr) {
      Die("connect", error);
    }
    topic_ = rd_kafka_topic_new(client_, topic, nullptr);
  }

  void Write(int partition, const std::string& value) {
    // librdkafka copies the payload; a full queue is waited for.
    while (rd_kafka_produce(topic_, partition, RD_KAFKA_MSG_F_COPY, const_cast<char*>(value.data()),
                            value.size(), nullptr, 0, nullptr) != 0) {
      if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
        Die("write", rd_kafka_err2str(rd_kafka_last_error()));
      }
      rd_kafka_poll(client_, 50);
    }
    rd_kafka_poll(client_, 0);
  }

  void Finish() {
    if (rd_kafka_flush(client_, 120'000) != RD_KAFKA_RESP_ERR_NO_ERROR) {
      Die("flush", "not everything was written in 120 s");
    }
    rd_kafka_topic_destroy(topic_);
    rd_kafka_destroy(client_);
  }

 private:
  rd_kafka_t* client_ = nullptr;
  rd_kafka_topic_t* topic_ = nullptr;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) {
    std::fprintf(stderr, "record BROKERS TOPIC EVENTS SEED [USERS] [SPAN_SECONDS]\n");
    return 2;
  }
  Shape shape;
  shape.events = std::strtoull(argv[3], nullptr, 10);
  shape.seed = std::strtoull(argv[4], nullptr, 10);
  shape.users = argc > 5 ? std::strtoull(argv[5], nullptr, 10) : shape.users;
  shape.span_ms = argc > 6 ? std::strtoll(argv[6], nullptr, 10) * 1000 : shape.span_ms;
  if (shape.events == 0 || shape.users == 0 || shape.span_ms <= 0) {
    std::fprintf(stderr, "record: events, users and span must be numbers above 0\n");
    return 2;
  }
  Writer writer(argv[1], argv[2]);
  std::string value;
  uint64_t bytes = 0;
  for (uint64_t n = 0; n < shape.events; ++n) {
    value.clear();
    AppendEvent(shape, n, &value);
    bytes += value.size();
    writer.Write(static_cast<int>(n % kPartitions), value);
  }
  for (int partition = 0; partition < kPartitions; ++partition) {
    writer.Write(partition, Closing(shape));
  }
  writer.Finish();
  std::printf("{\"events\": %llu, \"mean_bytes\": %.1f}\n",
              static_cast<unsigned long long>(shape.events),
              static_cast<double>(bytes) / static_cast<double>(shape.events));
  return 0;
}
