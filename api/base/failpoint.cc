// SPDX-License-Identifier: Apache-2.0
// Reads STREAMJOB_FAILPOINTS once; counts hits of the armed points.
#include "api/base/failpoint.h"

#ifndef SJ_NO_FAILPOINTS

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <mutex>
#include <string>

namespace sj::base {
namespace {

constexpr int kCrashStatus = 137;  // as after kill -9

enum class Action : uint8_t { kCrash, kError, kPause };

struct Point {
  Action action = Action::kCrash;
  int due = 1;
  int hits = 0;
};

class Points {
 public:
  Points() {
    const char* text = getenv("STREAMJOB_FAILPOINTS");
    std::string_view rest = text == nullptr ? "" : text;
    while (!rest.empty()) {
      std::string_view item = rest.substr(0, rest.find(','));
      rest.remove_prefix(std::min(rest.size(), item.size() + 1));
      Arm(item);
    }
  }

  // The action when the point is due at this hit.
  bool Hit(std::string_view name, Action* action) {
    if (points_.empty()) {
      return false;
    }
    std::lock_guard<std::mutex> lock(mu_);
    auto it = points_.find(name);
    if (it == points_.end() || ++it->second.hits != it->second.due) {
      return false;
    }
    *action = it->second.action;
    return true;
  }

 private:
  // "name=action@hit"; what cannot be read arms nothing.
  void Arm(std::string_view item) {
    size_t equal = item.find('=');
    if (equal == std::string_view::npos) {
      return;
    }
    std::string_view action = item.substr(equal + 1);
    Point point;
    size_t at = action.find('@');
    if (at != std::string_view::npos) {
      std::from_chars(action.data() + at + 1, action.data() + action.size(), point.due);
      action = action.substr(0, at);
    }
    point.action = action == "error"   ? Action::kError
                   : action == "pause" ? Action::kPause
                                       : Action::kCrash;
    points_[std::string(item.substr(0, equal))] = point;
  }

  std::mutex mu_;  // guards the hits
  std::map<std::string, Point, std::less<>> points_;
};

}  // namespace

Status Failpoint(std::string_view name) {
  static Points points;
  Action action = Action::kCrash;
  if (!points.Hit(name, &action)) {
    return OkStatus();
  }
  switch (action) {
    case Action::kCrash:
      _exit(kCrashStatus);
    case Action::kPause:
      kill(getpid(), SIGSTOP);
      return OkStatus();
    case Action::kError:
      break;
  }
  return Unavailable("failpoint \"" + std::string(name) + "\"");
}

}  // namespace sj::base

#endif
