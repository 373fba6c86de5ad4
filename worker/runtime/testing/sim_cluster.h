// SPDX-License-Identifier: Apache-2.0
// SimCluster: one SQL job over a SimKafka, its workers, and the part of the operator that changes
// generations: a rescale is handed over while the workers run, and anything that goes wrong makes
// it a whole-job switch (docs/design/0003-hand-over.md). Input flows all the while. Owned by the
// test's thread.
#pragma once

#include <filesystem>
#include <list>
#include <set>
#include <string>
#include <vector>

#include "worker/runtime/snapshot_taker.h"
#include "worker/runtime/supervisor.h"
#include "worker/runtime/testing/sim_kafka.h"

namespace sj::worker::runtime::testing {

class SimCluster {
 public:
  explicit SimCluster(std::string sql);
  ~SimCluster();

  // Errors of the SQL.
  base::Status Plan();
  SimKafka& kafka() { return kafka_; }

  struct Options {
    int threads = 1;
    int shards = 4;
    int64_t gate_step = 1;  // records of each partition let in about every millisecond
    std::string job_uid = "sim";
    std::string checkpoints;  // directory; empty: one of its own, gone with the cluster
    std::optional<checkpoint::SnapshotRef> restore_from;
  };
  base::Status Start(int replicas, const Options& options);

  // From now on input flows up to this many records of each partition. REQUIRES: the topics hold
  // more; the rest is read in Finish only.
  void LetIn(int64_t records) { gate_max_ = records; }

  // Lets input in until then, and replaces workers that end. An error: it never comes.
  base::Status Await(const std::function<bool()>& done);
  std::string ExchangeTopic(int edge) const;

  // What happens to the rescale besides the faults SimKafka injects.
  struct Disturb {
    int cut = -1;              // this ordinal's commit logs are cut off once START is given
    int zombie = -1;           // a fallback does not stop this ordinal: only Kafka's fence does
    bool change_mind = false;  // another rescale is asked for as soon as START is given
  };
  // By hand-over, by a whole-job switch when that fails. An error: neither came to an end.
  base::Status Rescale(int replicas, const Disturb& disturb);
  // Of the job as it runs now, under load; a file:// location.
  base::Result<SnapshotTaken> TakeSnapshot(
      const std::string& uid, const std::function<void(SnapshotTaker::Parts*)>& change);
  // Lets the load flow until so many epochs of worker 0 have been committed, or it is used up.
  base::Status RunEpochs(types::Epoch epochs);
  // Lets all input in and waits until every worker has completed.
  base::Status Finish();

  int handed_over() const { return handed_over_; }  // rescales that needed no switch
  int fallen_back() const { return fallen_back_; }
  int Rejoined() const;  // workers that ended to ask for their share anew

 private:
  struct Worker;

  JobConfig ConfigOf(int ordinal);
  void Spawn(int ordinal, bool hand_over);
  JobHooks HooksOf(Worker* worker);
  base::Status AwaitStart(Worker* worker);
  std::optional<HandOverOrder> OrderFor(const Worker& worker);
  // Waits until `done`; lets input in and replaces workers that ended meanwhile unless told not to.
  // False: somebody ended who should not have.
  base::Result<bool> WaitUntil(const std::function<bool()>& done, bool handing_over);
  bool SomebodyFailed();
  bool Prepared();
  bool HandOverDone();
  base::Status Switch(int replicas, int zombie);
  void Prepare(int replicas, bool hand_over);
  void Tend();
  Worker* Member(int ordinal);
  std::string Describe();

  std::string sql_;
  SimKafka kafka_;
  std::filesystem::path directory_;
  plan::PhysicalPlan plan_;
  Options options_;
  std::list<std::unique_ptr<Worker>> workers_;  // of all times; addresses stay
  int64_t gate_ = 0;
  int64_t gate_max_ = 0;
  int spawned_ = 0;
  int ordinals_used_ = 0;
  int handed_over_ = 0;
  int fallen_back_ = 0;

  std::mutex mu_;  // guards the operator's state below
  std::condition_variable changed_;
  types::Generation generation_ = 0;
  types::Generation started_ = 0;
  int replicas_ = 0;
  int replicas_before_ = 0;
  bool hand_over_ = false;  // not complete yet
  std::set<int> fenced_;    // ordinals, in this generation
};

}  // namespace sj::worker::runtime::testing
