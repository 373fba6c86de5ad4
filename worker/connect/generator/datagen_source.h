// SPDX-License-Identifier: Apache-2.0
// The source 'datagen': rows made up, at a rate. A row's content follows from (seed, row number)
// alone, but for times, which are the clock's. The offset is the row's number in its partition, so
// a restart goes on where the last commit was. Thread-safe.
#pragma once

#include <memory>

#include "api/base/clock.h"
#include "worker/connect/connector.h"
#include "worker/connect/options.h"

namespace sj::worker::connect::generator {

std::span<const OptionRule> DatagenOptionRules();
base::Result<std::unique_ptr<Source>> MakeDatagenSource(
    const types::TableSpec& table, const ConnectContext& context,
    const base::Clock& clock = base::RealClock());

}  // namespace sj::worker::connect::generator
