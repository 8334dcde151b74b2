#include "codegen/lower/fuse.h"

#include <algorithm>
#include <map>

#include "codegen/kernels/schedule.h"
#include "codegen/lower/scalar.h"
#include "ir/op.h"

namespace lapis::codegen {
namespace {

bool is_any(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

Diagnostic refuse(std::string reason) { return error(ErrorKind::Unsupported, std::move(reason)); }

bool all_zero(const Tensor& t) {
  for (int64_t i = 0; i < t.size(); ++i)
    if (t.as_double(i) != 0) return false;
  return true;
}

bool zero_or_absent(const Value* v) { return !v || (v->is_constant() && all_zero(v->constant())); }
bool constant_scalar_or_absent(const Value* v) { return !v || scalar_constant(v).has_value(); }

Result<Lowered> convolution(const Node& node) {
  const bool qlinear = node.op().name == "QLinearConv";
  const Value* weights = node.input(qlinear ? 3 : 1);
  if (!weights->is_constant()) return refuse("the weights are not constant");
  const bool floating = node.input(0)->dtype() == DType::Float32 && weights->dtype() == DType::Float32;
  const bool integer = is_quantized_storage(node.input(0)->dtype()) && weights->dtype() == DType::Int8;
  if (!floating && !integer)
    return refuse("no kernel for " + std::string(name_of(node.input(0)->dtype())) + " x " +
                  std::string(name_of(weights->dtype())) + " weights");
  if (integer && !zero_or_absent(node.input(qlinear ? 5 : 3))) return refuse("weights with a zero point other than 0");
  if (integer && !constant_scalar_or_absent(node.input(2)))
    return refuse("the input's zero point is not a constant scalar");
  if (qlinear && !(scalar_constant(node.input(1)) && node.input(4)->is_constant() && scalar_constant(node.input(6)) &&
                   scalar_constant(node.input(7))))
    return refuse("scales or zero points are not constant");
  const Value* bias = node.input(qlinear ? 8 : (floating ? 2 : 9));
  if (bias && !bias->is_constant()) return refuse("the bias is not constant");
  return Lowered::Contraction;
}

// Constant weights go to the packed kernel; everything else is a loop.
Result<Lowered> matrix_product(const Node& node) {
  const std::string_view name = node.op().name;
  const size_t b = name == "QLinearMatMul" ? 3 : 1;
  const Value *x = node.input(0), *w = node.input(b);
  if (name == "Gemm") {
    const bool plain = attribute_or<int64_t>(node, "transA", 0) == 0 && attribute_or<float>(node, "alpha", 1) == 1 &&
                       attribute_or<float>(node, "beta", 1) == 1;
    if (!plain) return refuse("transA, alpha or beta of Gemm (run the pass `canonicalize` first)");
    if (!w->is_constant() || w->dtype() != DType::Float32)
      return refuse("Gemm with weights that are not constant float");
    const Value* c = node.input(2);
    if (c && !(c->is_constant() &&
               (c->constant().size() == 1 || c->constant().size() == node.output()->type().dim(1).value())))
      return refuse("Gemm whose C is not a constant per column");
    return Lowered::Contraction;
  }
  const bool matrix = w->is_constant() && w->type().rank() == 2 && x->type().rank() >= 2;
  if (name == "MatMul") {
    if (x->dtype() != DType::Float32) return refuse("MatMul of " + std::string(name_of(x->dtype())));
    return matrix ? Lowered::Contraction : Lowered::Loop;
  }
  if (name == "QLinearMatMul")
    return refuse("QLinearMatMul (run the pass `integer`, which turns it into MatMulInteger)");
  const bool int8_kernel = matrix && is_quantized_storage(x->dtype()) && w->dtype() == DType::Int8 &&
                           zero_or_absent(node.input(3)) && constant_scalar_or_absent(node.input(2));
  if (int8_kernel) return Lowered::Contraction;
  if (!constant_scalar_or_absent(node.input(2)) || !constant_scalar_or_absent(node.input(3)))
    return refuse("MatMulInteger with zero points that are not scalar constants");
  return Lowered::Loop;
}

Result<Lowered> constant_operands(const Node& node, std::initializer_list<size_t> which, Lowered kind) {
  for (size_t i : which)
    if (node.input(i) && !node.input(i)->is_constant())
      return refuse("operand '" + std::string(node.op().input(i).name) + "' is not constant");
  return kind;
}

Result<Lowered> pool(const Node& node) {
  if (node.output(1)) return refuse("the second output (indices)");
  if (node.op().name == "AveragePool" && node.input(0)->dtype() != DType::Float32)
    return refuse("AveragePool on integers");
  return Lowered::Loop;
}

Result<Lowered> pad(const Node& node) {
  const std::string mode = attribute_or<std::string>(node, "mode", "constant");
  if (mode != "constant") return refuse("mode '" + mode + "'");
  return constant_operands(node, {1, 2, 3}, Lowered::Movement);
}

Result<Lowered> layer_normalization(const Node& node) {
  if (node.output(1) || node.output(2)) return refuse("the outputs Mean and InvStdDev");
  return Lowered::Loop;
}

}  // namespace

Result<Lowered> lowered_as(const Node& node) {
  const std::string_view name = node.op().name;
  for (const Value* v : node.outputs())
    if (v && !v->type().is_static())
      return refuse("its shape " + v->type().to_string() +
                    " is not known when compiling (bind the symbols with --dim or --shape)");
  if (!node.op().domain.empty()) return refuse("operators of domain '" + std::string(node.op().domain) + "'");
  if (is_any(name, {"Conv", "ConvInteger", "QLinearConv"})) return convolution(node);
  if (is_any(name, {"Gemm", "MatMul", "MatMulInteger", "QLinearMatMul"})) return matrix_product(node);
  if (is_any(name, {"MaxPool", "AveragePool"})) return pool(node);
  if (name == "LayerNormalization") return layer_normalization(node);
  if (is_any(name, {"Softmax", "LogSoftmax", "GlobalAveragePool", "GlobalMaxPool", "InstanceNormalization", "Gather"}))
    return Lowered::Loop;
  if (name.starts_with("Reduce")) return constant_operands(node, {1}, Lowered::Loop);
  if (is_any(name, {"Reshape", "Expand", "Squeeze", "Unsqueeze", "Split"}))
    return constant_operands(node, {1}, Lowered::View);
  if (is_any(name, {"Transpose", "Flatten"})) return Lowered::View;
  if (name == "Slice") return constant_operands(node, {1, 2, 3, 4}, Lowered::View);
  if (name == "Pad") return pad(node);
  if (name == "Tile") return constant_operands(node, {1}, Lowered::Movement);
  if (is_any(name, {"Concat", "DepthToSpace", "SpaceToDepth"})) return Lowered::Movement;
  if (is_scalar(node)) return Lowered::Scalar;
  return refuse("no code generation for this operator or its element types yet");
}

int64_t channel_axis(const Node& contraction) {
  return contraction.op().name.find("Conv") != std::string_view::npos ? 1 : contraction.output()->type().rank() - 1;
}

namespace {

class Fuser {
 public:
  Fuser(const Graph& graph, bool enabled) : graph_(graph), enabled_(enabled) {}

  Result<Fusion> run() {
    LAPIS_CHECK(classify());
    for (const Node* node : graph_.nodes()) {
      const Lowered kind = kinds_.at(node);
      if (!claimed_.contains(node) && (kind == Lowered::Contraction || kind == Lowered::Loop)) claim_chain(*node, kind);
    }
    std::vector<const Node*> reversed;
    for (const Node* node : graph_.nodes()) reversed.insert(reversed.begin(), node);
    for (const Node* node : reversed)
      if (enabled_ && may_inline(*node)) fusion_.inlined.insert(node);
    collect_regions();
    return std::move(fusion_);
  }

 private:
  // Every node must be lowerable; those that are not are reported together, one diagnostic per operator and reason.
  Status classify() {
    std::map<std::pair<std::string, std::string>, std::vector<std::string>> refused;
    for (const Node* node : graph_.nodes()) {
      Result<Lowered> kind = lowered_as(*node);
      if (kind.ok())
        kinds_[node] = *kind;
      else
        refused[{std::string(node->op().name), kind.diagnostics().front().message}].push_back(node->name());
    }
    Diagnostics diagnostics;
    for (const auto& [key, names] : refused) {
      std::string list;
      for (size_t i = 0; i < std::min<size_t>(names.size(), 4); ++i) list += (i ? ", " : "") + ("'" + names[i] + "'");
      if (names.size() > 4) list += ", ...";
      diagnostics.push_back(error(ErrorKind::Unsupported, "cannot compile " + std::to_string(names.size()) + " x " +
                                                              key.first + ": " + key.second)
                                .at(graph_.name())
                                .note("nodes " + list)
                                .help("`lapis run --backend=reference` evaluates the model without compiling it"));
    }
    return status_of(std::move(diagnostics));
  }

  // Grows the chain while the value has one reader, an elementwise node of the same shape whose other operands are at hand.
  void claim_chain(const Node& anchor, Lowered kind) {
    claimed_.insert(&anchor);
    Program epilogue;
    epilogue.add(Op::Accumulator, anchor.output()->dtype());
    FusedRegion region{&anchor, kind, {}};
    while (enabled_) {
      const Value* value = region.result();
      if (!value->used_once() || value->uses()[0].node->graph().parent() != nullptr) break;
      const Node* next = value->uses()[0].node;
      if (kinds_.at(next) != Lowered::Scalar || claimed_.contains(next) ||
          next->output()->type().shape() != value->type().shape())
        break;
      if (kind == Lowered::Contraction && !fits_epilogue(*next, value, channel_axis(anchor), epilogue)) break;
      region.chain.push_back(next);
      claimed_.insert(next);
    }
    while (!region.chain.empty() && widens(*region.chain.back())) {  // a reader computes it in place, from fewer bytes
      claimed_.erase(region.chain.back());
      region.chain.pop_back();
    }
    anchored_[region.last()] = region;
  }

  static bool widens(const Node& node) {
    return is_any(node.op().name, {"DequantizeLinear", "Cast"}) &&
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
    const bool per_channel = v->is_constant() && per_channel_constant(node, i, chained->type(), axis);
    fits = fits && (per_channel || per_element(v, chained->type(), axis));
    const Value* loaded = v;
    if (!v->is_constant() && v->producer() && is_cheap(*v->producer()))
      loaded = v->producer()->input(0);  // inlined into the epilogue
    int id = trial.add({Op::Load, loaded->dtype(), {-1, -1, -1}, static_cast<int32_t>(trial.instrs.size())});
    if (loaded != v)
      id = translate(*v->producer(), trial, [&](size_t k) { return k == 0 ? id : trial.constant(DType::Float32, 0); });
    return id;
  }

  static bool per_channel_constant(const Node& node, size_t i, const Type& type, int64_t axis) {
    const Shape shape = node.input(i)->type().shape();
    const int64_t channels = type.dim(axis).value();
    if (node.input(i)->constant().size() != channels) return false;
    if (is_any(node.op().name, {"QuantizeLinear", "DequantizeLinear"}))
      return attribute_or<int64_t>(node, "axis", 1) == axis;
    if (node.op().name == "BatchNormalization") return axis == 1;
    const int64_t from_back = type.rank() - axis;
    return static_cast<int64_t>(shape.size()) >= from_back &&
           shape[shape.size() - static_cast<size_t>(from_back)] == channels;
  }

  // Full-shaped, and stored with contiguous channels once lowered.
  bool per_element(const Value* v, const Type& type, int64_t axis) const {
    if (v->is_constant() || v->type().shape() != type.shape()) return false;
    const Value* stored = v->producer() && is_cheap(*v->producer()) ? v->producer()->input(0) : v;
    if (axis == type.rank() - 1) return stored->producer() == nullptr || kinds_.at(stored->producer()) != Lowered::View;
    return stored->producer() != nullptr && kinds_.at(stored->producer()) != Lowered::View;
  }

  // Recomputing it costs less than storing it: one instruction or two on fewer bytes.
  static bool is_cheap(const Node& node) {
    if (node.op().name == "DequantizeLinear")
      return scalar_constant(node.input(1)) && (!node.input(2) || scalar_constant(node.input(2)));
    return node.op().name == "Cast" && !node.input(0)->is_constant() && widens(node) && is_scalar(node);
  }

  bool may_inline(const Node& node) const {
    if (kinds_.at(&node) != Lowered::Scalar || claimed_.contains(&node)) return false;
    const Value* value = node.output();
    if (value->is_graph_output() || value->uses().empty()) return false;
    if (value->uses().size() > 1 && !is_cheap(node)) return false;
    return std::all_of(value->uses().begin(), value->uses().end(),
                       [&](const Use& use) { return accepts_inlined(use, node); });
  }

  bool accepts_inlined(const Use& use, const Node& producer) const {
    const Node& user = *use.node;
    const Shape shape = producer.output()->type().shape();
    if (!kinds_.contains(&user)) return false;
    switch (kinds_.at(&user)) {
      case Lowered::Scalar: {
        if (user.output()->type().shape() != shape) return false;
        if (!claimed_.contains(&user)) return true;
        return in_loop_chain(user) || is_cheap(producer);
      }
      case Lowered::Loop: return use.index == 0 && inlines_first_operand(user);
      default: return false;
    }
  }

  bool in_loop_chain(const Node& user) const {
    for (const auto& [last, region] : anchored_)
      if (std::find(region.chain.begin(), region.chain.end(), &user) != region.chain.end())
        return region.kind == Lowered::Loop;
    return false;
  }

  // Loops that read each element of their first operand a fixed small number of times.
  static bool inlines_first_operand(const Node& node) {
    const std::string_view name = node.op().name;
    return name.starts_with("Reduce") || is_any(name, {"GlobalAveragePool", "GlobalMaxPool", "Softmax", "LogSoftmax",
                                                       "LayerNormalization", "InstanceNormalization"});
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
  std::unordered_map<const Node*, Lowered> kinds_;
  std::unordered_set<const Node*> claimed_;
  std::unordered_map<const Node*, FusedRegion> anchored_;  // by last node
  Fusion fusion_;
};

}  // namespace

Result<Fusion> fuse(const Graph& graph, bool enabled) { return Fuser(graph, enabled).run(); }

}  // namespace lapis::codegen
