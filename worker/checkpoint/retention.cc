// SPDX-License-Identifier: Apache-2.0
// Sets of object names by checkpoint. An object becomes garbage when the last checkpoint that named
// it falls out of the retained ones.
#include "worker/checkpoint/retention.h"

#include <algorithm>

namespace sj::worker::checkpoint {

void Retention::Restored(types::Epoch epoch, std::set<std::string> objects) {
  std::lock_guard lock(mu_);
  committed_.push_back({epoch, std::move(objects)});
}

void Retention::Written(types::Epoch epoch, std::set<std::string> objects) {
  std::lock_guard lock(mu_);
  written_.push_back({epoch, std::move(objects)});
}

void Retention::Abandoned(const std::string& object) {
  std::lock_guard lock(mu_);
  garbage_.insert(object);
}

void Retention::Committed(types::Epoch epoch) {
  std::lock_guard lock(mu_);
  while (!written_.empty() && written_.front().epoch <= epoch) {
    committed_.push_back(std::move(written_.front()));
    written_.pop_front();
  }
  while (static_cast<int>(committed_.size()) > retain_) {
    Kept dropped = std::move(committed_.front());
    committed_.pop_front();
    ObjectName name;
    for (const std::string& object : dropped.objects) {
      if (IsOwn(object, &name) && !RefersLocked(object)) {
        garbage_.insert(object);
      }
    }
  }
}

void Retention::Pin(const std::set<std::string>& objects) {
  std::lock_guard lock(mu_);
  pinned_.insert(objects.begin(), objects.end());
}

void Retention::Took(const std::set<std::string>& objects) {
  std::lock_guard lock(mu_);
  taken_.insert(objects.begin(), objects.end());
}

void Retention::TakenAreCommitted() {
  std::lock_guard lock(mu_);
  taken_.clear();
}

std::vector<std::string> Retention::Garbage() const {
  std::lock_guard lock(mu_);
  std::vector<std::string> out;
  types::Epoch decided = committed_.empty() ? 0 : committed_.back().epoch;
  for (const std::string& object : garbage_) {
    ObjectName name;
    if (IsOwn(object, &name) && name.epoch <= decided && !RefersLocked(object)) {
      out.push_back(object);
    }
  }
  return out;
}

void Retention::Deleted(const std::string& object) {
  std::lock_guard lock(mu_);
  garbage_.erase(object);
}

bool Retention::MayGo(const std::string& object) const {
  std::lock_guard lock(mu_);
  ObjectName name;
  return static_cast<int>(committed_.size()) >= retain_ && IsOwn(object, &name) &&
         name.epoch <= committed_.back().epoch && !RefersLocked(object);
}

bool Retention::Refers(const std::string& object) const {
  std::lock_guard lock(mu_);
  return RefersLocked(object);
}

types::Generation Retention::OldestGeneration() const {
  std::lock_guard lock(mu_);
  types::Generation oldest = OldestLocked(taken_);
  for (const auto* list : {&committed_, &written_}) {
    for (const Kept& kept : *list) {
      oldest = std::min(oldest, OldestLocked(kept.objects));
    }
  }
  return oldest;
}

types::Generation Retention::OldestLocked(const std::set<std::string>& objects) const {
  types::Generation oldest = own_.generation;
  for (const std::string& object : objects) {
    ObjectName name;
    if (ParseObjectName(object, &name)) {
      oldest = std::min(oldest, name.generation);
    }
  }
  return oldest;
}

bool Retention::full() const {
  std::lock_guard lock(mu_);
  return static_cast<int>(committed_.size()) >= retain_;
}

bool Retention::RefersLocked(const std::string& object) const {
  if (pinned_.contains(object) || taken_.contains(object)) {
    return true;
  }
  for (const auto* list : {&committed_, &written_}) {
    for (const Kept& kept : *list) {
      if (kept.objects.contains(object)) {
        return true;
      }
    }
  }
  return false;
}

bool Retention::IsOwn(const std::string& object, ObjectName* name) const {
  return ParseObjectName(object, name) && name->job_uid == own_.job_uid &&
         name->generation == own_.generation && name->ordinal == own_.ordinal;
}

}  // namespace sj::worker::checkpoint
