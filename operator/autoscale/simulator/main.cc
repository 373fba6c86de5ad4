// SPDX-License-Identifier: Apache-2.0
// sj_autoscale_sim [DIR [RECORDED...]]: replays every load under every policy, prints the table,
// and writes loads.svg and results.md into DIR. RECORDED are files of "second rate" lines.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "operator/autoscale/simulator/loads.h"
#include "operator/autoscale/simulator/picture.h"

namespace sj::op::autoscale::simulator {
namespace {

std::vector<Comparison> CompareAll(std::vector<Load> loads, const JobSpec& spec) {
  std::vector<Comparison> all;
  for (Load& load : loads) {
    Comparison comparison{std::move(load), {}};
    for (const std::unique_ptr<Policy>& policy : ComparedPolicies()) {
      comparison.outcomes.push_back(Replay(spec, comparison.load, *policy));
    }
    all.push_back(std::move(comparison));
  }
  return all;
}

bool WriteFile(const std::filesystem::path& path, const std::string& text) {
  std::ofstream out(path);
  out << text;
  out.close();
  if (!out) {
    std::fprintf(stderr, "cannot write %s\n", path.c_str());
  }
  return !out.fail();
}

int Main(const std::vector<std::string>& args) {
  std::vector<Load> loads = SyntheticLoads();
  for (size_t i = 1; i < args.size(); ++i) {
    std::ifstream in(args[i]);
    std::stringstream text;
    text << in.rdbuf();
    base::Result<Load> load =
        RecordedLoad(std::filesystem::path(args[i]).stem().string(), text.str());
    if (!load.ok()) {
      std::fprintf(stderr, "%s\n", load.status().ToString().c_str());
      return 2;
    }
    loads.push_back(*std::move(load));
  }
  const JobSpec spec;
  const std::vector<Comparison> all = CompareAll(std::move(loads), spec);
  const std::string table = Table(all);
  std::fputs(table.c_str(), stdout);
  if (args.empty()) {
    return 0;
  }
  const std::filesystem::path dir(args[0]);
  return WriteFile(dir / "results.md", table) && WriteFile(dir / "loads.svg", Picture(all, spec))
             ? 0
             : 1;
}

}  // namespace
}  // namespace sj::op::autoscale::simulator

int main(int argc, char** argv) {
  return sj::op::autoscale::simulator::Main(std::vector<std::string>(argv + 1, argv + argc));
}
