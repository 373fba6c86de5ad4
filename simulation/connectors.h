// SPDX-License-Identifier: Apache-2.0
// Source, sink and exchange of a simulated worker, and all of its outside together. Source records
// are JSON by the real decoder; sink records are text ("+I|k1|3"), into partition 0.
#pragma once

#include "simulation/object_store.h"
#include "worker/runtime/connectors.h"

namespace sj::simulation {

// `io`, `store` outlive what is made. `job_uid` and `ordinal` as of the worker.
worker::runtime::Connectors MakeConnectors(WorkerIo* io, SimStore* store);

}  // namespace sj::simulation
