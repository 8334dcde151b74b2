// Operators of ONNX Runtime that its optimizers write into models (domain com.microsoft, a few in ONNX's own), and
// those of ONNX that it defines by no others but that others can compute, each as a function of ONNX's operators: a row
// says the signature and a function the nodes, both in ONNX's text syntax.
//
//   {"FastGelu (X, bias) => (Y)", 1, fast_gelu}
//
//   Body fast_gelu(const Call& call) {
//     const bool biased = call.has("bias");
//     return (biased ? "sum = Add (X, bias) " : "") +
//            apply("Y", "Gelu <approximate = \"tanh\">", biased ? "sum" : "X");
//   }
//
// Names and defaults are those of ONNX Runtime's documentation.
// An operand that the call leaves out is left out where the body reads it.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "frontends/onnx/protos.h"
#include "ir/type.h"

namespace lapis::onnx_frontend::definitions {

// A node by the names of its operator's signature.
class Call {
 public:
  // `types` are null where they are not known.
  Call(const onnx::NodeProto& node, const onnx::FunctionProto& signature, std::vector<const Type*> types)
      : node_(node), signature_(signature), types_(std::move(types)) {}

  bool has(std::string_view input) const { return !name_of(input).empty(); }
  bool wants(std::string_view output) const;
  size_t operands() const;
  const Type* type(std::string_view input) const;
  std::optional<int64_t> rank(std::string_view input) const;

  bool has_attribute(std::string_view name) const { return attribute(name) != nullptr; }
  int64_t integer(std::string_view name) const;  // 0 if there is neither a value nor a default
  float number(std::string_view name) const;     // the same
  std::string string(std::string_view name) const;
  std::vector<float> numbers(std::string_view name) const;
  std::vector<int64_t> integers_of(std::string_view name) const;

 private:
  std::string name_of(std::string_view input) const;
  const onnx::AttributeProto* attribute(std::string_view name) const;

  const onnx::NodeProto& node_;
  const onnx::FunctionProto& signature_;
  std::vector<const Type*> types_;
};

using Body = Result<std::string>;

// What halves do in a body: what its operators do with them, or everything in float with one rounding at the end, as
// in every operator of ONNX (docs/numerics.md). Then all results are of the type of the first input.
enum class Halves { AsWritten, InFloat };

struct Definition {
  std::string_view signature;  // NAME <attributes and defaults> (inputs) => (outputs)
  int fewest_inputs;
  Body (*body)(const Call& call);
  std::string_view domain = "com.microsoft";
  bool repeats = false;  // the last input may repeat; it is called input, input_1, input_2, ...
  Halves halves = Halves::AsWritten;

  std::string_view op() const { return signature.substr(0, signature.find_first_of(" <(")); }
};

// The rows by family.
std::span<const Definition> float_definitions();
std::span<const Definition> attention_definitions();
std::span<const Definition> quantized_definitions();
std::span<const Definition> standard_definitions();
std::span<const Definition> sampling_definitions();

// All rows, and the one of an operator; null if there is none.
std::vector<const Definition*> all();
const Definition* find(std::string_view domain, std::string_view op);
// What takes the place of a node, its attribute references bound.
// An error of kind Unsupported says what of the operator has no definition here.
Result<onnx::FunctionProto> function_of(const Definition& definition, const onnx::NodeProto& node,
                                        const std::vector<const Type*>& types);

// ---- words of bodies ------------------------------------------------------------------------------------------------

// "y = Add (a, b) "
std::string apply(std::string_view result, std::string_view op, std::string_view operands);
// A constant scalar of the type of a value; `number` is "0.5" or "@alpha".
std::string scalar_like(std::string_view result, std::string_view number, std::string_view value);
std::string integers(std::string_view result, std::span<const int64_t> values);
std::string integers(std::string_view result, std::initializer_list<int64_t> values);
// How many there are along an axis, as int64[1] and, under NAME_count, as a number.
std::string extent(const std::string& result, std::string_view value, int64_t axis);
std::string transpose(std::string_view result, std::string_view value, std::span<const int64_t> perm);
// Of [batch, ..., channels] as [batch, channels, ...], and back.
std::string channels_first(std::string_view result, std::string_view value, int64_t rank);
std::string channels_last(std::string_view result, std::string_view value, int64_t rank);
std::string text_of(float number);

inline constexpr std::string_view kBefore =
    "import the model as it was before ONNX Runtime optimized it (ORT_ENABLE_BASIC keeps to ONNX's operators)";
Diagnostic refuse(std::string reason, std::string advice = std::string(kBefore));

}  // namespace lapis::onnx_frontend::definitions
