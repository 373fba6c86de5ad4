// SPDX-License-Identifier: Apache-2.0
// Values are spelt as Java's toString spells what Flink converts them to. A batch is written by one
// call, so lines of different task threads never mix.
#include "worker/connect/print/print_sink.h"

#include <fmt/format.h>

#include <cstdio>

#include "worker/connect/json/encoder.h"
#include "worker/types/date_time.h"
#include "worker/types/decimal.h"

namespace sj::worker::connect::print {
namespace {

using types::Column;
using types::Physical;
using types::TypeKind;

constexpr OptionRule kRules[] = {
    {"connector"}, {"print-identifier"}, {"standard-error"}, {"sink.parallelism"}};

void AppendValue(const Column& column, size_t row, std::string* out);

// LocalDateTime.toString and LocalTime.toString leave out seconds that are zero.
void AppendClock(const types::CivilTime& t, bool seconds_always, std::string* out) {
  fmt::format_to(std::back_inserter(*out), "{:02}:{:02}", t.hour, t.minute);
  if (t.second != 0 || t.millis != 0 || seconds_always) {
    fmt::format_to(std::back_inserter(*out), ":{:02}", t.second);
  }
  if (t.millis != 0) {
    fmt::format_to(std::back_inserter(*out), ".{:03}", t.millis);
  }
}

void AppendInt64(const Column& column, int64_t value, std::string* out) {
  switch (column.type().kind) {
    case TypeKind::kDecimal:
      types::AppendDecimal(value, column.type().scale, out);
      return;
    case TypeKind::kDate:
      types::AppendDate(value, out);
      return;
    case TypeKind::kTime:
      AppendClock(types::ToCivil(value), false, out);
      return;
    case TypeKind::kTimestamp:
    case TypeKind::kTimestampLtz: {
      bool instant = column.type().kind == TypeKind::kTimestampLtz;
      types::CivilTime t = types::ToCivil(value);
      fmt::format_to(std::back_inserter(*out), "{:04}-{:02}-{:02}T", t.year, t.month, t.day);
      AppendClock(t, instant, out);
      *out += instant ? "Z" : "";
      return;
    }
    default:
      fmt::format_to(std::back_inserter(*out), "{}", value);
  }
}

void AppendNested(const Column& column, size_t row, std::string* out) {
  if (column.type().kind == TypeKind::kRow) {
    *out += "+I[";
    for (size_t i = 0; i < column.children.size(); ++i) {
      *out += i > 0 ? ", " : "";
      AppendValue(column.children[i], row, out);
    }
    *out += ']';
    return;
  }
  bool map = column.type().kind == TypeKind::kMap;
  *out += map ? '{' : '[';
  for (uint32_t i = column.offsets[row]; i < column.offsets[row + 1]; ++i) {
    *out += i > column.offsets[row] ? ", " : "";
    AppendValue(column.children[0], i, out);
    if (map) {
      *out += '=';
      AppendValue(column.children[1], i, out);
    }
  }
  *out += map ? '}' : ']';
}

void AppendBytes(std::string_view bytes, std::string* out) {
  *out += '[';
  for (size_t i = 0; i < bytes.size(); ++i) {
    fmt::format_to(std::back_inserter(*out), "{}{}", i > 0 ? ", " : "",
                   static_cast<int>(static_cast<signed char>(bytes[i])));
  }
  *out += ']';
}

void AppendValue(const Column& column, size_t row, std::string* out) {
  if (column.IsNull(row)) {
    *out += "null";
    return;
  }
  switch (column.physical()) {
    case Physical::kBool:
      *out += column.bools[row] != 0 ? "true" : "false";
      return;
    case Physical::kInt64:
      AppendInt64(column, column.ints[row], out);
      return;
    case Physical::kInt128:
      types::AppendDecimal(column.wides[row], column.type().scale, out);
      return;
    case Physical::kDouble: {
      std::string text;
      json::AppendJavaDouble(column.doubles[row], column.type().kind == TypeKind::kFloat, &text);
      for (char c : text) {
        if (c != '"') {
          out->push_back(c);
        }
      }
      return;
    }
    case Physical::kString:
      if (column.type().kind == TypeKind::kBytes) {
        AppendBytes(column.strings[row].view(), out);
      } else {
        out->append(column.strings[row].view());
      }
      return;
    case Physical::kNested:
      AppendNested(column, row, out);
      return;
  }
}

class PrintWriter final : public SinkWriter {
 public:
  PrintWriter(std::string identifier, bool to_stderr, ConnectorStats& stats)
      : identifier_(std::move(identifier)), to_stderr_(to_stderr), stats_(stats) {}

  base::Status Write(const types::Batch& batch, types::Epoch) override {
    text_.clear();
    for (size_t row = 0; row < batch.rows; ++row) {
      if (!identifier_.empty()) {
        text_ += identifier_;
        text_ += "> ";
      }
      AppendRow(batch, row, &text_);
      text_ += '\n';
    }
    std::FILE* file = to_stderr_ ? stderr : stdout;
    if (std::fwrite(text_.data(), 1, text_.size(), file) != text_.size() ||
        std::fflush(file) != 0) {
      return base::Unavailable("print rows: the output cannot be written");
    }
    stats_.records.fetch_add(batch.rows, std::memory_order_relaxed);
    stats_.bytes.fetch_add(text_.size(), std::memory_order_relaxed);
    return base::OkStatus();
  }
  base::Status EndEpoch(types::Epoch) override { return base::OkStatus(); }

 private:
  const std::string identifier_;
  const bool to_stderr_;
  ConnectorStats& stats_;
  std::string text_;
};

class PrintSink final : public Sink {
 public:
  PrintSink(std::string identifier, bool to_stderr)
      : identifier_(std::move(identifier)), to_stderr_(to_stderr) {}
  base::Result<std::unique_ptr<SinkWriter>> OpenWriter(CommitLog*) override {
    return std::unique_ptr<SinkWriter>(
        std::make_unique<PrintWriter>(identifier_, to_stderr_, stats_));
  }
  base::Status Check() override { return base::OkStatus(); }
  Delivery delivery() const override { return Delivery::kAtLeastOnce; }
  ConnectorStats& stats() override { return stats_; }

 private:
  const std::string identifier_;
  const bool to_stderr_;
  ConnectorStats stats_;
};

}  // namespace

void AppendRow(const types::Batch& batch, size_t row, std::string* out) {
  *out += types::ToString(batch.kind(row));
  *out += '[';
  for (size_t i = 0; i < batch.columns.size(); ++i) {
    *out += i > 0 ? ", " : "";
    AppendValue(batch.columns[i], row, out);
  }
  *out += ']';
}

std::span<const OptionRule> PrintOptionRules() {
  return kRules;
}

base::Result<std::unique_ptr<Sink>> MakePrintSink(const types::TableSpec& table) {
  OptionReader options(table);
  SJ_RETURN_IF_ERROR(options.RefuseUnknown(kRules));
  SJ_RETURN_IF_ERROR(options.Int("sink.parallelism", 1, 1, 1 << 20).status());
  SJ_ASSIGN_OR_RETURN(bool to_stderr, options.Bool("standard-error", false));
  return std::unique_ptr<Sink>(
      std::make_unique<PrintSink>(options.TextOr("print-identifier", ""), to_stderr));
}

}  // namespace sj::worker::connect::print
