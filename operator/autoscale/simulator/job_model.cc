// SPDX-License-Identifier: Apache-2.0
// See job_model.h.
#include "operator/autoscale/simulator/job_model.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace sj::op::autoscale::simulator {
namespace {

constexpr double kSmoothing = 0.3;
constexpr double kNoise = 0.03;

// Part `index` of `parts` equal contiguous parts of [begin, end).
std::pair<int, int> Part(std::pair<int, int> whole, int index, int parts) {
  const int64_t size = whole.second - whole.first;
  return {whole.first + static_cast<int>(size * index / parts),
          whole.first + static_cast<int>(size * (index + 1) / parts)};
}

}  // namespace

JobModel::JobModel(const JobSpec& spec, const Load& load)
    : spec_(spec), load_(load), partitions_(static_cast<size_t>(spec.partitions)) {
  const double sum = std::accumulate(load.weights.begin(), load.weights.end(), 0.0);
  for (size_t i = 0; i < partitions_.size(); ++i) {
    partitions_[i].weight = sum > 0 ? load.weights[i] / sum : 1.0 / spec.partitions;
  }
  workers_ = spec.start;
  members_.assign(static_cast<size_t>(workers_),
                  {0, std::vector<double>(static_cast<size_t>(spec.threads), 0), 0});
  step_at_ = kStart;
}

double JobModel::Noise() {
  seed_ = seed_ * 6'364'136'223'846'793'005u + 1'442'695'040'888'963'407u;
  const double unit = static_cast<double>(seed_ >> 11) / 9'007'199'254'740'992.0;
  return 1 + kNoise * (2 * unit - 1);
}

std::pair<int, int> JobModel::PartitionsOf(int worker) const {
  return Part({0, spec_.partitions}, worker, workers_);
}

std::pair<int, int> JobModel::PartitionsOf(int worker, int thread) const {
  return Part(PartitionsOf(worker), thread, spec_.threads);
}

void JobModel::Rescale(int workers) {
  if (workers == workers_) {
    return;
  }
  workers_ = workers;
  ++rescales_;
  ++generation_;
  pause_left_ = static_cast<double>(spec_.pause.count()) / 1000;
  step_at_ = now();
  members_.assign(static_cast<size_t>(workers_),
                  {0, std::vector<double>(static_cast<size_t>(spec_.threads), 0), 0});
}

void JobModel::Arrive(const Moment& moment) {
  double produced = moment.rate * Noise();
  rate_ = moment.rate;
  if (moment.brokers_down) {
    held_back_ += produced;
    produced = 0;
  } else if (held_back_ > 0) {
    const double burst = std::min(held_back_, moment.rate);  // producers empty their buffers
    held_back_ -= burst;
    produced += burst;
  }
  if (blocked_ == 0 || moment.blocked_partitions == 0) {
    blocked_since_ = second_;
  }
  blocked_ = moment.blocked_partitions;
  for (size_t i = 0; i < partitions_.size(); ++i) {
    Partition& partition = partitions_[i];
    const double part = produced * partition.weight;
    partition.written += part;
    partition.rate += (part - partition.rate) * kSmoothing;
    if (static_cast<int>(i) >= blocked_) {
      partition.stable = partition.written;
    }
  }
}

void JobModel::Work(const Moment& moment) {
  if (pause_left_ > 0 || moment.brokers_down) {
    pause_left_ = std::max(pause_left_ - 1, 0.0);
    for (Worker& member : members_) {
      std::fill(member.busy.begin(), member.busy.end(), 0);
      member.back_pressure = 0;
    }
    return;
  }
  const double output_share = moment.output_rate / workers_;
  for (int w = 0; w < workers_; ++w) {
    Worker& member = members_[static_cast<size_t>(w)];
    double output_left = output_share;
    double waited = 0;
    for (int t = 0; t < spec_.threads; ++t) {
      const double able = spec_.thread_rate * Noise();
      double left = able;
      const auto [begin, end] = PartitionsOf(w, t);
      for (int p = begin; p < end; ++p) {
        // What one partition leaves unused, the next ones of the thread may use.
        Partition& partition = partitions_[static_cast<size_t>(p)];
        const double fair = left / (end - p);
        const double read = std::min({partition.stable - partition.read, fair, output_left});
        partition.read += read;
        member.records_in += read;
        left -= read;
        output_left -= read;
      }
      const bool waits = output_left <= 0 && left > 0;
      waited += waits ? left / able / spec_.threads : 0;
      const double busy = waits ? 1 : 1 - left / able;
      double& shown = member.busy[static_cast<size_t>(t)];
      shown += (busy - shown) * kSmoothing;
    }
    member.back_pressure += (waited - member.back_pressure) * kSmoothing;
  }
}

void JobModel::Step() {
  const Moment moment = load_.at(second_);
  Arrive(moment);
  Work(moment);
  ++second_;
}

double JobModel::lag() const {
  double sum = 0;
  for (const Partition& partition : partitions_) {
    sum += partition.stable - partition.read;
  }
  return sum;
}

double JobModel::lag_to_the_end() const {
  double sum = 0;
  for (const Partition& partition : partitions_) {
    sum += partition.written - partition.read;
  }
  return sum;
}

Observation JobModel::Observe() const {
  Observation seen;
  seen.now = now();
  seen.generation = generation_;
  seen.started = !pausing();
  seen.replicas = workers_;
  seen.spec_hash = "spec";
  seen.step_at = step_at_;
  for (int w = 0; w < workers_; ++w) {
    const Worker& member = members_[static_cast<size_t>(w)];
    Seen worker;
    worker.ordinal = w;
    worker.generation = generation_;
    worker.incarnation = "i";
    worker.running = !pausing();
    worker.at = now();
    worker.records_in = static_cast<int64_t>(member.records_in);
    control::InputReport input;
    input.threads = spec_.threads;
    double lag = 0;
    const auto [begin, end] = PartitionsOf(w);
    input.partitions = end - begin;
    for (int p = begin; p < end; ++p) {
      const Partition& partition = partitions_[static_cast<size_t>(p)];
      const double behind = partition.stable - partition.read;
      lag += behind;
      const bool waits = p < blocked_ && behind < 1;
      input.blocked_partitions += waits ? 1 : 0;
      if (behind > 1 && input.hottest.size() < control::kHottestMax) {
        input.hottest.push_back(
            {"events", p, static_cast<int64_t>(behind), static_cast<int64_t>(partition.rate)});
      }
    }
    input.blocked_for = std::chrono::seconds(blocked_ > 0 ? second_ - blocked_since_ : 0);
    input.busiest_ratio = *std::max_element(member.busy.begin(), member.busy.end());
    input.back_pressure_ratio = member.back_pressure;
    worker.lag_records = static_cast<int64_t>(lag);
    worker.busy = std::accumulate(member.busy.begin(), member.busy.end(), 0.0) / spec_.threads;
    worker.input = std::move(input);
    seen.workers.push_back(std::move(worker));
  }
  return seen;
}

}  // namespace sj::op::autoscale::simulator
