// SPDX-License-Identifier: Apache-2.0
// GuardedKube: the API server as the operator under test sees it. Every write is held against what
// is stored: nothing live is deleted, nothing is scaled below what is wanted, every destructive
// call is locked, a generation's number is given once. It also provokes: the process ends at its
// n-th write, somebody else touches an object just before ours, a job's objects break our code.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "api/v1alpha1/stream_job.h"
#include "operator/kube/testing/fake_kube.h"

namespace sj::op::reconcile::testing {

// Thrown where the operator's process ends; no std::exception, so that nothing on the way holds it.
struct Crash {};

// Owned by one test thread.
class GuardedKube final : public kube::KubeClient {
 public:
  // Both outlive this object.
  GuardedKube(kube::testing::FakeKube& kube, std::vector<std::string>& violations)
      : kube_(kube), violations_(violations) {}

  kube::Result<kube::Json> Get(const kube::Resource& resource, const kube::ObjectKey& key,
                               kube::Read read) override;
  kube::Result<kube::ListResult> List(const kube::Resource& resource,
                                      const kube::ListOptions& options) override;
  kube::Result<kube::WatchEnd> Watch(const kube::Resource& resource,
                                     const kube::WatchOptions& options,
                                     const std::function<bool(kube::WatchEvent)>& on_event,
                                     base::HttpCancel* cancel) override;
  kube::Result<kube::Json> Create(const kube::Resource& resource,
                                  const kube::Json& object) override;
  kube::Result<kube::Json> Apply(const kube::Resource& resource, const kube::Json& object) override;
  kube::Result<kube::Json> Replace(const kube::Resource& resource,
                                   const kube::Json& object) override;
  kube::Result<kube::Json> ReplaceStatus(const kube::Resource& resource, const kube::ObjectKey& key,
                                         const kube::Json& status,
                                         const kube::ReplaceStatusOptions& options) override;
  kube::Result<kube::Json> MergePatch(const kube::Resource& resource, const kube::ObjectKey& key,
                                      const kube::Json& patch) override;
  kube::Status Delete(const kube::Resource& resource, const kube::ObjectKey& key,
                      const kube::DeleteOptions& options) override;

  // The process ends at its n-th write from now (1: the next), before or after it takes effect.
  void CrashAt(int write, kube::testing::FailWhen when);
  // Before every n-th write somebody else changes a label of its object; 0: never.
  void DisturbEvery(int n);
  // Reads of objects whose name starts so throw a std::exception; empty: none.
  void Poison(std::string name_prefix) { poison_ = std::move(name_prefix); }

  // Writes the operator tried.
  int writes() const { return writes_; }
  // Empty when every label that somebody else wrote last is still there.
  std::string LostLabels() const;
  // Takes over what is known of generations, for a copy of the cluster.
  void Remember(const GuardedKube& from) { given_ = from.given_; }

 private:
  using Given = std::map<int64_t, v1alpha1::GenerationStatus>;

  template <typename Effect>
  auto Write(const kube::Resource& resource, const kube::ObjectKey& key, Effect effect);
  void Disturb(const kube::Resource& resource, const kube::ObjectKey& key);
  void CheckOwner(const kube::Resource& resource, const kube::Json& object);
  void CheckSet(const kube::ObjectKey& key, const kube::Json& after);
  void CheckDelete(const kube::Resource& resource, const kube::ObjectKey& key, bool by_force);
  void CheckFinalizer(const kube::ObjectKey& key, const kube::Json& patch);
  void CheckGeneration(const kube::Json& job);
  void Violation(std::string text) { violations_.push_back(std::move(text)); }

  kube::testing::FakeKube& kube_;
  std::vector<std::string>& violations_;
  std::string poison_;
  int writes_ = 0;
  int crash_at_ = 0;
  kube::testing::FailWhen crash_when_ = kube::testing::FailWhen::kBefore;
  int disturb_every_ = 0;
  int disturbances_ = 0;
  std::map<std::string, std::pair<kube::Resource, kube::ObjectKey>> touched_;  // by UID
  std::map<std::string, std::string> labels_;                                  // last one, by UID
  std::map<std::string, Given> given_;                                         // by job UID
};

}  // namespace sj::op::reconcile::testing
