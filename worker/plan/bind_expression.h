// SPDX-License-Identifier: Apache-2.0
// ExpressionBinder: syntax to typed expressions over one scope. Casts are made explicit, so what
// comes out needs no type rules any more. Recursion is bounded by the syntax tree's depth. Used by
// one thread.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "api/base/status.h"
#include "worker/plan/expr.h"
#include "worker/plan/scope.h"
#include "worker/sql/ast.h"

namespace sj::worker::plan {

class ExpressionBinder {
 public:
  // `clause` names the place in errors: "WHERE", "a computed column". All outlive the binder.
  ExpressionBinder(const Scope& scope, BindBudget* budget, std::string_view clause)
      : scope_(scope), budget_(budget), clause_(clause) {}
  virtual ~ExpressionBinder() = default;

  base::Result<Expr> Bind(const sql::Expression& node);
  // Refuses what is not BOOLEAN.
  base::Result<Expr> BindCondition(const sql::Expression& node);

 protected:
  // What a place binds in its own way, such as aggregate calls. nullopt: as usual.
  virtual base::Result<std::optional<Expr>> BindFirst(const sql::Expression& node);
  virtual base::Result<Expr> BindColumn(const sql::Expression& node);

  const Scope& scope_;
  BindBudget* const budget_;
  std::string_view clause_;

 private:
  base::Result<std::vector<Expr>> BindAll(const sql::Expression& node);
  base::Result<Expr> BindNumber(const sql::Expression& node);
  base::Result<Expr> BindTypedLiteral(const sql::Expression& node);
  base::Result<Expr> BindOperator(const sql::Expression& node);
  base::Result<Expr> BindSign(const sql::Expression& node);
  base::Result<Expr> BindSum(const sql::Expression& node, Expr left, Expr right);
  base::Result<Expr> BindLogic(const sql::Expression& node);
  base::Result<Expr> BindBetween(const sql::Expression& node);
  base::Result<Expr> BindIn(const sql::Expression& node);
  base::Result<Expr> BindLike(const sql::Expression& node);
  base::Result<Expr> BindIs(const sql::Expression& node);
  base::Result<Expr> BindIsDistinct(const sql::Expression& node);
  base::Result<Expr> BindCase(const sql::Expression& node);
  base::Result<Expr> BindCast(const sql::Expression& node);
  base::Result<Expr> BindCall(const sql::Expression& node);
  base::Result<Expr> Compare(Function op, Expr left, Expr right, sql::SourcePos pos);
  base::Result<Expr> Copy(const Expr& expr, sql::SourcePos pos);
};

// An interval's value: kIntervalDay in milliseconds or kIntervalMonth in months.
base::Result<Expr> BindInterval(const sql::Expression& node);

}  // namespace sj::worker::plan
