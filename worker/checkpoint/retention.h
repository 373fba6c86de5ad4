// SPDX-License-Identifier: Apache-2.0
// Retention: which objects this worker's written and committed footers refer to, and which of its
// own may therefore go. It never deletes; the caller does. Thread-safe.
//
// Why deleting is safe even for a process that has been replaced without knowing: every object it
// gives up has an epoch at or below the last one it saw committed (E), and is not referred to by
// the footer of E. A successor restored from E or later, refers to no older object than E does, and
// names its own objects with epochs above E.
#pragma once

#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "worker/checkpoint/object_name.h"
#include "worker/types/ids.h"

namespace sj::worker::checkpoint {

class Retention {
 public:
  // `own` names the job, generation and ordinal whose objects this worker may delete.
  Retention(ObjectName own, int retain) : own_(std::move(own)), retain_(retain) {}

  // What was restored counts as one committed checkpoint.
  void Restored(types::Epoch epoch, std::set<std::string> objects);
  void Written(types::Epoch epoch, std::set<std::string> objects);
  // An object that was, or may have been, stored and is in no footer.
  void Abandoned(const std::string& object);
  void Committed(types::Epoch epoch);
  // These stay as long as this object lives: a unit was handed over with them, and the worker that
  // took it may refer to them for as long as it likes.
  void Pin(const std::set<std::string>& objects);
  // What units taken over refer to, until a footer that names it is committed.
  void Took(const std::set<std::string>& objects);
  void TakenAreCommitted();

  // Own objects that no retained or undecided checkpoint refers to any more.
  std::vector<std::string> Garbage() const;
  void Deleted(const std::string& object);
  // True for an own object found by listing that may go: see above. Always false before `retain`
  // checkpoints have been committed under this object's eyes.
  bool MayGo(const std::string& object) const;
  bool Refers(const std::string& object) const;
  types::Generation OldestGeneration() const;
  bool full() const;

 private:
  struct Kept {
    types::Epoch epoch;
    std::set<std::string> objects;
  };
  bool RefersLocked(const std::string& object) const;
  types::Generation OldestLocked(const std::set<std::string>& objects) const;
  bool IsOwn(const std::string& object, ObjectName* name) const;

  const ObjectName own_;
  const int retain_;
  mutable std::mutex mu_;
  std::deque<Kept> committed_;     // guarded by mu_; at most retain_, oldest first
  std::deque<Kept> written_;       // guarded by mu_; undecided, oldest first
  std::set<std::string> pinned_;   // guarded by mu_
  std::set<std::string> taken_;    // guarded by mu_
  std::set<std::string> garbage_;  // guarded by mu_
};

}  // namespace sj::worker::checkpoint
