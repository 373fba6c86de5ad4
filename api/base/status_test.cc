// SPDX-License-Identifier: Apache-2.0
// Status: kinds, context, copying, and the propagation macros.
#include "api/base/status.h"

#include <gtest/gtest.h>

namespace sj::base {
namespace {

Result<int> Half(int n) {
  if (n % 2 != 0) {
    return InvalidArgument("odd");
  }
  return n / 2;
}

Result<int> Quarter(int n) {
  SJ_ASSIGN_OR_RETURN(const int half, Half(n));
  SJ_ASSIGN_OR_RETURN(const int quarter, Half(half));
  return quarter;
}

TEST(Status, SaysWhatAndWhose) {
  EXPECT_TRUE(OkStatus().ok());
  EXPECT_EQ(OkStatus().ToString(), "ok");
  const Status status = Unavailable("connection refused").WithContext("put object \"a\"");
  EXPECT_EQ(status.ToString(), "unavailable: put object \"a\": connection refused");
  EXPECT_EQ(status.fault(), Fault::kExternal);
  EXPECT_EQ(status.retry(), Retry::kBackoff);
  const Status copy = status;
  EXPECT_EQ(copy.message(), status.message());
  EXPECT_TRUE(OkStatus().WithContext("x").ok());
}

TEST(Status, MacrosPropagate) {
  EXPECT_EQ(*Quarter(8), 2);
  EXPECT_EQ(Quarter(6).status().message(), "odd");
}

}  // namespace
}  // namespace sj::base
