// SPDX-License-Identifier: Apache-2.0
// See hand_over.h.
#include "worker/runtime/hand_over.h"

#include <algorithm>

#include "api/base/failpoint.h"
#include "api/base/log.h"
#include "worker/runtime/positions.h"

namespace sj::worker::runtime {
namespace {

constexpr std::chrono::milliseconds kLookAgainMin{20};
constexpr std::chrono::milliseconds kLookAgainMax{200};

int64_t MillisSince(base::MonoTime start, const base::Clock& clock) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(clock.Mono() - start).count();
}

}  // namespace

HandOver::HandOver(RunContext* run, const JobHooks* hooks, StatusBoard* board)
    : run_(run), hooks_(hooks), board_(board) {
}

base::Result<bool> HandOver::Poll() {
  if (!active() && !TakeOrder()) {
    return false;
  }
  if (step_ == Step::kWaiting) {
    SJ_ASSIGN_OR_RETURN(bool there, LookForReleases());
    if (!there) {
      return false;
    }
    step_ = Step::kAdopting;
  }
  return true;
}

bool HandOver::TakeOrder() {
  if (left_ || !hooks_->hand_over) {
    return false;
  }
  const std::optional<HandOverOrder> order = hooks_->hand_over();
  if (step_ == Step::kPrepared && (!order || order->generation != order_.generation)) {
    Abandon();
  }
  if (!order || order->generation <= run_->generation) {
    return false;
  }
  if (step_ == Step::kIdle) {
    NotePrepared(*order);
  }
  if (!order->started) {
    if (!status_.prefetched && prefetch_->done()) {
      status_.prefetched = true;
      Report();
    }
    return false;
  }
  if (prefetch_ != nullptr) {
    prefetch_->Finish();
    prefetch_.reset();
  }
  started_at_ = look_at_ = run_->clock->Mono();
  look_again_ = kLookAgainMin;
  // A worker that gives nothing still marks the boundary: from then on it is of the new generation.
  step_ = Step::kReleasing;
  base::LogInfo("hand-over begins", {{"generation", order_.generation},
                                     {"gives", share_.give.ToString()},
                                     {"takes", share_.take.ToString()}});
  Report();
  return true;
}

void HandOver::NotePrepared(const HandOverOrder& order) {
  order_ = order;
  next_ = run_->own;
  next_.replicas = order_.replicas;
  share_ = ShareOf(run_->own, next_, run_->partition_counts);
  status_ = {};
  status_.generation = order_.generation;
  status_.to_give = static_cast<int>(share_.give.size());
  status_.to_take = static_cast<int>(share_.take.size());
  step_ = Step::kPrepared;
  if (!order.started && !share_.take.empty() && run_->checkpointer != nullptr) {
    prefetch_ = UnitPrefetch::Start(*hooks_, run_, share_.take, order_.generation);
  }
  status_.prefetched = prefetch_ == nullptr || prefetch_->done();
  if (!order.started) {
    Report();
  }
}

// Prepared and taken back: another generation takes its place.
void HandOver::Abandon() {
  prefetch_.reset();
  status_ = {};
  step_ = Step::kIdle;
  Report();
}

base::Result<bool> HandOver::LookForReleases() {
  base::MonoTime now = run_->clock->Mono();
  if (now < look_at_) {
    return false;
  }
  std::vector<checkpoint::Checkpointer::CommittedRef> inputs = InputsOf(*run_, share_.take);
  SJ_ASSIGN_OR_RETURN(bool released, ReadReleased(run_, order_.generation, &inputs));
  if (!released && now - waiting_since_ >= kReleasesMax) {
    return NotReleased(order_.generation);
  }
  if (!released) {
    look_at_ = run_->clock->Mono() + look_again_;
    look_again_ = std::min(look_again_ * 2, kLookAgainMax);
    return false;
  }
  SJ_RETURN_IF_ERROR(base::Failpoint("handover.before_take"));
  SJ_ASSIGN_OR_RETURN(taken_,
                      run_->checkpointer->Take(inputs, order_.generation, run_->state.get()));
  base::LogInfo("units restored for take-over", {{"generation", order_.generation},
                                                 {"units", share_.take.ToString()},
                                                 {"bytes", taken_.bytes},
                                                 {"millis", MillisSince(now, *run_->clock)}});
  return true;
}

void HandOver::Prepare(types::Epoch epoch) {
  run_->change.reset();
  if (step_ != Step::kReleasing && step_ != Step::kAdopting) {
    return;
  }
  PlacementChange change;
  change.epoch = epoch;
  if (step_ == Step::kReleasing) {
    change.give = share_.give;
    run_->placement.Remove(share_.give);
  } else {
    change.take = share_.take;
    change.restored = std::move(taken_);
    run_->placement.Add(share_.take);
    run_->gate.Close();
  }
  change.placement = run_->placement;
  run_->change = std::move(change);
}

bool HandOver::Mark(checkpoint::EpochCapture* capture) const {
  if (step_ == Step::kReleasing && !share_.give.empty()) {
    capture->released_to = order_.generation;
    capture->released_shards.insert(share_.give.shards.begin(), share_.give.shards.end());
  }
  return step_ == Step::kReleasing || step_ == Step::kAdopting;
}

base::Status HandOver::Committed(types::Epoch epoch) {
  if (step_ == Step::kReleasing) {
    status_.gave = status_.to_give;
    if (!share_.give.empty()) {
      base::LogInfo("units released", {{"generation", order_.generation},
                                       {"epoch", epoch},
                                       {"units", share_.give.ToString()},
                                       {"millis", MillisSince(started_at_, *run_->clock)}});
    }
    run_->own.replicas = order_.replicas;
    if (!share_.take.empty()) {
      step_ = Step::kWaiting;
      waiting_since_ = run_->clock->Mono();
      Report();
      return base::Failpoint("handover.after_release");
    }
    Finish();
    return base::Failpoint("handover.after_release");
  }
  if (step_ == Step::kAdopting) {
    SJ_RETURN_IF_ERROR(PublishEnds());
    status_.took = status_.to_take;
    base::LogInfo("units taken over", {{"generation", order_.generation},
                                       {"epoch", epoch},
                                       {"units", share_.take.ToString()},
                                       {"millis", MillisSince(started_at_, *run_->clock)}});
    Finish();
    return base::Failpoint("handover.after_adopt");
  }
  return base::OkStatus();
}

// Everything that may reorder a key is in the logs by now: own rows up to this commit, and those of
// the former owners, whose releases have been seen. The last stable offset would not do: an older
// transaction of a third worker may hold it below them.
base::Status HandOver::PublishEnds() {
  std::map<types::InputPartition, int64_t> ends;
  for (const EdgeInfo& edge : run_->edges) {
    for (int shard : run_->placement.Shards()) {
      types::InputPartition partition{edge.topic, shard};
      SJ_ASSIGN_OR_RETURN(ends[partition], run_->exchange->End(partition));
    }
    run_->gate.Expect(edge.depth, static_cast<int>(run_->placement.Shards().size()));
  }
  {
    std::lock_guard<std::mutex> lock(run_->mu);
    run_->drain_targets = std::move(ends);
    run_->drain_version.fetch_add(1);
  }
  run_->gate.Open();
  run_->WakeAll();
  return base::OkStatus();
}

void HandOver::Finish() {
  run_->generation = order_.generation;
  left_ = next_.ordinal >= next_.replicas;
  status_.done = true;
  step_ = Step::kIdle;
  Report();
}

void HandOver::Report() {
  board_->Update([&](JobStatus& s) {
    s.hand_over = status_;
    s.generation = run_->generation;
  });
  if (hooks_->on_stage) {
    hooks_->on_stage(RunStage::kRun);
  }
}

}  // namespace sj::worker::runtime
