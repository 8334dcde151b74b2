// The table of scalar operations, and programs written out, cleaned and ordered.
#include <gtest/gtest.h>

#include <set>

#include "codegen/scalar/expand.h"
#include "codegen/scalar/ops.h"
#include "codegen/scalar/program.h"

namespace lapis::scalar {
namespace {

constexpr DType kF32 = DType::Float32, kF64 = DType::Float64;

TEST(ScalarOps, RowsAreComplete) {
  std::set<std::string_view> names;
  for (const Row& row : rows()) {
    EXPECT_TRUE(names.insert(row.name).second) << row.name << " twice";
    EXPECT_EQ(row.kind == Kind::Elementary, row.reference != nullptr) << row.name;
    EXPECT_EQ(row.kind == Kind::Elementary, row.bound > 0) << row.name;
    EXPECT_EQ(&row_of(row.op), &row);
    EXPECT_TRUE(row.typing == Typing::Free || row.arity > 0) << row.name;
  }
}

// Functions are written out but for those that reduce angles by code;
// epilogues have what they are written out in, where that is float.
TEST(ScalarOps, FunctionsConsistOfOperations) {
  for (const Row& row : rows()) {
    if (row.kind != Kind::Elementary) continue;
    const bool angle = row.op == Op::Sin || row.op == Op::Cos || row.op == Op::Tan;
    EXPECT_NE(expands(row.op, kF32), angle) << row.name;
    EXPECT_EQ(expands(row.op, kF64), expands(row.op, kF32)) << row.name;
    if (angle) continue;
    for (const Instr& i : expand({{Op::Load, kF32, {-1, -1, -1}, 0}, {row.op, kF32, {0, -1, -1}}}).body)
      EXPECT_NE(row_of(i.op).kind, Kind::Elementary) << row.name;
  }
}

TEST(Expand, LeavesOtherProgramsAsTheyAre) {
  const std::vector<Instr> body = {
      {Op::Load, kF32, {-1, -1, -1}, 0}, {Op::Load, kF32, {-1, -1, -1}, 0}, {Op::Add, kF32, {0, 1, -1}}};
  const Expansion same = expand(body);
  EXPECT_EQ(same.body, body);
  EXPECT_EQ(same.ids, (std::vector<int32_t>{0, 1, 2}));
}

TEST(Expand, StoresAndReductionsFollow) {
  Loop::Phase phase;
  phase.over = Loop::Over::Inner;
  phase.body = {{Op::Load, kF32, {-1, -1, -1}, 0}, {Op::Exp, kF32, {0, -1, -1}}, {Op::Mul, kF32, {0, 1, -1}}};
  phase.reductions = {{Loop::Reduce::Sum, 1, kF32}};
  phase.stores = {{1, 2}};
  const Loop::Phase written = expand(phase);
  const Instr& product = written.body[static_cast<size_t>(written.stores[0].value)];
  EXPECT_EQ(product.op, Op::Mul);
  const Instr& summed = written.body[static_cast<size_t>(written.reductions[0].value)];
  EXPECT_EQ(summed.op, Op::Cast) << "a sum must not fuse with the last product of a formula";
  EXPECT_EQ(product.args[1], summed.args[0]);
  EXPECT_GT(written.body.size(), 20u);
}

TEST(Program, FindsWhatIsThereAlready) {
  Program p;
  const int x = p.add({Op::Load, kF32, {-1, -1, -1}, 0});
  EXPECT_EQ(p.add(Op::Neg, kF32, {x, -1, -1}), p.add(Op::Neg, kF32, {x, -1, -1}));
  EXPECT_NE(p.constant(kF32, 0.0), p.constant(kF32, -0.0));
  EXPECT_NE(p.constant(DType::Int32, 1), p.constant(DType::Int64, 1));
}

TEST(Program, DeadInstructionsGo) {
  Loop::Phase phase;
  phase.body = {{Op::Load, kF32, {-1, -1, -1}, 0},
                {Op::Load, kF32, {-1, -1, -1}, 1},
                {Op::Neg, kF32, {1, -1, -1}},
                {Op::Abs, kF32, {0, -1, -1}}};
  phase.stores = {{2, 3}};
  remove_dead(phase);
  ASSERT_EQ(phase.body.size(), 2u);
  EXPECT_EQ(phase.body[1].op, Op::Abs);
  EXPECT_EQ(phase.stores[0].value, 1);
}

// ((a + b) + (c + d)): the sums of pairs one after the other, never all four operands at a time.
TEST(Program, OrderKeepsFewValuesAlive) {
  std::vector<Instr> body;
  for (int32_t i = 0; i < 4; ++i) body.push_back({Op::Load, kF32, {-1, -1, -1}, i});
  body.push_back({Op::Add, kF32, {0, 1, -1}});
  body.push_back({Op::Add, kF32, {2, 3, -1}});
  body.push_back({Op::Add, kF32, {4, 5, -1}});
  const std::vector<Instr> ordered = in_order_of_need(body, 6);
  ASSERT_EQ(ordered.size(), 7u);
  EXPECT_EQ(ordered[2].op, Op::Add);
  for (size_t id = 0; id < ordered.size(); ++id)
    for (const int32_t arg : ordered[id].args) EXPECT_LT(arg, static_cast<int32_t>(id));
}

}  // namespace
}  // namespace lapis::scalar
