// SPDX-License-Identifier: Apache-2.0
// Test aids for the HTTP client and server: raw sockets, a temporary folder, certificates made by
// the OpenSSL command line.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "api/base/http_client.h"
#include "api/base/http_server.h"

namespace sj::base::testing {

class TempDir {
 public:
  TempDir() {
    std::string pattern = ::testing::TempDir() + "sj-http-XXXXXX";
    path_ = ::mkdtemp(pattern.data());
  }
  ~TempDir() { std::filesystem::remove_all(path_); }
  std::string File(std::string_view name) const { return path_ + "/" + std::string(name); }
  void Write(std::string_view name, std::string_view text) const {
    std::ofstream(File(name), std::ios::binary) << text;
  }

 private:
  std::string path_;
};

// A blocking TCP client that speaks bytes.
class RawSocket {
 public:
  explicit RawSocket(uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0;
  }
  RawSocket(RawSocket&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), connected_(other.connected_) {}
  ~RawSocket() { Close(); }
  bool connected() const { return connected_; }
  void Close() {
    if (fd_ >= 0) {
      ::close(std::exchange(fd_, -1));
    }
  }
  void Send(std::string_view text) const {
    ASSERT_EQ(::send(fd_, text.data(), text.size(), MSG_NOSIGNAL), ssize_t(text.size()));
  }
  // What arrives until the peer closes, or within `wait` of silence.
  std::string ReadAll(std::chrono::milliseconds wait = std::chrono::milliseconds(5'000)) const {
    std::string all;
    pollfd item{fd_, POLLIN, 0};
    while (::poll(&item, 1, static_cast<int>(wait.count())) > 0) {
      char chunk[4096];
      const ssize_t n = ::recv(fd_, chunk, sizeof chunk, 0);
      if (n <= 0) {
        break;
      }
      all.append(chunk, static_cast<size_t>(n));
    }
    return all;
  }
  // True when the peer closes within `wait`.
  bool ClosedWithin(std::chrono::milliseconds wait) const {
    pollfd item{fd_, POLLIN, 0};
    char byte = 0;
    return ::poll(&item, 1, static_cast<int>(wait.count())) > 0 && ::recv(fd_, &byte, 1, 0) <= 0;
  }

 private:
  int fd_;
  bool connected_ = false;
};

// A server that plays a script on raw connections, one after the other.
class RawServer {
 public:
  using Script = std::function<void(int fd, int connection)>;
  explicit RawServer(Script script) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    EXPECT_EQ(::bind(fd_, reinterpret_cast<sockaddr*>(&at), sizeof at), 0);
    EXPECT_EQ(::listen(fd_, 16), 0);
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&at), &size);
    port_ = ntohs(at.sin_port);
    thread_ = std::thread([this, script = std::move(script)] {
      for (int i = 0;; ++i) {
        const int peer = ::accept(fd_, nullptr, nullptr);
        if (peer < 0) {
          return;
        }
        script(peer, i);
        ::close(peer);
      }
    });
  }
  ~RawServer() {
    ::shutdown(fd_, SHUT_RDWR);
    thread_.join();
    ::close(fd_);
  }
  uint16_t port() const { return port_; }
  static void SendAll(int fd, std::string_view text) {
    ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
  }
  // Reads up to the end of a request header.
  static std::string ReadHeader(int fd) {
    std::string all;
    char byte = 0;
    while (!all.ends_with("\r\n\r\n") && ::recv(fd, &byte, 1, 0) == 1) {
      all.push_back(byte);
    }
    return all;
  }

 private:
  int fd_;
  uint16_t port_ = 0;
  std::thread thread_;
};

inline std::unique_ptr<HttpServer> Serve(HttpHandler handler, HttpServerOptions options = {}) {
  auto server = StartHttpServer(std::move(options), std::move(handler));
  EXPECT_TRUE(server.ok()) << server.status().ToString();
  return std::move(server).value();
}

inline std::unique_ptr<HttpClient> ClientOf(uint16_t port, HttpClientOptions options = {}) {
  if (options.base_url.empty()) {
    options.base_url = "http://127.0.0.1:" + std::to_string(port);
  }
  auto client = MakeHttpClient(std::move(options));
  EXPECT_TRUE(client.ok()) << client.status().ToString();
  return std::move(client).value();
}

}  // namespace sj::base::testing
