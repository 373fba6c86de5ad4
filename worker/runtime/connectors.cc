// SPDX-License-Identifier: Apache-2.0
// The real ones, and which tables need one.
#include "worker/runtime/connectors.h"

#include <algorithm>

namespace sj::worker::runtime {

bool Reads(const plan::PhysicalPlan& plan, int table) {
  return std::any_of(plan.fragments.begin(), plan.fragments.end(), [table](const auto& fragment) {
    return fragment.input == plan::InputKind::kSource && fragment.table == table;
  });
}

bool Writes(const plan::PhysicalPlan& plan, int table) {
  for (const plan::Fragment& fragment : plan.fragments) {
    for (const plan::PhysicalOp& op : fragment.ops) {
      if (op.kind == plan::OpKind::kSink && op.table == table) {
        return true;
      }
    }
  }
  return false;
}

UsedTables UsedTablesOf(const plan::PhysicalPlan& plan) {
  UsedTables used;
  for (size_t i = 0; i < plan.tables.size(); ++i) {
    if (Reads(plan, static_cast<int>(i)) || Writes(plan, static_cast<int>(i))) {
      used.push_back(&plan.tables[i]);
    }
  }
  return used;
}

Connectors RealConnectors() {
  return {connect::MakeSource, connect::MakeSink, connect::MakeKafkaCommitLog,
          connect::MakeExchangeLog, connect::MakeJobRemains};
}

}  // namespace sj::worker::runtime
