// SPDX-License-Identifier: Apache-2.0
// Inside of the HTTP server: a non-blocking socket with or without TLS, and the certificate that
// follows its files. OpenSSL works on the socket itself and releases its buffers when quiet, so an
// idle TLS connection costs little memory.
#pragma once

#include <openssl/types.h>

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "api/base/clock.h"
#include "api/base/status.h"

namespace sj::base {

enum class IoStep : uint8_t { kDone, kWantRead, kWantWrite, kClosed };
struct IoResult {
  IoStep step = IoStep::kClosed;
  size_t bytes = 0;
};

// The server's certificate. Looks at the files at most once a second; a pair that cannot be read is
// logged and the old one stays. Thread-safe.
class TlsContext {
 public:
  static Result<std::unique_ptr<TlsContext>> Load(std::string cert_file, std::string key_file);
  ~TlsContext();
  // A new server-side TLS object for one connection; null when OpenSSL has no memory.
  SSL* NewConnection();

 private:
  TlsContext(std::string cert_file, std::string key_file);
  Status Read();
  void RereadIfChanged();
  std::string Stamp() const;

  const std::string cert_file_, key_file_;
  std::mutex mu_;
  SSL_CTX* context_ = nullptr;
  std::string stamp_;
  MonoTime looked_{};
};

// Thread-compatible. Does not own the descriptor; owns `tls`, which may be null (plain TCP).
class Channel {
 public:
  Channel(int fd, SSL* tls);
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  IoResult Handshake();
  IoResult Read(char* data, size_t size);
  IoResult Write(std::string_view data);
  // Says goodbye in TLS and ends the sending direction.
  void Shutdown();
  // Reads and throws away what still arrives after Shutdown.
  IoResult Discard();

 private:
  IoResult TlsResult(int returned) const;

  const int fd_;
  SSL* tls_;
};

}  // namespace sj::base
