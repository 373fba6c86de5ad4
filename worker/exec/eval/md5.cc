// SPDX-License-Identifier: Apache-2.0
// MD5 as RFC 1321 states it: blocks of 64 bytes, four rounds of sixteen steps.
#include "worker/exec/eval/md5.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "api/base/hash.h"

namespace sj::worker::exec::eval {
namespace {

using State = std::array<uint32_t, 4>;

// floor(2^32 * |sin(i + 1)|)
const std::array<uint32_t, 64>& Sines() {
  static const std::array<uint32_t, 64> table = [] {
    std::array<uint32_t, 64> out{};
    for (size_t i = 0; i < out.size(); ++i) {
      out[i] =
          static_cast<uint32_t>(std::fabs(std::sin(static_cast<double>(i + 1))) * 4294967296.0);
    }
    return out;
  }();
  return table;
}

void Mix(const char* block, State* state) {
  static constexpr int kShifts[4][4] = {
      {7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};
  std::array<uint32_t, 16> words{};
  std::memcpy(words.data(), block, 64);
  auto [a, b, c, d] = *state;
  for (uint32_t i = 0; i < 64; ++i) {
    uint32_t round = i / 16;
    uint32_t f = round == 0   ? (b & c) | (~b & d)
                 : round == 1 ? (d & b) | (~d & c)
                 : round == 2 ? b ^ c ^ d
                              : c ^ (b | ~d);
    uint32_t word = round == 0   ? i
                    : round == 1 ? (5 * i + 1) % 16
                    : round == 2 ? (3 * i + 5) % 16
                                 : (7 * i) % 16;
    uint32_t sum = a + f + Sines()[i] + words[word];
    a = d;
    d = c;
    c = b;
    b += std::rotl(sum, kShifts[round][i % 4]);
  }
  (*state)[0] += a;
  (*state)[1] += b;
  (*state)[2] += c;
  (*state)[3] += d;
}

}  // namespace

std::string Md5Hex(std::string_view data) {
  State state = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
  size_t whole = data.size() / 64 * 64;
  for (size_t at = 0; at < whole; at += 64) {
    Mix(data.data() + at, &state);
  }
  std::string tail(data.substr(whole));
  tail.push_back('\x80');
  tail.resize((tail.size() + 8 + 63) / 64 * 64 - 8, '\0');
  uint64_t bits = static_cast<uint64_t>(data.size()) * 8;
  tail.append(reinterpret_cast<const char*>(&bits), sizeof(bits));
  for (size_t at = 0; at < tail.size(); at += 64) {
    Mix(tail.data() + at, &state);
  }
  return base::HexEncode({reinterpret_cast<const char*>(state.data()), sizeof(state)});
}

}  // namespace sj::worker::exec::eval
