// SPDX-License-Identifier: Apache-2.0
// Reflector: keeps a sink equal to what the API server has of one resource: list, then watch from
// the list's version, for ever. An ended watch goes on from the last version seen; an expired
// version, however it is told, lists again. Failures back off from 0.8 s to 8 s: what the reader
// sees is old meanwhile, so the bound is short, and a watch that told something starts the back-off
// anew.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "api/base/clock.h"
#include "operator/kube/client.h"

namespace sj::op::kube {

// Where objects go. Called by one reflector's thread at a time.
class ObjectSink {
 public:
  virtual ~ObjectSink() = default;
  // A list starts; the Puts until EndList are its items. May start again before it has ended.
  virtual void BeginList() = 0;
  virtual void EndList(const std::string& resource_version) = 0;
  virtual void Put(Json object) = 0;
  virtual void Remove(Json object) = 0;
};

struct ReflectorOptions {
  Resource resource;
  std::string ns;  // empty: all namespaces
  std::string label_selector;
  // Ask for a streaming list first; a server that cannot gets list and watch.
  bool streaming_list = true;
  base::Millis backoff_min{800};
  base::Millis backoff_max{8'000};
  // Each watch lasts a random time between these.
  std::chrono::seconds watch_min{300};
  std::chrono::seconds watch_max{600};
  base::Millis silence_max{150'000};
  uint64_t seed = 0;  // of the random times; 0: random
  // Drops what nobody reads, before the sink sees it. May be empty.
  std::function<void(Json&)> prune;
};

// Start, Stop, synced and Healthy are thread-safe; Step belongs to one thread.
class Reflector {
 public:
  // References outlive the reflector.
  Reflector(ReflectorOptions options, KubeClient& client, ObjectSink& sink,
            const base::Clock& clock);
  // Stops.
  ~Reflector();

  // Runs Step on a thread of its own until Stop.
  void Start();
  void Stop();

  // One list, if one is needed, and one watch until it ends. Returns the time to wait before the
  // next step. `status`, if given, gets why it ended.
  base::Millis Step(Status* status = nullptr);

  // True once a first list is complete in the sink.
  bool synced() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sj::op::kube
