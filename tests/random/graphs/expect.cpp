#include "tests/random/graphs/expect.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <unordered_map>

#include "tests/random/graphs/draw.h"

namespace lapis::random_graphs {

double unit_of(DType dtype) {
  switch (dtype) {
    case DType::Float16: return std::ldexp(1, -11);
    case DType::BFloat16: return std::ldexp(1, -8);
    case DType::Float64: return std::ldexp(1, -53);
    default: return std::ldexp(1, -24);
  }
}

namespace {

bool perturbable(const Tensor& t) {
  return t.dtype() == DType::Float32 || t.dtype() == DType::Float64 || t.dtype() == DType::Float16 ||
         t.dtype() == DType::BFloat16;
}

// The last bit of a float below the normal ones, which is all that an operation on it may leave.
double lost_below_normal(double x, DType dtype) {
  const bool subnormal = dtype == DType::Float32 && x != 0 && std::abs(x) < std::numeric_limits<float>::min();
  return subnormal ? std::numeric_limits<float>::denorm_min() : 0;
}

// t[i] + (relative * t[i] + absolute[i]) * uniform(-1, 1)
Tensor perturbed(const Tensor& t, double relative, const Tensor* absolute, double share, Random& random) {
  Tensor result = t;
  visit_dtype(t.dtype(), [&]<class T>(T) {
    const auto values = result.mutable_data<T>();
    for (size_t i = 0; i < values.size(); ++i) {
      const double x = t.as_double(static_cast<int64_t>(i));
      const double extent = absolute ? std::abs(absolute->as_double(static_cast<int64_t>(i))) * share : 0;
      const double lost = relative > 0 ? lost_below_normal(x, t.dtype()) : 0;
      const double y = !std::isfinite(extent)
                           ? (random.chance(50) ? INFINITY : NAN)  // finite terms, whose sum overflows
                       : std::isinf(x) ? x
                                       : x + (std::abs(x) * relative + extent + lost) * random.uniform(-1, 1);
      if constexpr (std::is_same_v<T, Float16>)
        values[i] = to_float16(static_cast<float>(y));
      else if constexpr (std::is_same_v<T, BFloat16>)
        values[i] = to_bfloat16(static_cast<float>(y));
      else if constexpr (std::is_floating_point_v<T>)
        values[i] = static_cast<T>(y);
    }
  });
  return result;
}

// Without infinities and NaN: what they do to a sum is determined.
Tensor magnitudes(const Tensor& t) {
  Tensor result = t;
  visit_dtype(t.dtype(), [&]<class T>(T) {
    if constexpr (std::is_floating_point_v<T>)
      for (T& v : result.mutable_data<T>()) v = std::isfinite(v) ? std::abs(v) : 0;
    else if constexpr (std::is_same_v<T, Float16> || std::is_same_v<T, BFloat16>)
      for (T& v : result.mutable_data<T>()) v.bits = std::isfinite(to_float(v)) ? v.bits & 0x7FFF : 0;
  });
  return result;
}

// Sums whose error is a share of the sum of magnitudes.
bool is_linear(const OpDef& op) {
  static const std::set<std::string_view> kNames = {
      "AveragePool", "GlobalAveragePool", "ReduceSum", "ReduceMean", "ReduceL1", "CumSum", "Mean", "Sum", "Einsum"};
  return op.has(Trait::Contraction) || kNames.contains(op.name);
}

const Tensor* constant_scale(const Value* v) {
  const Node* dq = v ? v->producer() : nullptr;
  return dq && dq->op().name == "DequantizeLinear" && dq->input(1)->is_constant() ? &dq->input(1)->constant() : nullptr;
}

double largest(const Tensor& t) {
  double result = 0;
  for (int64_t i = 0; i < t.size(); ++i) result = std::max(result, std::abs(t.as_double(i)));
  return result;
}

double largest_finite(const Tensor& t) { return largest(magnitudes(t)); }

double smallest_but_zero(const Tensor& t) {
  double result = std::numeric_limits<double>::infinity();
  for (int64_t i = 0; i < t.size(); ++i)
    if (const double x = std::abs(t.as_double(i)); x > 0) result = std::min(result, x);
  return result;
}

// The constant that a contraction adds to its channels, itself or by the Add behind it.
const Value* float_bias(const Node& node) {
  const auto constant = [](const Value* v) { return v && v->is_constant() ? v : nullptr; };
  if (node.op().name != "MatMul") return constant(node.input(2));
  for (const Use& use : node.output()->uses())
    if (use.node->op().name == "Add")
      if (const Value* bias = constant(use.node->input(1 - use.index))) return bias;
  return nullptr;
}

// A float bias of a contraction of quantized operands becomes int32 in units of the product of their scales: so much it
// rounds, at most to 0.
double bias_rounding(const Node& node) {
  if (!node.op().has(Trait::Contraction) || node.inputs().size() < 2) return 0;
  const Tensor *x = constant_scale(node.input(0)), *w = constant_scale(node.input(1));
  const Value* bias = float_bias(node);
  return x && w && bias ? std::min(largest(*x) * largest(*w), largest(bias->constant())) : 0;
}

Tensor shifted(const Tensor& t, double extent, Random& random) {
  Tensor extents(DType::Float64, t.shape());
  for (double& v : extents.mutable_data<double>()) v = extent;
  return perturbed(t, 0, &extents, 1, random);
}

// Each channel as a whole, as the rounding of its bias does.
Tensor shifted_channels(const Tensor& t, int64_t axis, double extent, Random& random) {
  if (t.size() == 0) return t;
  std::vector<float> shifts(static_cast<size_t>(t.rank() == 0 ? 1 : t.dim(axis)));
  for (float& shift : shifts) shift = static_cast<float>(extent * random.uniform(-1, 1));
  const auto behind = static_cast<size_t>(t.rank() == 0 ? 1 : element_count(std::span(t.shape()).subspan(axis + 1)));
  Tensor result = t;
  const auto values = result.mutable_data<float>();
  for (size_t i = 0; i < values.size(); ++i) values[i] += shifts[i / behind % shifts.size()];
  return result;
}

// What runs say in turn of an element that nothing determines: mostly not the same of all elements, and in the last
// runs the same, since an order of elements that are anything has all that they may be in it.
float anything(size_t run, size_t element) {
  constexpr float kAnything[] = {0, INFINITY, NAN, -INFINITY, 1};
  const size_t stride = (1 + run / 5) % 5;  // so that two elements meet in every way
  return kAnything[(run + element * stride) % 5];
}

// Where `undetermined` says so, elements become what they may be in this run.
template <class Undetermined> void spread(Tensor& t, size_t run, const Undetermined& undetermined) {
  visit_dtype(t.dtype(), [&]<class T>(T) {
    size_t element = 0;
    for (T& v : t.mutable_data<T>()) {
      const size_t i = element++;
      if (!undetermined(i)) continue;
      const float value = anything(run, i);
      if constexpr (std::is_floating_point_v<T>) v = static_cast<T>(value);
      if constexpr (std::is_same_v<T, Float16>) v = to_float16(value);
      if constexpr (std::is_same_v<T, BFloat16>) v = to_bfloat16(value);
    }
  });
}

// Sums whose terms' magnitudes have an infinite sum may leave the range of their type on their way, or not, by their
// order and by whether products are rounded before they are added. Those of halves are taken in float, whose range they
// do not leave.
void spread_infinite(Tensor& sums, const Tensor& magnitudes, size_t run) {
  if (sums.shape() != magnitudes.shape() || !perturbable(sums) || sums.dtype() == DType::Float16) return;
  const double limit = sums.dtype() == DType::Float64 ? 1e308 : 1e38;
  spread(sums, run, [&](size_t i) { return std::abs(magnitudes.as_double(static_cast<int64_t>(i))) > limit; });
}

// The real power of integers is as exact as a double.
void round_powers(Tensor& powers, Random& random) {
  const auto off = [&]<class T>(T) {
    for (T& v : powers.mutable_data<T>()) {
      const double units = std::abs(static_cast<double>(v)) * 0x1p-52;
      if (units >= 1 && units < 1024)
        v = static_cast<T>(v + static_cast<T>(std::lround(units)) * (static_cast<T>(random.below(3)) - 1));
    }
  };
  if (powers.dtype() == DType::Int64) off(int64_t());
}

// Nothing is determined. Every sixth run keeps what it has.
void spread_everything(std::vector<Tensor>& results, size_t run) {
  if (run % 6 == 5) return;
  for (Tensor& t : results)
    if (t.defined() && perturbable(t)) spread(t, run, [](size_t) { return true; });
}

// 0 where the magnitude is within the extent: sums that cancel.
Tensor without_small(const Tensor& t, double extent) {
  Tensor result = t;
  visit_dtype(t.dtype(), [&]<class T>(T) {
    const auto values = result.mutable_data<T>();
    for (size_t i = 0; i < values.size(); ++i)
      if (std::abs(t.as_double(static_cast<int64_t>(i))) <= extent) values[i] = T();
  });
  return result;
}

class PerturbedRun {
 public:
  PerturbedRun(const Graph& graph, const Feeds& feeds, Random* random, size_t number)
      : graph_(graph), random_(random), number_(number) {
    for (const Value* input : graph.inputs()) tensors_[input] = feeds.at(input->name());
  }

  Result<std::vector<Tensor>> run() {
    for (const Node* node : graph_.nodes()) LAPIS_CHECK(run_node(*node));
    std::vector<Tensor> outputs;
    for (const Value* v : graph_.outputs()) outputs.push_back(*find(v));
    return outputs;
  }

 private:
  static constexpr double kUnits = 8;
  static constexpr double kEqualTerms = 0.25;  // units for each: added in turn they all round the same way

  const Tensor* find(const Value* value) const {
    if (!value) return nullptr;
    return value->is_constant() ? &value->constant() : &tensors_.at(value);
  }

  // Sums and functions of half precision are computed in float;
  // what becomes several operators is rounded to halves between them.
  static DType operand_precision(const Node& node, DType dtype) {
    static const std::set<std::string_view> kComposite = {"BatchNormalization", "GRU", "LSTM", "RNN"};
    return dtype == DType::Float64 || kComposite.contains(node.op().name) ? dtype : DType::Float32;
  }

  // Lines whose mean and variance a normalization takes; 0 if it takes them from elsewhere.
  static int64_t lines_of(const Node& node, const Tensor& x) {
    const std::string_view name = node.op().name;
    if (name == "LayerNormalization") {
      const auto* axis = node.attribute_as<int64_t>("axis");
      const int64_t at = axis ? *axis : -1;
      return element_count(std::span(x.shape()).first(static_cast<size_t>(at < 0 ? at + x.rank() : at)));
    }
    if (name == "InstanceNormalization") return x.dim(0) * x.dim(1);
    const auto* groups = node.attribute_as<int64_t>("num_groups");
    return name == "GroupNormalization" && groups ? x.dim(0) * *groups : 0;
  }

  // A mean is as exact as the elements are large; divided by a small deviation that is seen.
  Tensor off_centre(const Node& node, const Tensor& x, const Tensor& y) {
    const int64_t lines = lines_of(node, x);
    if (lines <= 0 || x.size() == 0 || x.size() % lines != 0) return y;
    const auto* declared = node.attribute_as<float>("epsilon");
    const double epsilon = declared ? *declared : 1e-5, scale = largest(*find(node.input(1)));
    Tensor extents(DType::Float64, y.shape());
    for (int64_t line = 0, size = x.size() / lines; line < lines; ++line) {
      double sum = 0, squares = 0, highest = 0;
      for (int64_t i = line * size; i < (line + 1) * size; ++i) {
        sum += x.as_double(i);
        highest = std::max(highest, std::abs(x.as_double(i)));
      }
      for (int64_t i = line * size; i < (line + 1) * size; ++i)
        squares += std::pow(x.as_double(i) - sum / static_cast<double>(size), 2);
      const double deviation = std::sqrt(squares / static_cast<double>(size) + std::abs(epsilon));
      const double extent = kUnits * unit_of(operand_precision(node, x.dtype())) * highest / deviation * scale;
      for (int64_t i = line * size; i < (line + 1) * size; ++i)
        extents.mutable_data<double>()[static_cast<size_t>(i)] = std::isfinite(extent) ? extent : 0;
    }
    return perturbed(y, 0, &extents, 1, *random_);
  }

  // Whose sum may leave the range of float.
  static bool is_mean(const Node& node) {
    return node.op().name == "ReduceMean" || node.op().name.ends_with("AveragePool") || node.op().name == "Mean";
  }

  // The logarithm of a sum near 1 is as exact as the sum, which is near 1.
  static bool is_logarithm_of_sum(const Node& node) { return node.op().name == "ReduceLogSumExp"; }

  // A product of floats that is infinite or vanishes for a while, depending on the order of its factors.
  static bool leaves_range_on_its_way(const Tensor& factors) {
    double up = 0, down = 0;
    for (int64_t i = 0; i < factors.size(); ++i) {
      const double x = std::log10(std::abs(factors.as_double(i)));
      if (std::isfinite(x)) (x > 0 ? up : down) += x;
    }
    return up > 37 || down < -37;
  }

  static bool makes_small(const Node& gemm) {
    const auto* alpha = gemm.attribute_as<float>("alpha");
    return alpha && std::abs(*alpha) < 1;
  }

  // Squares, products or sums of such operands may leave the range of their type though the results do not:
  // what comes of that is not defined.
  static bool may_leave_range(const Node& node, const std::vector<const Tensor*>& in) {
    static const std::set<std::string_view> kSquaring = {"InstanceNormalization",
                                                         "LayerNormalization",
                                                         "GroupNormalization",
                                                         "BatchNormalization",
                                                         "LRN",
                                                         "ReduceL2",
                                                         "ReduceProd"};
    if (node.op().name == "Gemm" && in[0]->dtype() != DType::Float64)  // before alpha makes it small
      return largest(*in[0]) * largest(*in[1]) > 1e35;
    if (node.op().name == "Gemm" && makes_small(node)) return largest(*in[0]) * largest(*in[1]) > 1e305;
    if (node.op().has(Trait::Contraction) &&
        in[0]->dtype() == DType::BFloat16)  // vdpbf16ps flushes subnormal factors and sums
      return std::min({smallest_but_zero(*in[0]), smallest_but_zero(*in[1]),
                       smallest_but_zero(*in[0]) * smallest_but_zero(*in[1])}) < 1e-36;
    if (node.op().name == "ReduceProd" && in[0]->dtype() != DType::Float64 && leaves_range_on_its_way(*in[0]))
      return true;
    if (!kSquaring.contains(node.op().name) && !is_mean(node)) return false;
    return std::any_of(in.begin(), in.end(), [&](const Tensor* t) {
      if (!t || !perturbable(*t)) return false;
      const double root = t->dtype() == DType::Float64 ? 1e150 : 1e17;
      const bool product = node.op().name == "ReduceProd" || node.op().name == "ReduceL2";  // small ones vanish, too
      for (int64_t i = 0; i < t->size(); ++i) {
        const double x = std::abs(t->as_double(i));
        if (x > root || (product && x > 0 && x < 1 / root)) return true;
      }
      return false;
    });
  }

  // Each step rounds a sum of products of gates, which are near 0 or 1, and states.
  static bool is_recurrent(const Node& node) {
    static const std::set<std::string_view> kNames = {"GRU", "LSTM", "RNN", "Loop", "Scan"};
    return kNames.contains(node.op().name);
  }
  // States that are multiplied with each other at every step leave the range of float where gates are not bounded.
  static bool states_explode(const Node& node, const std::vector<const Tensor*>& in,
                             const std::vector<Tensor>& results) {
    const auto huge = [](const Tensor& t) { return t.defined() && perturbable(t) && largest_finite(t) > 1e17; };
    return is_recurrent(node) && node.subgraphs().empty() &&
           (std::any_of(results.begin(), results.end(), huge) ||
            std::any_of(in.begin(), in.end(), [&](const Tensor* t) { return t && huge(*t); }));
  }
  // A jump that saturated gates meet exactly, or miss by a rounding.
  static bool has_threshold(const Node& node) {
    const auto* names = node.attribute_as<std::vector<std::string>>("activations");
    return names && std::find(names->begin(), names->end(), "ThresholdedRelu") != names->end();
  }
  void shift_states(std::vector<Tensor>& results) {
    constexpr double kSteps = 8;
    for (Tensor& t : results) {
      if (!t.defined() || !perturbable(t)) continue;
      const double extent = kSteps * kUnits * unit_of(t.dtype()) * std::max(largest_finite(t), 1.0);
      t = random_->chance(25) ? without_small(t, extent) : shifted(t, extent, *random_);
    }
  }

  // With an infinite deviation a normalization gives its bias to the bit, which an Equal behind it sees.
  Result<std::vector<Tensor>> evaluate_over_infinity(const Node& node, std::vector<const Tensor*> in) {
    if (!node.op().name.ends_with("Normalization")) return evaluate_node(node, in);
    const Tensor scale(in[1]->dtype(), in[1]->shape());
    in[1] = &scale;
    return evaluate_node(node, in);
  }

  static int64_t channel_axis(const Node& contraction, const Tensor& result) {
    const bool product = contraction.op().name == "MatMul" || contraction.op().name == "Gemm";
    return product ? std::max<int64_t>(result.rank() - 1, 0) : 1;
  }

  // How far a sum may be off, as a share of the sum of magnitudes.
  static double share_of_sum(const Node& node, const Tensor& x, const Tensor& sum) {
    const double terms = static_cast<double>(x.size()) / static_cast<double>(std::max<int64_t>(sum.size(), 1));
    const double units = node.op().has(Trait::Contraction) ? kUnits : std::max(kUnits, kEqualTerms * terms);
    return units * unit_of(sum.dtype() == DType::Float64 ? DType::Float64 : DType::Float32);
  }

  // The sum that a line of exponentials is divided by, as far off as one of equal terms may be.
  void round_sums_of_lines(const Node& node, std::vector<Tensor>& results) {
    const auto* declared = node.attribute_as<int64_t>("axis");
    const int64_t rank = results[0].rank(), axis = declared ? *declared : -1;
    if (rank == 0) return;
    const double terms = static_cast<double>(results[0].dim(axis < 0 ? axis + rank : axis));
    const DType summed = results[0].dtype() == DType::Float64 ? DType::Float64 : DType::Float32;
    results[0] = perturbed(results[0], kEqualTerms * terms * unit_of(summed), nullptr, 0, *random_);
  }

  // Of terms of one sign, which do not cancel.
  void round_each_addition(Tensor& sum) {
    constexpr double kAdditions = 8;
    if (perturbable(sum)) sum = perturbed(sum, kAdditions * kUnits * unit_of(sum.dtype()), nullptr, 0, *random_);
  }

  // Operands a little off: what a backward stable algorithm may have computed with.
  Result<std::vector<Tensor>> evaluate_off(const Node& node, const std::vector<const Tensor*>& in) {
    std::vector<Tensor> copies;
    copies.reserve(in.size());
    std::vector<const Tensor*> off = in;
    for (const Tensor*& t : off) {
      if (!t || !perturbable(*t)) continue;
      copies.push_back(perturbed(*t, kUnits * unit_of(operand_precision(node, t->dtype())), nullptr, 0, *random_));
      t = &copies.back();
    }
    return evaluate_node(node, off);
  }

  Result<std::vector<Tensor>> evaluate_magnitudes(const Node& node, const std::vector<const Tensor*>& in) {
    std::vector<Tensor> copies;
    copies.reserve(in.size());
    std::vector<const Tensor*> off = in;
    for (const Tensor*& t : off) {
      if (!t || !perturbable(*t)) continue;
      copies.push_back(magnitudes(*t));
      t = &copies.back();
    }
    if (node.op().name == "Gemm") return gemm_magnitudes(node, off);
    return evaluate_node(node, off);
  }

  // Its factors may be negative.
  static Result<std::vector<Tensor>> gemm_magnitudes(const Node& node, std::vector<const Tensor*> in) {
    const auto* beta = node.attribute_as<float>("beta");
    const double added = in.size() > 2 && in[2] ? largest(*in[2]) * std::abs(beta ? *beta : 1) : 0;
    in.resize(2);
    LAPIS_TRY(const std::vector<Tensor> products, evaluate_node(node, in));
    Tensor sums(DType::Float64, products[0].shape());
    for (int64_t i = 0; i < sums.size(); ++i)
      sums.mutable_data<double>()[static_cast<size_t>(i)] = std::abs(products[0].as_double(i)) + added;
    return std::vector<Tensor>{sums};
  }

  Status run_node(const Node& node) {
    std::vector<const Tensor*> in;
    for (const Value* v : node.inputs()) in.push_back(find(v));
    const bool off = random_ && !is_exact(node);
    LAPIS_TRY(std::vector<Tensor> results,
              off && !is_linear(node.op()) ? evaluate_off(node, in) : evaluate_node(node, in));
    if (off) {
      std::optional<std::vector<Tensor>> extents;
      if (is_linear(node.op()))
        if (auto sums = evaluate_magnitudes(node, in); sums.ok()) extents = *std::move(sums);
      for (size_t i = 0; i < results.size(); ++i)
        if (results[i].defined() && perturbable(results[i]))
          results[i] = perturbed(results[i], kUnits / 2 * unit_of(results[i].dtype()),
                                 extents ? &(*extents)[i] : nullptr, share_of_sum(node, *in[0], results[i]), *random_);
      for (size_t i = 0; extents && i < results.size(); ++i)
        if (results[i].defined()) spread_infinite(results[i], (*extents)[i], number_);
    }
    if (random_ && node.op().name == "Pow" && is_float(in[1]->dtype())) round_powers(results[0], *random_);
    if (off && is_recurrent(node)) shift_states(results);
    if (off && node.op().name.ends_with("Normalization")) results[0] = off_centre(node, *in[0], results[0]);
    if (off && node.op().name == "Softmax") round_sums_of_lines(node, results);
    if (off && node.op().name == "ReduceSumSquare") round_each_addition(results[0]);
    if (off && is_logarithm_of_sum(node))
      results[0] = shifted(results[0], kUnits * unit_of(results[0].dtype()), *random_);
    if (off && (may_leave_range(node, in) || states_explode(node, in, results) || has_threshold(node))) {
      LAPIS_TRY(results, evaluate_over_infinity(node, in));
      spread_everything(results, number_);
    }
    if (random_ && results[0].dtype() == DType::Float32)
      if (const double extent = bias_rounding(node); extent > 0)
        results[0] = shifted_channels(results[0], channel_axis(node, results[0]), extent, *random_);
    for (size_t i = 0; i < results.size(); ++i)
      if (node.output(i)) tensors_[node.output(i)] = std::move(results[i]);
    return ok();
  }

  const Graph& graph_;
  Random* random_;
  const size_t number_;  // of this run
  std::unordered_map<const Value*, Tensor> tensors_;
};

bool reads_outer_values(const Graph& body) {
  for (const Node* node : body.nodes()) {
    for (const Value* v : node->inputs())
      if (v && &v->graph() != &body && !v->is_constant()) return true;
    for (const Graph* inner : node->subgraphs())
      if (reads_outer_values(*inner)) return true;
  }
  for (const Value* v : body.outputs())
    if (&v->graph() != &body) return true;
  return false;
}

// A node whose body reads values of this graph cannot be evaluated alone.
bool evaluates_by_nodes(const Graph& graph) {
  for (const Node* node : graph.nodes())
    for (const Graph* body : node->subgraphs())
      if (reads_outer_values(*body)) return false;
  return true;
}

// What inexact operators lead to; a body may read whatever comes before it.
std::vector<bool> exact_outputs(const Graph& graph) {
  std::set<const Value*> tainted;
  for (const Node* node : graph.nodes()) {
    const bool reads = std::any_of(node->inputs().begin(), node->inputs().end(),
                                   [&](const Value* v) { return v && tainted.contains(v); });
    if (!is_exact(*node) || reads || (!node->subgraphs().empty() && !tainted.empty()))
      tainted.insert(node->outputs().begin(), node->outputs().end());
  }
  std::vector<bool> exact;
  for (const Value* v : graph.outputs()) exact.push_back(!tainted.contains(v));
  return exact;
}

// Floats that they give are rounded once, or not at all.
const std::set<std::string_view> kExact = {"Abs",
                                           "Add",
                                           "And",
                                           "BitShift",
                                           "BitwiseAnd",
                                           "BitwiseNot",
                                           "BitwiseOr",
                                           "BitwiseXor",
                                           "Cast",
                                           "CastLike",
                                           "Ceil",
                                           "Clip",
                                           "Constant",
                                           "ConstantOfShape",
                                           "DequantizeLinear",
                                           "Div",
                                           "EyeLike",
                                           "Floor",
                                           "HardSigmoid",
                                           "HardSwish",
                                           "If",
                                           "IsInf",
                                           "IsNaN",
                                           "LeakyRelu",
                                           "Loop",
                                           "Max",
                                           "Min",
                                           "Mod",
                                           "Mul",
                                           "Neg",
                                           "Not",
                                           "OneHot",
                                           "PRelu",
                                           "QuantizeLinear",
                                           "Range",
                                           "Reciprocal",
                                           "Relu",
                                           "Resize",
                                           "Round",
                                           "Scan",
                                           "ScatterElements",
                                           "ScatterND",
                                           "Shape",
                                           "Sign",
                                           "Size",
                                           "Softsign",
                                           "Sqrt",
                                           "Sub",
                                           "ThresholdedRelu",
                                           "Trilu",
                                           "Where",
                                           "Xor",
                                           "ArgMax",
                                           "ArgMin",
                                           "TopK",
                                           "ReduceMax",
                                           "ReduceMin"};

bool float_result(const Node& node) {
  return std::any_of(node.outputs().begin(), node.outputs().end(),
                     [](const Value* v) { return v && is_float(v->dtype()); });
}

}  // namespace

bool is_exact(const Node& node) {
  for (const Graph* body : node.subgraphs())
    for (const Node* inner : body->nodes())
      if (!is_exact(*inner)) return false;
  if (!float_result(node) || node.op().has(Trait::ValuePreserving) || node.op().has(Trait::Movement)) return true;
  return kExact.contains(node.op().name);
}

Result<Expectation> expect(const Graph& graph, const Feeds& feeds, int runs, uint64_t seed) {
  Expectation wanted;
  wanted.exact = exact_outputs(graph);
  LAPIS_TRY(wanted.outputs, evaluate(graph, feeds));
  if (!evaluates_by_nodes(graph)) return wanted;
  Random random(seed);
  for (int i = 0; i < runs; ++i) {
    LAPIS_TRY(std::vector<Tensor> other, PerturbedRun(graph, feeds, &random, static_cast<size_t>(i)).run());
    wanted.others.push_back(std::move(other));
  }
  return wanted;
}

}  // namespace lapis::random_graphs
