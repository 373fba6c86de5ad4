// SPDX-License-Identifier: Apache-2.0
// The sink 'print': one line a row, as Flink prints it: "+I[1, a, 2026-01-02T03:04]". At least
// once: after a restart rows may be printed again.
#pragma once

#include <memory>
#include <string>

#include "worker/connect/connector.h"
#include "worker/connect/options.h"

namespace sj::worker::connect::print {

std::span<const OptionRule> PrintOptionRules();
base::Result<std::unique_ptr<Sink>> MakePrintSink(const types::TableSpec& table);

// "+I[1, null]" without a line break.
void AppendRow(const types::Batch& batch, size_t row, std::string* out);

}  // namespace sj::worker::connect::print
