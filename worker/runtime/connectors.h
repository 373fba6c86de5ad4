// SPDX-License-Identifier: Apache-2.0
// Connectors: how a run gets its outside. The real ones come from worker/connect; tests and
// simulation bring their own, so that the same runtime and commit code runs over them. Plain value
// of functions.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "api/base/status.h"
#include "worker/connect/connector.h"
#include "worker/connect/exchange.h"

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
};

// Those of worker/connect.
Connectors RealConnectors();

}  // namespace sj::worker::runtime
