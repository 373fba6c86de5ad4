// SPDX-License-Identifier: Apache-2.0
// The syntax tree as SQL again. What is printed parses to the same tree, which the parser's tests
// hold; so every name is quoted unless it is plain, and every operator has parentheses.
#include <fmt/format.h>

#include <algorithm>

#include "worker/sql/ast.h"
#include "worker/sql/error.h"
#include "worker/sql/parser.h"

namespace sj::worker::sql {
namespace {

std::string Quote(std::string_view text, char quote) {
  std::string out(1, quote);
  for (char c : text) {
    out += c;
    if (c == quote) {
      out += c;
    }
  }
  return out + quote;
}

std::string Name(const Identifier& identifier) {
  return Quote(identifier.name, '`');
}

std::string Names(const std::vector<Identifier>& names) {
  std::string out;
  for (const Identifier& name : names) {
    out += (out.empty() ? "" : ", ") + Name(name);
  }
  return out;
}

std::string Path(const std::vector<Identifier>& path) {
  std::string out;
  for (const Identifier& name : path) {
    out += (out.empty() ? "" : ".") + Name(name);
  }
  return out;
}

std::string List(const std::vector<ExpressionPtr>& list, std::string_view separator = ", ",
                 size_t from = 0) {
  std::string out;
  for (size_t i = from; i < list.size(); ++i) {
    out += (i == from ? "" : std::string(separator)) + ToSql(*list[i]);
  }
  return out;
}

std::string OrderList(const std::vector<OrderItem>& items) {
  std::string out;
  for (const OrderItem& item : items) {
    out += (out.empty() ? "" : ", ") + ToSql(*item.expr) + (item.descending ? " DESC" : "");
  }
  return out;
}

std::string Over(const WindowSpec& window) {
  std::string out = " OVER (";
  if (!window.partition_by.empty()) {
    out += "PARTITION BY " + List(window.partition_by) + " ";
  }
  if (!window.order_by.empty()) {
    out += "ORDER BY " + OrderList(window.order_by) + " ";
  }
  if (!window.frame_unit.empty()) {
    std::string low = window.frame_low_unbounded ? "UNBOUNDED PRECEDING" : "CURRENT ROW";
    if (window.frame_low != nullptr) {
      low = ToSql(*window.frame_low) + " PRECEDING";
    }
    out += fmt::format("{} BETWEEN {} AND {}", window.frame_unit, low,
                       window.frame_high_unbounded ? "UNBOUNDED FOLLOWING" : "CURRENT ROW");
  }
  return out + ")";
}

std::string Call(const Expression& call) {
  const std::string name = call.path.size() == 1 ? ToUpper(call.path[0].name) : "";
  std::string args = (call.distinct ? "DISTINCT " : "") + List(call.args);
  if (name == "EXTRACT" && call.args.size() == 2) {
    args = List(call.args, " FROM ");
  } else if (name == "TRIM") {
    args = ToSql(*call.args[0]) + " " +
           (call.args.size() == 3 ? ToSql(*call.args[1]) + " " : std::string()) + "FROM " +
           ToSql(*call.args.back());
  } else if (call.args.size() == 2 && call.args[1]->kind == ExprKind::kWord) {
    args = List(call.args, " TO ");
  }
  std::string out = Path(call.path) + "(" + args + ")";
  if (call.filter != nullptr) {
    out += " FILTER (WHERE " + ToSql(*call.filter) + ")";
  }
  return call.over == nullptr ? out : out + Over(*call.over);
}

std::string Case(const Expression& expr) {
  std::string out = "CASE";
  size_t i = 0;
  if (expr.has_operand) {
    out += " " + ToSql(*expr.args[i++]);
  }
  const size_t end = expr.args.size() - (expr.has_else ? 1 : 0);
  for (; i + 1 < end + 1 && i + 1 < expr.args.size() + 1 && i < end; i += 2) {
    out += " WHEN " + ToSql(*expr.args[i]) + " THEN " + ToSql(*expr.args[i + 1]);
  }
  return out + (expr.has_else ? " ELSE " + ToSql(*expr.args.back()) : "") + " END";
}

std::string Predicate(const Expression& expr) {
  const std::string value = ToSql(*expr.args[0]);
  const std::string_view no = expr.negated ? "NOT " : "";
  if (expr.kind == ExprKind::kIs) {
    return fmt::format("({} IS {}{})", value, no, expr.op);
  }
  if (expr.kind == ExprKind::kIsDistinct) {
    return fmt::format("({} IS {}DISTINCT FROM {})", value, no, ToSql(*expr.args[1]));
  }
  if (expr.kind == ExprKind::kBetween) {
    return fmt::format("({} {}BETWEEN {}{} AND {})", value, no, expr.distinct ? "SYMMETRIC " : "",
                       ToSql(*expr.args[1]), ToSql(*expr.args[2]));
  }
  if (expr.kind == ExprKind::kIn) {
    return fmt::format("({} {}IN ({}))", value, no,
                       expr.query != nullptr ? ToSql(*expr.query) : List(expr.args, ", ", 1));
  }
  std::string out = fmt::format("({} {}{} {}", value, no, expr.op, ToSql(*expr.args[1]));
  return out + (expr.args.size() == 3 ? " ESCAPE " + ToSql(*expr.args[2]) : "") + ")";
}

std::string Literal(const Expression& expr) {
  switch (expr.kind) {
    case ExprKind::kString:
      return Quote(expr.text, '\'');
    case ExprKind::kNull:
      return "NULL";
    case ExprKind::kTypedLiteral:
      return expr.op + " " + Quote(expr.text, '\'');
    case ExprKind::kInterval:
      return fmt::format("INTERVAL {}{} {}{}", expr.negated ? "-" : "", Quote(expr.text, '\''),
                         expr.unit, expr.unit_to.empty() ? "" : " TO " + expr.unit_to);
    default:
      return expr.text;
  }
}

std::string Arguments(const std::vector<TableArgument>& arguments) {
  std::string out;
  for (const TableArgument& argument : arguments) {
    out += out.empty() ? "" : ", ";
    if (!argument.name.name.empty()) {
      out += Name(argument.name) + " => ";
    }
    if (argument.expr != nullptr) {
      out += ToSql(*argument.expr);
    } else if (argument.query != nullptr) {
      out += "TABLE (" + ToSql(*argument.query) + ")";
    } else if (!argument.table.empty()) {
      out += "TABLE " + Path(argument.table);
    } else {
      out += "DESCRIPTOR(" + Names(argument.descriptor) + ")";
    }
  }
  return out;
}

std::string From(const TableRef& ref);

std::string Join(const TableRef& ref) {
  static constexpr std::string_view kWords[] = {" JOIN ",      " LEFT JOIN ",  " RIGHT JOIN ",
                                                " FULL JOIN ", " CROSS JOIN ", ", "};
  std::string out = "(" + From(*ref.left) + (ref.natural ? " NATURAL" : "") +
                    std::string(kWords[static_cast<size_t>(ref.join)]) + From(*ref.right);
  if (ref.on != nullptr) {
    out += " ON " + ToSql(*ref.on);
  } else if (!ref.using_columns.empty()) {
    out += " USING (" + Names(ref.using_columns) + ")";
  }
  return out + ")";
}

std::string From(const TableRef& ref) {
  std::string out = ref.lateral ? "LATERAL " : "";
  switch (ref.kind) {
    case TableKind::kTable:
      out += Path(ref.path);
      out += ref.expr == nullptr ? "" : " FOR SYSTEM_TIME AS OF " + ToSql(*ref.expr);
      break;
    case TableKind::kSubquery:
      out += "(" + ToSql(*ref.query) + ")";
      break;
    case TableKind::kFunction:
      out += "TABLE(" + Path(ref.path) + "(" + Arguments(ref.arguments) + "))";
      break;
    case TableKind::kUnnest:
      out += "UNNEST(" + ToSql(*ref.expr) + ")";
      break;
    case TableKind::kJoin:
      out += Join(ref);
      break;
  }
  if (!ref.alias.name.empty()) {
    out += " AS " + Name(ref.alias);
    out += ref.column_aliases.empty() ? "" : " (" + Names(ref.column_aliases) + ")";
  }
  return out;
}

std::string GroupBy(const Select& select) {
  static constexpr std::string_view kOpen[] = {"", "GROUPING SETS (", "ROLLUP (", "CUBE ("};
  return " GROUP BY " + std::string(kOpen[static_cast<size_t>(select.grouping)]) +
         List(select.group_by) + (select.grouping == GroupingKind::kPlain ? "" : ")");
}

std::string SelectText(const Select& select) {
  std::string out = select.distinct ? "SELECT DISTINCT " : "SELECT ";
  for (const SelectItem& item : select.items) {
    out += &item == &select.items.front() ? "" : ", ";
    out += ToSql(*item.expr);
    out += item.alias.name.empty() ? "" : " AS " + Name(item.alias);
  }
  out += select.from == nullptr ? "" : " FROM " + From(*select.from);
  out += select.where == nullptr ? "" : " WHERE " + ToSql(*select.where);
  out += select.group_pos.line == 0 ? "" : GroupBy(select);
  out += select.having == nullptr ? "" : " HAVING " + ToSql(*select.having);
  return out + (select.qualify == nullptr ? "" : " QUALIFY " + ToSql(*select.qualify));
}

std::string Term(const QueryTerm& term) {
  if (term.select != nullptr) {
    return SelectText(*term.select);
  }
  if (term.nested != nullptr) {
    return "(" + ToSql(*term.nested) + ")";
  }
  std::string out = "VALUES ";
  for (const auto& row : term.values) {
    out += (&row == &term.values.front() ? "(" : ", (") + List(row) + ")";
  }
  return out;
}

}  // namespace

std::string PathText(const std::vector<Identifier>& path) {
  std::string out;
  for (const Identifier& name : path) {
    out += (out.empty() ? "" : ".") + name.name;
  }
  return out;
}

std::string ToSql(const TypeName& type) {
  std::string out = type.name == "TIMESTAMP WITH TIME ZONE" ? "TIMESTAMP" : type.name;
  for (size_t i = 0; i < type.parameters.size(); ++i) {
    out += fmt::format("{}{}", i == 0 ? "(" : ", ", type.parameters[i]);
  }
  out += type.parameters.empty() ? "" : ")";
  out += type.name == "TIMESTAMP WITH TIME ZONE" ? " WITH TIME ZONE" : "";
  for (size_t i = 0; i < type.children.size(); ++i) {
    out += i == 0 ? "<" : ", ";
    out += type.field_names.empty() ? "" : Name(type.field_names[i]) + " ";
    out += ToSql(type.children[i]);
  }
  out += type.children.empty() ? "" : ">";
  return out + (type.not_null ? " NOT NULL" : "");
}

std::string ToSql(const Expression& expr) {
  switch (expr.kind) {
    case ExprKind::kColumn:
      return Path(expr.path);
    case ExprKind::kStar:
      return expr.path.empty() ? "*" : Path(expr.path) + ".*";
    case ExprKind::kUnary:
      return fmt::format("({} {})", expr.op, ToSql(*expr.args[0]));
    case ExprKind::kBinary:
      return fmt::format("({} {} {})", ToSql(*expr.args[0]), expr.op, ToSql(*expr.args[1]));
    case ExprKind::kAnd:
      return "(" + List(expr.args, " AND ") + ")";
    case ExprKind::kOr:
      return "(" + List(expr.args, " OR ") + ")";
    case ExprKind::kNot:
      return "(NOT " + ToSql(*expr.args[0]) + ")";
    case ExprKind::kBetween:
    case ExprKind::kIn:
    case ExprKind::kLike:
    case ExprKind::kIs:
    case ExprKind::kIsDistinct:
      return Predicate(expr);
    case ExprKind::kCase:
      return Case(expr);
    case ExprKind::kCast:
      return expr.op + "(" + ToSql(*expr.args[0]) + " AS " + ToSql(*expr.type) + ")";
    case ExprKind::kCall:
      return Call(expr);
    case ExprKind::kSubquery:
      return "(" + ToSql(*expr.query) + ")";
    case ExprKind::kExists:
      return "EXISTS (" + ToSql(*expr.query) + ")";
    case ExprKind::kArray:
      return "ARRAY[" + List(expr.args) + "]";
    case ExprKind::kMap:
      return "MAP[" + List(expr.args) + "]";
    case ExprKind::kRow:
      return "ROW(" + List(expr.args) + ")";
    case ExprKind::kElement:
      return ToSql(*expr.args[0]) + "[" + ToSql(*expr.args[1]) + "]";
    default:
      return Literal(expr);
  }
}

std::string ToSql(const Query& query) {
  std::string out;
  for (const CommonTable& table : query.with) {
    out += out.empty() ? "WITH " : ", ";
    out += Name(table.name) + (table.columns.empty() ? "" : " (" + Names(table.columns) + ")") +
           " AS (" + ToSql(*table.query) + ")";
  }
  out += out.empty() ? "" : " ";
  for (size_t i = 0; i < query.terms.size(); ++i) {
    if (i > 0) {
      const SetOperator& op = query.operators[i - 1];
      out += " " + op.name + (op.all ? " ALL " : " ");
    }
    out += Term(query.terms[i]);
  }
  out += query.order_by.empty() ? "" : " ORDER BY " + OrderList(query.order_by);
  out += query.limit == nullptr ? "" : " LIMIT " + ToSql(*query.limit);
  return out + (query.offset == nullptr ? "" : " OFFSET " + ToSql(*query.offset));
}

namespace {

std::string Column(const ColumnDefinition& column) {
  std::string out = Name(column.name);
  if (column.kind == ColumnKind::kComputed) {
    out += " AS " + ToSql(*column.expr);
  } else {
    out += " " + ToSql(column.type);
  }
  if (column.kind == ColumnKind::kMetadata) {
    out += " METADATA";
    out += column.metadata_key.empty() ? "" : " FROM " + Quote(column.metadata_key, '\'');
    out += column.is_virtual ? " VIRTUAL" : "";
  }
  return out;
}

std::string TableText(const CreateTable& table) {
  std::string elements;
  auto add = [&](const std::string& text) { elements += (elements.empty() ? "" : ", ") + text; };
  for (const ColumnDefinition& column : table.columns) {
    add(Column(column));
  }
  if (table.watermark != nullptr) {
    add("WATERMARK FOR " + Name(table.watermark_column) + " AS " + ToSql(*table.watermark));
  }
  if (!table.primary_key.empty()) {
    add("PRIMARY KEY (" + Names(table.primary_key) + ") NOT ENFORCED");
  }
  std::string out = fmt::format("CREATE {}TABLE {}{}", table.temporary ? "TEMPORARY " : "",
                                table.if_not_exists ? "IF NOT EXISTS " : "", Name(table.name));
  out += elements.empty() ? "" : " (" + elements + ")";
  out +=
      table.partitioned_by.empty() ? "" : " PARTITIONED BY (" + Names(table.partitioned_by) + ")";
  for (const OptionDefinition& option : table.options) {
    out += &option == &table.options.front() ? " WITH (" : ", ";
    out += Quote(option.key, '\'') + " = " + Quote(option.value, '\'');
  }
  out += table.options.empty() ? "" : ")";
  return out + (table.as_query == nullptr ? "" : " AS " + ToSql(*table.as_query));
}

std::string InsertText(const Insert& insert) {
  return fmt::format(
      "INSERT {} {}{} {}", insert.overwrite ? "OVERWRITE" : "INTO", Path(insert.table),
      insert.columns.empty() ? "" : " (" + Names(insert.columns) + ")", ToSql(*insert.query));
}

struct StatementText {
  std::string operator()(const CreateTable& table) const { return TableText(table); }
  std::string operator()(const CreateView& view) const {
    return fmt::format("CREATE {}VIEW {}{}{} AS {}", view.temporary ? "TEMPORARY " : "",
                       view.if_not_exists ? "IF NOT EXISTS " : "", Name(view.name),
                       view.columns.empty() ? "" : " (" + Names(view.columns) + ")",
                       ToSql(*view.query));
  }
  std::string operator()(const Insert& insert) const { return InsertText(insert); }
  std::string operator()(const StatementSet& set) const {
    std::string out = "EXECUTE STATEMENT SET BEGIN ";
    for (const Insert& insert : set.inserts) {
      out += InsertText(insert) + "; ";
    }
    return out + "END";
  }
  std::string operator()(const SetOption& set) const {
    return "SET " + Quote(set.key, '\'') + " = " + Quote(set.value, '\'');
  }
  std::string operator()(const ResetOption& reset) const {
    return reset.key.empty() ? "RESET" : "RESET " + Quote(reset.key, '\'');
  }
};

}  // namespace

std::string ToSql(const Script& script) {
  std::string out;
  for (const Statement& statement : script.statements) {
    out += std::visit(StatementText(), statement.body) + ";\n";
  }
  return out;
}

}  // namespace sj::worker::sql
