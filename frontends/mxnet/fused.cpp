#include "frontends/mxnet/fused.h"

#include <algorithm>
#include <cmath>

#include "frontends/mxnet/import.h"

namespace lapis::mxnet_frontend {
namespace {

using frontend::SourceAttribute;

constexpr float kSteps = 127.5f;  // that oneDNN's operators take for the largest magnitude of int8

template <class T> T attribute(const SymbolNode& node, std::string_view name, T fallback) {
  return frontend::attribute(node.attributes, name, std::move(fallback));
}

std::optional<double> number(const SymbolNode& node, std::string_view name) {
  const auto it = node.attributes.find(name);
  if (it == node.attributes.end()) return std::nullopt;
  if (const auto* whole = std::get_if<int64_t>(&it->second)) return static_cast<double>(*whole);
  const auto* real = std::get_if<double>(&it->second);
  return real ? std::optional(*real) : std::nullopt;
}

constexpr frontend::Resolved kFused[] = {
    {"_sg_mkldnn_conv", "the operators that it was made of; quantized, on dequantized operands and quantized again"},
    {"_sg_mkldnn_fully_connected",
     "the operators that it was made of; quantized, on dequantized operands and quantized again"},
};

bool is_convolution(const SymbolNode& fused) { return fused.op == kFused[0].op; }
bool is_fused(const SymbolNode& node) {
  return std::any_of(std::begin(kFused), std::end(kFused), [&](const auto& row) { return row.op == node.op; });
}

// What is added to sums, and functions of two lines that meet at 0.
bool means_the_same_at_every_scale(const SymbolNode& n) {
  constexpr std::string_view kSuch[] = {"Convolution", "FullyConnected", "BatchNorm", "elemwise_add", "abs"};
  return std::find(std::begin(kSuch), std::end(kSuch), n.op) != std::end(kSuch) ||
         (n.op == "Activation" && attribute<std::string>(n, "act_type", "") == "relu") ||
         (n.op == "LeakyReLU" && attribute<std::string>(n, "act_type", "leaky") == "leaky");
}

// ---- weights --------------------------------------------------------------------------------------------------------

// One number a channel of what a normalization multiplies and adds.
struct Folded {
  std::vector<float> factors, terms;
};

Tensor scaled(const Tensor& weights, const std::vector<float>& factors) {
  Tensor result(DType::Float32, weights.shape());
  const auto from = weights.data<float>();
  auto to = result.mutable_data<float>();
  for (size_t i = 0, inner = from.size() / factors.size(); i < from.size(); ++i) to[i] = from[i] * factors[i / inner];
  return result;
}

// The largest magnitude, of each channel or of all.
std::vector<float> magnitudes(const Tensor& weights, bool by_channel) {
  const auto from = weights.data<float>();
  const size_t count = by_channel ? static_cast<size_t>(weights.dim(0)) : 1, inner = from.size() / count;
  std::vector<float> most(count, 0);
  for (size_t i = 0; i < from.size(); ++i) most[i / inner] = std::max(most[i / inner], std::abs(from[i]));
  return most;
}

// In as many parts, each by the next of the magnitudes.
Tensor rounded(const Tensor& weights, const std::vector<float>& most, size_t parts) {
  Tensor result(DType::Int8, weights.shape());
  const auto from = weights.data<float>();
  auto to = result.mutable_data<int8_t>();
  for (size_t i = 0, inner = from.size() / parts; i < from.size(); ++i) {
    const float largest = most[i / inner];
    const float steps = largest > 0 ? std::nearbyint(from[i] * (kSteps / largest)) : 0;
    to[i] = static_cast<int8_t>(std::clamp(steps, -128.0f, 127.0f));
  }
  return result;
}

Tensor dequantized(const Tensor& integers, float largest) {
  Tensor result(DType::Float32, integers.shape());
  for (int64_t i = 0; i < integers.size(); ++i)
    result.mutable_data<float>()[static_cast<size_t>(i)] = static_cast<float>(integers.as_int(i)) * (largest / kSteps);
  return result;
}

// ---- signs ----------------------------------------------------------------------------------------------------------

bool is_quantizer(const SymbolNode& n) {
  return n.op == "_contrib_quantize" || n.op == "_contrib_quantize_v2" || n.op == "_contrib_requantize";
}

bool quantizes_without_sign(const SymbolNode& n) {
  const auto type = attribute<std::string>(n, "out_type", n.op == "_contrib_quantize" ? "uint8" : "int8");
  return type == "uint8" || (type == "auto" && number(n, "min_calib_range").value_or(-1) >= 0);
}

// Operators whose result has no sign if none of so many first operands has one.
size_t operands_that_tell(const SymbolNode& n) {
  constexpr std::string_view kSuch[] = {"_contrib_quantized_act", "_contrib_quantized_flatten",
                                        "_contrib_quantized_pooling"};
  if (n.op == "_contrib_quantized_concat") return n.inputs.size() / 3;
  return std::find(std::begin(kSuch), std::end(kSuch), n.op) != std::end(kSuch) && !n.inputs.empty() ? 1 : 0;
}

// Which integers have no sign, by what made them.
class Signs {
 public:
  explicit Signs(const Symbol& symbol) : symbol_(symbol) {}
  bool is_unsigned(const Entry& entry) {
    while (known_.size() <= entry.node) known_.push_back(tell(symbol_.nodes[known_.size()]));
    return known_[entry.node];
  }

 private:
  bool tell(const SymbolNode& n) const {
    if (is_quantizer(n)) return quantizes_without_sign(n);
    const auto count = static_cast<ptrdiff_t>(operands_that_tell(n));
    return count > 0 && std::all_of(n.inputs.begin(), n.inputs.begin() + count,
                                    [&](const Entry& input) { return known_[input.node]; });
  }

  const Symbol& symbol_;
  std::vector<bool> known_;  // by node
};

// ---- one fused node -------------------------------------------------------------------------------------------------

class Fused {
 public:
  Fused(const SymbolNode& node, Symbol& to, Signs& signs, Parameters& parameters)
      : node_(node),
        body_(node.subgraphs[0]),
        to_(to),
        signs_(signs),
        parameters_(parameters),
        at_(body_.nodes.size()) {}

  Status write_out() {
    LAPIS_CHECK(find_contraction());
    LAPIS_CHECK(give_operands());
    if (is_quantized()) LAPIS_CHECK(quantize_operands());
    if (is_quantized()) LAPIS_CHECK(check_functions());
    add_body();
    if (is_quantized() && is_calibrated()) quantize_result();
    if (is_quantized() && !is_calibrated() && !gives_reals()) read_in_other_steps();
    SymbolNode& last = to_.nodes.back();
    last.name = node_.name;
    if (!is_calibrated() && node_.outputs > 1) return refuse("the range of its sums is an output");
    last.outputs = node_.outputs;
    return ok();
  }

 private:
  Diagnostic refuse(std::string reason) const {
    return error(ErrorKind::Unsupported, std::move(reason))
        .at(where())
        .help("save the symbol before it is optimized for a backend");
  }
  Diagnostic damaged(std::string reason) const {
    return error(ErrorKind::Input, std::move(reason)).at(where()).help("copy or save the model again");
  }
  std::string where() const { return "node '" + node_.name + "' (" + node_.op + ")"; }

  // "true", or "True" that the pass writes.
  bool is_quantized() const { return attribute<bool>(node_, "quantized", false); }
  bool gives_reals() const { return attribute<bool>(node_, "enable_float_output", false); }
  bool is_calibrated() const {
    return !gives_reals() && number(node_, "min_calib_range") && number(node_, "max_calib_range");
  }
  // Sums whose range is not known have one scale.
  bool rounds_by_channel() const {
    return is_convolution(node_) ? is_calibrated() : attribute<bool>(node_, "channel_wise_quantize", false);
  }
  const SymbolNode& last() const { return body_.nodes[body_.heads[0].node]; }

  Status find_contraction() {
    if (body_.heads.size() != 1) return damaged("its graph has not one result");
    const auto found =
        std::find_if(body_.nodes.begin(), body_.nodes.end(), [](const SymbolNode& n) { return !n.is_variable(); });
    contraction_ = static_cast<size_t>(found - body_.nodes.begin());
    const char* const wanted = is_convolution(node_) ? "Convolution" : "FullyConnected";
    if (found == body_.nodes.end() || found->op != wanted || found->inputs.size() < 2 || found->inputs.size() > 3)
      return damaged(std::string("its graph does not begin with a ") + wanted);
    return ok();
  }

  // Those of the contraction, of a normalization, of a sum, in this order, then ranges.
  Status give_operands() {
    std::vector<bool> given(body_.nodes.size());
    size_t next = 0;
    for (const SymbolNode& n : body_.nodes)
      for (const Entry& input : n.inputs) {
        if (!body_.nodes[input.node].is_variable() || given[input.node]) continue;
        if (next == node_.inputs.size()) return damaged("its graph has more operands than it");
        given[input.node] = true;
        at_[input.node] = node_.inputs[next++];
      }
    ranges_.assign(node_.inputs.begin() + static_cast<ptrdiff_t>(next), node_.inputs.end());
    return ok();
  }

  // Dense layers apply their function to reals if they know the scale of the result; convolutions scale the bounds of a
  // clip only, and without such a scale leave it out.
  bool applies_to_reals(const SymbolNode& n) const {
    if (n.is_variable() || means_the_same_at_every_scale(n)) return true;
    return (is_calibrated() || gives_reals()) && (!is_convolution(node_) || n.op == "clip");
  }

  bool is_known_on_integers(const SymbolNode& n) const {
    if (!is_convolution(node_) || gives_reals()) return false;
    return n.op == "clip" || (n.op == "LeakyReLU" && attribute<std::string>(n, "act_type", "leaky") == "gelu");
  }

  Status check_functions() const {
    for (const SymbolNode& n : body_.nodes) {
      if (!applies_to_reals(n) && !is_known_on_integers(n))
        return error(ErrorKind::Unsupported,
                     "MXNet applies its " + n.op + " to integers, not to the reals that they mean")
            .at(where())
            .help("quantize the model again without this layer (excluded_sym_names)");
    }
    return ok();
  }

  // ---- quantized ones -----------------------------------------------------------------------------------------------

  Status quantize_operands() {
    const std::vector<Entry>& inputs = body_.nodes[contraction_].inputs;
    is_unsigned_ = signs_.is_unsigned(at_[inputs[0].node]);
    LAPIS_CHECK(dequantize(at_[inputs[0].node]));
    LAPIS_TRY(const Folded folded, fold_normalization());
    LAPIS_TRY(const Tensor weights, parameter(inputs[1]));
    if (weights.dtype() == DType::Int8) return take_integers(inputs);
    LAPIS_CHECK(round_weights(at_[inputs[1].node], weights, folded));
    if (!folded.factors.empty()) LAPIS_CHECK(fold_bias(folded));
    return dequantize_addend();
  }

  Result<Entry> next_range() {
    if (next_range_ == ranges_.size()) return damaged("it lacks the range of an operand");
    return ranges_[next_range_++];
  }

  Status dequantize(Entry& entry) {
    LAPIS_TRY(const Entry low, next_range());
    LAPIS_TRY(const Entry high, next_range());
    entry = add("_contrib_dequantize", {entry, low, high});
    return ok();
  }

  Result<Tensor> parameter(const Entry& entry) const {
    const SymbolNode& variable = to_.nodes[at_[entry.node].node];
    const auto it = variable.is_variable() ? parameters_.find(variable.name) : parameters_.end();
    if (it != parameters_.end() && it->second.size() > 0) return it->second;
    return error(ErrorKind::Input, "the parameter '" + variable.name + "' is not in the file of parameters")
        .at(where())
        .help("give the .params file that was saved with this symbol");
  }

  Result<std::vector<float>> numbers(const Entry& entry, int64_t count) const {
    LAPIS_TRY(const Tensor values, parameter(entry));
    if (values.dtype() != DType::Float32 || values.size() != count)
      return damaged("a parameter of its normalization is not one float a channel");
    const auto data = values.data<float>();
    return std::vector<float>(data.begin(), data.end());
  }

  // (x - mean) / sqrt(variance + eps) * gamma + beta
  Result<Folded> fold_normalization() {
    const auto found =
        std::find_if(body_.nodes.begin(), body_.nodes.end(), [](const SymbolNode& n) { return n.op == "BatchNorm"; });
    if (found == body_.nodes.end()) return Folded{};
    if (found->inputs.size() != 5 || found->inputs[0].node != contraction_)
      return damaged("its normalization does not follow the convolution");
    LAPIS_TRY(const Tensor weights, parameter(body_.nodes[contraction_].inputs[1]));
    const int64_t count = weights.rank() > 0 ? weights.dim(0) : 0;
    std::vector<float> p[4];
    for (size_t i = 0; i < 4; ++i) {
      LAPIS_TRY(p[i], numbers(found->inputs[i + 1], count));
    }
    const auto epsilon = static_cast<float>(number(*found, "eps").value_or(1e-3));
    const bool has_gamma = !attribute<bool>(*found, "fix_gamma", true);
    Folded folded;
    for (size_t i = 0; i < p[0].size(); ++i) {
      const float factor = (has_gamma ? p[0][i] : 1) / std::sqrt(p[3][i] + epsilon);
      folded.factors.push_back(factor);
      folded.terms.push_back(p[1][i] - factor * p[2][i]);
    }
    return folded;
  }

  Status round_weights(Entry& entry, const Tensor& from, const Folded& folded) {
    if (from.dtype() != DType::Float32 || from.rank() < 2)
      return damaged("its weights are neither floats nor int8 of two axes or more");
    const Tensor weights = folded.factors.empty() ? from : scaled(from, folded.factors);
    const std::vector<float> most = magnitudes(weights, rounds_by_channel());
    LAPIS_TRY(const size_t parts, parts_of(weights, most.size()));
    const Entry integers = add_parameter("weight", rounded(weights, most, parts));
    const Entry high = add_parameter("weight_high", Tensor::vector<float>(most));
    entry = add("_contrib_dequantize", {integers, high, high});
    return ok();
  }

  // oneDNN rounds all weights of group g by the scale of channel g, and reads them by that of their own.
  Result<size_t> parts_of(const Tensor& weights, size_t scales) const {
    const auto groups = static_cast<size_t>(attribute<int64_t>(body_.nodes[contraction_], "num_group", 1));
    if (scales == 1 || groups == 1) return scales;
    if (groups == 0 || static_cast<size_t>(weights.dim(0)) % groups != 0)
      return damaged("its channels are no multiple of its groups");
    return groups;
  }

  Status fold_bias(const Folded& folded) {
    std::vector<float> terms = folded.terms;
    const std::vector<Entry>& inputs = body_.nodes[contraction_].inputs;
    if (inputs.size() > 2) {
      LAPIS_TRY(const std::vector<float> bias, numbers(inputs[2], static_cast<int64_t>(terms.size())));
      for (size_t i = 0; i < terms.size(); ++i) terms[i] += folded.factors[i] * bias[i];
    }
    bias_ = add_parameter("bias", Tensor::vector<float>(terms));
    return ok();
  }

  // Weights and bias that the file holds as integers, with the range of each.
  Status take_integers(const std::vector<Entry>& inputs) {
    LAPIS_CHECK(dequantize(at_[inputs[1].node]));
    if (inputs.size() < 3) return ok();
    LAPIS_TRY(const Tensor bias, parameter(inputs[2]));
    if (bias.dtype() != DType::Int8) return damaged("its weights are int8 and its bias is not");
    float largest = 0;
    for (int i = 0; i < 2; ++i) {
      LAPIS_TRY(const Entry end, next_range());
      const SymbolNode& variable = to_.nodes[end.node];
      const auto it = variable.is_variable() ? parameters_.find(variable.name) : parameters_.end();
      if (it == parameters_.end() || it->second.dtype() != DType::Float32 || it->second.size() != 1)
        return damaged("the range of its bias is not one float");
      largest = std::max(largest, std::abs(it->second.data<float>()[0]));
    }
    bias_ = add_parameter("bias", dequantized(bias, largest));
    return ok();
  }

  Status dequantize_addend() {
    const size_t data = body_.nodes[contraction_].inputs[0].node;
    for (const SymbolNode& n : body_.nodes)
      for (const Entry& input : n.inputs) {
        if (n.op != "elemwise_add" || !body_.nodes[input.node].is_variable() || input.node == data) continue;
        is_added_unsigned_ = signs_.is_unsigned(at_[input.node]);
        has_addend_ = true;
        LAPIS_CHECK(dequantize(at_[input.node]));
      }
    return ok();
  }

  // Whether results of a fused operator have no sign: MXNet goes by the function, not by the range.
  bool result_is_unsigned() const {
    const SymbolNode& n = last();
    if (n.op == "clip" || (n.op == "Activation" && attribute<std::string>(n, "act_type", "") == "relu")) return true;
    if (is_convolution(node_)) return false;
    return n.op == "abs" || (n.op == "LeakyReLU" && attribute<std::string>(n, "act_type", "leaky") == "leaky");
  }

  void quantize_result() {
    const Entry quantized = add("_contrib_quantize_v2", {{to_.nodes.size() - 1, 0}});
    auto& attributes = to_.nodes[quantized.node].attributes;
    attributes["min_calib_range"] = *number(node_, "min_calib_range");
    attributes["max_calib_range"] = *number(node_, "max_calib_range");
    const auto type = [](bool is_unsigned) { return std::string(is_unsigned ? "uint8" : "int8"); };
    attributes["out_type"] = type(result_is_unsigned());
    // oneDNN adds in place: the sum has the type of what was there.
    if (has_addend_ && is_added_unsigned_ != result_is_unsigned()) attributes[kComputedAs] = type(is_added_unsigned_);
  }

  // Sums without a known range are read in steps of 127 or 255, whatever they were made with.
  void read_in_other_steps() {
    constexpr double kWhole = 127, kUnsigned = 255, kHalf = 0.5;
    const double of_data = is_unsigned_ ? kUnsigned : kWhole;
    add_scaled({to_.nodes.size() - 1, 0}, (of_data + kHalf) / of_data * (kSteps / kWhole));
  }

  // ---- nodes --------------------------------------------------------------------------------------------------------

  Entry add(SymbolNode node) {
    node.is_needed = true;
    node.outputs = 1;
    to_.nodes.push_back(std::move(node));
    return {to_.nodes.size() - 1, 0};
  }
  Entry add(std::string op, std::vector<Entry> inputs) {
    SymbolNode node;
    node.name = node_.name + "/" + op;
    node.op = std::move(op);
    node.inputs = std::move(inputs);
    return add(std::move(node));
  }
  Entry add_parameter(const std::string& name, Tensor values) {
    SymbolNode variable;
    variable.op = "null";
    variable.name = node_.name + "/" + name;
    parameters_.insert_or_assign(variable.name, std::move(values));
    return add(std::move(variable));
  }

  void add_body() {
    for (size_t i = 0; i < body_.nodes.size(); ++i) {
      SymbolNode n = body_.nodes[i];
      if (n.is_variable()) continue;
      if (is_quantized() && n.op == "BatchNorm") {  // folded
        at_[i] = at_[n.inputs[0].node];
        continue;
      }
      for (Entry& input : n.inputs) input = {at_[input.node].node, at_[input.node].output + input.output};
      n.name = node_.name + "/" + n.name;
      at_[i] = i == contraction_                                     ? add_contraction(std::move(n))
               : is_quantized() && !applies_to_reals(body_.nodes[i]) ? add_on_integers(std::move(n))
                                                                     : add(std::move(n));
    }
  }

  Entry add_scaled(const Entry& x, double factor) {
    const Entry scaled = add("_mul_scalar", {x});
    to_.nodes[scaled.node].attributes["scalar"] = factor;
    return scaled;
  }

  // The function of the numbers that integers are, in steps of the result;
  // of whole sums, whose GELU is a ReLU when it is rounded.
  Entry add_on_integers(SymbolNode n) {
    if (is_calibrated()) {
      const double low = *number(node_, "min_calib_range"), high = *number(node_, "max_calib_range");
      const double step = std::max(std::abs(low), std::abs(high)) / static_cast<double>(kSteps);
      n.inputs[0] = add_scaled(n.inputs[0], 1 / step);
      return add_scaled(add(std::move(n)), step);
    }
    if (n.op == "clip") return n.inputs[0];
    n.op = "Activation";
    n.attributes = {{"act_type", std::string("relu")}};
    return add(std::move(n));
  }

  Entry add_contraction(SymbolNode n) {
    if (bias_) {
      n.inputs.resize(2);
      n.inputs.push_back(*bias_);
      n.attributes.insert_or_assign("no_bias", false);
    }
    return add(std::move(n));
  }

  const SymbolNode& node_;
  const Symbol& body_;
  Symbol& to_;
  Signs& signs_;
  Parameters& parameters_;
  std::vector<Entry> at_;  // of the nodes of the body, in the symbol
  std::vector<Entry> ranges_;
  std::optional<Entry> bias_;
  size_t contraction_ = 0, next_range_ = 0;
  bool is_unsigned_ = false, is_added_unsigned_ = false, has_addend_ = false;
};

}  // namespace

std::span<const frontend::Resolved> resolved() { return kFused; }

Result<Symbol> write_out_fused(Symbol symbol, Parameters& parameters) {
  Symbol to;
  Signs signs(to);
  std::vector<size_t> moved;
  for (SymbolNode& node : symbol.nodes) {
    for (Entry& input : node.inputs) input.node = moved[input.node];
    if (is_fused(node) && node.is_needed && node.subgraphs.size() == 1)
      LAPIS_CHECK(Fused(node, to, signs, parameters).write_out());
    else
      to.nodes.push_back(std::move(node));
    moved.push_back(to.nodes.size() - 1);
  }
  for (const Entry& head : symbol.heads) to.heads.push_back({moved[head.node], head.output});
  LAPIS_CHECK(count_outputs(to));
  return to;
}

}  // namespace lapis::mxnet_frontend
