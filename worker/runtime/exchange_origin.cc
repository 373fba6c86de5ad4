// SPDX-License-Identifier: Apache-2.0
// Reading is strict: it formats again and compares.
#include "worker/runtime/exchange_origin.h"

#include <charconv>

namespace sj::worker::runtime {
namespace {

constexpr std::string_view kPrefix = "sj1:";

// Takes a number and the colon behind it, which the last one has not.
template <typename T>
bool TakeNumber(std::string_view* in, bool last, T* out) {
  auto [end, error] = std::from_chars(in->data(), in->data() + in->size(), *out);
  if (error != std::errc() || *out < 0) {
    return false;
  }
  in->remove_prefix(static_cast<size_t>(end - in->data()));
  if (last) {
    return in->empty();
  }
  if (!in->starts_with(':')) {
    return false;
  }
  in->remove_prefix(1);
  return true;
}

}  // namespace

std::string FormatOrigin(const ExchangeOrigin& origin) {
  return std::string(kPrefix) + std::to_string(origin.ordinal) + ":" +
         std::to_string(origin.generation) + ":" + std::to_string(origin.epoch);
}

std::optional<ExchangeOrigin> ParseOrigin(std::string_view key) {
  ExchangeOrigin origin;
  std::string_view rest = key;
  if (!rest.starts_with(kPrefix)) {
    return std::nullopt;
  }
  rest.remove_prefix(kPrefix.size());
  if (!TakeNumber(&rest, false, &origin.ordinal) || !TakeNumber(&rest, false, &origin.generation) ||
      !TakeNumber(&rest, true, &origin.epoch) || FormatOrigin(origin) != key) {
    return std::nullopt;
  }
  return origin;
}

}  // namespace sj::worker::runtime
