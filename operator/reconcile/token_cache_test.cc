// SPDX-License-Identifier: Apache-2.0
#include "operator/reconcile/token_cache.h"

#include <gtest/gtest.h>

#include "api/base/hash.h"

namespace sj::op::reconcile {
namespace {

kube::TokenIdentity Identity(bool authenticated) {
  kube::TokenIdentity identity;
  identity.authenticated = authenticated;
  identity.pod_name = "orders-worker-0";
  return identity;
}

std::string TokenUntil(base::WallTime time) {
  const int64_t seconds = time.time_since_epoch().count() / 1000;
  std::string payload = base::Base64Encode("{\"exp\":" + std::to_string(seconds) + "}");
  while (payload.back() == '=') {
    payload.pop_back();
  }
  return "head." + payload + ".signature";
}

TEST(TokenCache, RemembersForAtMostTenMinutes) {
  base::ManualClock clock;
  TokenCache cache({}, clock);
  EXPECT_FALSE(cache.Find("t"));
  cache.Put("t", Identity(true));
  ASSERT_TRUE(cache.Find("t"));
  EXPECT_EQ(cache.Find("t")->pod_name, "orders-worker-0");
  clock.Advance(base::Millis(600'000));
  EXPECT_FALSE(cache.Find("t"));
}

TEST(TokenCache, ForgetsWithTheToken) {
  base::ManualClock clock;
  TokenCache cache({}, clock);
  const std::string token = TokenUntil(clock.Wall() + base::Millis(30'000));
  cache.Put(token, Identity(true));
  clock.Advance(base::Millis(29'000));
  EXPECT_TRUE(cache.Find(token));
  clock.Advance(base::Millis(1'000));
  EXPECT_FALSE(cache.Find(token));
}

TEST(TokenCache, RefusalIsShort) {
  base::ManualClock clock;
  TokenCache cache({}, clock);
  cache.Put("bad", Identity(false));
  EXPECT_TRUE(cache.Find("bad"));
  clock.Advance(base::Millis(5'000));
  EXPECT_FALSE(cache.Find("bad"));
}

TEST(TokenCache, IsBounded) {
  base::ManualClock clock;
  TokenCache cache({.entries_max = 3}, clock);
  for (int i = 0; i < 10; ++i) {
    cache.Put("t" + std::to_string(i), Identity(true));
    clock.Advance(base::Millis(1));
  }
  EXPECT_EQ(cache.size(), 3u);
  EXPECT_FALSE(cache.Find("t0"));
  EXPECT_TRUE(cache.Find("t9"));
  for (int i = 0; i < 10; ++i) {
    cache.Put("t9", Identity(true));
  }
  EXPECT_TRUE(cache.Find("t9"));
}

TEST(TokenCache, ExpiryOfWhatIsNoToken) {
  for (const char* text : {"", "a", "a.b", "a.b.c", "a.e30.c", "..", "a.\xff.c"}) {
    EXPECT_FALSE(TokenExpiry(text)) << text;
  }
}

}  // namespace
}  // namespace sj::op::reconcile
