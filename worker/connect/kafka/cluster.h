// SPDX-License-Identifier: Apache-2.0
// Which Kafka cluster a table means and with what properties: the SQL's options, the job's named
// connections and the mounted secret become one Cluster. Properties pass an allow list by name and
// range; what could load code, read files, weaken TLS or break exactly-once is refused. Pure but
// for SecretProperties, which reads files.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/base/status.h"
#include "worker/connect/connector.h"

namespace sj::worker::connect::kafka {

using Properties = std::vector<std::pair<std::string, std::string>>;

enum class PropertyUse : uint8_t { kClient, kConsumer, kProducer };

// One property a user may set, by `properties.<name>` in SQL or in a connection of the job.
struct PropertyRule {
  std::string_view name;     // as Flink and the Java client spell it
  std::string_view library;  // librdkafka's name; empty: read or ignored by us, never passed on
  PropertyUse use = PropertyUse::kClient;
  int64_t min = 0;  // numbers: the range; max 0: a text
  int64_t max = 0;
  std::string_view choices;  // "a|b": the only values allowed; empty: any
};
std::span<const PropertyRule> PropertyRules();

struct Cluster {
  std::string connection;  // name of the job's connection, or empty
  std::string bootstrap_servers;
  std::string secret_directory;
  Properties client;
  Properties consumer;
  Properties producer;
  std::string group_id;      // properties.group.id: only read, for scan.startup.mode=group-offsets
  std::string offset_reset;  // properties.auto.offset.reset: "", "earliest", "latest", "none"

  // Two tables share a commit log only when this is equal.
  bool SameCluster(const Cluster& other) const {
    return bootstrap_servers == other.bootstrap_servers &&
           secret_directory == other.secret_directory && client == other.client;
  }
};

// Errors: kInvalidArgument with the option's position.
base::Result<Cluster> ResolveCluster(const types::TableSpec& table, const ConnectContext& context);

// Login and TLS properties of the mounted secret and their defaults. The values are secrets: never
// log them. Errors: kInvalidArgument when files contradict each other or the library cannot log in
// so.
base::Result<Properties> SecretProperties(const Cluster& cluster);

// kInvalidArgument in words for a mechanism this librdkafka version cannot use with current
// brokers.
base::Status CheckMechanism(std::string_view mechanism, int library_version);

}  // namespace sj::worker::connect::kafka
