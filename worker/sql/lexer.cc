// SPDX-License-Identifier: Apache-2.0
// The lexer: a cursor that counts lines and characters while it walks the bytes once.
#include "worker/sql/lexer.h"

#include <fmt/format.h>

#include <array>

#include "worker/sql/error.h"

namespace sj::worker::sql {
namespace {

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

bool IsWordStart(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

bool IsWordPart(char c) {
  return IsWordStart(c) || IsDigit(c) || c == '$';
}

// Length of the well-formed UTF-8 sequence at `at`, or 0.
size_t Utf8Length(std::string_view text, size_t at) {
  auto byte = [&](size_t i) { return static_cast<unsigned char>(text[at + i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) {
    return 1;
  }
  size_t length = first >= 0xf0 ? 4 : (first >= 0xe0 ? 3 : 2);
  if (first < 0xc2 || first > 0xf4 || at + length > text.size()) {
    return 0;
  }
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) {
      return 0;
    }
  }
  bool overlong = (first == 0xe0 && byte(1) < 0xa0) || (first == 0xf0 && byte(1) < 0x90);
  bool surrogate = first == 0xed && byte(1) > 0x9f;
  bool too_large = first == 0xf4 && byte(1) > 0x8f;
  return overlong || surrogate || too_large ? 0 : length;
}

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  base::Result<std::vector<Token>> Run() {
    SJ_RETURN_IF_ERROR(CheckUtf8());
    if (text_.substr(0, 3) == "\xef\xbb\xbf") {
      at_ = 3;  // a byte order mark is no character of the text
    }
    std::vector<Token> tokens;
    while (true) {
      SJ_RETURN_IF_ERROR(SkipBlanks());
      Token token;
      token.pos = pos_;
      size_t begin = at_;
      if (at_ < text_.size()) {
        SJ_RETURN_IF_ERROR(Next(&token.kind));
      }
      token.text = text_.substr(begin, at_ - begin);
      tokens.push_back(token);
      if (token.kind == TokenKind::kEnd) {
        return tokens;
      }
    }
  }

 private:
  base::Status CheckUtf8() const {
    types::SourcePos pos{1, 1};
    for (size_t i = 0; i < text_.size();) {
      size_t length = Utf8Length(text_, i);
      if (length == 0) {
        return ErrorAt(pos, "text is not valid UTF-8");
      }
      pos.column = text_[i] == '\n' ? 1 : pos.column + 1;
      pos.line += text_[i] == '\n' ? 1 : 0;
      i += length;
    }
    return base::OkStatus();
  }

  char Peek(size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }

  void Advance() {
    const auto c = static_cast<unsigned char>(text_[at_++]);
    if (c == '\n') {
      ++pos_.line;
      pos_.column = 1;
    } else if (at_ == text_.size() || (static_cast<unsigned char>(text_[at_]) & 0xc0) != 0x80) {
      ++pos_.column;  // the last byte of a character
    }
  }

  void AdvanceBy(size_t n) {
    for (size_t i = 0; i < n; ++i) {
      Advance();
    }
  }

  base::Status SkipBlanks() {
    while (at_ < text_.size()) {
      char c = Peek();
      if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f') {
        Advance();
      } else if (c == '-' && Peek(1) == '-') {
        while (at_ < text_.size() && Peek() != '\n') {
          Advance();
        }
      } else if (c == '/' && Peek(1) == '*' && Peek(2) != '+') {
        SJ_RETURN_IF_ERROR(SkipComment());
      } else {
        break;
      }
    }
    return base::OkStatus();
  }

  base::Status SkipComment() {
    const types::SourcePos begin = pos_;
    AdvanceBy(2);
    while (at_ < text_.size()) {
      if (Peek() == '*' && Peek(1) == '/') {
        AdvanceBy(2);
        return base::OkStatus();
      }
      Advance();
    }
    return ErrorAt(begin, "comment is not closed", "Close it with */.");
  }

  base::Status Next(TokenKind* kind) {
    const char c = Peek();
    if (IsWordStart(c)) {
      *kind = TokenKind::kWord;
      while (at_ < text_.size() && IsWordPart(Peek())) {
        Advance();
      }
      return base::OkStatus();
    }
    if (c == '\'' || c == '`') {
      *kind = c == '`' ? TokenKind::kQuoted : TokenKind::kString;
      return Enclosed(c);
    }
    if (IsDigit(c) || (c == '.' && IsDigit(Peek(1)))) {
      *kind = TokenKind::kNumber;
      return Number();
    }
    *kind = TokenKind::kSymbol;
    return Symbol();
  }

  base::Status Enclosed(char quote) {
    const types::SourcePos begin = pos_;
    const size_t start = at_;
    Advance();
    while (at_ < text_.size()) {
      if (Peek() != quote) {
        Advance();
      } else if (Peek(1) == quote) {
        AdvanceBy(2);
      } else {
        Advance();
        if (quote == '`' && at_ - start == 2) {
          return ErrorAt(begin, "quoted identifier is empty");
        }
        return base::OkStatus();
      }
    }
    return ErrorAt(begin, quote == '`' ? "quoted identifier is not closed" : "string is not closed",
                   fmt::format("Close it with {}.", quote));
  }

  base::Status Number() {
    const types::SourcePos begin = pos_;
    Digits();
    if (Peek() == '.') {
      Advance();
      Digits();
    }
    if (Peek() == 'e' || Peek() == 'E') {
      size_t sign = Peek(1) == '+' || Peek(1) == '-' ? 1 : 0;
      if (IsDigit(Peek(1 + sign))) {
        AdvanceBy(1 + sign);
        Digits();
      }
    }
    if (at_ < text_.size() && IsWordPart(Peek())) {
      return ErrorAt(begin, "malformed number", "Put a blank after it, or quote the identifier.");
    }
    return base::OkStatus();
  }

  void Digits() {
    while (IsDigit(Peek())) {
      Advance();
    }
  }

  base::Status Symbol() {
    static constexpr std::array<std::string_view, 8> kLong = {
        "<>", "!=", "<=", ">=", "||", "=>", "/*", "::"};
    for (std::string_view symbol : kLong) {
      if (text_.substr(at_, 2) == symbol) {
        AdvanceBy(2);
        return base::OkStatus();
      }
    }
    if (std::string_view("(),;.*+-/%=<>[]:?{}").find(Peek()) != std::string_view::npos &&
        Peek() != '\0') {
      Advance();
      return base::OkStatus();
    }
    if (Peek() == '"') {
      return ErrorAt(pos_, "double quotes are not used",
                     "Use 'single quotes' for strings and `back quotes` for identifiers.");
    }
    const auto c = static_cast<unsigned char>(Peek());
    return ErrorAt(pos_, c < 0x20 || c == 0x7f
                             ? fmt::format("unexpected character 0x{:02x}", c)
                             : fmt::format("unexpected character \"{}\"", Peek()));
  }

  const std::string_view text_;
  size_t at_ = 0;
  types::SourcePos pos_{1, 1};
};

}  // namespace

base::Result<std::vector<Token>> Lex(std::string_view text) {
  return Lexer(text).Run();
}

std::string Unquote(std::string_view token_text) {
  const char quote = token_text.front();
  std::string value;
  value.reserve(token_text.size());
  for (size_t i = 1; i + 1 < token_text.size(); ++i) {
    value += token_text[i];
    if (token_text[i] == quote) {
      ++i;
    }
  }
  return value;
}

}  // namespace sj::worker::sql
