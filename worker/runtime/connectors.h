// SPDX-License-Identifier: Apache-2.0
// Connectors: how a run gets its outside. The real ones come from below; tests and
// simulation bring their own, so that the same runtime and commit code runs over them. Plain value
// of functions.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "api/base/status.h"
#include "worker/connect/committed_reader.h"
#include "worker/connect/connector.h"
#include "worker/connect/exchange.h"
#include "worker/connect/job_remains.h"
#include "worker/plan/physical.h"
#include "worker/state/state_store.h"
#include "worker/store/object_store.h"

namespace sj::worker::runtime {

using UsedTables = std::vector<const types::TableSpec*>;

struct Connectors {
  using Context = connect::ConnectContext;
  std::function<base::Result<std::unique_ptr<connect::Source>>(const types::TableSpec&,
                                                               const Context&)>
      source;
  std::function<base::Result<std::unique_ptr<connect::Sink>>(const types::TableSpec&,
                                                             const Context&)>
      sink;
  // nullptr: no table is on Kafka.
  std::function<base::Result<std::unique_ptr<connect::CommitLog>>(const UsedTables&,
                                                                  const Context&)>
      commit_log;
  std::function<base::Result<std::unique_ptr<connect::ExchangeLog>>(const UsedTables&,
                                                                    const Context&)>
      exchange_log;
  // nullptr: no table is on Kafka.
  std::function<base::Result<std::unique_ptr<connect::JobRemains>>(const UsedTables&,
                                                                   const Context&)>
      job_remains = connect::MakeJobRemains;
  // nullptr: no table is on Kafka.
  std::function<base::Result<std::unique_ptr<connect::CommittedReader>>(const UsedTables&,
                                                                        const Context&)>
      committed_reader = connect::MakeCommittedReader;
  std::function<base::Result<std::unique_ptr<store::ObjectStore>>(const store::ObjectStoreOptions&)>
      object_store = store::OpenObjectStore;
  std::function<base::Result<std::unique_ptr<state::StateStore>>(const state::StateStoreOptions&)>
      state_store = state::StateStore::Open;
};

// Whether a plan reads or writes the table of that number.
bool Reads(const plan::PhysicalPlan& plan, int table);
bool Writes(const plan::PhysicalPlan& plan, int table);
// Pointers into `plan`.
UsedTables UsedTablesOf(const plan::PhysicalPlan& plan);

// Those of worker/connect, worker/store and worker/state.
Connectors RealConnectors();

}  // namespace sj::worker::runtime
