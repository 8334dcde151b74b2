// Compiled Resize gives the bits of the reference evaluator: every mode, coordinate and type, in every layout.
#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "ir/evaluate.h"
#include "ir/infer.h"
#include "ir/ops/ops.h"
#include "tests/driver/compare.h"
#include "tests/driver/run_compiled.h"

namespace lapis {
namespace {

using testing::host_levels;
using testing::run_compiled;
using Ints = std::vector<int64_t>;

constexpr DType kTypes[] = {DType::Float32, DType::Float64, DType::Float16, DType::BFloat16, DType::Int8,
                            DType::UInt8,   DType::Int16,   DType::UInt16,  DType::Int32,    DType::UInt32,
                            DType::Int64,   DType::UInt64,  DType::Bool};
constexpr const char* kCoordinates[] = {"half_pixel",    "half_pixel_symmetric", "pytorch_half_pixel",
                                        "align_corners", "asymmetric",           "tf_crop_and_resize"};

class ResizeTest : public ::testing::Test {
 protected:
  Tensor random(DType dtype, Shape shape) {
    Tensor t(DType::Float64, std::move(shape));
    std::uniform_real_distribution<double> uniform(is_float(dtype) ? -4 : 0, is_float(dtype) ? 4 : 100);
    for (double& v : t.mutable_data<double>()) v = generator_() % 16 == 0 ? -0.0 : uniform(generator_);
    return *evaluate_op(ops::Cast, {t}, {{"to", static_cast<int64_t>(dtype)}});
  }
  Value* input(Tensor t) {
    const std::string name = "x" + std::to_string(feeds_.size());
    Value* v = graph_.add_input(name, Type::of(t));
    feeds_[name] = std::move(t);
    return v;
  }
  Value* constant(Tensor t) { return graph_.add_constant(std::move(t)); }
  Value* node(const OpDef& op, std::vector<Value*> inputs, Attributes attributes = {}) {
    Node* n = graph_.add_node(op, std::move(inputs), std::move(attributes));
    const Status typed = infer_types(*n);
    EXPECT_TRUE(typed.ok()) << to_string(typed.diagnostics());
    return n->output();
  }
  Value* output(Value* v) { return outputs_.emplace_back(v); }

  Value* by_scales(Value* x, std::vector<float> scales, Attributes attributes) {
    return node(ops::Resize, {x, roi(x, attributes), constant(Tensor::vector(std::move(scales)))}, attributes);
  }
  Value* by_sizes(Value* x, Ints sizes, Attributes attributes) {
    return node(ops::Resize, {x, roi(x, attributes), nullptr, constant(Tensor::vector(std::move(sizes)))}, attributes);
  }

  // Same bits as the reference, whatever NaN is.
  void check() {
    graph_.set_outputs(outputs_);
    const auto wanted = evaluate(graph_, feeds_);
    ASSERT_TRUE(wanted.ok()) << to_string(wanted.diagnostics());
    for (const Target& target : {host_levels().front(), host_levels().back()}) check_on(target, *wanted);
  }

  Graph graph_{"resize"};
  Feeds feeds_;
  std::vector<Value*> outputs_;

 private:
  // Of the axes in the attributes, or all: parts of it lie outside of the image.
  Value* roi(const Value* x, const Attributes& attributes) {
    const auto axes = attributes.find("axes");
    const auto count = axes == attributes.end() ? static_cast<size_t>(x->type().rank())
                                                : std::get<std::vector<int64_t>>(axes->second).size();
    std::vector<float> region;
    for (size_t i = 0; i < 2 * count; ++i) region.push_back(i < count ? -0.2f + 0.3f * static_cast<float>(i) : 1.1f);
    return constant(Tensor::vector(std::move(region)));
  }

  void check_on(const Target& target, const std::vector<Tensor>& wanted) {
    const auto got = run_compiled(graph_, feeds_, target);
    ASSERT_TRUE(got.ok()) << to_string(got.diagnostics());
    for (size_t i = 0; i < wanted.size(); ++i)
      EXPECT_EQ(difference((*got)[i], wanted[i]), "") << describe(*outputs_[i]) << " on " << target.to_string();
  }

  static std::string difference(const Tensor& got, const Tensor& wanted) {
    if (got.dtype() != wanted.dtype() || got.shape() != wanted.shape()) return "another type or shape";
    const int64_t width = byte_size(wanted.dtype(), 1);
    for (int64_t i = 0; i < wanted.size(); ++i) {
      const bool nan = std::isnan(wanted.as_double(i)) && std::isnan(got.as_double(i));
      if (!nan && std::memcmp(got.raw() + i * width, wanted.raw() + i * width, static_cast<size_t>(width)) != 0)
        return "element " + std::to_string(i) + " is " + std::to_string(got.as_double(i)) + ", not " +
               std::to_string(wanted.as_double(i));
    }
    return {};
  }

  static std::string describe(const Value& v) {
    std::string text = v.type().to_string();
    for (const auto& [name, value] : v.producer()->attributes())
      if (const auto* word = std::get_if<std::string>(&value)) text += " " + name + "=" + *word;
    return text;
  }

  std::mt19937 generator_{7};
};

Attributes attributes(const std::string& mode, const std::string& coordinates, Attributes more = {}) {
  more["mode"] = mode;
  more["coordinate_transformation_mode"] = coordinates;
  more["extrapolation_value"] = 7.5f;
  return more;
}

TEST_F(ResizeTest, NearestInEveryModeOfRoundingAndCoordinates) {
  Value* x = input(random(DType::Float32, {2, 3, 7, 5}));
  for (const char* coordinates : kCoordinates)
    for (const char* rounding : {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"}) {
      const Attributes a = attributes("nearest", coordinates, {{"nearest_mode", std::string(rounding)}});
      output(by_scales(x, {1, 1, 2, 3}, a));
      output(by_scales(x, {1, 1, 0.6f, 1.7f}, a));
      output(by_sizes(x, {2, 3, 3, 11}, a));
    }
  check();
}

TEST_F(ResizeTest, FiltersInEveryModeOfCoordinates) {
  Value* x = input(random(DType::Float32, {1, 3, 7, 5}));
  for (const char* mode : {"linear", "cubic"})
    for (const char* coordinates : kCoordinates) {
      output(by_scales(x, {1, 1, 2, 0.7f}, attributes(mode, coordinates)));
      output(by_sizes(x, {1, 3, 3, 11}, attributes(mode, coordinates, {{"exclude_outside", int64_t{1}}})));
    }
  check();
}

// More taps than one loop body gathers, along one axis and over several.
TEST_F(ResizeTest, FiltersOfAnyWidth) {
  Value* x = input(random(DType::Float32, {3, 40, 9}));
  for (const char* mode : {"linear", "cubic"}) {
    output(by_sizes(x, {3, 3, 4}, attributes(mode, "half_pixel", {{"antialias", int64_t{1}}})));
    output(by_sizes(x, {2, 30, 10}, attributes(mode, "half_pixel", {{"antialias", int64_t{1}}})));
    output(by_sizes(x, {5, 50, 10}, attributes(mode, "tf_crop_and_resize")));
  }
  check();
}

TEST_F(ResizeTest, EveryRank) {
  const Shape shape = {2, 3, 4, 5, 3};
  const Ints sizes = {3, 2, 6, 4, 5};
  for (int64_t rank = 1; rank <= 5; ++rank) {
    Value* x = input(random(DType::Float32, Shape(shape.begin(), shape.begin() + rank)));
    for (const char* mode : {"nearest", "linear"})
      output(by_sizes(x, Ints(sizes.begin(), sizes.begin() + rank), attributes(mode, "half_pixel")));
    const Attributes last = {{"axes", Ints{-1}}, {"cubic_coeff_a", -0.5f}};
    output(by_scales(x, {1.5f}, attributes("cubic", "align_corners", last)));
  }
  Value* x = input(random(DType::Float32, {2, 6, 4}));
  for (const char* policy : {"not_larger", "not_smaller"})
    output(by_sizes(
        x, {9, 9},
        attributes("linear", "half_pixel", {{"axes", Ints{2, 1}}, {"keep_aspect_ratio_policy", std::string(policy)}})));
  check();
}

TEST_F(ResizeTest, EveryType) {
  for (const DType dtype : kTypes) {
    Value* x = input(random(dtype, {2, 5, 4}));
    for (const char* mode : {"nearest", "linear", "cubic"}) {
      if (dtype == DType::Bool && std::string(mode) != "nearest") continue;
      output(by_scales(x, {1, 2, 1.4f}, attributes(mode, "half_pixel")));
      output(by_sizes(x, {2, 7, 6}, attributes(mode, "tf_crop_and_resize")));
    }
    output(by_scales(x, {1, 3, 2}, attributes("nearest", "asymmetric", {{"nearest_mode", std::string("floor")}})));
  }
  check();
}

// Rounding behind the filter would show one bit of difference.
TEST_F(ResizeTest, BetweenBytes) {
  Value* x = input(random(DType::UInt8, {1, 8, 6, 5}));
  Value *scale = constant(Tensor::scalar(0.05f)), *zero = constant(Tensor::scalar(uint8_t{100}));
  Value* real = node(ops::DequantizeLinear, {x, scale, zero});
  for (const char* mode : {"nearest", "linear", "cubic"})
    output(node(ops::QuantizeLinear, {by_scales(real, {1, 1, 2, 2}, attributes(mode, "half_pixel")), scale, zero}));
  check();
}

// Views and channels-last storage in front, an elementwise chain behind.
TEST_F(ResizeTest, OperandsOfEveryLayout) {
  Value* x = input(random(DType::Float32, {2, 6, 5, 4}));
  Value* backwards =
      node(ops::Slice, {x, constant(Tensor::vector<int64_t>({-1, -1})), constant(Tensor::vector<int64_t>({-9, -9})),
                        constant(Tensor::vector<int64_t>({2, 3})), constant(Tensor::vector<int64_t>({-1, -2}))});
  Value* turned = node(ops::Transpose, {x}, {{"perm", Ints{0, 3, 1, 2}}});
  Value* repeated = node(
      ops::Expand, {node(ops::Slice, {x, constant(Tensor::vector<int64_t>({0})), constant(Tensor::vector<int64_t>({1})),
                                      constant(Tensor::vector<int64_t>({3}))}),
                    constant(Tensor::vector<int64_t>({1, 1, 1, 7}))});
  Value* pooled = node(ops::MaxPool, {x}, {{"kernel_shape", Ints{2, 2}}});
  for (Value* v : {backwards, turned, repeated, pooled})
    for (const char* mode : {"nearest", "linear"}) {
      Value* y = by_scales(v, {1, 1, 1.5f, 2}, attributes(mode, "half_pixel"));
      output(node(ops::Relu, {node(ops::Mul, {y, y})}));
      output(node(ops::MaxPool, {y}, {{"kernel_shape", Ints{2, 2}}, {"pads", Ints{1, 1, 1, 1}}}));
    }
  check();
}

// A file of a few bytes can say so: no table may be as long as that axis.
TEST_F(ResizeTest, WithoutElementsIsNoWork) {
  output(by_sizes(input(random(DType::Float32, {1, 1, 7, 14})), {0, 16, 1, int64_t{1} << 31}, {{"mode", "linear"}}));
  check();
}

TEST_F(ResizeTest, OfTheSameSizeIsACopy) {
  Tensor large(DType::Int64, {1, 1, 2, 2});
  for (int64_t& v : large.mutable_data<int64_t>()) v = INT64_MAX - 1;  // no double
  for (const char* mode : {"nearest", "linear", "cubic"})
    output(by_sizes(input(large), {1, 1, 2, 2}, {{"mode", mode}}));
  check();
}

}  // namespace
}  // namespace lapis
