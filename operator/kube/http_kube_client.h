// SPDX-License-Identifier: Apache-2.0
// HttpKubeClient: KubeClient over HTTP. Answers 429 (and 503, 504 with Retry-After) are tried again
// after the time the server asks for; reads are also tried again after network errors and 5xx.
// Everything, waits included, ends within call_timeout. Writes are never repeated on a network
// error: the caller reads again and decides again.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "api/base/clock.h"
#include "api/base/http_client.h"
#include "api/base/metrics.h"
#include "operator/kube/client.h"

namespace sj::op::kube {

struct HttpKubeOptions {
  base::Millis call_timeout{10'000};  // of one call with its retries
  int retries_max = 4;
  base::Millis backoff_min{100};  // doubles; used when the server names no time
  size_t answer_bytes_max = 64u << 20;
  std::string host;  // the label of rest_client_requests_total
  // Waits between tries; false: the client is shut down. Empty: a real, interruptible wait.
  std::function<bool(base::Millis)> wait;
};

// Thread-safe.
class HttpKubeClient final : public KubeClient {
 public:
  // `metrics` may be null. `clock` and `metrics` outlive the client.
  HttpKubeClient(std::unique_ptr<base::HttpClient> http, HttpKubeOptions options,
                 const base::Clock& clock, base::MetricRegistry* metrics);
  ~HttpKubeClient() override;

  Result<Json> Get(const Resource& resource, const ObjectKey& key, Read read) override;
  Result<ListResult> List(const Resource& resource, const ListOptions& options) override;
  Result<WatchEnd> Watch(const Resource& resource, const WatchOptions& options,
                         const std::function<bool(WatchEvent)>& on_event,
                         base::HttpCancel* cancel) override;
  Result<Json> Create(const Resource& resource, const Json& object) override;
  Result<Json> Apply(const Resource& resource, const Json& object) override;
  Result<Json> Replace(const Resource& resource, const Json& object) override;
  Result<Json> ReplaceStatus(const Resource& resource, const ObjectKey& key, const Json& status,
                             const ReplaceStatusOptions& options) override;
  Result<Json> MergePatch(const Resource& resource, const ObjectKey& key,
                          const Json& patch) override;
  Status Delete(const Resource& resource, const ObjectKey& key,
                const DeleteOptions& options) override;

  // Running and later calls (watches excepted: they have their own cancel) end with kCancelled.
  void Shutdown();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The Status of an HTTP error answer: kind by code (see client.h), the server's message after
// `what`, which names verb and object.
Status StatusOfAnswer(std::string_view what, int code, std::string_view body);

}  // namespace sj::op::kube
