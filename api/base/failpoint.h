// SPDX-License-Identifier: Apache-2.0
// Failpoints: named places where a test can make the process die, fail or stop, chosen by the
// environment variable STREAMJOB_FAILPOINTS="name=action@hit,..." (action: crash | error | pause;
// hit: from 1). Compiled in unless SJ_NO_FAILPOINTS is defined (release builds): then they cost
// nothing. Thread-safe.
#pragma once

#include <string_view>

#include "api/base/status.h"

namespace sj::base {

#ifdef SJ_NO_FAILPOINTS
inline Status Failpoint(std::string_view) {
  return OkStatus();
}
#else
// ok when the point is not armed or not due. crash: the process ends at once with status 137, as by
// kill -9. error: kUnavailable. pause: SIGSTOPs the process.
Status Failpoint(std::string_view name);
#endif

}  // namespace sj::base
