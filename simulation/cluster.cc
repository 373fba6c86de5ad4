// SPDX-License-Identifier: Apache-2.0
// The run, the chaos and the promises. The Kubernetes part is in kubelet.cc.
#include "simulation/cluster.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/v1alpha1/stream_job_json.h"

namespace sj::simulation {
namespace {

using base::Json;

constexpr int kReplicasMax = 3;
constexpr int kShards = 4;
constexpr Nanos kRestWithin = seconds(600);
constexpr Nanos kLook = seconds(1);

}  // namespace

Cluster::Cluster(const ClusterOptions& options)
    : world_(options.seed, options.log),
      kafka_(&world_),
      store_(&world_, &kafka_),
      api_(world_),
      workload_(&world_, 12 + static_cast<int>(world_.Random(28)),
                static_cast<int>(world_.Random(20))),
      directory_(options.directory),
      hand_over_(options.hand_over) {
  api_.SetWatchBlocks(false);
  kafka_.CreateTopic(kEvents, kEventPartitions);
  kafka_.CreateTopic(kLog, kLogPartitions);
  kafka_.CreateTopic(kCounts, 1);
  kafka_.CreateTopic(kCopy, 1);
}

Cluster::~Cluster() {
  world_.KillAll();
}

// Half of all kinds of faults in a run, each with a weight of its own.
void Cluster::DrawFaults() {
  FaultPlan& plan = world_.faults();
  const auto draw = [this](double most) {
    return world_.Chance(0.5) ? 0.0 : most * static_cast<double>(1 + world_.Random(100)) / 100;
  };
  // At each look of the chaos, about every two seconds.
  for (Fault fault : {Fault::kWorkerCrash, Fault::kZombie, Fault::kNodeLost, Fault::kCutControl,
                      Fault::kCutKafka, Fault::kCutStore}) {
    plan[fault] = draw(0.15);
  }
  plan[Fault::kTwoLeaders] = draw(0.1);
  plan[Fault::kNoLeader] = draw(0.05);
  plan[Fault::kStaleStore] = draw(0.1);
  plan[Fault::kEdit] = 0.05 + draw(0.3);
  if (hand_over_) {  // many are begun, and most faults leave room for some to end
    plan[Fault::kEdit] = 0.3;
    for (Fault fault : {Fault::kWorkerCrash, Fault::kZombie, Fault::kNodeLost, Fault::kCutControl,
                        Fault::kCutKafka, Fault::kCutStore}) {
      plan[fault] *= 0.4;
    }
  }
  // At each call.
  plan[Fault::kCrashAtCall] = draw(0.01);
  plan[Fault::kRequestLost] = draw(0.02);
  plan[Fault::kAnswerLost] = draw(0.02);
  plan[Fault::kSlow] = draw(0.05);
  plan[Fault::kStoreAnswerLost] = draw(0.1);
  plan[Fault::kStoreSlow] = draw(0.15);
  plan[Fault::kCommitTwice] = draw(0.2);
  plan[Fault::kCommitUnknown] = draw(0.15);
  plan[Fault::kOperatorCrash] = draw(0.03);
  plan[Fault::kApiConflict] = draw(0.1);
  plan[Fault::kApiError] = draw(0.1);
  plan[Fault::kApiAnswerLost] = draw(0.1);
  plan[Fault::kStaleList] = draw(0.9);
}

void Cluster::Run() {
  DrawFaults();
  CreateJob();
  StartReplica(0);
  StartReplica(1);
  Elect();
  faults_until_ = seconds(20 + static_cast<int64_t>(world_.Random(60)));
  FeedInput();
  world_.After(seconds(2), [this] { Chaos(); });
  world_.Run(faults_until_);
  Heal();
  const Nanos end = world_.now() + kRestWithin;
  while (world_.violation().empty() && world_.now() < end) {
    world_.Run(world_.now() + kLook);
    if (world_.violation().empty() && AtRest()) {
      return;
    }
  }
  if (world_.violation().empty()) {
    world_.Violation("no rest after all faults have ended: " + failed_why_);
  }
}

void Cluster::CreateJob() {
  wanted_replicas_ = 1 + static_cast<int>(world_.Random(kReplicasMax));
  const Json job =
      api_.Put(kube::kStreamJobs, {{"apiVersion", "streamjob.io/v1alpha1"},
                                   {"kind", "StreamJob"},
                                   {"metadata", {{"name", key_.name}, {"namespace", key_.ns}}},
                                   {"spec",
                                    {{"sql", JobSql()},
                                     {"replicas", wanted_replicas_},
                                     {"maxParallelism", 8},
                                     {"shards", kShards}}}});
  uid_ = kube::UidOf(job);
}

void Cluster::FeedInput() {
  if (fed_ >= workload_.records().size()) {
    return;
  }
  const InputRecord& record = workload_.records()[fed_++];
  kafka_.Append(record.topic, record.partition, record.value);
  const Nanos mean = faults_until_ / static_cast<int64_t>(workload_.records().size());
  world_.After(world_.Between(Nanos(0), 2 * mean), [this] { FeedInput(); });
}

std::vector<Worker*> Cluster::Living() {
  std::vector<Worker*> living;
  for (const auto& worker : workers_) {
    if (!worker->process()->dead) {
      living.push_back(worker.get());
    }
  }
  return living;
}

void Cluster::Chaos() {
  if (world_.healed()) {
    return;
  }
  world_.After(world_.Between(milliseconds(500), seconds(4)), [this] { Chaos(); });
  if (world_.Chance(0.1)) {
    snapshots_.push_back(Take());
  }
  HitWorker();
  CutSomebody(Fault::kCutControl, Service::kControl);
  CutSomebody(Fault::kCutKafka, Service::kKafka);
  CutSomebody(Fault::kCutStore, Service::kStore);
  if (world_.Strikes(Fault::kTwoLeaders)) {
    for (Seat& seat : seats_) {
      if (seat.replica != nullptr && !seat.replica->leads()) {
        seat.replica->Lead(true);
      }
    }
    world_.After(world_.Between(seconds(1), seconds(30)), [this] { Elect(); });
  } else if (world_.Strikes(Fault::kNoLeader)) {
    for (Seat& seat : seats_) {
      if (seat.replica != nullptr && seat.replica->leads()) {
        seat.replica->Lead(false);
      }
    }
    world_.After(world_.Between(seconds(1), seconds(20)), [this] { Elect(); });
  }
  if (world_.Strikes(Fault::kStaleStore)) {
    Seat& seat = seats_[world_.Random(2)];
    if (seat.replica != nullptr) {
      seat.replica->StopInformer(world_.Between(seconds(1), seconds(40)));
    }
  }
  if (Pinned() && world_.Strikes(Fault::kEdit)) {
    Edit();
  }
}

// Every unit of the job has been committed once. An edit before that can leave a job whose workers
// refuse to start (README.md, "What is known").
bool Cluster::Pinned() {
  for (const auto& [topic, partitions] :
       {std::pair(std::string(kEvents), kEventPartitions),
        std::pair(std::string(kLog), kLogPartitions), std::pair("sim." + uid_ + ".x0", kShards)}) {
    for (int p = 0; p < partitions; ++p) {
      if (kafka_.Committed(InputPartition{topic, p}).offset < 0) {
        return false;
      }
    }
  }
  return true;
}

void Cluster::HitWorker() {
  const std::vector<Worker*> living = Living();
  if (living.empty()) {
    return;
  }
  Worker* worker = living[world_.Random(living.size())];
  if (world_.Strikes(Fault::kWorkerCrash)) {
    world_.Kill(worker->process());
    return;
  }
  if (world_.Strikes(Fault::kZombie)) {
    const Nanos time = world_.Between(seconds(1), seconds(80));
    world_.Log(fmt::format("{} stands still for {} s", worker->process()->name,
                           std::chrono::duration_cast<seconds>(time).count()));
    world_.Pause(worker->process(), time);
  }
  if (world_.Strikes(Fault::kNodeLost)) {
    LoseNode();
  }
}

void Cluster::CutSomebody(Fault fault, Service service) {
  const std::vector<Worker*> living = Living();
  if (living.empty() || !world_.Strikes(fault)) {
    return;
  }
  Cut(living[world_.Random(living.size())]->process(), fault, service);
}

void Cluster::Cut(Process* process, Fault fault, Service service) {
  world_.Log(process->name + ": " + std::string(ToString(fault)));
  process->cut[static_cast<int>(service)] = true;
  world_.After(world_.Between(seconds(1), seconds(40)),
               [process, service] { process->cut[static_cast<int>(service)] = false; });
}

// Somebody who works on and does not hear of a change, or sleeps over it.
void Cluster::MissEdit() {
  const std::vector<Worker*> living = Living();
  if (living.empty() || !world_.Chance(0.5)) {
    return;
  }
  Process* process = living[world_.Random(living.size())]->process();
  if (world_.Chance(0.7)) {
    world_.counts()[Fault::kCutControl] += 1;
    Cut(process, Fault::kCutControl, Service::kControl);
    return;
  }
  world_.counts()[Fault::kZombie] += 1;
  world_.Log(process->name + " sleeps over the edit");
  world_.Pause(process, world_.Between(seconds(1), seconds(40)));
}

void Cluster::Edit() {
  Json spec = Json::object();
  const uint64_t what = world_.Random(hand_over_ ? 7 : 10);
  if (what < 6) {
    const int was = wanted_replicas_;
    do {
      wanted_replicas_ = 1 + static_cast<int>(world_.Random(kReplicasMax));
    } while (hand_over_ && wanted_replicas_ == was);
    spec["replicas"] = wanted_replicas_;
  } else if (what < 8) {
    spec["restartNonce"] = ++restarts_asked_;
  } else {
    wanted_running_ = !wanted_running_;
    spec["state"] = wanted_running_ ? "Running" : "Suspended";
  }
  world_.Log("edit " + spec.dump());
  MissEdit();
  (void)api_.MergePatch(kube::kStreamJobs, key_, {{"spec", spec}});
  AfterWrite();
}

void Cluster::Heal() {
  world_.Heal();
  for (; fed_ < workload_.records().size(); ++fed_) {
    const InputRecord& record = workload_.records()[fed_];
    kafka_.Append(record.topic, record.partition, record.value);
  }
  for (const InputRecord& record : workload_.Last()) {
    kafka_.Append(record.topic, record.partition, record.value);
  }
  wanted_running_ = true;
  (void)api_.MergePatch(kube::kStreamJobs, key_,
                        {{"spec", {{"replicas", wanted_replicas_}, {"state", "Running"}}}});
  AfterWrite();
  world_.After(seconds(5), [this] {
    for (Worker* orphan : orphans_) {
      world_.Kill(orphan->process());
    }
    Elect();
  });
}

bool Cluster::AtRest() {
  const auto counts = kafka_.Committed(kCounts);
  const auto copy = kafka_.Committed(kCopy);
  const std::string wrong = workload_.Check(counts, copy, false);
  if (!wrong.empty()) {
    world_.Violation(wrong);
    return false;
  }
  failed_why_ = workload_.Check(counts, copy, true);
  if (!failed_why_.empty()) {
    return false;
  }
  for (const auto& [topic, partitions] :
       {std::pair(kEvents, kEventPartitions), std::pair(kLog, kLogPartitions)}) {
    for (int p = 0; p < partitions; ++p) {
      if (kafka_.Committed(InputPartition{topic, p}).offset != kafka_.End({topic, p})) {
        failed_why_ = fmt::format("{}/{} is not committed to its end", topic, p);
        return false;
      }
    }
  }
  const auto job = Job();
  const v1alpha1::StreamJobStatus& status = job->status;
  const bool started =
      status.generation && status.generation->step == v1alpha1::GenerationStep::kStarted &&
      status.generation->replicas == wanted_replicas_ && !status.generation->hand_over;
  const v1alpha1::Condition* ready = v1alpha1::FindCondition(status, v1alpha1::kReady);
  const bool is_ready = ready != nullptr && ready->status == v1alpha1::ConditionStatus::kTrue;
  if (!started || status.phase != v1alpha1::Phase::kRunning || !is_ready) {
    failed_why_ = fmt::format(
        "phase {}, ready {}, {} wanted", status.phase ? v1alpha1::ToString(*status.phase) : "none",
        ready != nullptr ? ready->reason + ": " + ready->message : "none", wanted_replicas_);
    return false;
  }
  if (static_cast<int>(pods_.size()) != wanted_replicas_) {
    failed_why_ = fmt::format("{} pods, {} wanted", pods_.size(), wanted_replicas_);
    return false;
  }
  return true;
}

std::optional<v1alpha1::StreamJob> Cluster::Job() {
  auto object = api_.Get(kube::kStreamJobs, key_, kube::Read::kQuorum);
  if (!object.ok()) {
    return std::nullopt;
  }
  return v1alpha1::ReadStreamJob(*object).job;
}

// A generation's number stands for one assignment, for ever, and only rises.
void Cluster::CheckStatus() {
  auto object = api_.Get(kube::kStreamJobs, key_, kube::Read::kQuorum);
  if (!object.ok() || kube::ResourceVersionOf(*object) == last_version_) {
    return;
  }
  last_version_ = kube::ResourceVersionOf(*object);
  const v1alpha1::StreamJob job = v1alpha1::ReadStreamJob(*object).job;
  if (!job.status.generation) {
    return;
  }
  const v1alpha1::GenerationStatus& now = *job.status.generation;
  if (now.number < highest_) {
    world_.Violation(fmt::format("generation {} after {}", now.number, highest_));
  }
  highest_ = std::max(highest_, now.number);
  auto [it, first] = generations_.emplace(now.number, now);
  v1alpha1::GenerationStatus& was = it->second;
  if (first) {
    world_.Log(fmt::format("generation {} of {}{}", now.number, now.replicas,
                           now.hand_over ? ", by hand-over" : ""));
    hand_overs_ += now.hand_over ? 1 : 0;
    return;
  }
  const bool planned = !was.plan_hash.empty();
  if (was.replicas != now.replicas || was.spec_hash != now.spec_hash || was.shards != now.shards ||
      was.ordinals_used != now.ordinals_used || (planned && was.partitions != now.partitions)) {
    world_.Violation(fmt::format("generation {} changes after it was written", now.number));
  }
  if (was.step != now.step) {
    world_.Log(fmt::format("generation {} started", now.number));
  }
  if (was.hand_over && !now.hand_over) {
    handed_over_ += 1;
    world_.Log(fmt::format("generation {} is handed over", now.number));
  }
  if (!was.hand_over && now.hand_over) {
    world_.Violation(fmt::format("generation {} becomes a hand-over late", now.number));
  }
  was = now;
}

// What it says of a hand-over, and of what was ever committed, has its time.
void Cluster::CheckAssignment(control::Assignment assignment) {
  const int gone_later = std::max(assignment.replicas, assignment.hand_over_replicas);
  for (int i = gone_later - 1; i >= assignment.replicas; --i) {
    assignment.fence_ordinals.insert(assignment.fence_ordinals.begin(), i);
  }
  assignment.hand_over_from = 0;
  assignment.hand_over_replicas = 0;
  assignment.committed_partitions.reset();
  auto [it, first] = assignments_.emplace(assignment.generation, assignment);
  if (!first && !(it->second == assignment)) {
    world_.Violation(
        fmt::format("two assignments of generation {} are handed out", assignment.generation));
  }
}

// An owner can always restore: no fault here damages or removes an object. Who is no owner any more
// may find anything.
void Cluster::CheckError(const Worker* worker, const base::Status& status) {
  const bool external = status.kind() == base::ErrorKind::kUnavailable ||
                        status.kind() == base::ErrorKind::kCancelled ||
                        status.kind() == base::ErrorKind::kFenced;
  auto pod = pods_.find(worker->setup().ordinal);
  const std::string id = fmt::format("{}.{}.a", uid_, worker->setup().ordinal);
  const bool current = pod != pods_.end() && pod->second.worker == worker &&
                       worker->generation() == highest_ &&
                       kafka_.HolderOf(id) == worker->instance();
  if (!external && (current || status.kind() == base::ErrorKind::kInternal)) {
    world_.Violation(fmt::format("worker {}-{}: {}", worker->setup().ordinal,
                                 worker->setup().number, status.ToString()));
  }
}

}  // namespace sj::simulation
