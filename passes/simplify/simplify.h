// Simplification: the same function with fewer and plainer operators. Every pass here is idempotent and deterministic,
// keeps the names of the graph's inputs and outputs, and is exact to the bit (signs of zero, NaN and infinities
// included) except where docs/numerics.md says so: where a rule folds float constants into weights, the results differ
// by rounding.
//
// Why it ends. Every application of a rule decreases, in the order of this list and leaving what stands before alone:
//   1  the number of If nodes                              (control.known-if)
//   2  the number of nodes that compute constants          (fold.constants)
//   3  how far operators are from their plainest form: BatchNormalization > Conv, Mul, Add; Sub > Add; Pow > Mul;
//      MatMul > Gemm; Max, Min > Clip > Relu; Flatten, Squeeze, Unsqueeze, Transpose > Reshape;
//      AveragePool, ReduceMean > GlobalAveragePool; Pad before a window > none; a constant on the left > on the right
//   4  the number of nodes                                 (no-op.*, *.of-*, fold.*: fewer come than go)
//   5  the length of the longest chain of one family       (Reshape of Reshape, Cast of Cast, ...
//                                                           that have other readers)
//   6  the distance of each Transpose and Expand from the outputs: they only sink, and only if nobody else reads them
// So no set of these rules can turn in a circle. RewriteBudget (ir/rewrite.h) stands behind that argument.
#pragma once

#include "passes/pass.h"

namespace lapis {

struct FoldOptions {
  int64_t growth = 256 * 1024;  // embeddings of positions still fold, broadcast weights do not
  static constexpr auto fields = std::tuple(option(
      "growth", &FoldOptions::growth, "Bytes by which a constant may be larger than what it is computed from", 0));
};
// Nodes with constant operands become constants; so do shapes that are known although their tensors are not.
Status fold_constants(Graph& graph, const FoldOptions& options, PassContext& context);
// What no output needs disappears: nodes, constants, optional outputs.
Status eliminate_dead_code(Graph& graph, PassContext& context);
// Equal pure nodes on equal operands, and equal constants, become one.
Status merge_common_subexpressions(Graph& graph, PassContext& context);

// What iterations would compute again and again is computed once, in front of their Loop or Scan.
Status hoist_invariants(Graph& graph, PassContext& context);

// Families of rules; each is also a pass of its own.
std::span<const Rule> folding_rules();       // nodes with constant operands
std::span<const Rule> no_op_rules();         // operators that change nothing
std::span<const Rule> reshape_rules();       // Flatten, Squeeze, Unsqueeze, chains of them
std::span<const Rule> arithmetic_rules();    // bounds, operand order, plainer elementwise operators
std::span<const Rule> pooling_rules();       // GlobalAveragePool under its other names
std::span<const Rule> broadcast_rules();     // Expand where broadcasting happens anyway
std::span<const Rule> slice_rules();         // Slice of Slice, Slice of Concat, Concat of Concat
std::span<const Rule> scale_rules();         // BatchNormalization, scale and shift into weights and bias
std::span<const Rule> pad_rules();           // Pad into the window that slides over it
std::span<const Rule> transpose_rules();     // sink and cancel
std::span<const Rule> control_flow_rules();  // If with a known condition
std::vector<Rule> all_rules();

// x in the shape of a target of facts::reshape_target, in which a 0 is a size.
Value* reshaped(Value* x, const std::vector<int64_t>& target, Rewriter& rw);

// All of the above until nothing changes.
Status simplify(Graph& graph, const FoldOptions& options, PassContext& context);
inline Status simplify(Graph& graph, PassContext& context) { return simplify(graph, {}, context); }

// The passes of this folder by name, `simplify` first.
Pipeline simplify_passes();

}  // namespace lapis
