// SPDX-License-Identifier: Apache-2.0
// See autoscaler.h. Order: who rules, what was measured, what the formula asks for, and then the
// rules that hold a change back.
#include "operator/autoscale/autoscaler.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "operator/autoscale/bounds.h"
#include "operator/autoscale/formula.h"
#include "operator/autoscale/measure.h"
#include "operator/autoscale/wording.h"

namespace sj::op::autoscale {
namespace {

using v1alpha1::AutoscalingMode;
using v1alpha1::ScaleEvent;

constexpr Millis kWindowMin{15'000};
constexpr Millis kWindowMax{60'000};
constexpr Millis kBucketMin{2'000};
constexpr Millis kDownMax{3'600'000};
constexpr Millis kHistoryAge{86'400'000};
constexpr Millis kRescaleMax{600'000};   // longer: the cluster has no room
constexpr Millis kNoRoomFor{1'800'000};  // and is not asked again for so long
constexpr Millis kUselessFor{1'800'000};
constexpr Millis kReversalWindow{7'200'000};
constexpr Millis kPauseAssumed{30'000};
constexpr int kPausesUsed = 3;
constexpr int kUpPauses = 5;     // a rescale up at most every so many pauses
constexpr int kDownPauses = 20;  // and down
constexpr double kDownStepMin = 0.4;
constexpr double kBackPressureMax = 0.3;
constexpr double kGainMin = 0.1;  // of the gain that was expected

Millis WindowOf(const v1alpha1::EffectiveAutoscaling& settings) {
  return std::clamp(settings.scale_up_after, kWindowMin, kWindowMax);
}

double TargetOf(const v1alpha1::EffectiveAutoscaling& settings) {
  double target = 0.7;
  const std::string& text = settings.target_utilization;
  std::from_chars(text.data(), text.data() + text.size(), target);
  return std::clamp(target, 0.1, 0.95);
}

// A change that is held back.
struct Veto {
  std::string reason;
  std::string message;
  std::optional<WallTime> until;
};

class Evaluation {
 public:
  explicit Evaluation(const Input& in) : in_(in), bounds_(BoundsAt(in.settings, in.now)) {
    bounds_.high = std::min(bounds_.high, std::max(in.replicas_max, 1));
    bounds_.low = std::min(bounds_.low, bounds_.high);
  }

  Decision Run();

 private:
  void Start();
  bool Auto() const { return out_.status.mode == AutoscalingMode::kAuto; }
  // Ends the evaluation without a change.
  void Hold(Veto veto);
  bool HeldBySituation();
  bool HeldByMeasurement();
  void Judge();
  void Recommend(int wanted);
  std::optional<Veto> UpVeto() const;
  std::optional<Veto> DownVeto() const;
  std::optional<Veto> Cooldown(Millis pause) const;
  void Change(int to, std::string reason);
  void LearnPause();
  void MeasurePauses();
  const ScaleEvent* LastApplied() const;
  int Reversals() const;
  Millis DownAfter() const;
  v1alpha1::AutoscalingStatus& status() { return out_.status; }

  const Input& in_;
  Bounds bounds_;
  Decision out_;
  Measurement measured_;
  Demand demand_;
  Millis pause_ = kPauseAssumed;
  bool pause_measured_ = false;
};

// What was stored, with what the spec says now.
void Evaluation::Start() {
  const int fallback = in_.current > 0 ? in_.current : in_.otherwise;
  if (in_.last != nullptr) {
    status() = *in_.last;
  }
  const bool advise = in_.pinned || in_.settings.mode == AutoscalingMode::kAdvise;
  status().mode = advise ? AutoscalingMode::kAdvise : AutoscalingMode::kAuto;
  if (in_.pinned) {
    status().decision = *in_.pinned;
  } else if (status().decision < 1) {
    status().decision = fallback;
  }
  status().current = in_.current;
  status().min_replicas = bounds_.low;
  status().max_replicas = bounds_.high;
  status().veto.clear();
  status().message.clear();
  status().next_eligible_time.reset();
  std::erase_if(status().history, [&](const ScaleEvent& event) {
    return !event.time || in_.now - *event.time > kHistoryAge;
  });
  LearnPause();
  MeasurePauses();
}

// The switch that the last applied change caused has ended.
void Evaluation::LearnPause() {
  const std::optional<Pause>& pause = in_.track.last_pause();
  if (!pause) {
    return;
  }
  for (auto event = status().history.rbegin(); event != status().history.rend(); ++event) {
    if (event->applied) {
      if (event->pause_ms == 0 && event->to == in_.current && in_.running) {
        event->pause_ms = pause->took.count();
      }
      return;
    }
  }
}

void Evaluation::MeasurePauses() {
  int64_t sum = 0;
  int count = 0;
  const std::vector<ScaleEvent>& history = status().history;
  for (auto event = history.rbegin(); event != history.rend() && count < kPausesUsed; ++event) {
    if (event->applied && event->pause_ms > 0) {
      sum += event->pause_ms;
      ++count;
    }
  }
  if (count == 0 && in_.track.last_pause()) {
    sum = in_.track.last_pause()->took.count();
    count = 1;
  }
  if (count > 0) {
    pause_ = Millis(std::clamp<int64_t>(sum / count, 100, kRescaleMax.count()));
    pause_measured_ = true;
  }
}

const ScaleEvent* Evaluation::LastApplied() const {
  const std::vector<ScaleEvent>& history = out_.status.history;
  for (auto event = history.rbegin(); event != history.rend(); ++event) {
    if (event->applied) {
      return &*event;
    }
  }
  return nullptr;
}

// How often the direction changed lately: each one doubles the wait before fewer workers.
int Evaluation::Reversals() const {
  int reversals = 0;
  int direction = 0;
  for (const ScaleEvent& event : out_.status.history) {
    if (!event.applied || in_.now - *event.time > kReversalWindow || event.from == event.to) {
      continue;
    }
    const int now = event.to > event.from ? 1 : -1;
    reversals += direction != 0 && now != direction ? 1 : 0;
    direction = now;
  }
  return reversals;
}

Millis Evaluation::DownAfter() const {
  Millis after = std::max(in_.settings.scale_down_after, pause_ * kDownPauses);
  for (int i = 0; i < Reversals() / 2 && after < kDownMax; ++i) {
    after *= 2;
  }
  return std::min(after, std::max(kDownMax, in_.settings.scale_down_after));
}

void Evaluation::Hold(Veto veto) {
  out_.raw = status().decision;
  status().recommended = status().decision;
  status().veto = std::move(veto.reason);
  status().message = std::move(veto.message);
  status().next_eligible_time = veto.until;
}

void Evaluation::Change(int to, std::string reason) {
  const bool again = !Auto() && !status().history.empty() && status().history.back().to == to &&
                     status().history.back().from == status().decision;
  if (!again) {
    ScaleEvent event;
    event.time = in_.now;
    event.from = status().decision;
    event.to = to;
    event.reason = std::move(reason);
    event.applied = Auto();
    event.capacity = Rounded(demand_.capacity);
    event.expected = Rounded(demand_.capacity_of(to));
    status().history.push_back(std::move(event));
    if (status().history.size() > v1alpha1::kScaleEventsMax) {
      status().history.erase(status().history.begin());
    }
  }
  status().recommended = to;
  if (Auto()) {
    status().decision = to;
  }
}

// True when there is nothing to measure: bounds moved, or the job does not run as decided.
bool Evaluation::HeldBySituation() {
  const int bounded = std::clamp(status().decision, bounds_.low, bounds_.high);
  if (Auto() && bounded != status().decision) {
    status().message = BoundsText(bounds_, bounded);
    Change(bounded, "Bounds");
    out_.raw = bounded;
    return true;
  }
  if (in_.running) {
    return false;
  }
  const ScaleEvent* last = LastApplied();
  const bool rescaling = Auto() && in_.current > 0 && in_.current != status().decision;
  if (rescaling && last != nullptr && !in_.waits_for.empty() &&
      in_.now - *last->time > kRescaleMax && in_.current >= bounds_.low) {
    status().message =
        fmt::format("back to {}: for {} the rescale to {} waits for {}", in_.current,
                    base::FormatDuration(kRescaleMax), status().decision, in_.waits_for);
    Change(in_.current, "NoRoom");
    out_.raw = in_.current;
    return true;
  }
  Hold({rescaling ? "Rescaling" : "NotRunning",
        rescaling ? fmt::format("a rescale to {} is under way", status().decision)
                  : "not all workers run",
        std::nullopt});
  return true;
}

// True when the load is unknown, or known to be none of the workers' doing.
bool Evaluation::HeldByMeasurement() {
  auto measured = Measure({in_.track, in_.now, WindowOf(in_.settings), in_.current});
  if (auto* problem = std::get_if<Unmeasured>(&measured)) {
    if (problem->reason != "Measuring") {
      status().inputs.reset();
      status().terms.reset();
    }
    Hold({std::move(problem->reason), std::move(problem->message), std::nullopt});
    return true;
  }
  measured_ = std::get<Measurement>(measured);
  status().inputs = InputsOf(measured_);
  if (measured_.read_rate <= 0 && measured_.lag > 0) {
    status().terms.reset();
    Hold({"InputStalled",
          measured_.blocked_partitions > 0
              ? BlockedText(measured_)
              : "there is a lag but nothing is read: brokers out of reach, or the output stands",
          std::nullopt});
    return true;
  }
  return false;
}

std::optional<Veto> Evaluation::Cooldown(Millis pause) const {
  const ScaleEvent* last = LastApplied();
  if (last == nullptr || in_.now - *last->time >= pause) {
    return std::nullopt;
  }
  return Veto{"Cooldown",
              fmt::format("the last rescale was less than {} ago; one costs {}",
                          base::FormatDuration(pause), PauseText(pause_, pause_measured_)),
              *last->time + pause};
}

std::optional<Veto> Evaluation::UpVeto() const {
  if (measured_.back_pressure > kBackPressureMax) {
    return Veto{"BackPressure", BackPressureText(measured_), std::nullopt};
  }
  const ScaleEvent* last = LastApplied();
  if (last != nullptr && last->reason == "NoRoom" && in_.now - *last->time < kNoRoomFor) {
    return Veto{"NoRoom", "the cluster had no room for more workers", *last->time + kNoRoomFor};
  }
  const bool was_up = last != nullptr && last->to > last->from && last->to == in_.current;
  if (was_up && last->expected > last->capacity && in_.now - *last->time < kUselessFor) {
    const double gain = demand_.capacity - static_cast<double>(last->capacity);
    if (gain < kGainMin * static_cast<double>(last->expected - last->capacity)) {
      return Veto{
          "ScaleUpDidNotHelp",
          fmt::format("more workers did not help: {} do no more than {} did", last->to, last->from),
          *last->time + kUselessFor};
    }
  }
  if (auto wait = Cooldown(std::max(in_.settings.scale_up_after, pause_ * kUpPauses))) {
    return wait;
  }
  const Millis after = in_.settings.scale_up_after;
  const std::optional<int> lowest = in_.track.LowestSince(in_.now - after);
  if (!lowest || *lowest <= in_.current) {
    const WallTime since = in_.track.LastNotAbove(in_.current).value_or(in_.now);
    return Veto{
        "Stabilizing",
        fmt::format("more workers must be needed for {} first", base::FormatDuration(after)),
        lowest ? since + after : in_.track.CoveredAt(in_.now, after)};
  }
  return std::nullopt;
}

std::optional<Veto> Evaluation::DownVeto() const {
  if (measured_.blocked_partitions > 0) {
    return Veto{"InputBlocked", BlockedText(measured_), std::nullopt};
  }
  const Millis after = DownAfter();
  if (auto wait = Cooldown(after)) {
    return wait;
  }
  const std::optional<int> highest = in_.track.HighestSince(in_.now - after);
  if (!highest || *highest >= in_.current) {
    const WallTime since = in_.track.LastNotBelow(in_.current).value_or(in_.now);
    return Veto{"Stabilizing",
                fmt::format("fewer workers must suffice for {} first", base::FormatDuration(after)),
                highest ? since + after : in_.track.CoveredAt(in_.now, after)};
  }
  return std::nullopt;
}

void Evaluation::Recommend(int wanted) {
  const int now = in_.current;
  const std::optional<Veto> veto = wanted > now ? UpVeto() : DownVeto();
  const int raw = wanted;
  if (veto) {
    Hold(*veto);
    status().message += fmt::format(": {}", DemandText(demand_, wanted));
    out_.raw = veto->reason == "BackPressure" || veto->reason == "InputBlocked" ? now : raw;
    return;
  }
  // Up: all through the window more were needed; how many, the newest measurement knows best.
  if (wanted < now) {
    const int step = static_cast<int>(std::ceil(now * kDownStepMin));
    wanted = std::max({in_.track.HighestSince(in_.now - DownAfter()).value_or(wanted), step, raw});
  }
  status().message = ChangeText(demand_, now, wanted);
  Change(wanted, wanted > now ? "ScaleUp" : "ScaleDown");
  out_.raw = raw;
}

void Evaluation::Judge() {
  FormulaInput formula{
      measured_, in_.partitions, in_.shards,  TargetOf(in_.settings), in_.settings.catch_up,
      pause_,    bounds_.low,    bounds_.high};
  demand_ = Apply(formula);
  status().terms = TermsOf(demand_, pause_, pause_measured_);
  const int wanted = demand_.wanted;
  if (wanted != in_.current) {
    Recommend(wanted);
    return;
  }
  Veto limit{demand_.limit, demand_.limit_message, std::nullopt};
  if (limit.reason.empty() && measured_.blocked_partitions > 0) {
    limit = {"InputBlocked", BlockedText(measured_), std::nullopt};
  }
  if (limit.reason.empty()) {
    limit.message = SteadyText(demand_, in_.current);
  }
  Hold(std::move(limit));
}

Decision Evaluation::Run() {
  Start();
  if (!HeldBySituation() && !HeldByMeasurement()) {
    Judge();
  }
  if (in_.pinned) {
    status().message +=
        fmt::format("; spec.replicas ({}) rules: leave it out to be scaled", *in_.pinned);
  }
  out_.bucket = std::max(kBucketMin, DownAfter() / 100);
  out_.spacing = SpacingOf(in_.settings);
  out_.look_again = std::max(Millis(1'000), WindowOf(in_.settings) / 6);
  return std::move(out_);
}

}  // namespace

Decision Evaluate(const Input& in) {
  return Evaluation(in).Run();
}

Millis SpacingOf(const v1alpha1::EffectiveAutoscaling& settings) {
  return WindowOf(settings) / 24;
}

}  // namespace sj::op::autoscale
