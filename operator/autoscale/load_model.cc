// SPDX-License-Identifier: Apache-2.0
// See load_model.h.
#include "operator/autoscale/load_model.h"

#include <algorithm>

namespace sj::op::autoscale {
namespace {

constexpr double kBusyMin = 0.005;   // below it busy time is noise
constexpr double kNearlyAll = 0.95;  // of the best capacity: more workers are not worth it
constexpr double kLastTenth = 1.1;

int CeilDiv(int a, int b) {
  return (a + b - 1) / b;
}

}  // namespace

LoadModel::LoadModel(const LoadInput& in) : in_(in) {
  in_.workers = std::max(in_.workers, 1);
  in_.threads = std::max(in_.threads, 1);
  in_.units = std::max(in_.units, 1);
  in_.busiest = std::clamp(in_.busiest, kBusyMin, 1.0);
  const int units_here = UnitsPerThread(in_.workers);
  mean_ = std::min(std::max(in_.busy_threads, kBusyMin) / in_.units, in_.busiest / units_here);
  own_ = in_.busiest - (units_here - 1) * mean_;
}

int LoadModel::UnitsPerThread(int workers) const {
  return CeilDiv(CeilDiv(in_.units, std::max(workers, 1)), in_.threads);
}

double LoadModel::Capacity(int workers) const {
  return in_.read_rate / (own_ + (UnitsPerThread(workers) - 1) * mean_);
}

int LoadModel::Smallest(double capacity, int low, int high) const {
  for (int workers = low; workers < high; ++workers) {
    if (Capacity(workers) >= capacity) {
      return workers;
    }
  }
  return high;
}

int LoadModel::Needed(double required, int low, int high) const {
  const double enough = std::min(required, Capacity(high) * kNearlyAll);
  const int whole = Smallest(enough, low, high);
  const int nearly = Smallest(enough / kLastTenth, low, high);
  return whole * 4 > nearly * 5 ? nearly : whole;
}

}  // namespace sj::op::autoscale
