// SPDX-License-Identifier: Apache-2.0
// The parts of the HTTP client that need no library: header look-up, percent-encoding, cancelling.
#include "api/base/http_client.h"

#include <strings.h>

#include "api/base/http_cancel_state.h"
#include "api/base/http_server.h"

namespace sj::base {
namespace {

std::string_view FindHeader(const HttpHeaders& headers, std::string_view name) {
  for (const auto& [key, value] : headers) {
    if (key.size() == name.size() && strncasecmp(key.data(), name.data(), name.size()) == 0) {
      return value;
    }
  }
  return {};
}

}  // namespace

std::string_view HttpResponse::Header(std::string_view name) const {
  return FindHeader(headers, name);
}

std::string_view ServerRequest::Header(std::string_view name) const {
  return FindHeader(headers, name);
}

HttpCancel::HttpCancel() : state_(std::make_unique<State>()) {
}
HttpCancel::~HttpCancel() = default;

void HttpCancel::Cancel() {
  std::map<int, std::function<void()>> callbacks;
  {
    std::lock_guard lock(state_->mu);
    state_->cancelled = true;
    callbacks = state_->callbacks;
  }
  for (const auto& [id, callback] : callbacks) {
    callback();
  }
}

bool HttpCancel::cancelled() const {
  std::lock_guard lock(state_->mu);
  return state_->cancelled;
}

std::string UrlEncode(std::string_view text, bool keep_slash) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size());
  for (char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '.' || c == '_' || c == '~' || (keep_slash && c == '/');
    if (plain) {
      out.push_back(c);
      continue;
    }
    const auto byte = static_cast<uint8_t>(c);
    out.push_back('%');
    out.push_back(kHex[byte >> 4]);
    out.push_back(kHex[byte & 15]);
  }
  return out;
}

}  // namespace sj::base
