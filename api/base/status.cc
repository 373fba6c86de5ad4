// SPDX-License-Identifier: Apache-2.0
// Status: construction, printing and context. SJ_CHECK's failure path lives here too.
#include "api/base/status.h"

#include <cstdio>
#include <cstdlib>

#include "api/base/check.h"

namespace sj::base {

std::string_view ToString(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kInvalidArgument:
      return "invalid argument";
    case ErrorKind::kNotFound:
      return "not found";
    case ErrorKind::kConflict:
      return "conflict";
    case ErrorKind::kUnavailable:
      return "unavailable";
    case ErrorKind::kCorrupt:
      return "corrupt";
    case ErrorKind::kExhausted:
      return "exhausted";
    case ErrorKind::kCancelled:
      return "cancelled";
    case ErrorKind::kFenced:
      return "fenced";
    case ErrorKind::kInternal:
      return "internal";
  }
  return "unknown";
}

std::string_view ToString(Fault fault) {
  switch (fault) {
    case Fault::kUser:
      return "user";
    case Fault::kExternal:
      return "external";
    case Fault::kInternal:
      return "internal";
  }
  return "unknown";
}

Status::Status(ErrorKind kind, Fault fault, Retry retry, std::string message)
    : rep_(std::make_unique<Rep>(Rep{kind, fault, retry, std::move(message)})) {
}

Status::Status(const Status& other)
    : rep_(other.rep_ ? std::make_unique<Rep>(*other.rep_) : nullptr) {
}

Status& Status::operator=(const Status& other) {
  if (this != &other) {
    rep_ = other.rep_ ? std::make_unique<Rep>(*other.rep_) : nullptr;
  }
  return *this;
}

std::string Status::ToString() const {
  if (ok()) {
    return "ok";
  }
  return std::string(base::ToString(rep_->kind)) + ": " + rep_->message;
}

Status Status::WithContext(std::string_view context) && {
  if (rep_ != nullptr) {
    rep_->message = std::string(context) + ": " + rep_->message;
  }
  return std::move(*this);
}

Status Status::WithContext(std::string_view context) const& {
  return Status(*this).WithContext(context);
}

Status InvalidArgument(std::string message) {
  return {ErrorKind::kInvalidArgument, Fault::kUser, Retry::kNever, std::move(message)};
}
Status NotFound(std::string message) {
  return {ErrorKind::kNotFound, Fault::kExternal, Retry::kNever, std::move(message)};
}
Status Conflict(std::string message) {
  return {ErrorKind::kConflict, Fault::kExternal, Retry::kBackoff, std::move(message)};
}
Status Unavailable(std::string message) {
  return {ErrorKind::kUnavailable, Fault::kExternal, Retry::kBackoff, std::move(message)};
}
Status Corrupt(std::string message) {
  return {ErrorKind::kCorrupt, Fault::kExternal, Retry::kNever, std::move(message)};
}
Status Exhausted(std::string message) {
  return {ErrorKind::kExhausted, Fault::kExternal, Retry::kBackoff, std::move(message)};
}
Status Cancelled(std::string message) {
  return {ErrorKind::kCancelled, Fault::kInternal, Retry::kNever, std::move(message)};
}
Status Fenced(std::string message) {
  return {ErrorKind::kFenced, Fault::kExternal, Retry::kNever, std::move(message)};
}
Status Internal(std::string message) {
  return {ErrorKind::kInternal, Fault::kInternal, Retry::kBackoff, std::move(message)};
}

void CheckFailed(const char* file, int line, const char* what) {
  std::fprintf(stderr, "%s:%d: check failed: %s\n", file, line, what);
  std::abort();
}

}  // namespace sj::base
