// SPDX-License-Identifier: Apache-2.0
// LIKE: the pattern is cut at '%'. The first piece must stand at the start, the last at the end,
// those between are taken leftmost first, which is never worse than any other choice.
#include "worker/exec/eval/like.h"

#include <fmt/format.h>

namespace sj::worker::exec::eval {
namespace {

// Bytes of the UTF-8 character at the start of a text; broken bytes count as one each.
size_t CharBytes(std::string_view text) {
  auto lead = static_cast<unsigned char>(text[0]);
  size_t n = lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  return n <= text.size() ? n : 1;
}

}  // namespace

base::Result<LikePattern> LikePattern::Compile(std::string_view pattern, std::string_view escape) {
  if (escape.size() > 1) {
    return base::InvalidArgument(
        fmt::format("compile LIKE: the escape \"{}\" is not one character", escape));
  }
  LikePattern out;
  out.pieces_.emplace_back();
  for (size_t i = 0; i < pattern.size(); ++i) {
    char c = pattern[i];
    bool escaped = !escape.empty() && c == escape[0];
    if (escaped) {
      bool known = i + 1 < pattern.size() &&
                   (pattern[i + 1] == '%' || pattern[i + 1] == '_' || pattern[i + 1] == escape[0]);
      if (!known) {
        return base::InvalidArgument(fmt::format(
            "compile LIKE: the escape in \"{}\" stands before no '%', '_' or itself", pattern));
      }
      c = pattern[++i];
    }
    if (c == '%' && !escaped) {
      out.pieces_.emplace_back();
      continue;
    }
    bool any = c == '_' && !escaped;
    Piece& piece = out.pieces_.back();
    piece.bytes.push_back(c);
    piece.any.push_back(any ? 1 : 0);
    piece.plain = piece.plain && !any;
  }
  return out;
}

size_t LikePattern::TakeAt(const Piece& piece, std::string_view text) {
  if (piece.plain) {
    return text.substr(0, piece.bytes.size()) == piece.bytes ? piece.bytes.size()
                                                             : std::string_view::npos;
  }
  size_t at = 0;
  for (size_t i = 0; i < piece.bytes.size(); ++i) {
    if (at >= text.size() || (piece.any[i] == 0 && text[at] != piece.bytes[i])) {
      return std::string_view::npos;
    }
    at += piece.any[i] != 0 ? CharBytes(text.substr(at)) : 1;
  }
  return at;
}

bool LikePattern::MatchEnd(const Piece& piece, std::string_view text) {
  if (piece.plain) {
    return text.size() >= piece.bytes.size() &&
           text.substr(text.size() - piece.bytes.size()) == piece.bytes;
  }
  for (size_t at = 0; at <= text.size(); ++at) {
    bool inside = at < text.size() && (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80;
    if (!inside && TakeAt(piece, text.substr(at)) == text.size() - at) {
      return true;
    }
  }
  return false;
}

bool LikePattern::Match(std::string_view text) const {
  size_t taken = TakeAt(pieces_.front(), text);
  if (taken == std::string_view::npos) {
    return false;
  }
  if (pieces_.size() == 1) {
    return taken == text.size();
  }
  text.remove_prefix(taken);
  for (size_t p = 1; p + 1 < pieces_.size(); ++p) {
    const Piece& piece = pieces_[p];
    if (piece.plain) {
      size_t at = text.find(piece.bytes);
      if (at == std::string_view::npos) {
        return false;
      }
      text.remove_prefix(at + piece.bytes.size());
      continue;
    }
    taken = TakeAt(piece, text);
    while (taken == std::string_view::npos) {
      if (text.empty()) {
        return false;
      }
      text.remove_prefix(CharBytes(text));
      taken = TakeAt(piece, text);
    }
    text.remove_prefix(taken);
  }
  return MatchEnd(pieces_.back(), text);
}

}  // namespace sj::worker::exec::eval
