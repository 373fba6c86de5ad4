// SPDX-License-Identifier: Apache-2.0
// SimCommitLog: connect::CommitLog of one worker over the simulated Kafka. It takes the place of
// worker/connect/kafka, and follows its rules: two producers that alternate, ids taken over in the
// order a, b, a, a producer whose EndTxn may still be under way is replaced, unknown means dead.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "simulation/kafka.h"

namespace sj::simulation {

// What one worker process reaches the outside by.
struct WorkerIo {
  World* world = nullptr;
  Process* process = nullptr;
  Kafka* kafka = nullptr;
  int64_t instance = 0;  // the commit log opened last
  // Lets the task threads do something while the epoch thread waits for an answer.
  std::function<void()> overlap;

  bool Reaches(Service service) const { return !process->cut[static_cast<int>(service)]; }
};

std::unique_ptr<worker::connect::CommitLog> MakeCommitLog(WorkerIo* io, const std::string& job_uid,
                                                          int ordinal);

}  // namespace sj::simulation
