// SPDX-License-Identifier: Apache-2.0
// Judged when recorded, written later. What waits to be written is keyed by the Event's name, so a
// storm of the same event is one write.
#include "operator/runtime/events.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

#include "api/base/log.h"
#include "operator/runtime/event_filter.h"

namespace sj::op::runtime {
namespace {

using base::Millis;
using kube::Json;

constexpr int kTriesMax = 5;
constexpr Millis kRetryWait{2'000};
constexpr int kFailuresMax = 3;        // in a row: the server is away, and the rest waits too
constexpr size_t kNameBytesMax = 230;  // of the 253 an object name may have

std::string_view ToString(EventType type) {
  return type == EventType::kWarning ? "Warning" : "Normal";
}

std::string Text(const Json& object, std::string_view key) {
  const Json* found = kube::FindPath(object, {key});
  return found != nullptr && found->is_string() ? found->get<std::string>() : "";
}

// Cuts at a character, not inside one.
std::string Cut(std::string_view text, size_t bytes_max) {
  if (text.size() <= bytes_max) {
    return std::string(text);
  }
  size_t end = bytes_max;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) {
    --end;
  }
  return std::string(text.substr(0, end));
}

struct Waiting {
  Json event;  // complete
  int tries = 0;
};

}  // namespace

struct EventRecorder::State {
  State(EventOptions o, kube::KubeClient& k, const base::Clock& c, base::MetricRegistry* registry)
      : options(std::move(o)), client(k), clock(c), filter(options.objects_max) {
    if (registry != nullptr) {
      auto add = [&](const char* result) {
        return registry->AddCounter("operator_events_total",
                                    "Kubernetes Events by what became of "
                                    "them.",
                                    {{"result", result}});
      };
      written = add("written");
      dropped = add("dropped");
      filtered = add("filtered");
    }
  }

  const EventOptions options;
  kube::KubeClient& client;
  const base::Clock& clock;
  std::optional<base::Counter> written, dropped, filtered;

  std::mutex mu;
  std::condition_variable wake;
  EventFilter filter;                                // guarded by mu
  std::deque<std::string> order;                     // guarded by mu: names, oldest first
  std::unordered_map<std::string, Waiting> waiting;  // guarded by mu
  bool stopping = false;                             // guarded by mu
  std::thread thread;

  static void Count(const std::optional<base::Counter>& counter) {
    if (counter) {
      counter->Add();
    }
  }

  Json MakeEvent(const Json& object, EventType type, std::string_view reason,
                 const EventVerdict& verdict) const {
    const std::string ns = kube::NamespaceOf(object);
    const std::string event_ns = ns.empty() ? "default" : ns;
    return {{"apiVersion", "v1"},
            {"kind", "Event"},
            {"metadata", {{"name", verdict.name}, {"namespace", event_ns}}},
            {"involvedObject",
             {{"apiVersion", Text(object, "apiVersion")},
              {"kind", Text(object, "kind")},
              {"namespace", ns},
              {"name", kube::NameOf(object)},
              {"uid", kube::UidOf(object)},
              {"resourceVersion", kube::ResourceVersionOf(object)}}},
            {"reason", reason},
            {"message", Cut(verdict.message, options.message_max)},
            {"type", ToString(type)},
            {"count", verdict.count},
            {"firstTimestamp", base::FormatTime(verdict.first)},
            {"lastTimestamp", base::FormatTime(clock.Wall())},
            {"source", {{"component", options.component}, {"host", options.instance}}},
            {"reportingComponent", options.component},
            {"reportingInstance", options.instance}};
  }

  // Creates the Event, or counts it up when it exists.
  base::Status Write(const Json& event) {
    if (event["count"] == 1) {
      return client.Create(kube::kEvents, event).status();
    }
    const Json patch = {{"count", event["count"]},
                        {"message", event["message"]},
                        {"lastTimestamp", event["lastTimestamp"]}};
    const auto status = client.MergePatch(kube::kEvents, kube::KeyOf(event), patch).status();
    if (!status.ok() && status.kind() == base::ErrorKind::kNotFound) {
      return client.Create(kube::kEvents, event).status();
    }
    return status;
  }

  std::optional<Waiting> TakeFirst() {
    std::lock_guard lock(mu);
    if (order.empty() || stopping) {
      return std::nullopt;
    }
    auto it = waiting.find(order.front());
    Waiting first = std::move(it->second);
    waiting.erase(it);
    order.pop_front();
    return first;
  }

  // Puts back what could not be written, behind the others, which it must not hold up: a namespace
  // that goes refuses its events. Unless it has had its tries or is outdated by now.
  void PutBack(Waiting item) {
    const std::string name = kube::NameOf(item.event);
    std::lock_guard lock(mu);
    if (++item.tries >= kTriesMax) {
      Count(dropped);
      return;
    }
    if (waiting.try_emplace(name, std::move(item)).second) {
      order.push_back(name);
    }
  }
};

EventRecorder::EventRecorder(EventOptions options, kube::KubeClient& client,
                             const base::Clock& clock, base::MetricRegistry* metrics)
    : state_(std::make_unique<State>(std::move(options), client, clock, metrics)) {
}

EventRecorder::~EventRecorder() {
  Stop();
}

void EventRecorder::Record(const Json& object, EventType type, std::string_view reason,
                           std::string_view message) {
  State& state = *state_;
  const EventIdentity identity{
      Text(object, "kind") + "/" + kube::KeyOf(object).ToString() + "/" + kube::UidOf(object),
      std::string(ToString(type)) + "/" + std::string(reason), std::string(message)};
  std::lock_guard lock(state.mu);
  const EventVerdict verdict =
      state.filter.Judge(identity, Cut(kube::NameOf(object), kNameBytesMax), state.clock.Wall());
  if (verdict.dropped) {
    State::Count(state.filtered);
    return;
  }
  auto it = state.waiting.find(verdict.name);
  if (it == state.waiting.end() && state.waiting.size() >= state.options.queue_max) {
    State::Count(state.dropped);
    return;
  }
  Json event = state.MakeEvent(object, type, reason, verdict);
  if (it != state.waiting.end()) {
    it->second.event = std::move(event);
    return;
  }
  state.order.push_back(verdict.name);
  state.waiting.emplace(verdict.name, Waiting{std::move(event), 0});
  state.wake.notify_one();
}

void EventRecorder::Start() {
  state_->thread = std::thread([this] {
    while (true) {
      Flush();
      std::unique_lock lock(state_->mu);
      if (!state_->order.empty()) {
        // The last write failed: the server gets a pause.
        state_->wake.wait_for(lock, kRetryWait, [this] { return state_->stopping; });
      }
      state_->wake.wait(lock, [this] { return state_->stopping || !state_->order.empty(); });
      if (state_->stopping) {
        return;
      }
    }
  });
}

void EventRecorder::Stop() {
  {
    std::lock_guard lock(state_->mu);
    state_->stopping = true;
  }
  state_->wake.notify_all();
  if (state_->thread.joinable()) {
    state_->thread.join();
  }
}

int EventRecorder::Flush() {
  int count = 0;
  int failures = 0;
  std::vector<Waiting> again;
  while (failures < kFailuresMax) {
    auto item = state_->TakeFirst();
    if (!item) {
      break;
    }
    const base::Status status = state_->Write(item->event);
    if (status.ok()) {
      State::Count(state_->written);
      ++count;
      failures = 0;
      continue;
    }
    base::LogDebug("event was not written", {{"error", status.ToString()}});
    if (status.retry() == base::Retry::kBackoff && status.kind() != base::ErrorKind::kConflict) {
      again.push_back(*std::move(item));
      ++failures;
    } else {
      State::Count(state_->dropped);
    }
  }
  for (Waiting& item : again) {
    state_->PutBack(std::move(item));
  }
  return count;
}

}  // namespace sj::op::runtime
