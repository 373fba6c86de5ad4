// SPDX-License-Identifier: Apache-2.0
// The sink 'blackhole': counts rows and drops them. For measuring.
#pragma once

#include <memory>

#include "worker/connect/connector.h"
#include "worker/connect/options.h"

namespace sj::worker::connect::blackhole {

std::span<const OptionRule> BlackholeOptionRules();
base::Result<std::unique_ptr<Sink>> MakeBlackholeSink(const types::TableSpec& table);

}  // namespace sj::worker::connect::blackhole
