// The invariants of calls, branches and repetitions in a Plan, broken on purpose, are found and named.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "codegen/lower/view.h"
#include "codegen/verify_plan.h"

namespace lapis {
namespace {

using ::testing::HasSubstr;

// Made by hand, as small as such a plan can be: y = x, copied by one of two copies, or again and again.
class VerifyControlFlow : public ::testing::Test {
 protected:
  void SetUp() override {
    plan.target = *Target::parse("x86-64+avx2");
    plan.buffers = {{"x", Space::Input, 8, 0},
                    {"y", Space::Output, 8, 1},
                    {"n", Space::Arena, 64, 0},
                    {"all", Space::Arena, 64, 64}};
    plan.inputs = {{"x", DType::Int64, {}, 0}};
    plan.outputs = {{"y", DType::Int64, {}, 1}};
    plan.arena_bytes = 128;
  }

  View view(int buffer, Shape shape = {}) { return codegen::row_major_view(buffer, DType::Int64, std::move(shape)); }
  View truth(int buffer) { return codegen::row_major_view(buffer, DType::Bool, {}); }
  void add(Region region) { plan.steps.push_back({std::move(region), {}, "", "", ""}); }
  void add_copy(int from, int to) {
    Loop loop{"copy", {}, 0, {view(from), view(to)}, {}};
    loop.phases.push_back({Loop::Over::Row, {{Op::Load, DType::Int64, {-1, -1, -1}, 0}}, {}, {{1, 0}}});
    add(std::move(loop));
  }
  void add_branch() {
    add(Branch{"if", truth(0), 2, 3});
    add_copy(0, 1);
    add_copy(0, 1);
  }
  void add_repeat() {
    add(Repeat{"loop", view(0), std::nullopt, view(2), {{view(1), view(3, {2}), false}}, 2});
    add_copy(0, 1);
    add_copy(0, 1);
  }
  template <class R> R& first() { return std::get<R>(plan.steps[0].region); }
  std::string findings() { return to_string(codegen::verify(plan)); }

  Plan plan;
};

TEST_F(VerifyControlFlow, ValidPlansHaveNoFindings) {
  add_branch();
  EXPECT_EQ(findings(), "");
  plan.steps.clear();
  add_repeat();
  EXPECT_EQ(findings(), "");
}
TEST_F(VerifyControlFlow, K1OperandsAreRowMajor) {
  add(Call{"call", "topk", {view(0, {1})}, {view(1, {1})}, {}, {}});
  EXPECT_EQ(findings(), "");
  first<Call>().inputs[0].shape = {2, 1};
  first<Call>().inputs[0].strides = {3, 1};
  EXPECT_THAT(findings(), HasSubstr("an operand is not row-major"));
}
TEST_F(VerifyControlFlow, K1ResultsLieInTheirBuffers) {
  add(Call{"call", "topk", {view(0)}, {view(1, {2})}, {}, {}});
  EXPECT_THAT(findings(), HasSubstr("a result reaches bytes"));
}
TEST_F(VerifyControlFlow, K1OperandsLieInTheirBuffers) {
  add(Call{"call", "topk", {view(0, {2})}, {view(1)}, {}, {}});
  EXPECT_THAT(findings(), HasSubstr("an operand reaches bytes"));
}
TEST_F(VerifyControlFlow, K1ResultsAreRowMajor) {
  add(Call{"call", "topk", {view(0)}, {view(3, {2, 2})}, {}, {}});
  first<Call>().outputs[0].strides = {1, 2};
  EXPECT_THAT(findings(), HasSubstr("a result is not row-major"));
}
TEST_F(VerifyControlFlow, K1ItIsARoutineOrAHostFunction) {
  add(Call{"call", "host", {view(0)}, {view(1)}, {}, {}});
  EXPECT_THAT(findings(), HasSubstr("a host function or is a routine"));
  first<Call>().routine = "topk";
  EXPECT_EQ(findings(), "");
}
TEST_F(VerifyControlFlow, K2ResultsHaveBuffersOfTheirOwn) {
  add(Call{"call", "topk", {view(2, {1})}, {view(2, {1})}, {}, {}});
  EXPECT_THAT(findings(), HasSubstr("share a buffer"));
  plan.steps.clear();
  add(Call{"call", "topk", {view(0, {1})}, {view(1, {1}), view(1, {1})}, {}, {}});
  EXPECT_THAT(findings(), HasSubstr("share a buffer"));
}
TEST_F(VerifyControlFlow, F1ConditionsAreOneBool) {
  add_branch();
  first<Branch>().condition = view(0);
  EXPECT_THAT(findings(), HasSubstr("the condition is not one number of its type"));
}
TEST_F(VerifyControlFlow, F1CountersAreOneInt64) {
  add_repeat();
  first<Repeat>().counter = view(2, {2});
  EXPECT_THAT(findings(), HasSubstr("the counter is not one number of its type"));
}
TEST_F(VerifyControlFlow, F1TripsAreOneInt64) {
  add_repeat();
  first<Repeat>().trips = truth(0);
  EXPECT_THAT(findings(), HasSubstr("the number of trips is not one number of its type"));
}
TEST_F(VerifyControlFlow, F1ConditionsOfRepetitionsAreOneBool) {
  add_repeat();
  first<Repeat>().condition = view(0);
  EXPECT_THAT(findings(), HasSubstr("the condition is not one number of its type"));
}
TEST_F(VerifyControlFlow, F1ConditionsAreWrittenFirst) {
  add_branch();
  first<Branch>().condition = truth(2);
  EXPECT_THAT(findings(), HasSubstr("'n' is read before it is written"));
}
TEST_F(VerifyControlFlow, F1BlocksEndInsideOfTheOneAround) {
  add_branch();
  first<Branch>().end = 4;
  EXPECT_THAT(findings(), HasSubstr("ends outside of the block around it"));
  first<Branch>().end = 3;
  first<Branch>().otherwise = 0;
  EXPECT_THAT(findings(), HasSubstr("ends outside of the block around it"));
  plan.steps.clear();
  add_repeat();
  first<Repeat>().end = 0;
  EXPECT_THAT(findings(), HasSubstr("ends outside of the block around it"));
}
TEST_F(VerifyControlFlow, F2BothBranchesWrite) {
  add_branch();
  std::get<Loop>(plan.steps[2].region).views[1] = view(2);
  EXPECT_THAT(findings(), HasSubstr("nothing writes 'y'"));
}
TEST_F(VerifyControlFlow, F2WhatOnlyARepetitionWritesIsNotWritten) {
  add_repeat();
  plan.steps.pop_back();
  EXPECT_THAT(findings(), HasSubstr("nothing writes 'y'"));
}
TEST_F(VerifyControlFlow, F3RepetitionsCanEnd) {
  add_repeat();
  first<Repeat>().trips.reset();
  EXPECT_THAT(findings(), HasSubstr("it never ends"));
}
TEST_F(VerifyControlFlow, F3CollectionsConsistOfTheirParts) {
  add_repeat();
  first<Repeat>().collections[0].all = view(3, {2, 2});
  EXPECT_THAT(findings(), HasSubstr("does not consist of its parts"));
}

}  // namespace
}  // namespace lapis
