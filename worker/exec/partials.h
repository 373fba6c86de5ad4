// SPDX-License-Identifier: Apache-2.0
// The local half's accumulators: one per aggregate call, columns with an element per group, updated
// a batch at a time and then moved out as the partial columns. Owned by one task thread.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "api/base/status.h"
#include "worker/plan/physical.h"
#include "worker/types/column.h"

namespace sj::worker::exec {

// Which group each row goes to. `rows` empty: row i is i.
struct RowGroups {
  std::vector<uint32_t> rows;
  std::vector<uint32_t> groups;
  size_t RowAt(size_t i) const { return rows.empty() ? i : rows[i]; }
};

class PartialAccumulator {
 public:
  // Errors: kInvalidArgument when the function has no meaning for the argument's type.
  static base::Result<std::unique_ptr<PartialAccumulator>> Make(const plan::AggregateCall& call);
  virtual ~PartialAccumulator() = default;

  // Makes room for `groups` groups; new ones are empty.
  virtual void Grow(size_t groups) = 0;
  // Adds the rows that the call's FILTER lets through and whose argument is not NULL.
  void Update(const types::Batch& batch, const RowGroups& all);
  // Moves the partial columns out; no group is left.
  virtual void Take(std::vector<types::Column>* out) = 0;
  // Bytes held outside the columns.
  virtual size_t text_bytes() const { return 0; }

 protected:
  explicit PartialAccumulator(const plan::AggregateCall& call) : call_(call) {}
  virtual void Add(const types::Column* argument, const RowGroups& groups) = 0;

  const plan::AggregateCall call_;

 private:
  RowGroups counted_;  // scratch
};

}  // namespace sj::worker::exec
