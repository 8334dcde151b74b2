#include "tests/random/graphs/judge.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/guard.h"
#include "driver/compile.h"
#include "frontends/onnx/export.h"
#include "frontends/onnx/import.h"
#include "runtime/executable.h"

namespace lapis::random_graphs {
namespace {

// ---- comparison -----------------------------------------------------------------------------------------------------

bool same_bits(const Tensor& a, const Tensor& b, int64_t i) {
  const int width = bit_width(a.dtype()) / 8;
  return width && std::memcmp(a.raw() + i * width, b.raw() + i * width, static_cast<size_t>(width)) == 0;
}

bool same_element(const Tensor& a, const Tensor& b, int64_t i) {
  if (same_bits(a, b, i)) return true;
  if (!is_float(a.dtype())) return false;
  const double x = a.as_double(i), y = b.as_double(i);
  return (std::isnan(x) && std::isnan(y)) || (x == y && x != 0) ||
         (x == 0 && y == 0);  // signs of zero: see difference()
}

bool other_zero(const Tensor& a, const Tensor& b, int64_t i) {
  return is_float(a.dtype()) && a.as_double(i) == 0 && std::signbit(a.as_double(i)) != std::signbit(b.as_double(i));
}

double smallest(DType dtype) {
  switch (dtype) {
    case DType::Float16: return std::ldexp(1, -24);
    case DType::BFloat16: return std::ldexp(1, -133);
    case DType::Float64: return 1e-302;  // tails of double are computed by other formulas than the reference's
    default: return std::ldexp(1, -149);
  }
}

double largest(DType dtype) {
  switch (dtype) {
    case DType::Float16: return 65504;
    case DType::BFloat16: return std::ldexp(255, 120);
    case DType::Float64: return std::numeric_limits<double>::max();
    default: return std::numeric_limits<float>::max();
  }
}

struct Allowed {
  bool undetermined = false;
  double distance = 0;
};

Allowed allowed_at(const Expectation& wanted, size_t output, int64_t i) {
  const Tensor& w = wanted.outputs[output];
  Allowed allowed;
  for (const std::vector<Tensor>& other : wanted.others) {
    const Tensor& o = other[output];
    if (o.dtype() != w.dtype() || o.shape() != w.shape()) return {true, 0};
    if (same_element(o, w, i)) continue;
    if (!is_float(w.dtype())) return {true, 0};
    const double distance = std::abs(o.as_double(i) - w.as_double(i));
    if (!std::isfinite(distance)) return {true, 0};
    allowed.distance = std::max(allowed.distance, distance);
  }
  allowed.distance *= 4;
  if (!wanted.exact[output] && is_float(w.dtype()) && std::isfinite(w.as_double(i)))
    allowed.distance +=
        4 * unit_of(w.dtype()) * std::abs(w.as_double(i)) + 256 * smallest(w.dtype());  // a factor may be subnormal
  return allowed;
}

// A number that may be off beyond the largest one may be infinite, and what is computed from it NaN.
bool may_overflow(const Expectation& wanted) {
  for (size_t output = 0; output < wanted.outputs.size(); ++output) {
    const Tensor& w = wanted.outputs[output];
    if (!is_float(w.dtype()) || wanted.exact[output]) continue;
    for (int64_t i = 0; i < w.size(); ++i)
      if (std::abs(w.as_double(i)) + allowed_at(wanted, output, i).distance > largest(w.dtype())) return true;
  }
  return false;
}

std::string element_text(const Tensor& t, int64_t i) {
  if (t.dtype() == DType::UInt64)
    return std::to_string(static_cast<uint64_t>(t.data<uint64_t>()[static_cast<size_t>(i)]));
  if (is_integer(t.dtype()) && bit_width(t.dtype()) >= 8) return std::to_string(t.as_int(i));
  char text[40];
  std::snprintf(text, sizeof text, "%.17g", t.as_double(i));
  return text;
}

// ---- stages ---------------------------------------------------------------------------------------------------------

using Verdict = Judgement::Verdict;

Judgement refused(std::string stage, const Diagnostics& why) {
  for (const Diagnostic& d : why)
    if (d.severity == Severity::Error && (d.message.empty() || d.kind == ErrorKind::Internal))
      return {Verdict::Finding, std::move(stage), d.message.empty() ? "a refusal without a reason" : to_string(why)};
  return {Verdict::Refused, std::move(stage), to_string(why)};
}

// The first output that differs.
std::string compare(const Graph& graph, const Feeds& feeds, const std::vector<Tensor>& plain,
                    const std::vector<Tensor>& got, uint64_t seed) {
  constexpr int kRuns = 24;
  std::optional<Expectation> wanted;
  if (plain.size() != got.size()) return "there are " + std::to_string(got.size()) + " outputs";
  for (size_t i = 0; i < got.size(); ++i) {
    if (plain[i] == got[i]) continue;
    if (!wanted) {
      auto made = expect(graph, feeds, kRuns, seed);
      if (!made.ok()) return "";  // refused when a little off: not determined
      wanted = *std::move(made);
    }
    std::string text = difference(*wanted, i, got[i]);
    if (!text.empty()) return "output '" + graph.outputs()[i]->name() + "': " + text;
  }
  return "";
}

class Judge {
 public:
  Judge(const Sample& sample, const JudgeOptions& options) : sample_(sample), options_(options) {}

  Judgement run() {
    if (auto j = import()) return *j;
    if (!sample_.huge)
      if (auto j = reference()) return *j;
    if (auto j = compiled()) return *j;
    return {};
  }

 private:
  std::optional<Judgement> import() {
    const auto bytes = guarded([&] { return export_onnx(*sample_.graph); });
    if (!bytes.ok() && sample_.invalid) return Judgement{Verdict::Refused, "export", "an invalid graph"};
    if (!bytes.ok()) return refused("export", bytes.diagnostics());
    auto imported = import_onnx(std::as_bytes(std::span(*bytes)), "random.onnx");
    if (!imported.ok()) return refused("import", imported.diagnostics());
    graph_ = *std::move(imported);
    if (const Status bound = bind_model(*graph_, {sample_.dims, {}}); !bound.ok())
      return refused("bind", bound.diagnostics());
    for (const Value* v : graph_->inputs())
      if (!sample_.huge && !sample_.feeds.contains(v->name()))
        return Judgement{Verdict::Finding, "import", "an input was renamed"};
    return std::nullopt;
  }

  std::optional<Judgement> reference() {
    auto outputs = evaluate(*graph_, sample_.feeds);
    if (outputs.ok()) {
      wanted_ = *std::move(outputs);
      have_reference_ = true;
      return check_types();
    }
    reference_refusal_ = refused("reference", outputs.diagnostics());
    return reference_refusal_->verdict == Verdict::Finding ? reference_refusal_ : std::nullopt;
  }

  // Inference promised types; the tensors must have them.
  std::optional<Judgement> check_types() {
    for (size_t i = 0; i < wanted_.size(); ++i)
      if (!merge(graph_->outputs()[i]->type(), Type::of(wanted_[i])))
        return Judgement{Verdict::Finding, "reference",
                         "inference promised " + graph_->outputs()[i]->type().to_string() + " but the value is " +
                             Type::of(wanted_[i]).to_string()};
    return std::nullopt;
  }

  std::optional<Judgement> compiled() {
    CompileOptions options;
    options.target = options_.target;
    auto made = compile(*graph_, std::move(options));
    if (!made.ok()) {
      Judgement j = refused("compile", made.diagnostics());
      if (j.verdict == Verdict::Refused)
        if (auto finding = passes_alone()) return finding;
      return j;
    }
    if (sample_.huge) return std::nullopt;
    if (have_reference_)
      if (auto finding = passes(*made->graph)) return finding;
    return run_code(*made);
  }

  // Where no code can be made the passes still have to be right.
  std::optional<Judgement> passes_alone() {
    if (!have_reference_) return std::nullopt;
    const std::unique_ptr<Graph> copy = graph_->clone();
    PassContext context;
    if (!PassRunner({}).run(*copy, compile_pipeline(), context).ok()) return std::nullopt;
    return passes(*copy);
  }

  std::optional<Judgement> passes(const Graph& optimized) {
    auto outputs = evaluate(optimized, sample_.feeds);
    if (!outputs.ok())
      return Judgement{Verdict::Finding, "passes",
                       "the passes made a graph that cannot be evaluated: " + to_string(outputs.diagnostics())};
    optimized_ = *std::move(outputs);
    const std::string text = compare(*graph_, sample_.feeds, wanted_, optimized_, options_.seed);
    if (!text.empty()) return Judgement{Verdict::Finding, "passes", text};
    return std::nullopt;
  }

  std::optional<Judgement> run_code(const Compiled& made) {
    const auto executable = Executable::from(made.program);
    if (!executable.ok()) return Judgement{Verdict::Agreed, "run", to_string(executable.diagnostics()), true};
    auto session = executable->session({options_.threads, false});
    if (!session.ok()) return refused("session", session.diagnostics());
    std::vector<Tensor> inputs;
    for (const IoInfo& input : made.program.inputs) inputs.push_back(sample_.feeds.at(input.name));
    const auto first = session->run(inputs), second = session->run(inputs);
    if (!first.ok()) return refused("run", first.diagnostics());
    if (!second.ok() || *first != *second)
      return Judgement{Verdict::Finding, "run", "the second run gives something else"};
    if (!have_reference_) return reference_refusal_;
    const std::string text = compare(*made.graph, sample_.feeds, optimized_, *first, options_.seed);
    if (!text.empty()) return Judgement{Verdict::Finding, "run", text};
    return std::nullopt;
  }

  const Sample& sample_;
  const JudgeOptions& options_;
  std::unique_ptr<Graph> graph_;
  std::vector<Tensor> wanted_, optimized_;
  bool have_reference_ = false;
  std::optional<Judgement> reference_refusal_;
};

}  // namespace

std::string difference(const Expectation& wanted, size_t output, const Tensor& got) {
  const Tensor& w = wanted.outputs[output];
  const bool shape_known = std::all_of(wanted.others.begin(), wanted.others.end(),
                                       [&](const auto& other) { return other[output].shape() == w.shape(); });
  if (got.dtype() != w.dtype() || got.shape() != w.shape())
    return shape_known ? "is " + Type::of(got).to_string() + ", must be " + Type::of(w).to_string() : "";
  if (wanted.others.empty() && !wanted.exact[output]) return "";  // nobody knows how far it may be off
  if (!bit_width(w.dtype()) || bit_width(w.dtype()) < 8) return got == w ? "" : "packed bytes differ";
  for (int64_t i = 0; i < w.size(); ++i) {
    if (same_element(got, w, i)) {
      if (!wanted.exact[output] || !other_zero(got, w, i)) continue;
      return "element " + std::to_string(i) + " of " + Type::of(w).to_string() + " is the zero of the other sign";
    }
    const Allowed allowed = allowed_at(wanted, output, i);
    if (allowed.undetermined) continue;
    if (is_float(w.dtype()) && std::abs(got.as_double(i) - w.as_double(i)) <= allowed.distance) continue;
    if (is_float(w.dtype()) && !std::isfinite(got.as_double(i)) && may_overflow(wanted)) continue;
    char distance_text[40];
    std::snprintf(distance_text, sizeof distance_text, "%.3g", allowed.distance);
    return "element " + std::to_string(i) + " of " + Type::of(w).to_string() + " is " + element_text(got, i) +
           ", must be " + element_text(w, i) + " (up to " + distance_text + ")";
  }
  return "";
}

Judgement judge(const Sample& sample, const JudgeOptions& options) {
  auto judged = guarded([&]() -> Result<Judgement> { return Judge(sample, options).run(); });
  return judged.ok() ? *judged : refused("outside of compile", judged.diagnostics());
}

}  // namespace lapis::random_graphs
