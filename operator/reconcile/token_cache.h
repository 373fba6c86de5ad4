// SPDX-License-Identifier: Apache-2.0
// TokenCache: who a bearer token is, remembered until the token expires (at most ten minutes). Kept
// by the token's SHA-256, never the token; bounded, the entry that expires first goes first. A
// refused token is remembered for a few seconds, so that a broken worker costs little.
#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "api/base/clock.h"
#include "operator/kube/client.h"

namespace sj::op::reconcile {

struct TokenCacheOptions {
  size_t entries_max = 20'000;
  base::Millis keep_max{600'000};
  base::Millis keep_refused{5'000};
};

// Thread-safe.
class TokenCache {
 public:
  TokenCache(TokenCacheOptions options, const base::Clock& clock);

  // Nothing when it is not known (any more).
  std::optional<kube::TokenIdentity> Find(std::string_view token);
  void Put(std::string_view token, const kube::TokenIdentity& identity);
  size_t size() const;

 private:
  struct Entry {
    kube::TokenIdentity identity;
    base::WallTime until;
  };
  const TokenCacheOptions options_;
  const base::Clock& clock_;
  mutable std::mutex mu_;
  std::map<std::string, Entry> entries_;                // guarded by mu_
  std::multimap<base::WallTime, std::string> by_time_;  // guarded by mu_
};

// The `exp` claim of a JSON web token, unverified: only ever used to shorten how long a verified
// answer is kept. Nothing when the text is no such token.
std::optional<base::WallTime> TokenExpiry(std::string_view token);

}  // namespace sj::op::reconcile
