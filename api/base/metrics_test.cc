// SPDX-License-Identifier: Apache-2.0
// The registry's text, and handles that stay the same.
#include "api/base/metrics.h"

#include <gtest/gtest.h>

namespace sj::base {
namespace {

TEST(Metrics, SameNameAndLabelsGiveTheSameHandle) {
  MetricRegistry registry;
  const Counter a = registry.AddCounter("sj_rows_total", "Rows", {{"dir", "in"}});
  const Counter b = registry.AddCounter("sj_rows_total", "other help", {{"dir", "in"}});
  const Counter c = registry.AddCounter("sj_rows_total", "Rows", {{"dir", "out"}});
  a.Add();
  b.Add(2);
  c.Add(5);
  EXPECT_EQ(a.Value(), 3);
  EXPECT_EQ(c.Value(), 5);
  const std::string text = registry.Text();
  EXPECT_NE(text.find("# HELP sj_rows_total Rows\n# TYPE sj_rows_total counter\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("sj_rows_total{dir=\"in\"} 3\n"), std::string::npos) << text;
}

TEST(Metrics, GaugesAndHistograms) {
  MetricRegistry registry;
  registry.AddGauge("sj_lag", "Lag").Set(12.5);
  const Histogram h = registry.AddHistogram("sj_seconds", "Time", {0.1, 1});
  h.Observe(0.05);
  h.Observe(3);
  const std::string text = registry.Text();
  EXPECT_NE(text.find("sj_lag 12.5\n"), std::string::npos) << text;
  EXPECT_NE(text.find("sj_seconds_bucket{le=\"0.1\"} 1\n"), std::string::npos) << text;
  EXPECT_NE(text.find("sj_seconds_count 2\n"), std::string::npos) << text;
}

TEST(Metrics, AHandleOfNothingDoesNothing) {
  Counter().Add();
  Gauge().Set(1);
  Histogram().Observe(1);
  EXPECT_EQ(Counter().Value(), 0);
}

}  // namespace
}  // namespace sj::base
