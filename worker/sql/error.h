// SPDX-License-Identifier: Apache-2.0
// How the SQL front end words its errors: "line:column: text", then the hint as a sentence of its
// own. All errors are kInvalidArgument: the text can never be accepted. Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/base/status.h"
#include "worker/types/table.h"

namespace sj::worker::sql {

// `message` lower case without a full stop; `hint` a sentence, or empty.
base::Status ErrorAt(types::SourcePos pos, std::string_view message, std::string_view hint = {});

// A name as errors quote it, cut to 64 characters.
std::string Quoted(std::string_view name);

// `Did you mean "x"?` for the candidate nearest to `name` by edit distance (case ignored), or empty
// when none is near. Looks at no more than the first 1,000 candidates.
std::string DidYouMean(std::string_view name, const std::vector<std::string>& candidates);

// ASCII only: keywords and function names.
std::string ToUpper(std::string_view text);
bool EqualsIgnoreCase(std::string_view a, std::string_view b);

}  // namespace sj::worker::sql
