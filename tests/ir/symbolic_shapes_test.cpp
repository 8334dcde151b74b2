// Shapes that stay symbolic: arithmetic on Dims, and the shape computations that exporters write around Reshape, Slice
// and Expand.
#include "tests/ir/one_node.h"

namespace lapis::testing {
namespace {

Dim S() { return Dim::symbol("S"); }
Tensor ints(Ints values) { return Tensor::vector(std::move(values)); }

TEST(ExactDiv, DividesPolynomials) {
  auto divided = [](const Dim& a, const Dim& b) {
    const auto q = exact_div(a, b);
    return q ? q->to_string() : "none";
  };
  EXPECT_EQ(divided(N() * Dim(12), N()), "12");
  EXPECT_EQ(divided(N() * S() * Dim(384), S() * Dim(32)), "12*N");
  EXPECT_EQ(divided((N() + Dim(1)) * (S() + Dim(2)), S() + Dim(2)), "N+1");
  EXPECT_EQ(divided(N() * N() - S() * S(), N() + S()), "N-S");
  EXPECT_EQ(divided(N() + Dim(1), N()), "none");
  EXPECT_EQ(divided(N() * Dim(3), Dim(2)), "none");
  EXPECT_EQ(divided(Dim(0), N()), "0");
  EXPECT_EQ(divided(N(), Dim(0)), "none");
}

TEST(NeverNegative, LooksAtCoefficients) {
  EXPECT_TRUE((N() + Dim(3)).never_negative());
  EXPECT_FALSE((N() - Dim(1)).never_negative());
  EXPECT_FALSE(Dim::unknown().never_negative());
}

TEST(SymbolicReshape, InfersTheWildcard) {
  EXPECT_EQ(inferred(ops::Reshape, {floats({N(), 3, 4}), ints({0, -1})}), "float[N,12]");
  EXPECT_EQ(inferred(ops::Reshape, {floats({N(), S(), 384}), ints({0, 0, 12, 32})}), "float[N,S,12,32]");
  EXPECT_EQ(inferred(ops::Reshape, {floats({N(), S(), 384}), ints({-1, 384})}), "float[N*S,384]");
  EXPECT_EQ(inferred(ops::Reshape, {floats({N(), 6}), ints({-1, 4})}), "float[floor(6*N/4),4]");
  EXPECT_EQ(inferred(ops::Reshape, {floats({Dim(), 3, 4}), ints({0, -1})}), "float[?,12]");  // the unknown one cancels
  EXPECT_EQ(inferred(ops::Reshape, {floats({N(), 3}), Type::tensor(DType::Int64, Dims{4})}), "float[?,?,?,?]");
  EXPECT_EQ(inferred(ops::Flatten, {floats({N(), 3, S()})}), "float[N,3*S]");
}

TEST(SymbolicMovement, KeepsPolynomials) {
  EXPECT_EQ(inferred(ops::Concat, {floats({N(), 3}), floats({N(), S()})}, {{"axis", int64_t{1}}}), "float[N,S+3]");
  EXPECT_EQ(inferred(ops::Concat, {floats({Dim(), 3}), floats({4, 3})}, {{"axis", int64_t{1}}}), "float[4,6]");
  EXPECT_EQ(inferred(ops::Split, {floats({N(), S() * Dim(3)})}, {{"axis", int64_t{1}}}, 2), "float[N,S]");
  EXPECT_EQ(inferred(ops::Tile, {floats({N(), 2}), ints({3, 2})}), "float[3*N,4]");
  EXPECT_EQ(inferred(ops::Pad, {floats({N(), S()}), ints({0, 1, 0, 2})}), "float[N,S+3]");
  EXPECT_EQ(inferred(ops::Expand, {floats({1, S()}), ints({7, 1})}), "float[7,S]");
  EXPECT_EQ(inferred(ops::Transpose, {floats({N(), 3, S()})}, {{"perm", Ints{2, 0, 1}}}), "float[S,N,3]");
  EXPECT_EQ(inferred(ops::DepthToSpace, {floats({N(), 8, S(), 5})}, {{"blocksize", int64_t{2}}}), "float[N,2,2*S,10]");
  EXPECT_EQ(inferred(ops::Gather, {floats({512, 384}), Type::tensor(DType::Int64, Dims{N(), S()})}), "float[N,S,384]");
  EXPECT_EQ(inferred(ops::Squeeze, {floats({N(), 1})}), "float[...]");  // N may be 1
}

TEST(SymbolicSlice, OnlyClaimsWhatHolds) {
  auto slice = [](Dim size, int64_t start, int64_t end, int64_t step = 1) {
    return inferred(ops::Slice, {floats({size}), ints({start}), ints({end}), ints({0}), ints({step})});
  };
  EXPECT_EQ(slice(S(), 0, INT64_MAX), "float[S]");
  EXPECT_EQ(slice(S(), 1, INT64_MAX), "float[S-1]");
  EXPECT_EQ(slice(S(), 0, -1), "float[S-1]");
  EXPECT_EQ(slice(S(), -1, INT64_MAX), "float[?]");  // S may be 0
  EXPECT_EQ(slice(S() + Dim(2), -2, INT64_MAX), "float[2]");
  EXPECT_EQ(slice(S(), 0, 5), "float[?]");  // S may be less than 5
  EXPECT_EQ(slice(S() + Dim(8), 2, 5), "float[3]");
  EXPECT_EQ(slice(S() * Dim(2), 0, INT64_MAX, 2), "float[S]");
  EXPECT_EQ(slice(S(), -1, INT64_MIN, -1), "float[S]");
  EXPECT_EQ(slice(S(), 1, INT64_MIN), "float[0]");
  EXPECT_EQ(slice(S(), 0, -INT64_MAX, 3), "float[0]");
  EXPECT_EQ(slice(S(), INT64_MAX, INT64_MAX), "float[0]");
  EXPECT_EQ(slice(S(), INT32_MAX, -1), "float[0]");
}

// Shape computations over x: float[N,S,384]; `ids` is int64[N,S].
struct Chain : Graph {
  Chain() : Graph("chain") {
    x = add_input("x", floats({N(), S(), 384}));
    ids = add_input("ids", Type::tensor(DType::Int64, Dims{N(), S()}));
  }
  Value* add(const OpDef& op, std::vector<Value*> inputs, Attributes attributes = {}) {
    return add_node(op, std::move(inputs), std::move(attributes))->output();
  }
  Value* constant(Ints values) { return add_constant(ints(std::move(values))); }
  Value* size_of(Value* value, int64_t axis) {
    return add(ops::Gather, {add(ops::ShapeOf, {value}), add_constant(Tensor::scalar(axis))}, {{"axis", int64_t{0}}});
  }
  std::string type_of(Value* value) {
    set_outputs({value});
    const Status status = infer_types(*this);
    return status.ok() ? value->type().to_string() : to_string(status.diagnostics());
  }
  Value *x, *ids;
};

TEST(Propagation, MultiHeadReshapeStaysSymbolic) {
  Chain g;
  Value* n = g.add(ops::Unsqueeze, {g.size_of(g.x, 0), g.constant({0})});
  Value* s = g.add(ops::Unsqueeze, {g.size_of(g.x, 1), g.constant({0})});
  Value* shape = g.add(ops::Concat, {n, s, g.constant({12}), g.constant({32})}, {{"axis", int64_t{0}}});
  EXPECT_EQ(g.type_of(g.add(ops::Reshape, {g.x, shape})), "float[N,S,12,32]");
}

TEST(Propagation, ArithmeticOnSizes) {
  Chain g;
  Value* heads = g.add(ops::Div, {g.size_of(g.x, 2), g.add_constant(Tensor::scalar<int64_t>(12))});
  Value* rows = g.add(ops::Mul, {g.size_of(g.x, 0), g.size_of(g.x, 1)});
  Value* shape = g.add(ops::Concat,
                       {g.add(ops::Unsqueeze, {rows, g.constant({0})}), g.constant({-1}),
                        g.add(ops::Unsqueeze, {heads, g.constant({0})})},
                       {{"axis", int64_t{0}}});
  EXPECT_EQ(g.type_of(g.add(ops::Reshape, {g.x, shape})), "float[N*S,12,32]");
}

// As integers are divided with the floor: what is over goes first.
TEST(Propagation, QuotientsRoundedDownStaySymbolic) {
  Chain g;
  Value *three = g.add_constant(Tensor::scalar<int64_t>(3)), *size = g.size_of(g.x, 1);
  Value* whole = g.add(ops::Sub, {size, g.add(ops::Mod, {size, three})});
  Value* shape = g.add(ops::Unsqueeze, {g.add(ops::Div, {whole, three}), g.constant({0})});
  EXPECT_EQ(g.type_of(g.add(ops::ConstantOfShape, {shape})), "float[floor(S/3)]");
}

TEST(Propagation, IntegersOf32BitsWrap) {
  const Attributes narrow = {{"to", int64_t{6}}}, wide = {{"to", int64_t{7}}};
  const auto filled = [&](int64_t axis, int32_t factor) {
    Chain g;
    Value* product = g.add(
        ops::Mul, {g.add(ops::Cast, {g.size_of(g.x, axis)}, narrow), g.add_constant(Tensor::scalar<int32_t>(factor))});
    Value* shape = g.add(ops::Unsqueeze, {g.add(ops::Cast, {product}, wide), g.constant({0})});
    return g.type_of(g.add(ops::ConstantOfShape, {shape}));
  };
  EXPECT_EQ(filled(2, 5592405), "float[2147483520]");
  EXPECT_EQ(filled(2, 5592406), "float[?]");
  EXPECT_EQ(filled(0, 1 << 24), "float[16777216*N]");
  EXPECT_EQ(filled(0, 1 << 29), "float[?]");
  Chain g;
  Value* product = g.add(ops::Mul, {g.size_of(g.x, 2), g.add_constant(Tensor::scalar<int64_t>(1 << 24))});
  Value* cast = g.add(ops::Cast, {g.add(ops::Cast, {product}, narrow)}, wide);
  EXPECT_EQ(g.type_of(g.add(ops::ConstantOfShape, {g.add(ops::Unsqueeze, {cast, g.constant({0})})})), "float[?]");
}

TEST(Propagation, PositionsAndMasks) {
  Chain g;
  Value* s = g.size_of(g.ids, 1);
  Value* end = g.add(ops::Unsqueeze, {s, g.constant({0})});
  Value* table = g.add_constant(Tensor(DType::Int64, {1, 512}));
  EXPECT_EQ(g.type_of(g.add(ops::Slice, {table, g.constant({0}), end, g.constant({1})})), "int64[1,S]");
  Value* range =
      g.add(ops::Range, {g.add_constant(Tensor::scalar<int64_t>(0)), s, g.add_constant(Tensor::scalar<int64_t>(1))});
  EXPECT_EQ(g.type_of(range), "int64[S]");
  EXPECT_EQ(g.type_of(g.add(ops::Expand, {range, g.add(ops::ShapeOf, {g.ids})})), "int64[N,S]");
}

TEST(Propagation, ExpandWithMinusOneChosenByWhere) {
  Chain g;  // exporters write Where(shape == -1, ones, shape)
  Value* shape = g.add(ops::Concat, {g.add(ops::ShapeOf, {g.ids}), g.constant({-1})}, {{"axis", int64_t{0}}});
  Value* ones = g.add(ops::ConstantOfShape, {g.add(ops::ShapeOf, {shape})}, {{"value", ints({1})}});
  Value* chosen = g.add(ops::Where, {g.add(ops::Equal, {shape, g.constant({-1})}), ones, shape});
  EXPECT_EQ(g.type_of(g.add(ops::Expand, {g.x, chosen})), "float[N,S,384]");
}

TEST(Propagation, SliceCastAndSizeOfShapes) {
  Chain g;
  Value* shape = g.add(ops::Cast,
                       {
                           g.add(ops::ShapeOf, {g.x}),
                       },
                       {{"to", int64_t{6}}});
  Value* batch =
      g.add(ops::Slice, {g.add(ops::Cast, {shape}, {{"to", int64_t{7}}}), g.constant({0}), g.constant({-1})});
  EXPECT_EQ(g.type_of(g.add(ops::ConstantOfShape, {batch})), "float[N,S]");
  Value* all = g.add(ops::Unsqueeze, {g.add(ops::Size, {g.x}), g.constant({0})});
  EXPECT_EQ(g.type_of(g.add(ops::Reshape, {g.x, all})), "float[384*N*S]");
}

}  // namespace
}  // namespace lapis::testing
