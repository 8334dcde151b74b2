// Values: what stands in the graph for each value of the source, in each order of axes (layouts.h) and, for quantized
// values, as integers and as the reals that they mean. Forms come into being when somebody asks for them, once each.
#pragma once

#include <map>
#include <string>

#include "base/result.h"
#include "frontends/common/layouts.h"
#include "frontends/common/limits.h"
#include "frontends/common/names.h"
#include "frontends/common/source_graph.h"
#include "ir/op.h"

namespace lapis::frontend {

class Values {
 public:
  Values(const SourceGraph& source, Graph& graph, Names& names, Expansion& expansion)
      : source_(source), graph_(graph), names_(names), expansion_(expansion), scope_{&graph} {}

  // What is known of a value of the source: as its reader found it, or, where that says nothing,
  // as it was defined since.
  const SourceValue& source(const std::string& name) const {
    const auto it = defined_.find(name);
    return it == defined_.end() ? source_.values.at(name) : it->second;
  }
  // From now on nodes whose operands are all constant are computed at once and become constants.
  void fold_constants() { folds_ = true; }

  // Nodes that are added from now on belong to this part of the source:
  // their origin is `name`, findings about them are located at `where`.
  void enter(std::string name, std::string where);
  // A node with one typed output, which is named after what it is made for.
  Result<Value*> add(const OpDef& op, std::vector<Value*> inputs, Attributes attributes,
                     const std::string& output = "");
  Result<std::vector<Value*>> add_all(const OpDef& op, std::vector<Value*> inputs, Attributes attributes,
                                      size_t outputs);
  Value* constant(Tensor tensor) { return graph_.add_constant(std::move(tensor), names_.made(name_ + "/constant")); }

  Graph& graph() const { return graph_; }
  void add_input(const std::string& name, Type type);
  // What a node computes. Quantizes it where the source says that the value is, and gives it the source's name.
  Status define(const std::string& name, Value* real, Layout layout, int64_t channels);
  // The same of what is stored already.
  Status define_stored(const std::string& name, Value* value, Layout layout);
  // A constant, of integers that mean reals if `quantization` says so.
  void define_constant(const std::string& name, Tensor tensor, std::optional<Quantization> quantization = {});
  // What a small integer value holds, as far as shapes tell it; nullopt if it is not known.
  std::optional<Dims> contents(const std::string& name);
  void poison(const std::string& name) {
    if (!name.empty()) forms_[name].poisoned = true;
  }
  bool is_poisoned(const std::string& name) const;
  bool is_defined(const std::string& name) const;

  Result<Value*> stored(const std::string& name, Layout layout);
  Result<Value*> real(const std::string& name, Layout layout);
  Result<Value*> parameter(const std::string& name, const Axes& perm);
  Result<Value*> parameter_for_planes(const std::string& name, int64_t channels);
  // The order in which a value is at hand; that of images for inputs of the model with four axes,
  // if it works on images.
  Layout layout(const std::string& name) const;
  int64_t channels(const std::string& name) const;
  void prefer_channels_first() { images_ = true; }

 private:
  struct Forms {
    std::array<Value*, kLayouts> stored{}, real{};
    int64_t channels = 0;  // of FlattenedPlanes
    bool is_input = false, poisoned = false;
    Value*& stored_in(Layout layout) { return stored[static_cast<size_t>(layout)]; }
    Value*& real_in(Layout layout) { return real[static_cast<size_t>(layout)]; }
  };

  const Forms* find(const std::string& name) const;
  Result<Node*> add_node(const OpDef& op, std::vector<Value*> inputs, Attributes attributes,
                         std::vector<std::string> outputs);
  Value* add_constant(Tensor tensor, const std::string& name) {
    return graph_.add_constant(std::move(tensor), names_.made(name));
  }
  std::string name_in(const std::string& name, Layout layout) const;
  Result<Value*> reordered(const std::string& name, Forms& forms, Layout layout);
  Result<Value*> planes_as_written(const std::string& name, Forms& forms);
  Result<Value*> turned(Value* value, Layout from, Layout to, const std::string& output);
  Result<Value*> reshaped(Value* value, Shape shape, const std::string& output);
  Result<Value*> transposed(Value* value, const Axes& perm, const std::string& output);
  Result<Tensor> transposed(const Tensor& tensor, const Axes& perm);
  Result<Value*> quantized(Value* real, const SourceValue& as, int64_t axis, const std::string& output);
  Result<Value*> dequantized(Value* integers, const Quantization& as, int64_t axis, const std::string& output);
  Result<Value*> computed_parameter(const std::string& name, const Axes& perm);
  Result<Value*> parameter_of(const std::string& name, Tensor tensor, int64_t axis);
  Result<Value*> own(Value* value);
  Status keep(const std::string& name, Value* value, Layout layout);
  Status copies(size_t bytes);
  Result<Value*> folded(Node* node);
  void note_type(const std::string& name, const Value& value, Layout layout);

  const SourceGraph& source_;
  Graph& graph_;
  Names& names_;
  Expansion& expansion_;
  const Scope scope_;
  bool images_ = false, folds_ = false;
  std::string name_, where_;
  std::unordered_map<std::string, Forms> forms_;
  std::unordered_map<std::string, SourceValue> defined_;  // what is known of values whose type the source does not tell
  std::map<std::pair<std::string, Axes>, Value*> parameters_;  // by name and permutation; planes by {-channels}
};

}  // namespace lapis::frontend
