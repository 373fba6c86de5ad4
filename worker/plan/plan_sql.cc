// SPDX-License-Identifier: Apache-2.0
// The front end in one line: parse, bind, rewrite, plan.
#include "worker/plan/binder.h"
#include "worker/plan/logical.h"
#include "worker/plan/physical.h"
#include "worker/sql/parser.h"

namespace sj::worker::plan {

base::Result<PhysicalPlan> PlanSql(std::string_view sql, const PlanOptions& options) {
  sql::ParseOptions parse_options;
  parse_options.bytes_max = options.sql_bytes_max;
  parse_options.depth_max = options.depth_max;
  SJ_ASSIGN_OR_RETURN(const sql::Script script, sql::Parse(sql, parse_options));
  SJ_ASSIGN_OR_RETURN(LogicalPlan plan, Bind(script, options.depth_max));
  Optimize(&plan);
  return PlanPhysical(std::move(plan));
}

}  // namespace sj::worker::plan
