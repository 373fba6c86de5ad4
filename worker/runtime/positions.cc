// SPDX-License-Identifier: Apache-2.0
// See positions.h. Reads of the group's committed offsets, which are all stable ones.
#include "worker/runtime/positions.h"

#include <algorithm>

#include "api/base/log.h"

namespace sj::worker::runtime {
namespace {

constexpr std::chrono::milliseconds kLookAgainMin{20};
constexpr std::chrono::milliseconds kLookAgainMax{200};

base::Result<Positions> ReadCommitted(RunContext* run, std::vector<CommittedRef> inputs) {
  SJ_ASSIGN_OR_RETURN(const auto read, run->log->ReadCommitted(PartitionsOf(inputs)));
  return PositionsOf(std::move(inputs), read);
}

base::Status NoPosition(const types::InputPartition& partition) {
  return base::Corrupt("read committed offsets: partition " +
                       InstanceName(partition.topic, partition.partition) +
                       " has none although it was committed before; it expired or was deleted");
}

// Whether an epoch has committed this input before: a start at some default would lose or repeat
// records. Without an operator nobody remembers; then sources are judged by IsNew, later.
bool WasCommitted(const JobConfig& config, const CommittedRef& input, bool others_are) {
  const bool shard = input.edge >= 0;
  if (!config.committed_partitions) {
    return shard && others_are;  // every epoch commits all of a worker's inputs
  }
  if (shard) {
    return !config.committed_partitions->empty();
  }
  auto it = config.committed_partitions->find(input.partition.topic);
  return it != config.committed_partitions->end() && input.partition.partition < it->second;
}

// Whether no epoch can have known this source partition: the topic got it later. Every shard keeps
// a mark of each partition that sends to it, and a worker commits all its partitions at once. Where
// neither tells of the topic, nobody can say, and it is not new.
bool IsNew(const RunContext& run, const Positions& positions,
           const types::InputPartition& partition) {
  bool told = false;
  for (const CommittedRef& other : positions.committed) {
    if (other.partition.topic == partition.topic) {
      told = true;
      if (other.partition.partition > partition.partition) {
        return false;
      }
    }
  }
  const std::string instance = InstanceName(partition.topic, partition.partition);
  const std::string of_topic = InstanceName(partition.topic, 0);
  for (const checkpoint::ShardState& shard : run.restored.shards) {
    for (const auto& [edge, marks] : shard.senders) {
      told = told || marks.contains(of_topic);
      if (marks.contains(instance)) {
        return false;
      }
    }
  }
  return told;
}

void Pause(const JobHooks& hooks, std::chrono::milliseconds time) {
  if (hooks.cooperation != nullptr) {
    hooks.cooperation->Wait(time);
    return;
  }
  std::mutex mu;
  std::condition_variable never;
  std::unique_lock<std::mutex> lock(mu);
  never.wait_for(lock, time);
}

}  // namespace

std::vector<CommittedRef> InputsOf(const RunContext& run, const UnitSet& units) {
  std::vector<CommittedRef> inputs;
  for (const auto& [table, partitions] : units.partitions) {
    for (int p : partitions) {
      inputs.push_back({{run.sources[table]->topic(), p}, 0, "", -1, -1});
    }
  }
  for (const EdgeInfo& edge : run.edges) {
    for (int s : units.shards) {
      inputs.push_back({{edge.topic, s}, 0, "", edge.edge->id, s});
    }
  }
  return inputs;
}

std::vector<types::InputPartition> PartitionsOf(const std::vector<CommittedRef>& inputs) {
  std::vector<types::InputPartition> partitions;
  for (const CommittedRef& input : inputs) {
    partitions.push_back(input.partition);
  }
  return partitions;
}

Positions PositionsOf(std::vector<CommittedRef> inputs,
                      const std::vector<connect::CommittedPosition>& read) {
  std::map<types::InputPartition, const connect::CommittedPosition*> by_partition;
  for (const connect::CommittedPosition& position : read) {
    by_partition[position.partition] = &position;
  }
  Positions result;
  for (CommittedRef& input : inputs) {
    const connect::CommittedPosition* position = by_partition[input.partition];
    if (position == nullptr || position->offset == connect::kNoOffset) {
      result.missing.push_back(std::move(input));
      continue;
    }
    input.offset = position->offset;
    input.metadata = position->metadata;
    result.committed.push_back(std::move(input));
  }
  return result;
}

base::Result<Positions> ReadPositions(RunContext* run) {
  SJ_ASSIGN_OR_RETURN(Positions result,
                      ReadCommitted(run, InputsOf(*run, UnitsOf(run->own, run->partition_counts))));
  for (const CommittedRef& input : result.missing) {
    if (WasCommitted(*run->config, input, !result.committed.empty())) {
      return NoPosition(input.partition);
    }
  }
  return result;
}

base::Status StartSources(RunContext* run, const Positions& positions) {
  const auto& before = run->config->committed_partitions;
  const bool first = !run->imported && (before ? before->empty() : positions.committed.empty());
  for (const auto& [table, count] : run->partition_counts) {
    connect::Source& source = *run->sources[table];
    std::vector<int> numbers;
    for (const CommittedRef& input : positions.missing) {
      if (input.edge >= 0 || input.partition.topic != source.topic()) {
        continue;
      }
      if (!before && !first && !IsNew(*run, positions, input.partition)) {
        return NoPosition(input.partition);
      }
      numbers.push_back(input.partition.partition);
    }
    if (numbers.empty()) {
      continue;
    }
    SJ_ASSIGN_OR_RETURN(auto starts,
                        first ? source.ResolveStart(numbers) : source.ResolveBeginning(numbers));
    for (const connect::PartitionStart& start : starts) {
      checkpoint::SourceState state;
      state.offset = start.offset;
      state.end_offset = start.end_offset.value_or(-1);
      run->restored.sources[{source.topic(), start.partition}] = state;
    }
    if (!first) {
      base::LogInfo("new source partitions",
                    {{"topic", source.topic()}, {"partitions", static_cast<int>(numbers.size())}});
    }
  }
  return base::OkStatus();
}

base::Status StartShards(RunContext* run, const Positions& positions) {
  std::map<int, checkpoint::ShardState> fresh;
  for (const CommittedRef& input : positions.missing) {
    if (input.edge < 0) {
      continue;
    }
    checkpoint::ShardState& shard = fresh[input.shard];
    shard.shard = input.shard;
    int64_t earliest = 0;
    if (run->exchange != nullptr) {
      SJ_ASSIGN_OR_RETURN(earliest, run->exchange->Earliest(input.partition));
    }
    shard.edge_offsets[input.edge] = earliest;
  }
  for (const checkpoint::ShardState& shard : run->restored.shards) {
    if (fresh.contains(shard.shard)) {  // an epoch commits all edges of a shard or none
      return base::Corrupt("read committed offsets: shard " + std::to_string(shard.shard) +
                           " has positions of some exchange topics only");
    }
  }
  for (auto& [number, shard] : fresh) {
    run->restored.shards.push_back(std::move(shard));
  }
  return base::OkStatus();
}

base::Result<bool> ReadReleased(RunContext* run, types::Generation generation,
                                std::vector<CommittedRef>* inputs) {
  SJ_ASSIGN_OR_RETURN(Positions read, ReadCommitted(run, *inputs));
  for (const CommittedRef& input : read.committed) {
    auto mark = checkpoint::ParseCommitMetadata(input.metadata);
    if (!mark.ok() || mark->released_to != generation) {
      return false;
    }
  }
  if (!read.missing.empty()) {
    return false;
  }
  *inputs = std::move(read.committed);
  return true;
}

base::Status NotReleased(types::Generation generation) {
  return base::Unavailable("wait for the units of generation " + std::to_string(generation) +
                           ": they were not released in " + std::to_string(kReleasesMax.count()) +
                           " s; the worker registers again");
}

base::Result<Positions> AwaitReleases(RunContext* run, const JobHooks& hooks) {
  Positions positions{InputsOf(*run, UnitsOf(run->own, run->partition_counts)), {}};
  std::chrono::milliseconds wait = kLookAgainMin;
  const base::MonoTime until = run->clock->Mono() + kReleasesMax;
  while (true) {
    SJ_ASSIGN_OR_RETURN(bool released, ReadReleased(run, run->generation, &positions.committed));
    if (released) {
      return positions;
    }
    if (run->stop_asked != nullptr && run->stop_asked->load()) {
      return base::Cancelled("wait for the units of generation " + std::to_string(run->generation) +
                             ": stopped");
    }
    if (run->clock->Mono() >= until) {
      return NotReleased(run->generation);
    }
    Pause(hooks, wait);
    wait = std::min(wait * 2, kLookAgainMax);
  }
}

}  // namespace sj::worker::runtime
