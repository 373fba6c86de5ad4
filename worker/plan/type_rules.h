// SPDX-License-Identifier: Apache-2.0
// The type rules of Flink SQL: types of names, common types, results of arithmetic and aggregates,
// implicit casts. Pure functions.
#pragma once

#include <optional>
#include <string_view>

#include "api/base/status.h"
#include "worker/plan/physical.h"
#include "worker/sql/ast.h"
#include "worker/types/data_type.h"

namespace sj::worker::plan {

// The type a TypeName means. Errors with position: unknown, not supported yet, bad parameters.
base::Result<types::DataType> ResolveType(const sql::TypeName& name);

// The type both can be compared or merged in (CASE, COALESCE, =), nullable when either is; nullopt
// when there is none. A bare NULL takes the other's type.
std::optional<types::DataType> CommonType(const types::DataType& a, const types::DataType& b);

// Result of a op b for op in + - * / %, both numeric.
types::DataType ArithmeticType(Function op, const types::DataType& a, const types::DataType& b);

// INTEGER types as the DECIMAL that holds all their values; decimals as they are.
types::DataType AsDecimal(const types::DataType& type);

// ROUND(decimal, digits).
types::DataType RoundType(const types::DataType& type, int digits);

// Result of an aggregate over `argument` (COUNT(*): any), or nullopt when it takes no such type.
std::optional<types::DataType> AggregateType(AggregateFunction function,
                                             const types::DataType& argument);

// A value of type `from` may be stored in a column of type `to` without an explicit CAST.
bool ImplicitlyCasts(const types::DataType& from, const types::DataType& to);

// CAST(from AS to) exists.
bool ExplicitlyCasts(const types::DataType& from, const types::DataType& to);

}  // namespace sj::worker::plan
