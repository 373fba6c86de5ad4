// SPDX-License-Identifier: Apache-2.0
// Names of checkpoint objects:  <job uid>/g<generation>/<ordinal>/<epoch>-<incarnation>[-r<retry>].
// Unique for ever: an incarnation writes an epoch once, and counts its retries. Pure functions.
#pragma once

#include <string>
#include <string_view>

#include "api/base/status.h"
#include "worker/types/ids.h"

namespace sj::worker::checkpoint {

struct ObjectName {
  std::string job_uid;
  types::Generation generation = 0;
  int ordinal = 0;
  types::Epoch epoch = 0;
  std::string incarnation;
  int retry = 0;
};

std::string FormatObjectName(const ObjectName& name);
// False when it is not exactly what FormatObjectName writes.
bool ParseObjectName(std::string_view text, ObjectName* out);

// kInvalidArgument unless 1 to 63 letters, digits and, for the uid, dashes.
base::Status CheckNamePart(std::string_view what, std::string_view text, bool dashes);

}  // namespace sj::worker::checkpoint
