// SPDX-License-Identifier: Apache-2.0
// See next_step.h.
#include "operator/decide/next_step.h"

namespace sj::op::decide {
namespace {

struct Step {
  std::string_view reason;
  std::string_view next;
};

// In the order of docs/reference/worker.md, then what Kubernetes says of pods, then our own.
constexpr Step kSteps[] = {
    {"SqlInvalid", "Correct spec.sql at the line and column given."},
    {"ManifestInvalid", "Correct the field named."},
    {"SpecInvalid", "Correct the field named."},
    {"ConnectorRefused", "Correct the option of the table named."},
    {"TopicMissing", "Create the topic or correct its name; the worker looks again by itself."},
    {"TopicChanged", "Start a new job: the topic was deleted and made anew."},
    {"KafkaUnreachable", "Check the broker's address and the network; it is tried again."},
    {"KafkaAccessDenied", "Check the connection's Secret and the ACLs of its user."},
    {"OffsetsMissing", "Start a new job, or restore the consumer group's offsets."},
    {"CheckpointStoreRefused", "Check bucket, prefix and the Secret of spec.checkpoint."},
    {"CheckpointStoreUnreachable", "Check spec.checkpoint.endpoint and the network."},
    {"CheckpointCorrupt", "Look for lifecycle rules or deletions in the bucket."},
    {"StateIncompatible", "Revert the change, or create a new job to start with empty state."},
    {"RecordRefused", "Correct the record's producer, or set the table's policy for bad records."},
    {"InputGone", "Start a new job: records were deleted before they were read."},
    {"InputCorrupt", "Look at the broker's log: a batch does not check."},
    {"OutsideUnavailable", "Check Kafka and the checkpoint store; it is tried again."},
    {"InternalError", "Please report it with the worker's log."},
    {"CrashLoopBackOff", "Read the log of the pod: kubectl logs --previous."},
    {"OOMKilled", "Raise spec.worker.resources.limits.memory, or add workers."},
    {"ImagePullBackOff", "Check spec.worker.image and the pull secret."},
    {"ErrImagePull", "Check spec.worker.image and the pull secret."},
    {"ErrImageNeverPull", "Put the image on the node, or correct spec.worker.image."},
    {"InvalidImageName", "Correct spec.worker.image."},
    {"CreateContainerConfigError", "Look at the pod's events: kubectl describe pod."},
    {"Unschedulable", "Add a node, or lower spec.worker.resources.requests."},
    {"NameTaken", "Rename the job, or remove the object in its way."},
    {"ApplyRefused", "Change what the cluster objects to: quota, admission or the spec."},
    {"WorkerSilent", "Look at the pod and its node; another pod takes over when it is gone."},
    {"NodeLost", "Look at the node; its old worker commits nothing any more."},
    {"ImmutableField", "Put the old value back, or create a new job."},
    {"SqlMissing", "Make the ConfigMap and the key that spec.sqlFrom names."},
    {"SnapshotMissing", "Make the StreamJobSnapshot, or correct its name."},
    {"SnapshotNotGranted", "Have its owner add this namespace to spec.grants of the snapshot."},
    {"SnapshotFailed", "Name another snapshot, or take a new one."},
    {"SnapshotNotTaken", "Wait until it is completed; the job begins by itself."},
    {"CheckpointsFail", "Check the checkpoint store and Kafka."},
    {"CheckpointLate", "Check the checkpoint store and the load of the workers."},
};

}  // namespace

std::string_view NextStep(std::string_view reason) {
  for (const Step& step : kSteps) {
    if (step.reason == reason) {
      return step.next;
    }
  }
  return "";
}

}  // namespace sj::op::decide
