// SPDX-License-Identifier: Apache-2.0
// LoadModel: how many records a second any number of workers could read, judged from how busy the
// threads are now. Work comes in units (partitions, or shards when there are fewer of them), and a
// thread has whole units. The busiest thread's load is taken as k mean units of which one may be
// hot: `own` is that one, and it stays whole however many workers there are. So capacity grows in
// steps, ends at one unit per thread, and ends earlier with a hot key or partition. Pure.
#pragma once

namespace sj::op::autoscale {

struct LoadInput {
  double read_rate = 0;     // records/s, > 0
  double busy_threads = 0;  // task threads kept busy by it, all workers
  double busiest = 0;       // 0..1, the busiest thread
  int workers = 1;
  int threads = 1;  // of a worker
  int units = 1;
};

class LoadModel {
 public:
  explicit LoadModel(const LoadInput& in);

  // Records/s of `workers` when the busiest thread is busy all the time.
  double Capacity(int workers) const;
  // The smallest count in [low, high] with at least that capacity; when none has it, the smallest
  // that has nearly as much as any. A step that costs more than a quarter more workers is not taken
  // for the last tenth.
  int Needed(double required, int low, int high) const;
  // How much hotter the hot unit is than the mean one; 1: none is.
  double skew() const { return own_ / mean_; }

 private:
  int Smallest(double capacity, int low, int high) const;
  // Units of the thread that has most.
  int UnitsPerThread(int workers) const;

  LoadInput in_;
  double mean_ = 1;  // load of a mean unit: threads
  double own_ = 1;   // of the hot one
};

}  // namespace sj::op::autoscale
