// SPDX-License-Identifier: Apache-2.0
// LIKE patterns: compiled once, matched without backtracking over more than one wildcard, so the
// cost is bounded by text times pattern and is linear for patterns without '_'. Const after
// Compile, so thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/base/status.h"

namespace sj::worker::exec::eval {

class LikePattern {
 public:
  // `escape`: one character, or empty for none. Errors: kInvalidArgument, as SQL demands, for an
  // escape before anything but '%', '_' and itself.
  static base::Result<LikePattern> Compile(std::string_view pattern, std::string_view escape);
  bool Match(std::string_view text) const;

 private:
  // A run without '%': literal bytes and single-character wildcards.
  struct Piece {
    std::string bytes;
    std::string any;  // same length; 1 where '_' stands for one character
    bool plain = true;
  };
  // The number of bytes of `text` the piece takes at its start, or npos.
  static size_t TakeAt(const Piece& piece, std::string_view text);
  static bool MatchEnd(const Piece& piece, std::string_view text);

  std::vector<Piece> pieces_;  // between '%'; the first is anchored, the last too
};

}  // namespace sj::worker::exec::eval
