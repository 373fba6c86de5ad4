// SPDX-License-Identifier: Apache-2.0
// The lease is read, judged and written with its resourceVersion as lock. Clocks of other machines
// are never compared with ours: only "has it changed since we last looked" counts.
#include "operator/runtime/leader.h"

#include <condition_variable>
#include <mutex>
#include <random>
#include <thread>

#include "api/base/log.h"

namespace sj::op::runtime {
namespace {

using base::Millis;
using base::MonoTime;
using kube::Json;

constexpr double kAcquireJitter = 1.2;

// Six digits, which is what the API server's MicroTime insists on.
std::string MicroTime(base::WallTime t) {
  std::string text = base::FormatTime(t, true);
  text.insert(text.size() - 1, "000");
  return text;
}

std::string HolderOf(const Json& lease) {
  const Json* holder = kube::FindPath(lease, {"spec", "holderIdentity"});
  return holder != nullptr && holder->is_string() ? holder->get<std::string>() : "";
}

int64_t TransitionsOf(const Json& lease) {
  const Json* count = kube::FindPath(lease, {"spec", "leaseTransitions"});
  return count != nullptr && count->is_number_integer() ? count->get<int64_t>() : 0;
}

}  // namespace

struct LeaderElector::State {
  State(LeaderOptions o, LeaderCallbacks c, kube::KubeClient& k, const base::Clock& t,
        base::MetricRegistry* metrics)
      : options(std::move(o)),
        callbacks(std::move(c)),
        client(k),
        clock(t),
        random(std::hash<std::string>()(options.identity)) {
    if (metrics != nullptr) {
      master =
          metrics->AddGauge("leader_election_master_status", "1 while this process leads, else 0.",
                            {{"name", options.lease_name}});
      master->Set(0);
    }
  }

  const LeaderOptions options;
  const LeaderCallbacks callbacks;
  kube::KubeClient& client;
  const base::Clock& clock;
  std::optional<base::Gauge> master;

  std::mutex step_mu;  // one Step or Release at a time; guards the next five
  std::mt19937_64 random;
  Json lease;  // as last read or written; null before
  std::string observed_version;
  MonoTime observed_at;
  MonoTime tried_at;

  mutable std::mutex mu;  // guards the rest but the thread
  bool leading = false;
  MonoTime renewed_at;
  std::string holder;
  bool stopping = false;
  std::condition_variable wake;
  std::thread thread;

  Json Fresh() const {
    return {{"apiVersion", kube::ApiVersion(kube::kLeases)},
            {"kind", kube::kLeases.kind},
            {"metadata", {{"name", options.lease_name}, {"namespace", options.ns}}},
            {"spec", {{"leaseTransitions", 0}}}};
  }

  void Observe(Json seen) {
    if (kube::ResourceVersionOf(seen) != observed_version) {
      observed_version = kube::ResourceVersionOf(seen);
      observed_at = clock.Mono();
    }
    std::lock_guard lock(mu);
    holder = HolderOf(seen);
    lease = std::move(seen);
  }

  // Fills our name and times in; an own lease keeps its acquire time.
  Json Claim(Json from) const {
    Json& spec = from["spec"];
    const std::string now = MicroTime(clock.Wall());
    const std::string before = HolderOf(from);
    if (before != options.identity) {
      spec["acquireTime"] = now;
      spec["leaseTransitions"] = TransitionsOf(from) + (lease.is_null() ? 0 : 1);
    }
    spec["holderIdentity"] = options.identity;
    spec["renewTime"] = now;
    spec["leaseDurationSeconds"] =
        std::chrono::duration_cast<std::chrono::seconds>(options.lease_duration).count();
    return from;
  }

  // True when the lease is ours after the call. `lost` is set when it is surely another's.
  bool TryHold(bool& lost) {
    tried_at = clock.Mono();
    const bool mine = !lease.is_null() && HolderOf(lease) == options.identity;
    if (mine) {
      auto renewed = client.Replace(kube::kLeases, Claim(lease));
      if (renewed.ok()) {
        Observe(*std::move(renewed));
        return true;
      }
      if (renewed.status().kind() != base::ErrorKind::kConflict &&
          renewed.status().kind() != base::ErrorKind::kNotFound) {
        return false;
      }
    }
    auto read = client.Get(kube::kLeases, {options.ns, options.lease_name}, kube::Read::kQuorum);
    if (!read.ok() && read.status().kind() == base::ErrorKind::kNotFound) {
      auto made = client.Create(kube::kLeases, Claim(Fresh()));
      if (made.ok()) {
        Observe(*std::move(made));
      }
      return made.ok();
    }
    if (!read.ok()) {
      return false;
    }
    Observe(*std::move(read));
    const std::string current = HolderOf(lease);
    const bool other = !current.empty() && current != options.identity;
    lost = other;
    if (other && clock.Mono() < observed_at + options.lease_duration) {
      return false;
    }
    auto taken = client.Replace(kube::kLeases, Claim(lease));
    if (!taken.ok()) {
      return false;
    }
    lost = false;
    Observe(*std::move(taken));
    return true;
  }

  void SetLeading(bool now_leading) {
    {
      std::lock_guard lock(mu);
      leading = now_leading;
    }
    if (master) {
      master->Set(now_leading ? 1 : 0);
    }
  }

  Millis AcquireWait() {
    std::uniform_real_distribution<double> jitter(1.0, 1.0 + kAcquireJitter);
    return Millis(static_cast<int64_t>(options.retry_period.count() * jitter(random)));
  }

  bool WaitOrStop(Millis time) {
    std::unique_lock lock(mu);
    return wake.wait_for(lock, time, [this] { return stopping; });
  }
};

LeaderElector::LeaderElector(LeaderOptions options, LeaderCallbacks callbacks,
                             kube::KubeClient& client, const base::Clock& clock,
                             base::MetricRegistry* metrics)
    : state_(std::make_unique<State>(std::move(options), std::move(callbacks), client, clock,
                                     metrics)) {
}

LeaderElector::~LeaderElector() {
  Stop(false);
}

void LeaderElector::Start() {
  state_->thread = std::thread([this] {
    while (!state_->WaitOrStop(Step())) {
    }
  });
}

void LeaderElector::Stop(bool release) {
  {
    std::lock_guard lock(state_->mu);
    state_->stopping = true;
  }
  state_->wake.notify_all();
  if (state_->thread.joinable()) {
    state_->thread.join();
  }
  if (release) {
    const base::Status status = Release();
    if (!status.ok()) {
      base::LogWarn("lease was not released", {{"error", status.ToString()}});
    }
  }
}

Millis LeaderElector::Step() {
  State& state = *state_;
  std::unique_lock step(state.step_mu);
  bool lost = false;
  const bool held = state.TryHold(lost);
  bool was_leading = false;
  bool expired = false;
  {
    std::lock_guard lock(state.mu);
    was_leading = state.leading;
    if (held) {
      state.renewed_at = state.tried_at;
    }
    expired = state.clock.Mono() >= state.renewed_at + state.options.renew_deadline;
  }
  if (held && !was_leading) {
    base::LogInfo("became leader",
                  {{"lease", state.options.lease_name}, {"identity", state.options.identity}});
    state.SetLeading(true);
    step.unlock();
    state.callbacks.on_started();
    return state.options.retry_period;
  }
  if (was_leading && !held && (lost || expired)) {
    base::LogError("lost the lease", {{"lease", state.options.lease_name}});
    state.SetLeading(false);
    step.unlock();
    state.callbacks.on_lost();
    return state.options.retry_period;
  }
  return was_leading ? state.options.retry_period : state.AcquireWait();
}

base::Status LeaderElector::Release() {
  State& state = *state_;
  std::lock_guard step(state.step_mu);
  {
    std::lock_guard lock(state.mu);
    if (!state.leading) {
      return {};
    }
  }
  state.SetLeading(false);
  Json empty = state.lease;
  empty["spec"]["holderIdentity"] = "";
  empty["spec"]["leaseDurationSeconds"] = 1;
  empty["spec"]["renewTime"] = MicroTime(state.clock.Wall());
  SJ_ASSIGN_OR_RETURN(Json stored, state.client.Replace(kube::kLeases, empty));
  state.Observe(std::move(stored));
  return {};
}

bool LeaderElector::IsLeader() const {
  std::lock_guard lock(state_->mu);
  return state_->leading &&
         state_->clock.Mono() < state_->renewed_at + state_->options.renew_deadline;
}

std::string LeaderElector::Holder() const {
  std::lock_guard lock(state_->mu);
  return state_->holder;
}

}  // namespace sj::op::runtime
