// Placement: where values lie and in which order, and that fusion and allocation go by it.
#include "codegen/lower/placement.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "codegen/lower/fuse.h"
#include "codegen/lower/lower.h"
#include "codegen/lower/view.h"
#include "codegen/print_plan.h"
#include "ir/infer.h"
#include "ir/ops/ops.h"

namespace lapis::codegen {
namespace {

using Home = Placement::Home;
using Ints = std::vector<int64_t>;

class PlacementTest : public ::testing::Test {
 protected:
  Value* image(const std::string& name) { return g.add_input(name, Type::tensor(DType::Float32, Shape{1, 8, 6, 5})); }
  Value* node(const OpDef& op, std::vector<Value*> inputs, Attributes attributes = {}) {
    Node* n = g.add_node(op, std::move(inputs), std::move(attributes));
    const Status typed = infer_types(*n);
    EXPECT_TRUE(typed.ok()) << to_string(typed.diagnostics());
    return n->output();
  }
  Value* conv(Value* x, int64_t kernel, int64_t pad = 0) {
    Value* w = g.add_constant(Tensor(DType::Float32, {8, 8, kernel, kernel}));
    return node(ops::Conv, {x, w}, {{"pads", Ints{pad, pad, pad, pad}}});
  }
  void place(std::vector<Value*> outputs) {
    g.set_outputs(std::move(outputs));
    const Result<NodeForms> forms = NodeForms::choose(g, false);
    ASSERT_TRUE(forms.ok()) << to_string(forms.diagnostics());
    placements.add(g, *forms);
  }
  const Placement& of(const Value* v) { return placements.of(*v); }
  // The steps of the plan, without those that only copy or fill.
  size_t steps() {
    const Result<Plan> plan = lower(g, {*Target::parse("x86-64+avx512")});
    EXPECT_TRUE(plan.ok()) << to_string(plan.diagnostics());
    return static_cast<size_t>(std::ranges::count_if(plan->steps, [](const Step& s) { return !s.nodes.empty(); }));
  }

  Graph g{"test"};
  Placements placements;
};

TEST_F(PlacementTest, KernelsWantChannelsLastAndTheWidestHalo) {
  Value* r = node(ops::Relu, {image("x")});
  place({node(ops::Add, {conv(r, 3, 1), node(ops::Abs, {conv(r, 5, 2)})})});
  EXPECT_EQ(of(g.inputs()[0]).home, Home::Given);
  EXPECT_TRUE(is_row_major(of(g.inputs()[0]).view));
  EXPECT_EQ(of(r).home, Home::Arena);
  EXPECT_TRUE(of(r).dense_along(1));
  ASSERT_TRUE(of(r).halo.has_value());
  EXPECT_EQ(of(r).halo->begin, (Ints{2, 2}));
  EXPECT_EQ(of(r).elements, 8 * (6 + 4) * (5 + 4));
}

TEST_F(PlacementTest, OutputsAreStoredInPlaceUnlessAKernelGains) {
  Value *plain = node(ops::Relu, {image("x")}), *written = conv(node(ops::Abs, {plain}), 1),
        *read = node(ops::Neg, {image("c")}), *beside = node(ops::Exp, {image("d")});
  Value* sum = node(ops::Add, {conv(read, 1), beside});
  place({plain, written, read, beside, sum});
  EXPECT_EQ(of(plain).home, Home::Output);  // read by an elementwise node only
  EXPECT_TRUE(is_row_major(of(plain).view));
  for (const Value* v : {written, read, beside, sum}) {
    EXPECT_EQ(of(v).home, Home::Arena) << v->name();
    EXPECT_TRUE(of(v).dense_along(1)) << v->name();
  }
}

TEST_F(PlacementTest, OnePixelHasOneOrder) {
  Value* pooled = node(ops::GlobalAveragePool, {image("x")});
  Value* y = conv(pooled, 1);
  place({y});
  EXPECT_EQ(of(y).home, Home::Output);
  EXPECT_TRUE(of(y).dense_along(1));
}

TEST_F(PlacementTest, ProductsAreRowMajorAmongConvolutions) {
  Value* x = g.add_input("x", Type::tensor(DType::Float32, Shape{1, 8, 6}));
  Value* w = g.add_constant(Tensor(DType::Float32, {8, 8, 1}));
  Value* c = node(ops::Conv, {x, w});
  Value* m = node(ops::MatMul, {c, g.add_constant(Tensor(DType::Float32, {6, 6}))});
  Value* r = node(ops::Relu, {m});
  place({node(ops::Conv, {r, w})});
  EXPECT_TRUE(of(c).dense_along(1));
  for (const Value* v : {m, r}) EXPECT_TRUE(is_row_major(of(v).view)) << v->name();
}

TEST_F(PlacementTest, ViewsLieWhereTheirOperandDoes) {
  Value* r = node(ops::Relu, {image("x")});
  Value* half =
      node(ops::Slice, {conv(r, 3, 1), g.add_constant(Tensor::vector<int64_t>({4})),
                        g.add_constant(Tensor::vector<int64_t>({8})), g.add_constant(Tensor::vector<int64_t>({1}))});
  Value* turned = node(ops::Transpose, {half}, {{"perm", Ints{0, 2, 3, 1}}});
  Value* flat = node(ops::Reshape, {half, g.add_constant(Tensor::vector<int64_t>({1, -1}))});
  place({turned, flat});
  EXPECT_EQ(of(half).home, Home::View);
  EXPECT_EQ(of(half).view.offset, 4);
  EXPECT_TRUE(of(half).dense_along(1));
  EXPECT_EQ(of(turned).view.strides, (Shape{240, 40, 8, 1}));
  EXPECT_TRUE(of(flat).dense_along(1));  // of a copy: strides cannot say it
}

// ---- fusion asks ----------------------------------------------------------------------------------------------------

TEST_F(PlacementTest, OutputsAreResidualsWithoutACopyForEach) {
  Value* r = node(ops::Neg, {image("x")});
  Value *a = node(ops::Add, {conv(image("c"), 1), r}), *b = node(ops::Add, {conv(image("d"), 1), r});
  place({r, a, b});
  EXPECT_EQ(steps(), 3U);
}

TEST_F(PlacementTest, PartsOfChannelsAreResiduals) {
  Value* c = conv(image("x"), 1);
  Node* split = g.add_node(ops::Split, {c}, {{"axis", int64_t{1}}, {"num_outputs", int64_t{2}}}, {"s", "t"});
  ASSERT_TRUE(infer_types(*split).ok());
  Value* w = g.add_constant(Tensor(DType::Float32, {4, 4, 1, 1}));
  place({node(ops::Add, {node(ops::Conv, {split->output(0), w}), split->output(1)})});
  EXPECT_EQ(steps(), 2U);
}

TEST_F(PlacementTest, WhatLiesAcrossIsNotFused) {
  place({node(ops::Add, {conv(image("x"), 1), image("r")})});  // the caller's, row-major
  EXPECT_EQ(steps(), 2U);
}

// ---- fusion changes -------------------------------------------------------------------------------------------------

TEST_F(PlacementTest, WhatIsFusedAwayIsNowhere) {
  Value *inner = conv(image("x"), 1), *y = node(ops::Relu, {inner});
  Value *inlined = node(ops::Exp, {image("c")}), *z = node(ops::Neg, {inlined});
  place({y, z});
  const Result<NodeForms> forms = NodeForms::choose(g, false);
  fuse(g, *forms, placements, true);
  EXPECT_EQ(of(inner).home, Home::Nowhere);
  EXPECT_EQ(of(inlined).home, Home::Nowhere);
  EXPECT_EQ(of(y).home, Home::Arena);
  EXPECT_EQ(of(z).home, Home::Output);
}

}  // namespace
}  // namespace lapis::codegen
