// SPDX-License-Identifier: Apache-2.0
// Source, sink and exchange over SimKafka. Source records are JSON by the real decoder; sink
// records are one line of text a row: "+I|a|2026-01-01 00:00:00|3". A table's topic is its option
// 'topic'.
#pragma once

#include <memory>
#include <string>

#include "worker/runtime/testing/sim_kafka.h"

namespace sj::worker::runtime::testing {

// All but the commit log.
Connectors SimEnds(SimKafka* sim);

// A sink that produces RowText of each row to the table's topic. `partition` as in OutputRecord.
std::unique_ptr<connect::Sink> MakeTextSink(const types::TableSpec& table, int partition);
std::string TopicOf(const types::TableSpec& table);

// "+I|value|NULL|..." of one row.
std::string RowText(const types::Batch& batch, size_t row);

}  // namespace sj::worker::runtime::testing
