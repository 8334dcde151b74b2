// What becomes of one graph: serialized, imported, evaluated, simplified, compiled for a target, run;
// and whether all agree.
#pragma once

#include "base/target.h"
#include "tests/random/graphs/expect.h"
#include "tests/random/graphs/generate.h"

namespace lapis::random_graphs {

struct JudgeOptions {
  Target target = Target::host();
  int threads = 1;
  uint64_t seed = 0;  // of the perturbations
};

struct Judgement {
  enum class Verdict {
    Agreed,   // the compiled code gave what it should
    Refused,  // a stage said no, with a reason
    Finding,  // something that must not be
  };
  Verdict verdict = Verdict::Agreed;
  std::string stage;     // "import", "reference", "passes", "compile", "run"
  std::string text;      // the reason, or what differs
  bool skipped = false;  // code was made but is for another machine
};

Judgement judge(const Sample& sample, const JudgeOptions& options = {});

// ---- the part that compares, for tests ------------------------------------------------------------------------------

// Empty, or what differs: "output 'y': element 3 of 16 is 2, must be 1 (up to 0.001)".
std::string difference(const Expectation& wanted, size_t output, const Tensor& got);

}  // namespace lapis::random_graphs
