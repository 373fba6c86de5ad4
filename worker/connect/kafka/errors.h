// SPDX-License-Identifier: Apache-2.0
// Kafka's error codes as Status: which reaction each one asks for. Pure.
#pragma once

#include <string>
#include <string_view>

#include "api/base/status.h"
#include "worker/connect/kafka/handle.h"

namespace sj::worker::connect::kafka {

// True for the codes that say another producer took our transactional id.
bool IsFencing(rd_kafka_resp_err_t code);
// True for missing rights and refused credentials: no retry can help.
bool IsAuthorization(rd_kafka_resp_err_t code);
// `doing`: "read topic \"a\" partition 3". `detail`: the library's words, may be empty.
base::Status FromCode(rd_kafka_resp_err_t code, std::string_view doing,
                      std::string_view detail = {});

}  // namespace sj::worker::connect::kafka
