// SPDX-License-Identifier: Apache-2.0
// The parser's cursor, its depth accounting, and the statements other than CREATE.
#include "worker/sql/parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "worker/sql/error.h"
#include "worker/sql/parser_state.h"

namespace sj::worker::sql {
namespace {

// Sorted. Fewer than Flink reserves: more names may stay unquoted here than there.
constexpr std::array<std::string_view, 47> kReserved = {
    "ALL",      "AND",    "AS",     "BETWEEN", "CASE",   "CAST",    "CREATE",    "CROSS",
    "DISTINCT", "ELSE",   "END",    "EXCEPT",  "EXISTS", "FALSE",   "FETCH",     "FROM",
    "FULL",     "GROUP",  "HAVING", "IN",      "INNER",  "INSERT",  "INTERSECT", "INTO",
    "IS",       "JOIN",   "LEFT",   "LIKE",    "LIMIT",  "MINUS",   "NATURAL",   "NOT",
    "NULL",     "OFFSET", "ON",     "OR",      "ORDER",  "QUALIFY", "RIGHT",     "SELECT",
    "THEN",     "TRUE",   "UNION",  "USING",   "VALUES", "WHEN",    "WHERE"};

}  // namespace

bool IsReserved(std::string_view word) {
  return std::binary_search(kReserved.begin(), kReserved.end(), ToUpper(word));
}

const Token& Parser::Peek(size_t ahead) const {
  return tokens_[std::min(at_ + ahead, tokens_.size() - 1)];
}

bool Parser::IsWord(std::string_view keyword, size_t ahead) const {
  const Token& token = Peek(ahead);
  return token.kind == TokenKind::kWord && EqualsIgnoreCase(token.text, keyword);
}

bool Parser::IsSymbol(std::string_view symbol, size_t ahead) const {
  const Token& token = Peek(ahead);
  return token.kind == TokenKind::kSymbol && token.text == symbol;
}

bool Parser::AcceptWord(std::string_view keyword) {
  return AcceptWords({keyword});
}

bool Parser::AcceptWords(std::initializer_list<std::string_view> keywords) {
  size_t ahead = 0;
  for (std::string_view keyword : keywords) {
    if (!IsWord(keyword, ahead++)) {
      return false;
    }
  }
  at_ += ahead;
  return true;
}

bool Parser::AcceptSymbol(std::string_view symbol) {
  if (!IsSymbol(symbol)) {
    return false;
  }
  ++at_;
  return true;
}

void Parser::ExpectWord(std::string_view keyword) {
  if (!AcceptWord(keyword)) {
    FailExpected(keyword);
  }
}

void Parser::ExpectSymbol(std::string_view symbol) {
  if (!AcceptSymbol(symbol)) {
    FailExpected(fmt::format("\"{}\"", symbol));
  }
}

bool Parser::AtName() const {
  const Token& token = Peek();
  return token.kind == TokenKind::kQuoted ||
         (token.kind == TokenKind::kWord && !IsReserved(token.text));
}

Identifier Parser::ExpectName(std::string_view what) {
  Identifier name;
  name.pos = pos();
  if (!AtName()) {
    const bool reserved = Peek().kind == TokenKind::kWord && !failed();
    if (reserved) {
      Fail(pos(), fmt::format("expected {}, found reserved word {}", what, ToUpper(Peek().text)),
           fmt::format("As a name write it in back quotes: `{}`.", Peek().text));
    }
    FailExpected(what);
    return name;
  }
  const Token& token = Peek();
  name.name = token.kind == TokenKind::kQuoted ? Unquote(token.text) : std::string(token.text);
  ++at_;
  return name;
}

std::vector<Identifier> Parser::ExpectPath(std::string_view what) {
  std::vector<Identifier> path = {ExpectName(what)};
  while (AcceptSymbol(".")) {
    path.push_back(ExpectName(what));
  }
  return path;
}

std::vector<Identifier> Parser::ExpectNameList(std::string_view what) {
  std::vector<Identifier> names;
  ExpectSymbol("(");
  do {
    names.push_back(ExpectName(what));
  } while (CheckCount(names.size()) && AcceptSymbol(","));
  ExpectSymbol(")");
  return names;
}

std::string Parser::ExpectString(std::string_view what) {
  if (Peek().kind != TokenKind::kString) {
    FailExpected(what);
    return "";
  }
  return Unquote(tokens_[at_++].text);
}

std::string Parser::TakeText() {
  std::string text = ToUpper(Peek().text);
  if (!AtEnd()) {
    ++at_;
  }
  return text;
}

void Parser::Fail(SourcePos at, std::string_view message, std::string_view hint) {
  if (error_.ok()) {
    error_ = ErrorAt(at, message, hint);
  }
  at_ = tokens_.size() - 1;
}

void Parser::FailExpected(std::string_view what) {
  const Token& token = Peek();
  std::string found = "end of text";
  if (token.kind == TokenKind::kString) {
    found = "a string";
  } else if (token.kind != TokenKind::kEnd) {
    found = Quoted(token.text);
  }
  Fail(token.pos, fmt::format("expected {}, found {}", what, found));
}

bool Parser::CheckCount(size_t count) {
  if (count > options_.elements_max) {
    Fail(pos(), fmt::format("list has more than {} elements", options_.elements_max));
    return false;
  }
  return true;
}

Parser::Nested::Nested(Parser* parser) : parser_(parser) {
  ok_ = ++parser_->nesting_ <= parser_->options_.depth_max;
  if (!ok_) {
    parser_->Fail(parser_->pos(),
                  fmt::format("nested more than {} levels deep", parser_->options_.depth_max));
  }
}

bool Parser::NoteDepth(int depth, SourcePos at) {
  deepest_ = std::max(deepest_, depth);
  if (depth > options_.depth_max) {
    Fail(at, fmt::format("nested more than {} levels deep", options_.depth_max));
    return false;
  }
  return true;
}

Script Parser::ParseScript() {
  Script script;
  while (!AtEnd()) {
    if (AcceptSymbol(";")) {
      continue;
    }
    script.statements.push_back(ParseStatement());
    if (!AtEnd() && !IsSymbol(";")) {
      FailExpected("\";\" or the end of the statement");
    }
  }
  script.end = Peek().pos;
  return script;
}

Statement Parser::ParseStatement() {
  Statement statement;
  statement.pos = pos();
  if (IsWord("CREATE")) {
    statement = ParseCreate();
  } else if (IsWord("INSERT")) {
    statement.body = ParseInsert();
  } else if (AcceptWords({"EXECUTE", "STATEMENT", "SET"})) {
    ExpectWord("BEGIN");
    statement.body = ParseStatementSet("EXECUTE STATEMENT SET");
  } else if (AcceptWords({"BEGIN", "STATEMENT", "SET"})) {
    ExpectSymbol(";");
    statement.body = ParseStatementSet("BEGIN STATEMENT SET");
  } else if (IsWord("SET") || IsWord("RESET")) {
    statement = ParseSet();
  } else if (IsWord("EXPLAIN")) {
    Fail(pos(), "EXPLAIN has no place in a job",
         "Run \"streamjob-worker explain FILE\" to see the plan.");
  } else if (IsWord("SELECT") || IsWord("WITH") || IsWord("VALUES") || IsSymbol("(")) {
    Fail(pos(), "a query of its own has nowhere to put its rows",
         "Write INSERT INTO table SELECT ...");
  } else if (Peek().kind == TokenKind::kWord) {
    Fail(pos(), fmt::format("unknown statement {}", Quoted(Peek().text)),
         "A job is made of CREATE TABLE, CREATE VIEW, INSERT INTO, EXECUTE STATEMENT SET and SET.");
  } else {
    FailExpected("a statement");
  }
  return statement;
}

Statement Parser::ParseSet() {
  Statement statement;
  statement.pos = pos();
  const bool reset = AcceptWord("RESET");
  if (!reset) {
    ExpectWord("SET");
  }
  const SourcePos key_pos = pos();
  if (Peek().kind == TokenKind::kWord) {
    Fail(key_pos, "setting name is not quoted", "Write SET 'name' = 'value'.");
  }
  if (reset) {
    ResetOption option;
    option.key_pos = key_pos;
    if (Peek().kind == TokenKind::kString) {
      option.key = ExpectString("a quoted setting name");
    }
    statement.body = std::move(option);
    return statement;
  }
  SetOption option;
  option.key_pos = key_pos;
  option.key = ExpectString("a quoted setting name");
  ExpectSymbol("=");
  option.value_pos = pos();
  option.value = ExpectString("a quoted value");
  statement.body = std::move(option);
  return statement;
}

Insert Parser::ParseInsert() {
  Insert insert;
  insert.pos = pos();
  ExpectWord("INSERT");
  insert.overwrite = AcceptWord("OVERWRITE");
  if (!insert.overwrite) {
    ExpectWord("INTO");
  }
  AcceptWord("TABLE");
  insert.table = ExpectPath("a table name");
  if (IsWord("PARTITION")) {
    Fail(pos(), "PARTITION in INSERT is not supported yet");
  }
  if (IsSymbol("(") && !AtQuery(1)) {
    insert.columns = ExpectNameList("a column name");
  }
  insert.query = ParseQuery();
  return insert;
}

StatementSet Parser::ParseStatementSet(std::string_view begin_hint) {
  StatementSet set;
  while (!failed()) {
    if (AcceptSymbol(";")) {
      continue;
    }
    if (AcceptWord("END")) {
      return set;
    }
    if (!IsWord("INSERT")) {
      FailExpected(fmt::format("INSERT INTO or the END of {}", begin_hint));
      break;
    }
    set.inserts.push_back(ParseInsert());
    if (!failed() && !IsSymbol(";")) {
      FailExpected("\";\" after INSERT");
    }
  }
  return set;
}

ExpressionPtr Parser::ParseWholeExpression() {
  ExpressionPtr expr = ParseExpr();
  if (!AtEnd()) {
    FailExpected("the end of the expression");
  }
  return expr;
}

namespace {

base::Result<Parser> MakeParser(std::string_view text, const ParseOptions& options) {
  if (text.size() > options.bytes_max) {
    return ErrorAt({1, 1},
                   fmt::format("text has {} bytes, more than {}", text.size(), options.bytes_max));
  }
  SJ_ASSIGN_OR_RETURN(std::vector<Token> tokens, Lex(text));
  return Parser(std::move(tokens), options);
}

}  // namespace

base::Result<Script> Parse(std::string_view text, const ParseOptions& options) {
  SJ_ASSIGN_OR_RETURN(Parser parser, MakeParser(text, options));
  Script script = parser.ParseScript();
  SJ_RETURN_IF_ERROR(parser.error());
  return script;
}

base::Result<ExpressionPtr> ParseExpression(std::string_view text, const ParseOptions& options) {
  SJ_ASSIGN_OR_RETURN(Parser parser, MakeParser(text, options));
  ExpressionPtr expr = parser.ParseWholeExpression();
  SJ_RETURN_IF_ERROR(parser.error());
  return expr;
}

}  // namespace sj::worker::sql
