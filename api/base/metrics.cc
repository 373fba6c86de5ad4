// SPDX-License-Identifier: Apache-2.0
// The registry over prometheus-cpp's core library. A name or label that prometheus refuses is a
// defect of our code, found by the first test that touches it, hence SJ_CHECK.
#include "api/base/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <exception>
#include <map>
#include <mutex>

#include "api/base/check.h"

namespace sj::base {
namespace {

std::map<std::string, std::string> ToMap(const MetricLabels& labels) {
  return {labels.begin(), labels.end()};
}

template <typename T>
using Families = std::map<std::string, prometheus::Family<T>*>;

// The family of that name: made once, later help texts are ignored.
template <typename T, typename Builder>
prometheus::Family<T>& FamilyOf(Families<T>& families, prometheus::Registry& registry,
                                Builder builder, const std::string& name, const std::string& help) {
  auto [it, fresh] = families.try_emplace(name, nullptr);
  if (fresh) {
    it->second = &builder.Name(name).Help(help).Register(registry);
  }
  return *it->second;
}

template <typename Make>
void* Made(Make make) {
  void* handle = nullptr;
  try {
    handle = make();
  } catch (const std::exception&) {
    handle = nullptr;
  }
  SJ_CHECK(handle != nullptr);
  return handle;
}

}  // namespace

struct MetricRegistry::State {
  std::mutex mu;
  prometheus::Registry registry;
  Families<prometheus::Counter> counters;
  Families<prometheus::Gauge> gauges;
  Families<prometheus::Histogram> histograms;
};

void Counter::Add(double by) const {
  if (handle != nullptr) {
    static_cast<prometheus::Counter*>(handle)->Increment(by);
  }
}
double Counter::Value() const {
  return handle != nullptr ? static_cast<prometheus::Counter*>(handle)->Value() : 0;
}
void Gauge::Set(double value) const {
  if (handle != nullptr) {
    static_cast<prometheus::Gauge*>(handle)->Set(value);
  }
}
double Gauge::Value() const {
  return handle != nullptr ? static_cast<prometheus::Gauge*>(handle)->Value() : 0;
}
void Histogram::Observe(double value) const {
  if (handle != nullptr) {
    static_cast<prometheus::Histogram*>(handle)->Observe(value);
  }
}

MetricRegistry::MetricRegistry() : state_(std::make_unique<State>()) {
}
MetricRegistry::~MetricRegistry() = default;

Counter MetricRegistry::AddCounter(const std::string& name, const std::string& help,
                                   const MetricLabels& labels) {
  std::lock_guard lock(state_->mu);
  return {Made([&]() -> void* {
    return &FamilyOf(state_->counters, state_->registry, prometheus::BuildCounter(), name, help)
                .Add(ToMap(labels));
  })};
}

Gauge MetricRegistry::AddGauge(const std::string& name, const std::string& help,
                               const MetricLabels& labels) {
  std::lock_guard lock(state_->mu);
  return {Made([&]() -> void* {
    return &FamilyOf(state_->gauges, state_->registry, prometheus::BuildGauge(), name, help)
                .Add(ToMap(labels));
  })};
}

Histogram MetricRegistry::AddHistogram(const std::string& name, const std::string& help,
                                       std::vector<double> buckets, const MetricLabels& labels) {
  std::lock_guard lock(state_->mu);
  return {Made([&]() -> void* {
    return &FamilyOf(state_->histograms, state_->registry, prometheus::BuildHistogram(), name, help)
                .Add(ToMap(labels), buckets);
  })};
}

std::string MetricRegistry::Text() const {
  return prometheus::TextSerializer().Serialize(state_->registry.Collect());
}

}  // namespace sj::base
