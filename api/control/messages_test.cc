// SPDX-License-Identifier: Apache-2.0
// The messages: round trips, what older and newer neighbours send, and what is refused.
#include "api/control/messages.h"

#include <gtest/gtest.h>

namespace sj::control {
namespace {

const WorkerRef kWorker{{"shop", "j", "uid-1"}, 2, "abc123"};
const Assignment kAssignment{7, 3, 16, 128, {{"a", 4}, {"b", 1}}, {3, 4}, "hash"};

TEST(Messages, RoundTrip) {
  RegisterRequest register_request{1, kWorker, "0.1.0", "spec", "plan", {{"a", 4}}};
  EXPECT_EQ(*DecodeRegisterRequest(Encode(register_request)), register_request);
  RegisterResponse wait{1, std::nullopt, 6, "NoLeader", base::Millis(500)};
  EXPECT_EQ(*DecodeRegisterResponse(Encode(wait)), wait);
  RegisterResponse assigned{1, kAssignment, 6, "", {}};
  EXPECT_EQ(*DecodeRegisterResponse(Encode(assigned)), assigned);
  HeartbeatRequest beat;
  beat.worker = kWorker;
  beat.sequence = 9;
  beat.phase = WorkerPhase::kDraining;
  beat.generation = 7;
  beat.epoch = 1234;
  beat.last_epoch_time = base::WallTime(base::Millis(1'767'323'045'678));
  beat.last_epoch_duration = base::Millis(42);
  beat.last_epoch_bytes = 99;
  beat.oldest_generation = 3;
  beat.consecutive_epoch_failures = 1;
  beat.lag_records = 0;
  beat.watermark = base::WallTime(base::Millis(-1));
  beat.state_bytes = 1;
  beat.restarts = 2;
  beat.records_in = 3;
  beat.records_out = 4;
  beat.busy_ratio = 0.25;
  beat.partitions = {{"a", 4}};
  beat.input = InputReport{2, true, 3, 0.75, 0.125, 4'000, 1, base::Millis(9), 5, {{"a", 2, 7, 8}}};
  beat.error = WorkerError{ErrorClass::kExternal, "KafkaDown", "no broker"};
  beat.verdict = SpecVerdict{"spec2", false, "SqlInvalid", "1:2: no \"x\""};
  beat.known_check = "spec2";
  beat.cleanup = CleanupReport{{CleanupStep::kBegin, {true, false, true}, 3},
                               {true, false, false},
                               12,
                               1,
                               WorkerError{ErrorClass::kExternal, "KafkaDown", "no broker"}};
  beat.hands_over = true;
  beat.hand_over = HandOverReport{7, 5, 5, 3, 0, true};
  SnapshotReport snapshot;
  snapshot.known = {SnapshotStep::kTake, "nightly", "s-1", 7, 3};
  snapshot.round = 2;
  snapshot.objects = 17;
  snapshot.done = true;
  snapshot.result =
      SnapshotResult{{"s3://b/snapshots/u/nightly/s-1", "manifest-2", "ab"}, 16,    123, 4, 99,
                     base::WallTime(base::Millis(1'767'323'045'678)),        "hash"};
  snapshot.error = WorkerError{ErrorClass::kExternal, "KafkaDown", "no broker"};
  beat.snapshot = snapshot;
  beat.hold = kHoldMax;
  beat.known_generation = 7;
  beat.known_started_generation = 6;
  beat.known_command = Command::kDrain;
  EXPECT_EQ(*DecodeHeartbeatRequest(Encode(beat)), beat);
  Assignment handed = kAssignment;
  handed.hand_over_from = 6;
  handed.hand_over_replicas = 2;
  HeartbeatResponse takes{1, 7, 6, handed, Command::kNone, {}, {}, {}, {}};
  EXPECT_EQ(*DecodeHeartbeatResponse(Encode(takes)), takes);
  takes.assignment->hand_over_from = 7;  // not a generation before
  EXPECT_FALSE(DecodeHeartbeatResponse(Encode(takes)).ok());
  HeartbeatResponse answer{1,
                           8,
                           7,
                           kAssignment,
                           Command::kStop,
                           3,
                           SpecCheck{"spec2", "{}"},
                           CleanupOrder{CleanupStep::kStay, {true, true, false}, 4},
                           SnapshotOrder{SnapshotStep::kRemove, "nightly", "s-1", 0, 0}};
  answer.assignment->restore_from = RestoreSource{"s3://b/s", "manifest-1", "cd"};
  EXPECT_EQ(*DecodeHeartbeatResponse(Encode(answer)), answer);
  GenerationResponse generation{1, 8, 7, "spec", Remains{false, true, true}};
  EXPECT_EQ(*DecodeGenerationResponse(Encode(generation)), generation);
}

// That nothing was committed yet is known; that somebody knows what was, is not.
TEST(Messages, NothingCommittedIsNotUnknown) {
  HeartbeatResponse answer;
  answer.assignment = kAssignment;
  for (const std::optional<std::map<std::string, int>>& committed :
       {std::optional<std::map<std::string, int>>(),
        std::make_optional(std::map<std::string, int>()),
        std::make_optional(std::map<std::string, int>{{"a", 4}})}) {
    answer.assignment->committed_partitions = committed;
    const auto read = DecodeHeartbeatResponse(Encode(answer));
    ASSERT_TRUE(read.ok()) << read.status().ToString();
    EXPECT_EQ(read->assignment->committed_partitions, committed);
  }
}

TEST(Messages, UnknownLagIsNotZero) {
  HeartbeatRequest beat;
  beat.worker = kWorker;
  EXPECT_EQ(Encode(beat).find("lagRecords"), std::string::npos);
  EXPECT_FALSE(DecodeHeartbeatRequest(Encode(beat))->lag_records.has_value());
  beat.lag_records = 0;
  EXPECT_EQ(DecodeHeartbeatRequest(Encode(beat))->lag_records, 0);
}

// Neighbours that know nothing of the floor say nothing, which is not "nothing is needed".
TEST(Messages, AbsentGenerationsAreUnknown) {
  const auto beat = DecodeHeartbeatRequest(
      R"({"protocol":1,"worker":{"job":{"uid":"u"},"ordinal":0,"incarnation":"i"},)"
      R"("phase":"Running","generation":4})");
  ASSERT_TRUE(beat.ok()) << beat.status().ToString();
  EXPECT_FALSE(beat->oldest_generation.has_value());
  EXPECT_EQ(Encode(*beat).find("oldestGeneration"), std::string::npos);
  const auto answer =
      DecodeHeartbeatResponse(R"({"protocol":1,"generation":4,"startedGeneration":4})");
  ASSERT_TRUE(answer.ok()) << answer.status().ToString();
  EXPECT_FALSE(answer->generation_floor.has_value());
  EXPECT_EQ(Encode(*answer).find("generationFloor"), std::string::npos);
}

// An older worker has never heard of it; an order that a newer operator gives in other words is
// none, and one that would fence nobody is refused.
TEST(Messages, CleanupIsAbsentOrWhole) {
  const auto beat = DecodeHeartbeatRequest(
      R"({"protocol":1,"worker":{"job":{"uid":"u"},"ordinal":0,"incarnation":"i"},)"
      R"("phase":"Stopped","generation":4})");
  ASSERT_TRUE(beat.ok()) << beat.status().ToString();
  EXPECT_FALSE(beat->cleanup.has_value());
  const auto answer = DecodeHeartbeatResponse(
      R"({"protocol":2,"generation":4,"startedGeneration":4,"cleanup":{"step":"shred"}})");
  ASSERT_TRUE(answer.ok()) << answer.status().ToString();
  EXPECT_EQ(answer->cleanup, CleanupOrder{});
  EXPECT_FALSE(DecodeHeartbeatResponse(R"({"protocol":1,"generation":4,"startedGeneration":4,)"
                                       R"("cleanup":{"step":"begin"}})")
                   .ok());
  EXPECT_FALSE(
      DecodeGenerationResponse(R"({"protocol":1,"generation":4,"startedGeneration":4})")->remove);
}

// The same of snapshots: a step that a newer operator names otherwise is none.
TEST(Messages, SnapshotIsAbsentOrWhole) {
  const auto beat = DecodeHeartbeatRequest(
      R"({"protocol":1,"worker":{"job":{"uid":"u"},"ordinal":0,"incarnation":"i"},)"
      R"("phase":"Running","generation":4})");
  EXPECT_FALSE(beat->snapshot.has_value());
  const std::string head = R"({"protocol":1,"generation":4,"startedGeneration":4,"snapshot":)";
  EXPECT_EQ(DecodeHeartbeatResponse(head + R"({"step":"fold"}})")->snapshot, SnapshotOrder{});
  EXPECT_FALSE(DecodeHeartbeatResponse(head + R"({"step":"take","name":"a","uid":"s"}})").ok());
  EXPECT_FALSE(DecodeHeartbeatResponse(head + R"({"step":"remove","name":"a"}})").ok());
  EXPECT_TRUE(DecodeHeartbeatResponse(head + R"({"step":"remove","name":"a","uid":"s"}})").ok());
}

TEST(Messages, RemainsAreSets) {
  const Remains all{true, true, true};
  const Remains some{true, false, false};
  EXPECT_EQ(Both(all, some), some);
  EXPECT_EQ(Without(all, some), (Remains{false, true, true}));
  EXPECT_FALSE(Without(some, all).any());
}

TEST(Messages, LagTimeIsUnknownWithoutIt) {
  const auto beat = DecodeHeartbeatRequest(
      R"({"protocol":1,"worker":{"job":{"uid":"u"},"ordinal":0,"incarnation":"i"},)"
      R"("phase":"Running","generation":1,"input":{"threads":2,"later":1}})");
  ASSERT_TRUE(beat.ok()) << beat.status().ToString();
  EXPECT_EQ(beat->input->threads, 2);
  EXPECT_FALSE(beat->input->lag_time_ms.has_value());
}

TEST(Messages, TheLongestManifestFits) {
  HeartbeatResponse answer;
  answer.assignment = kAssignment;
  // Every character doubles, the quotes around it count too.
  answer.check = SpecCheck{"spec2", std::string((kCheckManifestBytesMax - 2) / 2, '"')};
  const std::string text = Encode(answer);
  EXPECT_LE(text.size(), kMessageBytesMax);
  EXPECT_EQ(*DecodeHeartbeatResponse(text), answer);
}

TEST(Messages, NeighboursOneVersionApartAreUnderstood) {
  const auto newer = DecodeHeartbeatResponse(
      R"({"protocol":2,"generation":3,"startedGeneration":3,"command":"hibernate","extra":{"a":[1]}})");
  ASSERT_TRUE(newer.ok()) << newer.status().ToString();
  EXPECT_EQ(newer->command, Command::kNone);
  EXPECT_EQ(newer->generation, 3);
  const auto minimal = DecodeHeartbeatRequest(
      R"({"protocol":1,"worker":{"job":{"uid":"u"},"ordinal":0,"incarnation":"i"},)"
      R"("phase":"Running","generation":1})");
  ASSERT_TRUE(minimal.ok()) << minimal.status().ToString();
  EXPECT_EQ(minimal->hold, base::Millis(0));
}

TEST(Messages, RefusesWhatItCannotUse) {
  for (const char* text :
       {"", "[]", "{}", R"({"protocol":3,"generation":1,"startedGeneration":1})",
        R"({"protocol":0,"generation":1,"startedGeneration":1})",
        R"({"protocol":1,"generation":"1","startedGeneration":1})",
        R"({"protocol":1,"generation":1,"startedGeneration":1,"assignment":{"generation":1}})",
        R"({"protocol":1,"generation":1,"startedGeneration":1,"assignment":)"
        R"({"generation":1,"replicas":0,"shards":1,"maxParallelism":1}})",
        R"({"protocol":1,"generation":1,"startedGeneration":1,"assignment":)"
        R"({"generation":1,"replicas":1,"shards":1,"maxParallelism":1,"partitions":{"a":-1}}})"}) {
    EXPECT_EQ(DecodeHeartbeatResponse(text).status().kind(), base::ErrorKind::kInvalidArgument)
        << text;
  }
  EXPECT_EQ(
      DecodeHeartbeatRequest(R"({"protocol":1,"worker":{"job":{},"ordinal":0,"incarnation":"i"},)"
                             R"("phase":"Running","generation":1})")
          .status()
          .message(),
      "control message: worker.job.uid: is required");
  EXPECT_FALSE(DecodeRegisterRequest(std::string(kMessageBytesMax + 1, ' ')).ok());
}

TEST(Messages, GenerationTargetRoundTrips) {
  const JobRef job{"shop", "a&b=c d", "u%1"};
  const std::string target = GenerationTarget(job);
  const size_t mark = target.find('?');
  EXPECT_EQ(target.substr(0, mark), kGenerationPath);
  EXPECT_EQ(*ParseGenerationQuery(target.substr(mark + 1)), job);
  EXPECT_FALSE(ParseGenerationQuery("namespace=a&job=b").ok());
  EXPECT_FALSE(ParseGenerationQuery("namespace=a&job=b&uid=%4").ok());
  EXPECT_FALSE(ParseGenerationQuery("namespace=a&job=b&uid=%zz").ok());
}

TEST(Messages, ErrorsKeepTheirClass) {
  EXPECT_EQ(ToWorkerError(base::InvalidArgument("x"), "R").error_class, ErrorClass::kUser);
  EXPECT_EQ(ToWorkerError(base::Unavailable("x"), "R").error_class, ErrorClass::kExternal);
  EXPECT_EQ(ToWorkerError(base::Fenced("x"), "R").error_class, ErrorClass::kFenced);
  EXPECT_EQ(ToWorkerError(base::Internal("x"), "R").error_class, ErrorClass::kInternal);
  EXPECT_EQ(ToWorkerError(base::Internal(std::string(5000, 'x')), "R").message.size(), 1024u);
}

}  // namespace
}  // namespace sj::control
