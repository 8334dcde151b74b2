// Every operator with scalar or reduced meaning, on every element type it allows, on special values: generated code for
// each level of this host against the reference evaluator on the graph as it was written.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

#include "ir/evaluate.h"
#include "ir/infer.h"
#include "ir/ops/ops.h"
#include "tests/driver/compare.h"
#include "tests/driver/run_compiled.h"

namespace lapis {
namespace {

using testing::host_levels;
using testing::run_compiled;

constexpr DType kTypes[] = {DType::Float32, DType::Float64, DType::Float16, DType::BFloat16, DType::Int8,
                            DType::UInt8,   DType::Int16,   DType::UInt16,  DType::Int32,    DType::UInt32,
                            DType::Int64,   DType::UInt64,  DType::Bool};

// ---- values ---------------------------------------------------------------------------------------------------------

std::vector<double> special_reals() {
  std::vector<double> v = {0.0,     0.5, 1.0,   1.5, 2.0, 3.0, 7.25, 100.3, 1e-6, 127.5, 255.5, 1 + 0x1p-11 + 0x1p-30,
                           32768.0, 6e9, 1e-40, 1e20};
  const size_t positive = v.size();
  for (size_t i = 0; i < positive; ++i) v.push_back(-v[i]);
  for (const double special : {INFINITY, -INFINITY, NAN}) v.push_back(special);
  return v;
}

Tensor cast(const Tensor& x, DType to) { return *evaluate_op(ops::Cast, {x}, {{"to", static_cast<int64_t>(to)}}); }

// The special values of a type.
Tensor specials(DType dtype) {
  if (is_float(dtype)) return cast(Tensor::vector(special_reals()), dtype);
  if (dtype == DType::Bool) return cast(Tensor::vector<int64_t>({0, 1}), dtype);
  const IntegerRange range = integer_range(dtype);
  std::vector<int64_t> v = {0,
                            1,
                            2,
                            3,
                            7,
                            100,
                            -1,
                            -2,
                            -7,
                            range.lowest,
                            range.lowest + 1,
                            static_cast<int64_t>(range.highest),
                            static_cast<int64_t>(range.highest) - 1};
  return cast(Tensor::vector(std::move(v)), dtype);
}

// Element i is value i / repeat, over and over.
Tensor element(const Tensor& values, DType dtype, int64_t count, int64_t repeat) {
  std::vector<int64_t> index(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) index[static_cast<size_t>(i)] = i / repeat % values.size();
  Tensor picked = *evaluate_op(ops::Gather, {values, Tensor::vector(std::move(index))});
  return cast(picked, dtype);
}

// ---- comparison -----------------------------------------------------------------------------------------------------

enum class Accuracy { Exact, Near };

double relative_bound(DType dtype) {
  switch (dtype) {
    case DType::Float64: return 1e-12;
    case DType::Float16: return 1.1e-3;
    case DType::BFloat16: return 8.5e-3;
    default: return 4e-6;
  }
}
// Below the normal range numbers have fewer bits, and products of them, as in x * sigmoid(x), fewer still.
double smallest_step(DType dtype) {
  switch (dtype) {
    case DType::Float64: return 2 * std::numeric_limits<double>::denorm_min();
    case DType::Float16: return 0x1p-23;
    default: return 128 * static_cast<double>(std::numeric_limits<float>::denorm_min());
  }
}

bool agree(double got, double wanted, DType dtype, Accuracy accuracy) {
  if (std::isnan(got) || std::isnan(wanted)) return std::isnan(got) && std::isnan(wanted);
  if (got == wanted) return accuracy == Accuracy::Near || std::signbit(got) == std::signbit(wanted);
  if (accuracy == Accuracy::Exact || !is_float(dtype)) return false;
  return std::abs(got - wanted) <= relative_bound(dtype) * std::abs(wanted) + smallest_step(dtype);
}

std::string differences(const Tensor& got, const Tensor& wanted, Accuracy accuracy) {
  if (got.dtype() != wanted.dtype() || got.shape() != wanted.shape()) return "another type or shape";
  for (int64_t i = 0; i < wanted.size(); ++i) {
    const bool same = is_float(wanted.dtype()) ? agree(got.as_double(i), wanted.as_double(i), wanted.dtype(), accuracy)
                                               : got.as_int(i) == wanted.as_int(i);
    if (!same)
      return "element " + std::to_string(i) + " is " + std::to_string(got.as_double(i)) + ", not " +
             std::to_string(wanted.as_double(i));
  }
  return {};
}

// ---- graphs of many operators ---------------------------------------------------------------------------------------

class Table {
 public:
  explicit Table(DType dtype) : dtype_(dtype), graph_("table") {}

  Value* input(const std::string& name, Tensor tensor) {
    Value* v = graph_.add_input(name, Type::of(tensor));
    feeds_[name] = std::move(tensor);
    return v;
  }
  Value* constant(Tensor t) { return graph_.add_constant(std::move(t)); }
  Value* number(double x) { return constant(cast(Tensor::scalar(x), dtype_)); }

  // One result, if the record allows operands of these types.
  Value* add(Accuracy accuracy, const OpDef& op, std::vector<Value*> operands, Attributes attributes = {}) {
    for (size_t i = 0; i < operands.size(); ++i)
      if (operands[i] && !allows(op.input(i).types, operands[i]->dtype())) return nullptr;
    Node* node = graph_.add_node(op, std::move(operands), std::move(attributes));
    const Status typed = infer_types(*node);
    EXPECT_TRUE(typed.ok()) << op.name << ": " << to_string(typed.diagnostics());
    names_.push_back(std::string(op.name) + " #" + std::to_string(names_.size()));
    accuracies_.push_back(accuracy);
    outputs_.push_back(node->output());
    return node->output();
  }

  void check() {
    if (outputs_.empty()) GTEST_SKIP() << "no operator of this table takes " << name_of(dtype_);
    graph_.set_outputs(outputs_);
    const auto wanted = evaluate(graph_, feeds_);
    ASSERT_TRUE(wanted.ok()) << to_string(wanted.diagnostics());
    check_on(host_levels().front(), *wanted);  // the others in between differ in kernels, not in loops
    check_on(host_levels().back(), *wanted);
  }

 private:
  void check_on(const Target& target, const std::vector<Tensor>& wanted) {
    const auto got = run_compiled(graph_, feeds_, target);
    ASSERT_TRUE(got.ok()) << to_string(got.diagnostics());
    for (size_t i = 0; i < wanted.size(); ++i)
      EXPECT_EQ(differences((*got)[i], wanted[i], accuracies_[i]), "")
          << names_[i] << " of " << name_of(dtype_) << " on " << target.to_string();
  }

  DType dtype_;
  Graph graph_;
  Feeds feeds_;
  std::vector<Value*> outputs_;
  std::vector<std::string> names_;
  std::vector<Accuracy> accuracies_;
};

class OperatorTable : public ::testing::TestWithParam<DType> {
 protected:
  DType dtype() const { return GetParam(); }
};

constexpr Accuracy kExact = Accuracy::Exact, kNear = Accuracy::Near;

TEST_P(OperatorTable, UnaryOperators) {
  Table t(dtype());
  Value* x = t.input("x", specials(dtype()));
  for (const OpDef* op :
       {&ops::Abs, &ops::Neg, &ops::Sign, &ops::Floor, &ops::Ceil, &ops::Round, &ops::Relu, &ops::LeakyRelu,
        &ops::ThresholdedRelu, &ops::HardSigmoid, &ops::HardSwish, &ops::Softsign, &ops::Reciprocal, &ops::Sqrt,
        &ops::IsNaN, &ops::IsInf, &ops::Not, &ops::BitwiseNot, &ops::Identity})
    t.add(kExact, *op, {x});
  for (const OpDef* op : {&ops::Exp,     &ops::Log,  &ops::Sin,  &ops::Cos,  &ops::Tan,      &ops::Asin,  &ops::Acos,
                          &ops::Atan,    &ops::Sinh, &ops::Cosh, &ops::Tanh, &ops::Asinh,    &ops::Acosh, &ops::Atanh,
                          &ops::Sigmoid, &ops::Elu,  &ops::Selu, &ops::Celu, &ops::Softplus, &ops::Mish,  &ops::Swish})
    t.add(kNear, *op, {x});
  for (const OpDef* op : {&ops::Elu, &ops::Selu})  // its tail at zero is infinity times zero
    t.add(kNear, *op, {x}, {{"alpha", std::numeric_limits<float>::infinity()}});
  t.add(kNear, ops::Gelu, {x}, {{"approximate", std::string("tanh")}});
  if (dtype() != DType::Float64)  // no code yet
    for (const OpDef* op : {&ops::Gelu, &ops::Erf}) t.add(kNear, *op, {x});
  t.check();
}

TEST_P(OperatorTable, ConversionsToEveryType) {
  Table t(dtype());
  Value* x = t.input("x", specials(dtype()));
  for (const DType to : kTypes)
    if (to != dtype()) t.add(kExact, ops::Cast, {x}, {{"to", static_cast<int64_t>(to)}});
  for (const DType by : {DType::Int64, DType::UInt64, DType::Int8})  // what a chain of casts loses stays lost
    if (Value* mid = t.add(kExact, ops::Cast, {x}, {{"to", static_cast<int64_t>(by)}}))
      t.add(kExact, ops::Cast, {mid}, {{"to", static_cast<int64_t>(DType::Float32)}});
  t.check();
}

TEST_P(OperatorTable, BinaryOperators) {
  Table t(dtype());
  const Tensor values = specials(dtype());
  const int64_t n = values.size(), all = n * n;
  Value *x = t.input("x", element(values, dtype(), all, 1)), *y = t.input("y", element(values, dtype(), all, n));
  for (const OpDef* op : {&ops::Add, &ops::Sub, &ops::Mul, &ops::Div, &ops::Max, &ops::Min, &ops::PRelu, &ops::Equal,
                          &ops::Less, &ops::LessOrEqual, &ops::Greater, &ops::GreaterOrEqual, &ops::And, &ops::Or,
                          &ops::Xor, &ops::BitwiseAnd, &ops::BitwiseOr, &ops::BitwiseXor, &ops::Mean})
    t.add(kExact, *op, {x, y});
  t.add(kExact, ops::Mod, {x, y}, {{"fmod", int64_t{1}}});
  Value* distance = t.input(
      "distance",
      element(cast(Tensor::vector<int64_t>({0, 1, 2, 3, 5, 7, 8, 13, 31, 63, 64, 200}), dtype()), dtype(), all, 1));
  for (const char* direction : {"LEFT", "RIGHT"})
    t.add(kExact, ops::BitShift, {x, distance}, {{"direction", std::string(direction)}});
  if (is_integer(dtype())) t.add(kExact, ops::Mod, {x, y});
  for (const OpDef* op : {&ops::Max, &ops::Min, &ops::Sum, &ops::Mean}) t.add(kExact, *op, {x, y, x});
  t.add(is_float(dtype()) ? kNear : kExact, ops::Pow, {x, y});
  if (Value* less = t.add(kExact, ops::Less, {x, y})) t.add(kExact, ops::Where, {less, y, x});
  t.check();
}

// Bounds and other operands that are known when compiling take other ways.
TEST_P(OperatorTable, ConstantOperands) {
  if (dtype() == DType::Bool) return;
  Table t(dtype());
  const Tensor values = specials(dtype());
  Value* x = t.input("x", values);
  for (int64_t i = 0; i < values.size(); ++i) {
    if (i % 3 == 1 && i + 4 < values.size()) continue;  // the infinities and NaN are the last
    Value* c = t.constant(*evaluate_op(ops::Gather, {values, Tensor::scalar(i)}));
    for (const OpDef* op : {&ops::Max, &ops::Min, &ops::Add, &ops::Sub, &ops::Mul, &ops::Div})
      t.add(kExact, *op, {x, c});
    t.add(kExact, ops::Sub, {c, x});
    t.add(kExact, ops::Clip, {x, c});
    t.add(kExact, ops::Clip, {x, nullptr, c});
  }
  t.check();
}

TEST_P(OperatorTable, BoundsGivenAtRunTime) {
  if (dtype() == DType::Bool) return;
  Table t(dtype());
  const Tensor values = specials(dtype());
  Value* x = t.input("x", values);
  Value* scalar = t.constant(*evaluate_op(ops::Gather, {values, Tensor::scalar(int64_t{2})}));
  for (const int64_t i : {int64_t{0}, values.size() - 1, values.size() - 2}) {
    const Tensor one = *evaluate_op(ops::Gather, {values, Tensor::scalar(i)});
    Value* bound = t.input("bound" + std::to_string(i), one);
    Value* vector = t.input("vector" + std::to_string(i), one.reshaped({1}));
    for (Value* clipped : {x, scalar})
      for (Value* limit : {bound, vector}) {
        t.add(kExact, ops::Clip, {clipped, limit});
        t.add(kExact, ops::Clip, {clipped, nullptr, limit});
      }
  }
  t.check();
}

TEST_P(OperatorTable, PowersWithConstantExponents) {
  if (dtype() == DType::Bool) return;
  Table t(dtype());
  Value* x = t.input("x", specials(dtype()));
  const Accuracy accuracy = is_float(dtype()) ? kNear : kExact;
  for (const double exponent : {0.5, 1.0, 2.0, 3.0, -1.0, 1.5, 0.0})
    t.add(accuracy, ops::Pow, {x, t.constant(Tensor::scalar(static_cast<float>(exponent)))});
  for (const int64_t exponent : {1, 2, 3, -1, 16777217})
    t.add(accuracy, ops::Pow, {x, t.constant(Tensor::scalar(exponent))});
  t.add(accuracy, ops::Pow, {x, t.constant(Tensor::scalar(~uint64_t{0}))});
  t.check();
}

TEST_P(OperatorTable, Quantization) {
  if (!is_float(dtype()) && dtype() != DType::Int32) return;
  Table t(dtype());
  const Tensor values = specials(dtype());
  Value* x = t.input("x", element(values, dtype(), 3 * values.size(), 3).reshaped({values.size(), 3}));
  Value *one = t.constant(Tensor::scalar(0.37f)), *three = t.constant(Tensor::vector<float>({0.5f, 2, 10}));
  auto both = [&](auto zero) {
    using T = decltype(zero);
    t.add(kExact, ops::QuantizeLinear, {x, one, t.constant(Tensor::scalar(zero))});
    t.add(kExact, ops::QuantizeLinear, {x, three, t.constant(Tensor::vector<T>({0, zero, 1}))}, {{"axis", int64_t{1}}});
    t.add(kExact, ops::QuantizeLinear, {x, three}, {{"axis", int64_t{1}}});
    for (const int64_t half : {static_cast<int64_t>(DType::Float16), static_cast<int64_t>(DType::BFloat16)}) {
      t.add(kExact, ops::QuantizeLinear, {x, one, t.constant(Tensor::scalar(zero))}, {{"precision", half}});
      t.add(kExact, ops::QuantizeLinear, {x, three}, {{"axis", int64_t{1}}, {"precision", half}});
    }
  };
  both(uint8_t{128});
  both(int8_t{-3});
  both(uint16_t{40000});
  both(int16_t{-30000});
  t.check();
}

TEST_P(OperatorTable, Dequantization) {
  if (!is_integer(dtype())) return;
  Table t(dtype());
  const Tensor values = specials(dtype());
  Value* x = t.input("x", element(values, dtype(), 3 * values.size(), 3).reshaped({values.size(), 3}));
  Value *one = t.constant(Tensor::scalar(0.37f)), *three = t.constant(Tensor::vector<float>({0.5f, 2, 10}));
  t.add(kExact, ops::DequantizeLinear, {x, one, t.number(3)});
  t.add(kExact, ops::DequantizeLinear, {x, three, t.constant(cast(Tensor::vector<int64_t>({0, 5, 100}), dtype()))},
        {{"axis", int64_t{1}}});
  t.check();
}

// ---- reductions -----------------------------------------------------------------------------------------------------

// Lines of plain numbers, of both zeros, with infinities and with NaN.
Tensor lines(DType dtype) {
  constexpr double kInf = INFINITY;
  if (!is_float(dtype)) return cast(Tensor::of<int64_t>({3, 4}, {1, -2, 3, 4, 0, 0, 0, 0, 100, 90, 80, -70}), dtype);
  return cast(Tensor::of<double>({9, 4}, {1,    2,    3,     4.5,  -0.5, -0.25, 0, 1,    -0.0,  0.0,   -0.0,  0.0,
                                          -0.0, -0.0, -0.0,  -0.0, kInf, 0,     1, 2,    -kInf, 1,     2,     3,
                                          kInf, 1,    -kInf, 2,    NAN,  1,     2, kInf, -kInf, -kInf, -kInf, -kInf}),
              dtype);
}

constexpr const OpDef* kReductions[] = {
    &ops::ReduceSum, &ops::ReduceMean, &ops::ReduceMax,    &ops::ReduceMin,       &ops::ReduceProd,
    &ops::ReduceL1,  &ops::ReduceL2,   &ops::ReduceLogSum, &ops::ReduceLogSumExp, &ops::ReduceSumSquare};

TEST_P(OperatorTable, Reductions) {
  Table t(dtype());
  Value* x = t.input("x", lines(dtype()));
  Value* nothing = t.input("nothing", Tensor(dtype(), {3, 0}));
  Value* wide =
      t.input("wide", element(lines(dtype()).reshaped({lines(dtype()).size()}), dtype(), 40, 1).reshaped({2, 20}));
  for (const OpDef* op : kReductions) {
    const Accuracy accuracy = op == &ops::ReduceMax || op == &ops::ReduceMin ? kExact : kNear;
    for (Value* v : {x, nothing})
      for (const int64_t axis : {0, 1}) t.add(accuracy, *op, {v, t.constant(Tensor::vector<int64_t>({axis}))});
    if (!is_float(dtype())) t.add(accuracy, *op, {wide, t.constant(Tensor::vector<int64_t>({1}))});
  }
  t.check();
}

TEST_P(OperatorTable, SoftmaxAndNormalizations) {
  if (!is_float(dtype())) return;
  Table t(dtype());
  Value* x = t.input("x", lines(dtype()));
  Value* number = t.input("number", cast(Tensor::scalar(3.0), dtype()));  // of no axis
  for (const OpDef* op : {&ops::Softmax, &ops::LogSoftmax})
    for (Value* operand : {x, number}) t.add(kNear, *op, {operand});
  Value* sure = t.input("sure", cast(Tensor::of<double>({1, 3}, {20, 1, 0}), dtype()));
  t.add(kNear, ops::LogSoftmax, {sure});
  Value* image = t.input("image", cast(Tensor::of<double>({1, 2, 2, 2}, {300, 310, 290, 305, 1, 2, 3, 4}), dtype()));
  Value *scale = t.constant(cast(Tensor::vector<double>({1, 0.5}), dtype())),
        *bias = t.constant(cast(Tensor::vector<double>({2, 1}), dtype()));
  t.add(kNear, ops::LayerNormalization, {image, scale, bias});
  t.add(kNear, ops::InstanceNormalization, {image, scale, bias});
  t.add(kNear, ops::BatchNormalization, {image, scale, bias, bias, scale});
  t.check();
}

TEST_P(OperatorTable, Pools) {
  Table t(dtype());
  const Tensor values = lines(dtype());
  Value* x = t.input("x", values.reshaped({1, 1, values.dim(0), values.dim(1)}));
  const Attributes window = {{"kernel_shape", std::vector<int64_t>{2, 2}}};
  t.add(kExact, ops::MaxPool, {x}, window);
  t.add(kExact, ops::MaxPool, {x},
        {{"kernel_shape", std::vector<int64_t>{3, 3}}, {"pads", std::vector<int64_t>(4, 1)}});
  t.add(kNear, ops::AveragePool, {x}, window);
  Value* finite = t.input("finite", values.reshaped({values.dim(0), values.dim(1), 1, 1}));
  t.add(kExact, ops::GlobalMaxPool, {finite});
  t.add(kNear, ops::GlobalAveragePool, {x});
  // Sums beyond the largest half.
  Value* large = t.input("large", cast(Tensor::of<double>({1, 1, 30, 30}, std::vector<double>(900, 1000)), dtype()));
  for (const OpDef* op : {&ops::GlobalAveragePool, &ops::GlobalMaxPool}) t.add(kNear, *op, {large});
  t.add(kNear, ops::ReduceMean, {large, t.constant(Tensor::vector<int64_t>({2, 3}))});
  t.check();
}

INSTANTIATE_TEST_SUITE_P(Types, OperatorTable, ::testing::ValuesIn(kTypes),
                         [](const auto& info) { return std::string(name_of(info.param)); });

}  // namespace
}  // namespace lapis
