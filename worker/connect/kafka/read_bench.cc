// SPDX-License-Identifier: Apache-2.0
// How fast one thread reads and decodes a topic of Nexmark events: read_bench BROKERS TOPIC
// [all|four]. Prints events a second and CPU microseconds an event, all client threads included.
#include <fmt/core.h>
#include <sys/resource.h>

#include <chrono>
#include <string>

#include "worker/connect/connector.h"

namespace {

using namespace sj::worker;  // a program, not a library
using types::DataType;
using types::TypeKind;

DataType Row(std::vector<std::string> names, std::vector<DataType> children) {
  DataType type = DataType::Of(TypeKind::kRow);
  type.field_names = std::move(names);
  type.children = std::move(children);
  return type;
}

types::TableSpec NexmarkTable(const std::string& brokers, const std::string& topic, bool all) {
  DataType i = DataType::Of(TypeKind::kBigint);
  DataType s = DataType::Of(TypeKind::kString);
  DataType t = DataType::Timestamp(3);
  types::TableSpec table;
  table.name = "nexmark";
  table.schema.fields = {{"event_type", DataType::Of(TypeKind::kInt)}};
  if (all) {
    table.schema.fields.push_back({"person", Row({"id", "name", "emailAddress", "creditCard",
                                                  "city", "state", "dateTime", "extra"},
                                                 {i, s, s, s, s, s, t, s})});
    table.schema.fields.push_back(
        {"auction", Row({"id", "itemName", "description", "initialBid", "reserve", "dateTime",
                         "expires", "seller", "category", "extra"},
                        {i, s, s, i, i, t, t, i, i, s})});
    table.schema.fields.push_back(
        {"bid", Row({"auction", "bidder", "price", "channel", "url", "dateTime", "extra"},
                    {i, i, i, s, s, t, s})});
  } else {
    table.schema.fields.push_back(
        {"bid", Row({"auction", "bidder", "price", "dateTime"}, {i, i, i, t})});
  }
  for (const auto& [key, value] :
       std::vector<std::pair<std::string, std::string>>{{"connector", "kafka"},
                                                        {"topic", topic},
                                                        {"properties.bootstrap.servers", brokers},
                                                        {"format", "json"},
                                                        {"scan.startup.mode", "earliest-offset"},
                                                        {"scan.bounded.mode", "latest-offset"}}) {
    table.options.push_back({.key = key, .value = value, .key_pos = {}, .value_pos = {}});
  }
  return table;
}

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

int Fail(const sj::base::Status& status) {
  fmt::print(stderr, "{}\n", status.ToString());
  return 1;
}

int Run(const std::string& brokers, const std::string& topic, bool all) {
  types::TableSpec table = NexmarkTable(brokers, topic, all);
  connect::ConnectContext context;
  context.job_id = "bench";
  auto source = connect::MakeSource(table, context);
  if (!source.ok()) {
    return Fail(source.status());
  }
  auto count = (*source)->PartitionCount();
  if (!count.ok()) {
    return Fail(count.status());
  }
  std::vector<int> partitions;
  for (int p = 0; p < *count; ++p) {
    partitions.push_back(p);
  }
  auto starts = (*source)->ResolveStart(partitions);
  if (!starts.ok()) {
    return Fail(starts.status());
  }
  std::vector<int> columns;
  for (int c = 0; c < static_cast<int>(table.schema.fields.size()); ++c) {
    columns.push_back(c);
  }
  auto reader = (*source)->OpenReader(*starts, columns, nullptr);
  if (!reader.ok()) {
    return Fail(reader.status());
  }
  auto start = std::chrono::steady_clock::now();
  double cpu = CpuSeconds();
  size_t finished = 0;
  uint64_t events = 0;
  uint64_t batches = 0;
  while (finished < partitions.size()) {
    connect::SourceBatch batch;
    auto polled = (*reader)->Poll(1024, std::chrono::milliseconds(100), 1, &batch);
    if (!polled.ok()) {
      return Fail(polled.status());
    }
    if (*polled) {
      events += batch.rows.rows;
      finished += batch.finished ? 1 : 0;
      ++batches;
    }
  }
  double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  fmt::print("events {} batches {} seconds {:.2f} events/s {:.0f} cpu us/event {:.3f}\n", events,
             batches, seconds, static_cast<double>(events) / seconds,
             (CpuSeconds() - cpu) / static_cast<double>(events) * 1e6);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    fmt::print(stderr, "read_bench BROKERS TOPIC [all|four]\n");
    return 2;
  }
  return Run(argv[1], argv[2], argc < 4 || std::string(argv[3]) == "all");
}
