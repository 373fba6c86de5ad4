// SPDX-License-Identifier: Apache-2.0
// EventRecorder: Kubernetes Events about objects, kept from flooding the cluster as client-go does:
// the same event again raises a count, events that differ only in their message are merged after
// ten in ten minutes, and each object has a burst of 25, then one per five minutes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "api/base/clock.h"
#include "api/base/metrics.h"
#include "operator/kube/client.h"

namespace sj::op::runtime {

enum class EventType : uint8_t { kNormal, kWarning };

struct EventOptions {
  std::string component = "streamjob-operator";
  std::string instance;        // the pod's name
  size_t queue_max = 1'000;    // events not yet written; more are dropped and counted
  size_t objects_max = 4'096;  // remembered keys of each filter; the oldest is forgotten
  size_t message_max = 1'024;  // bytes; longer messages are cut
};

// Thread-safe.
class EventRecorder {
 public:
  // `metrics` may be null. All references outlive the recorder.
  EventRecorder(EventOptions options, kube::KubeClient& client, const base::Clock& clock,
                base::MetricRegistry* metrics);
  // Stops; events not yet written are dropped.
  ~EventRecorder();

  // Never blocks on the network. `object` is the object as read (apiVersion, kind, metadata);
  // reason is CamelCase, message a sentence without secrets.
  void Record(const kube::Json& object, EventType type, std::string_view reason,
              std::string_view message);

  // Writes from a thread of its own until Stop.
  void Start();
  void Stop();
  // Writes what is queued on the caller's thread; returns how many events were written.
  int Flush();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sj::op::runtime
