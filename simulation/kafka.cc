// SPDX-License-Identifier: Apache-2.0
// Topics, producers, offsets.
#include "simulation/kafka.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "api/base/check.h"

namespace sj::simulation {
namespace {

constexpr Nanos kTransactionTimeout = seconds(60);
constexpr Nanos kRetry = milliseconds(20);
constexpr Nanos kMarkerMax = milliseconds(60);

std::string Name(const InputPartition& partition) {
  return fmt::format("{}/{}", partition.topic, partition.partition);
}

}  // namespace

void Kafka::CreateTopic(const std::string& topic, int partitions) {
  topics_[topic].resize(static_cast<size_t>(partitions));
}

int Kafka::Partitions(const std::string& topic) const {
  auto it = topics_.find(topic);
  return it == topics_.end() ? 0 : static_cast<int>(it->second.size());
}

Kafka::Partition& Kafka::At(const InputPartition& partition) {
  return topics_.at(partition.topic).at(static_cast<size_t>(partition.partition));
}

void Kafka::Append(const std::string& topic, int partition, std::string value) {
  At({topic, partition}).records.push_back({std::move(value), nullptr});
}

int64_t Kafka::End(const InputPartition& partition) const {
  return static_cast<int64_t>(
      topics_.at(partition.topic).at(static_cast<size_t>(partition.partition)).records.size());
}

int64_t Kafka::Start(const InputPartition& partition) const {
  return topics_.at(partition.topic).at(static_cast<size_t>(partition.partition)).start;
}

int64_t Kafka::StableEnd(const InputPartition& partition) {
  Partition& at = At(partition);
  while (at.stable < static_cast<int64_t>(at.records.size())) {
    const auto& transaction = at.records[static_cast<size_t>(at.stable)].transaction;
    if (transaction != nullptr &&
        (transaction->state == State::kOpen || transaction->state == State::kCommitting)) {
      break;
    }
    at.stable += 1;
  }
  return at.stable;
}

bool Kafka::Read(const InputPartition& partition, int64_t* offset, std::string* value) {
  const int64_t end = StableEnd(partition);
  Partition& at = At(partition);
  while (*offset < end) {
    const Record& record = at.records[static_cast<size_t>((*offset)++)];
    if (record.transaction == nullptr || record.transaction->state == State::kCommitted) {
      *value = record.value;
      return true;
    }
  }
  return false;
}

std::vector<std::string> Kafka::Committed(const std::string& topic) {
  std::vector<std::string> values;
  for (const Partition& partition : topics_.at(topic)) {
    for (const Record& record : partition.records) {
      if (record.transaction == nullptr || record.transaction->state == State::kCommitted) {
        values.push_back(record.value);
      }
    }
  }
  return values;
}

void Kafka::Trim(const InputPartition& partition, int64_t before) {
  Partition& at = At(partition);
  at.start = std::max(at.start, before);
}

int64_t Kafka::HolderOf(const std::string& id) const {
  auto it = producers_.find(id);
  return it != producers_.end() ? it->second.holder : 0;
}

void Kafka::InitProducer(const std::string& id, int64_t instance,
                         std::function<void(int64_t)> reply) {
  Producer& producer = producers_[id];
  if (producer.open != nullptr && producer.open->state == State::kCommitting) {
    world_->After(kRetry, [this, id, instance, reply = std::move(reply)] {
      InitProducer(id, instance, reply);
    });
    return;
  }
  if (producer.open != nullptr && producer.open->state == State::kOpen) {
    producer.open->state = State::kAborted;
    world_->Log("kafka: aborted what " + id + " left");
  }
  producer.open = nullptr;
  producer.epoch += 1;
  producer.holder = instance;
  world_->Log(fmt::format("kafka: {} has epoch {}", id, producer.epoch));
  reply(producer.epoch);
}

// REQUIRES: the epoch was checked.
Kafka::Transaction* Kafka::OpenOf(const std::string& id, int64_t instance) {
  Producer& producer = producers_[id];
  if (producer.open == nullptr || producer.open->state != State::kOpen) {
    producer.open = std::make_shared<Transaction>();
    producer.open->instance = instance;
    undecided_.push_back(producer.open);
    world_->After(kTransactionTimeout, [this, id, open = std::weak_ptr(producer.open)] {
      auto transaction = open.lock();
      if (transaction != nullptr && transaction->state == State::kOpen) {
        transaction->state = State::kAborted;
        producers_[id].epoch += 1;
        world_->Log("kafka: transaction of " + id + " timed out");
      }
    });
  }
  return producer.open.get();
}

base::Status Kafka::Produce(const std::string& id, int64_t epoch, int64_t instance,
                            const std::vector<Message>& messages) {
  if (producers_[id].epoch != epoch) {
    return base::Fenced("transactional id was taken over");
  }
  OpenOf(id, instance);
  for (const Message& message : messages) {
    At(message.to).records.push_back({message.value, producers_[id].open});
  }
  return base::OkStatus();
}

base::Status Kafka::SendOffsets(const std::string& id, int64_t epoch, int64_t instance,
                                const std::vector<CommittedPosition>& positions) {
  if (producers_[id].epoch != epoch) {
    return base::Fenced("transactional id was taken over");
  }
  Transaction* open = OpenOf(id, instance);
  open->offsets = positions;
  open->appended = ++appends_;
  return base::OkStatus();
}

base::Status Kafka::EndTxn(const std::string& id, int64_t epoch, bool commit) {
  Producer& producer = producers_[id];
  if (producer.epoch != epoch) {
    return base::Fenced("transactional id was taken over");
  }
  if (producer.open == nullptr || producer.open->state != State::kOpen) {
    return base::OkStatus();  // ended before
  }
  world_->Log(fmt::format("kafka: {} {}", id, commit ? "commits" : "aborts"));
  if (!commit) {
    producer.open->state = State::kAborted;
    return base::OkStatus();
  }
  producer.open->state = State::kCommitting;
  world_->After(world_->Between(Nanos(0), kMarkerMax),
                [this, transaction = producer.open] { Apply(transaction); });
  return base::OkStatus();
}

void Kafka::Apply(const std::shared_ptr<Transaction>& transaction) {
  transaction->state = State::kCommitted;
  commits_ += 1;
  for (const CommittedPosition& position : transaction->offsets) {
    Unit& unit = units_[position.partition];
    if (transaction->appended < unit.appended) {
      continue;  // sent before what is committed by now: the group keeps the later one
    }
    unit.appended = transaction->appended;
    uint64_t& known = known_[{transaction->instance, position.partition}];
    if (known != unit.version) {
      world_->Violation(fmt::format(
          "{} is committed at {} by instance {}, which knows commit {} of it, not {}",
          Name(position.partition), position.offset, transaction->instance, known, unit.version));
    }
    if (position.offset < unit.position.offset) {
      world_->Violation(fmt::format("{} goes back from {} to {}", Name(position.partition),
                                    unit.position.offset, position.offset));
    }
    unit.position = position;
    known = ++unit.version;
  }
}

bool Kafka::Pending(const std::vector<InputPartition>& partitions) const {
  for (const auto& weak : undecided_) {
    auto transaction = weak.lock();
    if (transaction == nullptr || transaction->state == State::kCommitted ||
        transaction->state == State::kAborted) {
      continue;
    }
    for (const CommittedPosition& position : transaction->offsets) {
      if (std::find(partitions.begin(), partitions.end(), position.partition) != partitions.end()) {
        return true;
      }
    }
  }
  return false;
}

void Kafka::ReadCommitted(int64_t instance, const std::vector<InputPartition>& partitions,
                          std::function<void(std::vector<CommittedPosition>)> reply) {
  std::erase_if(undecided_, [](const auto& weak) {
    auto transaction = weak.lock();
    return transaction == nullptr || transaction->state == State::kCommitted ||
           transaction->state == State::kAborted;
  });
  if (Pending(partitions)) {
    world_->After(kRetry, [this, instance, partitions, reply = std::move(reply)] {
      ReadCommitted(instance, partitions, reply);
    });
    return;
  }
  std::vector<CommittedPosition> out;
  for (const InputPartition& partition : partitions) {
    auto it = units_.find(partition);
    out.push_back(it == units_.end() ? CommittedPosition{partition, worker::connect::kNoOffset, ""}
                                     : it->second.position);
    known_[{instance, partition}] = it == units_.end() ? 0 : it->second.version;
  }
  reply(std::move(out));
}

CommittedPosition Kafka::Committed(const InputPartition& partition) const {
  auto it = units_.find(partition);
  return it == units_.end() ? CommittedPosition{partition, worker::connect::kNoOffset, ""}
                            : it->second.position;
}

std::vector<CommittedPosition> Kafka::LivePositions() const {
  std::map<InputPartition, std::pair<uint64_t, const CommittedPosition*>> latest;
  const auto note = [&](uint64_t appended, const CommittedPosition& position) {
    auto& [known, live] = latest[position.partition];
    if (live == nullptr || appended >= known) {
      known = appended;
      live = &position;
    }
  };
  for (const auto& [partition, unit] : units_) {
    note(unit.appended, unit.position);
  }
  for (const auto& weak : undecided_) {
    auto transaction = weak.lock();
    if (transaction != nullptr && transaction->state == State::kCommitting) {
      for (const CommittedPosition& position : transaction->offsets) {
        note(transaction->appended, position);
      }
    }
  }
  std::vector<CommittedPosition> live;
  for (const auto& [partition, last] : latest) {
    live.push_back(*last.second);
  }
  return live;
}

}  // namespace sj::simulation
