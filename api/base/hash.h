// SPDX-License-Identifier: Apache-2.0
// Digests and encodings shared by both programs. OpenSSL and xxHash are hidden in hash.cc.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace sj::base {

std::string Sha256Hex(std::string_view data);
std::array<uint8_t, 32> Sha256(std::string_view data);
std::array<uint8_t, 32> HmacSha256(std::string_view key, std::string_view data);
std::string HexEncode(std::string_view bytes);
std::string Base64Encode(std::string_view bytes);
// XXH3, 64 bits. Stable for ever: key groups depend on it.
uint64_t Hash64(std::string_view data);
// Cryptographically random lower-case hex of 2*n characters.
std::string RandomHex(int bytes);

}  // namespace sj::base
