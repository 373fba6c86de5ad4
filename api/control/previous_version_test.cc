// SPDX-License-Identifier: Apache-2.0
// Neighbours of the version before (e2e/lib/previous-version). testdata/previous holds one message
// of each kind as that version writes it, all fields set; what is read from it and written again
// must tell that version the same: it ignores fields it does not know, and reads all others as it
// did.
#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <set>
#include <string>
#include <type_traits>

#include "api/base/json.h"
#include "api/base/testing/source_dir.h"
#include "api/control/messages.h"

namespace sj::control {
namespace {

using base::Json;
using Names = std::set<std::string>;

std::string Written(const std::string& name) {
  std::ifstream in(base::testing::SourceDir() + "/api/control/testdata/previous/" + name + ".json");
  std::string line;
  std::getline(in, line);
  return line;
}

// Fields that `now` lacks or has with another value, and those that it has beyond `before`.
void Compare(const Json& before, const Json& now, const std::string& path, Names* lost,
             Names* added) {
  if (!before.is_object() || !now.is_object()) {
    if (before != now) {
      lost->insert(path);
    }
    return;
  }
  for (const auto& [name, value] : before.items()) {
    if (now.contains(name)) {
      Compare(value, now[name], path + "/" + name, lost, added);
    } else {
      lost->insert(path + "/" + name);
    }
  }
  for (const auto& [name, value] : now.items()) {
    if (!before.contains(name)) {
      added->insert(path + "/" + name);
    }
  }
}

template <typename T>
void ExpectUnderstood(const std::string& name, base::Result<T> (*decode)(std::string_view),
                      const std::function<void(std::type_identity_t<T>&)>& say_what_is_new,
                      const Names& new_fields) {
  const std::string text = Written(name);
  const base::Result<Json> before = base::ParseJson(text);
  ASSERT_TRUE(before.ok()) << name << ": " << before.status().ToString();
  EXPECT_EQ(base::DumpJson(*before), text) << name << " is not as an encoder writes it";
  base::Result<T> message = decode(text);
  ASSERT_TRUE(message.ok()) << name << ": " << message.status().ToString();
  say_what_is_new(*message);
  const base::Result<Json> now = base::ParseJson(Encode(*message));
  ASSERT_TRUE(now.ok()) << name << ": " << now.status().ToString();
  Names lost;
  Names added;
  Compare(*before, *now, "", &lost, &added);
  EXPECT_EQ(lost, Names()) << name;
  EXPECT_EQ(added, new_fields) << name;
}

template <typename T>
void NothingNew(T& /*message*/) {
}

void HandOver(std::optional<Assignment>& assignment) {
  assignment->hand_over_from = 6;
  assignment->hand_over_replicas = 2;
}

TEST(PreviousVersion, FreshWorker) {
  ExpectUnderstood("register_request", DecodeRegisterRequest, NothingNew<RegisterRequest>, {});
  ExpectUnderstood("register_response_wait", DecodeRegisterResponse, NothingNew<RegisterResponse>,
                   {});
  ExpectUnderstood("register_response", DecodeRegisterResponse,
                   [](RegisterResponse& m) { HandOver(m.assignment); },
                   {"/assignment/handOverFrom", "/assignment/handOverReplicas"});
}

TEST(PreviousVersion, Heartbeat) {
  ExpectUnderstood("heartbeat_request", DecodeHeartbeatRequest, NothingNew<HeartbeatRequest>,
                   {"/handsOver"});
  ExpectUnderstood("heartbeat_request", DecodeHeartbeatRequest,
                   [](HeartbeatRequest& m) {
                     m.hands_over = true;
                     m.hand_over = HandOverReport{7, 5, 5, 3, 0};
                     m.cleanup = CleanupReport{};
                   },
                   {"/cleanup", "/handOver", "/handsOver"});
  ExpectUnderstood("heartbeat_response", DecodeHeartbeatResponse,
                   [](HeartbeatResponse& m) {
                     HandOver(m.assignment);
                     m.cleanup = CleanupOrder{CleanupStep::kBegin, {true, true, true}, 3};
                   },
                   {"/assignment/handOverFrom", "/assignment/handOverReplicas", "/cleanup"});
}

TEST(PreviousVersion, Generation) {
  ExpectUnderstood("generation_response", DecodeGenerationResponse,
                   [](GenerationResponse& m) {
                     m.remove = Remains{true, true, true};
                   },
                   {"/remove"});
}

// Silence means that it cannot: it is neither asked to clean up nor given a hand-over.
TEST(PreviousVersion, SaysNothingOfWhatItDoesNotKnow) {
  const auto beat = DecodeHeartbeatRequest(Written("heartbeat_request"));
  ASSERT_TRUE(beat.ok()) << beat.status().ToString();
  EXPECT_FALSE(beat->hands_over);
  EXPECT_FALSE(beat->hand_over.has_value());
  EXPECT_FALSE(beat->cleanup.has_value());
  const auto answer = DecodeHeartbeatResponse(Written("heartbeat_response"));
  ASSERT_TRUE(answer.ok()) << answer.status().ToString();
  EXPECT_EQ(answer->assignment->hand_over_from, 0);
  EXPECT_FALSE(answer->cleanup.has_value());
}

}  // namespace
}  // namespace sj::control
