// SPDX-License-Identifier: Apache-2.0
// See fake_job.h.
#include "operator/autoscale/testing/fake_job.h"

#include <algorithm>

#include "operator/autoscale/wording.h"

namespace sj::op::autoscale::testing {
namespace {

constexpr int kHeartbeatS = 5;
constexpr Millis kRefresh{60'000};

}  // namespace

FakeJob::FakeJob(int count, FakeWorker worker)
    : workers(static_cast<size_t>(count), std::move(worker)) {
  settings.enabled = true;
  settings.min_replicas = 1;
  settings.max_replicas = 16;
  settings.target_utilization = "0.7";
  settings.catch_up = Millis(600'000);
  settings.scale_up_after = Millis(30'000);
  settings.scale_down_after = Millis(600'000);
}

Observation FakeJob::Observe() {
  Observation seen;
  seen.now = now;
  seen.generation = generation_;
  seen.started = true;
  seen.replicas = static_cast<int>(workers.size());
  seen.spec_hash = "spec";
  for (size_t i = 0; i < workers.size(); ++i) {
    FakeWorker& fake = workers[i];
    double& records = records_in_[static_cast<int>(i)];
    records += fake.rate * kHeartbeatS;
    fake.lag = std::max(0.0, fake.lag + fake.lag_growth * kHeartbeatS);
    Seen worker;
    worker.ordinal = static_cast<int>(i);
    worker.generation = generation_;
    worker.incarnation = incarnation;
    worker.running = running;
    worker.at = now;
    worker.records_in = static_cast<int64_t>(records);
    worker.lag_records = static_cast<int64_t>(fake.lag);
    worker.busy = fake.busy;
    control::InputReport input;
    input.threads = threads;
    input.keyed = keyed;
    input.busiest_ratio = fake.busiest < 0 ? fake.busy : fake.busiest;
    input.back_pressure_ratio = fake.back_pressure;
    input.blocked_partitions = fake.blocked;
    input.blocked_for = Millis(fake.blocked > 0 ? 95'000 : 0);
    input.hottest = fake.hottest;
    worker.input = std::move(input);
    if (spoil) {
      spoil(worker);
    }
    seen.workers.push_back(std::move(worker));
  }
  return seen;
}

void FakeJob::Ask() {
  Input input{settings, stored_ ? &*stored_ : nullptr, track_, now};
  input.pinned = pinned;
  input.otherwise = 1;
  input.current = static_cast<int>(workers.size());
  input.running = running && (!stored_ || pinned || stored_->decision == input.current ||
                              stored_->mode == v1alpha1::AutoscalingMode::kAdvise);
  input.waits_for = waits_for;
  input.partitions = partitions;
  input.shards = shards;
  decision_ = Evaluate(input);
  track_.Remember(now, decision_.raw, decision_.bucket);
  status_ = decision_.status;
  if (WorthWriting(stored_ ? &*stored_ : nullptr, status_, now, kRefresh)) {
    stored_ = status_;
    stored_->observed_time = now;
    ++writes_;
  }
}

void FakeJob::Run(int seconds) {
  for (int passed = 0; passed < seconds; passed += kHeartbeatS) {
    now += std::chrono::seconds(kHeartbeatS);
    track_.Note(Observe(), SpacingOf(settings));
    Ask();
    if (obeys && status_.decision != static_cast<int>(workers.size())) {
      workers.resize(static_cast<size_t>(status_.decision), workers.front());
      ++generation_;
    }
  }
}

}  // namespace sj::op::autoscale::testing
