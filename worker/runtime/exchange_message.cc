// SPDX-License-Identifier: Apache-2.0
// Writes and reads the layout drawn in exchange_message.h.
#include "worker/runtime/exchange_message.h"

#include <cstring>

#include "worker/types/block.h"

namespace sj::worker::runtime {
namespace {

constexpr char kVersion = 1;
constexpr size_t kMarksMax = 100'000;

template <typename T>
void AppendLe(T value, std::string* out) {
  for (size_t i = 0; i < sizeof(T); ++i) {
    out->push_back(static_cast<char>(static_cast<uint64_t>(value) >> (8 * i)));
  }
}

template <typename T>
bool ReadLe(std::string_view* in, T* value) {
  if (in->size() < sizeof(T)) {
    return false;
  }
  uint64_t bits = 0;
  for (size_t i = 0; i < sizeof(T); ++i) {
    bits |= static_cast<uint64_t>(static_cast<uint8_t>((*in)[i])) << (8 * i);
  }
  *value = static_cast<T>(bits);
  in->remove_prefix(sizeof(T));
  return true;
}

bool ReadMark(std::string_view* in, NamedMark* out) {
  uint16_t length = 0;
  if (!ReadLe(in, &length) || in->size() < length) {
    return false;
  }
  out->instance.assign(in->substr(0, length));
  in->remove_prefix(length);
  uint8_t idle = 0;
  if (!ReadLe(in, &idle) || !ReadLe(in, &out->mark.watermark_ms)) {
    return false;
  }
  out->mark.idle = idle != 0;
  return true;
}

base::Status BadMessage(const char* what) {
  return base::Corrupt(std::string("read exchange message: ") + what);
}

}  // namespace

base::Status EncodeRows(const types::Batch& rows, std::string* out) {
  out->push_back('R');
  out->push_back(kVersion);
  return types::EncodeBlock(rows, types::BlockLimits{}, out);
}

void EncodeMarks(const std::vector<NamedMark>& marks, std::string* out) {
  out->push_back('W');
  out->push_back(kVersion);
  AppendLe(static_cast<uint32_t>(marks.size()), out);
  for (const NamedMark& named : marks) {
    AppendLe(static_cast<uint16_t>(named.instance.size()), out);
    out->append(named.instance);
    AppendLe(static_cast<uint8_t>(named.mark.idle ? 1 : 0), out);
    AppendLe(named.mark.watermark_ms, out);
  }
}

base::Result<ExchangeMessage> DecodeExchange(std::string_view bytes, const types::Schema& schema) {
  if (bytes.size() < 2 || bytes[1] != kVersion) {
    return BadMessage("unknown version");
  }
  ExchangeMessage message;
  std::string_view rest = bytes.substr(2);
  if (bytes[0] == 'R') {
    message.is_rows = true;
    SJ_ASSIGN_OR_RETURN(message.rows, types::DecodeBlock(rest, schema));
    return message;
  }
  uint32_t count = 0;
  if (bytes[0] != 'W' || !ReadLe(&rest, &count) || count > kMarksMax) {
    return BadMessage("not rows and not watermarks");
  }
  message.marks.reserve(count);
  for (uint32_t i = 0; i < count; ++i) {
    NamedMark named;
    if (!ReadMark(&rest, &named)) {
      return BadMessage("watermarks cut short");
    }
    message.marks.push_back(std::move(named));
  }
  return message;
}

}  // namespace sj::worker::runtime
