// SPDX-License-Identifier: Apache-2.0
// CREATE TABLE, CREATE VIEW and type names.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "worker/sql/error.h"
#include "worker/sql/parser_state.h"

namespace sj::worker::sql {

Statement Parser::ParseCreate() {
  Statement statement;
  statement.pos = pos();
  ExpectWord("CREATE");
  if (IsWord("OR")) {
    Fail(pos(), "CREATE OR REPLACE is not supported");
  }
  const bool temporary = AcceptWord("TEMPORARY");
  if (AcceptWord("TABLE")) {
    statement.body = ParseCreateTable(temporary);
  } else if (AcceptWord("VIEW")) {
    statement.body = ParseCreateView(temporary);
  } else if (IsWord("FUNCTION") || IsWord("SYSTEM")) {
    Fail(pos(), "CREATE FUNCTION is not supported yet");
  } else if (IsWord("CATALOG") || IsWord("DATABASE")) {
    Fail(pos(), fmt::format("CREATE {} is not supported", ToUpper(Peek().text)),
         "A job has one catalog: the tables and views of its own text.");
  } else {
    FailExpected("TABLE or VIEW");
  }
  return statement;
}

bool Parser::ParseIfNotExists() {
  return AcceptWords({"IF", "NOT", "EXISTS"});
}

CreateView Parser::ParseCreateView(bool temporary) {
  CreateView view;
  view.temporary = temporary;
  view.if_not_exists = ParseIfNotExists();
  view.name = ExpectName("a view name");
  if (IsSymbol("(")) {
    view.columns = ExpectNameList("a column name");
  }
  if (AcceptWord("COMMENT")) {
    ExpectString("a comment");
  }
  ExpectWord("AS");
  view.query = ParseQuery();
  return view;
}

CreateTable Parser::ParseCreateTable(bool temporary) {
  CreateTable table;
  table.temporary = temporary;
  table.if_not_exists = ParseIfNotExists();
  table.name = ExpectName("a table name");
  if (IsSymbol(".")) {
    Fail(pos(), "table name has more than one part",
         "A job has one catalog: the tables and views of its own text.");
  }
  if (AcceptSymbol("(")) {
    ParseTableElements(&table);
    ExpectSymbol(")");
  }
  if (AcceptWord("COMMENT")) {
    ExpectString("a comment");
  }
  if (IsWord("DISTRIBUTED")) {
    Fail(pos(), "DISTRIBUTED is not supported yet");
  }
  const SourcePos partitioned_pos = pos();
  if (AcceptWords({"PARTITIONED", "BY"})) {
    table.partitioned_pos = partitioned_pos;
    table.partitioned_by = ExpectNameList("a column name");
  }
  if (AcceptWord("WITH")) {
    ParseTableOptions(&table);
  }
  if (IsWord("LIKE")) {
    table.like_pos = pos();
    Fail(pos(), "CREATE TABLE ... LIKE is not supported", "Write the columns and options out.");
  } else if (AcceptWord("AS")) {
    table.as_query = ParseQuery();
  }
  return table;
}

void Parser::ParseTableElements(CreateTable* table) {
  size_t count = 0;
  do {
    if (IsWord("WATERMARK") && IsWord("FOR", 1)) {
      ParseWatermark(table);
    } else if (IsWord("PRIMARY") || (IsWord("CONSTRAINT") && IsWord("PRIMARY", 2))) {
      ParsePrimaryKey(table);
    } else if (IsWord("UNIQUE")) {
      Fail(pos(), "UNIQUE is not supported", "Only PRIMARY KEY ... NOT ENFORCED is.");
    } else {
      table->columns.push_back(ParseColumn());
      if (table->columns.back().primary_key) {
        table->primary_key.push_back(table->columns.back().name);
        table->primary_key_pos = table->columns.back().name.pos;
      }
    }
  } while (CheckCount(++count) && AcceptSymbol(","));
}

void Parser::ParseWatermark(CreateTable* table) {
  const SourcePos at = pos();
  ExpectWord("WATERMARK");
  ExpectWord("FOR");
  if (table->watermark != nullptr) {
    Fail(at, "table has more than one WATERMARK");
  }
  table->watermark_column = ExpectName("a column name");
  if (IsSymbol(".")) {
    Fail(pos(), "WATERMARK on a nested field is not supported",
         "Declare a computed column for it and use that.");
  }
  ExpectWord("AS");
  table->watermark = ParseExpr();
}

void Parser::ParsePrimaryKey(CreateTable* table) {
  const SourcePos at = pos();
  if (AcceptWord("CONSTRAINT")) {
    ExpectName("a constraint name");
  }
  ExpectWord("PRIMARY");
  ExpectWord("KEY");
  if (table->primary_key_pos.line != 0) {
    Fail(at, "table has more than one PRIMARY KEY");
  }
  table->primary_key_pos = at;
  table->primary_key = ExpectNameList("a column name");
  if (!AcceptWords({"NOT", "ENFORCED"})) {
    Fail(at, "PRIMARY KEY without NOT ENFORCED",
         "Rows are not checked against a key; write PRIMARY KEY (...) NOT ENFORCED.");
  }
}

ColumnDefinition Parser::ParseColumn() {
  ColumnDefinition column;
  column.name = ExpectName("a column name");
  if (AcceptWord("AS")) {
    column.kind = ColumnKind::kComputed;
    column.expr = ParseExpr();
  } else {
    column.type = ParseType();
    ParseColumnConstraints(&column);
  }
  if (AcceptWord("COMMENT")) {
    column.comment = ExpectString("a comment");
  }
  return column;
}

void Parser::ParseColumnConstraints(ColumnDefinition* column) {
  const SourcePos at = pos();
  if (AcceptWord("METADATA")) {
    column->kind = ColumnKind::kMetadata;
    if (AcceptWord("FROM")) {
      column->metadata_key = ExpectString("a metadata key");
    }
    column->is_virtual = AcceptWord("VIRTUAL");
  } else if (AcceptWords({"PRIMARY", "KEY"})) {
    column->primary_key = true;
    if (!AcceptWords({"NOT", "ENFORCED"})) {
      Fail(at, "PRIMARY KEY without NOT ENFORCED",
           "Rows are not checked against a key; write PRIMARY KEY NOT ENFORCED.");
    }
  }
}

void Parser::ParseTableOptions(CreateTable* table) {
  ExpectSymbol("(");
  do {
    OptionDefinition option;
    option.key_pos = pos();
    option.key = ExpectString("a quoted option name");
    ExpectSymbol("=");
    option.value_pos = pos();
    option.value = ExpectString("a quoted value");
    table->options.push_back(std::move(option));
  } while (CheckCount(table->options.size()) && AcceptSymbol(","));
  ExpectSymbol(")");
}

int Parser::ParseTypeParameter() {
  int value = 0;
  const std::string_view text = Peek().text;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (Peek().kind != TokenKind::kNumber || error != std::errc() ||
      end != text.data() + text.size()) {
    FailExpected("a whole number");
    return 0;
  }
  ++at_;
  return value;
}

void Parser::ParseRowFields(TypeName* type) {
  const std::string_view close = IsSymbol("(") ? ")" : ">";
  if (!AcceptSymbol("(")) {
    ExpectSymbol("<");
  }
  do {
    type->field_names.push_back(ExpectName("a field name"));
    type->children.push_back(ParseType());
    if (Peek().kind == TokenKind::kString) {
      ++at_;  // a comment on the field
    }
  } while (CheckCount(type->children.size()) && AcceptSymbol(","));
  ExpectSymbol(close);
}

TypeName Parser::ParseType() {
  TypeName type;
  Nested nested(this);
  if (!nested.ok()) {
    return type;
  }
  type.pos = pos();
  if (Peek().kind != TokenKind::kWord) {
    FailExpected("a type");
    return type;
  }
  type.name = TakeText();
  if (type.name == "DOUBLE") {
    AcceptWord("PRECISION");
  } else if (type.name == "ROW") {
    ParseRowFields(&type);
  } else if (type.name == "ARRAY" || type.name == "MAP" || type.name == "MULTISET") {
    ExpectSymbol("<");
    type.children.push_back(ParseType());
    if (type.name == "MAP") {
      ExpectSymbol(",");
      type.children.push_back(ParseType());
    }
    ExpectSymbol(">");
  } else if (AcceptSymbol("(")) {
    do {
      type.parameters.push_back(ParseTypeParameter());
    } while (AcceptSymbol(","));
    ExpectSymbol(")");
  }
  if (type.name == "TIMESTAMP" && AcceptWords({"WITH", "LOCAL", "TIME", "ZONE"})) {
    type.name = "TIMESTAMP_LTZ";
  } else if (type.name == "TIMESTAMP" && AcceptWords({"WITH", "TIME", "ZONE"})) {
    type.name = "TIMESTAMP WITH TIME ZONE";
  } else if (type.name == "TIMESTAMP" || type.name == "TIME") {
    AcceptWords({"WITHOUT", "TIME", "ZONE"});
  }
  if (AcceptWords({"NOT", "NULL"})) {
    type.not_null = true;
  } else {
    AcceptWord("NULL");
  }
  return type;
}

}  // namespace sj::worker::sql
