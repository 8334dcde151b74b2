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

Status expand(Graph& graph, PassContext& context) {
  if (apply_rules(graph, expand_rules(), context.rewriting()) == 0) return ok();
  return simplify(graph, context);
}

Pipeline expand_passes() {
  return {{"expand",
           "transposed convolutions, equations, recurrent layers, dynamic quantization and declared shapes are written "
           "as what they consist of",
           expand}};
}

}  // namespace lapis
