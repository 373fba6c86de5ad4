// SPDX-License-Identifier: Apache-2.0
// See unit_prefetch.h.
#include "worker/runtime/unit_prefetch.h"

#include <pthread.h>

#include "api/base/log.h"

namespace sj::worker::runtime {
namespace {

// The operator waits longer, for this as for a fence.
constexpr std::chrono::seconds kFetchMax{15};
// The owners go on: an object may be gone by the time it is asked for, and another one is there.
constexpr int kAttempts = 4;

}  // namespace

std::unique_ptr<UnitPrefetch> UnitPrefetch::Start(const JobHooks& hooks, RunContext* run,
                                                  const UnitSet& units,
                                                  types::Generation generation) {
  std::unique_ptr<UnitPrefetch> made(
      new UnitPrefetch(hooks.connectors, run, InputsOf(*run, units)));
  made->Open(generation);
  if (hooks.cooperation != nullptr) {
    made->Fetch();
    return made;
  }
  made->thread_ = std::thread([prefetch = made.get()] {
    pthread_setname_np(pthread_self(), "prefetch");
    prefetch->Fetch();
  });
  return made;
}

void UnitPrefetch::FetchNow(const Connectors& make, RunContext* run) {
  UnitPrefetch all(make, run, InputsOf(*run, UnitsOf(run->own, run->partition_counts)));
  all.Open(run->generation);
  all.Fetch();
  all.Finish();
}

UnitPrefetch::~UnitPrefetch() {
  End();
}

void UnitPrefetch::Open(types::Generation generation) {
  auto chunks = run_->checkpointer->NewPrefetch(generation);
  if (chunks.ok()) {
    chunks_ = *std::move(chunks);
  } else {
    base::LogInfo("state not prefetched", {{"error", chunks.status().ToString()}});
  }
}

void UnitPrefetch::Fetch() {
  if (chunks_ == nullptr) {
    done_.store(true);
    return;
  }
  const base::MonoTime begun = run_->clock->Mono();
  base::Result<uint64_t> bytes = uint64_t{0};
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    bytes = FetchCommitted(begun + kFetchMax);
    if (bytes.ok() || bytes.status().kind() != base::ErrorKind::kCorrupt) {
      break;
    }
  }
  const int64_t millis =
      std::chrono::duration_cast<std::chrono::milliseconds>(run_->clock->Mono() - begun).count();
  if (bytes.ok()) {
    base::LogInfo("state prefetched", {{"bytes", *bytes}, {"millis", millis}});
  } else {
    base::LogInfo("state not prefetched",
                  {{"error", bytes.status().ToString()}, {"millis", millis}});
  }
  done_.store(true);
}

base::Result<uint64_t> UnitPrefetch::FetchCommitted(base::MonoTime end) {
  SJ_ASSIGN_OR_RETURN(const auto reader,
                      make_.committed_reader(TablesOf(*run_), run_->config->connect));
  if (reader == nullptr) {
    return uint64_t{0};
  }
  SJ_ASSIGN_OR_RETURN(const auto read, reader->Read(PartitionsOf(units_)));
  return chunks_->Run(PositionsOf(units_, read).committed, [this, end] {
    const bool stop = stop_.load() || run_->stop.load() ||
                      (run_->stop_asked != nullptr && run_->stop_asked->load());
    return !stop && run_->clock->Mono() < end;
  });
}

void UnitPrefetch::End() {
  stop_.store(true);
  if (thread_.joinable()) {
    thread_.join();
  }
}

void UnitPrefetch::Finish() {
  End();
  if (chunks_ != nullptr) {
    run_->checkpointer->Add(std::move(chunks_));
  }
}

}  // namespace sj::worker::runtime
