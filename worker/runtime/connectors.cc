// SPDX-License-Identifier: Apache-2.0
// The real ones.
#include "worker/runtime/connectors.h"

namespace sj::worker::runtime {

Connectors RealConnectors() {
  return {connect::MakeSource, connect::MakeSink, connect::MakeKafkaCommitLog,
          connect::MakeExchangeLog};
}

}  // namespace sj::worker::runtime
