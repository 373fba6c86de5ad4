// SPDX-License-Identifier: Apache-2.0
// Status and Result<T>: how every fallible function of StreamJob reports. A Status says what was
// attempted, whose fault it is and whether a retry can help. An ok Status costs one null pointer.
// Thread-compatible values; copying shares nothing.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace sj::base {

// What went wrong. One word per reaction, not per cause.
enum class ErrorKind : uint8_t {
  kInvalidArgument,  // the input can never be accepted
  kNotFound,         // the named thing does not exist
  kConflict,         // somebody else was faster; read again and decide again
  kUnavailable,      // an outside service did not answer or refused for now
  kCorrupt,          // bytes are not what was written
  kExhausted,        // a bound was reached
  kCancelled,        // asked to stop
  kFenced,           // another incarnation owns this; the process must stop at once
  kInternal,         // a defect of ours
};

enum class Fault : uint8_t { kUser, kExternal, kInternal };
enum class Retry : uint8_t { kNever, kBackoff };

std::string_view ToString(ErrorKind kind);
std::string_view ToString(Fault fault);

class [[nodiscard]] Status {
 public:
  Status() = default;  // ok
  Status(ErrorKind kind, Fault fault, Retry retry, std::string message);
  Status(const Status& other);
  Status& operator=(const Status& other);
  Status(Status&&) noexcept = default;
  Status& operator=(Status&&) noexcept = default;

  bool ok() const { return rep_ == nullptr; }
  // REQUIRES for the next four: !ok().
  ErrorKind kind() const { return rep_->kind; }
  Fault fault() const { return rep_->fault; }
  Retry retry() const { return rep_->retry; }
  const std::string& message() const { return rep_->message; }

  // "ok", or the message with its kind: `unavailable: put object "a": connection refused`.
  std::string ToString() const;
  // The same error with `context` put before its message ("context: message"). ok stays ok.
  Status WithContext(std::string_view context) &&;
  Status WithContext(std::string_view context) const&;

 private:
  struct Rep {
    ErrorKind kind;
    Fault fault;
    Retry retry;
    std::string message;
  };
  std::unique_ptr<Rep> rep_;
};

inline Status OkStatus() {
  return Status();
}

// The usual combinations, named for the kind.
Status InvalidArgument(std::string message);  // user, never
Status NotFound(std::string message);         // external, never
Status Conflict(std::string message);         // external, backoff
Status Unavailable(std::string message);      // external, backoff
Status Corrupt(std::string message);          // external, never
Status Exhausted(std::string message);        // external, backoff
Status Cancelled(std::string message);        // internal, never
Status Fenced(std::string message);           // external, never
Status Internal(std::string message);         // internal, backoff

// A value or the Status that says why there is none.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}          // NOLINT(google-explicit-constructor)
  Result(Status status) : status_(std::move(status)) {}  // NOLINT(google-explicit-constructor)

  bool ok() const { return status_.ok() && value_.has_value(); }
  const Status& status() const& { return status_; }
  Status status() && { return std::move(status_); }
  // REQUIRES for the rest: ok().
  T& value() & { return *value_; }
  const T& value() const& { return *value_; }
  T&& value() && { return *std::move(value_); }
  T& operator*() & { return *value_; }
  const T& operator*() const& { return *value_; }
  T&& operator*() && { return *std::move(value_); }
  T* operator->() { return &*value_; }
  const T* operator->() const { return &*value_; }

 private:
  Status status_;
  std::optional<T> value_;
};

}  // namespace sj::base

// The propagation macros; with SJ_CHECK the only ones (see CONTRIBUTING.md).
#define SJ_CONCAT_INNER(a, b) a##b
#define SJ_CONCAT(a, b) SJ_CONCAT_INNER(a, b)

#define SJ_RETURN_IF_ERROR(expr)            \
  do {                                      \
    ::sj::base::Status sj_status_ = (expr); \
    if (!sj_status_.ok()) {                 \
      return sj_status_;                    \
    }                                       \
  } while (false)

#define SJ_ASSIGN_OR_RETURN(lhs, expr) \
  SJ_ASSIGN_OR_RETURN_INNER(SJ_CONCAT(sj_result_, __LINE__), lhs, expr)

#define SJ_ASSIGN_OR_RETURN_INNER(result, lhs, expr) \
  auto result = (expr);                              \
  if (!result.ok()) {                                \
    return std::move(result).status();               \
  }                                                  \
  lhs = std::move(result).value()
