// A graph as code for one machine, run once.
#pragma once

#include <vector>

#include "driver/compile.h"
#include "driver/runner.h"
#include "ir/evaluate.h"

namespace lapis::testing {

// The outputs of `graph` compiled for `target`, on two threads.
inline Result<std::vector<Tensor>> run_compiled(const Graph& graph, const Feeds& feeds, const Target& target) {
  CompileOptions options;
  options.target = target;
  LAPIS_TRY(const auto compiled, compile(graph, std::move(options)));
  LAPIS_TRY(const auto runner, open_program(compiled.program, {.threads = 2}));
  std::vector<Tensor> inputs;
  for (const IoInfo& io : runner->inputs()) inputs.push_back(feeds.at(io.name));
  return runner->run(inputs);
}

}  // namespace lapis::testing
