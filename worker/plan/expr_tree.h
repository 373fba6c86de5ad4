// SPDX-License-Identifier: Apache-2.0
// Making, comparing and rewriting bound expressions. Pure functions over values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "worker/plan/expr.h"

namespace sj::worker::plan {

Expr ColumnRef(int column, types::DataType type);
Expr NullLiteral(types::DataType type);
Expr BoolLiteral(bool value);
Expr StringLiteral(std::string value);
// Of a kind held as one int64: integers, dates, times, intervals (ms or months).
Expr Int64Literal(types::TypeKind kind, int64_t value);
Expr Call(Function function, types::DataType type, std::vector<Expr> args);
// The same, typed BOOLEAN, nullable when an argument is.
Expr BoolCall(Function function, std::vector<Expr> args);
// a op b for + - * / % over numbers, with the result type and casts of Flink.
Expr BindArithmetic(Function op, Expr a, Expr b);
// AND of all; TRUE when there is none. The tree is balanced, so many terms are not deep.
Expr Conjunction(std::vector<Expr> terms);
Expr Balanced(Function and_or, std::vector<Expr> terms);  // REQUIRES: !terms.empty()
// Takes a tree of ANDs apart.
std::vector<Expr> SplitConjunction(Expr expr);

// `expr` in type `to` (its nullability kept from `expr`): itself, a converted literal, or a CAST.
Expr CastTo(Expr expr, const types::DataType& to);

// Equal in every part.
bool SameExpr(const Expr& a, const Expr& b);
int ExprSize(const Expr& expr);   // nodes
int ExprDepth(const Expr& expr);  // levels

// Sets used[c] for every column c read. REQUIRES: used covers the input.
void MarkColumns(const Expr& expr, std::vector<bool>* used);
// Column c becomes mapping[c].
void RemapColumns(const std::vector<int>& mapping, Expr* expr);
// Column c becomes a copy of replacements[c].
Expr Substitute(const Expr& expr, const std::vector<Expr>& replacements);

std::string_view ToString(Function function);  // "+", "UPPER", "IS NULL"
// A type as errors name it: without NOT NULL.
std::string TypeText(types::DataType type);

}  // namespace sj::worker::plan
