// SPDX-License-Identifier: Apache-2.0
// RemainsRemover: takes away what a deleted job keeps outside, in the one order that is safe: fence
// every id the job ever used, as the start of a generation does, and only then delete. A worker
// that was cut off can commit nothing after that, so what is deleted is not made anew. May be
// called again after any error, and begun again by another process. Owned by one thread.
#pragma once

#include <cstdint>
#include <functional>

#include "api/base/status.h"
#include "worker/runtime/job_config.h"
#include "worker/runtime/job_status.h"

namespace sj::worker::runtime {

struct RemainsAsked {
  bool checkpoints = false;      // objects below <location>/<job uid>/
  bool exchange_topics = false;  // with the position topics
  bool consumer_group = false;
  int ordinals = 1;  // whose ids are to be fenced: 0 to ordinals - 1
};
// Gone, seen by a look that found nothing any more.
struct RemainsGone {
  bool checkpoints = false;
  bool exchange_topics = false;
  bool consumer_group = false;
  int64_t objects = 0;  // deleted by this process
  int64_t topics = 0;
};

class RemainsRemover {
 public:
  // `config` outlives the remover. REQUIRES: no engine of this process runs the job.
  RemainsRemover(const JobConfig& config, Connectors connectors)
      : config_(config), connectors_(std::move(connectors)) {}

  // Removes what is asked and not gone yet; `on_part` is called after each part. What fails does
  // not keep the rest from being removed, only the fence does. The first error; stage() tells
  // where.
  base::Status Remove(const RemainsAsked& asked, const std::function<void()>& on_part);
  const RemainsGone& gone() const { return gone_; }
  RunStage stage() const { return stage_; }

 private:
  base::Status Fence(int ordinals);
  base::Status RemoveGroup();
  base::Status RemoveTopics();
  base::Status RemoveObjects();

  const JobConfig& config_;
  const Connectors connectors_;
  std::unique_ptr<connect::JobRemains> kafka_;  // null: not asked for yet, or not on Kafka
  int fenced_ = 0;                              // ordinals
  RemainsGone gone_;
  RunStage stage_ = RunStage::kFence;
};

}  // namespace sj::worker::runtime
