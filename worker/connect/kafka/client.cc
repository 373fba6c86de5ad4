// SPDX-License-Identifier: Apache-2.0
// Making of librdkafka clients: our fixed settings by role, callbacks, log lines at a bounded rate.
#include "worker/connect/kafka/client.h"

#include <fmt/core.h>

#include <algorithm>

#include "api/base/log.h"
#include "api/base/watchdog.h"
#include "worker/connect/kafka/broker_socket.h"
#include "worker/connect/kafka/errors.h"

namespace sj::worker::connect::kafka {
namespace {

constexpr int16_t kApiKeyEndTxn = 26;
constexpr std::chrono::seconds kLogEvery{10};
constexpr std::chrono::seconds kLoginFailureAgeMax{30};

// Settings of ours that no user may change. Unknown ones are an error: the tested library knows
// all of them.
Properties RoleProperties(Role role) {
  Properties all = {{"log.connection.close", "false"},
                    {"reconnect.backoff.max.ms", "1000"},
                    {"socket.connection.setup.timeout.ms", "10000"},
                    {"socket.nagle.disable", "true"},
                    {"socket.keepalive.enable", "true"}};
  if (role == Role::kTransactional) {
    // retry.backoff.ms: the next transaction meets CONCURRENT_TRANSACTIONS while the markers of
    // the last one are written, and would wait 100 ms by default.
    all.insert(all.end(), {{"retry.backoff.ms", "5"},
                           {"linger.ms", "5"},
                           {"compression.codec", "lz4"},
                           {"partitioner", "murmur2_random"},
                           // A message costs the library about 200 bytes beside its own.
                           {"queue.buffering.max.messages", "100000"},
                           {"queue.buffering.max.kbytes", "32768"}});
    return all;
  }
  all.insert(all.end(), {{"enable.auto.commit", "false"},
                         {"enable.auto.offset.store", "false"},
                         {"auto.offset.reset", "error"},
                         {"isolation.level", "read_committed"},
                         {"check.crcs", "true"},
                         {"allow.auto.create.topics", "false"}});
  if (role == Role::kReader) {
    all.insert(all.end(), {{"enable.partition.eof", "true"}, {"fetch.wait.max.ms", "50"}});
  }
  return all;
}

}  // namespace

int Deadline::Slice(milliseconds slice) const {
  auto left =
      std::chrono::duration_cast<milliseconds>(end_ - std::chrono::steady_clock::now()).count();
  return static_cast<int>(std::clamp<int64_t>(left, 1, slice.count()));
}

Client::~Client() {
  // Waits for the library's threads, and with them for a name look-up that is under way.
  base::WatchedCall watched("end a kafka client");
  rk_.reset();
}

base::Result<ConfHandle> Client::MakeConf(const Cluster& cluster, Role role,
                                          const Properties& extra) {
  ConfHandle conf(rd_kafka_conf_new());
  char error[512];
  SJ_ASSIGN_OR_RETURN(Properties secret, SecretProperties(cluster));
  const Properties own = RoleProperties(role);
  const Properties& user = role == Role::kTransactional ? cluster.producer : cluster.consumer;
  for (const Properties* properties :
       std::initializer_list<const Properties*>{&own, &cluster.client, &user, &secret, &extra}) {
    for (const auto& [name, value] : *properties) {
      if (rd_kafka_conf_set(conf.get(), name.c_str(), value.c_str(), error, sizeof error) !=
          RD_KAFKA_CONF_OK) {
        // The library's text may repeat the value, which may be a secret.
        bool hidden = properties == &secret;
        return base::InvalidArgument(fmt::format("Kafka client property \"{}\" is not accepted{}{}",
                                                 name, hidden ? "" : ": ", hidden ? "" : error));
      }
    }
  }
  if (rd_kafka_conf_set(conf.get(), "bootstrap.servers", cluster.bootstrap_servers.c_str(), error,
                        sizeof error) != RD_KAFKA_CONF_OK) {
    return base::InvalidArgument(fmt::format("Kafka bootstrap servers: {}", error));
  }
  // Newer libraries wait a second before they fetch again once the prefetch queue was full.
  rd_kafka_conf_set(conf.get(), "fetch.queue.backoff.ms", "5", error, sizeof error);
  rd_kafka_conf_set_socket_cb(conf.get(), &OpenBrokerSocket);
  rd_kafka_conf_set_opaque(conf.get(), this);
  rd_kafka_conf_set_error_cb(conf.get(), &Client::OnError);
  rd_kafka_conf_set_log_cb(conf.get(), &Client::OnLog);
  if (role == Role::kTransactional) {
    // With a delivery callback flush returns at once instead of in steps of 10 ms.
    rd_kafka_conf_set_dr_msg_cb(conf.get(), &Client::OnDelivery);
    rd_kafka_conf_interceptor_add_on_new(conf.get(), "streamjob", &Client::OnNew, this);
  }
  return conf;
}

base::Result<std::unique_ptr<Client>> Client::Make(const Cluster& cluster, Role role,
                                                   const Properties& extra) {
  std::unique_ptr<Client> client(new Client());
  SJ_ASSIGN_OR_RETURN(ConfHandle conf, client->MakeConf(cluster, role, extra));
  char error[512];
  rd_kafka_type_t type = role == Role::kTransactional ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER;
  rd_kafka_t* rk = rd_kafka_new(type, conf.get(), error, sizeof error);
  if (rk == nullptr) {
    return base::InvalidArgument(fmt::format("make a Kafka client: {}", error));
  }
  static_cast<void>(conf.release());  // owned by rk since rd_kafka_new succeeded
  client->rk_.reset(rk);
  return client;
}

void Client::OnError(rd_kafka_t*, int err, const char* reason, void* opaque) {
  auto* self = static_cast<Client*>(opaque);
  auto code = static_cast<rd_kafka_resp_err_t>(err);
  std::lock_guard lock(self->mu_);
  // A TLS connection also fails when a broker stops; only a certificate is a matter of settings.
  bool login = IsAuthorization(code) || code == RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM ||
               (code == RD_KAFKA_RESP_ERR__SSL &&
                std::string_view(reason).find("certificate") != std::string_view::npos);
  auto now = std::chrono::steady_clock::now();
  if (login) {
    self->login_code_ = code;
    self->login_text_ = reason;
    self->login_at_ = now;
  }
  // "All brokers down" says less than the error before it.
  if (code != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN ||
      self->last_code_ == RD_KAFKA_RESP_ERR_NO_ERROR) {
    self->last_code_ = code;
    self->last_text_ = reason;
  }
  if (now - self->last_log_ >= kLogEvery) {
    self->last_log_ = now;
    base::LogWarn("kafka client error", {{"code", rd_kafka_err2name(code)}, {"reason", reason}});
  }
}

void Client::OnLog(const rd_kafka_t*, int level, const char* facility, const char* text) {
  // Errors reach us by OnError as well; here only what is critical, and debugging on demand.
  constexpr int kSyslogCritical = 2;
  if (level <= kSyslogCritical) {
    base::LogError("kafka client", {{"facility", facility}, {"text", text}});
  } else {
    base::LogDebug("kafka client", {{"facility", facility}, {"text", text}});
  }
}

void Client::OnDelivery(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
  if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
    return;
  }
  auto* self = static_cast<Client*>(opaque);
  if (self->delivery_failed_.exchange(true)) {
    return;
  }
  const char* topic = message->rkt == nullptr ? "" : rd_kafka_topic_name(message->rkt);
  std::lock_guard lock(self->mu_);
  self->delivery_ = FromCode(message->err, fmt::format("write to topic \"{}\" partition {}", topic,
                                                       static_cast<int>(message->partition)));
}

rd_kafka_resp_err_t Client::OnNew(rd_kafka_t* rk, const rd_kafka_conf_t*, void* opaque, char*,
                                  size_t) {
  return rd_kafka_interceptor_add_on_request_sent(rk, "streamjob", &Client::OnRequestSent, opaque);
}

rd_kafka_resp_err_t Client::OnRequestSent(rd_kafka_t*, int, const char*, int32_t, int16_t api_key,
                                          int16_t, int32_t, size_t, void* opaque) {
  if (api_key == kApiKeyEndTxn) {
    static_cast<Client*>(opaque)->end_txn_sent_.fetch_add(1, std::memory_order_relaxed);
  }
  return RD_KAFKA_RESP_ERR_NO_ERROR;
}

base::Status Client::LoginFailure() const {
  std::lock_guard lock(mu_);
  if (login_code_ == RD_KAFKA_RESP_ERR_NO_ERROR ||
      std::chrono::steady_clock::now() - login_at_ > kLoginFailureAgeMax) {
    return base::OkStatus();
  }
  base::Status status = FromCode(login_code_, "log in to Kafka", login_text_);
  return base::InvalidArgument(status.message());
}

base::Status Client::Explain(rd_kafka_resp_err_t code, std::string_view doing,
                             std::string_view detail) const {
  bool waiting =
      code == RD_KAFKA_RESP_ERR__TIMED_OUT || code == RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE ||
      code == RD_KAFKA_RESP_ERR__TRANSPORT || code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN ||
      code == RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT;
  if (!waiting) {
    return FromCode(code, doing, detail);
  }
  base::Status login = LoginFailure();
  if (!login.ok()) {
    return std::move(login).WithContext(doing);
  }
  std::lock_guard lock(mu_);
  if (last_code_ == RD_KAFKA_RESP_ERR_NO_ERROR) {
    return FromCode(code, doing, detail);
  }
  return FromCode(last_code_, doing, last_text_);
}

base::Status Client::DeliveryFailure() const {
  if (!delivery_failed_.load(std::memory_order_relaxed)) {
    return base::OkStatus();
  }
  std::lock_guard lock(mu_);
  return delivery_;
}

void Client::ClearDelivery() {
  std::lock_guard lock(mu_);
  delivery_ = base::OkStatus();
  delivery_failed_.store(false, std::memory_order_relaxed);
}

}  // namespace sj::worker::connect::kafka
