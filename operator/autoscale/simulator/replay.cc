// SPDX-License-Identifier: Apache-2.0
// See replay.h.
#include "operator/autoscale/simulator/replay.h"

#include <algorithm>
#include <deque>

namespace sj::op::autoscale::simulator {

Outcome Replay(const JobSpec& spec, const Load& load, Policy& policy) {
  Outcome out;
  out.policy = policy.name();
  out.load = load.name;
  JobModel job(spec, load);
  std::deque<int> changes;  // seconds, of the last hour
  while (job.second() < load.seconds) {
    job.Step();
    if (const std::optional<int> wanted = policy.Look(job); wanted && *wanted != job.workers()) {
      job.Rescale(*wanted);
      changes.push_back(job.second());
    }
    while (!changes.empty() && job.second() - changes.front() >= 3'600) {
      changes.pop_front();
    }
    out.rescales_per_hour_max =
        std::max(out.rescales_per_hour_max, static_cast<int>(changes.size()));
    out.lag_time += job.lag();
    out.lag_max = std::max(out.lag_max, job.lag());
    out.worker_hours += job.workers() / 3'600.0;
    out.workers_max = std::max(out.workers_max, job.workers());
    if (job.second() % 60 == 0) {
      out.minutes.push_back({job.rate(), job.lag(), job.workers()});
    }
  }
  out.rescales = job.rescales();
  out.workers_last = job.workers();
  return out;
}

}  // namespace sj::op::autoscale::simulator
