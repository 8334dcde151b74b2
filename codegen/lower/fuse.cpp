#include "codegen/lower/fuse.h"

#include <algorithm>
#include <map>

#include "codegen/kernels/schedule.h"
#include "codegen/lower/layout.h"
#include "codegen/lower/scalar.h"
#include "ir/op.h"
#include "ir/ops/attributes.h"
#include "ir/ops/data_attributes.h"
#include "ir/ops/ops.h"

namespace lapis::codegen {
namespace {

bool is_any(const Node& node, std::initializer_list<const OpDef*> ops) {
  return std::any_of(ops.begin(), ops.end(), [&](const OpDef* op) { return node.is(*op); });
}

Diagnostic refuse(std::string reason, std::string help = {}) {
  return error(ErrorKind::Unsupported, std::move(reason)).help(std::move(help));
}

std::string name_of_operand(const Node& node, size_t i) {
  return "operand '" + std::string(node.op().input(i).name) + "'";
}

bool all_zero(const Tensor& t) {
  for (int64_t i = 0; i < t.size(); ++i)
    if (t.as_double(i) != 0) return false;
  return true;
}

bool zero_or_absent(const Value* v) { return !v || (v->is_constant() && all_zero(v->constant())); }
bool constant_scalar_or_absent(const Value* v) { return !v || scalar_constant(v).has_value(); }

// Each of these operands, where it is there, is one constant number.
Status constant_scalars(const Node& node, std::initializer_list<size_t> which) {
  for (size_t i : which)
    if (!constant_scalar_or_absent(node.input(i)))
      return refuse(name_of_operand(node, i) + " is not one constant number");
  return ok();
}

Result<Lowered> convolution(const Node& node) {
  const bool qlinear = node.is(ops::QLinearConv);
  const Value *x = node.input(0), *weights = node.input(qlinear ? 3 : 1);
  if (!weights->is_constant()) return refuse("the weights are not constant");
  const bool floating = x->dtype() == DType::Float32 && weights->dtype() == DType::Float32;
  const bool integer = is_quantized_storage(x->dtype()) && weights->dtype() == DType::Int8;
  if (!floating && !integer)
    return refuse("no kernel for " + std::string(name_of(x->dtype())) + " x " + std::string(name_of(weights->dtype())) +
                  " weights");
  if (floating) return Lowered::Contraction;
  if (!zero_or_absent(node.input(qlinear ? 5 : 3))) return refuse("weights with a zero point other than 0");
  if (!qlinear) {
    LAPIS_CHECK(constant_scalars(node, {2}));
    return Lowered::Contraction;
  }
  LAPIS_CHECK(constant_scalars(node, {1, 2, 6, 7}));
  if (!node.input(4)->is_constant()) return refuse("the scales of the weights are not constant");
  return Lowered::Contraction;
}

bool has_product_loop(DType type) {
  return allows(kFloats | types(DType::Int32, DType::Int64, DType::UInt32, DType::UInt64), type);
}

// Constant weights go to the packed kernel; everything else is a loop.
Result<Lowered> float_product(const Node& node) {
  const Value *x = node.input(0), *w = node.input(1);
  if (node.is(ops::Gemm) && is_integer(x->dtype())) {
    const auto a = node.attrs<ops::GemmAttrs>();
    if (a.alpha != 1 || a.beta != 1) return refuse("alpha or beta other than 1 on integers");
  }
  const bool matrix = w->is_constant() && w->type().rank() == 2 && x->type().rank() >= 2;
  if (matrix && x->dtype() == DType::Float32) return Lowered::Contraction;
  if (!has_product_loop(x->dtype())) return refuse("products of " + std::string(name_of(x->dtype())));
  return Lowered::Loop;
}

Result<Lowered> integer_product(const Node& node) {
  const Value *x = node.input(0), *w = node.input(1);
  const bool matrix = w->is_constant() && w->type().rank() == 2 && x->type().rank() >= 2;
  const bool int8_kernel = matrix && is_quantized_storage(x->dtype()) && w->dtype() == DType::Int8 &&
                           zero_or_absent(node.input(3)) && constant_scalar_or_absent(node.input(2));
  if (int8_kernel) return Lowered::Contraction;
  LAPIS_CHECK(constant_scalars(node, {2, 3}));
  return Lowered::Loop;
}

Result<Lowered> qlinear_product(const Node& node) {
  LAPIS_CHECK(constant_scalars(node, {1, 2, 6, 7}));
  for (size_t i : {4, 5})
    if (!node.input(i)->is_constant()) return refuse(name_of_operand(node, i) + " is not constant");
  return refuse("there is code for its parts only", "the pass `integer` makes a MatMulInteger of it");
}

Result<Lowered> constant_operands(const Node& node, std::initializer_list<size_t> which, Lowered kind) {
  for (size_t i : which)
    if (node.input(i) && !node.input(i)->is_constant()) return refuse(name_of_operand(node, i) + " is not constant");
  return kind;
}

Result<Lowered> pool(const Node& node) {
  if (node.output(1)) return refuse("the second output (indices)");
  return Lowered::Loop;
}

Result<Lowered> pad(const Node& node) {
  const std::string mode = node.attrs<ops::PadAttrs>().mode;
  if (mode != "constant") return refuse("mode '" + mode + "'");
  return constant_operands(node, {1, 2, 3}, Lowered::Movement);
}

Result<Lowered> layer_normalization(const Node& node) {
  if (node.output(1) || node.output(2)) return refuse("the outputs Mean and InvStdDev");
  return Lowered::Loop;
}

Result<Lowered> gather(const Node& node) {
  const Shape data = node.input(0)->type().shape();
  if (element_count(data) == 0 && element_count(node.output()->type().shape()) != 0)
    return refuse("every index is out of range, because its data has no elements");
  return Lowered::Loop;
}

bool has_elements_in_code(DType type) {
  return visit_dtype(type, [](auto) {});
}

Status check_values(const Node& node) {
  for (const std::vector<Value*>& values : {node.inputs(), node.outputs()})
    for (const Value* v : values) {
      if (!v) continue;
      const std::string type = v->type().to_string();
      if (!v->type().is_tensor()) return refuse("values of type " + type);
      if (!v->type().is_static())
        return refuse("the shape of '" + v->name() + "', " + type + ", is not known when compiling");
      if (!has_elements_in_code(v->dtype())) return refuse("tensors of " + std::string(name_of(v->dtype())));
    }
  return ok();
}

}  // namespace

Result<Lowered> lowered_as(const Node& node) {
  LAPIS_CHECK(check_values(node));
  if (!node.op().domain.empty()) return refuse("operators of domain '" + std::string(node.op().domain) + "'");
  if (is_convolution(node)) return convolution(node);
  if (is_any(node, {&ops::Gemm, &ops::MatMul})) return float_product(node);
  if (node.is(ops::MatMulInteger)) return integer_product(node);
  if (node.is(ops::QLinearMatMul)) return qlinear_product(node);
  if (is_any(node, {&ops::MaxPool, &ops::AveragePool})) return pool(node);
  if (node.is(ops::LayerNormalization)) return layer_normalization(node);
  if (node.is(ops::Gather)) return gather(node);
  if (is_any(node, {&ops::Softmax, &ops::LogSoftmax, &ops::GlobalAveragePool, &ops::GlobalMaxPool,
                    &ops::InstanceNormalization}))
    return Lowered::Loop;
  if (node.op().has(Trait::Reduction) && node.op().name.starts_with("Reduce"))
    return constant_operands(node, {1}, Lowered::Loop);
  if (is_any(node, {&ops::Reshape, &ops::Expand, &ops::Squeeze, &ops::Unsqueeze, &ops::Split}))
    return constant_operands(node, {1}, Lowered::View);
  if (is_any(node, {&ops::Transpose, &ops::Flatten})) return Lowered::View;
  if (node.is(ops::Slice)) return constant_operands(node, {1, 2, 3, 4}, Lowered::View);
  if (node.is(ops::Pad)) return pad(node);
  if (node.is(ops::Tile)) return constant_operands(node, {1}, Lowered::Movement);
  if (is_any(node, {&ops::Concat, &ops::DepthToSpace, &ops::SpaceToDepth})) return Lowered::Movement;
  if (is_scalar(node)) return Lowered::Scalar;
  return refuse("no code generation for this operator or its element types yet");
}

int64_t channel_axis(const Node& contraction) {
  return is_convolution(contraction) ? 1 : contraction.output()->type().rank() - 1;
}

const Value* addend_of(const Node& contraction) {
  if (contraction.is(ops::QLinearConv)) return contraction.input(8);
  return contraction.is(ops::Conv) || contraction.is(ops::Gemm) ? contraction.input(2) : nullptr;
}

bool is_bias(const Node& contraction) {
  const Value* added = addend_of(contraction);
  if (!added || !added->is_constant()) return false;
  if (!contraction.is(ops::Gemm)) return true;
  const bool uniform = added->constant().size() == 1;
  return contraction.attrs<ops::GemmAttrs>().alpha == 1 &&
         (uniform || is_per_channel(added->constant().shape(), contraction.output()->type().shape(), 1));
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

class Fuser {
 public:
  Fuser(const Graph& graph, bool enabled, const std::unordered_set<const Node*>& alone)
      : graph_(graph), enabled_(enabled), alone_(alone), outputs_(graph.outputs().begin(), graph.outputs().end()) {}

  Result<Fusion> run() {
    LAPIS_CHECK(classify());
    for (const Node* node : graph_.nodes()) {
      const Lowered kind = kinds_.at(node);
      if (!claimed_.contains(node) && (kind == Lowered::Contraction || kind == Lowered::Loop)) claim_chain(*node, kind);
    }
    if (enabled_)
      for (const Node* node : graph_.nodes()) inline_into_readers(*node);
    collect_regions();
    return std::move(fusion_);
  }

 private:
  struct Refused {
    std::vector<std::string> names;
    std::string help;
  };

  // Every node must be lowerable; those that are not are reported together, one diagnostic per operator and reason.
  Status classify() {
    std::map<std::pair<std::string, std::string>, Refused> refused;
    for (const Node* node : graph_.nodes()) {
      Result<Lowered> kind = lowered_as(*node);
      if (kind.ok()) {
        kinds_[node] = *kind;
        continue;
      }
      const Diagnostic& why = kind.diagnostics().front();
      Refused& group = refused[{std::string(node->op().name), why.message}];
      group.names.push_back(node->origin());
      group.help = why.hint;
    }
    Diagnostics diagnostics;
    for (const auto& [key, group] : refused) diagnostics.push_back(report(key.first, key.second, group));
    return status_of(std::move(diagnostics));
  }

  Diagnostic report(const std::string& op, const std::string& reason, const Refused& group) const {
    std::string list;
    for (size_t i = 0; i < std::min<size_t>(group.names.size(), 4); ++i)
      list += (i ? ", " : "") + ("'" + group.names[i] + "'");
    if (group.names.size() > 4) list += ", ...";
    const std::string help =
        group.help.empty() ? "`lapis run --backend=reference` evaluates the model without compiling it" : group.help;
    return error(ErrorKind::Unsupported,
                 "cannot compile " + std::to_string(group.names.size()) + " x " + op + ": " + reason)
        .at(graph_.name())
        .note("nodes " + list)
        .help(help);
  }

  // Its only reader in this graph, or null.
  const Node* only_reader(const Value* value) const {
    const bool once = value->uses().size() == 1 && !outputs_.contains(value);
    return once && &value->uses()[0].node->graph() == &graph_ ? value->uses()[0].node : nullptr;
  }

  // Grows the chain while the value has one reader, an elementwise node of the same shape whose other operands are at hand.
  void claim_chain(const Node& anchor, Lowered kind) {
    claimed_[&anchor] = &anchor;
    Program epilogue = start_of_epilogue(anchor, kind);
    FusedRegion region{&anchor, kind, {}};
    const size_t most = kind == Lowered::Contraction ? kMostEpilogue : kMostNodes;
    while (enabled_ && !alone_.contains(&anchor) && region.chain.size() < most) {
      const Value* value = region.result();
      const Node* next = only_reader(value);
      if (!next || kinds_.at(next) != Lowered::Scalar || claimed_.contains(next) ||
          next->output()->type().shape() != value->type().shape())
        break;
      if (kind == Lowered::Contraction && !fits_epilogue(*next, value, channel_axis(anchor), epilogue)) break;
      region.chain.push_back(next);
      claimed_[next] = &anchor;
    }
    while (!region.chain.empty() && !ends_chain(*region.chain.back(), kind)) {
      claimed_.erase(region.chain.back());
      region.chain.pop_back();
    }
    sizes_[&anchor] = 1 + static_cast<int>(region.chain.size());
    anchored_[region.last()] = region;
  }

  // What the anchor itself computes behind its sum, with operands of its own: what is fused comes on top of it.
  static Program start_of_epilogue(const Node& anchor, Lowered kind) {
    Program epilogue;
    const bool requantizes = kind == Lowered::Contraction && anchor.is(ops::QLinearConv);
    int result = epilogue.add(Op::Accumulator, requantizes ? DType::Int32 : anchor.output()->dtype());
    if (kind != Lowered::Contraction) return epilogue;
    const DType sum = epilogue[result].type;
    if (addend_of(anchor) && !is_bias(anchor)) result = epilogue.add(Op::Add, sum, {result, load(epilogue, sum), -1});
    if (!requantizes) return epilogue;
    const int real = epilogue.add(Op::Cast, DType::Float32, {result, -1, -1});
    const int scaled = epilogue.add(Op::Mul, DType::Float32, {real, load(epilogue, DType::Float32), -1});
    Instr quantize{Op::Quantize, anchor.output()->dtype(), {scaled, -1, -1}};
    quantize.imm = 1;
    epilogue.add(quantize);
    return epilogue;
  }

  // A load of its own: no two share a slot while their views are not known.
  static int load(Program& program, DType type) {
    return program.add({Op::Load, type, {-1, -1, -1}, static_cast<int32_t>(program.instrs.size())});
  }

  // A result that widens is computed in place by its reader, from fewer bytes; not every type leaves an epilogue.
  static bool ends_chain(const Node& node, Lowered kind) {
    return !widens(node) && (kind != Lowered::Contraction || kernels::epilogue_stores(node.output()->dtype()));
  }

  static bool widens(const Node& node) {
    return is_any(node, {&ops::DequantizeLinear, &ops::Cast}) &&
           bit_width(node.output()->dtype()) > bit_width(node.input(0)->dtype());
  }

  // Translates `node` tentatively to see whether the kernels' epilogue can compute every instruction of it.
  bool fits_epilogue(const Node& node, const Value* chained, int64_t axis, Program& epilogue) {
    Program trial = epilogue;
    const size_t before = trial.instrs.size();
    bool fits = true;
    const int previous = static_cast<int>(before) - 1;
    auto operand = [&](size_t i) -> int { return epilogue_operand(node, i, chained, previous, axis, trial, fits); };
    translate(node, trial, operand);
    for (size_t i = before; fits && i < trial.instrs.size(); ++i) {
      const std::vector<Instr> earlier(trial.instrs.begin(), trial.instrs.begin() + static_cast<int64_t>(i));
      fits = kernels::epilogue_supports(trial.instrs[i], earlier);
    }
    if (fits) epilogue = std::move(trial);
    return fits;
  }

  int epilogue_operand(const Node& node, size_t i, const Value* chained, int previous, int64_t axis, Program& trial,
                       bool& fits) {
    const Value* v = node.input(i);
    if (v == chained) return previous;
    if (const auto scalar = scalar_constant(v)) return trial.constant(v->dtype(), *scalar);
    const bool per_channel = v->is_constant() && per_channel_constant(node, i, chained->type().shape(), axis);
    fits = fits && (per_channel || per_element(v, chained->type(), axis));
    const Value* loaded = v;
    if (!v->is_constant() && v->producer() && is_cheap(*v->producer()))
      loaded = v->producer()->input(0);  // inlined into the epilogue
    int id = load(trial, loaded->dtype());
    if (loaded != v)
      id = translate(*v->producer(), trial, [&](size_t k) { return k == 0 ? id : trial.constant(DType::Float32, 0); });
    return id;
  }

  // Parameters of Q/DQ and BatchNormalization lie along an axis, those of other operators broadcast.
  static bool per_channel_constant(const Node& node, size_t i, const Shape& shape, int64_t axis) {
    const Shape& parameter = node.input(i)->constant().shape();
    const bool vector = parameter.size() == 1 && parameter[0] == shape[static_cast<size_t>(axis)];
    if (is_any(node, {&ops::QuantizeLinear, &ops::DequantizeLinear})) return vector && quantization_axis(node) == axis;
    if (node.is(ops::BatchNormalization)) return vector && axis == 1;
    return is_per_channel(parameter, shape, axis);
  }

  // Full-shaped, and stored with contiguous channels once lowered; where this guess is wrong, lowering makes a copy.
  bool per_element(const Value* v, const Type& type, int64_t axis) const {
    if (v->is_constant() || v->type().shape() != type.shape()) return false;
    const Value* stored = v->producer() && is_cheap(*v->producer()) ? v->producer()->input(0) : v;
    const bool view = stored->producer() != nullptr && kinds_.at(stored->producer()) == Lowered::View;
    return !view && (axis == type.rank() - 1 || stored->producer() != nullptr);
  }

  // Recomputing it costs less than storing it: one instruction or two on fewer bytes.
  static bool is_cheap(const Node& node) {
    if (node.is(ops::DequantizeLinear))
      return scalar_constant(node.input(1)) && (!node.input(2) || scalar_constant(node.input(2))) && is_scalar(node);
    return node.is(ops::Cast) && !node.input(0)->is_constant() && widens(node) && is_scalar(node);
  }

  // A node is computed in place if all its readers can, and none of their regions becomes too large.
  void inline_into_readers(const Node& node) {
    sizes_.try_emplace(&node, 1);
    if (!may_inline(node)) return;
    const int size = sizes_.at(&node);
    for (const Use& use : node.output()->uses())
      if (size_of_region(*use.node) + size > kMostNodes) return;
    for (const Use& use : node.output()->uses()) size_of_region(*use.node) += size;
    fusion_.inlined.insert(&node);
  }

  // Nodes computed in the region of `node` so far.
  int& size_of_region(const Node& node) {
    const auto anchor = claimed_.find(&node);
    return sizes_.try_emplace(anchor == claimed_.end() ? &node : anchor->second, 1).first->second;
  }

  bool may_inline(const Node& node) const {
    if (kinds_.at(&node) != Lowered::Scalar || claimed_.contains(&node)) return false;
    const Value* value = node.output();
    if (outputs_.contains(value) || value->uses().empty()) return false;
    if (value->uses().size() > 1 && !is_cheap(node)) return false;
    return std::all_of(value->uses().begin(), value->uses().end(),
                       [&](const Use& use) { return accepts_inlined(use, node); });
  }

  bool accepts_inlined(const Use& use, const Node& producer) const {
    const Node& user = *use.node;
    if (!kinds_.contains(&user)) return false;
    switch (kinds_.at(&user)) {
      case Lowered::Scalar: {
        if (user.output()->type().shape() != producer.output()->type().shape()) return false;
        if (claimed_.contains(&user)) return in_loop_chain(user) || is_cheap(producer);
        return !(is_cheap(user) && read_by_epilogue(*user.output()));  // epilogues compute one node in place, not two
      }
      case Lowered::Loop: return use.index == 0 && inlines_first_operand(user);
      default: return false;
    }
  }

  bool in_loop_chain(const Node& user) const {
    const auto anchor = claimed_.find(&user);
    return anchor != claimed_.end() && anchor->second != &user && kinds_.at(anchor->second) == Lowered::Loop;
  }
  bool read_by_epilogue(const Value& value) const {
    return std::any_of(value.uses().begin(), value.uses().end(), [&](const Use& use) {
      const auto anchor = claimed_.find(use.node);
      return anchor != claimed_.end() && kinds_.at(anchor->second) == Lowered::Contraction;
    });
  }

  // Loops that read each element of their first operand a fixed small number of times.
  static bool inlines_first_operand(const Node& node) {
    return node.op().name.starts_with("Reduce") ||
           is_any(node, {&ops::GlobalAveragePool, &ops::GlobalMaxPool, &ops::Softmax, &ops::LogSoftmax,
                         &ops::LayerNormalization, &ops::InstanceNormalization});
  }

  void collect_regions() {
    for (const Node* node : graph_.nodes()) {
      if (const auto it = anchored_.find(node); it != anchored_.end())
        fusion_.regions.push_back(it->second);
      else if (!claimed_.contains(node) && !fusion_.inlined.contains(node))
        fusion_.regions.push_back({node, kinds_.at(node), {}});
    }
  }

  const Graph& graph_;
  const bool enabled_;
  const std::unordered_set<const Node*>& alone_;
  const std::unordered_set<const Value*> outputs_;
  std::unordered_map<const Node*, Lowered> kinds_;
  std::unordered_map<const Node*, const Node*> claimed_;   // by anchors and their chains, to the anchor
  std::unordered_map<const Node*, FusedRegion> anchored_;  // by last node
  std::unordered_map<const Node*, int> sizes_;             // nodes computed in one region, by its anchor
  Fusion fusion_;
};

}  // namespace

int64_t quantization_axis(const Node& node) {
  const int64_t axis = node.is(ops::QuantizeLinear) ? node.attrs<ops::QuantizeLinearAttrs>().axis
                                                    : node.attrs<ops::DequantizeLinearAttrs>().axis;
  return axis < 0 ? axis + node.output()->type().rank() : axis;
}

Result<Fusion> fuse(const Graph& graph, bool enabled, const std::unordered_set<const Node*>& alone) {
  return Fuser(graph, enabled, alone).run();
}

}  // namespace lapis::codegen
