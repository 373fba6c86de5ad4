// SPDX-License-Identifier: Apache-2.0
// Sockets of connections to brokers. The kernel ends one that has heard nothing from the other side
// for kPeerSilentMax, be it an acknowledgement or the answer to a probe: a network that was away
// for half a minute would else be felt for another half, because TCP doubles the time between two
// tries. A slow broker still acknowledges, so this says nothing about the time a request may take.
#pragma once

#include <chrono>

namespace sj::worker::connect::kafka {

inline constexpr std::chrono::milliseconds kPeerSilentMax{10'000};

// For rd_kafka_conf_set_socket_cb: the arguments of socket(2). A descriptor, which the library
// owns, or -1 with errno. Thread-safe.
int OpenBrokerSocket(int domain, int type, int protocol, void* opaque);

}  // namespace sj::worker::connect::kafka
