#include "tuning/schedules.h"

#include <gtest/gtest.h>

#include <set>

#include "codegen/kernels/schedule.h"
#include "codegen/kernels/table.h"
#include "ir/infer.h"
#include "ir/ops/ops.h"

namespace lapis {
namespace {

TEST(ContractionTrials, AnotherRowHasToGainTwoPercent) {
  const Schedule own{.row = 0}, other{.row = 1};
  EXPECT_EQ((ContractionTrials{"c", {{own, 100}, {other, 99}}}.best().schedule), own);
  EXPECT_EQ((ContractionTrials{"c", {{own, 100}, {other, 97}}}.best().schedule), other);
  EXPECT_EQ((ContractionTrials{"c", {{own, 100}}}.best().schedule), own);
}

class MeasuredSchedules : public ::testing::Test {
 protected:
  void SetUp() override {
    Value* x = graph_.add_input("x", Type::tensor(DType::Float32, Shape{4, 32}));
    Node* product = graph_.add_node(ops::MatMul, {x, graph_.add_constant(Tensor(DType::Float32, {32, 48}))});
    ASSERT_TRUE(infer_types(*product).ok());
    name_ = product->output()->name();
    graph_.set_outputs({product->output()});
    options_.rounds = 2;
  }
  Result<ScheduleTrials> measured() {
    return measure_schedules(
        graph_, [](const auto& inputs) { return std::vector{Tensor(inputs[0].dtype, inputs[0].shape)}; }, options_);
  }
  Graph graph_{"product"};
  std::string name_;
  MeasureOptions options_;
};

// Each row once, the cost model's first, and the result is one of them.
TEST_F(MeasuredSchedules, TryEveryRowThatFits) {
  if (!Target::host().has(Isa::Avx2)) GTEST_SKIP() << "no AVX2";
  options_.libraries = false;
  const Result<ScheduleTrials> trials = measured();
  ASSERT_TRUE(trials.ok()) << to_string(trials.diagnostics());
  ASSERT_EQ(trials->contractions.size(), 1u);
  const ContractionTrials& c = trials->contractions[0];
  EXPECT_EQ(c.name, name_);
  std::set<std::string_view> rows;
  for (const ScheduleTrial& t : c.tried) {
    EXPECT_TRUE(rows.insert(kernels::name_of_row(t.schedule.row)).second);
    EXPECT_TRUE(t.microseconds > 0 && t.microseconds < 1e6) << t.microseconds;
  }
  EXPECT_TRUE(rows.contains("conv_f32_avx2"));
  EXPECT_EQ(rows.contains("conv_f32_avx512"), Target::host().has(Isa::Avx512));
  EXPECT_FALSE(rows.contains("onednn_f32"));
  options_.compile.schedules = trials->best();
  const Result<Compiled> compiled = compile(graph_, options_.compile);
  ASSERT_TRUE(compiled.ok()) << to_string(compiled.diagnostics());
  EXPECT_EQ(codegen::schedules_of(compiled->plan), trials->best());
}

TEST_F(MeasuredSchedules, LeaveWhatIsGivenAsItIs) {
  if (!Target::host().has(Isa::Avx2)) GTEST_SKIP() << "no AVX2";
  options_.compile.schedules = *codegen::parse_schedules("conv_f32_avx2 2x1 : " + name_, "test");
  const Result<ScheduleTrials> trials = measured();
  ASSERT_TRUE(trials.ok()) << to_string(trials.diagnostics());
  ASSERT_EQ(trials->contractions[0].tried.size(), 1u);
  EXPECT_TRUE(kernels::to_string(trials->best().at(name_)).starts_with("conv_f32_avx2 2x1"));
}

TEST_F(MeasuredSchedules, TryTheLibraryIfItIsThere) {
  const Plan plan = *lower_model(graph_, options_.compile);
  const auto& c = std::get<Contraction>(plan.steps[0].region);
  bool fits = false;
  for (const kernels::Kernel& k : kernels::table()) fits |= k.library() && !kernels::misfit(k, c, plan.target);
  const Result<ScheduleTrials> trials = measured();
  ASSERT_TRUE(trials.ok()) << to_string(trials.diagnostics());
  bool tried = false;
  for (const ScheduleTrial& t : trials->contractions[0].tried)
    tried |= kernels::table()[static_cast<size_t>(t.schedule.row)].library();
  EXPECT_EQ(tried, fits);
}

}  // namespace
}  // namespace lapis
