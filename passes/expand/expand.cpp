#include "passes/expand/expand.h"

#include "passes/simplify/simplify.h"

namespace lapis {

std::vector<Rule> expand_rules() {
  std::vector<Rule> rules;
  for (const auto family : {transposed_convolution_rules(), equation_rules(), recurrent_rules(),
                            dynamic_quantization_rules(), declared_shape_rules()})
    rules.insert(rules.end(), family.begin(), family.end());
  return rules;
}

static Status write_out(Graph& graph, std::span<const Rule> rules, PassContext& context) {
  if (apply_rules(graph, rules, context.rewriting()) == 0) return ok();
  return simplify(graph, context);
}

Status expand(Graph& graph, PassContext& context) { return write_out(graph, expand_rules(), context); }
Status expand_equations(Graph& graph, PassContext& context) { return write_out(graph, equation_rules(), context); }

Pipeline expand_passes() {
  return {{"expand",
           "transposed convolutions, equations, recurrent layers, dynamic quantization and declared shapes are written "
           "as what they consist of",
           expand},
          {"expand-equations", "equations are written as products of matrices or elements", expand_equations}};
}

}  // namespace lapis
