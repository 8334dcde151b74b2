// Functions of one byte between integers: 256 values say all that there is to know of them.
#include <algorithm>
#include <numeric>
#include <optional>
#include <set>
#include <unordered_map>

#include "ir/ops/attributes.h"
#include "ir/ops/data_attributes.h"
#include "ir/ops/ops.h"
#include "passes/quantize/integer.h"

namespace lapis {
namespace {

constexpr size_t kMostNodes = 32;

bool is_byte(const Value* v) { return v->type().is_tensor() && is_quantized_storage(v->dtype()); }
bool is_number(const Value* v) { return v->is_constant() && v->constant().size() == 1; }

// Elementwise nodes of one shape from one value of bytes to another, in the order of the graph.
struct ByteFunction {
  Value* x = nullptr;
  std::vector<const Node*> nodes;
};

// Its element depends on elements of one shape and on numbers.
bool is_plain(const Node& node, const Type& shaped) {
  const bool quantizes = node.is(ops::QuantizeLinear) || node.is(ops::DequantizeLinear);  // by numbers: elementwise too
  if ((!quantizes && !node.op().has(Trait::Elementwise)) || !node.op().has(Trait::Pure) || node.outputs().size() != 1)
    return false;
  return std::ranges::all_of(node.inputs(), [&](const Value* v) {
    return !v || is_number(v) || (!v->is_constant() && v->type().is_static() && v->type().shape() == shaped.shape());
  });
}

// Grows from the quantizer towards its operands, always by the latest value that it reads, until all is computed from
// one byte. What others read as well is computed again: in a table that costs nothing.
std::optional<ByteFunction> function_behind(const Node& quantize,
                                            const std::unordered_map<const Node*, size_t>& order) {
  auto latest_first = [&](const Value* a, const Value* b) {
    auto at = [&](const Value* v) { return v->producer() ? order.at(v->producer()) + 1 : 0; };
    return at(a) != at(b) ? at(a) > at(b) : a < b;
  };
  std::set<Value*, decltype(latest_first)> open(latest_first);
  ByteFunction function;
  for (const Node* node = &quantize; function.nodes.size() < kMostNodes;) {
    if (!is_plain(*node, quantize.output()->type())) return std::nullopt;
    function.nodes.insert(function.nodes.begin(), node);
    for (Value* v : node->inputs())
      if (v && !v->is_constant()) open.insert(v);
    if (open.empty()) return std::nullopt;
    function.x = *open.begin();
    if (open.size() == 1 && is_byte(function.x)) return function;
    node = function.x->producer();
    if (!node) return std::nullopt;
    open.erase(open.begin());
  }
  return std::nullopt;
}

// All bytes in the order of their bits: element b of a table belongs to the byte b, signed or not.
Tensor all_bytes(DType type) {
  Tensor bytes(type, {256});
  auto* raw = reinterpret_cast<uint8_t*>(bytes.mutable_raw());
  std::iota(raw, raw + 256, uint8_t{0});
  return bytes;
}

Result<Tensor> table_of(const ByteFunction& function) {
  std::unordered_map<const Value*, Tensor> known = {{function.x, all_bytes(function.x->dtype())}};
  for (const Node* node : function.nodes) {
    std::vector<Tensor> operands;
    for (const Value* v : node->inputs())
      operands.push_back(!v ? Tensor() : v->is_constant() ? v->constant().reshaped({}) : known.at(v));
    LAPIS_TRY(known[node->output()], evaluate_op(node->op(), std::move(operands), node->attributes()));
  }
  return known.at(function.nodes.back()->output());
}

bool has_function(const ByteFunction& function) {
  return std::ranges::any_of(function.nodes, [](const Node* node) { return !is_exact_elementwise(*node); });
}

// Q(f(DQ x)) with a byte x => Gather(table, Cast(x)): exact, whatever f is.
// Where f is arithmetic only, registers are as good a place. The nodes that only the function's result needs.
std::set<const Node*> private_nodes(const ByteFunction& function) {
  std::set<const Node*> found = {function.nodes.back()};
  for (auto node = std::next(function.nodes.rbegin()); node != function.nodes.rend(); ++node) {
    const Value& v = *(*node)->output();
    auto inside = [&](const Use& use) { return found.contains(use.node); };
    if (!v.is_graph_output() && std::ranges::all_of(v.uses(), inside)) found.insert(*node);
  }
  return found;
}

// The nodes that the table replaces, which are gone.
std::set<const Node*> tabulate(Node& quantize, const std::unordered_map<const Node*, size_t>& order,
                               const PassContext& context) {
  const std::optional<ByteFunction> function = function_behind(quantize, order);
  if (!function || !has_function(*function)) return {};
  const std::set<const Node*> replaced = private_nodes(*function);
  Rewriter rw(quantize, kByteTableRule, &context.explain);
  Value& y = *quantize.output();
  const Result<Tensor> table = table_of(*function);
  if (!table.ok()) {
    rw.skip(y, "it cannot be evaluated: " + table.diagnostics().front().message);
    return {};
  }
  Value* index = rw.add(ops::Cast, {function->x}, ops::CastAttrs{.to = static_cast<int64_t>(DType::Int32)});
  Value* found = rw.add(ops::Gather, {rw.constant(*table), index}, ops::AxisAttrs{.axis = 0});
  return rw.replace(y, found) ? replaced : std::set<const Node*>();
}

}  // namespace

void tabulate_byte_functions(Graph& graph, const PassContext& context) {
  if (context.disabled_rules.contains(kByteTableRule)) return;
  std::unordered_map<const Node*, size_t> order;
  std::vector<Node*> quantizers;
  for (Node* node : graph.nodes()) {
    order.emplace(node, order.size());
    if (node->is(ops::QuantizeLinear) && is_byte(node->output())) quantizers.push_back(node);
  }
  // From the end: what computes a part of another function goes with it.
  std::set<const Node*> gone;
  for (auto node = quantizers.rbegin(); node != quantizers.rend(); ++node) {
    if (gone.contains(*node)) continue;
    gone.merge(tabulate(**node, order, context));
  }
}

}  // namespace lapis
