// SPDX-License-Identifier: Apache-2.0
// See loads.h. Rates are for the default JobSpec: a worker can read 5,000 records/s.
#include "operator/autoscale/simulator/loads.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <sstream>

namespace sj::op::autoscale::simulator {
namespace {

constexpr int kMinute = 60;
constexpr int kHour = 3'600;
constexpr int kDay = 24 * kHour;

Moment Plain(double rate) {
  Moment moment;
  moment.rate = rate;
  return moment;
}

bool Between(int second, int from, int to) {
  return second >= from && second < to;
}

Load Steps() {
  return {"steps",
          "4,000/s, 22,000/s for an hour, 12,000/s for an hour, back",
          4 * kHour,
          [](int s) {
            const bool high = Between(s, kHour / 2, kHour * 3 / 2);
            const bool middle = Between(s, kHour * 3 / 2, kHour * 5 / 2);
            return Plain(high ? 22'000 : middle ? 12'000 : 4'000);
          },
          {}};
}

Load Daily() {
  return {"daily curve",
          "3,000/s at night, 38,000/s at noon",
          kDay,
          [](int s) {
            const double turn = 2 * std::numbers::pi * s / kDay;
            return Plain(3'000 + 35'000 * std::pow((1 - std::cos(turn)) / 2, 2));
          },
          {}};
}

Load Spikes() {
  return {"spikes",
          "6,000/s, and 30,000/s for 5 minutes every 90 minutes",
          6 * kHour,
          [](int s) { return Plain(s % (90 * kMinute) >= 85 * kMinute ? 30'000 : 6'000); },
          {}};
}

Load Skewed() {
  return {"skewed key",
          "12,000/s, of which one partition gets 60 %",
          3 * kHour,
          [](int) { return Plain(12'000); },
          {0.6, 0.4 / 11, 0.4 / 11, 0.4 / 11, 0.4 / 11, 0.4 / 11, 0.4 / 11, 0.4 / 11, 0.4 / 11,
           0.4 / 11, 0.4 / 11, 0.4 / 11}};
}

Load StuckTransaction() {
  return {"stuck transaction",
          "8,000/s; for an hour a hung producer holds 4 of 12 partitions",
          3 * kHour,
          [](int s) {
            Moment moment = Plain(8'000);
            moment.blocked_partitions = Between(s, kHour, 2 * kHour) ? 4 : 0;
            return moment;
          },
          {}};
}

Load Outage() {
  return {"broker outage",
          "10,000/s; brokers out of reach for 10 minutes",
          3 * kHour,
          [](int s) {
            Moment moment = Plain(10'000);
            moment.brokers_down = Between(s, kHour, kHour + 10 * kMinute);
            return moment;
          },
          {}};
}

Load BackPressure() {
  return {"slow output",
          "12,000/s; for an hour the output takes 7,000/s",
          4 * kHour,
          [](int s) {
            Moment moment = Plain(12'000);
            if (Between(s, kHour, 2 * kHour)) {
              moment.output_rate = 7'000;
            }
            return moment;
          },
          {}};
}

}  // namespace

Load SawTooth(double low, double high, int period_s, int seconds) {
  return {fmt::format("saw-tooth {} min", period_s / kMinute),
          fmt::format("{:.0f}/s to {:.0f}/s and back to the start at once", low, high),
          seconds,
          [=](int s) { return Plain(low + (high - low) * (s % period_s) / period_s); },
          {}};
}

std::vector<Load> SyntheticLoads() {
  return {Steps(),
          SawTooth(4'000, 26'000, 5 * kMinute, 4 * kHour),
          SawTooth(4'000, 26'000, 40 * kMinute, 8 * kHour),
          Daily(),
          Spikes(),
          Skewed(),
          StuckTransaction(),
          Outage(),
          BackPressure()};
}

base::Result<Load> RecordedLoad(std::string name, std::string_view text) {
  std::vector<std::pair<double, double>> points;
  std::istringstream lines{std::string(text)};
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    if (line.empty() || line[0] == '#') {
      continue;
    }
    std::istringstream fields(line);
    double second = 0;
    double rate = 0;
    const bool ok = static_cast<bool>(fields >> second >> rate) && rate >= 0 && second >= 0 &&
                    (points.empty() || second > points.back().first);
    if (!ok) {
      return base::InvalidArgument(
          fmt::format("read load \"{}\": line {} is no \"second rate\" "
                      "after the one before",
                      name, number));
    }
    points.emplace_back(second, rate);
  }
  if (points.size() < 2) {
    return base::InvalidArgument(fmt::format("read load \"{}\": has fewer than two lines", name));
  }
  const int seconds = static_cast<int>(points.back().first);
  const auto at = [points](int s) {
    size_t i = 1;
    while (i + 1 < points.size() && points[i].first < s) {
      ++i;
    }
    const auto [t0, r0] = points[i - 1];
    const auto [t1, r1] = points[i];
    const double part = std::clamp((s - t0) / (t1 - t0), 0.0, 1.0);
    return Plain(r0 + (r1 - r0) * part);
  };
  return Load{std::move(name), "recorded", seconds, at, {}};
}

}  // namespace sj::op::autoscale::simulator
