// Operators that move, select or index elements, on hand-worked numbers.
#include "ir/ops/movement.h"

#include <limits>

#include "tests/ir/one_node.h"

namespace lapis::testing {
namespace {

Tensor ints(Ints values) { return Tensor::vector(std::move(values)); }
Tensor bytes(Shape shape, Bytes values) { return Tensor::of(std::move(shape), std::move(values)); }
std::string text(const char* s) { return s; }

TEST(Reshape, CopiesInfersAndAllowsZero) {
  EXPECT_EQ(run1(ops::Reshape, {ramp({2, 3, 4}), ints({0, -1})}).shape(), (Shape{2, 12}));
  EXPECT_EQ(run1(ops::Reshape, {ramp({2, 3, 4}), ints({4, 3, 2})}), ramp({4, 3, 2}));
  EXPECT_EQ(run1(ops::Reshape, {ramp({1}), ints({})}).shape(), (Shape{}));
  EXPECT_EQ(run1(ops::Reshape, {Tensor(DType::Float32, {0, 3}), ints({3, 0})}, {{"allowzero", int64_t{1}}}).shape(),
            (Shape{3, 0}));
  EXPECT_NE(inferred(ops::Reshape, {ramp({2, 3}), ints({4, 2})}).find("element counts differ"), std::string::npos);
  EXPECT_NE(inferred(ops::Reshape, {ramp({2, 3}), ints({-1, -1})}).find("more than one -1"), std::string::npos);
  EXPECT_NE(inferred(ops::Reshape, {ramp({2, 3}), ints({4, -1})}).find("element counts differ"), std::string::npos);
}

TEST(Reshape, NoTensorHasAsManyAxesAsAVectorMayHaveElements) {
  const Type target = Type::tensor(DType::Int64, Dims{int64_t{1} << 32});
  for (const OpDef* op : {&ops::Reshape, &ops::Expand, &ops::Unsqueeze, &ops::Squeeze})
    EXPECT_EQ(inferred(*op, {ramp({2, 3}), target}), "float[...]") << op->name;
  EXPECT_EQ(inferred(ops::ConstantOfShape, {target}), "float[...]");
}

TEST(Reshape, FlattenSqueezeUnsqueeze) {
  EXPECT_EQ(run1(ops::Flatten, {ramp({2, 3, 4})}, {{"axis", int64_t{-1}}}).shape(), (Shape{6, 4}));
  EXPECT_EQ(run1(ops::Flatten, {ramp({2, 3, 4})}, {{"axis", int64_t{3}}}).shape(), (Shape{24, 1}));
  EXPECT_EQ(run1(ops::Flatten, {ramp({2, 3})}, {{"axis", int64_t{0}}}).shape(), (Shape{1, 6}));
  EXPECT_EQ(run1(ops::Squeeze, {ramp({1, 3, 1})}).shape(), (Shape{3}));
  EXPECT_EQ(run1(ops::Squeeze, {ramp({1, 3, 1}), ints({-1})}).shape(), (Shape{1, 3}));
  EXPECT_NE(inferred(ops::Squeeze, {ramp({1, 3}), ints({1})}).find("its size is not 1"), std::string::npos);
  EXPECT_EQ(run1(ops::Unsqueeze, {ramp({3}), ints({-1, 0})}).shape(), (Shape{1, 3, 1}));
  EXPECT_NE(inferred(ops::Unsqueeze, {ramp({3}), ints({0, -3})}).find("given twice"), std::string::npos);
}

TEST(Transpose, PermutesAndReversesByDefault) {
  EXPECT_EQ(run1(ops::Transpose, {ramp({2, 3})}), (Tensor::of<float>({3, 2}, {1, 4, 2, 5, 3, 6})));
  EXPECT_EQ(run1(ops::Transpose, {bytes({1, 2, 3}, {1, 2, 3, 4, 5, 6})}, {{"perm", Ints{2, 0, 1}}}),
            bytes({3, 1, 2}, {1, 4, 2, 5, 3, 6}));
  EXPECT_NE(inferred(ops::Transpose, {ramp({2, 3})}, {{"perm", Ints{0, 0}}}).find("given twice"), std::string::npos);
  EXPECT_NE(inferred(ops::Transpose, {ramp({2, 3})}, {{"perm", Ints{0}}}).find("rank"), std::string::npos);
}

// Nothing is done for tensors without elements, however many rows of none they have.
TEST(Repeat, NothingTakesNoTime) {
  constexpr int64_t kMany = int64_t{1} << 17;
  const Tensor none = run1(ops::Expand, {Tensor::scalar(1.0f), ints({kMany, kMany, 0, 3})});
  EXPECT_EQ(none.shape(), (Shape{kMany, kMany, 0, 3}));
  for (int64_t axis : {0, 2, 3}) EXPECT_EQ(run1(ops::Softmax, {none}, {{"axis", axis}}), none);
  EXPECT_EQ(run1(ops::CumSum, {none, Tensor::scalar<int64_t>(2)}), none);
}

TEST(Repeat, ExpandAndTile) {
  EXPECT_EQ(run1(ops::Expand, {Tensor::of<float>({2, 1}, {1, 2}), ints({3, 1, 2})}).shape(), (Shape{3, 2, 2}));
  EXPECT_EQ(run1(ops::Expand, {Tensor::of<float>({2, 1}, {1, 2}), ints({2, 2})}),
            (Tensor::of<float>({2, 2}, {1, 1, 2, 2})));
  EXPECT_EQ(run1(ops::Expand, {ramp({2, 3}), ints({1})}), ramp({2, 3}));  // the shape may be the smaller one
  EXPECT_EQ(run1(ops::Tile, {Tensor::of<float>({2, 1}, {1, 2}), ints({1, 3})}),
            (Tensor::of<float>({2, 3}, {1, 1, 1, 2, 2, 2})));
  EXPECT_EQ(run1(ops::Tile, {ramp({2}), ints({2})}), (Tensor::vector<float>({1, 2, 1, 2})));
  EXPECT_EQ(run1(ops::Tile, {ramp({2}), ints({0})}).shape(), (Shape{0}));
  EXPECT_NE(inferred(ops::Tile, {ramp({2}), ints({1, 2})}).find("every axis"), std::string::npos);
}

TEST(Join, ConcatAlongAnyAxis) {
  const Tensor a = bytes({2, 1}, {1, 2}), b = bytes({2, 2}, {3, 4, 5, 6});
  EXPECT_EQ(run1(ops::Concat, {a, b}, {{"axis", int64_t{-1}}}), bytes({2, 3}, {1, 3, 4, 2, 5, 6}));
  EXPECT_EQ(run1(ops::Concat, {Tensor::strings({1}, {"a"}), Tensor::strings({2}, {"b", "c"})}, {{"axis", int64_t{0}}}),
            Tensor::strings({3}, {"a", "b", "c"}));
  EXPECT_NE(inferred(ops::Concat, {a, b}, {{"axis", int64_t{0}}}).find("differ in axis 1"), std::string::npos);
}

TEST(Join, SplitEvenlyUnevenlyAndAsTold) {
  auto pieces = run(ops::Split, {ramp({7})}, {{"num_outputs", int64_t{3}}}, 3);
  ASSERT_TRUE(pieces.ok());
  EXPECT_EQ((*pieces)[0], (Tensor::vector<float>({1, 2, 3})));
  EXPECT_EQ((*pieces)[2], (Tensor::vector<float>({7})));
  pieces = run(ops::Split, {ramp({2, 3}), ints({1, 0, 2})}, {{"axis", int64_t{1}}}, 3);
  ASSERT_TRUE(pieces.ok());
  EXPECT_EQ((*pieces)[0], (Tensor::of<float>({2, 1}, {1, 4})));
  EXPECT_EQ((*pieces)[1].shape(), (Shape{2, 0}));
  EXPECT_EQ((*pieces)[2], (Tensor::of<float>({2, 2}, {2, 3, 5, 6})));
  EXPECT_FALSE(run(ops::Split, {ramp({4}), ints({1, 2})}, {}, 2).ok());
}

// A file of a few bytes can say so: nothing may be as long as that axis.
TEST(Movement, EmptyTensorsMayHaveLongAxes) {
  const int64_t longest = int64_t{1} << 40;
  const Tensor x(DType::UInt8, {0, 7, longest});
  EXPECT_EQ(run1(ops::Transpose, {x}, {{"perm", std::vector<int64_t>{2, 0, 1}}}).shape(), (Shape{longest, 0, 7}));
  EXPECT_EQ(run1(ops::Slice, {x, ints({1}), ints({3}), ints({1})}).shape(), (Shape{0, 2, longest}));
  EXPECT_EQ(run1(ops::Gather, {x, ints({5, 5})}, {{"axis", int64_t{1}}}).shape(), (Shape{0, 2, longest}));
  EXPECT_EQ(run1(ops::Concat, {x, x}, {{"axis", int64_t{1}}}).shape(), (Shape{0, 14, longest}));
  EXPECT_EQ(run1(ops::Relu, {Tensor(DType::Int8, {longest, 0})}).shape(), (Shape{longest, 0}));
}

TEST(Slice, NegativePositionsStepsAndEmptyResults) {
  const Tensor x = ramp({5});
  auto slice = [&](int64_t start, int64_t end, int64_t step) {
    return values<float>(run1(ops::Slice, {x, ints({start}), ints({end}), ints({0}), ints({step})}));
  };
  EXPECT_EQ(slice(1, 4, 2), (Floats{2, 4}));
  EXPECT_EQ(slice(-2, INT64_MAX, 1), (Floats{4, 5}));
  EXPECT_EQ(slice(-1, INT64_MIN, -2), (Floats{5, 3, 1}));
  EXPECT_EQ(slice(3, 0, -1), (Floats{4, 3, 2}));
  EXPECT_EQ(slice(INT64_MAX, -100, -4), (Floats{5, 1}));
  EXPECT_EQ(slice(4, 2, 1), (Floats{}));
  EXPECT_EQ(slice(7, 9, 1), (Floats{}));
  EXPECT_EQ(slice(1, 2, INT64_MAX), (Floats{2}));
  EXPECT_EQ(slice(-1, INT64_MIN, INT64_MIN), (Floats{5}));
  EXPECT_EQ(run1(ops::Slice, {ramp({2, 3}), ints({1}), ints({3}), ints({-1})}),
            (Tensor::of<float>({2, 2}, {2, 3, 5, 6})));
  EXPECT_EQ(
      run1(ops::Slice, {Tensor(DType::Float32, {0}), ints({-1}), ints({INT64_MIN}), ints({0}), ints({-1})}).shape(),
      (Shape{0}));
  EXPECT_EQ(inferred(ops::Slice, {x, ints({0}), ints({1}), ints({0}), ints({0})}), "a step cannot be 0");
  EXPECT_EQ(inferred(ops::Slice, {x, Tensor::scalar<int64_t>(int64_t{1} << 60), ints({2}), ints({0})}),
            "starts, ends, axes and steps are vectors, not int64[]");
}

TEST(Pad, AllModesAndCropping) {
  auto pad = [](const char* mode, Ints pads) {
    return values<float>(run1(ops::Pad, {ramp({3}), ints(std::move(pads))}, {{"mode", text(mode)}}));
  };
  EXPECT_EQ(pad("constant", {1, 2}), (Floats{0, 1, 2, 3, 0, 0}));
  EXPECT_EQ(pad("edge", {2, 1}), (Floats{1, 1, 1, 2, 3, 3}));
  EXPECT_EQ(pad("reflect", {2, 1}), (Floats{3, 2, 1, 2, 3, 2}));
  EXPECT_EQ(pad("reflect", {3, 0}), (Floats{2, 3, 2, 1, 2, 3}));
  EXPECT_EQ(pad("wrap", {1, 2}), (Floats{3, 1, 2, 3, 1, 2}));
  EXPECT_EQ(pad("constant", {-1, 1}), (Floats{2, 3, 0}));
  EXPECT_EQ(pad("constant", {-4, 4}), (Floats{0, 0, 0}));
  EXPECT_EQ(pad("wrap", {-1, 3}), (Floats{2, 3, 2, 3, 2})) << "crops first, and repeats what is left";
  EXPECT_EQ(pad("wrap", {3, -1}), (Floats{2, 1, 2, 1, 2}));
  EXPECT_EQ(pad("reflect", {-1, 3}), (Floats{2, 3, 2, 3, 2}));
  EXPECT_EQ(pad("edge", {2, -2}), (Floats{1, 1, 1}));
  for (const char* mode : {"edge", "reflect", "wrap"})
    EXPECT_NE(inferred(ops::Pad, {ramp({3}), ints({-3, 4})}, {{"mode", text(mode)}}).find("nothing to repeat"),
              std::string::npos);
  const Tensor x = bytes({2, 1}, {1, 2});
  EXPECT_EQ(run1(ops::Pad, {x, ints({1, 0}), Tensor::scalar<uint8_t>(128), ints({-1})}),
            bytes({2, 2}, {128, 1, 128, 2}));
  EXPECT_NE(inferred(ops::Pad, {ramp({3}), ints({-2, -2})}).find("remove more"), std::string::npos);
  EXPECT_EQ(inferred(ops::Pad, {ramp({3}), ints({INT64_MAX, 5})}),
            "pads 9223372036854775807 and 5 make an axis of 3 larger than any memory");
}

TEST(Space, DepthAndBack) {
  const Tensor x = ramp({1, 4, 1, 2});  // channels 1 2 | 3 4 | 5 6 | 7 8
  EXPECT_EQ(run1(ops::DepthToSpace, {x}, {{"blocksize", int64_t{2}}}),
            (Tensor::of<float>({1, 1, 2, 4}, {1, 3, 2, 4, 5, 7, 6, 8})));
  const Tensor two = ramp({1, 8, 1, 1});
  EXPECT_EQ(values<float>(run1(ops::DepthToSpace, {two}, {{"blocksize", int64_t{2}}})),
            (Floats{1, 3, 5, 7, 2, 4, 6, 8}));
  EXPECT_EQ(values<float>(run1(ops::DepthToSpace, {two}, {{"blocksize", int64_t{2}}, {"mode", text("CRD")}})),
            (Floats{1, 2, 3, 4, 5, 6, 7, 8}));
  EXPECT_EQ(
      run1(ops::SpaceToDepth, {run1(ops::DepthToSpace, {x}, {{"blocksize", int64_t{2}}})}, {{"blocksize", int64_t{2}}}),
      x);
  EXPECT_NE(inferred(ops::DepthToSpace, {ramp({1, 6, 1, 1})}, {{"blocksize", int64_t{2}}}).find("cannot be cut"),
            std::string::npos);
}

TEST(Shapes, ShapeSizeRangeAndConstants) {
  EXPECT_EQ(run1(ops::ShapeOf, {ramp({2, 3, 4})}), ints({2, 3, 4}));
  EXPECT_EQ(run1(ops::ShapeOf, {ramp({2, 3, 4})}, {{"start", int64_t{-2}}}), ints({3, 4}));
  EXPECT_EQ(run1(ops::ShapeOf, {ramp({2, 3, 4})}, {{"start", int64_t{1}}, {"end", int64_t{-1}}}), ints({3}));
  EXPECT_EQ(run1(ops::ShapeOf, {ramp({2, 3})}, {{"start", int64_t{2}}, {"end", int64_t{1}}}), ints({}));
  EXPECT_EQ(run1(ops::Size, {ramp({2, 3})}), Tensor::scalar<int64_t>(6));
  EXPECT_EQ(run1(ops::ConstantOfShape, {ints({2})}, {{"value", Tensor::vector<int32_t>({7})}}),
            Tensor::vector<int32_t>({7, 7}));
  EXPECT_EQ(run1(ops::ConstantOfShape, {ints({1, 2})}), (Tensor::of<float>({1, 2}, {0, 0})));
  auto range = [](int64_t a, int64_t b, int64_t d) {
    return run1(ops::Range, {Tensor::scalar(a), Tensor::scalar(b), Tensor::scalar(d)});
  };
  EXPECT_EQ(range(1, 8, 3), ints({1, 4, 7}));
  EXPECT_EQ(range(3, 0, -2), ints({3, 1}));
  EXPECT_EQ(range(3, 3, 1), ints({}));
  EXPECT_EQ(range(0, 5, -1), ints({}));
  // Steps that leave the type on their way to elements that do not.
  EXPECT_EQ(
      run1(ops::Range, {Tensor::scalar(INT64_MIN + 1), Tensor::scalar<int64_t>(6), Tensor::scalar(int64_t{1} << 62)}),
      Tensor::vector<int64_t>({INT64_MIN + 1, -(int64_t{1} << 62) + 1, 1}));
  EXPECT_EQ(
      run1(ops::Range, {Tensor::scalar(INT32_MIN + 1), Tensor::scalar<int32_t>(6), Tensor::scalar(int32_t{1} << 30)}),
      Tensor::vector<int32_t>({INT32_MIN + 1, -(int32_t{1} << 30) + 1, 1}));
  EXPECT_EQ(run1(ops::Range, {Tensor::scalar(0.0f), Tensor::scalar(1.0f), Tensor::scalar(0.4f)}),
            (Tensor::vector<float>({0, 0.4f, 0.8f})));
  EXPECT_EQ(run1(ops::EyeLike, {ramp({2, 3})}, {{"k", int64_t{1}}, {"dtype", int64_t{7}}}),
            (Tensor::of<int64_t>({2, 3}, {0, 1, 0, 0, 0, 1})));
  for (int64_t k : {INT64_MIN, INT64_C(-2), INT64_C(3), INT64_MAX})
    EXPECT_EQ(run1(ops::EyeLike, {ramp({2, 3})}, {{"k", k}}), filled({2, 3}, 0)) << k;
  EXPECT_EQ(run1(ops::Constant, {}, {{"value_ints", Ints{4, 5}}}), ints({4, 5}));
}

TEST(Gather, SlicesByIndex) {
  const Tensor x = ramp({2, 3});
  EXPECT_EQ(run1(ops::Gather, {x, ints({-1, 0})}, {{"axis", int64_t{1}}}), (Tensor::of<float>({2, 2}, {3, 1, 6, 4})));
  EXPECT_EQ(run1(ops::Gather, {x, Tensor::scalar<int64_t>(1)}), (Tensor::vector<float>({4, 5, 6})));
  EXPECT_EQ(run1(ops::Gather, {bytes({3}, {7, 8, 9}), Tensor::of<int32_t>({1, 2}, {2, -3})}), bytes({1, 2}, {9, 7}));
  EXPECT_EQ(run1(ops::Gather, {x, ints({})}).shape(), (Shape{0, 3}));
  const auto failed = run(ops::Gather, {x, ints({2})});
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.diagnostics()[0].message, "index 2 is out of range for an axis of 2 elements");
}

TEST(Gather, ElementsAndND) {
  const Tensor x = ramp({3, 2});
  EXPECT_EQ(run1(ops::GatherElements, {x, Tensor::of<int64_t>({2, 2}, {2, 0, -1, 1})}),
            (Tensor::of<float>({2, 2}, {5, 2, 5, 4})));
  EXPECT_EQ(run1(ops::GatherElements, {x, Tensor::of<int64_t>({2, 1}, {1, 0})}, {{"axis", int64_t{1}}}),
            (Tensor::of<float>({2, 1}, {2, 3})));
  const Tensor cube = ramp({2, 2, 2});
  EXPECT_EQ(run1(ops::GatherND, {cube, Tensor::of<int64_t>({2, 2}, {0, 1, 1, -2})}),
            (Tensor::of<float>({2, 2}, {3, 4, 5, 6})));
  EXPECT_EQ(run1(ops::GatherND, {cube, Tensor::of<int64_t>({2, 1}, {1, 0})}, {{"batch_dims", int64_t{1}}}),
            (Tensor::of<float>({2, 2}, {3, 4, 5, 6})));
}

TEST(Scatter, ReplacesAndReduces) {
  const Tensor x = ramp({2, 3}), at = Tensor::of<int64_t>({1, 3}, {1, 0, -1}),
               updates = Tensor::of<float>({1, 3}, {10, 20, 30});
  EXPECT_EQ(run1(ops::ScatterElements, {x, at, updates}), (Tensor::of<float>({2, 3}, {1, 20, 3, 10, 5, 30})));
  EXPECT_EQ(run1(ops::ScatterElements, {x, at, updates}, {{"reduction", text("add")}}),
            (Tensor::of<float>({2, 3}, {1, 22, 3, 14, 5, 36})));
  const Tensor same = Tensor::of<int64_t>({3, 1}, {0, 0, 0});
  EXPECT_EQ(values<uint8_t>(run1(ops::ScatterND, {bytes({2}, {200, 5}), same, bytes({3}, {50, 6, 7})},
                                 {{"reduction", text("add")}})),
            (Bytes{7, 5}));
  EXPECT_EQ(run1(ops::ScatterND, {ramp({2}), same, Tensor::vector<float>({4, 5, 6})}),
            (Tensor::vector<float>({6, 2})));  // the last one stays
  EXPECT_EQ(run1(ops::ScatterND, {x, Tensor::of<int64_t>({1, 1}, {1}), Tensor::of<float>({1, 3}, {7, 8, 9})},
                 {{"reduction", text("max")}}),
            (Tensor::of<float>({2, 3}, {1, 2, 3, 7, 8, 9})));
}

TEST(Masks, OneHotNonZeroTriluCompress) {
  const Tensor on_off = Tensor::vector<float>({-1, 1}), depth = Tensor::scalar<int64_t>(3);
  EXPECT_EQ(run1(ops::OneHot, {ints({1, -1, 7}), depth, on_off}),
            (Tensor::of<float>({3, 3}, {-1, 1, -1, -1, -1, 1, -1, -1, -1})));
  const float infinity = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(run1(ops::OneHot, {Tensor::vector<float>({2, -3e38f, infinity, nan}), depth, on_off}),
            (Tensor::of<float>({4, 3}, {-1, -1, 1, -1, -1, -1, -1, -1, -1, -1, -1, -1})));
  EXPECT_EQ(run1(ops::OneHot, {ints({2, 0}), depth, on_off}, {{"axis", int64_t{0}}}),
            (Tensor::of<float>({3, 2}, {-1, 1, -1, -1, 1, -1})));
  EXPECT_EQ(run1(ops::NonZero, {Tensor::of<float>({2, 2}, {0, 3, 4, 0})}), (Tensor::of<int64_t>({2, 2}, {0, 1, 1, 0})));
  EXPECT_EQ(run1(ops::Trilu, {ramp({2, 3})}), (Tensor::of<float>({2, 3}, {1, 2, 3, 0, 5, 6})));
  EXPECT_EQ(run1(ops::Trilu, {ramp({2, 3}), Tensor::scalar<int64_t>(-1)}, {{"upper", int64_t{0}}}),
            (Tensor::of<float>({2, 3}, {0, 0, 0, 4, 0, 0})));
  EXPECT_EQ(run1(ops::Compress, {ramp({2, 3}), Tensor::vector<bool>({true, false, true})}, {{"axis", int64_t{-1}}}),
            (Tensor::of<float>({2, 2}, {1, 3, 4, 6})));
  EXPECT_EQ(run1(ops::Compress, {ramp({2, 3}), Tensor::vector<bool>({false, true})}), (Tensor::vector<float>({2})));
}

TEST(Packed, FourBitElementsMove) {
  const Tensor x =
      run1(ops::Cast, {ints({1, -2, 3, -4, 5, 6})}, {{"to", static_cast<int64_t>(DType::Int4)}}).reshaped({2, 3});
  EXPECT_EQ(run1(ops::Transpose, {x}).as_ints(), (Ints{1, -4, -2, 5, 3, 6}));
}

TEST(Packed, RowsThatBeginWithinAByteAreJoined) {
  const auto fours = [](Shape shape, int64_t first) {
    return run1(ops::Cast, {ramp(std::move(shape), static_cast<float>(first))},
                {{"to", static_cast<int64_t>(DType::Int4)}});
  };
  const Tensor joined = lapis::ops::concat({fours({3, 1}, 1), fours({3, 1}, 4), fours({3, 1}, -3)}, 1);
  EXPECT_EQ(joined.as_ints(), (Ints{1, 4, -3, 2, 5, -2, 3, 6, -1}));
}

TEST(Repeat, SizesThatNoTensorHasAreErrorsAtRunTimeToo) {
  const auto evaluated = [](const OpDef& op, const Tensor& x, const Tensor& how) {
    OneNode one(op, {x, Type::of(how)}, {}, 1);
    EXPECT_TRUE(infer_types(one.graph).ok());
    const auto y = evaluate(one.graph, {{"x1", how}});
    return y.ok() ? std::string() : y.diagnostics()[0].message;
  };
  const Tensor huge = Tensor::vector<int64_t>({INT64_MAX}), negative = Tensor::vector<int64_t>({-2});
  for (const OpDef* op : {&ops::Expand, &ops::Tile}) {
    EXPECT_NE(evaluated(*op, ramp({1}), huge), "");
    EXPECT_NE(evaluated(*op, ramp({1}), negative), "");
  }
  EXPECT_NE(evaluated(ops::Reshape, ramp({4}), Tensor::vector<int64_t>({int64_t{1} << 40, int64_t{1} << 40})), "");
  EXPECT_NE(evaluated(ops::Pad, ramp({4}), Tensor::vector<int64_t>({INT64_MAX, INT64_MAX})), "");
  EXPECT_NE(evaluated(ops::Pad, ramp({4}), Tensor::vector<int64_t>({INT64_MIN, 0})), "");
  EXPECT_EQ(values<float>(run1(ops::Tile, {Tensor::of<float>({0}, {}), Tensor::vector<int64_t>({int64_t{1} << 40})})),
            Floats{});
  EXPECT_EQ(values<float>(run1(ops::EyeLike, {ramp({2, 2})}, {{"k", INT64_MIN}})), (Floats{0, 0, 0, 0}));
  EXPECT_EQ(values<float>(run1(ops::EyeLike, {ramp({2, 2})}, {{"k", INT64_MAX}})), (Floats{0, 0, 0, 0}));
}

}  // namespace
}  // namespace lapis::testing
