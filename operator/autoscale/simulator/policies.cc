// SPDX-License-Identifier: Apache-2.0
// See policies.h. Sources of the formulas: apache/flink-kubernetes-operator, module
// flink-autoscaler; kedacore/keda, pkg/scalers/kafka_scaler.go; the HPA's documented algorithm.
#include "operator/autoscale/simulator/policies.h"

#include <algorithm>
#include <cmath>
#include <deque>

#include "operator/autoscale/autoscaler.h"

namespace sj::op::autoscale::simulator {
namespace {

// The product's function, driven as the operator drives it.
class StreamJobPolicy final : public Policy {
 public:
  const char* name() const override { return "StreamJob"; }

  std::optional<int> Look(const JobModel& job) override {
    if (job.second() % kHeartbeatS == 0) {
      track_.Note(job.Observe(), SpacingOf(settings_));
    }
    if (job.second() < next_look_) {
      return std::nullopt;
    }
    settings_.min_replicas = job.spec().low;
    settings_.max_replicas = job.spec().high;
    Input input{settings_, last_ ? &*last_ : nullptr, track_, job.now()};
    input.otherwise = job.workers();
    input.current = job.workers();
    input.running = track_.settled() && (!last_ || last_->decision == job.workers());
    input.partitions = {{"events", job.spec().partitions}};
    input.shards = 16;
    Decision decision = Evaluate(input);
    track_.Remember(job.now(), decision.raw, decision.bucket);
    next_look_ = job.second() + static_cast<int>(decision.look_again.count() / 1000);
    last_ = decision.status;
    return last_->decision == job.workers() ? std::nullopt : std::optional(last_->decision);
  }

 private:
  static constexpr int kHeartbeatS = 5;
  static v1alpha1::EffectiveAutoscaling Defaults() {
    v1alpha1::EffectiveAutoscaling settings;
    settings.enabled = true;
    settings.target_utilization = "0.7";
    settings.catch_up = Millis(600'000);
    settings.scale_up_after = Millis(30'000);
    settings.scale_down_after = Millis(600'000);
    return settings;
  }
  v1alpha1::EffectiveAutoscaling settings_ = Defaults();
  Track track_;
  std::optional<v1alpha1::AutoscalingStatus> last_;
  int next_look_ = 0;
};

class FlinkPolicy final : public Policy {
 public:
  explicit FlinkPolicy(const FlinkSettings& settings) : s_(settings) {}
  const char* name() const override { return s_.name; }

  std::optional<int> Look(const JobModel& job) override {
    const Observation seen = job.Observe();
    if (seen.generation != generation_ || job.pausing()) {
      generation_ = seen.generation;
      began_ = job.second();
      samples_.clear();
      return std::nullopt;
    }
    if (job.second() % kCollectS != 0 || job.second() - began_ < s_.stabilization_s) {
      return std::nullopt;
    }
    Collect(job, seen);
    if (samples_.back().second - samples_.front().second < s_.window_s - kCollectS) {
      return std::nullopt;
    }
    return Judge(job);
  }

 private:
  struct Sample {
    int second = 0;
    double records_in = 0;
    double lag = 0;
    double busy = 0;  // MAX over the workers
  };
  static constexpr int kCollectS = 15;

  void Collect(const JobModel& job, const Observation& seen) {
    Sample sample{job.second(), 0, job.lag(), 0};
    for (const Seen& worker : seen.workers) {
      sample.records_in += static_cast<double>(worker.records_in);
      const double busy = *worker.busy - worker.input->back_pressure_ratio;
      sample.busy = std::max(sample.busy, busy);
    }
    samples_.push_back(sample);
    while (sample.second - samples_.front().second > s_.window_s) {
      samples_.pop_front();
    }
  }

  // Records/s of all workers when always busy.
  double TrueRate(double in_rate) const {
    double busy = 0;
    double observed = 0;
    int observations = 0;
    for (size_t i = 1; i < samples_.size(); ++i) {
      busy += samples_[i].busy / static_cast<double>(samples_.size() - 1);
      const double rate = (samples_[i].records_in - samples_[i - 1].records_in) / kCollectS;
      if (samples_[i].lag > s_.observed_lag_s * std::max(rate, 1.0)) {
        observed += rate;
        ++observations;
      }
    }
    const double by_busy = in_rate / std::max(busy, 0.001);
    if (observations >= 2 && by_busy > 1.15 * observed / observations) {
      return std::max(observed / observations, 1.0);
    }
    return std::max(by_busy, 1.0);
  }

  std::optional<int> Judge(const JobModel& job) {
    const Sample& first = samples_.front();
    const Sample& last = samples_.back();
    const double span = last.second - first.second;
    const double in_rate = (last.records_in - first.records_in) / span;
    const double target = std::max(0.0, in_rate + (last.lag - first.lag) / span);
    const double rate = TrueRate(in_rate);
    const double catch_up = last.lag / s_.catch_up_s;
    const double restart = target * s_.restart_s / s_.catch_up_s;
    const bool backlog = last.lag > s_.backlog_s * std::max(target, 1.0);
    const double high = backlog ? 1.0 : s_.target + s_.boundary;
    const double low = s_.target - s_.boundary;
    const double least = target / high + catch_up;
    const double most = backlog ? HUGE_VAL : target / low + catch_up + restart;
    const int now = job.workers();
    int wanted = now;
    if (rate < least || rate > most) {
      const double factor = std::clamp((catch_up + restart + target / s_.target) / rate,
                                       1 - s_.down_factor_max, 100'000.0);
      wanted = Align(static_cast<int>(std::ceil(factor * now)), job.spec());
    }
    return Delay(job.second(), now, wanted);
  }

  // Up to the next divisor of the partition count.
  static int Align(int wanted, const JobSpec& spec) {
    wanted = std::clamp(wanted, spec.low, std::min(spec.high, spec.partitions));
    for (int p = wanted; p <= std::min(spec.high, spec.partitions); ++p) {
      if (spec.partitions % p == 0) {
        return p;
      }
    }
    return wanted;
  }

  // Fewer workers only after an interval, and then the most of what was recommended in it.
  std::optional<int> Delay(int second, int now, int wanted) {
    if (wanted >= now) {
      down_since_ = -1;
      return wanted > now ? std::optional(wanted) : std::nullopt;
    }
    if (down_since_ < 0) {
      down_since_ = second;
      down_most_ = wanted;
    }
    down_most_ = std::max(down_most_, wanted);
    if (second - down_since_ < s_.down_interval_s) {
      return std::nullopt;
    }
    down_since_ = -1;
    return down_most_;
  }

  const FlinkSettings s_;
  std::deque<Sample> samples_;
  int64_t generation_ = 0;
  int began_ = 0;
  int down_since_ = -1;
  int down_most_ = 0;
};

class KedaPolicy final : public Policy {
 public:
  KedaPolicy(const char* name, double lag_threshold) : name_(name), threshold_(lag_threshold) {}
  const char* name() const override { return name_; }

  std::optional<int> Look(const JobModel& job) override {
    if (job.second() % kSyncS != 0) {
      return std::nullopt;
    }
    const JobSpec& spec = job.spec();
    const int cap = std::min(spec.high, spec.partitions);
    // It counts to the end of the log, open transactions included.
    const double lag = std::min(job.lag_to_the_end(), cap * threshold_);
    const int now = job.workers();
    int wanted = static_cast<int>(std::ceil(lag / threshold_));
    if (std::abs(lag / (threshold_ * now) - 1) <= kTolerance) {
      wanted = now;
    }
    wanted = std::clamp(wanted, spec.low, cap);
    recommended_.push_back(wanted);
    if (recommended_.size() > kDownStabilizationS / kSyncS) {
      recommended_.pop_front();
    }
    if (wanted > now) {
      return std::min(wanted, std::max(now * 2, now + kPodsPerSync));
    }
    const int most = *std::max_element(recommended_.begin(), recommended_.end());
    return most < now && recommended_.size() == kDownStabilizationS / kSyncS ? std::optional(most)
                                                                             : std::nullopt;
  }

 private:
  static constexpr int kSyncS = 15;
  static constexpr size_t kDownStabilizationS = 300;
  static constexpr int kPodsPerSync = 4;
  static constexpr double kTolerance = 0.1;
  const char* const name_;
  const double threshold_;
  std::deque<int> recommended_;
};

class FixedPolicy final : public Policy {
 public:
  const char* name() const override { return "fixed"; }
  std::optional<int> Look(const JobModel&) override { return std::nullopt; }
};

}  // namespace

std::unique_ptr<Policy> MakeStreamJobPolicy() {
  return std::make_unique<StreamJobPolicy>();
}

std::unique_ptr<Policy> MakeFlinkPolicy(const FlinkSettings& settings) {
  return std::make_unique<FlinkPolicy>(settings);
}

std::unique_ptr<Policy> MakeKedaPolicy(const char* name, double lag_threshold) {
  return std::make_unique<KedaPolicy>(name, lag_threshold);
}

std::unique_ptr<Policy> MakeFixedPolicy() {
  return std::make_unique<FixedPolicy>();
}

std::vector<std::unique_ptr<Policy>> ComparedPolicies() {
  // As short as ours, and told the true cost of a restart.
  FlinkSettings quick{"Flink, short windows", 0.7, 0.3, 120, 30, 600, 0.6, 600, 5, 300, 30};
  std::vector<std::unique_ptr<Policy>> policies;
  policies.push_back(MakeStreamJobPolicy());
  policies.push_back(MakeFlinkPolicy({}));
  policies.push_back(MakeFlinkPolicy(quick));
  // The threshold is the user's to choose: ten and two seconds of what one worker can read.
  policies.push_back(MakeKedaPolicy("KEDA, 10 s a worker", 10 * JobSpec{}.thread_rate));
  policies.push_back(MakeKedaPolicy("KEDA, 2 s a worker", 2 * JobSpec{}.thread_rate));
  return policies;
}

}  // namespace sj::op::autoscale::simulator
