// SPDX-License-Identifier: Apache-2.0
// Limits as in client-go's EventCorrelator.
#include "operator/runtime/event_filter.h"

#include <fmt/core.h>

#include <algorithm>

namespace sj::op::runtime {
namespace {

using base::Millis;
using base::WallTime;

constexpr size_t kSimilarMax = 10;
constexpr std::chrono::minutes kSimilarFor{10};
constexpr double kBurst = 25;
constexpr std::chrono::minutes kTokenEvery{5};
// An Event object lives for an hour in most clusters: after that it is written anew.
constexpr std::chrono::minutes kCountFor{50};

}  // namespace

EventFilter::EventFilter(size_t entries_max)
    : similar_(entries_max), seen_(entries_max), buckets_(entries_max) {
}

bool EventFilter::TakeToken(const std::string& object, WallTime now) {
  Bucket& bucket = buckets_.At(object);
  if (!bucket.used) {
    bucket = {true, kBurst, now};
  }
  const double passed = std::chrono::duration<double>(now - bucket.last) / kTokenEvery;
  bucket.tokens = std::min(kBurst, bucket.tokens + std::max(0.0, passed));
  bucket.last = now;
  if (bucket.tokens < 1) {
    return false;
  }
  bucket.tokens -= 1;
  return true;
}

EventVerdict EventFilter::Judge(const EventIdentity& event, const std::string& base_name,
                                WallTime now) {
  EventVerdict verdict;
  const std::string group = event.object + '\0' + event.kind;
  Similar& similar = similar_.At(group);
  if (now - similar.last > kSimilarFor) {
    similar.messages.clear();
  }
  similar.last = now;
  similar.messages.insert(event.message);
  const bool merged = similar.messages.size() >= kSimilarMax;
  if (merged) {
    similar.messages.erase(similar.messages.begin());
  }
  verdict.message = merged ? "(combined from similar events): " + event.message : event.message;
  if (!TakeToken(event.object, now)) {
    verdict.dropped = true;
    return verdict;
  }
  Seen& seen = seen_.At(merged ? group : group + '\0' + event.message);
  if (seen.count == 0 || now - seen.last > kCountFor) {
    const auto nanos = std::chrono::nanoseconds(now.time_since_epoch()).count();
    seen.name = fmt::format("{}.{:x}", base_name, static_cast<uint64_t>(nanos) + names_++);
    seen.count = 0;
    seen.first = now;
  }
  ++seen.count;
  seen.last = now;
  verdict.name = seen.name;
  verdict.count = seen.count;
  verdict.first = seen.first;
  return verdict;
}

}  // namespace sj::op::runtime
