// SPDX-License-Identifier: Apache-2.0
// What the integration tests share: a broker named by the environment, topics of their own, plain
// records, tables, and reading a source to its end. Not for products.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "worker/connect/connector.h"
#include "worker/connect/kafka/commit_log.h"

namespace sj::worker::connect::kafka::testing {

// SJ_TEST_KAFKA, or empty: then the tests are skipped.
std::string Brokers();
// A name nobody has used: "<what>-<time>-<number>".
std::string UniqueName(const std::string& what);
Cluster TestCluster();
// Aborts when it cannot.
std::string MakeTopic(const std::string& what, int partitions);
struct PlainRecord {
  int partition = 0;
  std::string value;
  int64_t timestamp_ms = -1;
};
void WritePlain(const std::string& topic, const std::vector<PlainRecord>& records);

CommitLogOptions LogOptions(const std::string& job, int ordinal = 0);

using Options = std::vector<std::pair<std::string, std::string>>;
// A table of (id BIGINT, name STRING) on the topic with these further options.
types::TableSpec Table(const std::string& topic, const Options& more);
ConnectContext Context(const std::string& job);

// What a record looked like to a read_committed reader from the start of the topic.
struct SeenRecord {
  int partition = 0;
  int64_t offset = 0;
  std::string key;
  std::string value;
  bool tombstone = false;
};
// All committed records, up to the last stable offset; aborts on any error.
std::vector<SeenRecord> ReadAll(const std::string& topic, int partitions);

}  // namespace sj::worker::connect::kafka::testing
