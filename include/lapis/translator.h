// Translators of your own: what an operator that Lapis does not know becomes,
// when a model of another framework is compiled (library Lapis::lapis).
//
//   // y = scale * tanh(x), as a program of ours adds it to TensorFlow.
//   void scaled_tanh(lapis::Translation& t) {
//     const lapis::Operand tanh = t.add("Tanh", {t.input(0)});
//     t.set(0, t.add("Mul", {tanh, t.constant(t.number("scale", 1))}));
//   }
//
//   auto executable = lapis::compile("model.pb", {.translators = {{"tensorflow", "ScaledTanh", 1, 1, scaled_tanh}}});
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "lapis/tensor.h"

namespace lapis {
LAPIS_PUBLIC_NAMESPACE {
  // A value of the graph that grows. One that could not be made is null; what is made of it is null too.
  class Operand {
   public:
    explicit operator bool() const { return value_ != nullptr; }

   private:
    friend class Translation;
    void* value_ = nullptr;
  };

  // Of a node of ONNX: {{"axis", 1}, {"alpha", 0.5}, {"perm", std::vector<int64_t>{0, 2, 1}}}.
  using NodeAttribute = std::variant<int64_t, double, std::string, std::vector<int64_t>, std::vector<double>>;
  using NodeAttributes = std::map<std::string, NodeAttribute>;

  // One node of the model, while your function translates it. The first thing that goes wrong is kept and reported with
  // the node's name, so that nothing needs to be tested on the way; everything behind it does nothing.
  class LAPIS_EXPORT Translation {
   public:
    std::string_view op() const;    // as the framework names it
    std::string_view name() const;  // of the node
    size_t inputs() const;
    size_t outputs() const;

    // Input i as a real number, its axes in the order of the framework. ErrorCode::Input if the node has none there.
    Operand input(size_t i);
    // A number or a list that the node has; `fallback` where it has none of this name, or another kind of it.
    double number(std::string_view attribute, double fallback) const;
    std::vector<double> numbers(std::string_view attribute) const;  // empty if there are none
    std::string text(std::string_view attribute, std::string_view fallback = "") const;

    // What is known of a value: its extents, -1 where one is open; empty for a scalar, and for a value of unknown rank.
    std::vector<int64_t> shape(Operand x) const;

    Operand constant(const TensorView& tensor);  // a copy
    Operand constant(double number);             // float32, without axes
    // A node of ONNX (opset 25) with one output: t.add("Concat", {a, b}, {{"axis", 1}}). ErrorCode::Usage for an
    // operator that ONNX or Lapis does not have, and whatever is wrong with the operands.
    Operand add(std::string_view op, const std::vector<Operand>& operands, const NodeAttributes& attributes = {});
    // Output i of the node, which must be set once for each that the model reads.
    void set(size_t i, Operand result);
    // To be called where the node says something that your function does not translate:
    // ErrorCode::Unsupported with your reason.
    void refuse(std::string_view reason);

    struct Impl;
    explicit Translation(Impl& impl) : impl_(impl) {}

   private:
    static Operand operand_of(void* value) {
      Operand operand;
      operand.value_ = value;
      return operand;
    }
    static void* value_of(Operand operand) { return operand.value_; }
    Impl& impl_;
  };

  // A row of your table. An operator that Lapis translates itself, or that two rows name,
  // is ErrorCode::Usage when a model is compiled.
  struct Translator {
    std::string
        framework;   // "tensorflow", "tflite", "keras", "mxnet" or "pytorch"; `lapis ops` lists them and what they have
    std::string op;  // "ScaledTanh"; of PyTorch without its overload: "my_ops.scaled_tanh"
    size_t fewest_inputs = 1, most_inputs = 1;
    std::function<void(Translation&)> translate;
  };

}  // namespace v1
}  // namespace lapis
