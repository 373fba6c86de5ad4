// SPDX-License-Identifier: Apache-2.0
// See plan_diff.h. Works on PhysicalPlan::state_text, so that it cannot disagree with the hash a
// restore compares.
#include "worker/plan/plan_diff.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

namespace sj::worker::plan {
namespace {

constexpr size_t kFactShownMax = 80;

struct State {
  std::map<int, std::vector<std::string>> operators;  // id -> its lines
  std::set<std::string> sources;
};

std::string_view TakeLine(std::string_view& text) {
  const size_t end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

// "window 3 kind=0 ...": 3; 0 for every other line.
int WindowNumber(std::string_view line) {
  constexpr std::string_view kWindow = "window ";
  int number = 0;
  if (!line.starts_with(kWindow)) {
    return 0;
  }
  for (size_t i = kWindow.size(); i < line.size() && line[i] >= '0' && line[i] <= '9'; ++i) {
    number = number * 10 + (line[i] - '0');
  }
  return number;
}

State Read(std::string_view text) {
  constexpr std::string_view kSource = "source ";
  State state;
  std::vector<std::string>* facts = nullptr;
  while (!text.empty()) {
    const std::string_view line = TakeLine(text);
    if (const int number = WindowNumber(line); number > 0) {
      facts = &state.operators[number];
    }
    if (line.starts_with(kSource)) {
      state.sources.emplace(line.substr(kSource.size()));
    } else if (facts != nullptr) {
      facts->emplace_back(line);
    }
  }
  return state;
}

const PhysicalOp* FindOp(const PhysicalPlan& plan, int id) {
  for (const Fragment& fragment : plan.fragments) {
    for (const PhysicalOp& op : fragment.ops) {
      if (op.id == id) {
        return &op;
      }
    }
  }
  return nullptr;
}

std::string KeysOf(const std::vector<std::string>& facts) {
  constexpr std::string_view kKey = "key ";
  std::string keys;
  for (const std::string& fact : facts) {
    if (fact.starts_with(kKey)) {
      // "key user_id BIGINT": the type is one word at the end
      const std::string_view rest = std::string_view(fact).substr(kKey.size());
      keys += keys.empty() ? " by " : ", ";
      keys += rest.substr(0, rest.rfind(' '));
    }
  }
  return keys;
}

std::string Name(const PhysicalPlan& plan, int id, const std::vector<std::string>& facts) {
  static constexpr std::string_view kKinds[] = {"TUMBLE", "HOP", "SESSION"};
  const PhysicalOp* op = FindOp(plan, id);
  if (op == nullptr) {
    return "operator";
  }
  const WindowSpec& window = op->aggregate.window;
  return fmt::format("{} window of {} ms{}", kKinds[static_cast<size_t>(window.kind)],
                     window.size_ms, KeysOf(facts));
}

std::string Shown(const std::string& fact) {
  return fact.size() <= kFactShownMax ? fact : fact.substr(0, kFactShownMax) + "...";
}

std::string FirstDifference(const std::vector<std::string>& before,
                            const std::vector<std::string>& after) {
  for (size_t i = 0; i < std::max(before.size(), after.size()); ++i) {
    if (i >= before.size()) {
      return fmt::format("\"{}\" is new", Shown(after[i]));
    }
    if (i >= after.size()) {
      return fmt::format("\"{}\" is gone", Shown(before[i]));
    }
    if (before[i] != after[i]) {
      return fmt::format("was \"{}\", is \"{}\"", Shown(before[i]), Shown(after[i]));
    }
  }
  return "";
}

std::vector<std::string> Missing(const std::set<std::string>& from,
                                 const std::set<std::string>& in) {
  std::vector<std::string> missing;
  std::set_difference(from.begin(), from.end(), in.begin(), in.end(), std::back_inserter(missing));
  return missing;
}

// One phrase for each thing that keeps a checkpoint from being taken over.
std::vector<std::string> Troubles(const PlanDiff& diff) {
  std::vector<std::string> troubles;
  for (const OperatorChange& op : diff.operators) {
    if (op.fate == StateFate::kIncompatible) {
      troubles.push_back(
          fmt::format("the state of operator {} ({}) does not fit: {}", op.op, op.what, op.why));
    } else if (op.fate != StateFate::kKept) {
      troubles.push_back(fmt::format("stateful operator {} ({}) {}", op.op, op.what,
                                     op.fate == StateFate::kNew ? "is new" : "is gone"));
    }
  }
  for (const std::string& source : diff.sources_new) {
    troubles.push_back(fmt::format("source {} is new", source));
  }
  for (const std::string& source : diff.sources_dropped) {
    troubles.push_back(fmt::format("source {} is gone", source));
  }
  if (troubles.empty() && !diff.compatible) {
    troubles.emplace_back("the order of the stateful operators differs");
  }
  return troubles;
}

}  // namespace

std::string_view ToString(StateFate fate) {
  switch (fate) {
    case StateFate::kKept:
      return "kept";
    case StateFate::kNew:
      return "new";
    case StateFate::kDropped:
      return "dropped";
    case StateFate::kIncompatible:
      break;
  }
  return "incompatible";
}

PlanDiff DiffPlans(const PhysicalPlan& before, const PhysicalPlan& after) {
  const State old_state = Read(before.state_text);
  const State new_state = Read(after.state_text);
  PlanDiff diff;
  diff.compatible = before.state_hash == after.state_hash;
  std::map<int, std::vector<std::string>> all = old_state.operators;
  all.insert(new_state.operators.begin(), new_state.operators.end());
  for (const auto& [id, unused] : all) {
    const auto was = old_state.operators.find(id);
    const auto is = new_state.operators.find(id);
    OperatorChange change;
    change.op = id;
    if (is == new_state.operators.end()) {
      change.fate = StateFate::kDropped;
      change.what = Name(before, id, was->second);
    } else {
      change.what = Name(after, id, is->second);
      if (was == old_state.operators.end()) {
        change.fate = StateFate::kNew;
      } else if (was->second != is->second) {
        change.fate = StateFate::kIncompatible;
        change.why = FirstDifference(was->second, is->second);
      }
    }
    diff.operators.push_back(std::move(change));
  }
  diff.sources_new = Missing(new_state.sources, old_state.sources);
  diff.sources_dropped = Missing(old_state.sources, new_state.sources);
  return diff;
}

std::string Summary(const PlanDiff& diff) {
  const std::vector<std::string> troubles = Troubles(diff);
  if (!troubles.empty()) {
    const std::string more =
        troubles.size() > 1 ? fmt::format(" (and {} more)", troubles.size() - 1) : "";
    return troubles.front() + more;
  }
  if (diff.operators.empty()) {
    return "the job has no keyed state";
  }
  const bool one = diff.operators.size() == 1;
  return fmt::format("{} stateful operator{} keep{} {} state", diff.operators.size(),
                     one ? "" : "s", one ? "s" : "", one ? "its" : "their");
}

std::string Describe(const PlanDiff& diff) {
  std::string text;
  for (const OperatorChange& op : diff.operators) {
    text += fmt::format("state of operator {} ({}): {}{}\n", op.op, op.what, ToString(op.fate),
                        op.why.empty() ? "" : ": " + op.why);
  }
  for (const std::string& source : diff.sources_new) {
    text += fmt::format("source {}: new\n", source);
  }
  for (const std::string& source : diff.sources_dropped) {
    text += fmt::format("source {}: dropped\n", source);
  }
  return text;
}

}  // namespace sj::worker::plan
