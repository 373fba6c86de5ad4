// SPDX-License-Identifier: Apache-2.0
// Expressions: operators by precedence climbing. Loosest first: OR, AND, NOT, predicates
// (comparisons, IS, IN, BETWEEN, LIKE), + and -, then * / % ||, then signs, then [index].
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "worker/sql/error.h"
#include "worker/sql/parser_state.h"

namespace sj::worker::sql {
namespace {

constexpr int kOrLevel = 1;
constexpr int kAndLevel = 2;
constexpr int kNotLevel = 3;
constexpr int kPredicateLevel = 4;
constexpr int kSumLevel = 5;
constexpr int kProductLevel = 6;
constexpr int kSignLevel = 7;

ExpressionPtr Make(ExprKind kind, SourcePos pos) {
  auto node = std::make_unique<Expression>();
  node->kind = kind;
  node->pos = pos;
  return node;
}

}  // namespace

ExpressionPtr Parser::Finish(ExpressionPtr node) {
  int depth = 0;
  for (const ExpressionPtr& arg : node->args) {
    depth = std::max(depth, arg->depth);
  }
  if (node->filter != nullptr) {
    depth = std::max(depth, node->filter->depth);
  }
  if (node->over != nullptr) {
    depth = std::max(depth, node->over->depth);
  }
  if (node->query != nullptr) {
    depth = std::max(depth, node->query->depth);
  }
  node->depth = depth + 1;
  NoteDepth(node->depth, node->pos);
  return node;
}

int Parser::InfixPrecedence() const {
  const Token& token = Peek();
  if (token.kind == TokenKind::kSymbol) {
    const std::string_view s = token.text;
    if (s == "+" || s == "-") {
      return kSumLevel;
    }
    if (s == "*" || s == "/" || s == "%" || s == "||") {
      return kProductLevel;
    }
    if (s == "=" || s == "<>" || s == "!=" || s == "<" || s == "<=" || s == ">" || s == ">=") {
      return kPredicateLevel;
    }
    return -1;
  }
  if (token.kind != TokenKind::kWord) {
    return -1;
  }
  if (IsWord("OR")) {
    return kOrLevel;
  }
  if (IsWord("AND")) {
    return kAndLevel;
  }
  static constexpr std::array<std::string_view, 5> kPredicates = {"IS", "IN", "BETWEEN", "LIKE",
                                                                  "SIMILAR"};
  const size_t word = IsWord("NOT") ? 1 : 0;
  for (std::string_view predicate : kPredicates) {
    if (IsWord(predicate, word) && !(word == 1 && predicate == "IS")) {
      return kPredicateLevel;
    }
  }
  return -1;
}

ExpressionPtr Parser::ParseExpr(int min_precedence) {
  Nested nested(this);
  if (!nested.ok()) {
    return Make(ExprKind::kNull, pos());
  }
  ExpressionPtr left = ParsePrefix();
  while (!failed()) {
    const int precedence = InfixPrecedence();
    if (precedence < 0 || precedence < min_precedence) {
      break;
    }
    left = ParseInfix(std::move(left), precedence);
  }
  return left;
}

ExpressionPtr Parser::ParseInfix(ExpressionPtr left, int precedence) {
  const SourcePos at = pos();
  if (precedence == kPredicateLevel && Peek().kind == TokenKind::kWord) {
    return ParsePredicate(std::move(left));
  }
  std::string op = TakeText();
  ExpressionPtr right = ParseExpr(precedence + 1);
  if (precedence <= kAndLevel) {
    const ExprKind kind = precedence == kOrLevel ? ExprKind::kOr : ExprKind::kAnd;
    if (left->kind != kind) {
      ExpressionPtr chain = Make(kind, at);
      chain->args.push_back(std::move(left));
      left = std::move(chain);
    }
    left->args.push_back(std::move(right));
    CheckCount(left->args.size());
    left->depth = std::max(left->depth, left->args.back()->depth + 1);
    if (left->args.size() == 2) {
      return Finish(std::move(left));
    }
    NoteDepth(left->depth, at);
    return left;
  }
  ExpressionPtr node = Make(ExprKind::kBinary, at);
  node->op = op == "!=" ? "<>" : op;
  node->args.push_back(std::move(left));
  node->args.push_back(std::move(right));
  return Finish(std::move(node));
}

ExpressionPtr Parser::ParsePredicate(ExpressionPtr left) {
  const SourcePos at = pos();
  if (AcceptWord("IS")) {
    return ParseIs(std::move(left));
  }
  const bool negated = AcceptWord("NOT");
  if (AcceptWord("IN")) {
    return ParseIn(std::move(left), negated, at);
  }
  ExpressionPtr node = Make(ExprKind::kLike, at);
  node->negated = negated;
  node->args.push_back(std::move(left));
  if (AcceptWord("BETWEEN")) {
    node->kind = ExprKind::kBetween;
    node->distinct = AcceptWord("SYMMETRIC");
    AcceptWord("ASYMMETRIC");
    node->args.push_back(ParseExpr(kSumLevel));
    ExpectWord("AND");
    node->args.push_back(ParseExpr(kSumLevel));
    return Finish(std::move(node));
  }
  node->op = "LIKE";
  if (!AcceptWord("LIKE")) {
    ExpectWord("SIMILAR");
    ExpectWord("TO");
    node->op = "SIMILAR TO";
  }
  node->args.push_back(ParseExpr(kSumLevel));
  if (AcceptWord("ESCAPE")) {
    node->args.push_back(ParseExpr(kSumLevel));
  }
  return Finish(std::move(node));
}

ExpressionPtr Parser::ParseIs(ExpressionPtr left) {
  ExpressionPtr node = Make(ExprKind::kIs, left->pos);
  node->args.push_back(std::move(left));
  node->negated = AcceptWord("NOT");
  if (AcceptWords({"DISTINCT", "FROM"})) {
    node->kind = ExprKind::kIsDistinct;
    node->args.push_back(ParseExpr(kSumLevel));
    return Finish(std::move(node));
  }
  if (IsWord("NULL") || IsWord("TRUE") || IsWord("FALSE") || IsWord("UNKNOWN")) {
    node->op = TakeText();
  } else {
    FailExpected("NULL, TRUE, FALSE, UNKNOWN or DISTINCT FROM");
  }
  return Finish(std::move(node));
}

ExpressionPtr Parser::ParseIn(ExpressionPtr left, bool negated, SourcePos at) {
  ExpressionPtr node = Make(ExprKind::kIn, at);
  node->negated = negated;
  node->args.push_back(std::move(left));
  if (IsSymbol("(") && AtQuery()) {
    ++at_;
    node->query = ParseQuery();
    ExpectSymbol(")");
    return Finish(std::move(node));
  }
  ExpectSymbol("(");
  ParseExpressionList(&node->args, ")");
  return Finish(std::move(node));
}

void Parser::ParseExpressionList(std::vector<ExpressionPtr>* list, std::string_view close) {
  if (AcceptSymbol(close)) {
    return;
  }
  do {
    list->push_back(ParseExpr());
  } while (CheckCount(list->size()) && AcceptSymbol(","));
  ExpectSymbol(close);
}

ExpressionPtr Parser::ParsePrefix() {
  const SourcePos at = pos();
  if (IsWord("NOT")) {
    ++at_;
    ExpressionPtr node = Make(ExprKind::kNot, at);
    node->args.push_back(ParseExpr(kNotLevel));
    return Finish(std::move(node));
  }
  if (IsSymbol("-") || IsSymbol("+")) {
    ExpressionPtr node = Make(ExprKind::kUnary, at);
    node->op = TakeText();
    node->args.push_back(ParseExpr(kSignLevel));
    return Finish(std::move(node));
  }
  return ParsePostfix(ParsePrimary());
}

ExpressionPtr Parser::ParsePostfix(ExpressionPtr value) {
  while (IsSymbol("[")) {
    ExpressionPtr node = Make(ExprKind::kElement, pos());
    ++at_;
    node->args.push_back(std::move(value));
    node->args.push_back(ParseExpr());
    ExpectSymbol("]");
    value = Finish(std::move(node));
  }
  if (IsSymbol("::")) {
    Fail(pos(), "\"::\" is not an operator here", "Write CAST(value AS type).");
  }
  return value;
}

std::unique_ptr<WindowSpec> Parser::ParseOver() {
  auto window = std::make_unique<WindowSpec>();
  window->pos = pos();
  if (!IsSymbol("(")) {
    Fail(pos(), "named windows are not supported yet", "Write the window out after OVER.");
    return window;
  }
  ++at_;
  const int outer = deepest_;
  deepest_ = 0;
  if (AcceptWords({"PARTITION", "BY"})) {
    do {
      window->partition_by.push_back(ParseExpr());
    } while (CheckCount(window->partition_by.size()) && AcceptSymbol(","));
  }
  if (AcceptWords({"ORDER", "BY"})) {
    window->order_by = ParseOrderItems();
  }
  if (IsWord("ROWS") || IsWord("RANGE")) {
    ParseFrame(window.get());
  }
  ExpectSymbol(")");
  window->depth = deepest_ + 1;
  deepest_ = outer;
  return window;
}

void Parser::ParseFrame(WindowSpec* window) {
  window->frame_unit = TakeText();
  const bool between = AcceptWord("BETWEEN");
  if (AcceptWords({"UNBOUNDED", "PRECEDING"})) {
    window->frame_low_unbounded = true;
  } else if (!AcceptWords({"CURRENT", "ROW"})) {
    window->frame_low = ParseExpr(kSumLevel);
    ExpectWord("PRECEDING");
  }
  if (!between) {
    return;
  }
  ExpectWord("AND");
  if (AcceptWords({"UNBOUNDED", "FOLLOWING"})) {
    window->frame_high_unbounded = true;
  } else if (!AcceptWords({"CURRENT", "ROW"})) {
    Fail(pos(), "an OVER frame must end at CURRENT ROW");
  }
}

}  // namespace sj::worker::sql
