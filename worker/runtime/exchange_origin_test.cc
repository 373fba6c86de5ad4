// SPDX-License-Identifier: Apache-2.0
#include "worker/runtime/exchange_origin.h"

#include <gtest/gtest.h>

namespace sj::worker::runtime {
namespace {

TEST(ExchangeOrigin, ReadsWhatItWrites) {
  const ExchangeOrigin origin{3, 12, 40817};
  EXPECT_EQ(FormatOrigin(origin), "sj1:3:12:40817");
  EXPECT_EQ(ParseOrigin("sj1:3:12:40817"), origin);
  EXPECT_EQ(ParseOrigin("sj1:0:0:0"), (ExchangeOrigin{0, 0, 0}));
}

TEST(ExchangeOrigin, ReadsNothingElse) {
  for (const char* key :
       {"", "sj1:", "sj1:1:2", "sj1:1:2:", "sj1:1:2:3:", "sj1:1:2:3 ", "sj2:1:2:3", "sj1:-1:2:3",
        "sj1:01:2:3", "sj1:1:2:99999999999999999999", "sj1::2:3"}) {
    EXPECT_FALSE(ParseOrigin(key).has_value()) << key;
  }
}

}  // namespace
}  // namespace sj::worker::runtime
