// SPDX-License-Identifier: Apache-2.0
// WorkerRegistry: the last report of every worker and the polls they wait in, in memory only. A new
// leader starts empty and learns within one heartbeat. It decides nothing: answers follow from the
// directive that the reconcile published for the job.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "api/base/clock.h"
#include "api/base/metrics.h"
#include "api/base/status.h"
#include "api/control/messages.h"
#include "operator/decide/directive.h"
#include "operator/decide/input.h"
#include "operator/kube/resource.h"

namespace sj::op::reconcile {

struct RegistryOptions {
  size_t workers_max = 20'000;                                  // of all jobs; more are refused
  int ordinals_max = 1'024;                                     // of one job
  base::Millis silent_after = decide::Settings{}.silent_after;  // Decide calls it lost then
  base::Millis numbers_after{60'000};  // numbers that moved so long ago are a reason to look
};

// One heartbeat's answer, given at once or later, from any thread, exactly once.
struct PendingPoll {
  std::function<void(const control::HeartbeatResponse&)> answer;
  std::function<bool()> gone;  // the peer has hung up
};

// Thread-safe. Answers and wake-ups are called without a lock held.
class WorkerRegistry {
 public:
  // `wake` is called with the job's key when a report says something a decision may depend on.
  // `metrics` may be null. References outlive the registry.
  WorkerRegistry(RegistryOptions options, const base::Clock& clock,
                 std::function<void(const kube::ObjectKey&)> wake, base::MetricRegistry* metrics);
  ~WorkerRegistry();

  // Errors: kUnavailable (the job was not looked at yet), kNotFound (another UID has that name
  // now), kInvalidArgument (ordinal), kExhausted.
  base::Result<control::RegisterResponse> Register(const control::RegisterRequest& request);
  // Keeps the poll until there is news or its hold is over. Further errors: kConflict (another
  // incarnation has this ordinal now, or the report is older than the last one). After an error the
  // poll is not answered here.
  base::Status Heartbeat(const control::HeartbeatRequest& request, PendingPoll poll);

  // What the workers of a job are to be told; answers the polls for which that is news.
  void Publish(const kube::ObjectKey& key, const std::string& uid, decide::Directive directive);
  std::vector<decide::WorkerReport> Reports(const std::string& uid) const;
  // The job is gone.
  void Forget(const kube::ObjectKey& key);
  // Leadership was lost: polls are answered with no news, everything is forgotten.
  void Clear();

  // Answers polls whose hold is over and wakes the jobs that time alone has changed: a worker fell
  // silent, its epochs became late or are in time again, or its numbers moved a while ago. Call
  // about twice a second.
  void Tick();

  size_t workers() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sj::op::reconcile
