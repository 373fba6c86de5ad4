// SPDX-License-Identifier: Apache-2.0
// Fence, group, topics, objects. The group first of what is deleted: without offsets nobody could
// take the job up again half removed.
#include "worker/runtime/remains_remover.h"

#include "api/base/failpoint.h"
#include "api/base/log.h"
#include "worker/checkpoint/remove_objects.h"

namespace sj::worker::runtime {

base::Status RemainsRemover::Fence(int ordinals) {
  stage_ = RunStage::kFence;
  if (fenced_ >= ordinals) {
    return base::OkStatus();
  }
  SJ_ASSIGN_OR_RETURN(kafka_, connectors_.job_remains(UsedTablesOf(config_.plan), config_.connect));
  if (kafka_ != nullptr) {
    SJ_RETURN_IF_ERROR(kafka_->Fence(ordinals));
    base::LogInfo("fenced a deleted job", {{"ordinals", ordinals}});
  }
  fenced_ = ordinals;
  return base::OkStatus();
}

base::Status RemainsRemover::RemoveGroup() {
  stage_ = RunStage::kFence;
  if (kafka_ != nullptr) {
    SJ_RETURN_IF_ERROR(kafka_->DeleteGroup());
    base::LogInfo("removed the consumer group", {{"job", config_.job_uid}});
  }
  gone_.consumer_group = true;
  return base::OkStatus();
}

base::Status RemainsRemover::RemoveTopics() {
  stage_ = RunStage::kFence;
  if (kafka_ != nullptr) {
    SJ_ASSIGN_OR_RETURN(const int topics, kafka_->DeleteTopics());
    gone_.topics += topics;
    base::LogInfo("removed the exchange topics", {{"job", config_.job_uid}, {"topics", topics}});
  }
  gone_.exchange_topics = true;
  return base::OkStatus();
}

base::Status RemainsRemover::RemoveObjects() {
  stage_ = RunStage::kStore;
  if (!config_.store.location.empty()) {
    SJ_ASSIGN_OR_RETURN(auto objects, connectors_.object_store(config_.store));
    SJ_RETURN_IF_ERROR(checkpoint::RemoveObjects(*objects, config_.job_uid, &gone_.objects));
    base::LogInfo("removed the checkpoints",
                  {{"job", config_.job_uid}, {"objects", gone_.objects}});
  }
  gone_.checkpoints = true;
  return base::OkStatus();
}

base::Status RemainsRemover::Remove(const RemainsAsked& asked,
                                    const std::function<void()>& on_part) {
  SJ_RETURN_IF_ERROR(Fence(asked.ordinals));
  SJ_RETURN_IF_ERROR(base::Failpoint("remains.fenced"));
  base::Status first;
  RunStage first_stage = stage_;
  const auto part = [&](bool wanted, base::Status (RemainsRemover::*remove)()) {
    if (!wanted) {
      return;
    }
    const base::Status status = (this->*remove)();
    if (status.ok()) {
      on_part();
    } else if (first.ok()) {
      first = status;
      first_stage = stage_;
    }
  };
  part(asked.consumer_group && !gone_.consumer_group, &RemainsRemover::RemoveGroup);
  part(asked.exchange_topics && !gone_.exchange_topics, &RemainsRemover::RemoveTopics);
  part(asked.checkpoints && !gone_.checkpoints, &RemainsRemover::RemoveObjects);
  stage_ = first_stage;
  return first;
}

}  // namespace sj::worker::runtime
