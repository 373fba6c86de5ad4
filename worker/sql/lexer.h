// SPDX-License-Identifier: Apache-2.0
// Lexer: SQL text to tokens. The text must be UTF-8; positions count characters, not bytes. Tokens
// are views into the text. One pass, time and memory linear in the text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/base/status.h"
#include "worker/types/table.h"

namespace sj::worker::sql {

enum class TokenKind : uint8_t {
  kWord,    // unquoted identifier or keyword
  kQuoted,  // `identifier`, with its quotes
  kString,  // 'text', with its quotes
  kNumber,  // 12, 1.5, .5, 1e3
  kSymbol,  // one operator or punctuation mark
  kEnd,
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  types::SourcePos pos;
  std::string_view text;
};

// The last token is kEnd. Errors: not UTF-8, an open quote or comment, an unknown character.
base::Result<std::vector<Token>> Lex(std::string_view text);

// The value of a kQuoted or kString token: quotes off, doubled quotes once.
std::string Unquote(std::string_view token_text);

}  // namespace sj::worker::sql
