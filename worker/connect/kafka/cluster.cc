// SPDX-License-Identifier: Apache-2.0
// The allow list of client properties and the reading of mounted secrets.
#include "worker/connect/kafka/cluster.h"

#include <fmt/core.h>
#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>

#include "api/base/log.h"
#include "worker/connect/options.h"

namespace sj::worker::connect::kafka {
namespace {

constexpr std::string_view kPrefix = "properties.";
constexpr size_t kSecretFileBytesMax = 256u << 10;
constexpr int kScramFixedVersion = 0x020601ff;

constexpr PropertyRule kRules[] = {
    {"bootstrap.servers", "", PropertyUse::kClient, 0, 0, ""},
    {"group.id", "", PropertyUse::kConsumer, 0, 0, ""},
    {"auto.offset.reset", "", PropertyUse::kConsumer, 0, 0, "earliest|latest|none"},
    {"enable.auto.commit", "", PropertyUse::kConsumer, 0, 0, "false|true"},
    {"isolation.level", "", PropertyUse::kConsumer, 0, 0, "read_committed"},
    {"acks", "", PropertyUse::kProducer, 0, 0, "all|-1"},
    {"enable.idempotence", "", PropertyUse::kProducer, 0, 0, "true"},
    {"security.protocol", "security.protocol", PropertyUse::kClient, 0, 0,
     "PLAINTEXT|SSL|SASL_PLAINTEXT|SASL_SSL"},
    {"sasl.mechanism", "sasl.mechanism", PropertyUse::kClient, 0, 0,
     "PLAIN|SCRAM-SHA-256|SCRAM-SHA-512"},
    {"client.id", "client.id", PropertyUse::kClient, 0, 0, ""},
    {"client.rack", "client.rack", PropertyUse::kConsumer, 0, 0, ""},
    {"metadata.max.age.ms", "topic.metadata.refresh.interval.ms", PropertyUse::kClient, 1000,
     3'600'000, ""},
    {"connections.max.idle.ms", "connections.max.idle.ms", PropertyUse::kClient, 0, 86'400'000, ""},
    {"reconnect.backoff.ms", "reconnect.backoff.ms", PropertyUse::kClient, 0, 60'000, ""},
    {"reconnect.backoff.max.ms", "reconnect.backoff.max.ms", PropertyUse::kClient, 0, 60'000, ""},
    {"fetch.min.bytes", "fetch.min.bytes", PropertyUse::kConsumer, 1, 16'777'216, ""},
    {"fetch.max.wait.ms", "fetch.wait.max.ms", PropertyUse::kConsumer, 0, 5000, ""},
    {"max.partition.fetch.bytes", "fetch.message.max.bytes", PropertyUse::kConsumer, 65'536,
     16'777'216, ""},
    {"compression.type", "compression.codec", PropertyUse::kProducer, 0, 0,
     "none|gzip|snappy|lz4|zstd"},
    {"linger.ms", "linger.ms", PropertyUse::kProducer, 0, 1000, ""},
    {"batch.size", "batch.size", PropertyUse::kProducer, 16'384, 16'777'216, ""},
    {"max.request.size", "message.max.bytes", PropertyUse::kProducer, 65'536, 16'777'216, ""},
    {"transaction.timeout.ms", "transaction.timeout.ms", PropertyUse::kProducer, 10'000, 900'000,
     ""},
};

const PropertyRule* FindRule(std::string_view name) {
  // librdkafka's own names of the same settings are accepted too.
  if (name == "sasl.mechanisms") {
    name = "sasl.mechanism";
  }
  for (const PropertyRule& rule : kRules) {
    if (rule.name == name || (!rule.library.empty() && rule.library == name)) {
      return &rule;
    }
  }
  return nullptr;
}

std::string RefusalOf(std::string_view name) {
  if (name.find("jaas") != std::string_view::npos ||
      name.find("password") != std::string_view::npos || name == "sasl.username" ||
      name.find("keystore") != std::string_view::npos ||
      name.find("truststore") != std::string_view::npos || name.starts_with("ssl.")) {
    return "is refused: SQL holds no credentials. Put them into a Secret and name it in"
           " spec.connections; the secret's files are username, password, ca.crt, tls.crt, "
           "tls.key.";
  }
  return "is not on the list of client properties a job may set. See docs/reference/connectors.md.";
}

bool InRange(const PropertyRule& rule, std::string_view value) {
  int64_t number = 0;
  auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  return error == std::errc() && end == value.data() + value.size() && number >= rule.min &&
         number <= rule.max;
}

bool IsChoice(std::string_view choices, std::string_view value) {
  while (!choices.empty()) {
    size_t bar = choices.find('|');
    if (choices.substr(0, bar) == value) {
      return true;
    }
    choices.remove_prefix(bar == std::string_view::npos ? choices.size() : bar + 1);
  }
  return false;
}

// What is wrong with the property, or nothing. On success it is added to *cluster.
std::optional<std::string> Apply(std::string_view name, std::string_view value, Cluster* cluster) {
  const PropertyRule* rule = FindRule(name);
  if (rule == nullptr) {
    return RefusalOf(name);
  }
  if (rule->max != 0 && !InRange(*rule, value)) {
    return fmt::format("\"{}\" is not a whole number from {} to {}", value, rule->min, rule->max);
  }
  if (!rule->choices.empty() && !IsChoice(rule->choices, value)) {
    return fmt::format("\"{}\" is refused; allowed: {}", value, rule->choices);
  }
  if (rule->max == 0 && (value.size() > 1000 || value.find('\n') != std::string_view::npos)) {
    return "the value is too long or has a line break";
  }
  if (rule->name == "bootstrap.servers") {
    cluster->bootstrap_servers = value;
  } else if (rule->name == "group.id") {
    cluster->group_id = value;
  } else if (rule->name == "auto.offset.reset") {
    cluster->offset_reset = value;
  } else if (!rule->library.empty()) {
    Properties* into = rule->use == PropertyUse::kConsumer   ? &cluster->consumer
                       : rule->use == PropertyUse::kProducer ? &cluster->producer
                                                             : &cluster->client;
    into->emplace_back(rule->library, value);
  }
  return std::nullopt;
}

// Addresses that give cloud credentials to whoever asks.
bool IsMetadataAddress(std::string_view servers) {
  return servers.find("169.254.") != std::string_view::npos ||
         servers.find("fd00:ec2::254") != std::string_view::npos ||
         servers.find("metadata.google.internal") != std::string_view::npos;
}

base::Result<const KafkaConnection*> FindConnection(const types::TableSpec& table,
                                                    const ConnectContext& context) {
  std::optional<std::string_view> name = table.Option("connection");
  if (!name.has_value()) {
    bool alone = context.connections.size() == 1;
    bool own = table.Option("properties.bootstrap.servers").has_value();
    return alone && !own ? &context.connections.front() : nullptr;
  }
  for (const KafkaConnection& connection : context.connections) {
    if (connection.name == *name) {
      return &connection;
    }
  }
  return OptionError(table, "connection",
                     fmt::format("the job has no connection named \"{}\". Add it to"
                                 " spec.connections.",
                                 *name));
}

base::Result<std::optional<std::string>> ReadSecret(const std::string& directory,
                                                    std::string_view file) {
  std::string path = fmt::format("{}/{}", directory, file);
  std::error_code error;
  uintmax_t bytes = std::filesystem::file_size(path, error);
  if (error) {
    return std::optional<std::string>();
  }
  if (bytes > kSecretFileBytesMax) {
    return base::InvalidArgument(fmt::format("read secret file \"{}\": it is too large", path));
  }
  std::ifstream in(path, std::ios::binary);
  std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  if (!in) {
    return base::Unavailable(fmt::format("read secret file \"{}\": it cannot be read", path));
  }
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) {
    text.pop_back();
  }
  return std::optional<std::string>(std::move(text));
}

std::string_view Lookup(const Properties& properties, std::string_view key) {
  for (const auto& [name, value] : properties) {
    if (name == key) {
      return value;
    }
  }
  return {};
}

}  // namespace

std::span<const PropertyRule> PropertyRules() {
  return kRules;
}

base::Result<Cluster> ResolveCluster(const types::TableSpec& table, const ConnectContext& context) {
  Cluster cluster;
  SJ_ASSIGN_OR_RETURN(const KafkaConnection* connection, FindConnection(table, context));
  if (connection != nullptr) {
    cluster.connection = connection->name;
    cluster.bootstrap_servers = connection->bootstrap_servers;
    cluster.secret_directory = connection->secret_directory;
    for (const auto& [name, value] : connection->properties) {
      if (auto wrong = Apply(name, value, &cluster)) {
        return base::InvalidArgument(
            fmt::format("connection \"{}\": property \"{}\": {}", connection->name, name, *wrong));
      }
    }
  }
  for (const types::TableOption& option : table.options) {
    if (!option.key.starts_with(kPrefix)) {
      continue;
    }
    std::string_view name = std::string_view(option.key).substr(kPrefix.size());
    if (connection != nullptr &&
        (name == "bootstrap.servers" || name == "security.protocol" || name == "sasl.mechanism")) {
      return OptionError(table, option.key,
                         fmt::format("is set by connection \"{}\" and cannot be set here as well",
                                     connection->name));
    }
    if (auto wrong = Apply(name, option.value, &cluster)) {
      return OptionError(table, option.key, *wrong);
    }
  }
  if (cluster.bootstrap_servers.empty()) {
    return TableError(table,
                      "which Kafka cluster is not said. Set 'connection' to a name of"
                      " spec.connections, or 'properties.bootstrap.servers'.");
  }
  if (IsMetadataAddress(cluster.bootstrap_servers)) {
    return TableError(table, "the bootstrap server is a cloud metadata address, which is refused");
  }
  SJ_RETURN_IF_ERROR(CheckMechanism(Lookup(cluster.client, "sasl.mechanism"), rd_kafka_version()));
  return cluster;
}

base::Status CheckMechanism(std::string_view mechanism, int library_version) {
  if (mechanism.starts_with("SCRAM") && library_version < kScramFixedVersion) {
    return base::InvalidArgument(fmt::format(
        "sasl.mechanism \"{}\": this worker's Kafka library is version {}.{}.{}, which cannot log "
        "in"
        " by SCRAM to current brokers (2.6.1 or newer is needed). Use PLAIN over TLS, or mutual"
        " TLS.",
        mechanism, (library_version >> 24) & 0xff, (library_version >> 16) & 0xff,
        (library_version >> 8) & 0xff));
  }
  return base::OkStatus();
}

base::Result<Properties> SecretProperties(const Cluster& cluster) {
  Properties out;
  std::string_view protocol = Lookup(cluster.client, "security.protocol");
  if (cluster.secret_directory.empty()) {
    if (protocol.starts_with("SASL")) {
      return base::InvalidArgument(fmt::format(
          "security.protocol \"{}\" needs a connection with a secret (username, password)",
          protocol));
    }
    return out;
  }
  const std::string& directory = cluster.secret_directory;
  SJ_ASSIGN_OR_RETURN(std::optional<std::string> user, ReadSecret(directory, "username"));
  SJ_ASSIGN_OR_RETURN(std::optional<std::string> password, ReadSecret(directory, "password"));
  SJ_ASSIGN_OR_RETURN(std::optional<std::string> ca, ReadSecret(directory, "ca.crt"));
  SJ_ASSIGN_OR_RETURN(std::optional<std::string> certificate, ReadSecret(directory, "tls.crt"));
  SJ_ASSIGN_OR_RETURN(std::optional<std::string> key, ReadSecret(directory, "tls.key"));
  if (user.has_value() != password.has_value() || certificate.has_value() != key.has_value()) {
    return base::InvalidArgument(
        fmt::format("secret of connection \"{}\": username and password, and tls.crt and tls.key, "
                    "come in pairs",
                    cluster.connection));
  }
  if (protocol.empty()) {
    bool tls = ca.has_value() || certificate.has_value();
    // Credentials never travel in the clear unless the connection says so.
    std::string chosen = user.has_value() ? "SASL_SSL" : tls ? "SSL" : "PLAINTEXT";
    out.emplace_back("security.protocol", chosen);
  }
  if (user.has_value()) {
    if (Lookup(cluster.client, "sasl.mechanism").empty()) {
      out.emplace_back("sasl.mechanism", "PLAIN");
    }
    out.emplace_back("sasl.username", *user);
    out.emplace_back("sasl.password", *password);
  }
  if (ca.has_value()) {
    out.emplace_back("ssl.ca.location", directory + "/ca.crt");
  }
  if (certificate.has_value()) {
    out.emplace_back("ssl.certificate.location", directory + "/tls.crt");
    out.emplace_back("ssl.key.location", directory + "/tls.key");
  }
  return out;
}

}  // namespace sj::worker::connect::kafka
