#include "tests/ir/one_node.h"

namespace lapis::testing {
namespace {

// Two pairs of boxes that overlap by two thirds of what they cover, apart from each other.
const Tensor kPairs = Tensor::of<float>({1, 4, 4}, {0, 0, 1, 1, 0, 0.2F, 1, 1.2F, 0, 10, 1, 11, 0, 10.2F, 1, 11.2F});
Tensor scores(const std::vector<float>& of_boxes) { return Tensor::of<float>({1, 1, 4}, of_boxes); }
Tensor most(int64_t n) { return Tensor::vector<int64_t>({n}); }
Tensor number(float v) { return Tensor::vector<float>({v}); }

Ints suppressed(const std::vector<Operand>& operands, Attributes attributes = {}) {
  return values<int64_t>(run1(ops::NonMaxSuppression, operands, std::move(attributes)));
}

TEST(NonMaxSuppression, TakesTheBestOfThoseThatOverlap) {
  const Tensor s = scores({0.5F, 0.9F, 0.8F, 0.7F});
  EXPECT_EQ(suppressed({kPairs, s, most(4), number(0.5F)}), (Ints{0, 0, 1, 0, 0, 2}));
  EXPECT_EQ(suppressed({kPairs, s, most(4), number(0.7F)}), (Ints{0, 0, 1, 0, 0, 2, 0, 0, 3, 0, 0, 0}));
  EXPECT_EQ(suppressed({kPairs, s, most(1), number(0.5F)}), (Ints{0, 0, 1}));
  EXPECT_EQ(suppressed({kPairs, s, most(4), number(0.5F), number(0.8F)}), (Ints{0, 0, 1}));  // not what is as high
}

TEST(NonMaxSuppression, TakesNothingUnlessToldHowMany) {
  EXPECT_EQ(suppressed({kPairs, scores({1, 1, 1, 1})}), Ints{});
  EXPECT_EQ(suppressed({kPairs, scores({1, 1, 1, 1}), most(-1)}), Ints{});
}

TEST(NonMaxSuppression, TakesTheFirstOfEquals) {
  EXPECT_EQ(suppressed({kPairs, scores({0.5F, 0.5F, 0.5F, 0.5F}), most(4), number(0.5F)}), (Ints{0, 0, 0, 0, 0, 2}));
}

TEST(NonMaxSuppression, KeepsWhatOverlapsByAsMuchAsIsAllowed) {
  const Tensor halves = Tensor::of<float>({1, 2, 4}, {0, 0, 1, 1, 0, 0, 1, 0.5F});
  const Tensor s = Tensor::of<float>({1, 1, 2}, {2, 1});
  EXPECT_EQ(suppressed({halves, s, most(2), number(0.5F)}), (Ints{0, 0, 0, 0, 0, 1}));
  EXPECT_EQ(suppressed({halves, s, most(2), number(0.49F)}), (Ints{0, 0, 0}));
}

TEST(NonMaxSuppression, ReadsCornersInAnyOrderAndCenters) {
  const Tensor flipped = Tensor::of<float>({1, 2, 4}, {1, 1, 0, 0, 0, 1.2F, 1, 0.2F});
  const Tensor centered = Tensor::of<float>({1, 2, 4}, {0.5F, 0.5F, 1, 1, 0.7F, 0.5F, 1, 1});
  const Tensor s = Tensor::of<float>({1, 1, 2}, {1, 2});
  EXPECT_EQ(suppressed({flipped, s, most(2), number(0.5F)}), (Ints{0, 0, 1}));
  EXPECT_EQ(suppressed({centered, s, most(2), number(0.5F)}, {{"center_point_box", int64_t{1}}}), (Ints{0, 0, 1}));
}

TEST(NonMaxSuppression, ChoosesInEachClassOfEachBatch) {
  const Tensor boxes = Tensor::of<float>({2, 1, 4}, {0, 0, 1, 1, 0, 0, 1, 1});
  EXPECT_EQ(suppressed({boxes, Tensor::of<float>({2, 2, 1}, {1, 2, 3, 4}), most(1)}),
            (Ints{0, 0, 0, 0, 1, 0, 1, 0, 0, 1, 1, 0}));
}

TEST(NonMaxSuppression, ChecksItsOperands) {
  const auto message = [](const std::vector<Operand>& operands) { return inferred(ops::NonMaxSuppression, operands); };
  const Type boxes = floats({N(), 6, 4}), s = floats({N(), 2, 6});
  EXPECT_EQ(message({boxes, s}), "int64[?,3]");
  EXPECT_EQ(message({floats({1, 6, 5}), s}), "boxes are float[1,6,5], not four numbers each, [batches, boxes, 4]");
  EXPECT_EQ(message({boxes, floats({6})}), "scores are float[6], not [batches, classes, boxes]");
  EXPECT_EQ(message({boxes, floats({N(), 2, 7})}), "boxes are float[N,6,4], but scores float[N,2,7]");
  EXPECT_EQ(message({boxes, s, Tensor::vector<int64_t>({1, 2})}),
            "'max_output_boxes_per_class' is int64[2], one number is needed");
}

}  // namespace
}  // namespace lapis::testing
