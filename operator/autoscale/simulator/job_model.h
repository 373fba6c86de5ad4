// SPDX-License-Identifier: Apache-2.0
// JobModel: a job in steps of one second. Records arrive in partitions; every worker's threads read
// theirs at a fixed rate; a rescale stops all of them for a while. It reports what workers report.
// Deterministic: noise comes from a seeded generator. Thread-compatible.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "operator/autoscale/track.h"

namespace sj::op::autoscale::simulator {

struct JobSpec {
  int partitions = 12;
  int threads = 1;             // of a worker
  double thread_rate = 5'000;  // records/s of a thread that is always busy
  Millis pause{5'000};         // of a rescale
  int start = 2;
  int low = 1;
  int high = 12;
};

// What goes on in one second.
struct Moment {
  double rate = 0;             // records/s produced, all partitions
  bool brokers_down = false;   // nothing is read; producers keep what they have
  int blocked_partitions = 0;  // the first ones: their new records are not stable
  double output_rate = std::numeric_limits<double>::infinity();  // what the output takes
};

struct Load {
  std::string name;
  std::string what;
  int seconds = 0;
  std::function<Moment(int second)> at;
  std::vector<double> weights;  // of the partitions; empty: equal
};

class JobModel {
 public:
  JobModel(const JobSpec& spec, const Load& load);

  void Step();
  // Takes effect at once; the workers stand still for the pause. REQUIRES: > 0.
  void Rescale(int workers);

  int second() const { return second_; }
  WallTime now() const { return kStart + std::chrono::seconds(second_); }
  int workers() const { return workers_; }
  int rescales() const { return rescales_; }
  bool pausing() const { return pause_left_ > 0; }
  double lag() const;             // stable records not read
  double lag_to_the_end() const;  // with those that wait for a transaction's end
  double rate() const { return rate_; }
  const JobSpec& spec() const { return spec_; }
  Observation Observe() const;

 private:
  static constexpr WallTime kStart{Millis(1'767'571'200'000)};  // a Monday, 00:00 UTC
  struct Partition {
    double weight = 0;
    double written = 0;
    double stable = 0;
    double read = 0;
    double rate = 0;  // arrivals, smoothed
  };
  struct Worker {
    double records_in = 0;
    std::vector<double> busy;  // of each thread, over the last 5 s or so
    double back_pressure = 0;
  };

  void Arrive(const Moment& moment);
  void Work(const Moment& moment);
  std::pair<int, int> PartitionsOf(int worker) const;
  std::pair<int, int> PartitionsOf(int worker, int thread) const;
  double Noise();

  JobSpec spec_;
  const Load& load_;
  std::vector<Partition> partitions_;
  std::vector<Worker> members_;
  int second_ = 0;
  int workers_ = 1;
  int rescales_ = 0;
  int64_t generation_ = 1;
  double pause_left_ = 0;
  double held_back_ = 0;  // by producers, while brokers are down
  double rate_ = 0;
  int blocked_ = 0;
  int blocked_since_ = 0;
  WallTime step_at_{};
  uint64_t seed_ = 42;
};

}  // namespace sj::op::autoscale::simulator
