// SPDX-License-Identifier: Apache-2.0
// streamjob-worker: flags and commands.
#include <CLI/CLI.hpp>
#include <cstdlib>

#include "api/base/log.h"
#include "worker/main/commands.h"
#include "worker/main/exit_codes.h"

namespace {

using sj::base::LogFormat;
using sj::base::LogLevel;

LogLevel ParseLevel(const std::string& text) {
  if (text == "debug") {
    return LogLevel::kDebug;
  }
  if (text == "warn") {
    return LogLevel::kWarn;
  }
  return text == "error" ? LogLevel::kError : LogLevel::kInfo;
}

struct Flags {
  std::string log_level = "info";
  std::string log_format = "text";
  std::string listen;
  sj::worker::RunOptions run;
  sj::worker::ServeOptions serve;
  std::string file;
  std::string new_file;
};

void AddRun(CLI::App& app, Flags& flags) {
  CLI::App* run =
      app.add_subcommand("run", "Run a job in this process: a manifest or a .sql file.");
  run->add_option("FILE", flags.run.file)->required();
  run->add_option("--threads", flags.run.setup.threads, "Task threads (default: the CPUs).");
  run->add_option("--checkpoint", flags.run.setup.checkpoint, "s3://... or file:///...");
  run->add_option("--data-dir", flags.run.setup.data_directory, "Scratch directory, wiped.");
  run->add_option("--secrets-dir", flags.run.setup.secrets_directory,
                  "A folder for each Secret the manifest's connections name.");
  run->add_option("--listen", flags.listen, "ADDRESS:PORT for /status and /metrics.");
  run->final_callback([&flags] { flags.run.setup.laptop = true; });
}

void AddServe(CLI::App& app, Flags& flags) {
  CLI::App* serve = app.add_subcommand("serve", "Run as a pod of a StreamJob (the operator does).");
  sj::worker::ServeOptions& o = flags.serve;
  serve->add_option("--manifest", o.manifest)->required();
  serve->add_option("--control-url", o.control_url)->required();
  serve->add_option("--control-ca", o.control_ca);
  serve->add_option("--token-file", o.token_file);
  serve->add_option("--secrets-dir", o.setup.secrets_directory);
  serve->add_option("--data-dir", o.setup.data_directory)->required();
  serve->add_option("--listen", flags.listen)->required();
  serve->add_option("--ordinal", o.ordinal, "Ordinal of this pod.")
      ->envname("STREAMJOB_ORDINAL")
      ->required();
}

}  // namespace

int main(int argc, char** argv) {
  Flags flags;
  CLI::App app{"StreamJob worker: streaming SQL over Kafka, exactly once."};
  app.set_version_flag("--version", STREAMJOB_VERSION);
  app.require_subcommand(1);
  app.add_option("--log-level", flags.log_level, "debug, info, warn or error.")
      ->envname("STREAMJOB_LOG_LEVEL");
  app.add_option("--log-format", flags.log_format, "text or json.")
      ->envname("STREAMJOB_LOG_FORMAT");
  AddRun(app, flags);
  AddServe(app, flags);
  CLI::App* validate = app.add_subcommand("validate", "Check a manifest or SQL; no network.");
  validate->add_option("FILE", flags.file)->required();
  CLI::App* explain = app.add_subcommand("explain", "Print the plan of a manifest or SQL.");
  explain->add_option("FILE", flags.file)->required();
  CLI::App* diff = app.add_subcommand("diff", "Say what an edit does to a running job.");
  diff->add_option("OLD", flags.file)->required();
  diff->add_option("NEW", flags.new_file)->required();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? sj::worker::kExitOk : sj::worker::kExitUsage;
  }
  bool json = flags.log_format == "json" || app.got_subcommand("serve");
  sj::base::SetLog(ParseLevel(flags.log_level), json ? LogFormat::kJson : LogFormat::kText);
  auto listen = sj::worker::ParseListen(flags.listen);
  if (!listen.ok()) {
    std::fprintf(stderr, "error: %s\n", listen.status().message().c_str());
    return sj::worker::kExitUsage;
  }
  flags.run.listen = flags.serve.listen = *listen;
  if (app.got_subcommand("run")) {
    return sj::worker::RunCommand(flags.run);
  }
  if (app.got_subcommand("serve")) {
    return sj::worker::ServeCommand(flags.serve);
  }
  if (app.got_subcommand(validate)) {
    return sj::worker::ValidateCommand(flags.file);
  }
  if (app.got_subcommand(diff)) {
    return sj::worker::DiffCommand(flags.file, flags.new_file);
  }
  return sj::worker::ExplainCommand(flags.file);
}
