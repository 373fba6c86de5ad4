// SPDX-License-Identifier: Apache-2.0
// See control_service.h. Life of a request: path and size, leader?, token (cache or queue),
// message, does the token speak for that worker?, registry.
#include "operator/reconcile/control_service.h"

#include <fmt/format.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "api/base/log.h"
#include "api/control/headers.h"
#include "api/v1alpha1/stream_job_json.h"
#include "operator/resources/names.h"
#include "operator/resources/object.h"

namespace sj::op::reconcile {
namespace {

using base::Result;
using base::ServerRequest;
using base::ServerResponse;
using base::Status;

constexpr std::string_view kBearer = "Bearer ";
constexpr size_t kTokenBytesMax = 16u << 10;

ServerResponse JsonResponse(std::string body) {
  return {200, "application/json", std::move(body), {}};
}

ServerResponse ErrorResponse(int status, std::string_view reason, std::string_view message) {
  const base::Json body = {{"reason", reason}, {"message", message}};
  ServerResponse response{status, "application/json", base::DumpJson(body), {}};
  if (status == 503) {
    response.headers.emplace_back("Retry-After", "1");
  }
  return response;
}

ServerResponse NotLeader() {
  ServerResponse response =
      ErrorResponse(503, "NotLeader", "this replica does not lead; connect again");
  response.headers.emplace_back(control::kLeaderHeader, "no");
  response.headers.emplace_back("Connection", "close");
  return response;
}

ServerResponse FromStatus(const Status& status) {
  switch (status.kind()) {
    case base::ErrorKind::kInvalidArgument:
      return ErrorResponse(400, "Invalid", status.message());
    case base::ErrorKind::kNotFound:
      return ErrorResponse(404, "JobGone", status.message());
    case base::ErrorKind::kConflict:
      return ErrorResponse(409, "Superseded", status.message());
    default:
      return ErrorResponse(503, "NotReady", status.message());
  }
}

std::string_view BearerToken(const ServerRequest& request) {
  std::string_view header = request.Header("Authorization");
  if (!header.starts_with(kBearer) || header.size() > kTokenBytesMax) {
    return {};
  }
  return header.substr(kBearer.size());
}

// The token is of a worker pod of that job; with ordinal >= 0 of that very pod.
bool SpeaksFor(const kube::TokenIdentity& identity, const control::JobRef& job, int ordinal) {
  const std::string worker = resources::WorkerName(job.name);
  if (identity.ns != job.namespace_name || identity.service_account != worker) {
    return false;
  }
  if (ordinal >= 0) {
    return identity.pod_name == resources::PodName(job.name, ordinal);
  }
  return identity.pod_name.starts_with(worker + "-") &&
         resources::OrdinalOf(identity.pod_name) >= 0;
}

ServerResponse Forbidden() {
  return ErrorResponse(403, "Forbidden", "the token is not one of that worker's pod");
}

}  // namespace

struct ControlService::State {
  struct Task {
    ServerRequest request;
    Answer answer;
    std::function<bool()> gone;
  };

  ControlOptions options;
  kube::KubeClient& client;
  WorkerRegistry& registry;
  std::function<bool()> is_leader;
  TokenCache tokens;
  base::MetricRegistry* metrics;

  std::mutex mu;
  std::condition_variable more;     // tasks, for one of the threads that take them
  std::condition_variable stopped;  // for the thread that ticks
  // Guarded by mu:
  std::deque<Task> queue;
  bool stopping = false;

  std::vector<std::thread> threads;  // owned by Start and Stop

  void Count(std::string_view path, int status) const;
  void Enqueue(Task task);
  bool RunOne(bool wait);
  void RunTicks();
  void Process(const Task& task);
  void Dispatch(const Task& task, const kube::TokenIdentity& identity);
  void Register(const Task& task, const kube::TokenIdentity& identity);
  void Heartbeat(const Task& task, const kube::TokenIdentity& identity);
  void Generation(const Task& task, const kube::TokenIdentity& identity);
  void Reply(const Task& task, ServerResponse response) const;
};

void ControlService::State::Count(std::string_view path, int status) const {
  if (metrics == nullptr) {
    return;
  }
  const bool known = path == control::kRegisterPath || path == control::kHeartbeatPath ||
                     path == control::kGenerationPath;
  metrics
      ->AddCounter(
          "streamjob_operator_control_requests_total", "Requests of the control endpoint.",
          {{"path", known ? std::string(path) : "other"}, {"code", std::to_string(status)}})
      .Add();
}

void ControlService::State::Reply(const Task& task, ServerResponse response) const {
  Count(task.request.path, response.status);
  task.answer(std::move(response));
}

void ControlService::State::Enqueue(Task task) {
  {
    std::lock_guard lock(mu);
    if (!stopping && queue.size() < options.queue_max) {
      queue.push_back(std::move(task));
      more.notify_one();
      return;
    }
  }
  Reply(task, ErrorResponse(503, "Busy", "too many requests are waiting"));
}

bool ControlService::State::RunOne(bool wait) {
  Task task;
  {
    std::unique_lock lock(mu);
    if (wait) {
      more.wait(lock, [this] { return stopping || !queue.empty(); });
    }
    if (queue.empty() || stopping) {
      return false;
    }
    task = std::move(queue.front());
    queue.pop_front();
  }
  if (!task.gone || !task.gone()) {
    Process(task);
  }
  return true;
}

void ControlService::State::RunTicks() {
  std::unique_lock lock(mu);
  while (!stopping) {
    stopped.wait_for(lock, options.tick);
    lock.unlock();
    registry.Tick();
    lock.lock();
  }
}

// On a thread that may block: asks the API server about the token when the cache does not know it.
void ControlService::State::Process(const Task& task) {
  const std::string_view token = BearerToken(task.request);
  std::optional<kube::TokenIdentity> identity = tokens.Find(token);
  if (!identity) {
    Result<kube::TokenIdentity> review = kube::ReviewToken(client, token, control::kTokenAudience);
    if (!review.ok()) {
      Reply(task, ErrorResponse(503, "TokenReviewFailed", review.status().message()));
      return;
    }
    identity = *std::move(review);
    tokens.Put(token, *identity);
  }
  Dispatch(task, *identity);
}

void ControlService::State::Dispatch(const Task& task, const kube::TokenIdentity& identity) {
  if (!identity.authenticated) {
    // Another replica may know the token still: that of a service account that has just been
    // deleted with its namespace. The next try is to find one.
    ServerResponse response = ErrorResponse(401, "Unauthenticated", identity.error);
    response.headers.emplace_back("Connection", "close");
    Reply(task, std::move(response));
    return;
  }
  if (task.request.path == control::kRegisterPath) {
    Register(task, identity);
  } else if (task.request.path == control::kHeartbeatPath) {
    Heartbeat(task, identity);
  } else {
    Generation(task, identity);
  }
}

void ControlService::State::Register(const Task& task, const kube::TokenIdentity& identity) {
  Result<control::RegisterRequest> message = control::DecodeRegisterRequest(task.request.body);
  if (!message.ok()) {
    Reply(task, FromStatus(message.status()));
    return;
  }
  if (!SpeaksFor(identity, message->worker.job, std::max(message->worker.ordinal, 0))) {
    Reply(task, Forbidden());
    return;
  }
  Result<control::RegisterResponse> response = registry.Register(*message);
  Reply(task,
        response.ok() ? JsonResponse(control::Encode(*response)) : FromStatus(response.status()));
}

void ControlService::State::Heartbeat(const Task& task, const kube::TokenIdentity& identity) {
  Result<control::HeartbeatRequest> message = control::DecodeHeartbeatRequest(task.request.body);
  if (!message.ok()) {
    Reply(task, FromStatus(message.status()));
    return;
  }
  if (!SpeaksFor(identity, message->worker.job, std::max(message->worker.ordinal, 0))) {
    Reply(task, Forbidden());
    return;
  }
  PendingPoll poll;
  // Held back for seconds, once for each worker: without the request, which has token and body.
  poll.answer = [this, answer = task.answer](const control::HeartbeatResponse& response) {
    ServerResponse reply = is_leader() ? JsonResponse(control::Encode(response)) : NotLeader();
    Count(control::kHeartbeatPath, reply.status);
    answer(std::move(reply));
  };
  poll.gone = [gone = task.gone] { return gone && gone(); };
  const Status status = registry.Heartbeat(*message, std::move(poll));
  if (!status.ok()) {
    Reply(task, FromStatus(status));
  }
}

// Any replica, leader or not: the answer is as new as the API server.
void ControlService::State::Generation(const Task& task, const kube::TokenIdentity& identity) {
  Result<control::JobRef> job = control::ParseGenerationQuery(task.request.query);
  if (!job.ok()) {
    Reply(task, FromStatus(job.status()));
    return;
  }
  if (!SpeaksFor(identity, *job, -1)) {
    Reply(task, Forbidden());
    return;
  }
  Result<base::Json> object =
      client.Get(kube::kStreamJobs, {job->namespace_name, job->name}, kube::Read::kQuorum);
  if (!object.ok()) {
    Reply(task, FromStatus(object.status()));
    return;
  }
  if (kube::UidOf(*object) != job->uid) {
    Reply(task, ErrorResponse(404, "JobGone", "the job has another UID now"));
    return;
  }
  const v1alpha1::StreamJob read = v1alpha1::ReadStreamJob(*object).job;
  Reply(task, JsonResponse(control::Encode(decide::AnswerGeneration(read))));
}

ControlService::ControlService(ControlOptions options, kube::KubeClient& client,
                               WorkerRegistry& registry, std::function<bool()> is_leader,
                               const base::Clock& clock, base::MetricRegistry* metrics)
    : state_(new State{options,
                       client,
                       registry,
                       std::move(is_leader),
                       TokenCache(options.tokens, clock),
                       metrics,
                       {},
                       {},
                       {},
                       {},
                       false,
                       {}}) {
}

ControlService::~ControlService() {
  Stop();
}

void ControlService::Handle(const ServerRequest& request, base::Responder responder) {
  Handle(
      request, [responder](ServerResponse response) { responder.Answer(std::move(response)); },
      [responder] { return responder.gone(); });
}

void ControlService::Handle(const ServerRequest& request, Answer answer,
                            std::function<bool()> gone) {
  State::Task task{request, std::move(answer), std::move(gone)};
  const bool generation = request.path == control::kGenerationPath;
  const bool message =
      request.path == control::kRegisterPath || request.path == control::kHeartbeatPath;
  if (!generation && !message) {
    state_->Reply(task, ErrorResponse(404, "NotFound", "no such path"));
    return;
  }
  if (request.method != (generation ? "GET" : "POST")) {
    state_->Reply(task, ErrorResponse(405, "MethodNotAllowed", "POST, or GET for generation"));
    return;
  }
  if (request.body.size() > control::kMessageBytesMax) {
    state_->Reply(task, ErrorResponse(413, "TooLarge", "the message is larger than 64 KiB"));
    return;
  }
  const std::string_view token = BearerToken(request);
  if (token.empty()) {
    state_->Reply(task, ErrorResponse(401, "Unauthenticated", "a bearer token is required"));
    return;
  }
  if (message && !state_->is_leader()) {
    state_->Reply(task, NotLeader());
    return;
  }
  const std::optional<kube::TokenIdentity> known = state_->tokens.Find(token);
  if (known && message) {
    state_->Dispatch(task, *known);  // does not block
    return;
  }
  state_->Enqueue(std::move(task));
}

void ControlService::Start() {
  for (int i = 0; i < state_->options.threads; ++i) {
    state_->threads.emplace_back([this] {
      while (state_->RunOne(true)) {
      }
    });
  }
  state_->threads.emplace_back([this] { state_->RunTicks(); });
}

void ControlService::Stop() {
  std::deque<State::Task> left;
  {
    std::lock_guard lock(state_->mu);
    state_->stopping = true;
    left.swap(state_->queue);
    state_->more.notify_all();
    state_->stopped.notify_all();
  }
  for (std::thread& thread : state_->threads) {
    thread.join();
  }
  state_->threads.clear();
  for (const State::Task& task : left) {
    state_->Reply(task, ErrorResponse(503, "Stopping", "this replica stops"));
  }
}

int ControlService::RunQueued() {
  int count = 0;
  while (state_->RunOne(false)) {
    ++count;
  }
  return count;
}

}  // namespace sj::op::reconcile
