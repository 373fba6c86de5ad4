// SPDX-License-Identifier: Apache-2.0
// Canonical request, string to sign, derived key, signature: the four steps of the specification.
#include "worker/store/sigv4.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <map>

#include "api/base/hash.h"

namespace sj::worker::store {
namespace {

std::string_view AsView(const std::array<uint8_t, 32>& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

std::string EncodedQuery(const QueryParameters& query) {
  QueryParameters encoded;
  for (const auto& [name, value] : query) {
    encoded.emplace_back(base::UrlEncode(name), base::UrlEncode(value));
  }
  std::sort(encoded.begin(), encoded.end());
  std::string out;
  for (const auto& [name, value] : encoded) {
    out += fmt::format("{}{}={}", out.empty() ? "" : "&", name, value);
  }
  return out;
}

// Leading and trailing blanks go, inner runs of blanks become one.
std::string TrimmedValue(std::string_view value) {
  std::string out;
  for (char c : value) {
    bool blank = c == ' ' || c == '\t';
    if (!blank) {
      out.push_back(c);
    } else if (!out.empty() && out.back() != ' ') {
      out.push_back(' ');
    }
  }
  if (!out.empty() && out.back() == ' ') {
    out.pop_back();
  }
  return out;
}

// Lower-case names in order.
std::map<std::string, std::string> CanonicalHeaders(const base::HttpHeaders& headers) {
  std::map<std::string, std::string> out;
  for (const auto& [name, value] : headers) {
    std::string lower = name;
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    out[lower] = TrimmedValue(value);
  }
  return out;
}

}  // namespace

std::string EncodedTarget(std::string_view path, const QueryParameters& query) {
  std::string target = base::UrlEncode(path, true);
  return query.empty() ? target : target + "?" + EncodedQuery(query);
}

std::string Authorization(const SigningKey& key, const SigningInput& input) {
  std::string header_lines;
  std::string signed_names;
  for (const auto& [name, value] : CanonicalHeaders(input.headers)) {
    header_lines += name + ":" + value + "\n";
    signed_names += (signed_names.empty() ? "" : ";") + name;
  }
  const std::string request =
      fmt::format("{}\n{}\n{}\n{}\n{}\n{}", input.method, base::UrlEncode(input.path, true),
                  EncodedQuery(input.query), header_lines, signed_names, input.payload_sha256);
  const std::string day = input.amz_date.substr(0, 8);
  const std::string scope = fmt::format("{}/{}/{}/aws4_request", day, key.region, key.service);
  const std::string to_sign =
      fmt::format("AWS4-HMAC-SHA256\n{}\n{}\n{}", input.amz_date, scope, base::Sha256Hex(request));
  auto derived = base::HmacSha256("AWS4" + key.secret_key, day);
  for (std::string_view part : {std::string_view(key.region), std::string_view(key.service),
                                std::string_view("aws4_request")}) {
    derived = base::HmacSha256(AsView(derived), part);
  }
  auto signature = base::HmacSha256(AsView(derived), to_sign);
  return fmt::format("AWS4-HMAC-SHA256 Credential={}/{}, SignedHeaders={}, Signature={}",
                     key.access_key, scope, signed_names, base::HexEncode(AsView(signature)));
}

}  // namespace sj::worker::store
