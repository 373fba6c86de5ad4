// SPDX-License-Identifier: Apache-2.0
// Tokens, their positions in characters, and the texts that are refused.
#include "worker/sql/lexer.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace sj::worker::sql {
namespace {

std::string Tokens(std::string_view text) {
  base::Result<std::vector<Token>> tokens = Lex(text);
  if (!tokens.ok()) {
    return tokens.status().message();
  }
  std::string out;
  for (const Token& token : *tokens) {
    out += fmt::format("{}:{}[{}] ", token.pos.line, token.pos.column, token.text);
  }
  return out;
}

TEST(Lexer, CountsCharactersNotBytes) {
  EXPECT_EQ(Tokens("'ä€😀' x\n  y"), "1:1['ä€😀'] 1:7[x] 2:3[y] 2:4[] ");
  EXPECT_EQ(Tokens("\xef\xbb\xbfx"), "1:1[x] 1:2[] ");
}

TEST(Lexer, SkipsComments) {
  EXPECT_EQ(Tokens("a -- b\n/* c\n*/ d/**/e"), "1:1[a] 3:4[d] 3:9[e] 3:10[] ");
  EXPECT_EQ(Tokens("a - -1"), "1:1[a] 1:3[-] 1:5[-] 1:6[1] 1:7[] ");
}

TEST(Lexer, ReadsNumbersAndOperators) {
  EXPECT_EQ(Tokens("1.5 .5 1e-3 2. <>!=<=>=||=>"),
            "1:1[1.5] 1:5[.5] 1:8[1e-3] 1:13[2.] 1:16[<>] 1:18[!=] 1:20[<=] 1:22[>=] 1:24[||] "
            "1:26[=>] 1:28[] ");
  EXPECT_EQ(Tokens("12ab"),
            "1:1: malformed number. Put a blank after it, or quote the identifier.");
}

TEST(Lexer, Unquotes) {
  EXPECT_EQ(Unquote("'it''s'"), "it's");
  EXPECT_EQ(Unquote("`a``b`"), "a`b");
  EXPECT_EQ(Unquote("''"), "");
}

TEST(Lexer, RefusesWhatIsNotClosed) {
  EXPECT_EQ(Tokens("a 'b"), "1:3: string is not closed. Close it with '.");
  EXPECT_EQ(Tokens("`b"), "1:1: quoted identifier is not closed. Close it with `.");
  EXPECT_EQ(Tokens("x /* y"), "1:3: comment is not closed. Close it with */.");
  EXPECT_EQ(Tokens("``"), "1:1: quoted identifier is empty");
  EXPECT_EQ(
      Tokens("\"x\""),
      "1:1: double quotes are not used. Use 'single quotes' for strings and `back quotes` for "
      "identifiers.");
  EXPECT_EQ(Tokens(std::string_view("a\0", 2)), "1:2: unexpected character 0x00");
}

TEST(Lexer, RefusesMalformedUtf8) {
  for (std::string_view bad :
       {"\xff", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80",
        "\xc3", "\xe2\x82", "\x80"}) {
    EXPECT_EQ(Tokens("ab\n" + std::string(bad)), "2:1: text is not valid UTF-8");
  }
}

}  // namespace
}  // namespace sj::worker::sql
