// A verb of the CLI: one file each, declared here, listed in main.cpp. A verb registers its options and gives the function that runs.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "base/result.h"

namespace lapis::cli {

// Documented in docs/cli.md; scripts may rely on them.
enum ExitCode : int {
  kOk = 0,
  kCheckFailed = 1,  // verify found a difference, a comparison missed its bound
  kUsage = 2,
  kInput = 3,        // unreadable, truncated or wrong file
  kUnsupported = 4,  // the model uses something Lapis does not implement
  kMismatch = 5,     // tensors or data that do not fit the model
  kTarget = 6,       // code for a machine this host is not
  kIo = 7,           // the system refused: files, memory, threads
  kInternal = 70,    // a bug in Lapis
  kInterrupted = 130,
};

// What a finished verb says: text for people, the same facts as JSON for --json; neither: another process says it.
struct Report {  // NOLINT(bugprone-exception-escape): what moving JSON asserts
  std::string text;
  nlohmann::ordered_json json;
  int exit_code = kOk;
  bool on_stderr = false;  // standard output has the result itself (-o -)
};
using Action = std::function<Result<Report>()>;

struct Verb {
  const char* name;
  const char* summary;
  Action (*declare)(CLI::App& app);  // adds options; the action runs after parsing
};

Action declare_bench(CLI::App& app);
Action declare_compile(CLI::App& app);
Action declare_convert(CLI::App& app);
Action declare_diff(CLI::App& app);
Action declare_eval(CLI::App& app);
Action declare_explain(CLI::App& app);
Action declare_init(CLI::App& app);
Action declare_inspect(CLI::App& app);
Action declare_ops(CLI::App& app);
Action declare_opt(CLI::App& app);
Action declare_optimize(CLI::App& app);
Action declare_prune(CLI::App& app);
Action declare_quantize(CLI::App& app);
Action declare_reduce(CLI::App& app);
Action declare_run(CLI::App& app);
Action declare_schedule(CLI::App& app);
Action declare_tune(CLI::App& app);
Action declare_verify(CLI::App& app);

}  // namespace lapis::cli
