// SPDX-License-Identifier: Apache-2.0
// Queries: SELECT, set operators, FROM with joins and table functions, ORDER BY and LIMIT.
#include <fmt/format.h>

#include <algorithm>

#include "worker/sql/error.h"
#include "worker/sql/parser_state.h"

namespace sj::worker::sql {

bool Parser::AtQuery(size_t ahead) const {
  while (IsSymbol("(", ahead)) {
    ++ahead;
  }
  return IsWord("SELECT", ahead) || IsWord("WITH", ahead) || IsWord("VALUES", ahead);
}

std::unique_ptr<Query> Parser::ParseQuery() {
  auto query = std::make_unique<Query>();
  query->pos = pos();
  Nested nested(this);
  if (!nested.ok()) {
    return query;
  }
  const int outer = deepest_;
  deepest_ = 0;
  if (AcceptWord("WITH")) {
    ParseWith(query.get());
  }
  query->terms.push_back(ParseTerm());
  while (IsWord("UNION") || IsWord("INTERSECT") || IsWord("EXCEPT") || IsWord("MINUS")) {
    SetOperator op;
    op.pos = pos();
    op.name = TakeText();
    op.all = AcceptWord("ALL");
    if (!op.all) {
      AcceptWord("DISTINCT");
    }
    query->operators.push_back(std::move(op));
    query->terms.push_back(ParseTerm());
    CheckCount(query->terms.size());
  }
  ParseOrderAndLimit(query.get());
  query->depth = deepest_ + 1;
  deepest_ = outer;
  NoteDepth(query->depth, query->pos);
  return query;
}

void Parser::ParseWith(Query* query) {
  do {
    CommonTable table;
    table.name = ExpectName("a name");
    if (IsSymbol("(")) {
      table.columns = ExpectNameList("a column name");
    }
    ExpectWord("AS");
    ExpectSymbol("(");
    table.query = ParseQuery();
    ExpectSymbol(")");
    query->with.push_back(std::move(table));
  } while (CheckCount(query->with.size()) && AcceptSymbol(","));
}

QueryTerm Parser::ParseTerm() {
  QueryTerm term;
  term.pos = pos();
  if (AcceptSymbol("(")) {
    term.nested = ParseQuery();
    ExpectSymbol(")");
  } else if (AcceptWord("VALUES")) {
    do {
      std::vector<ExpressionPtr> row;
      const bool tuple = AcceptSymbol("(") || (IsWord("ROW") && IsSymbol("(", 1));
      if (AcceptWord("ROW")) {
        ExpectSymbol("(");
      }
      if (tuple) {
        ParseExpressionList(&row, ")");
      } else {
        row.push_back(ParseExpr());
      }
      term.values.push_back(std::move(row));
    } while (CheckCount(term.values.size()) && AcceptSymbol(","));
  } else if (IsWord("SELECT")) {
    term.select = ParseSelect();
  } else {
    FailExpected("SELECT");
  }
  return term;
}

std::vector<OrderItem> Parser::ParseOrderItems() {
  std::vector<OrderItem> items;
  do {
    OrderItem item;
    item.expr = ParseExpr();
    item.descending = AcceptWord("DESC");
    if (!item.descending) {
      AcceptWord("ASC");
    }
    if (IsWord("NULLS")) {
      Fail(pos(), "NULLS FIRST and NULLS LAST are not supported yet");
    }
    items.push_back(std::move(item));
  } while (CheckCount(items.size()) && AcceptSymbol(","));
  return items;
}

void Parser::ParseOrderAndLimit(Query* query) {
  const SourcePos order_pos = pos();
  if (AcceptWords({"ORDER", "BY"})) {
    query->order_pos = order_pos;
    query->order_by = ParseOrderItems();
  }
  if (AcceptWord("LIMIT")) {
    query->limit = ParseExpr();
  }
  if (AcceptWord("OFFSET")) {
    query->offset = ParseExpr();
    if (!AcceptWord("ROWS")) {
      AcceptWord("ROW");
    }
  }
  if (AcceptWord("FETCH")) {
    if (!AcceptWord("NEXT")) {
      ExpectWord("FIRST");
    }
    query->limit = ParseExpr();
    if (!AcceptWord("ROWS")) {
      ExpectWord("ROW");
    }
    ExpectWord("ONLY");
  }
}

std::unique_ptr<Select> Parser::ParseSelect() {
  auto select = std::make_unique<Select>();
  select->pos = pos();
  ExpectWord("SELECT");
  select->distinct_pos = pos();
  select->distinct = AcceptWord("DISTINCT");
  if (!select->distinct) {
    AcceptWord("ALL");
  }
  do {
    select->items.push_back(ParseSelectItem());
  } while (CheckCount(select->items.size()) && AcceptSymbol(","));
  if (AcceptWord("FROM")) {
    select->from = ParseFrom();
  }
  if (AcceptWord("WHERE")) {
    select->where = ParseExpr();
  }
  select->group_pos = pos();
  if (AcceptWords({"GROUP", "BY"})) {
    ParseGroupBy(select.get());
  } else {
    select->group_pos = {};
  }
  if (AcceptWord("HAVING")) {
    select->having = ParseExpr();
  }
  if (IsWord("WINDOW") && !failed()) {
    Fail(pos(), "WINDOW is not supported yet", "Write the window out after OVER.");
  }
  if (AcceptWord("QUALIFY")) {
    select->qualify = ParseExpr();
  }
  return select;
}

SelectItem Parser::ParseSelectItem() {
  SelectItem item;
  if (IsSymbol("*")) {
    auto star = std::make_unique<Expression>();
    star->kind = ExprKind::kStar;
    star->pos = pos();
    ++at_;
    item.expr = Finish(std::move(star));
    return item;
  }
  item.expr = ParseExpr();
  if (AcceptWord("AS")) {
    item.alias = ExpectName("a column name");
  } else if (AtName() && !IsWord("WINDOW")) {
    item.alias = ExpectName("a column name");
  }
  return item;
}

void Parser::ParseGroupBy(Select* select) {
  if (AcceptWords({"GROUPING", "SETS"})) {
    select->grouping = GroupingKind::kSets;
    ExpectSymbol("(");
    ParseExpressionList(&select->group_by, ")");
    return;
  }
  if (IsSymbol("(", 1) && (IsWord("ROLLUP") || IsWord("CUBE"))) {
    select->grouping = IsWord("CUBE") ? GroupingKind::kCube : GroupingKind::kRollup;
    ++at_;
    ExpectSymbol("(");
    ParseExpressionList(&select->group_by, ")");
    return;
  }
  do {
    select->group_by.push_back(ParseExpr());
  } while (CheckCount(select->group_by.size()) && AcceptSymbol(","));
}

std::unique_ptr<TableRef> Parser::JoinRefs(JoinKind kind, SourcePos at,
                                           std::unique_ptr<TableRef> left,
                                           std::unique_ptr<TableRef> right) {
  auto join = std::make_unique<TableRef>();
  join->kind = TableKind::kJoin;
  join->pos = at;
  join->join = kind;
  join->depth = 1 + std::max(left->depth, right->depth);
  join->left = std::move(left);
  join->right = std::move(right);
  NoteDepth(join->depth, at);
  return join;
}

std::unique_ptr<TableRef> Parser::ParseFrom() {
  std::unique_ptr<TableRef> ref = ParseJoins();
  while (IsSymbol(",")) {
    const SourcePos at = pos();
    ++at_;
    ref = JoinRefs(JoinKind::kComma, at, std::move(ref), ParseJoins());
  }
  return ref;
}

bool Parser::ParseJoinOperator(JoinKind* kind) {
  *kind = JoinKind::kInner;
  if (AcceptWord("CROSS")) {
    *kind = JoinKind::kCross;
  } else if (AcceptWord("LEFT")) {
    *kind = JoinKind::kLeft;
  } else if (AcceptWord("RIGHT")) {
    *kind = JoinKind::kRight;
  } else if (AcceptWord("FULL")) {
    *kind = JoinKind::kFull;
  } else if (!AcceptWord("INNER")) {
    return AcceptWord("JOIN");
  }
  if (*kind != JoinKind::kInner && *kind != JoinKind::kCross) {
    AcceptWord("OUTER");
  }
  ExpectWord("JOIN");
  return true;
}

std::unique_ptr<TableRef> Parser::ParseJoins() {
  std::unique_ptr<TableRef> ref = ParseTablePrimary();
  while (!failed()) {
    const SourcePos at = pos();
    const bool natural = AcceptWord("NATURAL");
    JoinKind kind = JoinKind::kInner;
    if (!ParseJoinOperator(&kind)) {
      break;
    }
    ref = JoinRefs(kind, at, std::move(ref), ParseTablePrimary());
    ref->natural = natural;
    ParseJoinCondition(ref.get());
  }
  return ref;
}

void Parser::ParseJoinCondition(TableRef* join) {
  if (AcceptWord("ON")) {
    join->on = ParseExpr();
  } else if (AcceptWord("USING")) {
    join->using_columns = ExpectNameList("a column name");
  }
}

std::unique_ptr<TableRef> Parser::ParseTablePrimary() {
  auto ref = std::make_unique<TableRef>();
  ref->pos = pos();
  Nested nested(this);
  if (!nested.ok()) {
    return ref;
  }
  ref->lateral = AcceptWord("LATERAL");
  if (IsSymbol("(") && AtQuery()) {
    ++at_;
    ref->kind = TableKind::kSubquery;
    ref->query = ParseQuery();
    ExpectSymbol(")");
  } else if (AcceptSymbol("(")) {
    ref = ParseFrom();
    ExpectSymbol(")");
  } else if (IsWord("TABLE") && IsSymbol("(", 1)) {
    at_ += 2;
    ParseTableFunction(ref.get());
    ExpectSymbol(")");
  } else if (IsWord("UNNEST") && IsSymbol("(", 1)) {
    at_ += 2;
    ref->kind = TableKind::kUnnest;
    ref->expr = ParseExpr();
    ExpectSymbol(")");
  } else if (AtName() && IsSymbol("(", 1)) {
    ParseTableFunction(ref.get());
  } else {
    ref->path = ExpectPath("a table name");
    if (AcceptWords({"FOR", "SYSTEM_TIME", "AS", "OF"})) {
      ref->expr = ParseExpr();
    }
  }
  if (IsSymbol("/*")) {
    Fail(pos(), "hints are not supported yet", "Remove /*+ ... */.");
  }
  if (IsWord("MATCH_RECOGNIZE")) {
    Fail(pos(), "MATCH_RECOGNIZE is not supported yet");
  }
  if (IsWord("TABLESAMPLE") || IsWord("PIVOT")) {
    Fail(pos(), fmt::format("{} is not supported", ToUpper(Peek().text)));
  }
  ParseAlias(ref.get());
  return ref;
}

void Parser::ParseAlias(TableRef* ref) {
  if (AcceptWord("AS")) {
    ref->alias = ExpectName("an alias");
  } else if (AtName() && !IsWord("WINDOW") && !IsWord("FOR")) {
    ref->alias = ExpectName("an alias");
  } else {
    return;
  }
  if (IsSymbol("(")) {
    ref->column_aliases = ExpectNameList("a column name");
  }
}

void Parser::ParseTableFunction(TableRef* ref) {
  ref->kind = TableKind::kFunction;
  ref->path = ExpectPath("a table function");
  ExpectSymbol("(");
  if (AcceptSymbol(")")) {
    return;
  }
  do {
    ref->arguments.push_back(ParseTableArgument());
  } while (CheckCount(ref->arguments.size()) && AcceptSymbol(","));
  ExpectSymbol(")");
}

TableArgument Parser::ParseTableArgument() {
  TableArgument argument;
  argument.pos = pos();
  if (AtName() && IsSymbol("=>", 1)) {
    argument.name = ExpectName("an argument name");
    ++at_;
  }
  argument.pos = pos();
  if (IsSymbol("(") && AtQuery()) {
    ++at_;
    argument.query = ParseQuery();
    ExpectSymbol(")");
  } else if (IsWord("TABLE") && !IsSymbol(".", 1)) {
    ++at_;
    if (IsSymbol("(")) {
      ++at_;
      argument.query = ParseQuery();
      ExpectSymbol(")");
    } else {
      argument.table = ExpectPath("a table name");
    }
    if (IsWord("PARTITION")) {
      Fail(pos(), "PARTITION BY in a table function is not supported yet");
    }
  } else if (IsWord("DESCRIPTOR") && IsSymbol("(", 1)) {
    ++at_;
    argument.descriptor = ExpectNameList("a column name");
  } else {
    argument.expr = ParseExpr();
  }
  return argument;
}

}  // namespace sj::worker::sql
