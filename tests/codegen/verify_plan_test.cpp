// Every invariant of a Plan, broken on purpose in a plan that lowering made, is found and named.
#include "codegen/verify_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "codegen/lower/lower.h"
#include "ir/infer.h"
#include "ir/ops/ops.h"

namespace lapis {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class VerifyPlan : public ::testing::Test {
 protected:
  // conv (with a residual and a scale a channel) -> softmax -> gather, with buffers between them
  void SetUp() override {
    Value* x = graph_.add_input("x", Type::tensor(DType::Float32, Shape{1, 8, 5, 5}));
    Value* index = graph_.add_input("i", Type::tensor(DType::Int64, Shape{2}));
    Value* w = graph_.add_constant(Tensor(DType::Float32, {8, 8, 3, 3}));
    Value* scale = graph_.add_constant(Tensor(DType::Float32, {8, 1, 1}));
    Value* r = node(ops::Sigmoid, {x});
    Value* c = node(ops::Conv, {r, w}, {{"pads", std::vector<int64_t>{1, 1, 1, 1}}});
    Value* s = node(ops::Softmax, {node(ops::Add, {node(ops::Mul, {c, scale}), r})});
    graph_.set_outputs({node(ops::Gather, {s, index}, {{"axis", int64_t{2}}})});
    auto lowered = codegen::lower(graph_, {*Target::parse("x86-64+avx2")});
    ASSERT_TRUE(lowered.ok()) << to_string(lowered.diagnostics());
    plan = *std::move(lowered);
    ASSERT_TRUE(codegen::verify(plan).empty()) << to_string(codegen::verify(plan));
  }

  Contraction& contraction() {
    for (Step& step : plan.steps)
      if (auto* c = std::get_if<Contraction>(&step.region)) return *c;
    throw std::logic_error("no contraction");
  }
  // The loop that has an instruction `op`.
  Loop& loop(Op op) {
    for (Step& step : plan.steps)
      if (auto* l = std::get_if<Loop>(&step.region))
        for (const Loop::Phase& phase : l->phases)
          for (const Instr& i : phase.body)
            if (i.op == op) return *l;
    throw std::logic_error("no loop");
  }
  // The loop of the Sigmoid also looks a constant of type `index` up in a table of so many bytes.
  void look_up(DType index, int64_t bytes) {
    Loop& l = loop(Op::Sigmoid);
    const auto table = static_cast<int32_t>(l.views.size());
    l.views.push_back({static_cast<int>(plan.buffers.size()), DType::UInt8, {}, Shape(l.domain.size(), 0), 0});
    plan.buffers.push_back({"table", Space::Constant, bytes, 0});
    std::vector<Instr>& body = l.phases[0].body;
    body.push_back({Op::Constant, index});
    body.push_back({Op::Table, DType::UInt8, {static_cast<int32_t>(body.size()) - 1, -1, -1}, table});
  }
  EpilogueOperand& operand(EpilogueOperand::Kind kind) {
    for (EpilogueOperand& o : contraction().operands)
      if (o.kind == kind) return o;
    throw std::logic_error("no operand");
  }
  Buffer& buffer(int index) { return plan.buffers[static_cast<size_t>(index)]; }
  std::string findings() { return to_string(codegen::verify(plan)); }

  Plan plan;

 private:
  Value* node(const OpDef& op, std::vector<Value*> inputs, Attributes attributes = {}) {
    Node* n = graph_.add_node(op, std::move(inputs), std::move(attributes));
    EXPECT_TRUE(infer_types(*n).ok());
    return n->output();
  }
  Graph graph_{"test"};
};

TEST_F(VerifyPlan, B1BuffersLieInTheirMemory) {
  plan.arena_bytes -= 64;
  EXPECT_THAT(findings(), HasSubstr("lies outside of its memory"));
}
TEST_F(VerifyPlan, B1BuffersAreAligned) {
  buffer(contraction().output.buffer).offset += 4;
  EXPECT_THAT(findings(), HasSubstr("is not aligned"));
}
TEST_F(VerifyPlan, B1InputsAreTheirs) {
  buffer(plan.inputs[0].buffer).bytes += 1;
  EXPECT_THAT(findings(), HasSubstr("'x' is not the buffer it should be"));
}
TEST_F(VerifyPlan, B1ViewsHaveABuffer) {
  contraction().output.buffer = static_cast<int>(plan.buffers.size());
  EXPECT_THAT(findings(), HasSubstr("has no buffer"));
}
TEST_F(VerifyPlan, B1InputsHaveABuffer) {
  plan.inputs[0].buffer = -1;
  EXPECT_THAT(findings(), HasSubstr("'x' has no buffer"));
}
TEST_F(VerifyPlan, B1ConstantsLieInTheirImage) {
  buffer(operand(EpilogueOperand::Kind::PerChannel).view.buffer).offset =
      static_cast<int64_t>(plan.constants.size()) / 64 * 64 + 64;
  EXPECT_THAT(findings(), HasSubstr("lies outside of its memory"));
}
TEST_F(VerifyPlan, B1WeightsLieInTheirParts) {
  plan.buffers.push_back({"w", Space::Weights, 64, static_cast<int64_t>(plan.weights.size())});
  EXPECT_THAT(findings(), HasSubstr("buffer 'w' lies outside of its memory"));
}
TEST_F(VerifyPlan, B1PartsOfWeightsHaveHashes) {
  plan.weight_hashes.clear();
  EXPECT_THAT(findings(), HasSubstr("has no hash"));
}
TEST_F(VerifyPlan, B2LivingBuffersDoNotOverlap) {
  buffer(contraction().output.buffer).offset = buffer(contraction().input.buffer).offset;
  EXPECT_THAT(findings(), HasSubstr("overlap while both are in use"));
}
TEST_F(VerifyPlan, B3NothingIsReadBeforeItIsWritten) {
  const auto computes = std::find_if(plan.steps.begin(), plan.steps.end(),
                                     [&](const Step& s) { return std::get_if<Loop>(&s.region) == &loop(Op::Sigmoid); });
  const int written = loop(Op::Sigmoid).views[static_cast<size_t>(loop(Op::Sigmoid).phases[0].stores[0].view)].buffer;
  plan.steps.erase(computes);
  std::erase_if(plan.steps, [&](const Step& s) {  // the halo around it
    const auto* l = std::get_if<Loop>(&s.region);
    return l && l->views.size() == 1 && l->views[0].buffer == written;
  });
  EXPECT_THAT(findings(), HasSubstr("is read before it is written"));
}
TEST_F(VerifyPlan, B3HalosAreWrittenToo) {
  std::erase_if(plan.steps, [&](const Step& s) {
    const auto* l = std::get_if<Loop>(&s.region);
    return l && l->views.size() == 1 && l->views[0].buffer == contraction().input.buffer;
  });
  EXPECT_THAT(findings(), HasSubstr("is read before it is written: over"));
}
TEST_F(VerifyPlan, B3OutputsAreWrittenAsAWhole) {
  loop(Op::Gather).domain[1] -= 1;
  EXPECT_THAT(findings(), HasSubstr("or not all of it"));
}
TEST_F(VerifyPlan, B3InputsAreNotWritten) {
  Loop& l = loop(Op::Sigmoid);
  View& stored = l.views[static_cast<size_t>(l.phases[0].stores[0].view)];
  stored = l.views[static_cast<size_t>(l.phases[0].stores[0].view == 0 ? 1 : 0)];
  EXPECT_THAT(findings(), HasSubstr("'x' must not be written"));
}
TEST_F(VerifyPlan, B3ConstantsAreNotWritten) {
  Loop& l = loop(Op::Sigmoid);
  buffer(l.views[static_cast<size_t>(l.phases[0].stores[0].view)].buffer).space = Space::Constant;
  plan.constants.resize(static_cast<size_t>(plan.arena_bytes));
  EXPECT_THAT(findings(), HasSubstr("must not be written"));
}
TEST_F(VerifyPlan, B3OutputsAreWritten) {
  plan.steps.pop_back();
  EXPECT_THAT(findings(), HasSubstr("nothing writes"));
}
TEST_F(VerifyPlan, P1ArgumentsComeFirst) {
  contraction().epilogue.back().args[0] = static_cast<int32_t>(contraction().epilogue.size());
  EXPECT_THAT(findings(), HasSubstr("uses what comes later"));
}
TEST_F(VerifyPlan, P1ReductionsExist) {
  for (Loop::Phase& phase : loop(Op::Reduced).phases)
    for (Instr& i : phase.body)
      if (i.op == Op::Reduced) i.slot = 7;
  EXPECT_THAT(findings(), HasSubstr("names no earlier reduction"));
}
TEST_F(VerifyPlan, P1LoadsNameAView) {
  for (Instr& i : loop(Op::Sigmoid).phases[0].body)
    if (i.op == Op::Load) i.slot = 9;
  EXPECT_THAT(findings(), HasSubstr("is not the type of what it loads"));
}
TEST_F(VerifyPlan, P1OperationsHaveTheirArguments) {
  loop(Op::Sigmoid).phases[0].body.push_back({Op::Add, DType::Float32, {0, -1, -1}});
  EXPECT_THAT(findings(), HasSubstr("has too few or too many arguments"));
  loop(Op::Sigmoid).phases[0].body.back() = {Op::Neg, DType::Float32, {0, 0, -1}};
  EXPECT_THAT(findings(), HasSubstr("has too few or too many arguments"));
}
TEST_F(VerifyPlan, P1ReductionsFoldAValue) {
  for (Loop::Phase& phase : loop(Op::Reduced).phases)
    for (Loop::Reduction& r : phase.reductions) r.value = 99;
  EXPECT_THAT(findings(), HasSubstr("a reduction folds no value of its type"));
}
TEST_F(VerifyPlan, P1StoresHaveAValue) {
  loop(Op::Sigmoid).phases[0].stores[0].value = 99;
  EXPECT_THAT(findings(), HasSubstr("a store has no value"));
}
TEST_F(VerifyPlan, P1IndicesNameADimension) {
  loop(Op::Sigmoid).phases[0].body.push_back({Op::Index, DType::Int64, {-1, -1, -1}, 4});
  EXPECT_THAT(findings(), HasSubstr("names no dimension"));
}
TEST_F(VerifyPlan, P2ArithmeticHasOneType) {
  for (Instr& i : contraction().epilogue)
    if (i.op == Op::Add) i.type = DType::Int32;
  EXPECT_THAT(findings(), HasSubstr("mixes types"));
}
TEST_F(VerifyPlan, P2ComparisonsGiveTruth) {
  loop(Op::Sigmoid).phases[0].body.push_back({Op::Less, DType::Float32, {0, 0, -1}});
  EXPECT_THAT(findings(), HasSubstr("mixes types"));
}
TEST_F(VerifyPlan, P2ChoicesAreByTruth) {
  loop(Op::Sigmoid).phases[0].body.push_back({Op::Select, DType::Float32, {0, 0, 0}});
  EXPECT_THAT(findings(), HasSubstr("mixes types"));
}
TEST_F(VerifyPlan, P2OperationsTakeTheirTypes) {
  std::vector<Instr>& body = loop(Op::Sigmoid).phases[0].body;
  body.push_back({Op::Constant, DType::Int32});
  const auto number = static_cast<int32_t>(body.size()) - 1;
  body.push_back({Op::Sigmoid, DType::Int32, {number, -1, -1}});
  EXPECT_THAT(findings(), HasSubstr("mixes types"));
}
TEST_F(VerifyPlan, P2TablesTakeBytes) {
  look_up(DType::Float32, 256);
  EXPECT_THAT(findings(), HasSubstr("mixes types"));
}
TEST_F(VerifyPlan, P2ReductionsAreOfTheTypeOfTheirValue) {
  for (Loop::Phase& phase : loop(Op::Reduced).phases)
    for (Loop::Reduction& r : phase.reductions) r.type = DType::Int64;
  EXPECT_THAT(findings(), HasSubstr("a reduction folds no value of its type"));
}
TEST_F(VerifyPlan, P2StoresHaveTheTypeOfTheirView) {
  Loop& l = loop(Op::Sigmoid);
  l.phases[0].body.push_back({Op::Cast, DType::Int32, {0, -1, -1}});
  l.phases[0].stores[0].value = static_cast<int32_t>(l.phases[0].body.size()) - 1;
  EXPECT_THAT(findings(), HasSubstr("a store has no value of its view's type"));
}
TEST_F(VerifyPlan, P2EpiloguesGiveTheTypeOfTheOutput) {
  contraction().epilogue.push_back({Op::Cast, DType::Int32, {0, -1, -1}});
  EXPECT_THAT(findings(), HasSubstr("the epilogue's last type is not the output's"));
}
TEST_F(VerifyPlan, P2EpiloguesStoreWhatKernelsCan) {
  contraction().epilogue.push_back({Op::Cast, DType::Int64, {0, -1, -1}});
  contraction().output.dtype = DType::Int64;
  EXPECT_THAT(findings(), HasSubstr("an epilogue cannot store the output's type"));
}
TEST_F(VerifyPlan, P2LoadsHaveTheTypeOfTheirView) {
  operand(EpilogueOperand::Kind::PerElement).view.dtype = DType::Int32;
  EXPECT_THAT(findings(), HasSubstr("is not the type of what it loads"));
}
TEST_F(VerifyPlan, P2GathersTakeIntegers) {
  for (Loop::Phase& phase : loop(Op::Gather).phases)
    for (Instr& i : phase.body)
      if (i.op == Op::Gather) {
        phase.body[static_cast<size_t>(i.args[0])] = {Op::Constant, DType::Float32};
      }
  EXPECT_THAT(findings(), HasSubstr("is no gather of a loop by integers"));
}
TEST_F(VerifyPlan, P3SumsAreOfKernelsOnly) {
  loop(Op::Sigmoid).phases[0].body.push_back({Op::Accumulator, DType::Float32});
  EXPECT_THAT(findings(), HasSubstr("is not the beginning of an epilogue"));
}
TEST_F(VerifyPlan, P3SumsAreThereOnce) {
  contraction().epilogue.push_back({Op::Accumulator, DType::Float32});
  EXPECT_THAT(findings(), HasSubstr("is not the beginning of an epilogue"));
}
TEST_F(VerifyPlan, P3EpiloguesGatherNothing) {
  contraction().epilogue.push_back({Op::Gather, DType::Float32, {0, -1, -1}, 0});
  EXPECT_THAT(findings(), HasSubstr("is no gather of a loop"));
}
TEST_F(VerifyPlan, P3EpiloguesHaveNoReductions) {
  contraction().epilogue.push_back({Op::Reduced, DType::Float32, {-1, -1, -1}, 0});
  EXPECT_THAT(findings(), HasSubstr("names no earlier reduction"));
}
TEST_F(VerifyPlan, P3EpiloguesHaveNoIndices) {
  contraction().epilogue.push_back({Op::Index, DType::Int64, {-1, -1, -1}, 0});
  EXPECT_THAT(findings(), HasSubstr("names no dimension"));
}
TEST_F(VerifyPlan, L1InnerDimensionsAreSomeOfAll) {
  loop(Op::Sigmoid).reduced = 5;
  EXPECT_THAT(findings(), HasSubstr("more inner dimensions than there are"));
}
TEST_F(VerifyPlan, L1ViewsFollowTheLoop) {
  loop(Op::Sigmoid).views[0].strides.pop_back();
  EXPECT_THAT(findings(), HasSubstr("does not follow the loop"));
}
TEST_F(VerifyPlan, L1ViewsLieInTheirBuffers) {
  loop(Op::Sigmoid).views[0].offset += 1;
  EXPECT_THAT(findings(), HasSubstr("reaches bytes"));
}
TEST_F(VerifyPlan, L1ViewsBeginInTheirBuffers) {
  View& view = loop(Op::Sigmoid).views[0];
  view.strides[1] = -view.strides[1];
  EXPECT_THAT(findings(), HasSubstr("reaches bytes -"));
}
TEST_F(VerifyPlan, L1StridesMayBeOfAnySize) {
  loop(Op::Sigmoid).views[0].strides[1] = INT64_MAX / 2;
  EXPECT_THAT(findings(), HasSubstr("reaches bytes"));
}
TEST_F(VerifyPlan, L1GathersStayOnTheirAxis) {
  for (Loop::Phase& phase : loop(Op::Gather).phases)
    for (Instr& i : phase.body)
      if (i.op == Op::Gather) i.imm2 = 60;
  EXPECT_THAT(findings(), HasSubstr("a gather reaches bytes"));
}
TEST_F(VerifyPlan, L1GathersHaveAnAxis) {
  for (Loop::Phase& phase : loop(Op::Gather).phases)
    for (Instr& i : phase.body)
      if (i.op == Op::Gather) i.imm2 = 0;
  EXPECT_THAT(findings(), HasSubstr("a gather has nothing to choose from"));
}
TEST_F(VerifyPlan, L1TablesLieInTheirBuffers) {
  look_up(DType::UInt8, 128);
  EXPECT_THAT(findings(), HasSubstr("a table reaches bytes 0 to 256 of 'table', which has 128"));
}
TEST_F(VerifyPlan, L2RowsStoreToDifferentElements) {
  Loop& l = loop(Op::Sigmoid);
  l.views[static_cast<size_t>(l.phases[0].stores[0].view)].strides[2] = 0;
  EXPECT_THAT(findings(), HasSubstr("rows store to the same elements"));
}
TEST_F(VerifyPlan, L2RowsDoNotStoreAcrossOneAnother) {
  Loop& l = loop(Op::Sigmoid);
  l.views[static_cast<size_t>(l.phases[0].stores[0].view)].strides[2] = 4;  // eight channels a pixel
  EXPECT_THAT(findings(), HasSubstr("rows store to the same elements"));
}
TEST_F(VerifyPlan, L3WhatIsStoredToHasOneView) {
  Loop& l = loop(Op::Sigmoid);
  l.views.push_back(l.views[static_cast<size_t>(l.phases[0].stores[0].view)]);
  EXPECT_THAT(findings(), HasSubstr("accessed through another view"));
}
TEST_F(VerifyPlan, L3StoresMayGoSideBySide) {
  Loop& l = loop(Op::Sigmoid);
  const Loop::Store first = l.phases[0].stores[0];
  View& view = l.views[static_cast<size_t>(first.view)];
  View beside = view;
  view.buffer = beside.buffer = static_cast<int>(plan.buffers.size());
  plan.buffers.push_back({"wide", Space::Arena, 4096, plan.arena_bytes});
  plan.arena_bytes += 4096;
  beside.offset += 392;  // behind the halo of the first
  l.phases[0].stores.push_back({static_cast<int32_t>(l.views.size()), first.value});
  l.views.push_back(beside);
  EXPECT_THAT(findings(), Not(HasSubstr("through another view")));
  l.views.back().offset -= 391;
  EXPECT_THAT(findings(), HasSubstr("through another view"));
}
TEST_F(VerifyPlan, C1TheInputIsOfItsType) {
  contraction().input.dtype = DType::Int32;
  EXPECT_THAT(findings(), HasSubstr("the input has another type"));
}
TEST_F(VerifyPlan, C1SizesFit) {
  contraction().k += 1;
  EXPECT_THAT(findings(), HasSubstr("the weights have another size"));
}
TEST_F(VerifyPlan, C1GroupsAreWhole) {
  contraction().groups = 3;
  EXPECT_THAT(findings(), HasSubstr("no whole number"));
}
TEST_F(VerifyPlan, C1EpilogueBeginsWithTheSum) {
  contraction().epilogue[0].op = Op::Constant;
  EXPECT_THAT(findings(), HasSubstr("does not begin with the accumulator"));
}
TEST_F(VerifyPlan, C1BiasFits) {
  contraction().bias = Tensor(DType::Float32, {7});
  EXPECT_THAT(findings(), HasSubstr("the bias has another size or type"));
  contraction().bias = Tensor(DType::Int32, {8});
  EXPECT_THAT(findings(), HasSubstr("the bias has another size or type"));
}
TEST_F(VerifyPlan, C1TheGridIsThePixels) {
  contraction().grid.extents.back() += 1;
  EXPECT_THAT(findings(), HasSubstr("the grid of pixels has another size"));
}
TEST_F(VerifyPlan, C2OutputIsContiguousInChannels) {
  contraction().output.strides[1] = 25;
  EXPECT_THAT(findings(), HasSubstr("the output is not contiguous in channels"));
}
TEST_F(VerifyPlan, C2OperandsAreContiguousInChannels) {
  operand(EpilogueOperand::Kind::PerElement).view.strides[1] = 25;
  EXPECT_THAT(findings(), HasSubstr("an operand is not contiguous in channels"));
}
TEST_F(VerifyPlan, C2OperandsOfChannelsAreConstants) {
  operand(EpilogueOperand::Kind::PerChannel).view.buffer = contraction().input.buffer;
  EXPECT_THAT(findings(), HasSubstr("is not one constant a channel"));
}
TEST_F(VerifyPlan, C2OperandsOfChannelsLieInTheirBuffers) {
  operand(EpilogueOperand::Kind::PerChannel).view.offset = 1;
  EXPECT_THAT(findings(), HasSubstr("an operand reaches bytes"));
}
TEST_F(VerifyPlan, C2TablesAreConstants) {
  operand(EpilogueOperand::Kind::PerChannel).kind = EpilogueOperand::Kind::Table;
  EXPECT_THAT(findings(), HasSubstr("a table is not a constant of 256 elements"));
}
TEST_F(VerifyPlan, C2OperandsOfPixelsAreIntegers) {
  operand(EpilogueOperand::Kind::PerElement).kind = EpilogueOperand::Kind::PerPixel;
  EXPECT_THAT(findings(), HasSubstr("an operand of pixels is no int32"));
}
TEST_F(VerifyPlan, C3TapsLieInTheInput) {
  contraction().taps.back() += static_cast<int32_t>(buffer(contraction().input.buffer).bytes);
  EXPECT_THAT(findings(), HasSubstr("a tap reaches bytes"));
}
TEST_F(VerifyPlan, C3PixelsLieInTheOutput) {
  contraction().grid.columns[1].origin = -4;
  EXPECT_THAT(findings(), HasSubstr("a pixel reaches bytes -4"));
}
TEST_F(VerifyPlan, C3OperandsHaveAColumn) {
  operand(EpilogueOperand::Kind::PerElement).column = 9;
  EXPECT_THAT(findings(), HasSubstr("has no column"));
}
TEST_F(VerifyPlan, C3ColumnsAreWhereViewsAre) {
  contraction().grid.columns[1].origin += 4;
  EXPECT_THAT(findings(), HasSubstr("a column of pixels is not where its view is"));
}
TEST_F(VerifyPlan, C1BatchesAreWholeDimensions) {
  contraction().computed = ComputedWeights{7, contraction().input, {}};
  EXPECT_THAT(findings(), HasSubstr("batches of computed weights share no whole pixels"));
  std::vector<int64_t>& extents = contraction().grid.extents;
  ASSERT_EQ(element_count(extents), 25);
  extents = {25};
  for (PixelGrid::Column& column : contraction().grid.columns) column.strides.resize(1);
  contraction().computed->batches = 5;
  EXPECT_THAT(findings(), HasSubstr("the grid of pixels has another size"));
}
TEST_F(VerifyPlan, C4ComputedWeightsLieInTheArena) {
  contraction().computed = ComputedWeights{1, contraction().input, {}};
  contraction().computed->panels.offset = 1;
  EXPECT_THAT(findings(), HasSubstr("computed weights have no buffer of their own"));
}
TEST_F(VerifyPlan, C4ComputedWeightsAreAllThere) {
  contraction().computed = ComputedWeights{1, contraction().input, {}};
  buffer(contraction().input.buffer).bytes = 64;
  EXPECT_THAT(findings(), HasSubstr("computed weights reaches bytes 0 to"));
}
TEST_F(VerifyPlan, B3ComputedWeightsAreWrittenFirst) {
  contraction().computed = ComputedWeights{1, contraction().output, {}};
  EXPECT_THAT(findings(), HasSubstr("computed weights are read before they are written"));
}
TEST_F(VerifyPlan, C4ItIsScheduled) {
  contraction().units = -1;
  EXPECT_THAT(findings(), HasSubstr("it is not scheduled"));
}
TEST_F(VerifyPlan, C4ALibraryIsCalledWhereTheRowIsOne) {
  contraction().library.emplace();
  EXPECT_THAT(findings(), HasSubstr("a library computes it without being its row"));
}
TEST_F(VerifyPlan, C4PackedImagesLieInTheConstants) {
  contraction().packed_offset[2] += static_cast<int64_t>(plan.constants.size());
  EXPECT_THAT(findings(), HasSubstr("outside of the constants"));
}

TEST_F(VerifyPlan, C4PackedWeightsLieInTheWeights) {
  contraction().packed_offset[0] += static_cast<int64_t>(plan.weights.size());
  EXPECT_THAT(findings(), HasSubstr("outside of the weights"));
}
TEST_F(VerifyPlan, C5PixelsStoreToDifferentElements) {
  contraction().grid.columns[1].strides.back() = 0;
  EXPECT_THAT(findings(), HasSubstr("pixels store to the same elements"));
}
TEST_F(VerifyPlan, C5PixelsDoNotStoreAcrossOneAnother) {
  contraction().grid.columns[1].strides.back() = 28;  // eight channels of four bytes
  EXPECT_THAT(findings(), HasSubstr("pixels store to the same elements"));
}
TEST_F(VerifyPlan, C5NothingIsReadWhereItStores) {
  contraction().input.buffer = contraction().output.buffer;
  EXPECT_THAT(findings(), HasSubstr("it stores to a buffer that it reads"));
}
TEST_F(VerifyPlan, C6AddressesFitTables) {
  contraction().grid.columns[0].origin = int64_t{1} << 31;
  EXPECT_THAT(findings(), HasSubstr("an address does not fit 32 bits"));
}
TEST_F(VerifyPlan, C6OffsetsFitTables) {
  contraction().packed_bytes[0] = int64_t{1} << 31;
  EXPECT_THAT(findings(), HasSubstr("an offset in what is packed does not fit 32 bits"));
}
TEST_F(VerifyPlan, C6OffsetsInComputedWeightsFitTables) {
  contraction().computed = ComputedWeights{1, contraction().input, {}};
  buffer(contraction().input.buffer).bytes = plan.arena_bytes = int64_t{1} << 32;
  EXPECT_THAT(to_string(codegen::verify(plan)), HasSubstr("overlap"));  // with what is behind it: seen first
  for (Buffer& b : plan.buffers)
    if (b.space == Space::Arena && &b != &buffer(contraction().input.buffer)) b.offset += int64_t{1} << 32;
  buffer(contraction().input.buffer).offset = 0;
  plan.arena_bytes = int64_t{1} << 33;
  EXPECT_THAT(findings(), HasSubstr("an offset in computed weights does not fit 32 bits"));
}

}  // namespace
}  // namespace lapis
