// SPDX-License-Identifier: Apache-2.0
// One fiber that reconciles; requests of workers are events.
#include "simulation/replica.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "api/v1alpha1/stream_job_json.h"

namespace sj::simulation {
namespace {

using base::Json;
using base::Result;
using base::Status;
using kube::ObjectKey;
using kube::Resource;

constexpr Nanos kApiDeadline = seconds(8);
constexpr Nanos kConflictRetry = milliseconds(100);
constexpr Nanos kBackoffMin = milliseconds(200);
constexpr Nanos kBackoffMax = seconds(5);
constexpr Nanos kTick = milliseconds(500);
constexpr Nanos kBatchMax = milliseconds(500);  // what happens meanwhile is looked at in one pass
constexpr base::Millis kSilentAfter{12'000};
constexpr Nanos kFar = std::chrono::hours(10);

op::decide::Settings MakeSettings(bool hand_over) {
  op::decide::Settings settings;
  settings.defaults.checkpoint_location = "s3://checkpoints/test";
  settings.defaults.image = "worker:1";
  settings.worker.control_url = "https://operator:8443";
  settings.worker.control_ca = "PEM";
  // Shorter than in production, so that a run of a minute sees them pass.
  settings.drain_max = base::Millis(8'000);
  settings.stop_drain_max = base::Millis(15'000);
  settings.silent_after = kSilentAfter;
  settings.hand_over = hand_over;
  settings.hand_over_max = base::Millis(15'000);
  return settings;
}

op::reconcile::RegistryOptions RegistryLimits() {
  op::reconcile::RegistryOptions options;
  options.silent_after = kSilentAfter;
  return options;
}

}  // namespace

// The way to the API server. Every call is a moment at which the replica can be killed.
class Replica::Client final : public kube::KubeClient {
 public:
  Client(World* world, kube::testing::FakeKube* api, std::function<void()> after_write)
      : world_(world), api_(api), after_write_(std::move(after_write)) {}

  Result<Json> Get(const Resource& resource, const ObjectKey& key, kube::Read read) override {
    return Read<Json>([api = api_, resource, key, read] { return api->Get(resource, key, read); });
  }
  Result<kube::ListResult> List(const Resource& resource,
                                const kube::ListOptions& options) override {
    return Read<kube::ListResult>(
        [api = api_, resource, options] { return api->List(resource, options); });
  }
  Result<kube::WatchEnd> Watch(const Resource&, const kube::WatchOptions&,
                               const std::function<bool(kube::WatchEvent)>&,
                               base::HttpCancel*) override {
    return base::Internal("the simulated informer does not watch through here");
  }
  Result<Json> Create(const Resource& resource, const Json& object) override {
    return Write("create", resource, kube::NameOf(object),
                 [api = api_, resource, object] { return api->Create(resource, object); });
  }
  Result<Json> Apply(const Resource& resource, const Json& object) override {
    return Write("apply", resource, kube::NameOf(object),
                 [api = api_, resource, object] { return api->Apply(resource, object); });
  }
  Result<Json> Replace(const Resource& resource, const Json& object) override {
    return Write("replace", resource, kube::NameOf(object),
                 [api = api_, resource, object] { return api->Replace(resource, object); });
  }
  Result<Json> ReplaceStatus(const Resource& resource, const ObjectKey& key, const Json& status,
                             const kube::ReplaceStatusOptions& options) override {
    return Write("write status of", resource, key.name,
                 [api = api_, resource, key, status, options] {
                   return api->ReplaceStatus(resource, key, status, options);
                 });
  }
  Result<Json> MergePatch(const Resource& resource, const ObjectKey& key,
                          const Json& patch) override {
    return Write("patch", resource, key.name, [api = api_, resource, key, patch] {
      return api->MergePatch(resource, key, patch);
    });
  }
  Status Delete(const Resource& resource, const ObjectKey& key,
                const kube::DeleteOptions& options) override {
    return Write("delete", resource, key.name,
                 [api = api_, resource, key, options]() -> Result<Json> {
                   Status deleted = api->Delete(resource, key, options);
                   return deleted.ok() ? Result<Json>(Json::object())
                                       : Result<Json>(std::move(deleted));
                 })
        .status();
  }

 private:
  template <typename R>
  Result<R> Read(std::function<Result<R>()> run) {
    MayDie();
    auto answer = world_->Call<Result<R>>(
        Service::kApi, kApiDeadline,
        [run = std::move(run)](std::function<void(Result<R>)> reply) { reply(run()); });
    return answer ? *std::move(answer) : base::Unavailable("call the API server: no answer");
  }

  Result<Json> Write(std::string_view verb, const Resource& resource, const std::string& name,
                     std::function<Result<Json>()> run) {
    MayDie();
    world_->Log(fmt::format("{}: {} {} {}", world_->current()->name, verb, resource.kind, name));
    if (world_->Strikes(Fault::kApiConflict)) {
      return base::Conflict("somebody was faster");
    }
    if (world_->Strikes(Fault::kApiError)) {
      return base::Unavailable("the server is busy");
    }
    const bool lost = world_->Strikes(Fault::kApiAnswerLost);
    auto answer = world_->Call<Result<Json>>(
        Service::kApi, kApiDeadline,
        [run = std::move(run), after = after_write_](std::function<void(Result<Json>)> reply) {
          auto done = run();
          after();
          reply(std::move(done));
        });
    return answer && !lost ? *std::move(answer) : base::Unavailable("write: no answer");
  }

  void MayDie() {
    if (world_->Strikes(Fault::kOperatorCrash)) {
      world_->After(world_->Between(Nanos(0), milliseconds(30)),
                    [world = world_, process = world_->current()] { world->Kill(process); });
    }
  }

  World* world_;
  kube::testing::FakeKube* api_;
  std::function<void()> after_write_;
};

const std::vector<Resource>& WatchedResources() {
  static const std::vector<Resource> all = {kube::kStreamJobs,
                                            kube::kStatefulSets,
                                            kube::kPods,
                                            kube::kServices,
                                            kube::kConfigMaps,
                                            kube::kServiceAccounts,
                                            kube::kPodDisruptionBudgets};
  return all;
}

Replica::Replica(World* world, kube::testing::FakeKube* api, ObjectKey job, const Options& options,
                 std::function<void()> after_write)
    : world_(world),
      api_(api),
      job_(std::move(job)),
      process_(world->NewProcess("operator " + std::to_string(options.number))),
      client_(std::make_unique<Client>(world, api, std::move(after_write))),
      registry_(
          RegistryLimits(), *world, [this](const ObjectKey&) { MakeDirty(); }, nullptr),
      events_({}, *client_, *world, nullptr),
      metrics_(nullptr),
      controller_({*client_, store_, registry_, events_, metrics_, *world},
                  MakeSettings(options.hand_over)) {
}

Replica::~Replica() = default;

void Replica::Start(const Snapshot& list, std::function<void()> ended) {
  for (const Resource& resource : WatchedResources()) {
    kube::ListResult all;
    auto it = list.items.find(resource);
    if (it != list.items.end()) {
      all.items = it->second;
    }
    all.resource_version = std::to_string(list.version);
    store_.ReplaceAll(resource, "", all);
    seen_[resource] = list.version;
  }
  process_->on_dead = std::move(ended);
  world_->Spawn(process_, [this] { Main(); });
}

void Replica::Lead(bool leads) {
  if (leads && !leads_) {
    controller_.StartLeading();
    MakeDirty();
  } else if (!leads && leads_) {
    controller_.StopLeading();
  }
  leads_ = leads;
  world_->Log(process_->name + (leads ? " leads" : " does not lead"));
}

void Replica::MakeDirty() {
  dirty_ = true;
  world_->WakeProcess(process_);
}

void Replica::StopInformer(Nanos time) {
  informer_stopped_until_ = std::max(informer_stopped_until_, world_->now() + time);
  world_->After(time, [this, process = process_] {
    if (!process->dead) {
      Inform();
    }
  });
}

void Replica::Inform() {
  if (process_->dead || informer_stopped_until_ > world_->now() ||
      process_->paused_until > world_->now()) {
    return;
  }
  bool news = false;
  for (const Resource& resource : WatchedResources()) {
    kube::WatchOptions options;
    options.resource_version = std::to_string(seen_[resource]);
    auto end = api_->Watch(
        resource, options,
        [&](kube::WatchEvent event) {
          if (event.type == kube::WatchEvent::Type::kDeleted) {
            store_.Remove(resource, event.object);
          } else if (event.type != kube::WatchEvent::Type::kBookmark) {
            store_.Put(resource, event.object);
          }
          news = news || event.type != kube::WatchEvent::Type::kBookmark;
          seen_[resource] =
              std::max(seen_[resource], kube::VersionNumber(kube::ResourceVersionOf(event.object)));
          return true;
        },
        nullptr);
    (void)end;
  }
  if (news) {
    MakeDirty();
  }
}

void Replica::Main() {
  Nanos backoff = kBackoffMin;
  Nanos next_tick = world_->now();
  while (true) {
    if (world_->now() >= next_tick) {
      registry_.Tick();
      next_tick = world_->now() + kTick;
    }
    if (!leads_ || (!dirty_ && world_->now() < requeue_at_)) {
      world_->WaitFor(dirty_, std::min(std::max(requeue_at_ - world_->now(), Nanos(1)), kTick));
      if (!leads_) {
        dirty_ = false;
        world_->Sleep(kTick);
        dirty_ = true;
      }
      continue;
    }
    world_->Sleep(world_->Between(milliseconds(1), kBatchMax));
    dirty_ = false;
    requeue_at_ = world_->now() + kFar;
    auto outcome = controller_.Reconcile(job_);
    if (outcome.ok()) {
      backoff = kBackoffMin;
      if (outcome->requeue_after) {
        requeue_at_ = world_->now() + *outcome->requeue_after;
      }
      continue;
    }
    const Status& status = outcome.status();
    world_->Log(process_->name + " pass: " + status.ToString());
    if (status.kind() == base::ErrorKind::kConflict) {
      requeue_at_ = world_->now() + kConflictRetry;
    } else if (status.retry() != base::Retry::kNever) {
      requeue_at_ = world_->now() + backoff;
      backoff = std::min(backoff * 2, kBackoffMax);
    }
  }
}

void Replica::Register(const control::RegisterRequest& request,
                       std::function<void(Result<control::RegisterResponse>)> reply) {
  if (!leads_) {
    return reply(base::Unavailable("this replica does not lead"));
  }
  reply(registry_.Register(request));
}

void Replica::Heartbeat(const control::HeartbeatRequest& request, std::shared_ptr<bool> gone,
                        std::function<void(Result<control::HeartbeatResponse>)> reply) {
  if (!leads_) {
    return reply(base::Unavailable("this replica does not lead"));
  }
  op::reconcile::PendingPoll poll;
  poll.answer = [this, reply](const control::HeartbeatResponse& response) {
    if (leads_) {
      reply(response);
    } else {
      reply(base::Unavailable("this replica does not lead"));
    }
  };
  poll.gone = [gone = std::move(gone)] { return *gone; };
  const Status status = registry_.Heartbeat(request, std::move(poll));
  if (!status.ok()) {
    reply(status);
  }
}

// A quorum read takes a moment; the answer may be old when it arrives.
void Replica::Generation(const control::JobRef& job,
                         std::function<void(Result<control::GenerationResponse>)> reply) {
  auto object = api_->Get(kube::kStreamJobs, {job.namespace_name, job.name}, kube::Read::kQuorum);
  if (!object.ok() || kube::UidOf(*object) != job.uid) {
    return reply(base::Unavailable("the job cannot be read"));
  }
  const v1alpha1::StreamJob read = v1alpha1::ReadStreamJob(*object).job;
  world_->After(
      world_->Between(Nanos(0), milliseconds(20)),
      [reply = std::move(reply), answer = op::decide::AnswerGeneration(read)] { reply(answer); });
}

}  // namespace sj::simulation
