// SPDX-License-Identifier: Apache-2.0
// Rows are encoded into two reused strings; the commit log copies them.
#include "worker/connect/kafka/kafka_sink.h"

#include <fmt/core.h>

#include "api/base/log.h"
#include "worker/connect/json/decoder.h"
#include "worker/connect/json/encoder.h"
#include "worker/connect/kafka/metadata.h"

namespace sj::worker::connect::kafka {
namespace {

using types::Column;
using types::RowKind;
using types::TypeKind;

// Bytes of a big-endian integer as Flink's raw format writes it; 0: not an integer type.
int RawIntegerBytes(TypeKind kind) {
  switch (kind) {
    case TypeKind::kTinyint:
      return 1;
    case TypeKind::kSmallint:
      return 2;
    case TypeKind::kInt:
      return 4;
    case TypeKind::kBigint:
      return 8;
    default:
      return 0;
  }
}

void AppendRaw(const Column& column, size_t row, std::string* out) {
  int bytes = RawIntegerBytes(column.type().kind);
  if (bytes == 0) {
    *out += column.strings[row].view();
    return;
  }
  auto value = static_cast<uint64_t>(column.ints[row]);
  for (int i = bytes - 1; i >= 0; --i) {
    out->push_back(static_cast<char>((value >> (8 * i)) & 0xff));
  }
}

class KafkaWriter final : public SinkWriter {
 public:
  struct Setup {
    const KafkaOptions* options;
    const types::Schema* schema;
    ConnectorStats* stats;
    CommitLog* log;
    int partitions;
    int fixed_partition;  // for sink.partitioner = fixed
    int first_partition;  // where spreading starts
  };
  explicit KafkaWriter(const Setup& setup)
      : setup_(setup),
        value_encoder_(*setup.schema, setup.options->value_fields, setup.options->json),
        key_encoder_(*setup.schema, setup.options->key_fields, setup.options->json,
                     setup.options->key_prefix),
        next_partition_(setup.first_partition) {}

  base::Status Write(const types::Batch& batch, types::Epoch epoch) override;
  base::Status EndEpoch(types::Epoch) override { return base::OkStatus(); }

 private:
  base::Status WriteRow(const types::Batch& batch, size_t row, types::Epoch epoch);
  // False: the key is null.
  bool MakeKey(const types::Batch& batch, size_t row);
  int ChoosePartition(bool has_key);

  const Setup setup_;
  const json::Encoder value_encoder_;
  const json::Encoder key_encoder_;
  std::string key_;
  std::string value_;
  int next_partition_;
  uint64_t bytes_ = 0;
};

bool KafkaWriter::MakeKey(const types::Batch& batch, size_t row) {
  key_.clear();
  if (setup_.options->key_format == KeyFormat::kNone) {
    return false;
  }
  if (setup_.options->key_format == KeyFormat::kJson) {
    key_encoder_.Encode(batch, row, &key_);
    return true;
  }
  const Column& column = batch.columns[static_cast<size_t>(setup_.options->key_fields[0])];
  if (column.IsNull(row)) {
    return false;
  }
  AppendRaw(column, row, &key_);
  return true;
}

int KafkaWriter::ChoosePartition(bool has_key) {
  switch (setup_.options->partitioner) {
    case Partitioner::kFixed:
      return setup_.fixed_partition;
    case Partitioner::kDefault:
      if (has_key) {
        return -1;  // the commit log hashes the key as Java's client does
      }
      break;
    case Partitioner::kRoundRobin:
      break;
  }
  int chosen = next_partition_;
  next_partition_ = next_partition_ + 1 == setup_.partitions ? 0 : next_partition_ + 1;
  return chosen;
}

base::Status KafkaWriter::WriteRow(const types::Batch& batch, size_t row, types::Epoch epoch) {
  const KafkaOptions& options = *setup_.options;
  RowKind kind = batch.kind(row);
  if (options.upsert && kind == RowKind::kUpdateBefore) {
    return base::OkStatus();  // the row after the update replaces it
  }
  if (!options.upsert && kind != RowKind::kInsert) {
    return base::InvalidArgument(fmt::format(
        "write a row of kind {} to topic \"{}\": the connector 'kafka' is append-only. Use"
        " 'upsert-kafka' with a PRIMARY KEY.",
        types::ToString(kind), options.topic));
  }
  OutputRecord record;
  record.topic = options.topic;
  record.has_key = MakeKey(batch, row);
  if (options.upsert && !record.has_key) {
    return base::InvalidArgument(
        fmt::format("write to topic \"{}\": the PRIMARY KEY is NULL", options.topic));
  }
  record.key = key_;
  record.tombstone = kind == RowKind::kDelete;
  value_.clear();
  if (!record.tombstone) {
    value_encoder_.Encode(batch, row, &value_);
  }
  record.value = value_;
  record.partition = ChoosePartition(record.has_key);
  bytes_ += value_.size() + key_.size();
  return setup_.log->Produce(epoch, record);
}

base::Status KafkaWriter::Write(const types::Batch& batch, types::Epoch epoch) {
  bytes_ = 0;
  for (size_t row = 0; row < batch.rows; ++row) {
    SJ_RETURN_IF_ERROR(WriteRow(batch, row, epoch));
  }
  setup_.stats->records.fetch_add(batch.rows, std::memory_order_relaxed);
  setup_.stats->bytes.fetch_add(bytes_, std::memory_order_relaxed);
  return base::OkStatus();
}

}  // namespace

KafkaSink::KafkaSink(KafkaOptions options, types::Schema schema, const ConnectContext& context)
    : options_(std::move(options)),
      schema_(std::move(schema)),
      group_(fmt::format("{}.{}", context.id_prefix, context.job_id)),
      ordinal_(context.ordinal) {
}

base::Status KafkaSink::Check() {
  SJ_ASSIGN_OR_RETURN(std::unique_ptr<Client> client,
                      Client::Make(options_.cluster, Role::kMetadata, {{"group.id", group_}}));
  SJ_ASSIGN_OR_RETURN(int partitions, CountPartitions(*client, options_.topic));
  if (!options_.bad_records_topic.empty()) {
    SJ_RETURN_IF_ERROR(CountPartitions(*client, options_.bad_records_topic).status());
  }
  std::lock_guard lock(mu_);
  partitions_ = partitions;
  return base::OkStatus();
}

base::Result<std::unique_ptr<SinkWriter>> KafkaSink::OpenWriter(CommitLog* log) {
  if (log == nullptr) {
    return base::Internal(
        fmt::format("a sink on topic \"{}\" was opened without a commit log", options_.topic));
  }
  bool unknown = false;
  {
    std::lock_guard lock(mu_);
    unknown = partitions_ == 0;
  }
  if (unknown) {
    SJ_RETURN_IF_ERROR(Check());
  }
  std::lock_guard lock(mu_);
  int writer = writers_++;
  KafkaWriter::Setup setup{.options = &options_,
                           .schema = &schema_,
                           .stats = &stats_,
                           .log = log,
                           .partitions = partitions_,
                           .fixed_partition = (ordinal_ + writer) % partitions_,
                           .first_partition = (ordinal_ + writer) % partitions_};
  return std::unique_ptr<SinkWriter>(std::make_unique<KafkaWriter>(setup));
}

base::Result<std::unique_ptr<Sink>> MakeKafkaSink(const types::TableSpec& table,
                                                  const ConnectContext& context) {
  SJ_ASSIGN_OR_RETURN(KafkaOptions options, ParseKafkaOptions(table, context));
  OptionReader reader(table);
  base::Status types = json::Decoder::CheckTypes(table.schema);
  if (!types.ok()) {
    return TableError(table, types.message());
  }
  if (options.key_format == KeyFormat::kRaw) {
    TypeKind kind = table.schema.fields[static_cast<size_t>(options.key_fields[0])].type.kind;
    if (kind != TypeKind::kString && kind != TypeKind::kBytes && RawIntegerBytes(kind) == 0) {
      return reader.Error("key.format", "raw takes a STRING, BYTES or integer column");
    }
  }
  if (reader.Text("sink.transactional-id-prefix").has_value()) {
    base::LogInfo("sink.transactional-id-prefix is not used: ids belong to the job",
                  {{"table", table.name}});
  }
  return std::unique_ptr<Sink>(
      std::make_unique<KafkaSink>(std::move(options), table.schema, context));
}

}  // namespace sj::worker::connect::kafka
