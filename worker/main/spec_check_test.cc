// SPDX-License-Identifier: Apache-2.0
#include "worker/main/spec_check.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

#include "api/v1alpha1/manifest_file.h"

namespace sj::worker {
namespace {

// A job without Kafka: its topics need nobody to answer.
std::string Sql(const std::string& key, const std::string& seconds) {
  return "CREATE TABLE src (id BIGINT, item STRING, ts TIMESTAMP(3),"
         " WATERMARK FOR ts AS ts - INTERVAL '1' SECOND) WITH ('connector' = 'datagen');\n"
         "CREATE TABLE dst (k STRING, n BIGINT) WITH ('connector' = 'blackhole');\n"
         "INSERT INTO dst SELECT CAST(" +
         key + " AS STRING), COUNT(*) FROM src GROUP BY " + key + ", TUMBLE(ts, INTERVAL '" +
         seconds + "' SECOND);";
}

v1alpha1::StreamJob Job(const std::string& sql, int replicas = 1) {
  v1alpha1::StreamJob job;
  job.metadata.name = "orders";
  job.spec.sql = sql;
  job.spec.replicas = replicas;
  return job;
}

std::string DiffText(const v1alpha1::StreamJob& before, const v1alpha1::StreamJob& after) {
  const base::Result<JobDiff> diff = DiffJobs(before, after);
  return diff.ok() ? Describe(*diff) : diff.status().message();
}

TEST(Diff, SaysClassFieldsAndState) {
  const v1alpha1::StreamJob old = Job(Sql("id", "10"));
  EXPECT_EQ(DiffText(old, old),
            "class: ignore\nchanged: nothing\n"
            "state of operator 1 (TUMBLE window of 10000 ms by id): kept\n");
  EXPECT_EQ(DiffText(old, Job(old.spec.sql, 3)),
            "class: rescale\nchanged: replicas\n"
            "state of operator 1 (TUMBLE window of 10000 ms by id): kept\n");
  v1alpha1::StreamJob settings = old;
  settings.spec.checkpoint.interval = base::Millis(5'000);
  settings.spec.restart_nonce = 1;
  EXPECT_EQ(DiffText(old, settings).substr(0, 59),
            "class: restart\nchanged: checkpoint, restartNonce\nstate of o");
}

TEST(Diff, RefusesWhatTheJobWouldRefuse) {
  const v1alpha1::StreamJob old = Job(Sql("id", "10"));
  const base::Result<JobDiff> state = DiffJobs(old, Job(Sql("item", "10")));
  ASSERT_TRUE(state.ok());
  EXPECT_TRUE(state->refused());
  EXPECT_EQ(Describe(*state).substr(0, 25), "class: state-incompatible");
  v1alpha1::StreamJob fixed = old;
  fixed.spec.max_parallelism = 64;
  EXPECT_TRUE(DiffJobs(old, fixed)->refused());
  v1alpha1::StreamJob shards = old;
  shards.spec.shards = 8;
  EXPECT_EQ(DiffText(old, shards).substr(0, 25), "class: state-incompatible");
  EXPECT_FALSE(DiffJobs(old, Job(old.spec.sql, 5))->refused());
  EXPECT_FALSE(DiffJobs(old, Job("SELEC")).ok());
}

class Look : public ::testing::Test {
 protected:
  SpecLook At(const std::string& manifest) {
    const base::Result<plan::PhysicalPlan> running = PlanJob(Job(Sql("id", "10")));
    EXPECT_TRUE(running.ok());
    SetupOptions options;
    options.data_directory = "unused";
    options.secrets_directory = "/nowhere";
    return LookAtSpec({"hash", manifest}, {*running, 16}, options);
  }
  SpecLook AtSql(const std::string& sql, const std::string& more = "") {
    const base::Json text = sql;
    return At(R"({"apiVersion":"streamjob.io/v1alpha1","kind":"StreamJob","metadata":{"name":"o"},)"
              R"("spec":{"sql":)" +
              base::DumpJson(text) + more + "}}");
  }
};

TEST_F(Look, FitsWhenTheStateDoes) {
  const SpecLook look = AtSql(Sql("id", "10") + "\n");
  EXPECT_TRUE(look.verdict.fits) << look.verdict.message;
  EXPECT_EQ(look.verdict.spec_hash, "hash");
  EXPECT_EQ(look.verdict.message, "1 stateful operator keeps its state");
  EXPECT_FALSE(look.again);
}

TEST_F(Look, SaysWhatIsWrong) {
  EXPECT_EQ(At("no json {").verdict.reason, "ManifestInvalid");
  EXPECT_EQ(AtSql("SELEC 1").verdict.reason, "SqlInvalid");
  EXPECT_EQ(AtSql("SELEC 1").verdict.message.substr(0, 4), "1:1:");
  const SpecLook state = AtSql(Sql("item", "10"));
  EXPECT_EQ(state.verdict.reason, "StateIncompatible");
  EXPECT_NE(state.verdict.message.find("key item"), std::string::npos);
  std::string option = Sql("id", "10");
  option.replace(option.find("'datagen'"), 9, "'datagen', 'nonsense' = '1'");
  EXPECT_EQ(AtSql(option).verdict.reason, "ConnectorRefused");
  EXPECT_FALSE(state.again);
  EXPECT_EQ(AtSql(Sql("id", "10"), R"(,"shards":8)").verdict.reason, "StateIncompatible");
}

TEST_F(Look, ASecretThatIsNotMountedIsSaid) {
  const SpecLook look = AtSql(
      Sql("id", "10"), R"(,"connections":[{"name":"main","kafka":{"bootstrapServers":"k:9092",)"
                       R"("secretRef":{"name":"new-user"}}}])");
  EXPECT_TRUE(look.verdict.fits) << look.verdict.message;
  EXPECT_NE(look.verdict.message.find("Secret \"new-user\""), std::string::npos);
}

// Verdicts in the order they were told.
struct Told {
  std::mutex mu;
  std::condition_variable changed;
  std::vector<sj::control::SpecVerdict> verdicts;

  void Add(const sj::control::SpecVerdict& verdict) {
    std::lock_guard<std::mutex> lock(mu);
    verdicts.push_back(verdict);
    changed.notify_all();
  }
  bool Wait(size_t count) {
    std::unique_lock<std::mutex> lock(mu);
    return changed.wait_for(lock, std::chrono::seconds(30),
                            [&] { return verdicts.size() >= count; });
  }
};

TEST(SpecChecker, LooksAgainUntilTheOutsideHasMended) {
  std::atomic<int> looks{0};
  Told told;
  SpecChecker checker(
      [&](const sj::control::SpecCheck& check) {
        const bool fits = ++looks >= 3;
        return SpecLook{{check.spec_hash, fits, fits ? "" : "TopicMissing", ""}, !fits};
      },
      [&](const sj::control::SpecVerdict& verdict) { told.Add(verdict); }, base::Millis(1));
  checker.Ask(sj::control::SpecCheck{"a", "{}"});
  ASSERT_TRUE(told.Wait(3));
  std::lock_guard<std::mutex> lock(told.mu);
  EXPECT_FALSE(told.verdicts[0].fits);
  EXPECT_TRUE(told.verdicts[2].fits);
  EXPECT_EQ(looks, 3);
}

TEST(SpecChecker, AnotherQuestionReplacesTheOneUnderWay) {
  std::promise<void> first_began, go_on;
  Told told;
  SpecChecker checker(
      [&](const sj::control::SpecCheck& check) {
        if (check.spec_hash == "a") {
          first_began.set_value();
          go_on.get_future().wait();
        }
        return SpecLook{{check.spec_hash, true, "", ""}, false};
      },
      [&](const sj::control::SpecVerdict& verdict) { told.Add(verdict); }, base::Millis(1));
  checker.Ask(sj::control::SpecCheck{"a", "{}"});
  first_began.get_future().wait();
  checker.Ask(sj::control::SpecCheck{"b", "{}"});
  go_on.set_value();
  ASSERT_TRUE(told.Wait(1));
  std::lock_guard<std::mutex> lock(told.mu);
  EXPECT_EQ(told.verdicts.front().spec_hash, "b");
}

}  // namespace
}  // namespace sj::worker
