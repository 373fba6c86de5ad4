// SPDX-License-Identifier: Apache-2.0
// Everything a decision may look at, and nothing else: the job, its children as observed, the last
// report of each worker, the time, the operator's settings. Plain data; thread-compatible.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "api/base/clock.h"
#include "api/base/json.h"
#include "api/control/messages.h"
#include "api/v1alpha1/checks.h"
#include "api/v1alpha1/effective.h"
#include "api/v1alpha1/stream_job.h"
#include "api/v1alpha1/stream_job_json.h"
#include "api/v1alpha1/stream_job_snapshot.h"
#include "operator/autoscale/track.h"
#include "operator/resources/children.h"

namespace sj::op::decide {

using base::Json;
using base::Millis;
using base::WallTime;

struct Settings {
  v1alpha1::Defaults defaults;
  v1alpha1::Policy policy;
  resources::WorkerSettings worker;
  Millis drain_max{30'000};            // PREPARE waits so long for last epochs, then fences
  Millis stop_drain_max{60'000};       // the same for suspend and delete
  Millis delete_max{120'000};          // a deletion never waits longer than this
  Millis cleanup_alone_max{75'000};    // nor for other pods before it cleans up
  Millis silent_after{20'000};         // a worker that did not report for so long is lost
  Millis kubelet_late{5'000};          // a deletion not confirmed by then has no kubelet
  Millis status_refresh{60'000};       // how often numbers alone are worth a status write
  Millis resync{30'000};               // how often a job with pods is looked at
  Millis quiet_after{300'000};         // a generation that is well for so long is left alone,
  Millis quiet_resync{600'000};        // but for a look this often: events and reports wake it
  Millis checkpoint_late_min{30'000};  // an epoch older than this (or 10 intervals) is late
  int checkpoint_failures_max = 3;
  Millis preflight_max{30'000};  // an edit nobody has judged by then goes on unjudged
  // An unproven spec that is not ready is rolled back after so long: with a sign that waiting does
  // not help (its process exits, its image cannot be had, a worker refuses), and without one.
  Millis trouble_max{45'000};
  Millis ready_max{120'000};
  int crash_restarts_max = 3;  // of one pod of an unproven spec, ready in between or not
  int stable_epochs = 3;       // checkpoints a spec completes before it counts as stable
  // A change of replicas alone is handed over while the job runs; false: always a whole-job switch.
  bool hand_over = false;
  Millis prefetch_max{20'000};   // START of a hand-over waits so long for running workers
  Millis hand_over_max{30'000};  // PREPARE, and then START, wait so long before a whole-job switch
  Millis snapshot_max{7'200'000};  // one that is not taken by then has failed
};

// What exists for the job, found by the UID of the owner and never by name alone.
struct Children {
  std::optional<Json> service_account;
  std::optional<Json> service;
  std::optional<Json> stateful_set;
  std::optional<Json> disruption_budget;
  std::vector<Json> config_maps;
  std::vector<Json> pods;  // of the StatefulSet
  // A name we need is held by an object that is not ours: what it is, in words.
  std::optional<std::string> foreign;
};

struct SqlText {
  std::string text;
  std::optional<v1alpha1::Finding> problem;  // spec.sqlFrom could not be read
};

// The newest report of one ordinal.
struct WorkerReport {
  int ordinal = -1;
  std::string spec_hash;  // empty: it has not registered with this operator process
  std::string plan_hash;
  std::map<std::string, int> partitions;
  control::HeartbeatRequest beat;
  // The error of the incarnation before, kept until this one runs: a crash loop has one condition.
  std::optional<control::WorkerError> previous_error;
  WallTime seen_at{};
};

struct Input {
  const v1alpha1::StreamJob& job;
  const v1alpha1::Findings& read_findings;  // of reading the manifest
  const SqlText& sql;
  const Children& children;
  std::span<const WorkerReport> workers;
  WallTime now;
  WallTime leading_since;  // reports from before it are not known here
  const Settings& settings;
  std::string apply_error = "";  // what the API server said to the last pass; empty: nothing
  const autoscale::Track* track = nullptr;  // the autoscaler's memory; null: it decides nothing
  std::optional<control::SnapshotOrder> snapshot = {};  // what worker 0 is to do about snapshots
  // What was found under the name in spec.restoreFrom; null: nothing.
  const v1alpha1::StreamJobSnapshot* restore_from = nullptr;
};

}  // namespace sj::op::decide
