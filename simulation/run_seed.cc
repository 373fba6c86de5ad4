// SPDX-License-Identifier: Apache-2.0
// See run_seed.h.
#include "simulation/run_seed.h"

#include <stdlib.h>

#include <chrono>
#include <filesystem>

#include "api/base/check.h"
#include "api/base/log.h"
#include "simulation/cluster.h"

namespace sj::simulation {
namespace {

namespace fs = std::filesystem;

// Above every level: failed attempts by the thousand are what is simulated.
constexpr auto kSilent = static_cast<base::LogLevel>(UINT8_MAX);

class Scratch {
 public:
  Scratch() {
    std::error_code error;
    const fs::path memory = "/dev/shm";
    const fs::path base = fs::is_directory(memory, error) ? memory : fs::temp_directory_path();
    std::string name = (base / "sj-simulation-XXXXXX").string();
    SJ_CHECK(mkdtemp(name.data()) != nullptr);
    directory_ = name;
  }
  ~Scratch() {
    std::error_code ignored;
    fs::remove_all(directory_, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  const std::string& directory() const { return directory_; }

 private:
  std::string directory_;
};

}  // namespace

SeedResult RunSeed(uint64_t seed, const RunOptions& options) {
  static const Scratch scratch;
  base::SetLog(kSilent, base::LogFormat::kText);
  Cluster cluster({seed, options.log, options.hand_over, scratch.directory()});
  cluster.Run();
  World& world = cluster.world();
  SeedResult result;
  result.seed = seed;
  result.violation = world.violation();
  result.counts = world.counts();
  result.fingerprint = world.fingerprint();
  result.commits = cluster.commits();
  result.generations = cluster.generations();
  result.hand_overs = cluster.hand_overs();
  result.handed_over = cluster.handed_over();
  result.deleted = cluster.deleted();
  result.simulated_seconds = std::chrono::duration<double>(world.now()).count();
  result.log = world.log();
  return result;
}

}  // namespace sj::simulation
