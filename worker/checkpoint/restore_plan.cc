// SPDX-License-Identifier: Apache-2.0
// Reading and refusing footers.
#include "worker/checkpoint/restore_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "worker/checkpoint/object_name.h"
#include "worker/checkpoint/read_footer.h"

namespace sj::worker::checkpoint {
namespace {

using CommittedRef = Checkpointer::CommittedRef;

std::string Name(const types::InputPartition& partition) {
  return fmt::format("partition {} of topic \"{}\"", partition.partition, partition.topic);
}

// The footers read so far, by object.
class Footers {
 public:
  Footers(const CheckpointIdentity& identity, store::ObjectStore* store)
      : identity_(identity), store_(store) {}

  // The footer that the committed metadata names. The pointer lives as long as this object.
  base::Result<const Footer*> Find(const CommittedRef& ref) {
    if (ref.metadata.empty()) {
      return base::Corrupt(fmt::format(
          "{} has a committed offset {} without checkpoint metadata: somebody has reset the "
          "offsets of this job's group. Restoring from anything else would lose or repeat data",
          Name(ref.partition), ref.offset));
    }
    base::Result<MetadataRef> parsed = ParseCommitMetadata(ref.metadata);
    if (!parsed.ok()) {
      return std::move(parsed).status().WithContext(Name(ref.partition));
    }
    if (parsed->released_to > identity_.generation) {
      return base::InvalidArgument(fmt::format("{} is released to generation {}, this is {}",
                                               Name(ref.partition), parsed->released_to,
                                               identity_.generation));
    }
    auto it = found_.find(parsed->object);
    if (it == found_.end()) {
      base::Result<LoadedFooter> loaded = Load(parsed->object);
      if (!loaded.ok()) {
        return std::move(loaded).status().WithContext(
            fmt::format("read checkpoint object \"{}\"", parsed->object));
      }
      it = found_.emplace(parsed->object, std::move(loaded).value()).first;
    }
    if (it->second.hash != parsed->footer_hash) {
      return base::Corrupt(
          fmt::format("checkpoint object \"{}\" is not the one that was committed: its footer has "
                      "hash {}, the commit says {}",
                      parsed->object, it->second.hash, parsed->footer_hash));
    }
    return &it->second.footer;
  }

  template <typename Visit>
  void ForEach(Visit visit) const {
    for (const auto& [object, loaded] : found_) {
      visit(object, loaded.footer);
    }
  }

 private:
  base::Result<LoadedFooter> Load(const std::string& object) {
    SJ_ASSIGN_OR_RETURN(LoadedFooter loaded, ReadFooter(store_, object));
    SJ_RETURN_IF_ERROR(CheckIdentity(object, loaded.footer));
    return loaded;
  }

  base::Status CheckIdentity(const std::string& object, const Footer& footer) const {
    if (footer.job_uid != identity_.job_uid) {
      return base::InvalidArgument(
          fmt::format("it belongs to job {}, this is job {}", footer.job_uid, identity_.job_uid));
    }
    if (footer.state_hash != identity_.state_hash) {
      return base::InvalidArgument(
          fmt::format("its state was written by another query (state hash {}, this query has {}). "
                      "Put the old query back, or start the new one as a new job",
                      footer.state_hash, identity_.state_hash));
    }
    if (footer.max_parallelism != identity_.max_parallelism) {
      return base::InvalidArgument(
          fmt::format("it was written with spec.maxParallelism {}, this job has {}. The number is "
                      "fixed for the life of a job",
                      footer.max_parallelism, identity_.max_parallelism));
    }
    if (footer.shards != identity_.shards) {
      return base::InvalidArgument(fmt::format("it was written with {} shards, this job has {}",
                                               footer.shards, identity_.shards));
    }
    if (footer.generation > identity_.generation) {
      return base::InvalidArgument(
          fmt::format("it was written by generation {}, this worker is of generation {}",
                      footer.generation, identity_.generation));
    }
    ObjectName name;
    if (!ParseObjectName(object, &name) || name.job_uid != footer.job_uid ||
        name.generation != footer.generation || name.ordinal != footer.ordinal ||
        name.epoch != footer.epoch || name.incarnation != footer.incarnation) {
      return base::Corrupt("its footer describes an object of another name");
    }
    return base::OkStatus();
  }

  const CheckpointIdentity& identity_;
  store::ObjectStore* const store_;
  std::map<std::string, LoadedFooter> found_;
};

base::Status CheckOffset(const CommittedRef& ref, int64_t in_footer) {
  if (ref.offset == in_footer) {
    return base::OkStatus();
  }
  return base::Corrupt(
      fmt::format("{}: committed offset {}, but the checkpoint it names ends at {}",
                  Name(ref.partition), ref.offset, in_footer));
}

base::Status TakeSource(const CommittedRef& ref, const Footer& footer, Restored* out) {
  auto it = footer.sources.find(ref.partition);
  if (it == footer.sources.end()) {
    return base::Corrupt(
        fmt::format("{}: the checkpoint it names does not know it", Name(ref.partition)));
  }
  SJ_RETURN_IF_ERROR(CheckOffset(ref, it->second.offset));
  out->sources[ref.partition] = it->second;
  return base::OkStatus();
}

// All of a shard's exchange partitions must name one checkpoint, and be all that it has.
base::Status TakeShard(const std::vector<const CommittedRef*>& refs, const Footer& footer,
                       RestorePlan* plan) {
  int shard = refs[0]->shard;
  auto it = std::find_if(footer.shard_states.begin(), footer.shard_states.end(),
                         [&](const ShardState& state) { return state.shard == shard; });
  if (it == footer.shard_states.end()) {
    return base::Corrupt(fmt::format("{}: the checkpoint it names has no shard {}",
                                     Name(refs[0]->partition), shard));
  }
  std::set<int> edges;
  for (const CommittedRef* ref : refs) {
    auto offset = it->edge_offsets.find(ref->edge);
    if (offset == it->edge_offsets.end()) {
      return base::Corrupt(fmt::format("{}: the checkpoint it names has no edge {} in shard {}",
                                       Name(ref->partition), ref->edge, shard));
    }
    SJ_RETURN_IF_ERROR(CheckOffset(*ref, offset->second));
    edges.insert(ref->edge);
  }
  if (edges.size() != it->edge_offsets.size()) {
    return base::Corrupt(
        fmt::format("shard {}: {} of its {} exchange partitions have no committed offset any more",
                    shard, it->edge_offsets.size() - edges.size(), it->edge_offsets.size()));
  }
  for (const OperatorState& op : it->operators) {
    plan->chains.emplace(ChainKey(shard, op.op),
                         Chain::From(op, footer.max_parallelism / footer.shards));
  }
  plan->restored.shards.push_back(*it);
  return base::OkStatus();
}

}  // namespace

base::Result<RestorePlan> PlanRestore(const std::vector<CommittedRef>& committed,
                                      const CheckpointIdentity& identity,
                                      store::ObjectStore* store) {
  RestorePlan plan;
  Footers footers(identity, store);
  std::map<int, std::pair<const Footer*, std::vector<const CommittedRef*>>> shards;
  for (const CommittedRef& ref : committed) {
    SJ_ASSIGN_OR_RETURN(const Footer* footer, footers.Find(ref));
    if (ref.edge < 0) {
      SJ_RETURN_IF_ERROR(TakeSource(ref, *footer, &plan.restored));
      continue;
    }
    auto& [of, refs] = shards[ref.shard];
    if (of != nullptr && of != footer) {
      return base::Corrupt(
          fmt::format("shard {}: its exchange partitions name different checkpoints", ref.shard));
    }
    of = footer;
    refs.push_back(&ref);
  }
  for (const auto& [shard, taken] : shards) {
    SJ_RETURN_IF_ERROR(TakeShard(taken.second, *taken.first, &plan));
  }
  footers.ForEach([&](const std::string& object, const Footer& footer) {
    plan.objects.insert(object);
    plan.restored.epoch = std::max(plan.restored.epoch, footer.epoch);
  });
  for (const auto& [key, chain] : plan.chains) {
    for (const ChunkRef& chunk : chain.chunks) {
      plan.objects.insert(chunk.object);
    }
  }
  return plan;
}

}  // namespace sj::worker::checkpoint
