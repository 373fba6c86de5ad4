// SPDX-License-Identifier: Apache-2.0
// What cannot be read stays as it was.
#include "operator/main/process_metrics.h"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace sj::op::main {
namespace {

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

int CountEntries(const char* directory) {
  std::error_code error;
  int count = 0;
  for (auto it = std::filesystem::directory_iterator(directory, error);
       !error && it != std::filesystem::directory_iterator(); it.increment(error)) {
    ++count;
  }
  return count;
}

}  // namespace

ProcessMetrics::ProcessMetrics(base::MetricRegistry& registry, const base::Clock& clock)
    : resident_(registry.AddGauge("process_resident_memory_bytes", "Resident memory.")),
      cpu_(registry.AddGauge("process_cpu_seconds_total", "User and system time spent.")),
      descriptors_(registry.AddGauge("process_open_fds", "Open file descriptors.")),
      threads_(registry.AddGauge("process_threads", "Threads.")) {
  registry.AddGauge("process_start_time_seconds", "Start, seconds since the Unix epoch.")
      .Set(std::chrono::duration<double>(clock.Wall().time_since_epoch()).count());
}

void ProcessMetrics::Update() {
  long total = 0;
  long resident = 0;
  if (std::ifstream("/proc/self/statm") >> total >> resident) {
    resident_.Set(static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE)));
  }
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) == 0) {
    cpu_.Set(Seconds(usage.ru_utime) + Seconds(usage.ru_stime));
  }
  descriptors_.Set(CountEntries("/proc/self/fd"));
  threads_.Set(CountEntries("/proc/self/task"));
}

}  // namespace sj::op::main
