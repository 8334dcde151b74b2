#include "codegen/lower/fuse.h"

#include <algorithm>
#include <set>

#include "base/check.h"
#include "base/hash.h"
#include "codegen/kernels/schedule.h"
#include "codegen/lower/computed_weights.h"
#include "ir/ops/ops.h"

namespace lapis::codegen {

const Value* addend_of(const Node& contraction) {
  return operand_of(contraction, row_of(contraction)->product->addend);
}

bool is_bias(const Node& contraction) {
  const Value* added = addend_of(contraction);
  if (!added || !added->is_constant()) return false;
  if (has_window(contraction)) return true;
  const bool uniform = added->constant().size() == 1;
  return factors_of(contraction).alpha == 1 &&
         (uniform || is_per_channel(added->constant().shape(), contraction.output()->type().shape(), 1));
}

ops::GemmAttrs factors_of(const Node& product) {
  return product.is(ops::Gemm) ? product.attrs<ops::GemmAttrs>() : ops::GemmAttrs{};
}

bool is_per_channel(const Shape& constant, const Shape& shape, int64_t axis) {
  if (constant.size() > shape.size()) return false;
  const size_t lead = shape.size() - constant.size();
  for (size_t i = 0; i < constant.size(); ++i)
    if (constant[i] != (static_cast<int64_t>(i + lead) == axis ? shape[i + lead] : 1)) return false;
  return lead <= static_cast<size_t>(axis);
}

namespace {

constexpr int kMostNodes = 128;    // computed in one region: compilers take more than linear time for a body
constexpr int kMostEpilogue = 32;  // nodes behind a contraction

struct HashOfOperations {
  size_t operator()(const std::vector<Instr>& program) const {
    Hasher h;
    for (const Instr& i : program) {
      h.add(static_cast<uint64_t>(i.op) << 32 | static_cast<uint64_t>(i.type));
      h.add(static_cast<uint64_t>(i.args[0]) << 32 ^ static_cast<uint64_t>(i.args[1]));
    }
    return h.value();
  }
};

class Fuser {
 public:
  Fuser(const Graph& graph, const NodeForms& forms, Placements& placements,
        const std::unordered_set<const Node*>& alone)
      : graph_(graph), forms_(forms), placements_(placements), alone_(alone) {
    for (const Node* node : graph_.nodes()) order_.emplace(node, static_cast<int64_t>(order_.size()));
  }

  Regions run(bool enabled) {
    for (const Node* node : graph_.nodes()) {
      const Role role = forms_.role(*node);
      if (!claimed_.contains(node) && (role == Role::Contraction || role == Role::Loop))
        claim_chain(*node, role, enabled && !alone_.contains(node));
    }
    if (enabled)
      for (const Node* node : graph_.nodes()) inline_into_readers(*node);
    return regions();
  }

 private:
  void claim_chain(const Node& anchor, Role role, bool fused) {
    FusedRegion region{&anchor, &forms_.of(anchor), {}};
    if (fused) region.chain = chain_behind(anchor, role);
    claimed_[&anchor] = &anchor;
    for (const Node* node : region.chain) claimed_[node] = &anchor;
    sizes_[&anchor] = 1 + static_cast<int>(region.chain.size());
    anchored_[region.last()] = region;
  }

  // Grows while all readers of what is computed so far are elementwise nodes of the same shape whose other operands are
  // at hand: x may be read twice, by Sigmoid and by the Mul behind it. Cut back to the last node at which one value
  // leaves the chain.
  std::vector<const Node*> chain_behind(const Node& anchor, Role role) {
    Chain chain{{}, {{anchor.output(), 0}}, start_of_epilogue(anchor, role)};
    chain.values.begin()->second = static_cast<int>(chain.epilogue.instrs.size()) - 1;
    std::set<std::pair<int64_t, const Node*>>
        waiting;  // readers that are not in the chain yet, in the order of the graph
    size_t closed = 0;
    const size_t most = role == Role::Contraction ? kMostEpilogue : kMostNodes;
    for (const Value* value = anchor.output(); chain.nodes.size() < most;) {
      const auto apart = add_readers(*value, waiting);
      if (apart) keep_apart(*apart);
      if (apart || waiting.empty()) break;
      const Node* next = waiting.extract(waiting.begin()).value().second;
      if (role == Role::Contraction && !fits_epilogue(*next, channel_axis(anchor), chain)) break;
      chain.nodes.push_back(next);
      value = next->output();
      if (waiting.empty() && ends_chain(*next, anchor, role)) closed = chain.nodes.size();
    }
    if (chain.nodes.size() >= most) keep_apart({Apart::Why::TooMany, chain.nodes.back()->output(), &anchor});
    for (size_t i = closed; i < chain.nodes.size(); ++i)
      apart_.try_emplace(chain.nodes[i], Apart{Apart::Why::SeveralResults, nullptr, &anchor});
    chain.nodes.resize(closed);
    return chain.nodes;
  }

  // Why one of those who read the value cannot be in its chain, or nullopt.
  std::optional<Apart> add_readers(const Value& value, std::set<std::pair<int64_t, const Node*>>& waiting) const {
    if (!forms_.goes_on(value)) return border_of(value);
    for (const Use& use : value.uses()) {
      if (claimed_.contains(use.node)) return Apart{Apart::Why::OtherReader, &value, use.node};
      waiting.emplace(order_.at(use.node), use.node);
    }
    return std::nullopt;
  }

  // Why no chain goes on behind a value.
  Apart border_of(const Value& value) const {
    if (value.is_graph_output()) return {Apart::Why::Output, &value};
    for (const Use& use : value.uses())
      if (!forms_.is_scalar(*use.node)) return {Apart::Why::NotElementwise, &value, use.node};
    return {Apart::Why::OtherShape, &value};
  }

  // For all who could have been computed with what they read.
  void keep_apart(const Apart& apart) {
    LAPIS_ASSERT(apart.value, "readers are kept apart from nothing");
    for (const Use& use : apart.value->uses())
      if (forms_.is_scalar(*use.node)) apart_.try_emplace(use.node, apart);
  }

  // What the anchor itself computes behind its sum, with operands of its own: what is fused comes on top of it.
  static Program start_of_epilogue(const Node& anchor, Role role) {
    Program epilogue;
    const DType stored = anchor.output()->dtype();
    if (role != Role::Contraction) {
      epilogue.add(Op::Accumulator, stored);
      return epilogue;
    }
    const bool requantizes = row_of(anchor)->product->requantizes;
    const DType sum = requantizes ? DType::Int32 : Scalar::arithmetic(stored);
    auto in_sum = [&](int id) { return epilogue[id].type == sum ? id : epilogue.add(Op::Cast, sum, {id}); };
    int result = epilogue.add(Op::Accumulator, sum);
    if (weight_zero_point(anchor) != 0) result = epilogue.add(Op::Add, sum, {result, load(epilogue, sum)});
    if (const Value* added = addend_of(anchor); added && !is_bias(anchor))
      result = epilogue.add(Op::Add, sum, {result, in_sum(load(epilogue, added->dtype()))});
    if (!requantizes && stored != sum) epilogue.add(Op::Cast, stored, {result});
    if (!requantizes) return epilogue;
    const int real = epilogue.add(Op::Cast, DType::Float32, {result});
    const int scaled = epilogue.add(Op::Mul, DType::Float32, {real, load(epilogue, DType::Float32)});
    Instr quantize{Op::Quantize, anchor.output()->dtype(), {scaled, -1, -1}};
    quantize.imm = 1;
    epilogue.add(quantize);
    return epilogue;
  }

  // A load of its own: no two share a slot while their views are not known.
  static int load(Program& program, DType type) {
    return program.add({Op::Load, type, {-1, -1, -1}, static_cast<int32_t>(program.instrs.size())});
  }

  // A result that widens is computed in place by its reader, if it has one, from fewer bytes. A kernel stores some
  // types only, and vectors of channels.
  bool ends_chain(const Node& node, const Node& anchor, Role role) {
    const Value& result = *node.output();
    if (widens(node) && !result.is_graph_output()) return false;
    return role != Role::Contraction ||
           (kernels::epilogue_stores(result.dtype()) && placements_.of(result).dense_along(channel_axis(anchor)));
  }

  static bool widens(const Node& node) {
    return row_of(node)->recompute && bit_width(node.output()->dtype()) > bit_width(node.input(0)->dtype());
  }

  // What is computed behind an anchor so far.
  struct Chain {
    std::vector<const Node*> nodes;
    std::unordered_map<const Value*, int> values;  // the anchor's and the nodes' results as instructions
    Program epilogue;                              // of contractions
  };

  // Translates `node` tentatively to see whether the kernels' epilogue can compute every instruction of it.
  bool fits_epilogue(const Node& node, int64_t axis, Chain& chain) {
    Program trial = chain.epilogue;
    bool fits = true;
    auto operand = [&](size_t i) -> int {
      const auto known = chain.values.find(node.input(i));
      return known != chain.values.end() ? known->second : epilogue_operand(node, i, axis, trial, fits);
    };
    const int result = translate(node, trial, operand);
    if (!fits || !is_supported(trial.instrs)) {
      apart_.try_emplace(&node, Apart{fits ? Apart::Why::Instruction : Apart::Why::Operand});
      return false;
    }
    chain.values[node.output()] = result;
    chain.epilogue = std::move(trial);
    return true;
  }

  // Layers repeat: what was asked of the kernels once is known.
  bool is_supported(const std::vector<Instr>& epilogue) {
    const auto [known, is_new] = supported_.try_emplace(epilogue);
    if (is_new) known->second = kernels::epilogue_supports(epilogue);
    return known->second;
  }

  int epilogue_operand(const Node& node, size_t i, int64_t axis, Program& trial, bool& fits) {
    const Value* v = node.input(i);
    if (const auto scalar = scalar_constant(v)) return trial.constant(v->dtype(), *scalar);
    if (is_table(node, i)) return load(trial, v->dtype());
    const Shape shape = node.output()->type().shape();
    const bool per_channel = v->is_constant() && per_channel_constant(node, i, shape, axis);
    const bool cheap = v->producer() && is_cheap(*v->producer());
    const Value* loaded = cheap ? v->producer()->input(0) : v;  // it may come to be inlined into the epilogue
    fits = fits && (per_channel || (per_element(*v, shape, axis) && placements_.of(*loaded).dense_along(axis)));
    int id = load(trial, loaded->dtype());
    if (loaded != v)
      id = translate(*v->producer(), trial, [&](size_t k) { return k == 0 ? id : trial.constant(DType::Float32, 0); });
    return id;
  }

  // Parameters lie along their axis, other operands broadcast.
  static bool per_channel_constant(const Node& node, size_t i, const Shape& shape, int64_t axis) {
    const Shape& parameter = node.input(i)->constant().shape();
    const bool vector = parameter.size() == 1 && parameter[0] == shape[static_cast<size_t>(axis)];
    if (const auto along = row_of(node)->parameter_axis) return vector && along(node) == axis;
    return is_per_channel(parameter, shape, axis);
  }

  // Full-shaped, and a kernel can load vectors of its channels.
  bool per_element(const Value& v, const Shape& shape, int64_t axis) {
    return !v.is_constant() && v.type().shape() == shape && placements_.of(v).dense_along(axis);
  }

  // Recomputing it costs less than storing it: one instruction or two on fewer bytes.
  bool is_cheap(const Node& node) const {
    const OpLowering* row = row_of(node);
    return forms_.is_scalar(node) && row->recompute && row->recompute(node);
  }

  // A node is computed in place if all its readers can, and none of their regions becomes too large.
  void inline_into_readers(const Node& node) {
    sizes_.try_emplace(&node, 1);
    if (!may_inline(node)) return;
    const int size = sizes_.at(&node);
    for (const Use& use : node.output()->uses())
      if (size_of_region(*use.node) + size > kMostNodes) return;
    for (const Use& use : node.output()->uses()) size_of_region(*use.node) += size;
    inlined_.insert(&node);
  }

  // Nodes computed in the region of `node` so far.
  int& size_of_region(const Node& node) {
    const auto anchor = claimed_.find(&node);
    return sizes_.try_emplace(anchor == claimed_.end() ? &node : anchor->second, 1).first->second;
  }

  bool may_inline(const Node& node) const {
    if (!forms_.is_scalar(node) || claimed_.contains(&node)) return false;
    const Value* value = node.output();
    if (value->is_graph_output() || value->uses().empty()) return false;
    if (value->uses().size() > 1 && !is_cheap(node)) return false;
    return std::all_of(value->uses().begin(), value->uses().end(),
                       [&](const Use& use) { return accepts_inlined(use, node); });
  }

  bool accepts_inlined(const Use& use, const Node& producer) const {
    const Node& user = *use.node;
    const Form* form = forms_.find(user);
    if (!form) return false;
    switch (form->role) {
      case Role::Scalar: {
        if (user.output()->type().shape() != producer.output()->type().shape()) return false;
        if (claimed_.contains(&user)) return in_loop_chain(user) || is_cheap(producer);
        return !(is_cheap(user) && read_by_epilogue(*user.output()));  // epilogues compute one node in place, not two
      }
      case Role::Loop: return in_mask(row_of(user)->inlined, use.index);
      default: return false;
    }
  }

  bool in_loop_chain(const Node& user) const {
    const auto anchor = claimed_.find(&user);
    return anchor != claimed_.end() && anchor->second != &user && forms_.role(*anchor->second) == Role::Loop;
  }
  bool read_by_epilogue(const Value& value) const {
    return std::any_of(value.uses().begin(), value.uses().end(), [&](const Use& use) {
      const auto anchor = claimed_.find(use.node);
      return anchor != claimed_.end() && forms_.role(*anchor->second) == Role::Contraction;
    });
  }

  Regions regions() {
    Regions regions;
    for (const Node* node : graph_.nodes()) {
      const auto last = anchored_.find(node);
      if (last != anchored_.end())
        regions.push_back(last->second);
      else if (claimed_.contains(node) || inlined_.contains(node))
        placements_.drop(*node->output());
      else
        regions.push_back({node, &forms_.of(*node), {}, why_apart(*node)});
    }
    return regions;
  }

  // Of a node that begins a region of its own.
  std::optional<Apart> why_apart(const Node& node) const {
    if (!forms_.is_scalar(node)) return std::nullopt;
    if (const auto known = apart_.find(&node); known != apart_.end()) return known->second;
    for (const Value* v : node.inputs())
      if (v && v->producer() && forms_.is_scalar(*v->producer())) return why_not_inlined(*v, node);
    return std::nullopt;
  }

  // Why what computes a value is not computed in place in the region of one of its readers.
  std::optional<Apart> why_not_inlined(const Value& value, const Node& reader) const {
    if (inlined_.contains(value.producer())) return std::nullopt;
    if (value.is_graph_output()) return Apart{Apart::Why::Output, &value};
    if (value.uses().size() > 1) return Apart{Apart::Why::ComputedOnce, &value};
    if (value.type().shape() != reader.output()->type().shape()) return Apart{Apart::Why::OtherShape, &value};
    return Apart{Apart::Why::TooMany, &value, value.producer()};
  }

  const Graph& graph_;
  const NodeForms& forms_;
  Placements& placements_;
  const std::unordered_set<const Node*>& alone_;
  std::unordered_map<const Node*, int64_t> order_;         // in the graph
  std::unordered_map<const Node*, const Node*> claimed_;   // by anchors and their chains, to the anchor
  std::unordered_map<const Node*, FusedRegion> anchored_;  // by last node
  std::unordered_map<const Node*, int> sizes_;             // nodes computed in one region, by its anchor
  std::unordered_set<const Node*> inlined_;
  std::unordered_map<const Node*, Apart> apart_;
  std::unordered_map<std::vector<Instr>, bool, HashOfOperations> supported_;
};

}  // namespace

Regions fuse(const Graph& graph, const NodeForms& forms, Placements& placements, bool enabled,
             const std::unordered_set<const Node*>& alone) {
  return Fuser(graph, forms, placements, alone).run(enabled);
}

}  // namespace lapis::codegen
