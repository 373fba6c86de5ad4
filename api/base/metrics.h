// SPDX-License-Identifier: Apache-2.0
// Metrics: counters, gauges and histograms in one registry, printed in Prometheus' text format.
// prometheus-cpp is hidden in metrics.cc. Label sets are fixed by code, never taken from data.
#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sj::base {

using MetricLabels = std::vector<std::pair<std::string, std::string>>;

// Handles are cheap to copy, thread-safe and valid as long as their registry.
class Counter {
 public:
  void Add(double by = 1) const;
  double Value() const;
  void* handle = nullptr;
};
class Gauge {
 public:
  void Set(double value) const;
  double Value() const;
  void* handle = nullptr;
};
class Histogram {
 public:
  void Observe(double value) const;
  void* handle = nullptr;
};

// Thread-safe. The same name and labels give the same handle.
class MetricRegistry {
 public:
  MetricRegistry();
  ~MetricRegistry();
  Counter AddCounter(const std::string& name, const std::string& help,
                     const MetricLabels& labels = {});
  Gauge AddGauge(const std::string& name, const std::string& help, const MetricLabels& labels = {});
  Histogram AddHistogram(const std::string& name, const std::string& help,
                         std::vector<double> buckets, const MetricLabels& labels = {});
  // Text exposition format 0.0.4.
  std::string Text() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sj::base
