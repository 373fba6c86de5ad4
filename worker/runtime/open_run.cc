// SPDX-License-Identifier: Apache-2.0
// The start of an attempt, in the one order that is safe: connectors, fence, generation, committed
// positions, generation once more, state, start positions.
#include <algorithm>
#include <filesystem>

#include "api/base/failpoint.h"
#include "api/base/hash.h"
#include "api/base/log.h"
#include "worker/connect/traced_commit_log.h"
#include "worker/runtime/positions.h"
#include "worker/runtime/run_context.h"
#include "worker/runtime/snapshot_restore.h"
#include "worker/runtime/unit_prefetch.h"

namespace sj::worker::runtime {
namespace {

base::Status OpenConnectors(const Connectors& make, RunContext* run) {
  const JobConfig& config = *run->config;
  run->bounded = true;
  for (size_t i = 0; i < config.plan.tables.size(); ++i) {
    const types::TableSpec& table = config.plan.tables[i];
    run->sources.emplace_back();
    run->sinks.emplace_back();
    if (Reads(config.plan, static_cast<int>(i))) {
      SJ_ASSIGN_OR_RETURN(run->sources[i], make.source(table, config.connect));
      run->bounded = run->bounded && run->sources[i]->bounded();
    }
    if (Writes(config.plan, static_cast<int>(i))) {
      SJ_ASSIGN_OR_RETURN(run->sinks[i], make.sink(table, config.connect));
    }
  }
  return base::OkStatus();
}

// The assignment's count when there is one: it is fixed for the generation, whatever the topic
// gained.
base::Status CountPartitions(RunContext* run) {
  for (size_t i = 0; i < run->sources.size(); ++i) {
    if (run->sources[i] == nullptr) {
      continue;
    }
    SJ_ASSIGN_OR_RETURN(int count, run->sources[i]->PartitionCount());
    auto assigned = run->config->partitions.find(run->sources[i]->topic());
    if (assigned != run->config->partitions.end()) {
      if (assigned->second > count) {
        return base::Corrupt("open topic \"" + run->sources[i]->topic() + "\": it has " +
                             std::to_string(count) + " partitions, the job was started with " +
                             std::to_string(assigned->second) + "; it was deleted and made anew");
      }
      count = assigned->second;
    }
    run->partition_counts[static_cast<int>(i)] = count;
  }
  return base::OkStatus();
}

void AddInstances(const RunContext& run, const plan::Fragment& sender, EdgeInfo* edge) {
  if (sender.input == plan::InputKind::kSource) {
    const std::string& topic = run.sources[sender.table]->topic();
    for (int p = 0; p < run.partition_counts.at(sender.table); ++p) {
      edge->instances.push_back(InstanceName(topic, p));
    }
    return;
  }
  const EdgeInfo& earlier = run.edges[sender.edge];
  edge->depth = std::max(edge->depth, earlier.depth + 1);
  for (int shard = 0; shard < run.own.shards; ++shard) {
    edge->instances.push_back(InstanceName(earlier.topic, shard));
  }
}

void DescribeEdges(RunContext* run) {
  const plan::PhysicalPlan& plan = run->config->plan;
  for (const plan::Edge& edge : plan.edges) {
    EdgeInfo info;
    info.edge = &edge;
    info.topic = connect::ExchangeTopic(run->config->connect, edge.id);
    for (const plan::Fragment& fragment : plan.fragments) {
      if (fragment.input == plan::InputKind::kEdge && fragment.edge == edge.id) {
        info.receiver = &fragment;
      }
      for (const plan::PhysicalOp& op : fragment.ops) {
        if (op.kind == plan::OpKind::kSendEdge && op.edge == edge.id) {
          AddInstances(*run, fragment, &info);
        }
      }
    }
    run->depths = std::max(run->depths, info.depth + 1);
    run->edges.push_back(std::move(info));
  }
}

base::Status OpenLogs(const Connectors& make, RunContext* run) {
  const JobConfig& config = *run->config;
  SJ_ASSIGN_OR_RETURN(run->log, make.commit_log(TablesOf(*run), config.connect));
  if (run->log != nullptr) {
    if (config.store.location.empty()) {
      return base::InvalidArgument(
          "start the job: a job on Kafka needs spec.checkpoint.location (s3:// or file://)");
    }
    if (run->edges.empty()) {
      return base::OkStatus();
    }
    SJ_ASSIGN_OR_RETURN(run->exchange, make.exchange_log(TablesOf(*run), config.connect));
    std::vector<std::string> topics;
    for (const EdgeInfo& edge : run->edges) {
      topics.push_back(edge.topic);
    }
    return run->exchange->EnsureTopics(topics, config.shards);
  }
  if (config.replicas > 1) {
    return base::InvalidArgument(
        "start the job: without a Kafka table it can only run as one worker; set spec.replicas to "
        "1");
  }
  constexpr std::string_view kFile = "file://";
  if (config.store.location.starts_with(kFile)) {
    std::string directory = config.store.location.substr(kFile.size()) + "/" + config.job_uid;
    SJ_ASSIGN_OR_RETURN(run->log, connect::OpenFileCommitLog(directory));
    return base::OkStatus();
  }
  run->log = connect::MakeMemoryCommitLog();
  return base::OkStatus();
}

// For names nobody used before.
std::string Incarnation(const JobConfig& config) {
  return config.incarnation.empty() ? base::RandomHex(4) : config.incarnation;
}

base::Status OpenState(const Connectors& make, RunContext* run) {
  const JobConfig& config = *run->config;
  state::StateStoreOptions options;
  options.directory = config.scratch_directory + "/state";
  SJ_ASSIGN_OR_RETURN(run->state, make.state_store(options));
  if (config.store.location.empty()) {
    return base::OkStatus();
  }
  SJ_ASSIGN_OR_RETURN(run->objects, make.object_store(config.store));
  checkpoint::CheckpointerOptions checkpoint;
  checkpoint.identity = {config.job_uid, config.plan.state_hash, config.generation,
                         config.ordinal, Incarnation(config),    config.max_parallelism,
                         config.shards};
  checkpoint.directory = config.scratch_directory + "/chunks";
  checkpoint.retain = config.checkpoints_retained;
  SJ_ASSIGN_OR_RETURN(run->checkpointer,
                      checkpoint::Checkpointer::Open(checkpoint, run->objects.get()));
  return base::OkStatus();
}

void Reach(RunStage stage, const JobHooks& hooks) {
  if (hooks.on_stage) {
    hooks.on_stage(stage);
  }
}

base::Status FenceAndRestore(RunContext* run, const JobHooks& hooks) {
  run->log = connect::Traced(std::move(run->log), {&run->generation, run->config->ordinal});
  Reach(RunStage::kFence, hooks);
  SJ_RETURN_IF_ERROR(run->log->Fence(run->config->fence_ordinals));
  // What needs no positions comes before START: nobody stands still for it then.
  Reach(RunStage::kStore, hooks);
  SJ_RETURN_IF_ERROR(OpenState(hooks.connectors, run));
  if (run->config->hand_over && run->checkpointer != nullptr) {
    UnitPrefetch::FetchNow(hooks.connectors, run);
  }
  Reach(RunStage::kGeneration, hooks);
  if (hooks.check_generation) {
    SJ_RETURN_IF_ERROR(hooks.check_generation());
  }
  Reach(RunStage::kOffsets, hooks);
  SJ_ASSIGN_OR_RETURN(Positions positions,
                      run->config->hand_over ? AwaitReleases(run, hooks) : ReadPositions(run));
  SJ_RETURN_IF_ERROR(base::Failpoint("run.before_restore"));
  if (hooks.confirm_generation) {
    Reach(RunStage::kGeneration, hooks);
    SJ_RETURN_IF_ERROR(hooks.confirm_generation());
  }
  if (run->checkpointer == nullptr) {
    positions = {{}, InputsOf(*run, UnitsOf(run->own, run->partition_counts))};
  }
  if (run->config->restore_from && run->checkpointer != nullptr && !positions.missing.empty()) {
    Reach(RunStage::kRestore, hooks);
    SJ_RETURN_IF_ERROR(ImportSnapshot(hooks.connectors, run, &positions));
  }
  if (!positions.committed.empty()) {
    Reach(RunStage::kRestore, hooks);
    SJ_ASSIGN_OR_RETURN(run->restored,
                        run->checkpointer->Restore(positions.committed, run->state.get()));
    base::LogInfo("restored", {{"epoch", run->restored.epoch},
                               {"objects", run->restored.objects},
                               {"bytes", run->restored.bytes}});
  } else if (run->objects != nullptr) {
    Reach(RunStage::kStore, hooks);
    SJ_RETURN_IF_ERROR(store::ProbeObjectStore(
        *run->objects, run->config->job_uid + "/probe/" + Incarnation(*run->config)));
  }
  SJ_RETURN_IF_ERROR(StartSources(run, positions));
  return StartShards(run, positions);
}

}  // namespace

UsedTables TablesOf(const RunContext& run) {
  UsedTables used;
  for (size_t i = 0; i < run.sources.size(); ++i) {
    if (run.sources[i] != nullptr || run.sinks[i] != nullptr) {
      used.push_back(&run.config->plan.tables[i]);
    }
  }
  return used;
}

base::Status DescribeRun(const Connectors& make, RunContext* run) {
  SJ_RETURN_IF_ERROR(OpenConnectors(make, run));
  SJ_RETURN_IF_ERROR(CountPartitions(run));
  DescribeEdges(run);
  return base::OkStatus();
}

base::Result<std::map<std::string, int>> AskPartitions(const JobConfig& config) {
  RunContext run;
  run.config = &config;
  SJ_RETURN_IF_ERROR(OpenConnectors(RealConnectors(), &run));
  std::map<std::string, int> counts;
  for (auto& source : run.sources) {
    if (source != nullptr) {
      SJ_ASSIGN_OR_RETURN(counts[source->topic()], source->PartitionCount());
    }
  }
  return counts;
}

base::Status CheckTopics(const JobConfig& config) {
  RunContext run;
  run.config = &config;
  SJ_RETURN_IF_ERROR(OpenConnectors(RealConnectors(), &run));
  for (auto& source : run.sources) {
    if (source != nullptr) {
      SJ_RETURN_IF_ERROR(source->PartitionCount().status());
    }
  }
  for (auto& sink : run.sinks) {
    if (sink != nullptr) {
      SJ_RETURN_IF_ERROR(sink->Check());
    }
  }
  return base::OkStatus();
}

void RunContext::Fail(base::Status status) {
  {
    std::lock_guard<std::mutex> lock(mu);
    if (failure.ok()) {
      failure = std::move(status);
    }
    failed.store(true);
    changed.notify_all();
  }
  WakeAll();
}

void RunContext::WakeAll() {
  for (auto& port : ports) {
    port->waker.Wake();
  }
}

base::Result<std::unique_ptr<RunContext>> OpenRun(const JobConfig& config, const JobHooks& hooks,
                                                  const base::Clock& clock,
                                                  const std::atomic<bool>* stop) {
  auto run = std::make_unique<RunContext>();
  run->config = &config;
  run->clock = &clock;
  run->stop_asked = stop;
  run->generation = config.generation;
  run->own = {config.replicas, config.ordinal, config.threads, config.shards,
              config.max_parallelism};
  for (int t = 0; t < config.threads; ++t) {
    run->ports.push_back(std::make_unique<ThreadPort>());
    run->channels.emplace_back();
    for (int to = 0; to < config.threads; ++to) {
      run->channels[t].push_back(t == to ? nullptr : std::make_unique<Channel>());
    }
  }
  Reach(RunStage::kConnect, hooks);
  SJ_RETURN_IF_ERROR(DescribeRun(hooks.connectors, run.get()));
  run->gate.Init(run->depths);
  run->placement = Placement(run->own, run->partition_counts);
  for (auto& sink : run->sinks) {
    if (sink != nullptr) {
      SJ_RETURN_IF_ERROR(sink->Check());
    }
  }
  SJ_RETURN_IF_ERROR(OpenLogs(hooks.connectors, run.get()));
  SJ_RETURN_IF_ERROR(FenceAndRestore(run.get(), hooks));
  return run;
}

}  // namespace sj::worker::runtime
