// SPDX-License-Identifier: Apache-2.0
// The state key:  op u16 | key group u16 | namespace i64, sign bit flipped | user key;  integers
// big-endian, so bytewise order is (operator, key group, namespace, key).
#include <cstring>

#include "worker/state/state_store.h"

namespace sj::worker::state {
namespace {

constexpr size_t kHeadBytes = 12;
constexpr uint64_t kSignBit = uint64_t{1} << 63;

void AppendBigEndian(uint64_t value, int bytes, std::string* out) {
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) {
    out->push_back(static_cast<char>(value >> shift));
  }
}

uint64_t ReadBigEndian(std::string_view bytes) {
  uint64_t value = 0;
  for (char c : bytes) {
    value = value << 8 | static_cast<uint8_t>(c);
  }
  return value;
}

}  // namespace

std::string EncodeStateKey(const StateKey& key) {
  std::string out;
  out.reserve(kHeadBytes + key.key.size());
  AppendBigEndian(key.op, 2, &out);
  AppendBigEndian(key.key_group, 2, &out);
  AppendBigEndian(static_cast<uint64_t>(key.ns) ^ kSignBit, 8, &out);
  out.append(key.key);
  return out;
}

bool DecodeStateKey(std::string_view bytes, StateKey* out) {
  if (bytes.size() < kHeadBytes) {
    return false;
  }
  out->op = static_cast<uint16_t>(ReadBigEndian(bytes.substr(0, 2)));
  out->key_group = static_cast<uint16_t>(ReadBigEndian(bytes.substr(2, 2)));
  out->ns = static_cast<int64_t>(ReadBigEndian(bytes.substr(4, 8)) ^ kSignBit);
  out->key = bytes.substr(kHeadBytes);
  return true;
}

std::string NamespaceEnd(uint16_t op, uint16_t key_group, int64_t ns) {
  if (ns < INT64_MAX) {
    return EncodeStateKey({op, key_group, ns + 1, {}});
  }
  return KeyGroupEnd(op, key_group);
}

std::string KeyGroupEnd(uint16_t op, uint16_t key_group) {
  std::string out;
  AppendBigEndian((uint64_t{op} << 16 | key_group) + 1, 4, &out);
  // The very last key group has no successor of four bytes: a longer run of 0xff bounds it.
  return out == std::string(4, '\0') ? std::string(64, '\xff') : out;
}

}  // namespace sj::worker::state
