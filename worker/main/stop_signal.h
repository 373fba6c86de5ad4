// SPDX-License-Identifier: Apache-2.0
// SIGTERM and SIGINT as a flag. A second signal ends the process at once.
#pragma once

#include <atomic>

namespace sj::worker {

// Installs the handlers; the flag is set by the first signal and never cleared.
const std::atomic<bool>& InstallStopSignal();

}  // namespace sj::worker
