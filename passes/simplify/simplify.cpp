#include "passes/simplify/simplify.h"

#include "ir/infer.h"
#include "ir/printer.h"
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

}  // namespace

std::vector<Rule> all_rules() {
  std::vector<Rule> rules;
  // The order within a node: first what removes it, then what makes it plainer, then what moves it.
  for (const auto family : {control_flow_rules(), no_op_rules(), reshape_rules(), arithmetic_rules(), scale_rules(),
                            pad_rules(), pooling_rules(), broadcast_rules(), slice_rules(), transpose_rules()})
    rules.insert(rules.end(), family.begin(), family.end());
  return rules;
}

Status simplify(Graph& graph, PassContext& context) {
  constexpr int kMostRounds =
      32;  // each round removes or canonicalizes something; deep shape arithmetic needs three or four
  const std::vector<Rule> rules = all_rules();
  for (int round = 0;; ++round) {
    LAPIS_ASSERT(round < kMostRounds, "simplify finds no end:\n" << print(graph));
    const uint64_t before = fingerprint(graph);
    LAPIS_CHECK(eliminate_dead_code(graph, context));  // first: dead users would hide that something is used once
    LAPIS_CHECK(fold_constants(graph, context));
    LAPIS_CHECK(infer_types(graph));  // shapes follow from pads, axes and sizes that are constants only now
    LAPIS_CHECK(merge_common_subexpressions(graph, context));
    apply_rules(graph, rules, context.rewriting());
    if (fingerprint(graph) == before) return ok();
  }
}

Pipeline simplify_passes() {
  return {
      {"simplify", "constants are folded, transposes cancelled, operators canonical, the dead removed", simplify},
      {"fold-constants", "no pure node has constant operands only, and known shapes are constants", fold_constants},
      {"dce", "every node and constant contributes to an output", eliminate_dead_code},
      {"cse", "no two pure nodes compute the same", merge_common_subexpressions},
      {"canonicalize", "operators that mean the same are written the same, and none does nothing", canonicalize},
      {"fold-batch-norm", "scales and shifts of channels are part of weights and biases", run_family<scale_rules>},
      {"fold-pad", "windows pad by themselves", run_family<pad_rules>},
      {"cancel-transposes", "no transpose meets its inverse", run_family<transpose_rules>},
      {"inline-branches", "no If has a constant condition", run_family<control_flow_rules>},
  };
}

}  // namespace lapis
