// SPDX-License-Identifier: Apache-2.0
// One switch from Kafka's codes to kinds; the words are ours where the library's do not help.
#include "worker/connect/kafka/errors.h"

#include <fmt/core.h>

namespace sj::worker::connect::kafka {
namespace {

base::ErrorKind KindOf(rd_kafka_resp_err_t code) {
  if (IsFencing(code)) {
    return base::ErrorKind::kFenced;
  }
  if (IsAuthorization(code)) {
    return base::ErrorKind::kInvalidArgument;
  }
  switch (code) {
    case RD_KAFKA_RESP_ERR__INVALID_ARG:
    case RD_KAFKA_RESP_ERR_INVALID_CONFIG:
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
    case RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT:
    case RD_KAFKA_RESP_ERR_OFFSET_METADATA_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM:
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
      return base::ErrorKind::kInvalidArgument;
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
      return base::ErrorKind::kNotFound;
    case RD_KAFKA_RESP_ERR__BAD_MSG:
    case RD_KAFKA_RESP_ERR__BAD_COMPRESSION:
      return base::ErrorKind::kCorrupt;
    default:
      return base::ErrorKind::kUnavailable;
  }
}

std::string_view HintOf(rd_kafka_resp_err_t code) {
  switch (code) {
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
      return " Kafka refused the login. Check the user name, the password and sasl.mechanism of the"
             " connection.";
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
      return " The Kafka user lacks a right on this topic. Sources need Read, sinks Write, both"
             " Describe.";
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
      return " The Kafka user lacks a right on the job's consumer group. It needs Read, and Delete"
             " to remove the group with the job.";
    case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
      return " The Kafka user lacks Write and Describe on the job's transactional ids.";
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
      return " The topic or partition does not exist on this Kafka cluster. Create it, or correct"
             " the option \"topic\".";
    case RD_KAFKA_RESP_ERR__SSL:
      return " The TLS connection failed. Check ca.crt, tls.crt and tls.key of the connection's"
             " secret and security.protocol.";
    case RD_KAFKA_RESP_ERR__RESOLVE:
      return " The host name of a broker is not known. Check bootstrapServers and the brokers'"
             " advertised.listeners.";
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR__TRANSPORT:
      return " No broker can be reached.";
    case RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT:
      return " transaction.timeout.ms is above the brokers' transaction.max.timeout.ms.";
    default:
      return "";
  }
}

}  // namespace

bool IsFencing(rd_kafka_resp_err_t code) {
  return code == RD_KAFKA_RESP_ERR__FENCED || code == RD_KAFKA_RESP_ERR_PRODUCER_FENCED ||
         code == RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH;
}

bool IsAuthorization(rd_kafka_resp_err_t code) {
  switch (code) {
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
      return true;
    default:
      return false;
  }
}

base::Status FromCode(rd_kafka_resp_err_t code, std::string_view doing, std::string_view detail) {
  base::ErrorKind kind = KindOf(code);
  // A handshake that the broker refuses comes as a transport error; only its text tells.
  const bool tls = detail.find("SSL routines") != std::string_view::npos;
  std::string text =
      fmt::format("{}: {} ({}).{}", doing, detail.empty() ? rd_kafka_err2str(code) : detail,
                  rd_kafka_err2name(code), HintOf(tls ? RD_KAFKA_RESP_ERR__SSL : code));
  switch (kind) {
    case base::ErrorKind::kFenced:
      return base::Fenced(std::move(text));
    case base::ErrorKind::kInvalidArgument:
      return base::InvalidArgument(std::move(text));
    case base::ErrorKind::kNotFound:
      return base::NotFound(std::move(text));
    case base::ErrorKind::kCorrupt:
      return base::Corrupt(std::move(text));
    default:
      return base::Unavailable(std::move(text));
  }
}

}  // namespace sj::worker::connect::kafka
