// A verb of the CLI: one file each, declared here, listed in main.cpp.
// A verb registers its options and gives the function that runs.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "base/result.h"
#include "tools/lapis/arguments.h"

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
  Action (*declare)(Arguments& app);  // adds options; the action runs after parsing
};

Action declare_bench(Arguments& app);
Action declare_compile(Arguments& app);
Action declare_convert(Arguments& app);
Action declare_diff(Arguments& app);
Action declare_eval(Arguments& app);
Action declare_explain(Arguments& app);
Action declare_init(Arguments& app);
Action declare_inspect(Arguments& app);
Action declare_ops(Arguments& app);
Action declare_opt(Arguments& app);
Action declare_optimize(Arguments& app);
Action declare_prune(Arguments& app);
Action declare_quantize(Arguments& app);
Action declare_reduce(Arguments& app);
Action declare_run(Arguments& app);
Action declare_schedule(Arguments& app);
Action declare_tune(Arguments& app);
Action declare_verify(Arguments& app);

}  // namespace lapis::cli
