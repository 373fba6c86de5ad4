// SPDX-License-Identifier: Apache-2.0
// See print_output.h.
#include "operator/decide/testing/print_output.h"

#include <fmt/format.h>

#include "operator/decide/testing/snapshot_world.h"

namespace sj::op::decide::testing {
namespace {

std::string StepText(v1alpha1::GenerationStep step) {
  return step == v1alpha1::GenerationStep::kStarted ? "Started" : "Prepare";
}

void PrintStatus(const v1alpha1::StreamJobStatus& status, std::string& out) {
  out += fmt::format("phase {}\n", status.phase ? v1alpha1::ToString(*status.phase) : "none");
  for (const v1alpha1::Condition& condition : status.conditions) {
    const char* value = condition.status == v1alpha1::ConditionStatus::kTrue    ? "True"
                        : condition.status == v1alpha1::ConditionStatus::kFalse ? "False"
                                                                                : "Unknown";
    out += fmt::format("{}={} {} since {}: {}\n", condition.type, value, condition.reason,
                       base::FormatTime(condition.last_transition_time), condition.message);
  }
  if (status.generation) {
    const v1alpha1::GenerationStatus& g = *status.generation;
    out += fmt::format("generation {} {} spec={} plan={} replicas={} partitions={} used={}\n",
                       g.number, StepText(g.step), g.spec_hash,
                       g.plan_hash.empty() ? "?" : g.plan_hash, g.replicas,
                       base::DumpJson(Json(g.partitions)), g.ordinals_used);
    if (g.committed_partitions) {
      out += fmt::format("committed {}\n", base::DumpJson(Json(*g.committed_partitions)));
    }
    if (g.hand_over) {
      out += fmt::format("hand-over from generation {} of {}\n", g.hand_over->number,
                         Workers(g.hand_over->replicas));
    }
  }
  if (status.checkpoint) {
    out += fmt::format("checkpoint epoch={} failures={}\n", status.checkpoint->last_completed_epoch,
                       status.checkpoint->consecutive_failures);
  }
  if (status.lag) {
    out += fmt::format("lag {}\n", status.lag->records);
  }
  if (status.autoscaling) {
    const v1alpha1::AutoscalingStatus& a = *status.autoscaling;
    out += fmt::format("autoscaling decision={} current={} veto={}: {}\n", a.decision, a.current,
                       a.veto, a.message);
  }
  if (status.change) {
    out += fmt::format("change {} {} {} {}\n", status.change->spec_hash,
                       v1alpha1::ToString(status.change->verdict), status.change->change_class,
                       status.change->message);
  }
  if (status.stable) {
    out += fmt::format("stable {} generation={}\n", status.stable->spec_hash,
                       status.stable->generation);
  }
  if (status.trial) {
    out += fmt::format("trial generation={} since={} epoch={} restarts={}\n",
                       status.trial->generation, base::FormatTime(*status.trial->since),
                       status.trial->epoch, status.trial->restarts);
  }
  if (status.rollback) {
    out += fmt::format("rollback from {} to {}\n", status.rollback->spec_hash,
                       status.rollback->stable_hash);
  }
  if (status.cleanup) {
    out += fmt::format("cleanup {} since {}: {}\n", v1alpha1::ToString(status.cleanup->state),
                       base::FormatTime(*status.cleanup->since), status.cleanup->message);
  }
  if (status.restored_from) {
    out += fmt::format("restored from {}/{} at {}\n", status.restored_from->namespace_name,
                       status.restored_from->name, status.restored_from->location);
  }
  if (status.last_error) {
    out +=
        fmt::format("last error {}: {}\n", status.last_error->worker, status.last_error->message);
  }
}

void PrintDirective(const Directive& directive, std::string& out) {
  out += fmt::format("directive generation={} started={} drain={} wait={}", directive.generation,
                     directive.started_generation, directive.drain, directive.wait_reason);
  if (directive.assignment) {
    out += fmt::format(" replicas={} fence={} state={}", directive.assignment->replicas,
                       base::DumpJson(Json(directive.assignment->fence_ordinals)),
                       directive.assignment->state_hash);
    if (directive.assignment->hand_over_from > 0) {
      out += fmt::format(" handOver={}/{}", directive.assignment->hand_over_from,
                         directive.assignment->hand_over_replicas);
    }
    if (directive.assignment->restore_from) {
      out += fmt::format(" restoreFrom={}", directive.assignment->restore_from->location);
    }
  }
  if (directive.check) {
    out += fmt::format(" check={} by={}", directive.check->spec_hash, directive.check_ordinal);
  }
  if (directive.cleanup) {
    constexpr std::string_view kSteps[] = {"none", "notice", "stay", "begin"};
    const control::Remains& remove = directive.cleanup->remove;
    out += fmt::format(
        " cleanup={}{}{}{} ordinals={}", kSteps[static_cast<size_t>(directive.cleanup->step)],
        remove.checkpoints ? " checkpoints" : "", remove.exchange_topics ? " exchangeTopics" : "",
        remove.consumer_group ? " consumerGroup" : "", directive.cleanup->ordinals);
  }
  out += Print(directive.snapshot) + "\n";
}

}  // namespace

std::string Print(const Output& output) {
  std::string out;
  PrintStatus(output.status, out);
  out += fmt::format("write status: {}\n", output.status_changed ? "yes" : "no");
  for (const Action& action : output.actions) {
    out +=
        fmt::format("action {}{}\n", ToString(action), action.destructive ? " (destructive)" : "");
  }
  for (const Event& event : output.events) {
    out += fmt::format("event {} {}: {}\n", event.warning ? "Warning" : "Normal", event.reason,
                       event.message);
  }
  PrintDirective(output.directive, out);
  if (output.requeue_after) {
    out += fmt::format("requeue after {}\n", base::FormatDuration(*output.requeue_after));
  }
  if (output.defect) {
    out += fmt::format("DEFECT {}\n", *output.defect);
  }
  return out;
}

}  // namespace sj::op::decide::testing
