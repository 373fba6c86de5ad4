// SPDX-License-Identifier: Apache-2.0
// See wire_report.h.
#include "worker/control/wire_report.h"

namespace sj::worker::control {

namespace wire = sj::control;
using runtime::JobPhase;

wire::InputReport ReportOf(const runtime::InputLoad& load) {
  wire::InputReport report;
  report.threads = load.threads;
  report.keyed = load.keyed;
  report.partitions = load.partitions;
  report.busiest_ratio = load.busiest_ratio;
  report.back_pressure_ratio = load.back_pressure_ratio;
  report.lag_time_ms = load.lag_time_ms;
  report.blocked_partitions = load.blocked_partitions;
  report.blocked_for = base::Millis(load.blocked_for_ms);
  report.unstable_records = load.unstable_records;
  for (const runtime::PartitionLoad& partition : load.hottest) {
    report.hottest.push_back(
        {partition.topic, partition.partition, partition.lag, partition.arrival_rate});
  }
  return report;
}

wire::WorkerPhase PhaseOf(JobPhase phase) {
  switch (phase) {
    case JobPhase::kStarting:
      return wire::WorkerPhase::kStarting;
    case JobPhase::kRestoring:
      return wire::WorkerPhase::kRestoring;
    case JobPhase::kRunning:
      return wire::WorkerPhase::kRunning;
    case JobPhase::kDraining:
      return wire::WorkerPhase::kDraining;
    case JobPhase::kStopped:
      return wire::WorkerPhase::kStopped;
    case JobPhase::kCompleted:
      return wire::WorkerPhase::kCompleted;
    case JobPhase::kFailed:
      return wire::WorkerPhase::kFailed;
  }
  return wire::WorkerPhase::kFailed;
}

}  // namespace sj::worker::control
