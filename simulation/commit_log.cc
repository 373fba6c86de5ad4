// SPDX-License-Identifier: Apache-2.0
// Records go out in batches behind Produce's back, in order; Flush waits for them.
#include "simulation/commit_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace sj::simulation {
namespace {

using worker::connect::OutputRecord;
using worker::types::Epoch;

constexpr Nanos kInitDeadline = seconds(20);
constexpr Nanos kReadDeadline = seconds(30);
constexpr Nanos kCommitDeadline = seconds(10);
constexpr Nanos kLingerMax = milliseconds(30);
constexpr Nanos kResend = milliseconds(300);
constexpr Nanos kStrayMax = seconds(20);

// One producer instance. Shared by the log and the requests under way, which outlive it.
struct Producer {
  std::string id;
  int64_t epoch = 0;
  int64_t instance = 0;
  std::vector<Kafka::Message> queue;
  bool under_way = false;
  bool closed = false;
  bool settled = true;  // nothing queued, nothing under way
  bool used = false;    // records of an epoch that is not committed yet
  base::Status error;
};
using Shared = std::shared_ptr<Producer>;

void Arrive(WorkerIo* io, World* world, Kafka* kafka, Process* process, const Shared& producer,
            std::vector<Kafka::Message> batch);

// Sends what is queued as one batch, unless one is under way.
void Pump(WorkerIo* io, const Shared& producer) {
  World* world = io->world;
  if (producer->under_way || producer->queue.empty() || producer->closed) {
    return;
  }
  producer->under_way = true;
  world->After(world->Between(Nanos(0), kLingerMax),
               [io, world, kafka = io->kafka, process = io->process, producer,
                batch = std::exchange(producer->queue, {})]() mutable {
                 Arrive(io, world, kafka, process, producer, std::move(batch));
               });
}

void Arrive(WorkerIo* io, World* world, Kafka* kafka, Process* process, const Shared& producer,
            std::vector<Kafka::Message> batch) {
  if (process->cut[static_cast<int>(Service::kKafka)]) {
    if (process->dead || producer->closed) {
      return;
    }
    world->After(kResend, [=, batch = std::move(batch)]() mutable {
      Arrive(io, world, kafka, process, producer, std::move(batch));
    });
    return;
  }
  base::Status status = kafka->Produce(producer->id, producer->epoch, producer->instance, batch);
  producer->under_way = false;
  if (!status.ok()) {
    producer->error = status;
  }
  if (process->dead) {
    return;  // io is gone
  }
  if (status.ok() && !producer->queue.empty()) {
    Pump(io, producer);
    return;
  }
  producer->settled = true;
  world->WakeProcess(process);
}

class SimCommitLog final : public worker::connect::CommitLog {
 public:
  SimCommitLog(WorkerIo* io, std::string job_uid, int ordinal)
      : io_(io), uid_(std::move(job_uid)), ordinal_(ordinal), instance_(io->kafka->NewInstance()) {
    io_->instance = instance_;
  }
  ~SimCommitLog() override { Close(); }

  base::Status Fence(const std::vector<int>& gone_ordinals) override;
  base::Result<std::vector<CommittedPosition>> ReadCommitted(
      const std::vector<InputPartition>& partitions) override;
  base::Status Produce(Epoch epoch, const OutputRecord& record) override;
  base::Status Flush(Epoch epoch) override;
  base::Status Commit(Epoch epoch, const std::vector<CommittedPosition>& positions) override;
  void Cancel() override { cancelled_ = true; }
  void Close() override;

 private:
  base::Result<Shared> TakeOver(int ordinal, char letter);
  base::Status Prove();
  base::Status EndTxn(const Shared& producer);
  base::Status CommitSide(Epoch epoch, const std::vector<CommittedPosition>& positions);
  base::Status Die(base::Status status) {
    dead_ = dead_.ok() ? status : dead_;
    return status;
  }

  WorkerIo* io_;
  const std::string uid_;
  const int ordinal_;
  const int64_t instance_;
  Shared sides_[2];
  base::Status dead_ = base::Internal("the commit log was used before Fence");
  bool cancelled_ = false;
  bool closed_ = false;
  Epoch flushed_ = 0;
  int weak_ = -1;  // the side taken over after the other one was last known to be ours
  bool replaced_ = false;
  // Records of the epoch behind the one that is not flushed yet: they wait, as callers of the real
  // one do.
  std::vector<std::pair<Epoch, Kafka::Message>> held_;
};

base::Result<Shared> SimCommitLog::TakeOver(int ordinal, char letter) {
  auto producer = std::make_shared<Producer>();
  producer->id = fmt::format("{}.{}.{}", uid_, ordinal, letter);
  producer->instance = instance_;
  auto epoch =
      io_->world->Call<int64_t>(Service::kKafka, kInitDeadline,
                                [kafka = io_->kafka, id = producer->id,
                                 instance = instance_](std::function<void(int64_t)> reply) {
                                  kafka->InitProducer(id, instance, std::move(reply));
                                });
  if (!epoch) {
    return base::Unavailable("take over " + producer->id + ": no answer");
  }
  producer->epoch = *epoch;
  return producer;
}

base::Status SimCommitLog::Fence(const std::vector<int>& gone_ordinals) {
  std::vector<int> ordinals = gone_ordinals;
  ordinals.push_back(ordinal_);
  for (int ordinal : ordinals) {
    SJ_ASSIGN_OR_RETURN(sides_[0], TakeOver(ordinal, 'a'));
    SJ_ASSIGN_OR_RETURN(sides_[1], TakeOver(ordinal, 'b'));
    SJ_ASSIGN_OR_RETURN(sides_[0], TakeOver(ordinal, 'a'));
  }
  weak_ = 0;
  dead_ = base::OkStatus();
  return base::OkStatus();
}

// The probe of the real one: a transaction of the other side that is begun and aborted.
base::Status SimCommitLog::Prove() {
  const Shared side = sides_[1 - weak_];
  if (side->used) {
    return base::Unavailable("a transactional id cannot be proved to be ours");
  }
  auto proved = io_->world->Call<base::Status>(
      Service::kKafka, kReadDeadline,
      [kafka = io_->kafka, side, instance = instance_](std::function<void(base::Status)> reply) {
        base::Status status = kafka->SendOffsets(side->id, side->epoch, instance, {});
        reply(status.ok() ? kafka->EndTxn(side->id, side->epoch, false) : status);
      });
  if (!proved) {
    return base::Unavailable("probe a transactional id: no answer");
  }
  SJ_RETURN_IF_ERROR(*proved);
  weak_ = -1;
  return base::OkStatus();
}

base::Result<std::vector<CommittedPosition>> SimCommitLog::ReadCommitted(
    const std::vector<InputPartition>& partitions) {
  SJ_RETURN_IF_ERROR(dead_);
  using Positions = std::vector<CommittedPosition>;
  auto read = io_->world->Call<Positions>(
      Service::kKafka, kReadDeadline,
      [kafka = io_->kafka, instance = instance_, partitions](std::function<void(Positions)> reply) {
        kafka->ReadCommitted(instance, partitions, std::move(reply));
      });
  if (!read) {
    return Die(base::Unavailable("read committed offsets: no answer"));
  }
  if (weak_ >= 0 && !partitions.empty()) {
    base::Status proved = Prove();
    if (!proved.ok()) {
      return Die(std::move(proved));
    }
  }
  return *std::move(read);
}

base::Status SimCommitLog::Produce(Epoch epoch, const OutputRecord& record) {
  SJ_RETURN_IF_ERROR(dead_);
  if (cancelled_) {
    return base::Cancelled("write to a topic");
  }
  const int partitions = io_->kafka->Partitions(std::string(record.topic));
  Kafka::Message message{{std::string(record.topic), std::max(0, record.partition) % partitions},
                         std::string(record.value)};
  if (flushed_ == 0) {
    flushed_ = epoch - 1;
  }
  if (epoch > flushed_ + 1) {
    held_.emplace_back(epoch, std::move(message));
    return base::OkStatus();
  }
  const Shared& side = sides_[epoch & 1];
  side->queue.push_back(std::move(message));
  side->settled = false;
  side->used = true;
  Pump(io_, side);
  return base::OkStatus();
}

base::Status SimCommitLog::Flush(Epoch epoch) {
  SJ_RETURN_IF_ERROR(dead_);
  const Shared side = sides_[epoch & 1];
  Pump(io_, side);
  if (!io_->world->WaitFor(side->settled, kCommitDeadline)) {
    return Die(base::Unavailable("flush: no answer"));
  }
  if (!side->error.ok()) {
    return Die(side->error);
  }
  flushed_ = std::max(flushed_, epoch);
  for (auto& [of, message] : std::exchange(held_, {})) {
    OutputRecord record;
    record.topic = message.to.topic;
    record.partition = message.to.partition;
    record.value = message.value;
    SJ_RETURN_IF_ERROR(Produce(of, record));
  }
  return base::OkStatus();
}

base::Status SimCommitLog::EndTxn(const Shared& producer) {
  World* world = io_->world;
  const auto serve = [kafka = io_->kafka, id = producer->id,
                      epoch = producer->epoch](std::function<void(base::Status)> reply) {
    reply(kafka->EndTxn(id, epoch, true));
  };
  const bool twice = world->Strikes(Fault::kCommitTwice);
  if (twice) {  // the library sends it again by itself, and one of the two comes late
    world->After(world->Between(Nanos(0), kStrayMax), [serve] { serve([](base::Status) {}); });
  }
  if (world->Strikes(Fault::kCommitUnknown)) {
    if (world->Chance(0.5)) {
      world->After(world->Between(Nanos(0), kStrayMax), [serve] { serve([](base::Status) {}); });
    }
    world->Sleep(kCommitDeadline);
    return base::Unavailable("end a transaction: no answer");
  }
  auto ended = world->Call<base::Status>(Service::kKafka, kCommitDeadline, serve);
  if (!ended) {
    return base::Unavailable("end a transaction: no answer");
  }
  SJ_RETURN_IF_ERROR(*ended);
  producer->used = false;
  weak_ = -1;
  if (twice) {
    if (replaced_) {
      return base::Unavailable("a second producer would have to be replaced");
    }
    SJ_ASSIGN_OR_RETURN(Shared fresh, TakeOver(ordinal_, producer->id.back()));
    weak_ = producer->id.back() == 'a' ? 0 : 1;
    sides_[weak_] = fresh;
    replaced_ = true;
  }
  return base::OkStatus();
}

base::Status SimCommitLog::CommitSide(Epoch epoch,
                                      const std::vector<CommittedPosition>& positions) {
  const Shared side = sides_[epoch & 1];
  auto sent = io_->world->Call<base::Status>(
      Service::kKafka, kCommitDeadline,
      [kafka = io_->kafka, side, instance = instance_,
       positions](std::function<void(base::Status)> reply) {
        reply(kafka->SendOffsets(side->id, side->epoch, instance, positions));
      });
  if (!sent) {
    return base::Unavailable("send offsets: no answer");
  }
  SJ_RETURN_IF_ERROR(*sent);
  io_->overlap();
  return EndTxn(side);
}

base::Status SimCommitLog::Commit(Epoch epoch, const std::vector<CommittedPosition>& positions) {
  SJ_RETURN_IF_ERROR(Flush(epoch));
  base::Status status = weak_ == static_cast<int>(epoch & 1) ? Prove() : base::OkStatus();
  if (status.ok()) {
    status = CommitSide(epoch, positions);
  }
  return status.ok() ? status : Die(std::move(status));
}

void SimCommitLog::Close() {
  if (closed_) {
    return;
  }
  closed_ = cancelled_ = true;
  for (Shared& side : sides_) {
    if (side == nullptr) {
      continue;
    }
    side->closed = true;
    side->queue.clear();
    // What is open is aborted, so that nobody waits for its time-out; a killed process cannot. Not
    // waited for: this runs in destructors too.
    if (!io_->process->dead && io_->Reaches(Service::kKafka) &&
        (dead_.ok() || dead_.kind() != base::ErrorKind::kFenced)) {
      io_->world->After(io_->world->Between(Nanos(0), kLingerMax), [kafka = io_->kafka, side] {
        (void)kafka->EndTxn(side->id, side->epoch, false);
      });
    }
  }
}

}  // namespace

std::unique_ptr<worker::connect::CommitLog> MakeCommitLog(WorkerIo* io, const std::string& job_uid,
                                                          int ordinal) {
  return std::make_unique<SimCommitLog>(io, job_uid, ordinal);
}

}  // namespace sj::simulation
