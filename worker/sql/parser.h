// SPDX-License-Identifier: Apache-2.0
// Parse: SQL text to a Script, by recursive descent with a depth counter. Whatever the text, time
// and memory are linear in its length and the stack is bounded by depth_max.
#pragma once

#include <string_view>

#include "api/base/status.h"
#include "worker/sql/ast.h"

namespace sj::worker::sql {

struct ParseOptions {
  size_t bytes_max = 1u << 20;
  int depth_max = 200;          // of nested expressions, queries and types together
  size_t elements_max = 10000;  // of one list: columns, IN values, arguments
};

// Errors: kInvalidArgument, "line:column: text" and a hint; the first error only.
base::Result<Script> Parse(std::string_view text, const ParseOptions& options = {});

// One expression and nothing else. For tests and tools.
base::Result<ExpressionPtr> ParseExpression(std::string_view text,
                                            const ParseOptions& options = {});

// True for words that cannot be an unquoted name.
bool IsReserved(std::string_view word);

}  // namespace sj::worker::sql
