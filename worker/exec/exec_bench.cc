// SPDX-License-Identifier: Apache-2.0
// sj_exec_bench: what the operators of a filtered tumbling aggregate cost per input row, from
// decoded batch to partials: watermark, filter, projection, local window. Prints one line a case.
// The first fragment of the SQL below is run as the runtime does, an epoch's end every 2^19 rows.
#include <fmt/format.h>

#include <chrono>
#include <random>

#include "worker/exec/operator.h"

namespace sj::worker::exec {
namespace {

constexpr std::string_view kSql = R"(
CREATE TABLE user_events (user_id STRING, event_type STRING, product_id STRING,
  amount DECIMAL(10,2), event_time TIMESTAMP(3),
  WATERMARK FOR event_time AS event_time - INTERVAL '5' SECOND)
WITH ('connector'='kafka', 'topic'='user-events', 'properties.bootstrap.servers'='k:9092',
  'format'='json', 'scan.startup.mode'='earliest-offset');
CREATE TABLE per_minute (user_id STRING, window_start TIMESTAMP(3), event_count BIGINT,
  total_amount DECIMAL(38,2)) WITH ('connector'='blackhole');
INSERT INTO per_minute SELECT user_id,
  TUMBLE_START(event_time, INTERVAL '1' MINUTE) AS window_start,
  COUNT(*) AS event_count, SUM(amount) AS total_amount FROM user_events
WHERE event_type = 'purchase' GROUP BY user_id, TUMBLE(event_time, INTERVAL '1' MINUTE);
)";
constexpr size_t kBatchRows = 4096;
constexpr size_t kBatches = 256;
constexpr size_t kEpochBatches = 128;
constexpr int kRounds = 7;
constexpr uint64_t kUsers = 10'000;

class CountingOutput final : public Output {
 public:
  base::Status Push(types::Batch batch) override {
    rows += batch.rows;
    return base::OkStatus();
  }
  base::Status PushWatermark(int64_t) override { return base::OkStatus(); }
  size_t rows = 0;
};

class CountingTerminals final : public Terminals {
 public:
  Output* Edge(int) override { return &output; }
  Output* Sink(int) override { return &output; }
  CountingOutput output;
};

void AppendRow(const types::Schema& schema, uint64_t i, uint64_t random, uint64_t purchase_percent,
               types::Batch* batch) {
  for (size_t c = 0; c < schema.fields.size(); ++c) {
    types::Column& column = batch->columns[c];
    const std::string& name = schema.fields[c].name;
    if (name == "user_id") {
      column.AppendString("user-" + std::to_string(random % kUsers));
    } else if (name == "event_type") {
      column.AppendString((random >> 20) % 100 < purchase_percent ? "purchase" : "page_view");
    } else if (name == "amount") {
      column.AppendInt64(static_cast<int64_t>((random >> 32) % 100'000));
    } else if (name == "event_time") {
      // 2000 events a second of event time, a little out of order.
      column.AppendInt64(1'760'000'000'000 + static_cast<int64_t>(i / 2 + (random >> 40) % 1000));
    } else {
      column.AppendString("product-" + std::to_string(random % 500));
    }
  }
  ++batch->rows;
}

base::Status RunBatches(std::vector<types::Batch> batches, FragmentInstance* fragment) {
  size_t n = 0;
  for (types::Batch& batch : batches) {
    SJ_ASSIGN_OR_RETURN(FragmentInstance::Timed timed, fragment->AssignTimes(std::move(batch)));
    SJ_RETURN_IF_ERROR(fragment->Push(std::move(timed.batch)));
    SJ_RETURN_IF_ERROR(fragment->PushWatermark(timed.watermark_ms));
    if (++n % kEpochBatches == 0) {
      SJ_RETURN_IF_ERROR(fragment->EndEpoch());
    }
  }
  return base::OkStatus();
}

base::Status RunCase(uint64_t purchase_percent) {
  SJ_ASSIGN_OR_RETURN(plan::PhysicalPlan plan, plan::PlanSql(kSql));
  const plan::Fragment& source = plan.fragments[0];
  CountingTerminals terminals;
  SJ_ASSIGN_OR_RETURN(std::unique_ptr<FragmentInstance> fragment,
                      FragmentInstance::Make(plan, source, {}, &terminals));
  std::mt19937_64 random(1);
  std::vector<types::Batch> batches;
  for (size_t b = 0; b < kBatches; ++b) {
    batches.push_back(types::Batch::ForSchema(source.input_schema));
    for (size_t i = 0; i < kBatchRows; ++i) {
      AppendRow(source.input_schema, b * kBatchRows + i, random(), purchase_percent,
                &batches.back());
    }
  }
  double best = 1e9;
  for (int round = 0; round < kRounds; ++round) {
    std::vector<types::Batch> copy = batches;
    auto from = std::chrono::steady_clock::now();
    SJ_RETURN_IF_ERROR(RunBatches(std::move(copy), fragment.get()));
    std::chrono::duration<double, std::nano> spent = std::chrono::steady_clock::now() - from;
    best = std::min(best, spent.count() / static_cast<double>(kBatches * kBatchRows));
  }
  fmt::print("{}% pass the filter: {:.1f} ns/row, {} partials from {} rows\n", purchase_percent,
             best, terminals.output.rows, kRounds * kBatches * kBatchRows);
  return base::OkStatus();
}

}  // namespace
}  // namespace sj::worker::exec

int main() {
  for (uint64_t percent : {100, 25}) {
    sj::base::Status status = sj::worker::exec::RunCase(percent);
    if (!status.ok()) {
      fmt::print(stderr, "{}\n", status.ToString());
      return 1;
    }
  }
  return 0;
}
