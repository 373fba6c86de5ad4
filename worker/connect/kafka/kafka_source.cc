// SPDX-License-Identifier: Apache-2.0
// Startup and bounded modes become concrete offsets here, once, before anything is read.
#include "worker/connect/kafka/kafka_source.h"

#include <fmt/core.h>

#include <algorithm>

#include "api/base/log.h"
#include "worker/connect/json/decoder.h"
#include "worker/connect/kafka/committed.h"
#include "worker/connect/kafka/fetcher.h"
#include "worker/connect/kafka/kafka_reader.h"
#include "worker/connect/kafka/metadata.h"

namespace sj::worker::connect::kafka {

KafkaSource::KafkaSource(KafkaOptions options, types::Schema schema, const ConnectContext& context,
                         const base::Clock& clock)
    : options_(std::move(options)),
      schema_(std::move(schema)),
      group_(fmt::format("{}.{}", context.id_prefix, context.job_id)),
      task_threads_(std::max(1, context.task_threads)),
      clock_(clock) {
}

base::Result<Client*> KafkaSource::Metadata() {
  std::lock_guard lock(mu_);
  if (metadata_ == nullptr) {
    SJ_ASSIGN_OR_RETURN(metadata_,
                        Client::Make(options_.cluster, Role::kMetadata, {{"group.id", group_}}));
  }
  return metadata_.get();
}

base::Result<int> KafkaSource::PartitionCount() {
  SJ_ASSIGN_OR_RETURN(Client * client, Metadata());
  return CountPartitions(*client, options_.topic);
}

base::Status KafkaSource::AtEdge(const std::vector<int>& partitions, bool end,
                                 std::vector<int64_t>* out) {
  SJ_ASSIGN_OR_RETURN(Client * client, Metadata());
  for (size_t i = 0; i < partitions.size(); ++i) {
    if ((*out)[i] >= 0) {
      continue;
    }
    SJ_ASSIGN_OR_RETURN(LogRange range, ReadLogRange(*client, options_.topic, partitions[i]));
    (*out)[i] = end ? range.end : range.begin;
  }
  return base::OkStatus();
}

base::Status KafkaSource::GroupOffsets(const std::vector<int>& partitions,
                                       std::vector<int64_t>* out) {
  if (!options_.cluster.group_id.empty()) {
    std::vector<types::InputPartition> ids;
    for (int partition : partitions) {
      ids.push_back({options_.topic, partition});
    }
    SJ_ASSIGN_OR_RETURN(std::vector<CommittedPosition> read,
                        ReadCommittedPositions(options_.cluster, options_.cluster.group_id, ids,
                                               kMetadataTotalMax));
    for (size_t i = 0; i < read.size(); ++i) {
      (*out)[i] = read[i].offset;
    }
  }
  if (options_.cluster.offset_reset == "none" &&
      std::any_of(out->begin(), out->end(), [](int64_t offset) { return offset < 0; })) {
    return base::InvalidArgument(fmt::format(
        "start topic \"{}\" from group offsets: group \"{}\" has not committed any for some"
        " partition. Set 'scan.startup.mode' or 'properties.auto.offset.reset'.",
        options_.topic, options_.cluster.group_id));
  }
  bool latest = options_.cluster.offset_reset == "latest";
  return AtEdge(partitions, latest, out);
}

base::Status KafkaSource::ResolveStartOf(const std::vector<int>& partitions,
                                         std::vector<int64_t>* out) {
  out->assign(partitions.size(), kNoOffset);
  SJ_ASSIGN_OR_RETURN(Client * client, Metadata());
  switch (options_.startup) {
    case StartupMode::kGroupOffsets:
      return GroupOffsets(partitions, out);
    case StartupMode::kEarliest:
      return AtEdge(partitions, false, out);
    case StartupMode::kLatest:
      return AtEdge(partitions, true, out);
    case StartupMode::kTimestamp: {
      SJ_ASSIGN_OR_RETURN(
          *out, OffsetsAtTime(*client, options_.topic, partitions, options_.startup_timestamp));
      return AtEdge(partitions, true, out);
    }
    case StartupMode::kSpecificOffsets:
      for (size_t i = 0; i < partitions.size(); ++i) {
        auto found = options_.startup_offsets.find(partitions[i]);
        (*out)[i] = found == options_.startup_offsets.end() ? kNoOffset : found->second;
      }
      return AtEdge(partitions, false, out);
  }
  return base::Internal("unknown startup mode");
}

base::Status KafkaSource::ResolveEndOf(const std::vector<int>& partitions,
                                       std::vector<PartitionStart>* starts) {
  if (!bounded()) {
    return base::OkStatus();
  }
  SJ_ASSIGN_OR_RETURN(Client * client, Metadata());
  std::vector<int64_t> ends(partitions.size(), kNoOffset);
  if (options_.bounded == BoundedMode::kTimestamp) {
    SJ_ASSIGN_OR_RETURN(
        ends, OffsetsAtTime(*client, options_.topic, partitions, options_.bounded_timestamp));
  }
  if (options_.bounded == BoundedMode::kSpecificOffsets) {
    for (size_t i = 0; i < partitions.size(); ++i) {
      auto found = options_.bounded_offsets.find(partitions[i]);
      // As in Flink: nothing is read of a partition that is not named.
      ends[i] = found == options_.bounded_offsets.end() ? (*starts)[i].offset : found->second;
    }
  }
  SJ_RETURN_IF_ERROR(AtEdge(partitions, true, &ends));
  for (size_t i = 0; i < partitions.size(); ++i) {
    (*starts)[i].end_offset = std::max(ends[i], (*starts)[i].offset);
  }
  return base::OkStatus();
}

base::Result<std::vector<PartitionStart>> KafkaSource::ResolveStart(
    const std::vector<int>& partitions) {
  std::vector<int64_t> offsets;
  SJ_RETURN_IF_ERROR(ResolveStartOf(partitions, &offsets));
  return WithEnds(partitions, offsets);
}

base::Result<std::vector<PartitionStart>> KafkaSource::ResolveBeginning(
    const std::vector<int>& partitions) {
  std::vector<int64_t> offsets(partitions.size(), kNoOffset);
  SJ_RETURN_IF_ERROR(AtEdge(partitions, false, &offsets));
  return WithEnds(partitions, offsets);
}

base::Result<std::vector<PartitionStart>> KafkaSource::WithEnds(
    const std::vector<int>& partitions, const std::vector<int64_t>& offsets) {
  std::vector<PartitionStart> starts;
  for (size_t i = 0; i < partitions.size(); ++i) {
    starts.push_back({.partition = partitions[i], .offset = offsets[i], .end_offset = {}});
  }
  SJ_RETURN_IF_ERROR(ResolveEndOf(partitions, &starts));
  return starts;
}

base::Result<std::unique_ptr<SourceReader>> KafkaSource::OpenReader(
    const std::vector<PartitionStart>& starts, const std::vector<int>& columns, CommitLog* log) {
  if (options_.bad_records == BadRecords::kDeadLetter && log == nullptr) {
    return base::Internal("a source with dead letters was opened without a commit log");
  }
  std::vector<ExchangeStart> assignment;
  for (const PartitionStart& start : starts) {
    if (start.offset < 0) {
      return base::Internal(fmt::format("open a reader of topic \"{}\" partition {} at offset {}",
                                        options_.topic, start.partition, start.offset));
    }
    assignment.push_back({{options_.topic, start.partition}, start.offset});
  }
  Fetcher::Options fetch{.cluster = options_.cluster,
                         .group = group_,
                         .prefetch_bytes = options_.prefetch_bytes / task_threads_};
  SJ_ASSIGN_OR_RETURN(std::unique_ptr<Fetcher> fetcher, Fetcher::Make(fetch, assignment));
  KafkaReader::Setup setup{.options = &options_,
                           .schema = &schema_,
                           .stats = &stats_,
                           .clock = &clock_,
                           .columns = columns,
                           .log = log};
  return std::unique_ptr<SourceReader>(
      std::make_unique<KafkaReader>(std::move(setup), std::move(fetcher), starts));
}

base::Result<std::unique_ptr<Source>> MakeKafkaSource(const types::TableSpec& table,
                                                      const ConnectContext& context) {
  SJ_ASSIGN_OR_RETURN(KafkaOptions options, ParseKafkaOptions(table, context));
  OptionReader reader(table);
  if (options.upsert) {
    return reader.Error("connector", "\"upsert-kafka\" is for sinks. Read the topic with 'kafka'.");
  }
  if (options.value_fields.size() != table.schema.fields.size()) {
    return reader.Error("value.fields-include",
                        "\"EXCEPT_KEY\" is for sinks: this worker reads columns from the value");
  }
  base::Status types = json::Decoder::CheckTypes(table.schema);
  if (!types.ok()) {
    return TableError(table, types.message());
  }
  if (!options.cluster.group_id.empty() && options.startup != StartupMode::kGroupOffsets) {
    base::LogInfo("properties.group.id is not used: positions belong to the job",
                  {{"table", table.name}, {"group", options.cluster.group_id}});
  }
  return std::unique_ptr<Source>(
      std::make_unique<KafkaSource>(std::move(options), table.schema, context, base::RealClock()));
}

}  // namespace sj::worker::connect::kafka
