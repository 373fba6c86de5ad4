// SPDX-License-Identifier: Apache-2.0
// Looking at a spec before anything stops for it: what `streamjob-worker diff` prints, and what a
// running worker answers when the operator asks about an edit (api/control, pre-flight).
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "api/base/status.h"
#include "api/control/messages.h"
#include "api/v1alpha1/change_class.h"
#include "api/v1alpha1/stream_job.h"
#include "worker/main/job_setup.h"
#include "worker/plan/plan_diff.h"

namespace sj::worker {

struct JobDiff {
  v1alpha1::SpecChange spec;
  plan::PlanDiff plan;
  std::string shards;  // how their number changes, which no restore accepts; empty: it does not
  bool compatible() const { return plan.compatible && shards.empty(); }
  bool refused() const { return spec.change == v1alpha1::ChangeClass::kRefused || !compatible(); }
};
// Both must be valid. Errors: kInvalidArgument, which names the side.
base::Result<JobDiff> DiffJobs(const v1alpha1::StreamJob& before, const v1alpha1::StreamJob& after);
// "class: restart\nchanged: sql\nstate of operator 1 (...): kept\n"
std::string Describe(const JobDiff& diff);

// What a worker was started with.
struct RunningSpec {
  plan::PhysicalPlan plan;
  int shards = 0;
};
// One look at a manifest by a worker that runs `running`: manifest, SQL, options, state, and, when
// the Secrets it names are mounted here, its topics. Blocks as long as Kafka takes to answer.
struct SpecLook {
  sj::control::SpecVerdict verdict;
  bool again = false;  // the outside may mend itself: worth another look later
};
SpecLook LookAtSpec(const sj::control::SpecCheck& check, const RunningSpec& running,
                    const SetupOptions& options);

// Runs LookAtSpec beside the job, on a thread of its own, one spec at a time; what may mend itself
// is looked at again. Thread-safe.
class SpecChecker {
 public:
  using Look = std::function<SpecLook(const sj::control::SpecCheck&)>;
  using Tell = std::function<void(const sj::control::SpecVerdict&)>;
  SpecChecker(Look look, Tell tell, base::Millis again_after);
  ~SpecChecker();  // waits for a look that is under way

  void Ask(std::optional<sj::control::SpecCheck> check);

 private:
  void Run();

  const Look look_;
  const Tell tell_;
  const base::Millis again_after_;
  std::mutex mu_;
  std::condition_variable changed_;
  std::optional<sj::control::SpecCheck> wanted_;  // guarded by mu_
  bool news_ = false;                             // guarded by mu_: `wanted_` was not looked at yet
  bool again_ = false;                            // guarded by mu_
  bool stopping_ = false;                         // guarded by mu_
  std::thread thread_;                            // last: starts when everything else is there
};

}  // namespace sj::worker
