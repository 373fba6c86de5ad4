// SPDX-License-Identifier: Apache-2.0
// Non-blocking socket calls and OpenSSL's server side. Errors of a connection end that connection
// and nothing else, so they carry no text.
#include "api/base/http_server_tls.h"

#include <errno.h>
#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>

#include "api/base/log.h"

namespace sj::base {
namespace {

IoResult SocketResult(ssize_t n, IoStep want) {
  if (n > 0) {
    return {IoStep::kDone, static_cast<size_t>(n)};
  }
  if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) {
    return {want, 0};
  }
  return {IoStep::kClosed, 0};
}

std::string LastError() {
  std::array<char, 160> text{};
  ERR_error_string_n(ERR_peek_last_error(), text.data(), text.size());
  ERR_clear_error();
  return text.data();
}

std::string FileStamp(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) {
    return "absent";
  }
  return fmt::format("{}.{}.{}.{}", info.st_ino, info.st_size, info.st_mtim.tv_sec,
                     info.st_mtim.tv_nsec);
}

}  // namespace

TlsContext::TlsContext(std::string cert_file, std::string key_file)
    : cert_file_(std::move(cert_file)), key_file_(std::move(key_file)) {
}

TlsContext::~TlsContext() {
  SSL_CTX_free(context_);
}

Result<std::unique_ptr<TlsContext>> TlsContext::Load(std::string cert_file, std::string key_file) {
  std::unique_ptr<TlsContext> made(new TlsContext(std::move(cert_file), std::move(key_file)));
  made->stamp_ = made->Stamp();
  made->looked_ = RealClock().Mono();
  SJ_RETURN_IF_ERROR(made->Read());
  return made;
}

std::string TlsContext::Stamp() const {
  return FileStamp(cert_file_) + "/" + FileStamp(key_file_);
}

Status TlsContext::Read() {
  SSL_CTX* context = SSL_CTX_new(TLS_server_method());
  if (context == nullptr) {
    return Internal("make TLS context: " + LastError());
  }
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  if (SSL_CTX_use_certificate_chain_file(context, cert_file_.c_str()) != 1 ||
      SSL_CTX_use_PrivateKey_file(context, key_file_.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_check_private_key(context) != 1) {
    SSL_CTX_free(context);
    return Unavailable(fmt::format("read server certificate \"{}\": {}", cert_file_, LastError()));
  }
  SSL_CTX_free(context_);
  context_ = context;
  return OkStatus();
}

void TlsContext::RereadIfChanged() {
  const MonoTime now = RealClock().Mono();
  if (now - looked_ < std::chrono::seconds(1)) {
    return;
  }
  looked_ = now;
  const std::string stamp = Stamp();
  if (stamp == stamp_) {
    return;
  }
  const Status status = Read();
  if (status.ok()) {
    stamp_ = stamp;
    LogInfo("server certificate re-read", {{"file", cert_file_}});
  } else {
    LogWarn("server certificate not re-read, the old one stays", {{"error", status.message()}});
  }
}

SSL* TlsContext::NewConnection() {
  std::lock_guard lock(mu_);
  RereadIfChanged();
  return SSL_new(context_);
}

Channel::Channel(int fd, SSL* tls) : fd_(fd), tls_(tls) {
  if (tls_ != nullptr) {
    SSL_set_fd(tls_, fd_);
    SSL_set_accept_state(tls_);
  }
}

Channel::~Channel() {
  SSL_free(tls_);
}

IoResult Channel::TlsResult(int returned) const {
  switch (SSL_get_error(tls_, returned)) {
    case SSL_ERROR_NONE:
      return {IoStep::kDone, static_cast<size_t>(std::max(returned, 0))};
    case SSL_ERROR_WANT_READ:
      return {IoStep::kWantRead, 0};
    case SSL_ERROR_WANT_WRITE:
      return {IoStep::kWantWrite, 0};
    default:
      ERR_clear_error();
      return {IoStep::kClosed, 0};
  }
}

IoResult Channel::Handshake() {
  if (tls_ == nullptr) {
    return {IoStep::kDone, 0};
  }
  ERR_clear_error();
  return TlsResult(SSL_do_handshake(tls_));
}

IoResult Channel::Read(char* data, size_t size) {
  if (tls_ == nullptr) {
    return SocketResult(::recv(fd_, data, size, 0), IoStep::kWantRead);
  }
  ERR_clear_error();
  return TlsResult(SSL_read(tls_, data, static_cast<int>(std::min<size_t>(size, 1u << 30))));
}

IoResult Channel::Write(std::string_view data) {
  if (tls_ == nullptr) {
    return SocketResult(::send(fd_, data.data(), data.size(), MSG_NOSIGNAL), IoStep::kWantWrite);
  }
  ERR_clear_error();
  const size_t size = std::min<size_t>(data.size(), 1u << 30);
  return TlsResult(SSL_write(tls_, data.data(), static_cast<int>(size)));
}

void Channel::Shutdown() {
  if (tls_ != nullptr && SSL_is_init_finished(tls_) == 1) {
    ERR_clear_error();
    SSL_shutdown(tls_);
    ERR_clear_error();
  }
  ::shutdown(fd_, SHUT_WR);
}

IoResult Channel::Discard() {
  std::array<char, 4096> junk;
  return SocketResult(::recv(fd_, junk.data(), junk.size(), 0), IoStep::kWantRead);
}

}  // namespace sj::base
