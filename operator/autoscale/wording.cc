// SPDX-License-Identifier: Apache-2.0
// See wording.h.
#include "operator/autoscale/wording.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace sj::op::autoscale {
namespace {

using v1alpha1::AutoscalingInputs;
using v1alpha1::AutoscalingStatus;
using v1alpha1::AutoscalingTerms;

constexpr double kRoundedMax = 1e15;

// "12,000".
std::string Grouped(double value) {
  const std::string digits = std::to_string(Rounded(value));
  std::string text;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0 && digits[i - 1] != '-') {
      text += ',';
    }
    text += digits[i];
  }
  return text;
}

std::string Workers(int count) {
  return fmt::format("{} worker{}", count, count == 1 ? "" : "s");
}

int Percent(double ratio) {
  return static_cast<int>(std::lround(std::clamp(ratio, 0.0, 1.0) * 20)) * 5;
}

// By a quarter of the larger one, beyond `noise`.
bool Moved(int64_t before, int64_t after, int64_t noise) {
  const int64_t larger = std::max(std::abs(before), std::abs(after));
  return larger > noise && std::abs(before - after) * 4 > larger;
}

bool Moved(const std::optional<int64_t>& before, const std::optional<int64_t>& after,
           int64_t noise) {
  if (before.has_value() != after.has_value()) {
    return true;
  }
  return before && Moved(*before, *after, noise);
}

bool Moved(const std::optional<AutoscalingInputs>& before,
           const std::optional<AutoscalingInputs>& after) {
  if (!before || !after) {
    return before.has_value() != after.has_value();
  }
  return Moved(before->read_rate, after->read_rate, 10) ||
         Moved(before->arrival_rate, after->arrival_rate, 10) ||
         Moved(before->lag_records, after->lag_records, 1'000) ||
         Moved(before->lag_seconds, after->lag_seconds, 10) ||
         Moved(before->busy_percent, after->busy_percent, 20) ||
         Moved(before->busiest_percent, after->busiest_percent, 20) ||
         Moved(before->back_pressure_percent, after->back_pressure_percent, 20) ||
         before->blocked_partitions != after->blocked_partitions;
}

bool Moved(const std::optional<AutoscalingTerms>& before,
           const std::optional<AutoscalingTerms>& after) {
  if (!before || !after) {
    return before.has_value() != after.has_value();
  }
  return Moved(before->capacity, after->capacity, 10) ||
         Moved(before->required, after->required, 10) ||
         before->rescale_measured != after->rescale_measured ||
         Moved(before->rescale_ms, after->rescale_ms, 100);
}

}  // namespace

int64_t Rounded(double value) {
  if (!std::isfinite(value) || value < 0.5) {
    return 0;
  }
  value = std::min(value, kRoundedMax);
  const double unit = std::pow(10.0, std::max(std::floor(std::log10(value)) - 1, 0.0));
  return static_cast<int64_t>(std::llround(value / unit) * std::llround(unit));
}

AutoscalingInputs InputsOf(const Measurement& m) {
  AutoscalingInputs inputs;
  inputs.read_rate = Rounded(m.read_rate);
  inputs.arrival_rate = Rounded(m.arrival_rate);
  inputs.lag_records = Rounded(static_cast<double>(m.lag));
  if (m.lag_ms) {
    inputs.lag_seconds = Rounded(static_cast<double>(*m.lag_ms) / 1000);
  }
  inputs.busy_percent = Percent(m.busy);
  inputs.busiest_percent = Percent(m.busiest);
  inputs.back_pressure_percent = Percent(m.back_pressure);
  inputs.blocked_partitions = m.blocked_partitions;
  if (m.hot_share >= 0.5 && m.lag >= 1'000) {
    inputs.hot_partition = fmt::format("{}/{}", m.hot_topic, m.hot_partition);
  }
  return inputs;
}

AutoscalingTerms TermsOf(const Demand& demand, Millis pause, bool pause_measured) {
  AutoscalingTerms terms;
  terms.capacity = Rounded(demand.capacity);
  terms.headroom = Rounded(demand.headroom);
  terms.catch_up = Rounded(demand.catch_up);
  terms.rescale = Rounded(demand.rescale);
  terms.required = Rounded(demand.required);
  terms.rescale_ms = Rounded(static_cast<double>(pause.count()));
  terms.rescale_measured = pause_measured;
  return terms;
}

std::string BoundsText(const Bounds& bounds, int replicas) {
  return fmt::format("{}: the bounds{} are {} to {}", Workers(replicas),
                     bounds.schedule.empty() ? "" : fmt::format(" of \"{}\"", bounds.schedule),
                     bounds.low, bounds.high);
}

std::string BlockedText(const Measurement& m) {
  return fmt::format(
      "input blocked by an open transaction: {} partition{} wait{} for its end, for {} s so far; "
      "that is no load",
      m.blocked_partitions, m.blocked_partitions == 1 ? "" : "s",
      m.blocked_partitions == 1 ? "s" : "",
      Rounded(static_cast<double>(m.blocked_for.count()) / 1000));
}

std::string BackPressureText(const Measurement& m) {
  return fmt::format("workers wait for the output {:.0f} % of the time; more of them cannot help",
                     m.back_pressure * 100);
}

std::string PauseText(Millis pause, bool measured) {
  return fmt::format("{:.1f} s ({})", static_cast<double>(pause.count()) / 1000,
                     measured ? "measured" : "assumed");
}

std::string SteadyText(const Demand& demand, int workers) {
  if (demand.required <= 0) {
    return "nothing arrives";
  }
  return fmt::format("{} suffice{}: {} records/s are needed, {} can be read", Workers(workers),
                     workers == 1 ? "s" : "", Grouped(demand.required), Grouped(demand.capacity));
}

std::string DemandText(const Demand& demand, int wanted) {
  if (demand.required <= 0) {
    return fmt::format("{}, as nothing arrives", Workers(wanted));
  }
  return fmt::format("{} for {} records/s", Workers(wanted), Grouped(demand.required));
}

std::string ChangeText(const Demand& demand, int from, int to) {
  if (demand.required <= 0) {
    return fmt::format("{} instead of {}: nothing arrives", Workers(to), from);
  }
  const std::string lag =
      demand.lag > 0 ? fmt::format(" and {} wait", Grouped(static_cast<double>(demand.lag))) : "";
  return fmt::format(
      "{} instead of {}: {} records/s arrive{}, so {} records/s are needed; {} can "
      "read {}",
      Workers(to), from, Grouped(demand.arrival_rate), lag, Grouped(demand.required), from,
      Grouped(demand.capacity));
}

bool WorthWriting(const AutoscalingStatus* before, const AutoscalingStatus& after, WallTime now,
                  Millis refresh) {
  if (before == nullptr || before->decision != after.decision || before->mode != after.mode ||
      before->current != after.current || before->min_replicas != after.min_replicas ||
      before->max_replicas != after.max_replicas ||
      before->history.size() != after.history.size() || !before->observed_time) {
    return true;
  }
  const auto same_pause = [](const auto& a, const auto& b) { return a.pause_ms == b.pause_ms; };
  if (!std::equal(before->history.begin(), before->history.end(), after.history.begin(),
                  same_pause)) {
    return true;
  }
  if (now - *before->observed_time < refresh) {
    return false;
  }
  return before->veto != after.veto || before->recommended != after.recommended ||
         Moved(before->inputs, after.inputs) || Moved(before->terms, after.terms);
}

}  // namespace sj::op::autoscale
