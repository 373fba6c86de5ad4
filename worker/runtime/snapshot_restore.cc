// SPDX-License-Identifier: Apache-2.0
// See snapshot_restore.h.
#include "worker/runtime/snapshot_restore.h"

#include <set>

#include "api/base/log.h"
#include "worker/runtime/exchange_message.h"

namespace sj::worker::runtime {
namespace {

checkpoint::ImportTarget TargetOf(const JobConfig& config) {
  checkpoint::ImportTarget target;
  target.job_uid = config.job_uid;
  target.id_prefix = config.connect.id_prefix;
  target.state_hash = config.plan.state_hash;
  target.max_parallelism = config.max_parallelism;
  target.shards = config.shards;
  target.scratch_directory = config.scratch_directory + "/import";
  target.within = checkpoint::PrefixWithin(config.store.location, config.restore_from->location);
  return target;
}

// Marks name their senders, and the shards of the snapshot's job have other names here.
base::Status RenameSenders(const checkpoint::SnapshotImport& import, const types::Schema& schema,
                           std::string* frames) {
  std::string out;
  out.reserve(frames->size());
  SJ_RETURN_IF_ERROR(
      checkpoint::ForEachFrame(*frames, [&](std::string_view payload) -> base::Status {
        if (IsRows(payload)) {
          checkpoint::AppendFrame(payload, &out);
          return base::OkStatus();
        }
        SJ_ASSIGN_OR_RETURN(ExchangeMessage message, DecodeExchange(payload, schema));
        for (NamedMark& mark : message.marks) {
          mark.instance = import.Renamed(mark.instance);
        }
        std::string renamed;
        EncodeMarks(message.marks, &renamed);
        checkpoint::AppendFrame(renamed, &out);
        return base::OkStatus();
      }));
  *frames = std::move(out);
  return base::OkStatus();
}

base::Status TakeRows(checkpoint::SnapshotImport* import, const std::set<int>& shards,
                      RunContext* run) {
  SJ_ASSIGN_OR_RETURN(run->in_flight, import->Rows(shards));
  for (checkpoint::InFlight& flight : run->in_flight) {
    if (flight.edge >= static_cast<int>(run->edges.size())) {
      return base::Corrupt("the snapshot has rows of an edge that the query does not have");
    }
    SJ_RETURN_IF_ERROR(
        RenameSenders(*import, run->edges[flight.edge].edge->schema, &flight.frames));
  }
  return base::OkStatus();
}

}  // namespace

base::Status ImportSnapshot(const Connectors& make, RunContext* run, Positions* positions) {
  const JobConfig& config = *run->config;
  store::ObjectStoreOptions options = config.store;
  options.location = config.restore_from->location;
  SJ_ASSIGN_OR_RETURN(const auto from, make.object_store(options));
  SJ_ASSIGN_OR_RETURN(const auto import,
                      checkpoint::SnapshotImport::Open(*config.restore_from, TargetOf(config),
                                                       from.get(), run->objects.get()));
  SJ_ASSIGN_OR_RETURN(const auto imported, import->Import(positions->missing));
  std::set<types::InputPartition> have;
  std::set<int> shards;
  for (const CommittedRef& ref : imported) {
    have.insert(ref.partition);
    if (ref.edge >= 0) {
      shards.insert(ref.shard);
    }
    positions->committed.push_back(ref);
  }
  std::erase_if(positions->missing,
                [&](const CommittedRef& ref) { return have.contains(ref.partition); });
  SJ_RETURN_IF_ERROR(TakeRows(import.get(), shards, run));
  run->imported = true;
  base::LogInfo("starts from a snapshot", {{"location", config.restore_from->location},
                                           {"job", import->manifest().job_uid},
                                           {"epoch", import->manifest().epoch},
                                           {"inputs", static_cast<int>(imported.size())}});
  return base::OkStatus();
}

}  // namespace sj::worker::runtime
