// SPDX-License-Identifier: Apache-2.0
// See token_cache.h.
#include "operator/reconcile/token_cache.h"

#include <algorithm>

#include "api/base/hash.h"
#include "api/base/json.h"
#include "operator/kube/config.h"

namespace sj::op::reconcile {

TokenCache::TokenCache(TokenCacheOptions options, const base::Clock& clock)
    : options_(options), clock_(clock) {
}

std::optional<kube::TokenIdentity> TokenCache::Find(std::string_view token) {
  const std::string key = base::Sha256Hex(token);
  std::lock_guard lock(mu_);
  auto it = entries_.find(key);
  if (it == entries_.end() || clock_.Wall() >= it->second.until) {
    return std::nullopt;
  }
  return it->second.identity;
}

void TokenCache::Put(std::string_view token, const kube::TokenIdentity& identity) {
  const base::WallTime now = clock_.Wall();
  base::WallTime until = now + (identity.authenticated ? options_.keep_max : options_.keep_refused);
  if (const std::optional<base::WallTime> expiry = TokenExpiry(token)) {
    until = std::min(until, *expiry);
  }
  const std::string key = base::Sha256Hex(token);
  std::lock_guard lock(mu_);
  while (!by_time_.empty() &&
         (by_time_.begin()->first <= now || by_time_.size() >= options_.entries_max)) {
    auto entry = entries_.find(by_time_.begin()->second);
    if (entry != entries_.end() && entry->second.until == by_time_.begin()->first) {
      entries_.erase(entry);
    }
    by_time_.erase(by_time_.begin());
  }
  entries_[key] = {identity, until};
  by_time_.emplace(until, key);
}

size_t TokenCache::size() const {
  std::lock_guard lock(mu_);
  return entries_.size();
}

std::optional<base::WallTime> TokenExpiry(std::string_view token) {
  const size_t first = token.find('.');
  const size_t second = first == std::string_view::npos ? first : token.find('.', first + 1);
  if (second == std::string_view::npos) {
    return std::nullopt;
  }
  std::string payload(token.substr(first + 1, second - first - 1));
  std::replace(payload.begin(), payload.end(), '-', '+');
  std::replace(payload.begin(), payload.end(), '_', '/');
  payload.append((4 - payload.size() % 4) % 4, '=');
  base::Result<std::string> text = kube::DecodeBase64(payload);
  if (!text.ok()) {
    return std::nullopt;
  }
  base::Result<base::Json> claims = base::ParseJson(*text);
  if (!claims.ok() || !claims->is_object() || !claims->contains("exp") ||
      !(*claims)["exp"].is_number_integer()) {
    return std::nullopt;
  }
  const int64_t seconds = (*claims)["exp"].get<int64_t>();
  if (seconds < 0 || seconds > 253'402'300'799) {  // year 9999
    return std::nullopt;
  }
  return base::WallTime(base::Millis(seconds * 1000));
}

}  // namespace sj::op::reconcile
