// SPDX-License-Identifier: Apache-2.0
// See picture.h.
#include "operator/autoscale/simulator/picture.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace sj::op::autoscale::simulator {
namespace {

constexpr int kWidth = 980;
constexpr int kPlotWidth = 700;
constexpr int kPlotHeight = 110;
constexpr int kRowHeight = 160;
constexpr int kLeft = 40;
constexpr int kTop = 60;
constexpr std::array<const char*, 5> kColours{"#0b6e4f", "#c1121f", "#e08e45", "#3a5a98",
                                              "#777777"};

std::string Millions(double value) {
  return fmt::format("{:.1f}", value / 1e6);
}

std::string Line(const std::vector<Minute>& minutes, double top, double scale_y,
                 double (*value)(const Minute&)) {
  std::string points;
  const double step = static_cast<double>(kPlotWidth) / static_cast<double>(minutes.size());
  double before = -1;
  for (size_t i = 0; i < minutes.size(); ++i) {
    const double x = kLeft + step * static_cast<double>(i);
    const double y = top + kPlotHeight - value(minutes[i]) * scale_y;
    if (before >= 0 && before != y) {
      points += fmt::format("{:.1f},{:.1f} ", x, before);  // steps, no slopes
    }
    if (before != y || i + 1 == minutes.size()) {
      points += fmt::format("{:.1f},{:.1f} ", x, y);
    }
    before = y;
  }
  return points;
}

std::string Row(const Comparison& comparison, const JobSpec& spec, double top) {
  const double scale = static_cast<double>(kPlotHeight) / (spec.high + 1);
  const double unit = spec.thread_rate * spec.threads;
  const auto& minutes = comparison.outcomes.front().minutes;
  std::string area = fmt::format("{},{:.1f} ", kLeft, top + kPlotHeight);
  const double step = static_cast<double>(kPlotWidth) / static_cast<double>(minutes.size());
  for (size_t i = 0; i < minutes.size(); ++i) {
    area += fmt::format("{:.1f},{:.1f} ", kLeft + step * static_cast<double>(i),
                        top + kPlotHeight - minutes[i].rate / unit * scale);
  }
  area += fmt::format("{},{:.1f}", kLeft + kPlotWidth, top + kPlotHeight);
  std::string row = fmt::format(
      "<text x=\"{}\" y=\"{:.0f}\" class=\"h\">{}</text>\n"
      "<text x=\"{}\" y=\"{:.0f}\" class=\"s\">{}, {:.0f} h</text>\n"
      "<polygon points=\"{}\" fill=\"#e3e8ee\"/>\n",
      kLeft, top - 20, comparison.load.name, kLeft, top - 6, comparison.load.what,
      comparison.load.seconds / 3'600.0, area);
  for (int workers : {0, spec.high / 2, spec.high}) {
    const double y = top + kPlotHeight - workers * scale;
    row += fmt::format(
        "<text x=\"{}\" y=\"{:.1f}\" class=\"a\">{}</text>\n"
        "<line x1=\"{}\" y1=\"{:.1f}\" x2=\"{}\" y2=\"{:.1f}\" stroke=\"#d5d5d5\"/>\n",
        kLeft - 6, y + 4, workers, kLeft, y, kLeft + kPlotWidth, y);
  }
  for (size_t i = comparison.outcomes.size(); i-- > 0;) {
    const Outcome& outcome = comparison.outcomes[i];
    row +=
        fmt::format("<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{}\"/>\n",
                    Line(outcome.minutes, top, scale,
                         [](const Minute& minute) { return static_cast<double>(minute.workers); }),
                    kColours[i % kColours.size()], i == 0 ? "2.2" : "1.3");
    row += fmt::format(
        "<text x=\"{}\" y=\"{:.0f}\" class=\"s\" fill=\"{}\">{}: {} rescales, {} M rec·s, {:.1f} "
        "w·h</text>\n",
        kLeft + kPlotWidth + 10, top + 16 + 20.0 * static_cast<double>(i),
        kColours[i % kColours.size()], outcome.policy, outcome.rescales, Millions(outcome.lag_time),
        outcome.worker_hours);
  }
  return row;
}

}  // namespace

std::string Table(const std::vector<Comparison>& all) {
  std::string text =
      "| load | policy | rescales | most in an hour | lag-time, million record-seconds | largest "
      "lag, records | worker-hours |\n|---|---|---:|---:|---:|---:|---:|\n";
  std::vector<Outcome> sums;
  for (const Comparison& comparison : all) {
    sums.resize(comparison.outcomes.size());
    for (size_t i = 0; i < comparison.outcomes.size(); ++i) {
      const Outcome& o = comparison.outcomes[i];
      text += fmt::format("| {} | {} | {} | {} | {} | {:.0f} | {:.1f} |\n",
                          i == 0 ? comparison.load.name : "", o.policy, o.rescales,
                          o.rescales_per_hour_max, Millions(o.lag_time), o.lag_max, o.worker_hours);
      sums[i].policy = o.policy;
      sums[i].rescales += o.rescales;
      sums[i].rescales_per_hour_max =
          std::max(sums[i].rescales_per_hour_max, o.rescales_per_hour_max);
      sums[i].lag_time += o.lag_time;
      sums[i].lag_max = std::max(sums[i].lag_max, o.lag_max);
      sums[i].worker_hours += o.worker_hours;
    }
  }
  for (size_t i = 0; i < sums.size(); ++i) {
    text +=
        fmt::format("| {} | **{}** | {} | {} | {} | {:.0f} | {:.1f} |\n", i == 0 ? "**all**" : "",
                    sums[i].policy, sums[i].rescales, sums[i].rescales_per_hour_max,
                    Millions(sums[i].lag_time), sums[i].lag_max, sums[i].worker_hours);
  }
  return text;
}

std::string Picture(const std::vector<Comparison>& all, const JobSpec& spec) {
  const int height = kTop + kRowHeight * static_cast<int>(all.size()) + 10;
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" "
      "font-family=\"sans-serif\">\n"
      "<style>.h{{font-size:14px;font-weight:bold}} .s{{font-size:11px}} "
      ".a{{font-size:10px;text-anchor:end;fill:#666}}</style>\n"
      "<rect width=\"{}\" height=\"{}\" fill=\"white\"/>\n"
      "<text x=\"{}\" y=\"22\" class=\"s\">Lines: workers. Grey: what arrives, in workers kept "
      "busy "
      "by it ({:.0f} records/s each).</text>\n",
      kWidth, height, kWidth, height, kLeft, spec.thread_rate * spec.threads);
  for (size_t i = 0; i < all.size(); ++i) {
    svg += Row(all[i], spec, kTop + kRowHeight * static_cast<double>(i) + 20);
  }
  return svg + "</svg>\n";
}

}  // namespace sj::op::autoscale::simulator
