// SPDX-License-Identifier: Apache-2.0
// The payload of an exchange topic's record: rows of one shard, or watermarks of sender instances.
//
//   rows:   'R' 0x01 <column block, see worker/types/block.h>
//   marks:  'W' 0x01 <count u32 LE> { <name length u16 LE> <name> <idle u8> <watermark i64 LE> }*
//
// Decoding never trusts a length. Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/base/status.h"
#include "worker/runtime/marks.h"
#include "worker/types/column.h"

namespace sj::worker::runtime {

// Errors: kExhausted when the rows do not fit a block.
base::Status EncodeRows(const types::Batch& rows, std::string* out);
void EncodeMarks(const std::vector<NamedMark>& marks, std::string* out);

// What a payload holds, by its first byte.
inline bool IsRows(std::string_view bytes) {
  return bytes.starts_with('R');
}

struct ExchangeMessage {
  bool is_rows = false;
  types::Batch rows;
  std::vector<NamedMark> marks;
};
// Errors: kCorrupt.
base::Result<ExchangeMessage> DecodeExchange(std::string_view bytes, const types::Schema& schema);

}  // namespace sj::worker::runtime
