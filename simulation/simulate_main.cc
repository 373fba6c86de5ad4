// SPDX-License-Identifier: Apache-2.0
// sj_simulate --seeds A..B | --seconds N [--from A] [--hand-over] [--log]: runs seeds, prints what
// was done, and on the first failure the seed and the log of its events; exit code 1.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "simulation/run_seed.h"

namespace {

using sj::simulation::RunOptions;
using sj::simulation::RunSeed;
using sj::simulation::SeedResult;

struct Options {
  uint64_t from = 1;
  uint64_t to = UINT64_MAX;
  double seconds = 0;  // 0: no bound
  RunOptions run;
  bool keep_going = false;
};

int Usage() {
  std::fprintf(stderr,
               "usage: sj_simulate --seeds A..B | --seconds N [--from A] [--hand-over] [--log] "
               "[--keep-going]\n");
  return 2;
}

bool Parse(int argc, char** argv, Options* options) {
  bool bounded = false;
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    const char* value = i + 1 < argc ? argv[i + 1] : nullptr;
    if (name == "--log") {
      options->run.log = true;
      continue;
    }
    if (name == "--hand-over") {
      options->run.hand_over = true;
      continue;
    }
    if (name == "--keep-going") {
      options->keep_going = true;
      continue;
    }
    if (value == nullptr) {
      return false;
    }
    ++i;
    if (name == "--seconds") {
      options->seconds = std::atof(value);
      bounded = options->seconds > 0;
    } else if (name == "--from") {
      options->from = std::strtoull(value, nullptr, 10);
    } else if (name == "--seeds") {
      const char* dots = std::strstr(value, "..");
      options->from = std::strtoull(value, nullptr, 10);
      options->to = dots == nullptr ? options->from : std::strtoull(dots + 2, nullptr, 10);
      bounded = true;
    } else {
      return false;
    }
  }
  return bounded && options->from <= options->to;
}

void PrintFailure(const SeedResult& failed, RunOptions options) {
  options.log = true;
  const SeedResult again = RunSeed(failed.seed, options);
  for (const std::string& line : again.log) {
    std::printf("  %s\n", line.c_str());
  }
  std::printf("seed %llu FAILED: %s\n", static_cast<unsigned long long>(failed.seed),
              failed.violation.c_str());
  if (again.fingerprint != failed.fingerprint) {
    std::printf("seed %llu did not run the same way twice\n",
                static_cast<unsigned long long>(failed.seed));
  }
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (!Parse(argc, argv, &options)) {
    return Usage();
  }
  const auto start = std::chrono::steady_clock::now();
  const auto elapsed = [&start] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  SeedResult sum;
  uint64_t done = 0;
  int failures = 0;
  for (uint64_t seed = options.from; seed <= options.to; ++seed) {
    if (options.seconds > 0 && elapsed() >= options.seconds) {
      break;
    }
    const SeedResult result = RunSeed(seed, options.run);
    done += 1;
    sum.counts.Add(result.counts);
    sum.commits += result.commits;
    sum.generations += result.generations;
    sum.hand_overs += result.hand_overs;
    sum.handed_over += result.handed_over;
    sum.deleted += result.deleted;
    sum.simulated_seconds += result.simulated_seconds;
    if (!result.violation.empty()) {
      failures += 1;
      if (!options.keep_going) {
        PrintFailure(result, options.run);
        break;
      }
      std::printf("seed %llu FAILED: %s\n", static_cast<unsigned long long>(seed),
                  result.violation.c_str());
    } else if (options.run.log) {
      for (const std::string& line : result.log) {
        std::printf("  %s\n", line.c_str());
      }
    }
    if (seed == options.to) {
      break;
    }
  }
  std::printf(
      "%llu seeds from %llu in %.1f s: %.0f simulated hours, %llu commits, %lld generations "
      "(%lld of %lld hand-overs came to their end), %llu objects deleted, %llu faults (%s)\n",
      static_cast<unsigned long long>(done), static_cast<unsigned long long>(options.from),
      elapsed(), sum.simulated_seconds / 3600, static_cast<unsigned long long>(sum.commits),
      static_cast<long long>(sum.generations), static_cast<long long>(sum.handed_over),
      static_cast<long long>(sum.hand_overs), static_cast<unsigned long long>(sum.deleted),
      static_cast<unsigned long long>(sum.counts.total()), sum.counts.ToString().c_str());
  return failures > 0 ? 1 : 0;
}
