// cse: two pure nodes with the same operator, attributes and operands compute the same; the later one becomes the
// earlier one.
// Equal constants are merged first, so that operands compare by identity. Subgraphs are searched on their own: a
// branch may not run,
// so nothing is shared between it and its surroundings.
#include <algorithm>

#include "base/flat_table.h"
#include "base/hash.h"
#include "ir/ops/ops.h"
#include "ir/structure.h"
#include "passes/simplify/simplify.h"

namespace lapis {
namespace {

// The first item that is the same; `item` itself if there is none.
template <class T, class Same> T* first_of(FlatTable<T>& seen, uint64_t hash, T* item, const Same& same) {
  if (T* const first = seen.find(hash, same)) return first;
  seen.insert(hash, item);
  return item;
}

// Enough to tell constants apart; equality is then checked in full. Hashing all bytes of large weights would cost more
// than it saves.
uint64_t sample_hash(const Tensor& tensor) {
  constexpr int64_t kSample = 256;
  if (tensor.dtype() == DType::String || tensor.bytes() <= 2 * kSample) return tensor.hash();
  Hasher h;
  h.add(static_cast<uint64_t>(tensor.dtype()));
  for (int64_t d : tensor.shape()) h.add(static_cast<uint64_t>(d));
  h.add_bytes(tensor.raw(), kSample);
  h.add_bytes(tensor.raw() + tensor.bytes() / 2, kSample);
  return h.value();
}

void merge_constants(Graph& graph) {
  FlatTable<Value> seen;
  for (Value* constant : graph.constants()) {
    if (constant->is_graph_output()) continue;
    Value* const twin = first_of(seen, sample_hash(constant->constant()), constant,
                                 [&](const Value& other) { return other.constant() == constant->constant(); });
    if (twin != constant) graph.replace_all_uses(constant, twin);
  }
  graph.erase_unused_constants();
}

// Operands in an order that does not matter for the operator. Of three or more the order does: (a + b) + c is not a +
// (b + c).
std::vector<Value*> operands_of(const Node& node) {
  std::vector<Value*> operands = node.inputs();
  while (!operands.empty() && !operands.back()) operands.pop_back();
  if (node.op().has(Trait::Commutative) && operands.size() == 2) std::sort(operands.begin(), operands.end());
  return operands;
}

uint64_t hash_of(const Node& node) {
  Hasher h;
  h.add(reinterpret_cast<uintptr_t>(&node.op()));
  h.add(hash_of(node.attributes()));
  for (const Value* v : operands_of(node)) h.add(reinterpret_cast<uintptr_t>(v));
  return h.value();
}

// Present outputs of `later` must exist in `earlier`.
bool computes_same(const Node& earlier, const Node& later) {
  if (&earlier.op() != &later.op() || operands_of(earlier) != operands_of(later) ||
      !same(earlier.attributes(), later.attributes()))
    return false;
  for (size_t i = 0; i < later.outputs().size(); ++i)
    if (later.output(i) && !earlier.output(i)) return false;
  return true;
}

void replace(Node& later, const Node& earlier, PassContext& context) {
  std::vector<Rewriter::Replacement> replacements;
  for (size_t i = 0; i < later.outputs().size(); ++i)
    if (later.output(i) && !later.output(i)->unused()) replacements.push_back({later.output(i), earlier.output(i)});
  Rewriter(later, "cse", &context.explain).replace(replacements);
}

void merge_nodes(Graph& graph, PassContext& context) {
  FlatTable<Node> seen;
  for (Node* node : graph.nodes()) {
    for (Graph* subgraph : node->subgraphs()) merge_nodes(*subgraph, context);
    if (!node->op().has(Trait::Pure) || !node->subgraphs().empty() || node->is(ops::Identity)) continue;
    const Node* const twin =
        first_of(seen, hash_of(*node), node, [&](const Node& other) { return computes_same(other, *node); });
    if (twin != node) replace(*node, *twin, context);
  }
}

}  // namespace

Status merge_common_subexpressions(Graph& graph, PassContext& context) {
  if (context.disabled_rules.contains("cse")) return ok();
  for_each_graph(graph, merge_constants);
  merge_nodes(graph, context);
  return ok();
}

}  // namespace lapis
