// SPDX-License-Identifier: Apache-2.0
// EventFilter: decides what becomes of one event: dropped, written anew, or counted onto one that
// exists. Pure over (event, time); the rules are client-go's correlator.
#pragma once

#include <cstdint>
#include <list>
#include <set>
#include <string>
#include <unordered_map>

#include "api/base/clock.h"

namespace sj::op::runtime {

struct EventIdentity {
  std::string object;  // what it is about, with the UID
  std::string kind;    // type and reason
  std::string message;
};

struct EventVerdict {
  bool dropped = false;
  std::string name;     // of the Event object: the same name again means "count it up"
  std::string message;  // may differ from what was given when similar events are merged
  int count = 1;
  base::WallTime first;
};

// A bounded map that forgets the entry that was used longest ago. Thread-compatible.
template <typename Value>
class RecentMap {
 public:
  explicit RecentMap(size_t entries_max) : entries_max_(entries_max) {}

  Value& At(const std::string& key) {
    auto it = index_.find(key);
    if (it != index_.end()) {
      order_.splice(order_.begin(), order_, it->second);
      return it->second->second;
    }
    order_.emplace_front(key, Value());
    index_[key] = order_.begin();
    if (index_.size() > entries_max_) {
      index_.erase(order_.back().first);
      order_.pop_back();
    }
    return order_.front().second;
  }
  size_t size() const { return index_.size(); }

 private:
  using Order = std::list<std::pair<std::string, Value>>;
  const size_t entries_max_;
  Order order_;
  std::unordered_map<std::string, typename Order::iterator> index_;
};

// Thread-compatible.
class EventFilter {
 public:
  explicit EventFilter(size_t entries_max);

  // `base_name` starts the name of a new Event object.
  EventVerdict Judge(const EventIdentity& event, const std::string& base_name, base::WallTime now);

 private:
  struct Similar {
    std::set<std::string> messages;
    base::WallTime last{};
  };
  struct Seen {
    std::string name;
    int count = 0;
    base::WallTime first{};
    base::WallTime last{};
  };
  struct Bucket {
    bool used = false;
    double tokens = 0;
    base::WallTime last{};
  };

  bool TakeToken(const std::string& object, base::WallTime now);

  RecentMap<Similar> similar_;
  RecentMap<Seen> seen_;
  RecentMap<Bucket> buckets_;
  uint64_t names_ = 0;
};

}  // namespace sj::op::runtime
