// OpDef: everything Lapis knows about one operator, in one record (ir/ops/<op>.cpp). Attributes are typed fields;
// parsing, defaults, checking and documentation derive from the list of fields. ir/ops/ops.h lists the records; there
// is no static registration.
//
//   struct SoftmaxAttrs {
//     int64_t axis = -1;
//     static constexpr auto fields = std::tuple(field("axis", &SoftmaxAttrs::axis));
//   };
//   const OpDef Softmax = op("Softmax").since(13).in("input", kFloats).out("output").attrs<SoftmaxAttrs>()
//       .infer(infer).evaluate(evaluate).traits(Trait::Pure).quant(Quant::KeepFloat);
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "base/result.h"
#include "ir/graph.h"
#include "ir/quant.h"

namespace lapis {

// ---- attributes -----------------------------------------------------------------------------------------------------

template <class Struct, class T> struct Field {
  std::string_view name;
  T Struct::*member;
  bool required = false;
};
template <class Struct, class T> constexpr Field<Struct, T> field(std::string_view name, T Struct::*member) {
  return {name, member, false};
}
template <class Struct, class T> constexpr Field<Struct, T> required(std::string_view name, T Struct::*member) {
  return {name, member, true};
}

enum class AttrKind { Int, Float, String, Tensor, Graph, Ints, Floats, Strings };
AttrKind kind_of(const Attribute& attribute);
std::string_view name_of(AttrKind kind);

struct AttrDef {
  std::string_view name;
  AttrKind kind;
  bool required = false;
  std::shared_ptr<const Attribute> default_value =
      nullptr;  // as ONNX would store it; null for members that are std::optional
};

namespace detail {
template <class T> struct AttrType;  // C++ member type -> stored alternative
template <> struct AttrType<int64_t> {
  using Stored = int64_t;
  static constexpr AttrKind kind = AttrKind::Int;
};
template <> struct AttrType<bool> {
  using Stored = int64_t;
  static constexpr AttrKind kind = AttrKind::Int;
};
template <> struct AttrType<float> {
  using Stored = float;
  static constexpr AttrKind kind = AttrKind::Float;
};
template <> struct AttrType<std::string> {
  using Stored = std::string;
  static constexpr AttrKind kind = AttrKind::String;
};
template <> struct AttrType<Tensor> {
  using Stored = Tensor;
  static constexpr AttrKind kind = AttrKind::Tensor;
};
template <> struct AttrType<std::shared_ptr<Graph>> {
  using Stored = std::shared_ptr<Graph>;
  static constexpr AttrKind kind = AttrKind::Graph;
};
template <> struct AttrType<std::vector<int64_t>> {
  using Stored = std::vector<int64_t>;
  static constexpr AttrKind kind = AttrKind::Ints;
};
template <> struct AttrType<std::vector<float>> {
  using Stored = std::vector<float>;
  static constexpr AttrKind kind = AttrKind::Floats;
};
template <> struct AttrType<std::vector<std::string>> {
  using Stored = std::vector<std::string>;
  static constexpr AttrKind kind = AttrKind::Strings;
};
template <class T> struct AttrType<std::optional<T>> : AttrType<T> {};
}  // namespace detail

// Attributes of a node as the record's struct. A wrong kind is caught by the verifier before this is called.
template <class T> T decode_attributes(const Attributes& attributes) {
  T result;
  auto decode = [&](const auto& f) {
    using Member = std::remove_reference_t<decltype(result.*f.member)>;
    const auto it = attributes.find(f.name);
    if (it == attributes.end()) return;
    if (const auto* stored = std::get_if<typename detail::AttrType<Member>::Stored>(&it->second))
      result.*f.member = Member(*stored);
  };
  std::apply([&](const auto&... f) { (decode(f), ...); }, T::fields);
  return result;
}

// The struct as attributes; members at their default value are left out, as ONNX does.
template <class T> Attributes encode_attributes(const T& value) {
  Attributes attributes;
  const T defaults;
  auto encode = [&](const auto& f) {
    using Member = std::remove_cvref_t<decltype(value.*f.member)>;
    using Stored = typename detail::AttrType<Member>::Stored;
    const Member& member = value.*f.member;
    if (member == defaults.*f.member && !f.required) return;
    if constexpr (std::is_same_v<Member, std::optional<Stored>>) {
      if (member) attributes.emplace(f.name, Stored(*member));
    } else {
      attributes.emplace(f.name, Stored(member));
    }
  };
  std::apply([&](const auto&... f) { (encode(f), ...); }, T::fields);
  return attributes;
}

// What a member holds before decoding, as an attribute.
template <class T, class Member> std::shared_ptr<const Attribute> default_attribute(Member T::*member) {
  using Stored = typename detail::AttrType<Member>::Stored;
  const T defaults;
  if constexpr (std::is_same_v<Member, std::optional<Stored>>)
    return nullptr;
  else
    return std::make_shared<const Attribute>(Stored(defaults.*member));
}

template <class T> T Node::attrs() const { return decode_attributes<T>(attributes_); }

// ---- operands -------------------------------------------------------------------------------------------------------

using TypeSet = uint32_t;  // bit i: DType i is allowed
constexpr TypeSet types() { return 0; }
template <class... Rest> constexpr TypeSet types(DType first, Rest... rest) {
  return (1u << static_cast<int>(first)) | types(rest...);
}
inline constexpr TypeSet kFloats = types(DType::Float32, DType::Float64, DType::Float16, DType::BFloat16);
inline constexpr TypeSet kSignedIntegers = types(DType::Int8, DType::Int16, DType::Int32, DType::Int64);
inline constexpr TypeSet kUnsignedIntegers = types(DType::UInt8, DType::UInt16, DType::UInt32, DType::UInt64);
inline constexpr TypeSet kIntegers = kSignedIntegers | kUnsignedIntegers;
inline constexpr TypeSet kNumbers = kFloats | kIntegers;
inline constexpr TypeSet kAnyType = ~TypeSet{0};
inline constexpr TypeSet kIndices = types(DType::Int32, DType::Int64);
constexpr bool allows(TypeSet set, DType dtype) {
  return static_cast<int>(dtype) < 32 && ((set >> static_cast<int>(dtype)) & 1);
}

struct OperandDef {
  std::string_view name;
  TypeSet types = kAnyType;
  bool optional = false;
  bool variadic = false;           // the last one may repeat
  std::string_view variable = {};  // ONNX's type variable: operands that share one, repetitions included, have one type
};

// ---- behaviour ------------------------------------------------------------------------------------------------------

// What an operator does to shapes and values, for passes that do not care which operator it is.
enum class Trait : uint32_t {
  Pure = 1 << 0,  // same inputs, same outputs, no side effect: may be folded, merged, removed
  // The output's element i depends on element i of the operands only. They broadcast against each other by ONNX's
  // rules, unless OneSided.
  Elementwise = 1 << 1,
  Commutative = 1 << 2,  // of two operands; more of them are added in the order they are written
  ValuePreserving =
      1 << 3,          // every output element is an element of an input, or a constant pad: commutes with quantization
  Movement = 1 << 4,   // ValuePreserving and data independent: Reshape, Transpose, Slice, Concat, ...
  Monotonic = 1 << 5,  // non-decreasing elementwise (Relu, Clip, Sigmoid)
  Contraction = 1 << 6,  // sums products of two operands: Conv, Gemm, MatMul and their integer forms
  Reduction = 1 << 7,
  OneSided = 1 << 8,  // Elementwise in the shape of operand 0: the others are parameters of it (Clip, PRelu, CastLike)
};
using Traits = uint32_t;
constexpr Traits operator|(Trait a, Trait b) { return static_cast<Traits>(a) | static_cast<Traits>(b); }
constexpr Traits operator|(Traits a, Trait b) { return a | static_cast<Traits>(b); }

class InferContext;
class EvalContext;
using Types = std::vector<Type>;
using InferFn = Result<Types> (*)(const InferContext&);
using EvaluateFn = Status (*)(EvalContext&);
// Contents of small integer tensors as symbolic dims (what Shape, Gather, Concat, ... do to shapes),
// or nullopt if not known.
using PropagateFn = std::optional<Dims> (*)(const InferContext&);
// Types of the inputs of the operator's subgraph as far as its operands tell (Loop, Scan);
// asked before the subgraph is inferred.
using BodyInputsFn = Types (*)(const InferContext&);

struct OpDef {
  std::string_view name;
  std::string_view domain;  // "" is ai.onnx
  int since_version = 1;    // the ONNX schema version this record implements
  std::string_view doc;     // one sentence
  std::vector<OperandDef> inputs, outputs;
  std::vector<AttrDef> attributes;
  InferFn infer = nullptr;
  EvaluateFn evaluate = nullptr;
  PropagateFn propagate = nullptr;
  BodyInputsFn body_inputs = nullptr;
  Traits traits = 0;
  std::vector<Capability> quant;  // the ways to compute in fewer bits; none: it stays float

  // How quantization treats it if it is to compute in int8.
  Quant int8_form() const { return quant.empty() ? Quant::KeepFloat : quant.front().form; }
  bool has(Trait trait) const { return (traits & static_cast<Traits>(trait)) != 0; }
  size_t min_inputs() const;
  size_t max_inputs() const;  // SIZE_MAX if variadic
  const OperandDef& input(size_t i) const { return inputs[std::min(i, inputs.size() - 1)]; }
  const AttrDef* attribute(std::string_view attribute_name) const;
};

class OpBuilder {
 public:
  explicit OpBuilder(std::string_view name) { def_.name = name; }
  OpBuilder& domain(std::string_view d) {
    def_.domain = d;
    return *this;
  }
  OpBuilder& since(int version) {
    def_.since_version = version;
    return *this;
  }
  OpBuilder& doc(std::string_view sentence) {
    def_.doc = sentence;
    return *this;
  }
  OpBuilder& in(std::string_view name, TypeSet types = kAnyType, std::string_view variable = {}) {
    def_.inputs.push_back({name, types, false, false, variable});
    return *this;
  }
  OpBuilder& optional_in(std::string_view name, TypeSet types = kAnyType, std::string_view variable = {}) {
    def_.inputs.push_back({name, types, true, false, variable});
    return *this;
  }
  OpBuilder& variadic_in(std::string_view name, TypeSet types = kAnyType, std::string_view variable = {}) {
    def_.inputs.push_back({name, types, false, true, variable});
    return *this;
  }
  OpBuilder& out(std::string_view name, TypeSet types = kAnyType) {
    def_.outputs.push_back({name, types});
    return *this;
  }
  OpBuilder& optional_out(std::string_view name, TypeSet types = kAnyType) {
    def_.outputs.push_back({name, types, true});
    return *this;
  }
  OpBuilder& variadic_out(std::string_view name, TypeSet types = kAnyType) {
    def_.outputs.push_back({name, types, false, true});
    return *this;
  }
  template <class T> OpBuilder& attrs() {
    auto declare = [&]<class S, class M>(const Field<S, M>& f) {
      def_.attributes.push_back({f.name, detail::AttrType<M>::kind, f.required, default_attribute<S, M>(f.member)});
    };
    std::apply([&](const auto&... f) { (declare(f), ...); }, T::fields);
    return *this;
  }
  OpBuilder& infer(InferFn f) {
    def_.infer = f;
    return *this;
  }
  OpBuilder& evaluate(EvaluateFn f) {
    def_.evaluate = f;
    return *this;
  }
  OpBuilder& propagate(PropagateFn f) {
    def_.propagate = f;
    return *this;
  }
  OpBuilder& body_inputs(BodyInputsFn f) {
    def_.body_inputs = f;
    return *this;
  }
  OpBuilder& traits(Traits t) {
    def_.traits = t;
    return *this;
  }
  OpBuilder& traits(Trait t) {
    def_.traits = static_cast<Traits>(t);
    return *this;
  }
  OpBuilder& quant(Quant form) {
    def_.quant.clear();
    return form == Quant::KeepFloat ? *this : quant(int8_capability(form));
  }
  OpBuilder& quant(Capability row) {
    def_.quant.push_back(std::move(row));
    return *this;
  }
  operator OpDef() const { return def_; }

 private:
  OpDef def_;
};
inline OpBuilder op(std::string_view name) { return OpBuilder(name); }

// The record of an operator, or null if Lapis does not know it. Domain "ai.onnx" is the same as "".
const OpDef* find_op(std::string_view name, std::string_view domain = "");
const std::vector<const OpDef*>& all_ops();

}  // namespace lapis
