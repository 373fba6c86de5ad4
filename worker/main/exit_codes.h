// SPDX-License-Identifier: Apache-2.0
// Exit codes of streamjob-worker, as documented in docs/reference/worker.md.
#pragma once

namespace sj::worker {

inline constexpr int kExitOk = 0;      // stopped with its last epoch committed, or completed
inline constexpr int kExitFailed = 1;  // gave up: the outside or a defect; the log says which
inline constexpr int kExitUsage = 2;   // flags, manifest or SQL cannot be accepted
inline constexpr int kExitFenced = 3;  // another incarnation took over; nothing was committed after
// 4: a call into a library did not return (base::kExitStuck)
inline constexpr int kExitRefused = 5;  // diff: the job would refuse the change

}  // namespace sj::worker
