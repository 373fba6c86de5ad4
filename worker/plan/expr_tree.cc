// SPDX-License-Identifier: Apache-2.0
// Bound expression trees: constructors, comparison, column rewriting.
#include "worker/plan/expr_tree.h"

#include <algorithm>
#include <utility>

#include "worker/plan/fold_constants.h"
#include "worker/plan/type_rules.h"

namespace sj::worker::plan {

using types::DataType;
using types::TypeKind;

Expr ColumnRef(int column, DataType type) {
  Expr expr;
  expr.kind = ExprKind::kColumn;
  expr.column = column;
  expr.type = std::move(type);
  return expr;
}

Expr NullLiteral(DataType type) {
  Expr expr;
  expr.type = std::move(type);
  expr.type.nullable = true;
  expr.literal.is_null = true;
  return expr;
}

Expr BoolLiteral(bool value) {
  Expr expr;
  expr.type = DataType::Of(TypeKind::kBoolean);
  expr.type.nullable = false;
  expr.literal.i = value ? 1 : 0;
  return expr;
}

Expr StringLiteral(std::string value) {
  Expr expr;
  expr.type = DataType::Of(TypeKind::kString);
  expr.type.nullable = false;
  expr.literal.s = std::move(value);
  return expr;
}

Expr Int64Literal(TypeKind kind, int64_t value) {
  Expr expr;
  expr.type = DataType::Of(kind);
  expr.type.nullable = false;
  expr.literal.i = value;
  return expr;
}

Expr Call(Function function, DataType type, std::vector<Expr> args) {
  Expr expr;
  expr.kind = ExprKind::kCall;
  expr.function = function;
  expr.type = std::move(type);
  expr.args = std::move(args);
  return expr;
}

Expr BoolCall(Function function, std::vector<Expr> args) {
  DataType type = DataType::Of(TypeKind::kBoolean);
  type.nullable =
      std::any_of(args.begin(), args.end(), [](const Expr& arg) { return arg.type.nullable; });
  return Call(function, std::move(type), std::move(args));
}

Expr BindArithmetic(Function op, Expr a, Expr b) {
  DataType type = ArithmeticType(op, a.type, b.type);
  // MOD of integers computes in the wider type; decimals keep their own scales.
  const DataType common = *CommonType(a.type, b.type);
  std::vector<Expr> args;
  DataType left = type.kind == TypeKind::kDecimal ? AsDecimal(a.type) : common;
  DataType right = type.kind == TypeKind::kDecimal ? AsDecimal(b.type) : common;
  args.push_back(CastTo(std::move(a), left));
  args.push_back(CastTo(std::move(b), right));
  if (type.is_integer() && type.kind != common.kind) {
    DataType wide = common;
    wide.nullable = type.nullable;
    return CastTo(Call(op, std::move(wide), std::move(args)), type);
  }
  return Call(op, std::move(type), std::move(args));
}

Expr Balanced(Function and_or, std::vector<Expr> terms) {
  while (terms.size() > 1) {
    std::vector<Expr> halved;
    halved.reserve((terms.size() + 1) / 2);
    for (size_t i = 0; i < terms.size(); i += 2) {
      if (i + 1 == terms.size()) {
        halved.push_back(std::move(terms[i]));
        continue;
      }
      std::vector<Expr> pair;
      pair.push_back(std::move(terms[i]));
      pair.push_back(std::move(terms[i + 1]));
      halved.push_back(BoolCall(and_or, std::move(pair)));
    }
    terms = std::move(halved);
  }
  return std::move(terms.front());
}

Expr Conjunction(std::vector<Expr> terms) {
  return terms.empty() ? BoolLiteral(true) : Balanced(Function::kAnd, std::move(terms));
}

std::vector<Expr> SplitConjunction(Expr expr) {
  if (expr.kind != ExprKind::kCall || expr.function != Function::kAnd) {
    std::vector<Expr> one;
    one.push_back(std::move(expr));
    return one;
  }
  std::vector<Expr> terms;
  for (Expr& arg : expr.args) {
    for (Expr& term : SplitConjunction(std::move(arg))) {
      terms.push_back(std::move(term));
    }
  }
  return terms;
}

Expr CastTo(Expr expr, const DataType& to) {
  DataType type = to;
  type.nullable = expr.type.nullable;
  if (expr.type.SameAs(type)) {
    return expr;
  }
  if (expr.kind == ExprKind::kLiteral && FoldCast(type, &expr)) {
    return expr;
  }
  std::vector<Expr> args;
  args.push_back(std::move(expr));
  return Call(Function::kCast, std::move(type), std::move(args));
}

namespace {

bool SameLiteral(const Literal& a, const Literal& b) {
  return a.is_null == b.is_null && a.i == b.i && a.wide == b.wide && a.d == b.d && a.s == b.s;
}

}  // namespace

bool SameExpr(const Expr& a, const Expr& b) {
  if (a.kind != b.kind || !a.type.SameAs(b.type)) {
    return false;
  }
  switch (a.kind) {
    case ExprKind::kColumn:
      return a.column == b.column;
    case ExprKind::kLiteral:
      return SameLiteral(a.literal, b.literal);
    case ExprKind::kCall:
      break;
  }
  return a.function == b.function && a.args.size() == b.args.size() &&
         std::equal(a.args.begin(), a.args.end(), b.args.begin(), SameExpr);
}

int ExprSize(const Expr& expr) {
  int size = 1;
  for (const Expr& arg : expr.args) {
    size += ExprSize(arg);
  }
  return size;
}

int ExprDepth(const Expr& expr) {
  int depth = 0;
  for (const Expr& arg : expr.args) {
    depth = std::max(depth, ExprDepth(arg));
  }
  return depth + 1;
}

std::string TypeText(DataType type) {
  type.nullable = true;
  return type.ToString();
}

void MarkColumns(const Expr& expr, std::vector<bool>* used) {
  if (expr.kind == ExprKind::kColumn) {
    (*used)[static_cast<size_t>(expr.column)] = true;
  }
  for (const Expr& arg : expr.args) {
    MarkColumns(arg, used);
  }
}

void RemapColumns(const std::vector<int>& mapping, Expr* expr) {
  if (expr->kind == ExprKind::kColumn) {
    expr->column = mapping[static_cast<size_t>(expr->column)];
  }
  for (Expr& arg : expr->args) {
    RemapColumns(mapping, &arg);
  }
}

Expr Substitute(const Expr& expr, const std::vector<Expr>& replacements) {
  if (expr.kind == ExprKind::kColumn) {
    return replacements[static_cast<size_t>(expr.column)];
  }
  Expr copy = expr;
  for (Expr& arg : copy.args) {
    arg = Substitute(arg, replacements);
  }
  return copy;
}

}  // namespace sj::worker::plan
