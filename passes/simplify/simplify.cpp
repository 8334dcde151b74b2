#include "passes/simplify/simplify.h"

#include <unordered_set>
#include <utility>

#include "ir/infer.h"
#include "ir/structure.h"

namespace lapis {
namespace {

template <std::span<const Rule> family()> Status run_family(Graph& graph, PassContext& context) {
  apply_rules(graph, family(), context.rewriting());
  return ok();
}

Status canonicalize(Graph& graph, PassContext& context) {
  std::vector<Rule> rules;
  for (const auto family :
       {no_op_rules(), reshape_rules(), arithmetic_rules(), pooling_rules(), broadcast_rules(), slice_rules()})
    rules.insert(rules.end(), family.begin(), family.end());
  apply_rules(graph, rules, context.rewriting());
  return ok();
}

void explain_cycle(const Graph& graph, const PassContext& context) {
  if (context.explain)
    context.explain({"simplify", "graph '" + graph.name() + "'", false,
                     "stopped where an earlier round had been already; the graph is valid as it is"});
}

}  // namespace

std::vector<Rule> all_rules() {
  std::vector<Rule> rules;
  // The order within a node: first what removes it, then what makes it plainer, then what moves it.
  for (const auto family :
       {folding_rules(), control_flow_rules(), no_op_rules(), reshape_rules(), arithmetic_rules(), scale_rules(),
        pad_rules(), pooling_rules(), broadcast_rules(), slice_rules(), transpose_rules()})
    rules.insert(rules.end(), family.begin(), family.end());
  return rules;
}

// A round that changes nothing is the last. Rounds are needed where one part learns from another (a shape that is known
// now, a value that has one user left): models need two to four. There is no last round by number: the rules share one
// budget, what else a round does only shrinks the graph or makes types more precise, and a state that was seen before
// would repeat for ever.
Status simplify(Graph& graph, const FoldOptions& folding, PassContext& context) {
  const std::vector<Rule> rules = all_rules();
  RewriteBudget budget(graph);
  RewriteOptions options = context.rewriting();
  options.budget = &budget;
  std::unordered_set<uint64_t> seen;
  for (uint64_t last = 0; !budget.exhausted();) {
    const uint64_t before = graph.revision();
    LAPIS_CHECK(eliminate_dead_code(graph, context));  // first: dead users would hide that something is used once
    LAPIS_CHECK(fold_constants(graph, folding, context));
    LAPIS_CHECK(infer_types(graph));  // shapes follow from pads, axes and sizes that are constants only now
    LAPIS_CHECK(merge_common_subexpressions(graph, context));
    apply_rules(graph, rules, options);
    if (graph.revision() == before) break;
    const uint64_t now = fingerprint(graph);
    if (std::exchange(last, now) == now) break;
    if (!seen.insert(now).second) return explain_cycle(graph, context), ok();
  }
  return ok();
}

Pipeline simplify_passes() {
  return {
      pass<FoldOptions>("simplify", "constants are folded, transposes cancelled, operators canonical, the dead removed",
                        simplify),
      pass<FoldOptions>("fold-constants", "no pure node has constant operands only, and known shapes are constants",
                        fold_constants),
      {"dce", "every node and constant contributes to an output", eliminate_dead_code},
      {"cse", "no two pure nodes compute the same", merge_common_subexpressions},
      {"canonicalize", "operators that mean the same are written the same, and none does nothing", canonicalize},
      {"fold-batch-norm", "scales and shifts of channels are part of weights and biases", run_family<scale_rules>},
      {"fold-pad", "windows pad by themselves", run_family<pad_rules>},
      {"cancel-transposes", "no transpose meets its inverse", run_family<transpose_rules>},
      {"hoist-invariants", "no iteration computes what depends on nothing in it", hoist_invariants},
      {"inline-branches", "no If has a constant condition", run_family<control_flow_rules>},
  };
}

}  // namespace lapis
