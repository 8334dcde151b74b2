// What becomes of one graph: serialized, imported, evaluated, simplified, compiled for a target, run; and whether all agree.
//
// Floats are held against what they may be: the reference is evaluated again with every inexact operator (sums, exp, ...) off by some units
// of the last place, and a result may lie as far from the reference as these runs do. Where they disagree about more than that (one has
// NaN, a truth value flips), the graph does not determine the result. What only exact operators lead to must be equal bit for bit.
#pragma once

#include "base/target.h"
#include "ir/evaluate.h"
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

// ---- the parts, for tests ------------------------------------------------------------------------------------------------

// The graph's outputs as they are, and as they may also be.
struct Expectation {
  std::vector<Tensor> outputs;
  std::vector<std::vector<Tensor>> others;  // one list a perturbed run
  std::vector<bool> exact;                  // no inexact operator leads to the output
};
Result<Expectation> expect(const Graph& graph, const Feeds& feeds, int runs, uint64_t seed);
// Empty, or what differs: "output 'y': element 3 of 16 is 2, must be 1 (up to 0.001)".
std::string difference(const Expectation& wanted, size_t output, const Tensor& got);
// An operator whose result the definition fixes to the last bit for these operand types.
bool is_exact(const Node& node);

}  // namespace lapis::random_graphs
