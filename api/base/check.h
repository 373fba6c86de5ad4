// SPDX-License-Identifier: Apache-2.0
// SJ_CHECK: always-on assertion for invariants of our own code. It prints where and what, then
// aborts: a process that finds its own state broken dies and comes back from the last checkpoint.
// Never use it on anything a user, network, disk or cluster can cause.
#pragma once

namespace sj::base {
[[noreturn]] void CheckFailed(const char* file, int line, const char* what);
}  // namespace sj::base

#define SJ_CHECK(cond)                                    \
  do {                                                    \
    if (!(cond)) [[unlikely]] {                           \
      ::sj::base::CheckFailed(__FILE__, __LINE__, #cond); \
    }                                                     \
  } while (false)
