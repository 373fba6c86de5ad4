// SPDX-License-Identifier: Apache-2.0
// The syntax tree of Flink SQL as it was written: names are unresolved, types unchecked. The tree
// is wider than what the binder accepts, so that a missing feature is refused with its name and
// place. Its depth is bounded by ParseOptions::depth_max. Plain values, owned by whoever parsed.
#pragma once

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "worker/types/table.h"

namespace sj::worker::sql {

using types::SourcePos;

struct Identifier {
  std::string name;  // empty: absent
  SourcePos pos;
};

struct Query;
struct WindowSpec;

// A type as written: DECIMAL(10, 2), ROW<a INT>, MAP<STRING, INT>.
struct TypeName {
  std::string name;  // upper case: "DECIMAL", "TIMESTAMP_LTZ", "ARRAY"
  SourcePos pos;
  std::vector<int> parameters;
  std::vector<TypeName> children;
  std::vector<Identifier> field_names;  // ROW
  bool not_null = false;
};

enum class ExprKind : uint8_t {
  kColumn,        // path
  kStar,          // path: the qualifier of "t.*", empty for "*"
  kNumber,        // text
  kString,        // text: the value
  kBoolean,       // text: "TRUE" or "FALSE"
  kNull,          //
  kTypedLiteral,  // op: DATE, TIME, TIMESTAMP; text
  kInterval,      // text, unit, unit_to; negated
  kWord,          // text: a keyword in a call's argument, EXTRACT(HOUR FROM t)
  kUnary,         // op: "-" or "+"
  kBinary,        // op: + - * / % || = <> < <= > >=
  kAnd,           // two or more args
  kOr,            // two or more args
  kNot,           //
  kBetween,       // value, low, high; negated; distinct means SYMMETRIC
  kIn,            // value, list...; or value and query; negated
  kLike,          // op: LIKE or SIMILAR TO; value, pattern[, escape]; negated
  kIs,            // op: NULL, TRUE, FALSE, UNKNOWN; negated
  kIsDistinct,    // two args; negated
  kCase,          // when, then, ..., else; has_operand: the operand comes first
  kCast,          // op: CAST or TRY_CAST; type
  kCall,          // path, args; distinct, filter, over
  kSubquery,      // query
  kExists,        // query
  kArray,         // ARRAY[...]
  kMap,           // MAP[key, value, ...]
  kRow,           // (a, b) or ROW(a, b)
  kElement,       // value[index]
};

struct Expression {
  ExprKind kind = ExprKind::kNull;
  SourcePos pos;  // of the operator for kBinary, else of the first token
  std::string text;
  std::string op;
  std::string unit, unit_to;
  std::vector<Identifier> path;
  std::vector<std::unique_ptr<Expression>> args;
  bool negated = false;
  bool distinct = false;
  bool has_operand = false;
  bool has_else = false;
  int depth = 1;  // levels of nodes from here down
  std::unique_ptr<TypeName> type;
  std::unique_ptr<Expression> filter;
  std::unique_ptr<WindowSpec> over;
  std::unique_ptr<Query> query;
};
using ExpressionPtr = std::unique_ptr<Expression>;

struct OrderItem {
  ExpressionPtr expr;
  bool descending = false;
};

// OVER (PARTITION BY ... ORDER BY ... ROWS BETWEEN ... AND ...)
struct WindowSpec {
  SourcePos pos;
  std::vector<ExpressionPtr> partition_by;
  std::vector<OrderItem> order_by;
  std::string frame_unit;             // "ROWS", "RANGE" or empty
  ExpressionPtr frame_low;            // value PRECEDING; null: unbounded or current row
  bool frame_low_unbounded = false;   // UNBOUNDED PRECEDING
  bool frame_high_unbounded = false;  // UNBOUNDED FOLLOWING
  int depth = 1;
};

struct SelectItem {
  ExpressionPtr expr;
  Identifier alias;
};

// An argument of a table function: expression, TABLE t, DESCRIPTOR(c, ...), each maybe named.
struct TableArgument {
  Identifier name;  // "name =>"
  ExpressionPtr expr;
  std::vector<Identifier> table;
  std::unique_ptr<Query> query;
  std::vector<Identifier> descriptor;
  SourcePos pos;
};

enum class TableKind : uint8_t { kTable, kSubquery, kJoin, kFunction, kUnnest };
enum class JoinKind : uint8_t { kInner, kLeft, kRight, kFull, kCross, kComma };

struct TableRef {
  TableKind kind = TableKind::kTable;
  SourcePos pos;
  std::vector<Identifier> path;          // kTable: name; kFunction: function name
  std::unique_ptr<Query> query;          // kSubquery
  std::vector<TableArgument> arguments;  // kFunction
  ExpressionPtr expr;                    // kUnnest: the collection; kTable: FOR SYSTEM_TIME AS OF
  bool lateral = false;
  JoinKind join = JoinKind::kInner;  // kJoin
  bool natural = false;
  std::unique_ptr<TableRef> left, right;
  ExpressionPtr on;
  std::vector<Identifier> using_columns;
  Identifier alias;
  std::vector<Identifier> column_aliases;
  int depth = 1;
};

enum class GroupingKind : uint8_t { kPlain, kSets, kRollup, kCube };

struct Select {
  SourcePos pos;
  bool distinct = false;
  SourcePos distinct_pos;
  std::vector<SelectItem> items;
  std::unique_ptr<TableRef> from;
  ExpressionPtr where;
  GroupingKind grouping = GroupingKind::kPlain;
  SourcePos group_pos;  // line 0: no GROUP BY
  std::vector<ExpressionPtr> group_by;
  ExpressionPtr having;
  ExpressionPtr qualify;
};

// One operand of UNION and friends: exactly one of the three is present.
struct QueryTerm {
  SourcePos pos;
  std::unique_ptr<Select> select;
  std::unique_ptr<Query> nested;
  std::vector<std::vector<ExpressionPtr>> values;
};

struct SetOperator {
  SourcePos pos;
  std::string name;  // "UNION", "INTERSECT", "EXCEPT"
  bool all = false;
};

struct CommonTable {
  Identifier name;
  std::vector<Identifier> columns;
  std::unique_ptr<Query> query;
};

// term [operator term ...], left to right (INTERSECT binds tighter) [ORDER BY] [LIMIT].
struct Query {
  SourcePos pos;
  std::vector<CommonTable> with;
  std::vector<QueryTerm> terms;
  std::vector<SetOperator> operators;  // terms.size() - 1
  SourcePos order_pos;                 // line 0: no ORDER BY
  std::vector<OrderItem> order_by;
  ExpressionPtr limit, offset;
  int depth = 1;
};

enum class ColumnKind : uint8_t { kPhysical, kComputed, kMetadata };

struct ColumnDefinition {
  Identifier name;
  ColumnKind kind = ColumnKind::kPhysical;
  TypeName type;             // kPhysical, kMetadata
  ExpressionPtr expr;        // kComputed
  std::string metadata_key;  // kMetadata: FROM '...', empty: the name
  bool is_virtual = false;
  bool primary_key = false;
  std::string comment;
};

struct OptionDefinition {
  std::string key, value;
  SourcePos key_pos, value_pos;
};

struct CreateTable {
  Identifier name;
  bool temporary = false;
  bool if_not_exists = false;
  std::vector<ColumnDefinition> columns;
  std::vector<Identifier> primary_key;
  SourcePos primary_key_pos;  // line 0: none
  Identifier watermark_column;
  ExpressionPtr watermark;
  std::vector<Identifier> partitioned_by;
  SourcePos partitioned_pos;
  std::vector<OptionDefinition> options;
  SourcePos like_pos;               // line 0: no LIKE
  std::unique_ptr<Query> as_query;  // CREATE TABLE ... AS
};

struct CreateView {
  Identifier name;
  bool temporary = false;
  bool if_not_exists = false;
  std::vector<Identifier> columns;
  std::unique_ptr<Query> query;
};

struct Insert {
  SourcePos pos;
  bool overwrite = false;
  std::vector<Identifier> table;
  std::vector<Identifier> columns;
  std::unique_ptr<Query> query;
};

struct StatementSet {
  std::vector<Insert> inserts;
};

struct SetOption {
  std::string key, value;
  SourcePos key_pos, value_pos;
};

struct ResetOption {
  std::string key;  // empty: all
  SourcePos key_pos;
};

struct Statement {
  SourcePos pos;
  std::variant<CreateTable, CreateView, Insert, StatementSet, SetOption, ResetOption> body;
};

struct Script {
  std::vector<Statement> statements;
  SourcePos end;
};

// SQL that parses to the same tree: names in back quotes where needed, operators in parentheses.
std::string ToSql(const Expression& expr);
std::string ToSql(const Query& query);
std::string ToSql(const Script& script);
std::string ToSql(const TypeName& type);
// "a.b" for messages.
std::string PathText(const std::vector<Identifier>& path);

}  // namespace sj::worker::sql
