// SPDX-License-Identifier: Apache-2.0
// Fuzz target: any bytes through the whole front end. A plan that is made must also be explained.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "worker/plan/physical.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto plan = sj::worker::plan::PlanSql(text);
  if (plan.ok()) {
    (void)plan->Explain();
  }
  return 0;
}
