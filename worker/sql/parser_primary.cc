// SPDX-License-Identifier: Apache-2.0
// Primary expressions: literals, intervals, CASE, CAST, columns, calls and the functions whose
// arguments have a grammar of their own (EXTRACT, TRIM, FLOOR ... TO, POSITION, SUBSTRING).
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "worker/sql/error.h"
#include "worker/sql/parser_state.h"

namespace sj::worker::sql {
namespace {

ExpressionPtr Make(ExprKind kind, SourcePos pos) {
  auto node = std::make_unique<Expression>();
  node->kind = kind;
  node->pos = pos;
  return node;
}

bool IsTimeUnit(std::string_view word) {
  static constexpr std::array<std::string_view, 9> kUnits = {
      "YEAR", "QUARTER", "MONTH", "WEEK", "DAY", "HOUR", "MINUTE", "SECOND", "MILLISECOND"};
  const std::string upper = ToUpper(word);
  return std::find(kUnits.begin(), kUnits.end(), upper) != kUnits.end();
}

// "DAYS" as "DAY".
std::string SingularUnit(std::string unit) {
  if (unit.size() > 1 && unit.back() == 'S' && IsTimeUnit(unit.substr(0, unit.size() - 1))) {
    unit.pop_back();
  }
  return unit;
}

}  // namespace

ExpressionPtr Parser::ParsePrimary() {
  const Token& token = Peek();
  ExpressionPtr node = Make(ExprKind::kNull, token.pos);
  switch (token.kind) {
    case TokenKind::kNumber:
      node->kind = ExprKind::kNumber;
      node->text = token.text;
      ++at_;
      return Finish(std::move(node));
    case TokenKind::kString:
      node->kind = ExprKind::kString;
      node->text = Unquote(token.text);
      ++at_;
      return Finish(std::move(node));
    case TokenKind::kSymbol:
      if (IsSymbol("(")) {
        return ParseParenthesized();
      }
      FailExpected("an expression");
      return node;
    case TokenKind::kQuoted:
      return ParsePathOrCall();
    case TokenKind::kWord:
      return ParseWordPrimary();
    case TokenKind::kEnd:
      break;
  }
  FailExpected("an expression");
  return node;
}

ExpressionPtr Parser::ParseWordPrimary() {
  ExpressionPtr node = Make(ExprKind::kNull, pos());
  const bool before_string = Peek(1).kind == TokenKind::kString;
  if (IsWord("CASE")) {
    return ParseCase();
  }
  if ((IsWord("CAST") || IsWord("TRY_CAST")) && IsSymbol("(", 1)) {
    return ParseCast();
  }
  if (IsWord("INTERVAL") && (before_string || IsSymbol("-", 1) || IsSymbol("+", 1))) {
    return ParseInterval();
  }
  if (IsWord("EXISTS") && IsSymbol("(", 1)) {
    at_ += 2;
    node->kind = ExprKind::kExists;
    node->query = ParseQuery();
    ExpectSymbol(")");
    return Finish(std::move(node));
  }
  if (AcceptWord("NULL")) {
    return Finish(std::move(node));
  }
  if (IsWord("TRUE") || IsWord("FALSE")) {
    node->kind = ExprKind::kBoolean;
    node->text = TakeText();
    return Finish(std::move(node));
  }
  if (before_string && (IsWord("DATE") || IsWord("TIME") || IsWord("TIMESTAMP"))) {
    node->kind = ExprKind::kTypedLiteral;
    node->op = TakeText();
    node->text = ExpectString("a string");
    return Finish(std::move(node));
  }
  if ((IsWord("ARRAY") || IsWord("MAP")) && IsSymbol("[", 1)) {
    node->kind = IsWord("MAP") ? ExprKind::kMap : ExprKind::kArray;
    at_ += 2;
    ParseExpressionList(&node->args, "]");
    return Finish(std::move(node));
  }
  if (IsWord("ROW") && IsSymbol("(", 1)) {
    node->kind = ExprKind::kRow;
    at_ += 2;
    ParseExpressionList(&node->args, ")");
    return Finish(std::move(node));
  }
  return ParsePathOrCall();
}

ExpressionPtr Parser::ParseParenthesized() {
  const SourcePos at = pos();
  ExpectSymbol("(");
  if (AcceptSymbol(")")) {
    return Finish(Make(ExprKind::kRow, at));  // GROUPING SETS (())
  }
  if (AtQuery()) {
    ExpressionPtr node = Make(ExprKind::kSubquery, at);
    node->query = ParseQuery();
    ExpectSymbol(")");
    return Finish(std::move(node));
  }
  ExpressionPtr inner = ParseExpr();
  if (IsSymbol(",")) {
    ExpressionPtr node = Make(ExprKind::kRow, at);
    node->args.push_back(std::move(inner));
    ++at_;
    ParseExpressionList(&node->args, ")");
    return Finish(std::move(node));
  }
  ExpectSymbol(")");
  return inner;
}

ExpressionPtr Parser::ParseCase() {
  ExpressionPtr node = Make(ExprKind::kCase, pos());
  ExpectWord("CASE");
  if (!IsWord("WHEN")) {
    node->has_operand = true;
    node->args.push_back(ParseExpr());
  }
  ExpectWord("WHEN");
  do {
    node->args.push_back(ParseExpr());
    ExpectWord("THEN");
    node->args.push_back(ParseExpr());
  } while (CheckCount(node->args.size()) && AcceptWord("WHEN"));
  if (AcceptWord("ELSE")) {
    node->has_else = true;
    node->args.push_back(ParseExpr());
  }
  ExpectWord("END");
  return Finish(std::move(node));
}

ExpressionPtr Parser::ParseCast() {
  ExpressionPtr node = Make(ExprKind::kCast, pos());
  node->op = TakeText();
  ExpectSymbol("(");
  node->args.push_back(ParseExpr());
  ExpectWord("AS");
  node->type = std::make_unique<TypeName>(ParseType());
  ExpectSymbol(")");
  return Finish(std::move(node));
}

ExpressionPtr Parser::ParseInterval() {
  ExpressionPtr node = Make(ExprKind::kInterval, pos());
  ExpectWord("INTERVAL");
  node->negated = AcceptSymbol("-");
  if (!node->negated) {
    AcceptSymbol("+");
  }
  node->text = ExpectString("a quoted interval");
  auto unit = [this]() -> std::string {
    if (Peek().kind != TokenKind::kWord) {
      FailExpected("an interval unit");
      return "";
    }
    const SourcePos at = pos();
    std::string word = SingularUnit(TakeText());
    if (!IsTimeUnit(word)) {
      Fail(at, fmt::format("unknown interval unit {}", Quoted(word)),
           "Units are YEAR, QUARTER, MONTH, WEEK, DAY, HOUR, MINUTE and SECOND.");
    }
    if (AcceptSymbol("(")) {
      ParseTypeParameter();
      ExpectSymbol(")");
    }
    return word;
  };
  node->unit = unit();
  if (AcceptWord("TO")) {
    node->unit_to = unit();
  }
  return Finish(std::move(node));
}

ExpressionPtr Parser::ParsePathOrCall() {
  const SourcePos at = pos();
  const bool function_word =
      (IsWord("LEFT") || IsWord("RIGHT") || IsWord("VALUES")) && IsSymbol("(", 1);
  std::vector<Identifier> path;
  if (function_word) {
    path.push_back({TakeText(), at});
  } else {
    path.push_back(ExpectName("an expression"));
  }
  while (IsSymbol(".") && !IsSymbol("*", 1)) {
    ++at_;
    path.push_back(ExpectName("a name"));
    if (!CheckCount(path.size())) {
      break;
    }
  }
  if (IsSymbol("(")) {
    return ParseCall(std::move(path));
  }
  ExpressionPtr node = Make(ExprKind::kColumn, at);
  node->path = std::move(path);
  if (IsSymbol(".") && IsSymbol("*", 1)) {
    node->kind = ExprKind::kStar;
    at_ += 2;
  }
  return Finish(std::move(node));
}

ExpressionPtr Parser::ParseCall(std::vector<Identifier> path) {
  ExpressionPtr call = Make(ExprKind::kCall, path.front().pos);
  call->path = std::move(path);
  ExpectSymbol("(");
  call->distinct = AcceptWord("DISTINCT");
  if (!call->distinct) {
    AcceptWord("ALL");
  }
  if (IsSymbol("*") && IsSymbol(")", 1)) {
    ExpressionPtr star = Make(ExprKind::kStar, pos());
    call->args.push_back(Finish(std::move(star)));
    at_ += 2;
  } else if (!ParseSpecialArguments(call.get())) {
    ParseExpressionList(&call->args, ")");
  }
  if (AcceptWord("FILTER")) {
    ExpectSymbol("(");
    ExpectWord("WHERE");
    call->filter = ParseExpr();
    ExpectSymbol(")");
  }
  if (AcceptWord("OVER")) {
    call->over = ParseOver();
  }
  return Finish(std::move(call));
}

// Parses up to the closing parenthesis when the call has a grammar of its own.
bool Parser::ParseSpecialArguments(Expression* call) {
  const std::string name = call->path.size() == 1 ? ToUpper(call->path[0].name) : "";
  auto word = [this]() {
    ExpressionPtr node = Make(ExprKind::kWord, pos());
    node->text = SingularUnit(TakeText());
    return Finish(std::move(node));
  };
  if (name == "EXTRACT") {
    if (Peek().kind != TokenKind::kWord) {
      FailExpected("a time unit");
      return true;
    }
    call->args.push_back(word());
    ExpectWord("FROM");
    call->args.push_back(ParseExpr());
    ExpectSymbol(")");
    return true;
  }
  if (name == "TRIM") {
    ParseTrimArguments(call);
    return true;
  }
  constexpr int kOperandLevel = 5;  // an operand of IN
  if (name == "POSITION") {
    call->args.push_back(ParseExpr(kOperandLevel));
    if (!AcceptSymbol(",")) {
      ExpectWord("IN");
    }
    call->args.push_back(ParseExpr());
    ExpectSymbol(")");
    return true;
  }
  const bool rounding = name == "FLOOR" || name == "CEIL" || name == "CEILING";
  if (!rounding && name != "SUBSTRING") {
    return false;
  }
  call->args.push_back(ParseExpr());
  if (rounding && AcceptWord("TO")) {
    call->args.push_back(word());
  } else if (!rounding && AcceptWord("FROM")) {
    call->args.push_back(ParseExpr());
    if (AcceptWord("FOR")) {
      call->args.push_back(ParseExpr());
    }
  } else if (AcceptSymbol(",")) {
    ParseExpressionList(&call->args, ")");
    return true;
  }
  ExpectSymbol(")");
  return true;
}

// TRIM(x), TRIM(c FROM x), TRIM(BOTH|LEADING|TRAILING [c] FROM x): args are [word, [c,] x].
void Parser::ParseTrimArguments(Expression* call) {
  ExpressionPtr side = Make(ExprKind::kWord, pos());
  side->text = "BOTH";
  const bool explicit_side = IsWord("BOTH") || IsWord("LEADING") || IsWord("TRAILING");
  if (explicit_side) {
    side->text = TakeText();
  }
  call->args.push_back(Finish(std::move(side)));
  if (!(explicit_side && IsWord("FROM"))) {
    call->args.push_back(ParseExpr());
  }
  if (AcceptWord("FROM")) {
    call->args.push_back(ParseExpr());
  } else if (explicit_side) {
    FailExpected("FROM");
  }
  ExpectSymbol(")");
}

}  // namespace sj::worker::sql
