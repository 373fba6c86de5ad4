// SPDX-License-Identifier: Apache-2.0
// Routes, JSON and series made from the status board.
#include "worker/control/status_server.h"

#include <mutex>

#include "api/base/json.h"

namespace sj::worker::control {
namespace {

using runtime::JobPhase;
using runtime::JobStatus;

// A counter of the registry that follows a total kept elsewhere.
class TotalCounter {
 public:
  explicit TotalCounter(base::Counter counter) : counter_(counter) {}
  void Follow(uint64_t total) {
    if (total > seen_) {
      counter_.Add(static_cast<double>(total - seen_));
      seen_ = total;
    }
  }

 private:
  base::Counter counter_;
  uint64_t seen_ = 0;
};

base::Json TimeOrNull(const std::optional<base::WallTime>& time) {
  return time ? base::Json(base::FormatTime(*time, true)) : base::Json(nullptr);
}

base::Json WatermarkOrNull(int64_t watermark_ms) {
  if (watermark_ms == types::kWatermarkMin || watermark_ms == types::kWatermarkMax) {
    return nullptr;
  }
  return base::FormatTime(base::WallTime(base::Millis(watermark_ms)), true);
}

constexpr const char* kText = "text/plain; charset=utf-8";

void Answer(const base::Responder& responder, int status, const char* type, std::string body) {
  base::ServerResponse response;
  response.status = status;
  response.content_type = type;
  response.body = std::move(body);
  responder.Answer(std::move(response));
}

}  // namespace

std::string StatusJson(const JobStatus& s) {
  base::Json json;
  json["phase"] = std::string(ToString(s.phase));
  json["generation"] = s.generation;
  json["epoch"] = s.epoch;
  json["restarts"] = s.restarts;
  json["recordsIn"] = s.records_in;
  json["rowsOut"] = s.rows_out;
  json["lateRows"] = s.late_rows;
  json["nullTimes"] = s.null_times;
  json["badRecords"] = s.bad_records;
  json["lastBadRecord"] = s.last_bad;
  json["lag"] = s.lag_records >= 0 ? base::Json(s.lag_records) : base::Json(nullptr);
  json["watermark"] = WatermarkOrNull(s.watermark_ms);
  json["stateBytes"] = s.state_bytes;
  json["busyRatio"] = s.busy_ratio;
  json["checkpoint"] = {{"committedAt", TimeOrNull(s.committed_at)},
                        {"durationMs", s.epoch_duration_ms},
                        {"bytes", s.checkpoint_bytes},
                        {"stateBytes", s.checkpointed_state_bytes},
                        {"object", s.checkpoint_object},
                        {"epochs", s.epochs},
                        {"puts", s.checkpoint_puts},
                        {"bytesTotal", s.checkpoint_bytes_total}};
  if (!s.error.ok()) {
    json["error"] = {{"reason", std::string(ReasonOf(s.stage, s.error))},
                     {"message", s.error.message()},
                     {"at", TimeOrNull(s.failed_at)}};
  }
  return base::DumpJson(json, 2) + "\n";
}

struct StatusMetrics::Series {
  TotalCounter records_in, rows_out, late, null_times, bad, restarts, epochs, puts, bytes;
  base::Gauge epoch, lag, watermark, state, duration, size, stored, busy, running;
  std::mutex mu;  // scrapes may overlap
};

StatusMetrics::StatusMetrics(base::MetricRegistry* registry, const std::string& job) {
  base::MetricLabels labels = {{"job", job}};
  auto counter = [&](const char* name, const char* help) {
    return TotalCounter(registry->AddCounter(name, help, labels));
  };
  auto gauge = [&](const char* name, const char* help) {
    return registry->AddGauge(name, help, labels);
  };
  series_.reset(new Series{
      counter("streamjob_records_in_total", "Records read from source tables."),
      counter("streamjob_rows_out_total", "Rows written to sink tables."),
      counter("streamjob_late_rows_total", "Rows dropped because their window had closed."),
      counter("streamjob_null_times_total", "Rows dropped because their event time was NULL."),
      counter("streamjob_bad_records_total", "Records skipped or sent to a dead-letter topic."),
      counter("streamjob_restarts_total", "Attempts of this process after the first."),
      counter("streamjob_epochs_total", "Committed epochs."),
      counter("streamjob_checkpoint_puts_total", "Objects put for checkpoints."),
      counter("streamjob_checkpoint_bytes_total", "Bytes put for checkpoints."),
      gauge("streamjob_epoch", "Last committed epoch."),
      gauge("streamjob_lag_records",
            "Records between position and last stable offset; -1 unknown."),
      gauge("streamjob_watermark_seconds", "Smallest watermark of the task threads, Unix time."),
      gauge("streamjob_state_bytes", "Bytes of keyed state in memory."),
      gauge("streamjob_epoch_duration_seconds",
            "From the request to the commit of the last epoch."),
      gauge("streamjob_checkpoint_size_bytes", "Size of the last checkpoint object."),
      gauge("streamjob_checkpointed_state_bytes",
            "Bytes that a restore of this worker would read."),
      gauge("streamjob_busy_ratio", "Share of time the task threads worked."),
      gauge("streamjob_running", "1 while the job runs."),
      {}});
}

StatusMetrics::~StatusMetrics() = default;

void StatusMetrics::Set(const JobStatus& s) {
  std::lock_guard<std::mutex> lock(series_->mu);
  series_->records_in.Follow(s.records_in);
  series_->rows_out.Follow(s.rows_out);
  series_->late.Follow(s.late_rows);
  series_->null_times.Follow(s.null_times);
  series_->bad.Follow(s.bad_records);
  series_->restarts.Follow(s.restarts);
  series_->epochs.Follow(s.epochs);
  series_->puts.Follow(s.checkpoint_puts);
  series_->bytes.Follow(s.checkpoint_bytes_total);
  series_->epoch.Set(static_cast<double>(s.epoch));
  series_->lag.Set(static_cast<double>(s.lag_records));
  if (s.watermark_ms != types::kWatermarkMin && s.watermark_ms != types::kWatermarkMax) {
    series_->watermark.Set(static_cast<double>(s.watermark_ms) / 1000);
  }
  series_->state.Set(static_cast<double>(s.state_bytes));
  series_->duration.Set(static_cast<double>(s.epoch_duration_ms) / 1000);
  series_->size.Set(static_cast<double>(s.checkpoint_bytes));
  series_->stored.Set(static_cast<double>(s.checkpointed_state_bytes));
  series_->busy.Set(s.busy_ratio);
  series_->running.Set(s.phase == JobPhase::kRunning ? 1 : 0);
}

base::Result<std::unique_ptr<base::HttpServer>> StartStatusServer(const std::string& address,
                                                                  uint16_t port,
                                                                  const std::string& job,
                                                                  runtime::StatusBoard* board) {
  // Shared by the handler's copies, hence shared.
  auto registry = std::make_shared<base::MetricRegistry>();
  auto metrics = std::make_shared<StatusMetrics>(registry.get(), job);
  base::HttpServerOptions options;
  options.address = address;
  options.port = port;
  options.connections_max = 100;
  return base::StartHttpServer(
      options, [=](const base::ServerRequest& request, const base::Responder& responder) {
        JobStatus status = board->Get();
        if (request.path == "/healthz") {
          Answer(responder, 200, kText, "ok\n");
        } else if (request.path == "/readyz") {
          bool ready = status.phase == JobPhase::kRunning || status.phase == JobPhase::kDraining ||
                       status.phase == JobPhase::kCompleted;
          Answer(responder, ready ? 200 : 503, kText, std::string(ToString(status.phase)) + "\n");
        } else if (request.path == "/status") {
          Answer(responder, 200, "application/json", StatusJson(status));
        } else if (request.path == "/metrics") {
          metrics->Set(status);
          Answer(responder, 200, "text/plain; version=0.0.4", registry->Text());
        } else {
          Answer(responder, 404, kText, "not found; there are /healthz /readyz /status /metrics\n");
        }
      });
}

}  // namespace sj::worker::control
