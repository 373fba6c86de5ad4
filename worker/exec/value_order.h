// SPDX-License-Identifier: Apache-2.0
// The order of MIN and MAX: numbers by value with NaN above all, strings by bytes. Pure functions.
#pragma once

#include <cmath>

#include "worker/types/column.h"

namespace sj::worker::exec {

template <typename T>
bool ValueLess(const T& a, const T& b) {
  return a < b;
}
inline bool ValueLess(double a, double b) {
  return a < b || (std::isnan(b) && !std::isnan(a));
}
inline bool ValueLess(const types::StringRef& a, const types::StringRef& b) {
  return a.view() < b.view();
}

}  // namespace sj::worker::exec
