// SPDX-License-Identifier: Apache-2.0
// The commands of streamjob-worker. Each returns the process's exit code (exit_codes.h) and prints
// errors to stderr in words.
#pragma once

#include <cstdint>
#include <string>

#include "worker/main/job_setup.h"

namespace sj::worker {

struct ListenAddress {
  std::string address = "127.0.0.1";
  uint16_t port = 0;
  bool enabled = false;
};
// "127.0.0.1:9090"; empty: not enabled. Errors: kInvalidArgument.
base::Result<ListenAddress> ParseListen(const std::string& text);

struct RunOptions {
  std::string file;
  SetupOptions setup;
  ListenAddress listen;
};
int RunCommand(const RunOptions& options);     // one process, the whole job
int ValidateCommand(const std::string& file);  // no network
int ExplainCommand(const std::string& file);   // the plan as text; no network
// What an edit from one file to the other does to a running job; no network.
int DiffCommand(const std::string& before, const std::string& after);

struct ServeOptions {
  std::string manifest;
  SetupOptions setup;
  ListenAddress listen;
  std::string control_url;
  std::string control_ca;
  std::string token_file;
  int ordinal = -1;
};
int ServeCommand(const ServeOptions& options);  // a pod of a StreamJob

}  // namespace sj::worker
