// SPDX-License-Identifier: Apache-2.0
// Column blocks: a Batch as bytes, for exchange topics. A block is self-checking (version, length,
// XXH3) and lz4-compressed when that makes it smaller. The schema is not inside: both ends know it
// from the plan; a block of another shape is refused. Pure functions.
#pragma once

#include <string>
#include <string_view>

#include "api/base/status.h"
#include "worker/types/column.h"

namespace sj::worker::types {

struct BlockLimits {
  size_t bytes_max = 64u << 20;  // uncompressed
  size_t rows_max = 1u << 20;
};

// Appends the block of `batch` to *out. Errors: kExhausted beyond the limits.
base::Status EncodeBlock(const Batch& batch, const BlockLimits& limits, std::string* out);

// Reads a block written for `schema`. `bytes` is not needed afterwards: string values point into a
// buffer the batch owns. Errors: kCorrupt for anything EncodeBlock does not write.
base::Result<Batch> DecodeBlock(std::string_view bytes, const Schema& schema,
                                const BlockLimits& limits = {});

}  // namespace sj::worker::types
