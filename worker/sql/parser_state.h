// SPDX-License-Identifier: Apache-2.0
// Parser: the state shared by the parser's source files, one for each layer of the grammar. The
// first error sticks: it moves the cursor to the end of the text, where nothing matches, so every
// loop ends and the half-built tree is thrown away by Parse. Private to worker/sql.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "worker/sql/ast.h"
#include "worker/sql/lexer.h"
#include "worker/sql/parser.h"

namespace sj::worker::sql {

class Parser {
 public:
  Parser(std::vector<Token> tokens, const ParseOptions& options)
      : tokens_(std::move(tokens)), options_(options) {}

  Script ParseScript();
  ExpressionPtr ParseWholeExpression();
  const base::Status& error() const { return error_; }

 private:
  // Cursor (parser.cc).
  const Token& Peek(size_t ahead = 0) const;
  SourcePos pos() const { return Peek().pos; }
  bool failed() const { return !error_.ok(); }
  bool IsWord(std::string_view keyword, size_t ahead = 0) const;
  bool IsSymbol(std::string_view symbol, size_t ahead = 0) const;
  bool AtEnd() const { return Peek().kind == TokenKind::kEnd; }
  bool AcceptWord(std::string_view keyword);
  bool AcceptWords(std::initializer_list<std::string_view> keywords);  // all or none
  bool AcceptSymbol(std::string_view symbol);
  void ExpectWord(std::string_view keyword);
  void ExpectSymbol(std::string_view symbol);
  bool AtName() const;
  Identifier ExpectName(std::string_view what);
  std::vector<Identifier> ExpectPath(std::string_view what);
  std::vector<Identifier> ExpectNameList(std::string_view what);  // "(a, b)"
  std::string ExpectString(std::string_view what);
  std::string TakeText();  // the current token's text, upper case; moves on
  void Fail(SourcePos at, std::string_view message, std::string_view hint = {});
  void FailExpected(std::string_view what);
  bool CheckCount(size_t count);  // false after refusing a list that is too long

  // Counts nesting; `ok()` is false when the bound was met.
  class Nested {
   public:
    explicit Nested(Parser* parser);
    ~Nested() { --parser_->nesting_; }
    Nested(const Nested&) = delete;
    Nested& operator=(const Nested&) = delete;
    bool ok() const { return ok_; }

   private:
    Parser* const parser_;
    bool ok_;
  };
  // Sets node->depth from its children and refuses a tree that is too deep.
  ExpressionPtr Finish(ExpressionPtr node);
  bool NoteDepth(int depth, SourcePos at);

  // Statements (parser.cc, parser_ddl.cc).
  Statement ParseStatement();
  Statement ParseCreate();
  Statement ParseSet();
  CreateTable ParseCreateTable(bool temporary);
  CreateView ParseCreateView(bool temporary);
  void ParseTableElements(CreateTable* table);
  void ParseWatermark(CreateTable* table);
  void ParsePrimaryKey(CreateTable* table);
  ColumnDefinition ParseColumn();
  void ParseColumnConstraints(ColumnDefinition* column);
  void ParseTableOptions(CreateTable* table);
  bool ParseIfNotExists();
  Insert ParseInsert();
  StatementSet ParseStatementSet(std::string_view begin_hint);
  TypeName ParseType();
  void ParseRowFields(TypeName* type);
  int ParseTypeParameter();

  // Queries (parser_query.cc).
  std::unique_ptr<Query> ParseQuery();
  bool AtQuery(size_t ahead = 0) const;
  void ParseWith(Query* query);
  QueryTerm ParseTerm();
  void ParseOrderAndLimit(Query* query);
  std::unique_ptr<Select> ParseSelect();
  SelectItem ParseSelectItem();
  void ParseGroupBy(Select* select);
  std::unique_ptr<TableRef> ParseFrom();
  std::unique_ptr<TableRef> ParseJoins();
  bool ParseJoinOperator(JoinKind* kind);
  void ParseJoinCondition(TableRef* join);
  std::unique_ptr<TableRef> ParseTablePrimary();
  void ParseTableFunction(TableRef* ref);
  TableArgument ParseTableArgument();
  void ParseAlias(TableRef* ref);
  std::unique_ptr<TableRef> JoinRefs(JoinKind kind, SourcePos at, std::unique_ptr<TableRef> left,
                                     std::unique_ptr<TableRef> right);
  std::vector<OrderItem> ParseOrderItems();

  // Expressions (parser_expression.cc, parser_primary.cc).
  ExpressionPtr ParseExpr(int min_precedence = 0);
  ExpressionPtr ParsePrefix();
  ExpressionPtr ParsePrimary();
  ExpressionPtr ParseWordPrimary();
  ExpressionPtr ParsePostfix(ExpressionPtr value);
  ExpressionPtr ParseInfix(ExpressionPtr left, int precedence);
  ExpressionPtr ParsePredicate(ExpressionPtr left);
  ExpressionPtr ParseIs(ExpressionPtr left);
  ExpressionPtr ParseIn(ExpressionPtr left, bool negated, SourcePos at);
  ExpressionPtr ParseParenthesized();
  ExpressionPtr ParseCase();
  ExpressionPtr ParseCast();
  ExpressionPtr ParseInterval();
  ExpressionPtr ParsePathOrCall();
  ExpressionPtr ParseCall(std::vector<Identifier> path);
  bool ParseSpecialArguments(Expression* call);
  void ParseTrimArguments(Expression* call);
  std::unique_ptr<WindowSpec> ParseOver();
  void ParseFrame(WindowSpec* window);
  void ParseExpressionList(std::vector<ExpressionPtr>* list, std::string_view close);
  int InfixPrecedence() const;  // of the token at the cursor; -1: none

  std::vector<Token> tokens_;
  ParseOptions options_;
  size_t at_ = 0;
  int nesting_ = 0;
  int deepest_ = 0;  // of the nodes made since the innermost query began
  base::Status error_;
};

}  // namespace sj::worker::sql
