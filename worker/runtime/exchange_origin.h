// SPDX-License-Identifier: Apache-2.0
// ExchangeOrigin: in which transaction a record of an exchange topic was written, carried as the
// record's key:  "sj1:<ordinal>:<generation>:<epoch>". Receivers do not need it; who takes a
// snapshot tells by it whether a record belongs to a cut (docs/design/0006-snapshots.md). A key and
// not part of the payload, so that workers of versions before it read the payload. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "worker/types/ids.h"

namespace sj::worker::runtime {

struct ExchangeOrigin {
  int ordinal = 0;
  types::Generation generation = 0;  // in which the writing process started
  types::Epoch epoch = 0;
  bool operator==(const ExchangeOrigin&) const = default;
};

std::string FormatOrigin(const ExchangeOrigin& origin);
// Nothing when it is not exactly what FormatOrigin writes, e.g. of a worker that wrote no key.
std::optional<ExchangeOrigin> ParseOrigin(std::string_view key);

}  // namespace sj::worker::runtime
