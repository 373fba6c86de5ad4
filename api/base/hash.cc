// SPDX-License-Identifier: Apache-2.0
// Digests by OpenSSL, Hash64 by xxHash. A digest that OpenSSL cannot compute is a broken process:
// there is no input that makes it fail.
#include "api/base/hash.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <xxhash.h>

#include "api/base/check.h"

namespace sj::base {

std::array<uint8_t, 32> Sha256(std::string_view data) {
  std::array<uint8_t, 32> digest{};
  unsigned size = 0;
  SJ_CHECK(EVP_Digest(data.data(), data.size(), digest.data(), &size, EVP_sha256(), nullptr) == 1);
  return digest;
}

std::string Sha256Hex(std::string_view data) {
  const auto digest = Sha256(data);
  return HexEncode({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

std::array<uint8_t, 32> HmacSha256(std::string_view key, std::string_view data) {
  std::array<uint8_t, 32> digest{};
  unsigned size = 0;
  SJ_CHECK(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
                reinterpret_cast<const unsigned char*>(data.data()), data.size(), digest.data(),
                &size) != nullptr);
  return digest;
}

std::string HexEncode(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (char c : bytes) {
    const auto byte = static_cast<uint8_t>(c);
    text.push_back(kDigits[byte >> 4]);
    text.push_back(kDigits[byte & 15]);
  }
  return text;
}

std::string Base64Encode(std::string_view bytes) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t n = bytes.size() - i < 3 ? bytes.size() - i : 3;
    uint32_t group = 0;
    for (size_t k = 0; k < 3; ++k) {
      group = group << 8 | (k < n ? static_cast<uint8_t>(bytes[i + k]) : 0);
    }
    text.push_back(kDigits[group >> 18]);
    text.push_back(kDigits[group >> 12 & 63]);
    text.push_back(n > 1 ? kDigits[group >> 6 & 63] : '=');
    text.push_back(n > 2 ? kDigits[group & 63] : '=');
  }
  return text;
}

uint64_t Hash64(std::string_view data) {
  return XXH3_64bits(data.data(), data.size());
}

std::string RandomHex(int bytes) {
  SJ_CHECK(bytes > 0);
  std::string raw(static_cast<size_t>(bytes), '\0');
  SJ_CHECK(RAND_bytes(reinterpret_cast<unsigned char*>(raw.data()), bytes) == 1);
  return HexEncode(raw);
}

}  // namespace sj::base
