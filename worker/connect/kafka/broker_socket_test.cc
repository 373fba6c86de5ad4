// SPDX-License-Identifier: Apache-2.0
#include "worker/connect/kafka/broker_socket.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace sj::worker::connect::kafka {
namespace {

int Option(int fd, int option) {
  int value = 0;
  socklen_t size = sizeof value;
  EXPECT_EQ(getsockopt(fd, IPPROTO_TCP, option, &value, &size), 0);
  return value;
}

TEST(BrokerSocket, APeerThatIsSilentIsGivenUpSoon) {
  for (int domain : {AF_INET, AF_INET6}) {
    const int fd = OpenBrokerSocket(domain, SOCK_STREAM, IPPROTO_TCP, nullptr);
    ASSERT_GE(fd, 0);
    EXPECT_EQ(Option(fd, TCP_USER_TIMEOUT), kPeerSilentMax.count());
    EXPECT_LT(Option(fd, TCP_KEEPIDLE) * 1000, kPeerSilentMax.count());
    EXPECT_LT(Option(fd, TCP_KEEPINTVL) * 1000, kPeerSilentMax.count());
    EXPECT_NE(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
    close(fd);
  }
}

TEST(BrokerSocket, AnErrorIsTheCallers) {
  EXPECT_EQ(OpenBrokerSocket(-1, SOCK_STREAM, 0, nullptr), -1);
  EXPECT_EQ(errno, EAFNOSUPPORT);
}

}  // namespace
}  // namespace sj::worker::connect::kafka
