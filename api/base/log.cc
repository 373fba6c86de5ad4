// SPDX-License-Identifier: Apache-2.0
// The log writer. We lay out the line; spdlog owns the sink, its lock and the level. Text:
//   2026-01-02T03:04:05.678Z info  message key=value key="two words"
// JSON: {"time":"...","level":"info","message":"...","key":"value"}
#include "api/base/log.h"

#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <cmath>

#include "api/base/clock.h"
#include "api/base/json.h"

namespace sj::base {
namespace {

constexpr size_t kValueBytesMax = 4096;

std::atomic<LogFormat> g_format{LogFormat::kText};
std::atomic<LogLevel> g_level{LogLevel::kInfo};

spdlog::logger& Sink() {
  // Never destroyed: threads may log while the process ends.
  static spdlog::logger* logger = [] {
    auto* made = new spdlog::logger("sj", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern("%v");
    made->set_level(spdlog::level::trace);
    made->flush_on(spdlog::level::trace);
    return made;
  }();
  return *logger;
}

std::string_view Name(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarn:
      return "warn";
    case LogLevel::kError:
      return "error";
  }
  return "info";
}

std::string Quoted(std::string_view text) {
  return DumpJson(Json(std::string(text)));
}

bool NeedsQuotes(std::string_view text) {
  return text.empty() || std::any_of(text.begin(), text.end(), [](unsigned char c) {
           return c <= ' ' || c == '"' || c == '=' || c == '\\' || c >= 0x7f;
         });
}

std::string TextLine(LogLevel level, std::string_view message,
                     std::initializer_list<LogField> fields) {
  std::string line =
      fmt::format("{} {:<5} {}", FormatTime(RealClock().Wall(), true), Name(level), message);
  std::replace(line.begin(), line.end(), '\n', ' ');
  for (const LogField& field : fields) {
    line += fmt::format(
        " {}={}", field.key(),
        field.quoted() && NeedsQuotes(field.text()) ? Quoted(field.text()) : field.text());
  }
  return line;
}

std::string JsonLine(LogLevel level, std::string_view message,
                     std::initializer_list<LogField> fields) {
  std::string line =
      fmt::format(R"({{"time":"{}","level":"{}","message":{})",
                  FormatTime(RealClock().Wall(), true), Name(level), Quoted(message));
  for (const LogField& field : fields) {
    line += fmt::format(",{}:{}", Quoted(field.key()),
                        field.quoted() ? Quoted(field.text()) : field.text());
  }
  return line + "}";
}

}  // namespace

LogField::LogField(std::string_view key, std::string_view value)
    : key_(key), text_(value.substr(0, kValueBytesMax)) {
}
LogField::LogField(std::string_view key, const char* value)
    : LogField(key, std::string_view(value == nullptr ? "" : value)) {
}
LogField::LogField(std::string_view key, const std::string& value)
    : LogField(key, std::string_view(value)) {
}
LogField::LogField(std::string_view key, int64_t value)
    : key_(key), text_(fmt::format("{}", value)), quoted_(false) {
}
LogField::LogField(std::string_view key, uint64_t value)
    : key_(key), text_(fmt::format("{}", value)), quoted_(false) {
}
LogField::LogField(std::string_view key, int value) : LogField(key, static_cast<int64_t>(value)) {
}
LogField::LogField(std::string_view key, double value)
    : key_(key), text_(fmt::format("{}", value)), quoted_(!std::isfinite(value)) {
}
LogField::LogField(std::string_view key, bool value)
    : key_(key), text_(value ? "true" : "false"), quoted_(false) {
}

void SetLog(LogLevel level, LogFormat format) {
  g_level = level;
  g_format = format;
}

bool LogEnabled(LogLevel level) {
  return level >= g_level.load(std::memory_order_relaxed);
}

void Log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) {
  if (!LogEnabled(level)) {
    return;
  }
  const std::string line = g_format.load(std::memory_order_relaxed) == LogFormat::kJson
                               ? JsonLine(level, message, fields)
                               : TextLine(level, message, fields);
  Sink().log(spdlog::level::info, spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace sj::base
