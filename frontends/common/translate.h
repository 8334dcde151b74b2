// Translators: how one operator of a foreign format becomes ONNX, as rows of a table;
// and the loop that applies them to a SourceGraph.
//
//   Status relu(Translation& t) {
//     const Layout layout = t.layout(0);
//     LAPIS_TRY(Value* x, t.real(0, layout));
//     LAPIS_TRY(Value* y, t.add(ops::Relu, {x}));
//     return t.set(0, y, layout);
//   }
//   constexpr Translator kTranslators[] = {{"RELU", 1, 2, 1, 1, relu}};
//
// What all formats need is done by the loop: names, layout, origins, operand counts, versions, poisoned values,
// quantized values as Q/DQ pairs, limits, and the report of everything that cannot be imported.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "base/result.h"
#include "frontends/common/options.h"
#include "frontends/common/values.h"
#include "ir/op.h"

namespace lapis::frontend {

class Translation;

// What translates one operator: sets every output, or says why not (Translation::unsupported, or any error).
struct TranslatorFunction {
  Status (*run)(Translation&);
  const OpDef* becomes = nullptr;  // where it is one operator, whatever the node says: unary<ops::Sigmoid>

  constexpr TranslatorFunction(Status (*function)(Translation&), const OpDef* op = nullptr)
      : run(function), becomes(op) {}
  Status operator()(Translation& t) const { return run(t); }
};

struct Translator {
  std::string_view op;                // as the format names it
  int64_t oldest, newest;             // versions of the operator that the function understands
  size_t fewest_inputs, most_inputs;  // those up to `fewest_inputs` must be present
  TranslatorFunction translate;
  bool wants_channels_first = false;  // a window over pixels: the model's inputs of 4 and 5 axes are images
};

// An operator of the format that has no translator: why, and what to do.
struct Refused {
  std::string_view op, reason, hint;
};

// An operator that the reader of the format takes out of the graph, and what it makes of it.
struct Resolved {
  std::string_view op, meaning;
};

struct Dialect {
  std::span<const Translator> translators;
  std::string_view hint;  // for what cannot be imported
  // Nodes say what others declare: what they compute of constants alone is folded,
  // and counts as a constant for the translators behind.
  bool folds_constants = false;
  std::span<const Refused> refused = {};
  std::span<const Resolved> resolved = {};
  // What becomes of every result before it is set: the activation that an operator has fused into it. Null: nothing.
  Result<Value*> (*finish)(Translation& t, Value* real) = nullptr;
};

Result<std::unique_ptr<Graph>> translate(const SourceGraph& source, const Dialect& dialect,
                                         const ImportOptions& options);

// One node being translated: what the source says of it, and the graph that grows. Operand numbers are the source's;
// those that a translator reads must be present, as the row of the table says or has() tells.
class Translation {
 public:
  Translation(const SourceGraph& source, const SourceNode& node, const Dialect& dialect, Values& values,
              const std::vector<OwnTranslator>& own)
      : source_(source), node_(node), dialect_(dialect), values_(values), own_(own) {}

  const SourceNode& node() const { return node_; }
  bool has(size_t i) const { return i < node_.inputs.size() && !node_.inputs[i].empty(); }
  size_t input_count() const { return node_.inputs.size(); }
  size_t output_count() const { return node_.outputs.size(); }
  const SourceValue& input(size_t i) const { return values_.source(node_.inputs.at(i)); }
  // What a small integer operand holds, symbols included, where shapes tell it; nullopt if it is not known.
  std::optional<Dims> contents(size_t i) const { return values_.contents(node_.inputs.at(i)); }
  const SourceValue& output(size_t i) const { return source_.values.at(node_.outputs.at(i)); }
  // An attribute of the node, or `fallback` if the file leaves it out.
  template <class T> T get(std::string_view name, T fallback) const {
    return frontend::attribute(node_.attributes, name, std::move(fallback));
  }

  // The attribute itself; the truth value false if the node has none of this name.
  const SourceAttribute& attribute(std::string_view name) const {
    static const SourceAttribute kNone = false;
    const auto it = node_.attributes.find(name);
    return it == node_.attributes.end() ? kNone : it->second;
  }

  // The order in which an operand is at hand, for operators that take any.
  Layout layout(size_t i) const { return values_.layout(node_.inputs[i]); }
  // An operand as a real number (dequantized where it is quantized).
  Result<Value*> real(size_t i, Layout layout) { return values_.real(node_.inputs[i], layout); }
  // An operand as it is stored: integers that stand for reals stay integers.
  Result<Value*> stored(size_t i, Layout layout) { return values_.stored(node_.inputs[i], layout); }
  // Weights and other parameters, transposed. Constants are so at once (before that they get axes of 1 in front, up to
  // the rank of `perm`) and then dequantized, so that their integers and scales stay.
  Result<Value*> parameter(size_t i, const Axes& perm) { return values_.parameter(node_.inputs[i], perm); }
  // For operands in Layout::FlattenedPlanes: how many planes, and the constant weights [N, H * W * C] to go with them.
  int64_t channels(size_t i) const { return values_.channels(node_.inputs[i]); }
  Result<Value*> parameter_for_planes(size_t i, int64_t channels) {
    return values_.parameter_for_planes(node_.inputs[i], channels);
  }

  Value* constant(Tensor tensor) { return values_.constant(std::move(tensor)); }
  // A node of the graph with one output, whose type is inferred.
  Result<Value*> add(const OpDef& op, std::vector<Value*> inputs, Attributes attributes = {}) {
    return values_.add(op, std::move(inputs), std::move(attributes));
  }
  // The same with several outputs.
  Result<std::vector<Value*>> add_all(const OpDef& op, std::vector<Value*> inputs, Attributes attributes,
                                      size_t outputs) {
    return values_.add_all(op, std::move(inputs), std::move(attributes), outputs);
  }
  template <class Attrs> Result<Value*> add(const OpDef& op, std::vector<Value*> inputs, const Attrs& attributes) {
    return add(op, std::move(inputs), encode_attributes(attributes));
  }
  // Output i, as a real number that a node of this translation computes; it is quantized where the source says so.
  // `channels` are those of Layout::FlattenedPlanes.
  Status set(size_t i, Value* real, Layout layout, int64_t channels = 0) {
    if (dialect_.finish) {
      LAPIS_TRY(real, dialect_.finish(*this, real));
    }
    return values_.define(node_.outputs.at(i), real, layout, channels);
  }

  // The same of what is stored already.
  Status set_stored(size_t i, Value* value, Layout layout) {
    return values_.define_stored(node_.outputs.at(i), value, layout);
  }
  // Body i of the node as a subgraph, whose inputs and outputs are stored as written.
  Result<std::shared_ptr<Graph>> body(size_t i);
  // The same with what is known of the body's inputs:
  // constants, which are no inputs then, and types where the source tells none.
  Result<std::shared_ptr<Graph>> body(size_t i, const std::vector<SourceValue>& inputs);
  size_t body_input_count(size_t i) const { return i < node_.bodies.size() ? node_.bodies[i]->inputs.size() : 0; }

  // Output i as a constant; integers that stand for reals have a quantization.
  void set_constant(size_t i, Tensor tensor, std::optional<Quantization> quantization = {}) {
    values_.define_constant(node_.outputs.at(i), std::move(tensor), std::move(quantization));
  }

  // To be returned where the format allows what Lapis does not: "filters that are computed".
  static Diagnostic unsupported(std::string reason) { return error(ErrorKind::Unsupported, std::move(reason)); }

 private:
  const SourceGraph& source_;
  const SourceNode& node_;
  const Dialect& dialect_;
  Values& values_;
  const std::vector<OwnTranslator>& own_;  // for bodies
};

}  // namespace lapis::frontend
