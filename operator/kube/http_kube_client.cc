// SPDX-License-Identifier: Apache-2.0
// Requests, retries and answers. State::Call is the only way out for everything but watches.
#include "operator/kube/http_kube_client.h"

#include <fmt/core.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <set>

#include "api/base/log.h"
#include "operator/kube/watch_stream.h"

namespace sj::op::kube {
namespace {

using base::HttpCancel;
using base::HttpRequest;
using base::HttpResponse;
using base::Millis;

constexpr int kListRestartsMax = 5;
constexpr int kRetryAfterSecondsMax = 3600;
constexpr size_t kMessageBytesMax = 600;

std::string_view PropagationName(DeleteOptions::Propagation propagation) {
  switch (propagation) {
    case DeleteOptions::Propagation::kForeground:
      return "Foreground";
    case DeleteOptions::Propagation::kOrphan:
      return "Orphan";
    case DeleteOptions::Propagation::kBackground:
      break;
  }
  return "Background";
}

std::string What(std::string_view verb, const Resource& resource, const ObjectKey& key) {
  if (key.name.empty()) {
    return fmt::format("{} {}", verb, resource.plural);
  }
  return fmt::format("{} {} \"{}\"", verb, resource.kind, key.ToString());
}

// Seconds of a Retry-After header; 0 without a usable one (dates are not used by API servers).
int RetryAfterSeconds(const HttpResponse& response) {
  const uint64_t seconds = VersionNumber(response.Header("Retry-After"));
  return static_cast<int>(std::min<uint64_t>(seconds, kRetryAfterSecondsMax));
}

void Prune(Json& object) {
  if (object.is_object()) {
    auto meta = object.find("metadata");
    if (meta != object.end() && meta->is_object()) {
      meta->erase("managedFields");
    }
  }
}

std::string ListQuery(const ListOptions& options, const std::string& token) {
  std::string query = fmt::format("?limit={}", options.page_items_max);
  if (!options.label_selector.empty()) {
    query += "&labelSelector=" + base::UrlEncode(options.label_selector);
  }
  if (!options.field_selector.empty()) {
    query += "&fieldSelector=" + base::UrlEncode(options.field_selector);
  }
  if (!token.empty()) {
    query += "&continue=" + base::UrlEncode(token);
  } else if (options.read == Read::kCached) {
    query += "&resourceVersion=0";
  }
  return query;
}

}  // namespace

Status StatusOfAnswer(std::string_view what, int code, std::string_view body) {
  std::string reason;
  auto parsed = base::ParseJson(body);
  if (parsed.ok()) {
    const Json* message = FindPath(*parsed, {"message"});
    if (message != nullptr && message->is_string()) {
      reason = message->get<std::string>();
    }
  }
  if (reason.empty()) {
    reason = "no message from the API server";
  }
  if (reason.size() > kMessageBytesMax) {
    reason.resize(kMessageBytesMax);
  }
  std::string text = fmt::format("{}: HTTP {}: {}", what, code, reason);
  switch (code) {
    case 404:
      return base::NotFound(std::move(text));
    case 409:
      return base::Conflict(std::move(text));
    case 410:
      return base::Exhausted(std::move(text));
    case 400:
    case 405:
    case 413:
    case 415:
    case 422:
      return base::InvalidArgument(std::move(text));
    default:
      return base::Unavailable(std::move(text));
  }
}

struct HttpKubeClient::State {
  State(std::unique_ptr<base::HttpClient> h, HttpKubeOptions o, const base::Clock& c,
        base::MetricRegistry* m)
      : http(std::move(h)), options(std::move(o)), clock(c), metrics(m) {}

  const std::unique_ptr<base::HttpClient> http;
  const HttpKubeOptions options;
  const base::Clock& clock;
  base::MetricRegistry* const metrics;

  std::mutex mu;
  std::condition_variable wake;
  bool shut_down = false;           // guarded by mu
  std::set<HttpCancel*> in_flight;  // guarded by mu

  void Count(const std::string& method, const std::string& code) {
    if (metrics != nullptr) {
      metrics
          ->AddCounter("rest_client_requests_total",
                       "Number of HTTP requests, partitioned by status code, method, and host.",
                       {{"code", code}, {"method", method}, {"host", options.host}})
          .Add();
    }
  }

  Result<HttpResponse> SendOnce(const HttpRequest& request) {
    HttpCancel cancel;
    {
      std::lock_guard lock(mu);
      if (shut_down) {
        return base::Cancelled("API client is shut down");
      }
      in_flight.insert(&cancel);
    }
    auto response = http->Send(request, &cancel);
    {
      std::lock_guard lock(mu);
      in_flight.erase(&cancel);
    }
    Count(request.method, response.ok() ? std::to_string(response->status) : "<error>");
    return response;
  }

  bool Wait(Millis time) {
    if (options.wait) {
      return options.wait(time);
    }
    std::unique_lock lock(mu);
    return !wake.wait_for(lock, time, [this] { return shut_down; });
  }

  // How long to wait before the next try, or nothing when this answer is final.
  std::optional<Millis> RetryWait(const HttpRequest& request, const Result<HttpResponse>& response,
                                  int tries) const {
    const bool read = request.method == "GET";
    const Millis backoff = options.backoff_min * (1 << std::min(tries, 10));
    if (!response.ok()) {
      const bool again = read && response.status().kind() == base::ErrorKind::kUnavailable;
      return again ? std::optional(backoff) : std::nullopt;
    }
    const int code = response->status;
    const int seconds = RetryAfterSeconds(*response);
    if (code == 429 || ((code == 503 || code == 504) && seconds > 0)) {
      return seconds > 0 ? Millis(seconds * 1000) : backoff;
    }
    return read && code >= 500 ? std::optional(backoff) : std::nullopt;
  }

  // Sends, with bounded retries, and turns every answer that is not 2xx into a Status.
  Result<HttpResponse> Call(const std::string& what, HttpRequest request) {
    const base::MonoTime end = clock.Mono() + options.call_timeout;
    request.response_bytes_max = options.answer_bytes_max;
    request.headers.emplace_back("Accept", "application/json");
    for (int tries = 0;; ++tries) {
      const auto left = std::chrono::duration_cast<Millis>(end - clock.Mono());
      request.deadline = std::max(left, Millis(1));
      auto response = SendOnce(request);
      if (response.ok() && response->status / 100 == 2) {
        return response;
      }
      const auto wait = RetryWait(request, response, tries);
      const bool again =
          wait && tries < options.retries_max && clock.Mono() + *wait < end && Wait(*wait);
      if (again) {
        continue;
      }
      if (!response.ok()) {
        return response.status().WithContext(what);
      }
      return StatusOfAnswer(what, response->status, response->body);
    }
  }

  Result<Json> CallForObject(const std::string& what, HttpRequest request) {
    SJ_ASSIGN_OR_RETURN(HttpResponse response, Call(what, std::move(request)));
    auto object = base::ParseJson(response.body, {.bytes_max = options.answer_bytes_max});
    if (!object.ok() || !object->is_object()) {
      return base::Unavailable(what + ": answer is not a JSON object");
    }
    Prune(*object);
    return object;
  }

  Result<Json> Write(std::string_view method, std::string_view content_type,
                     const std::string& what, std::string target, const Json& body) {
    HttpRequest request;
    request.method = method;
    request.target = std::move(target);
    request.headers.emplace_back("Content-Type", content_type);
    request.body = base::DumpJson(body);
    return CallForObject(what, std::move(request));
  }

  Result<std::string> ListPage(const Resource& resource, const ListOptions& options_of_list,
                               const std::string& token, ListResult& into) {
    HttpRequest request;
    request.target =
        ResourcePath(resource, options_of_list.ns, "") + ListQuery(options_of_list, token);
    SJ_ASSIGN_OR_RETURN(Json page, CallForObject(What("list", resource, {}), std::move(request)));
    auto items = page.find("items");
    if (items != page.end() && items->is_array()) {
      for (Json& item : *items) {
        if (!item.is_object()) {
          return base::Unavailable(What("list", resource, {}) + ": item is not an object");
        }
        Prune(item);
        item["apiVersion"] = ApiVersion(resource);
        item["kind"] = resource.kind;
        if (options_of_list.on_item) {
          options_of_list.on_item(std::move(item));
        } else {
          into.items.push_back(std::move(item));
        }
      }
    }
    into.resource_version = ResourceVersionOf(page);
    const Json* next = FindPath(page, {"metadata", "continue"});
    return next != nullptr && next->is_string() ? next->get<std::string>() : std::string();
  }
};

HttpKubeClient::HttpKubeClient(std::unique_ptr<base::HttpClient> http, HttpKubeOptions options,
                               const base::Clock& clock, base::MetricRegistry* metrics)
    : state_(std::make_unique<State>(std::move(http), std::move(options), clock, metrics)) {
}

HttpKubeClient::~HttpKubeClient() {
  Shutdown();
}

void HttpKubeClient::Shutdown() {
  std::lock_guard lock(state_->mu);
  state_->shut_down = true;
  for (HttpCancel* cancel : state_->in_flight) {
    cancel->Cancel();
  }
  state_->wake.notify_all();
}

Result<Json> HttpKubeClient::Get(const Resource& resource, const ObjectKey& key, Read read) {
  HttpRequest request;
  request.target = ResourcePath(resource, key.ns, key.name);
  if (read == Read::kCached) {
    request.target += "?resourceVersion=0";
  }
  return state_->CallForObject(What("get", resource, key), std::move(request));
}

Result<ListResult> HttpKubeClient::List(const Resource& resource, const ListOptions& options) {
  for (int restarts = 0;; ++restarts) {
    ListResult result;
    std::string token;
    Status status;
    do {
      auto next = state_->ListPage(resource, options, token, result);
      status = next.ok() ? Status() : next.status();
      token = next.ok() ? *next : "";
    } while (status.ok() && !token.empty());
    if (status.ok()) {
      return result;
    }
    // 410 is the only answer mapped to kExhausted without our own limit: the token has expired.
    const bool expired = status.kind() == base::ErrorKind::kExhausted &&
                         status.message().find("HTTP 410") != std::string::npos;
    if (!expired || restarts >= kListRestartsMax) {
      return status;
    }
  }
}

Result<WatchEnd> HttpKubeClient::Watch(const Resource& resource, const WatchOptions& options,
                                       const std::function<bool(WatchEvent)>& on_event,
                                       HttpCancel* cancel) {
  HttpRequest request;
  request.target = ResourcePath(resource, options.ns, "") + WatchQuery(options);
  request.headers.emplace_back("Accept", "application/json");
  request.deadline = options.silence_max;
  WatchStream stream(resource, options.send_initial_events, on_event);
  auto response = state_->http->Stream(
      request, [&stream](std::string_view line) { return stream.OnLine(line); }, cancel);
  state_->Count("GET", response.ok() ? std::to_string(response->status) : "<error>");
  if (cancel != nullptr && cancel->cancelled()) {
    return base::Cancelled(What("watch", resource, {}));
  }
  if (!response.ok() && !stream.ended()) {
    return response.status().WithContext(What("watch", resource, {}));
  }
  if (response.ok() && response->status / 100 != 2) {
    return stream.OnRefused(response->status, response->body);
  }
  return stream.Result();
}

Result<Json> HttpKubeClient::Create(const Resource& resource, const Json& object) {
  return state_->Write("POST", "application/json", What("create", resource, KeyOf(object)),
                       ResourcePath(resource, NamespaceOf(object), "") +
                           "?fieldManager=" + std::string(kFieldManager),
                       object);
}

Result<Json> HttpKubeClient::Apply(const Resource& resource, const Json& object) {
  auto applied =
      state_->Write("PATCH", "application/apply-patch+yaml", What("apply", resource, KeyOf(object)),
                    ResourcePath(resource, NamespaceOf(object), NameOf(object)) +
                        "?force=true&fieldManager=" + std::string(kFieldManager),
                    object);
  // A UID that is not the stored object's is told as an invalid change of an immutable field.
  if (!applied.ok() && applied.status().kind() == base::ErrorKind::kInvalidArgument &&
      applied.status().message().find("metadata.uid: Invalid value") != std::string::npos) {
    return base::Conflict(applied.status().message());
  }
  return applied;
}

Result<Json> HttpKubeClient::Replace(const Resource& resource, const Json& object) {
  return state_->Write("PUT", "application/json", What("replace", resource, KeyOf(object)),
                       ResourcePath(resource, NamespaceOf(object), NameOf(object)) +
                           "?fieldManager=" + std::string(kFieldManager),
                       object);
}

Result<Json> HttpKubeClient::ReplaceStatus(const Resource& resource, const ObjectKey& key,
                                           const Json& status,
                                           const ReplaceStatusOptions& options) {
  Json patch = Json::array();
  if (!options.resource_version.empty()) {
    patch.push_back({{"op", "add"},
                     {"path", "/metadata/resourceVersion"},
                     {"value", options.resource_version}});
  }
  patch.push_back({{"op", "add"}, {"path", "/status"}, {"value", status}});
  return state_->Write("PATCH", "application/json-patch+json",
                       What("update status of", resource, key),
                       ResourcePath(resource, key.ns, key.name) +
                           "/status?fieldManager=" + std::string(kFieldManager),
                       patch);
}

Result<Json> HttpKubeClient::MergePatch(const Resource& resource, const ObjectKey& key,
                                        const Json& patch) {
  return state_->Write(
      "PATCH", "application/merge-patch+json", What("patch", resource, key),
      ResourcePath(resource, key.ns, key.name) + "?fieldManager=" + std::string(kFieldManager),
      patch);
}

Status HttpKubeClient::Delete(const Resource& resource, const ObjectKey& key,
                              const DeleteOptions& options) {
  Json body = {{"apiVersion", "v1"},
               {"kind", "DeleteOptions"},
               {"propagationPolicy", PropagationName(options.propagation)}};
  if (!options.uid.empty()) {
    body["preconditions"]["uid"] = options.uid;
  }
  if (!options.resource_version.empty()) {
    body["preconditions"]["resourceVersion"] = options.resource_version;
  }
  if (options.grace_seconds) {
    body["gracePeriodSeconds"] = *options.grace_seconds;
  }
  return state_
      ->Write("DELETE", "application/json", What("delete", resource, key),
              ResourcePath(resource, key.ns, key.name), body)
      .status();
}

}  // namespace sj::op::kube
