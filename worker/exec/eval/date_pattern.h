// SPDX-License-Identifier: Apache-2.0
// Java's date patterns ("yyyy-MM-dd HH:mm") for DATE_FORMAT, English names. Const after Compile.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "api/base/status.h"

namespace sj::worker::exec::eval {

class DatePattern {
 public:
  // Letters: y u M d D H h m s S a E, 'quoted text', and anything that is not a letter. Errors:
  // kInvalidArgument for other letters and open quotes.
  static base::Result<DatePattern> Compile(std::string_view pattern);
  void Append(int64_t millis, std::string* out) const;

 private:
  struct Piece {
    char letter = 0;  // 0: literal text
    int count = 0;
    std::string text;
  };
  std::vector<Piece> pieces_;
};

}  // namespace sj::worker::exec::eval
