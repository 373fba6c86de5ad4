// SPDX-License-Identifier: Apache-2.0
// See broker_socket.h.
#include "worker/connect/kafka/broker_socket.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace sj::worker::connect::kafka {

int OpenBrokerSocket(int domain, int type, int protocol, void*) {
  const int fd = socket(domain, type | SOCK_CLOEXEC, protocol);
  if (fd < 0) {
    return fd;
  }
  constexpr auto kSeconds = static_cast<int>(kPeerSilentMax.count() / 1000);
  // Without them a connection works, only its end is noticed late: not worth an error.
  const auto set = [fd](int option, int value) {
    static_cast<void>(setsockopt(fd, IPPROTO_TCP, option, &value, sizeof value));
  };
  set(TCP_USER_TIMEOUT, static_cast<int>(kPeerSilentMax.count()));
  // Probes while nothing is sent; the library turns SO_KEEPALIVE on.
  set(TCP_KEEPIDLE, kSeconds / 2);
  set(TCP_KEEPINTVL, kSeconds / 4);
  return fd;
}

}  // namespace sj::worker::connect::kafka
