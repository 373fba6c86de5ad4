// SPDX-License-Identifier: Apache-2.0
// See spec_check.h.
#include "worker/main/spec_check.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>

#include "api/v1alpha1/effective.h"
#include "api/v1alpha1/manifest_file.h"
#include "api/v1alpha1/stream_job_json.h"
#include "worker/runtime/run_context.h"

namespace sj::worker {
namespace {

using runtime::RunStage;

constexpr size_t kMessageMax = 1024;

SpecLook Refused(const std::string& hash, std::string_view reason, const base::Status& status) {
  SpecLook look;
  look.verdict = {hash, false, std::string(reason), status.message().substr(0, kMessageMax)};
  look.again = status.kind() != base::ErrorKind::kInvalidArgument;
  return look;
}

// State of one number of shards is not read as another.
std::string ShardsChange(int before, int after) {
  return before == after ? ""
                         : fmt::format("spec.shards: the state was written with {} shards, not {}",
                                       before, after);
}

// A Secret that the edit is the first to name is not mounted in this pod.
std::string MissingSecret(const v1alpha1::StreamJob& job, const SetupOptions& options) {
  for (const v1alpha1::Connection& connection : job.spec.connections) {
    if (!connection.kafka || !connection.kafka->secret_ref) {
      continue;
    }
    const std::string& name = connection.kafka->secret_ref->name;
    std::error_code ignored;
    if (!std::filesystem::exists(options.secrets_directory + "/" + name, ignored)) {
      return name;
    }
  }
  return "";
}

}  // namespace

base::Result<JobDiff> DiffJobs(const v1alpha1::StreamJob& before,
                               const v1alpha1::StreamJob& after) {
  base::Result<plan::PhysicalPlan> was = PlanJob(before);
  if (!was.ok()) {
    return std::move(was).status().WithContext("plan the old job");
  }
  base::Result<plan::PhysicalPlan> is = PlanJob(after);
  if (!is.ok()) {
    return std::move(is).status().WithContext("plan the new job");
  }
  JobDiff diff;
  diff.spec =
      v1alpha1::CompareSpecs(v1alpha1::SpecToJson(before.spec), v1alpha1::SpecToJson(after.spec));
  diff.plan = plan::DiffPlans(*was, *is);
  const int shards = v1alpha1::Effective(before.spec, v1alpha1::Defaults{}).shards;
  diff.shards = ShardsChange(shards, v1alpha1::Effective(after.spec, v1alpha1::Defaults{}).shards);
  return diff;
}

std::string Describe(const JobDiff& diff) {
  const std::string_view change =
      diff.compatible() ? v1alpha1::ToString(diff.spec.change) : "state-incompatible";
  return fmt::format(
      "class: {}\nchanged: {}\n{}{}", change,
      diff.spec.fields.empty() ? "nothing" : fmt::format("{}", fmt::join(diff.spec.fields, ", ")),
      diff.shards.empty() ? "" : diff.shards + "\n", plan::Describe(diff.plan));
}

SpecLook LookAtSpec(const sj::control::SpecCheck& check, const RunningSpec& running,
                    const SetupOptions& options) {
  const base::Result<v1alpha1::StreamJob> job =
      v1alpha1::ReadManifest(check.manifest, "manifest.json");
  if (!job.ok()) {
    return Refused(check.spec_hash, "ManifestInvalid", job.status());
  }
  const base::Result<runtime::JobConfig> config = MakeConfig(*job, options);
  if (!config.ok()) {
    return Refused(check.spec_hash, runtime::ReasonOf(RunStage::kPlan, config.status()),
                   config.status());
  }
  if (const base::Status options_ok = CheckConnectors(*config); !options_ok.ok()) {
    return Refused(check.spec_hash, runtime::ReasonOf(RunStage::kConnect, options_ok), options_ok);
  }
  const plan::PlanDiff diff = plan::DiffPlans(running.plan, config->plan);
  const std::string shards = ShardsChange(running.shards, config->shards);
  if (!diff.compatible || !shards.empty()) {
    return Refused(check.spec_hash, "StateIncompatible",
                   base::InvalidArgument(diff.compatible ? shards : plan::Summary(diff)));
  }
  SpecLook look;
  look.verdict = {check.spec_hash, true, "", plan::Summary(diff)};
  if (const std::string secret = MissingSecret(*job, options); !secret.empty()) {
    look.verdict.message += fmt::format(
        "; its topics were not looked at, because Secret \"{}\" is not mounted yet", secret);
    return look;
  }
  if (const base::Status topics = runtime::CheckTopics(*config); !topics.ok()) {
    look = Refused(check.spec_hash, runtime::ReasonOf(RunStage::kConnect, topics), topics);
    look.again = true;
  }
  return look;
}

SpecChecker::SpecChecker(Look look, Tell tell, base::Millis again_after)
    : look_(std::move(look)),
      tell_(std::move(tell)),
      again_after_(again_after),
      thread_([this] { Run(); }) {
}

SpecChecker::~SpecChecker() {
  {
    std::lock_guard<std::mutex> lock(mu_);
    stopping_ = true;
    changed_.notify_all();
  }
  thread_.join();
}

void SpecChecker::Ask(std::optional<sj::control::SpecCheck> check) {
  std::lock_guard<std::mutex> lock(mu_);
  wanted_ = std::move(check);
  news_ = true;
  again_ = false;
  changed_.notify_all();
}

void SpecChecker::Run() {
  std::unique_lock<std::mutex> lock(mu_);
  while (!stopping_) {
    if (!news_ && again_) {
      changed_.wait_for(lock, again_after_, [this] { return stopping_ || news_; });
    } else {
      changed_.wait(lock, [this] { return stopping_ || news_; });
    }
    if (stopping_) {
      return;
    }
    news_ = false;
    again_ = false;
    if (!wanted_) {
      continue;
    }
    const sj::control::SpecCheck check = *wanted_;
    lock.unlock();
    const SpecLook look = look_(check);
    lock.lock();
    if (stopping_ || news_) {
      continue;  // nobody asks about this one any more
    }
    again_ = look.again;
    lock.unlock();
    tell_(look.verdict);
    lock.lock();
  }
}

}  // namespace sj::worker
