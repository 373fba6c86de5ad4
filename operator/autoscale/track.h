// SPDX-License-Identifier: Apache-2.0
// Track: what the autoscaler remembers of one job between two decisions, and no more: some reports
// of every worker of the generation in force, what was recommended in the last hour, and how long
// the last switch of generations took. In the memory of the leader only: a new leader starts with
// an empty one, which never leads to fewer workers. Bounded by the constants below.
// Thread-compatible.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "api/base/clock.h"
#include "api/control/messages.h"

namespace sj::op::autoscale {

using base::Millis;
using base::WallTime;

inline constexpr size_t kPointsMax = 32;        // of a worker
inline constexpr size_t kRecommendedMax = 128;  // buckets of the longest window

// The newest report of one worker.
struct Seen {
  int ordinal = -1;
  int64_t generation = 0;
  std::string incarnation;
  bool running = false;
  WallTime at{};
  int64_t records_in = 0;              // since process start
  std::optional<int64_t> lag_records;  // absent: unknown
  std::optional<double> busy;          // absent: unknown
  std::optional<control::InputReport> input;
};

// What the operator sees at one moment.
struct Observation {
  WallTime now{};
  int64_t generation = 0;
  bool started = false;  // START was given
  int replicas = 0;      // of the generation
  std::string spec_hash;
  std::optional<WallTime> step_at;  // when the generation's last step was stored
  std::vector<Seen> workers;
};

// One report, reduced. `valid` is false when a number in it cannot be true.
struct Point {
  WallTime at{};
  int64_t records_in = 0;
  std::optional<int64_t> lag;
  double busy = 0;           // without waiting for the output
  double busiest = 0;        // of the busiest thread, likewise
  double back_pressure = 0;  // share of time spent waiting for the output
  bool valid = true;
  bool complete = true;  // nothing was missing
};

struct WorkerTrack {
  std::string incarnation;
  std::deque<Point> points;                   // oldest first
  std::optional<control::InputReport> input;  // of the last point
};

// A switch of generations without a change of the spec, as it was seen.
struct Pause {
  int64_t generation = 0;
  Millis took{};
};

// The lowest and the highest replica count recommended in a stretch of time.
struct Recommended {
  WallTime from{};
  WallTime until{};
  int lowest = 0;
  int highest = 0;
};

class Track {
 public:
  // Takes the reports that are new, at least `spacing` apart for each worker. Reports of other
  // generations and of workers that do not run are not taken.
  void Note(const Observation& seen, Millis spacing);
  // What the formula asked for at `now`; `bucket` says how finely it has to be remembered.
  void Remember(WallTime now, int replicas, Millis bucket);

  // Nothing while a switch is under way or the track is empty.
  bool settled() const { return settled_; }
  const std::map<int, WorkerTrack>& workers() const { return workers_; }
  const std::optional<Pause>& last_pause() const { return last_pause_; }

  // Lowest and highest of [since, now]; nothing when the memory does not reach back so far.
  std::optional<int> LowestSince(WallTime since) const;
  std::optional<int> HighestSince(WallTime since) const;
  // When the memory will reach back `length`.
  WallTime CoveredAt(WallTime now, Millis length) const;
  // The last time something at least `replicas` (highest) or at most it (lowest) was recommended.
  std::optional<WallTime> LastNotAbove(int replicas) const;
  std::optional<WallTime> LastNotBelow(int replicas) const;

 private:
  void NoteSwitch(const Observation& seen);
  void NoteWorker(const Seen& seen, Millis spacing);

  std::map<int, WorkerTrack> workers_;   // of generation_
  std::deque<Recommended> recommended_;  // oldest first
  std::optional<Pause> last_pause_;
  bool settled_ = false;
  int64_t generation_ = 0;
  std::string settled_hash_;
  int64_t settled_generation_ = 0;
  std::optional<WallTime> switch_since_;
};

}  // namespace sj::op::autoscale
