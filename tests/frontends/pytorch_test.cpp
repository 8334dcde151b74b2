// PyTorch models: what is refused and why, what the graph looks like, and what damaged files do.
// What they compute: tests/models/pytorch_test.cpp.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <set>
#include <sstream>

#include "frontends/common/limits.h"
#include "frontends/frontend.h"
#include "frontends/pytorch/expression.h"
#include "frontends/pytorch/import.h"
#include "frontends/pytorch/pickle.h"
#include "frontends/pytorch/script_ast.h"
#include "frontends/pytorch/script_forms.h"
#include "ir/evaluate.h"
#include "ir/op.h"
#include "ir/ops/attributes.h"
#include "ir/ops/ops.h"
#include "ir/verify.h"
#include "tests/frontends/damage.h"

namespace lapis {
namespace {

using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace std::string_literals;

const Path kFolder = Path(LAPIS_SOURCE_DIR) / "tests/frontends/pytorch";

std::string content(const std::string& file) {
  auto bytes = read_file(kFolder / file);
  EXPECT_TRUE(bytes.ok()) << file;
  return bytes.ok() ? *bytes : "";
}

Result<std::unique_ptr<Graph>> imported(const std::string& bytes, const ImportOptions& options = {}) {
  return import_pytorch(std::as_bytes(std::span(bytes)), "m", options);
}

std::string refusal(const std::string& file) {
  const auto graph = import_model(kFolder / file);
  EXPECT_FALSE(graph.ok()) << file;
  return to_string(graph.diagnostics());
}

TEST(Pytorch, RowsAreAlphabeticalAndOperatorsHaveOne) {
  std::string_view before;
  for (const frontend::Translator& row : pytorch_frontend::translators()) {
    EXPECT_LT(before, row.op);
    EXPECT_TRUE(row.translate.run) << row.op;
    before = row.op;
  }
  EXPECT_GT(pytorch_frontend::translators().size(), 250u);
}

TEST(Pytorch, WhatImportsIsAValidModel) {
  for (const auto& entry : std::filesystem::directory_iterator(kFolder)) {
    const std::string name = entry.path().filename().string();
    const bool is_model = name.ends_with(".pt2") || name.ends_with(".pt");
    const bool is_refused = name.starts_with("unsupported") || name.starts_with("branching") ||
                            name.starts_with("growing") || name.starts_with("language") || name.starts_with("stateful");
    if (!is_model || is_refused) continue;
    const auto graph = import_model(entry.path());
    ASSERT_TRUE(graph.ok()) << name << ": " << to_string(graph.diagnostics());
    const Diagnostics found = verify(**graph);
    EXPECT_TRUE(found.empty()) << name << ": " << to_string(found);
  }
}

// ---- what is refused ------------------------------------------------------------------------------------------------

TEST(Pytorch, EveryUnsupportedOperatorIsNamedWithItsLine) {
  const std::string message = refusal("unsupported.pt2");
  for (const char* says :
       {"unsupported.pt2: error: operator aten.fft_fft is not supported: it works on complex numbers",
        "operator aten.linalg_det is not supported", "written at generate.py:"})
    EXPECT_THAT(message, HasSubstr(says));
}

TEST(Pytorch, BoxesThatCannotBeReadAreRefusedWithTheReason) {
  EXPECT_THAT(refusal("unsupported_boxes.pt"), AllOf(HasSubstr("a number of samples that depends on the boxes"),
                                                     HasSubstr("boxes or maps that are not float32")));
}

// As PyTorch tags them: generate_core.py writes the list.
TEST(Pytorch, AllOfCoreAtenIsReadButRandomNumbersGradientsAndComplexNumbers) {
  std::map<std::string, std::string> why;
  for (const frontend::Translator& row : pytorch_frontend::translators()) why[std::string(row.op)] = "";
  for (const frontend::Refused& row : pytorch_frontend::refused()) why[std::string(row.op)] = row.reason;
  std::istringstream names(content("core_aten.txt"));
  size_t count = 0;
  for (std::string name; names >> name; ++count) {
    ASSERT_TRUE(why.contains("aten." + name)) << name;
    EXPECT_THAT(why.at("aten." + name), AnyOf("", HasSubstr("random"), HasSubstr("gradient"), HasSubstr("complex")))
        << name;
  }
  EXPECT_GT(count, 150u);
}

TEST(Pytorch, WhatAGraphCannotKeepIsRefused) { EXPECT_THAT(refusal("eager.pth"), HasSubstr("a PyTorch checkpoint")); }

TEST(Pytorch, WhatBranchesAndLoopsCannotCarryIsRefusedWithItsLine) {
  EXPECT_THAT(refusal("growing_list.pt"),
              AllOf(HasSubstr("code/__torch__"),
                    HasSubstr(".py:13: error: a list changes in a branch or loop that depends on values")));
  EXPECT_THAT(refusal("branching_state.pt"), HasSubstr("a branch or loop that depends on values changes 'state'"));
  EXPECT_THAT(refusal("branching_length.pt"), HasSubstr("a list whose length depends on values"));
}

TEST(Pytorch, BranchesAndLoopsOfTorchScriptThatDependOnValuesBecomeNodes) {
  const auto graph = import_model(kFolder / "deciding.pt");
  ASSERT_TRUE(graph.ok()) << to_string(graph.diagnostics());
  std::map<std::string, int> counts;
  for (const Node* node : (*graph)->nodes()) ++counts[std::string(node->op().name)];
  EXPECT_EQ(counts["Loop"], 8);
  EXPECT_GE(counts["If"], 8);
}

// ---- modules that keep a state --------------------------------------------------------------------------------------

const ImportOptions kStepsOfFour = {.shapes = {{"x", {2, 4}}}, .values = {{"rate", 8}}};

TEST(Pytorch, TensorsThatForwardChangesAreInputsAndOutputs) {
  const auto graph = import_model(kFolder / "stateful.pt", kStepsOfFour);
  ASSERT_TRUE(graph.ok()) << to_string(graph.diagnostics());
  ASSERT_EQ((*graph)->inputs().size(), 2u);
  EXPECT_EQ((*graph)->inputs()[1]->name(), "state");
  EXPECT_EQ((*graph)->inputs()[1]->type().shape(), (Shape{2, 3})) << "as the first run leaves it";
  ASSERT_EQ((*graph)->outputs().size(), 2u);
  EXPECT_EQ((*graph)->outputs()[1]->name(), "state_next");
  for (const Node* node : (*graph)->nodes()) EXPECT_FALSE(node->is(ops::If)) << "sizes decide " << node->name();
}

TEST(Pytorch, BuffersThatAreChangedInPlaceAreStatesToo) {
  const auto graph = import_model(kFolder / "stateful_in_place.pt", {.shapes = {{"x", {3}}}});
  ASSERT_TRUE(graph.ok()) << to_string(graph.diagnostics());
  const auto outputs =
      evaluate(**graph, {{"x", Tensor::vector<float>({1, 2, 3})}, {"mean", Tensor::vector<float>({4, 4, 4})}});
  ASSERT_TRUE(outputs.ok()) << to_string(outputs.diagnostics());
  ASSERT_EQ(outputs->size(), 2u);
  EXPECT_TRUE((*outputs)[0] == Tensor::vector<float>({6, 8, 10}));
  EXPECT_TRUE((*outputs)[1] == Tensor::vector<float>({3, 4, 5}));
}

// In place, or as its signature says.
TEST(Pytorch, BuffersThatAnExportedProgramChangesAreStatesToo) {
  for (const char* file : {"stateful_buffer.pt2", "stateful_buffer_core.pt2"}) {
    const auto graph = import_model(kFolder / file);
    ASSERT_TRUE(graph.ok()) << to_string(graph.diagnostics());
    const auto outputs =
        evaluate(**graph, {{"x", Tensor::vector<float>({1, 2, 3})}, {"b_mean", Tensor::vector<float>({4, 4, 4})}});
    ASSERT_TRUE(outputs.ok()) << to_string(outputs.diagnostics());
    ASSERT_EQ(outputs->size(), 2u) << file;
    EXPECT_TRUE((*outputs)[0] == Tensor::vector<float>({6, 8, 10})) << file;
    EXPECT_EQ((*graph)->outputs()[1]->name(), "b_mean_next");
    EXPECT_TRUE((*outputs)[1] == Tensor::vector<float>({3, 4, 5})) << file;
  }
}

TEST(Pytorch, ProgramsThatAreTrainedAreRefused) {
  EXPECT_THAT(refusal("unsupported_training.pt2"),
              HasSubstr("changes its buffer 'running_mean', as it does in training"));
}

TEST(Pytorch, WhatAViewHasChangedAndCannotBeWrittenBackIsRefused) {
  EXPECT_THAT(refusal("unsupported_view.pt"), HasSubstr("changed in place through another view, at code/__torch__"));
}

// Tensors that several attributes hold are one state where they are one tensor; where they are not, or not always, a
// change in place is none of one state alone.
TEST(Pytorch, ChangesInPlaceThatOtherAttributesSeeAreRefused) {
  for (const char* name : {"unsupported_part.pt", "unsupported_one_later.pt", "unsupported_two_later.pt"}) {
    const auto graph = import_model(kFolder / name, {.shapes = {{"x", {1, 3}}}});
    ASSERT_FALSE(graph.ok()) << name;
    EXPECT_THAT(to_string(graph.diagnostics()), HasSubstr("in place, which shares its storage with")) << name;
  }
  const auto shared = import_model(kFolder / "stateful_shared.pt", {.shapes = {{"x", {1, 3}}}});
  ASSERT_TRUE(shared.ok()) << to_string(shared.diagnostics());
  EXPECT_EQ((*shared)->inputs().size(), 2u) << "one tensor, four names";
}

// Nothing that code does beside giving a result goes by unseen.
TEST(Pytorch, ChangesOfListsAndOfOperandsThatAreNotKnownAreRefused) {
  EXPECT_THAT(refusal("unsupported_sorted.pt"), HasSubstr("a change of a list that is not known"));
  EXPECT_THAT(refusal("unsupported_out.pt"), HasSubstr("its argument 'out' is a tensor"));
  EXPECT_THAT(refusal("unsupported_constant.pt"), HasSubstr("forward() changes a constant of the archive in place"));
  EXPECT_THAT(refusal("unsupported_appending.pt"), HasSubstr("forward() changes the length of 'seen'"));
}

std::string refusal(const std::string& file, const ImportOptions& options) {
  const auto graph = import_model(kFolder / file, options);
  EXPECT_FALSE(graph.ok()) << file;
  return to_string(graph.diagnostics());
}

TEST(Pytorch, StatesWhoseSizesNobodyKnowsAreRefused) {
  EXPECT_THAT(refusal("stateful.pt", {.dims = {{"rate", 8}}}),
              AllOf(HasSubstr("forward() changes 'state', a tensor whose sizes are not known"),
                    HasSubstr("give the sizes of the inputs: --shape INPUT=1x256, or make the state an input")));
}

// Not to give sizes, where those are not what is missing.
TEST(Pytorch, AdviceAboutStatesFitsTheReason) {
  EXPECT_THAT(refusal("stateful.pt", {.dims = {{"rate", 8}}, .shapes = {{"y", {2, 4}}}}),
              AllOf(HasSubstr("'state', a tensor whose sizes are not known"),
                    HasSubstr("hint: make the state an input and an output")));
}

TEST(Pytorch, InputsThatDoNotExistAreNamedBesideOtherErrors) {
  EXPECT_THAT(refusal("stateful.pt", {.shapes = {{"y", {2, 4}}}, .values = {{"pace", 8}}}),
              AllOf(HasSubstr("the model has no input 'y'"), HasSubstr("the model has no input 'pace'"),
                    HasSubstr("give it: --value rate=NUMBER")));
  EXPECT_THAT(refusal("unsupported.pt2", {.shapes = {{"z", {2, 4}}}}),
              AllOf(HasSubstr("the model has no input 'z'"), HasSubstr("unsupported")));
}

// Beyond what doubles hold too.
TEST(Pytorch, NumbersOf64BitsAreTaken) {
  for (const int64_t rate : {INT64_MIN, INT64_MAX}) {
    const auto graph = import_model(kFolder / "stateful.pt", {.shapes = {{"x", {2, 4}}}, .values = {{"rate", rate}}});
    EXPECT_TRUE(graph.ok()) << to_string(graph.diagnostics());
  }
}

TEST(Pytorch, ElementsOfListsThatAreAssignedAreStates) {
  const auto graph = import_model(kFolder / "stateful_paired.pt", {.shapes = {{"x", {2, 3}}}});
  ASSERT_TRUE(graph.ok()) << to_string(graph.diagnostics());
  std::vector<std::string> names;
  for (const Value* input : (*graph)->inputs()) names.push_back(input->name());
  EXPECT_THAT(names, ElementsAre("x", "last", "pair.0", "pair.1", "states.0", "states.1"));
}

TEST(Pytorch, ListsFilledAndAttributesChangedInLoopsNeedSizes) {
  EXPECT_THAT(refusal("language_loops.pt"), HasSubstr("a list changes in a branch or loop that depends on values"));
  EXPECT_THAT(refusal("language_lists.pt"),
              AllOf(HasSubstr("a list that depends on what is not known before the model runs: aten.mul"),
                    HasSubstr("--shape")));
}

TEST(Pytorch, StatesThatAreDifferentInEveryRunAreRefused) {
  EXPECT_THAT(refusal("stateful_counting.pt"), HasSubstr("forward() leaves 'count' different in every run"));
  const auto graph = import_model(kFolder / "stateful_remembering.pt", {.shapes = {{"x", {2, 3}}}});
  ASSERT_FALSE(graph.ok());
  EXPECT_THAT(to_string(graph.diagnostics()), HasSubstr("forward() leaves 'seen' different in every run"));
}

TEST(Pytorch, ChecksOfSizesRefuseOthers) {
  ImportOptions options = kStepsOfFour;
  options.shapes["x"] = {2, 5};
  const auto graph = import_model(kFolder / "stateful.pt", options);
  ASSERT_FALSE(graph.ok());
  EXPECT_THAT(to_string(graph.diagnostics()), HasSubstr("raises an exception"));
}

TEST(Pytorch, NumbersAreGivenAsValues) {
  EXPECT_THAT(refusal("stateful.pt"), HasSubstr("give it: --value rate=NUMBER"));
  ImportOptions options = kStepsOfFour;
  options.values.insert_or_assign("rate", 0.5);
  const auto half = import_model(kFolder / "stateful.pt", options);
  ASSERT_FALSE(half.ok());
  EXPECT_THAT(to_string(half.diagnostics()), HasSubstr("input 'rate' is an integer"));
  options.values = {{"rate", 8}, {"pace", 8}};
  const auto other = import_model(kFolder / "stateful.pt", options);
  ASSERT_FALSE(other.ok());
  EXPECT_THAT(to_string(other.diagnostics()), HasSubstr("the model has no input 'pace'"));
}

// ---- tensors of torchao ---------------------------------------------------------------------------------------------

struct Weights {
  const char* file;
  DType dtype;
  int64_t block_size;
};

TEST(Pytorch, WeightsOfTorchaoStayIntegers) {
  constexpr Weights kFiles[] = {{"torchao_int8.pt2", DType::Int8, 0},
                                {"torchao_int4.pt2", DType::Int4, 32},
                                {"torchao_dynamic_int4.pt2", DType::Int4, 32}};
  for (const Weights& wanted : kFiles) {
    const auto graph = import_model(kFolder / wanted.file);
    ASSERT_TRUE(graph.ok()) << to_string(graph.diagnostics());
    int weights = 0;
    for (const Node* node : (*graph)->nodes()) {
      if (!node->is(ops::DequantizeLinear)) continue;
      ++weights;
      EXPECT_EQ(node->input(0)->dtype(), wanted.dtype) << wanted.file;
      const auto block = node->attrs<ops::DequantizeLinearAttrs>().block_size;
      EXPECT_TRUE(block == wanted.block_size || block == 0) << "rows of 32 are one block";
    }
    EXPECT_EQ(weights, 2) << wanted.file;
  }
}

TEST(Pytorch, DynamicActivationsOfTorchaoMeetWeightsAsIntegers) {
  const auto graph = import_model(kFolder / "torchao_dynamic.pt2");
  ASSERT_TRUE(graph.ok()) << to_string(graph.diagnostics());
  int products = 0;
  for (const Node* node : (*graph)->nodes()) products += node->is(ops::MatMulInteger);
  EXPECT_EQ(products, 2);
}

// ---- quantized modules ----------------------------------------------------------------------------------------------

TEST(Pytorch, DynamicQuantizationIsRefused) {
  EXPECT_THAT(
      refusal("unsupported_dynamic.pt"),
      HasSubstr(
          "operator quantized.linear_dynamic is not supported: it finds the scale of its operand when the model runs"));
}

TEST(Pytorch, AModuleThatStillObservesIsRefused) {
  EXPECT_THAT(refusal("unsupported_observing.pt"), HasSubstr("model.apply(torch.ao.quantization.disable_observer)"));
}

TEST(Pytorch, QuantizedModulesBecomePairsWithTheirScales) {
  for (const char* file : {"quantized_modules.pt", "quantized_qat.pt"}) {
    const auto graph = import_model(kFolder / file);
    ASSERT_TRUE(graph.ok()) << to_string(graph.diagnostics());
    int quantized = 0, int8_weights = 0;
    for (const Node* node : (*graph)->nodes()) {
      quantized += node->is(ops::QuantizeLinear);
      const bool of_weights = node->is(ops::DequantizeLinear) && node->input(0)->is_constant();
      if (!of_weights) continue;
      ++int8_weights;
      EXPECT_EQ(node->input(0)->dtype(), DType::Int8);
      EXPECT_EQ(node->input(1)->constant().size(), node->input(0)->type().dim(0).value()) << "one scale a channel";
    }
    EXPECT_EQ(int8_weights, 4) << file;
    EXPECT_GE(quantized, 10) << file << ": what pools and sums give is rounded too";
  }
}

// ---- symbols --------------------------------------------------------------------------------------------------------

TEST(Pytorch, OpenSizesAreSymbolsWithinTheirRanges) {
  const std::string net = content("net.pt2");
  const auto graph = imported(net);
  ASSERT_TRUE(graph.ok()) << to_string(graph.diagnostics());
  const Type& type = (*graph)->inputs()[0]->type();
  EXPECT_FALSE(type.dim(0).is_constant());
  EXPECT_EQ(type.dim(1), Dim(3));
  const std::string batch = type.dim(0).to_string();
  const auto bound = imported(net, {.dims = {{batch, 4}}});
  ASSERT_TRUE(bound.ok()) << to_string(bound.diagnostics());
  EXPECT_EQ((*bound)->outputs()[0]->type().to_string(), "float[4,5]");
  const auto beyond = imported(net, {.dims = {{batch, 1000}}});
  EXPECT_THAT(to_string(beyond.diagnostics()), HasSubstr("cannot be 1000"));
}

TEST(Pytorch, NumbersAmongTheInputsOfTorchScriptAreGiven) {
  const std::string scripted = content("scripted.pt");
  const auto count = [&](const ImportOptions& options) {
    const auto graph = imported(scripted, options);
    EXPECT_TRUE(graph.ok()) << to_string(graph.diagnostics());
    size_t relus = 0;
    for (const Node* node : (*graph)->nodes()) relus += node->is(ops::Relu);
    return relus;
  };
  EXPECT_EQ(count({}), 4u);
  EXPECT_EQ(count({.dims = {{"times", 3}}}), 6u);
}

TEST(Pytorch, ExpressionsOfSizes) {
  using pytorch_frontend::parse_expression;
  EXPECT_EQ(parse_expression("Symbol('s77', positive=True, integer=True)"), Dim::symbol("s77"));
  EXPECT_EQ(parse_expression("Add(Mul(Integer(2), Symbol('s0')), Integer(-1))"), Dim(2) * Dim::symbol("s0") - Dim(1));
  EXPECT_EQ(parse_expression("FloorDiv(Symbol('s0'), Integer(2))"), floor_div(Dim::symbol("s0"), Dim(2)));
  for (const char* odd : {"", "Add(", "Symbol(s0)", "Max(Symbol('a'), Integer(1))", "Integer(x)",
                          "Add(Integer(1), Integer(2)))", "Symbol('a'"})
    EXPECT_FALSE(parse_expression(odd).is_known()) << odd;
  EXPECT_FALSE(parse_expression(std::string(100000, '(')).is_known());
}

// ---- pickles --------------------------------------------------------------------------------------------------------

Result<pytorch_frontend::Item> unpickled(const std::string& text) {
  frontend::Expansion copies(0, text.size());
  return pytorch_frontend::read_pickle(
      std::as_bytes(std::span(text)), [](const std::string&) -> Result<MappedFile> { return MappedFile{}; }, copies);
}

TEST(HostilePickle, NothingIsImportedOrCalled) {
  for (const char* name :
       {"os\nsystem", "builtins\neval", "posix\nsystem", "torch\nload", "torch._utils\n_rebuild_anything"}) {
    const auto item = unpickled("\x80\2c"s + name + "\nX\2\0\0\0id\x85R."s);
    ASSERT_FALSE(item.ok()) << name;
    EXPECT_THAT(to_string(item.diagnostics()), HasSubstr("which a model has no need of"));
  }
  const std::string call("\x80\2c__torch__.A\nB\n)R.");
  EXPECT_FALSE(unpickled(call).ok());
}

TEST(HostilePickle, CyclesAndDepthsAreRefused) {
  const std::string itself = "\x80\2]q\0h\0a."s;
  EXPECT_THAT(to_string(unpickled(itself).diagnostics()), HasSubstr("a list holds itself"));
  const std::string through_another = "\x80\2]q\0]q\1h\0ah\0h\1a."s;  // b = [a]; a.append(b)
  EXPECT_THAT(to_string(unpickled(through_another).diagnostics()), HasSubstr("what is part of something else changes"));
  const std::string deep = "\x80\2" + std::string(100000, ']') + std::string(99999, 'a') + ".";
  EXPECT_THAT(to_string(unpickled(deep).diagnostics()), HasSubstr("deep"));
  std::string remembered = "\x80\2";
  for (int i = 0; i < 1000; ++i) remembered += "]q\1"s + (i ? "h\2a" : "") + "h\1q\2";
  EXPECT_FALSE(unpickled(remembered + ".").ok());
}

TEST(HostilePickle, EveryTruncationIsAnError) {
  const std::string list = "\x80\2](K\1M\2\0J\3\0\0\0X\1\0\0\0aNe\x86."s;
  for (size_t length = 0; length < list.size(); ++length)
    EXPECT_FALSE(unpickled(list.substr(0, length)).ok()) << length;
}

// ---- code -----------------------------------------------------------------------------------------------------------

TEST(Script, WhatTheArchivesHoldIsParsed) {
  const auto file = pytorch_frontend::parse_script(
      "class A(Module):\n  __parameters__ = [\"w\", ]\n  w : Tensor\n  n : Final[int] = 3\n  def forward(self: "
      "__torch__.A,\n    x: Tensor,\n    k: int=2) -> Tensor:\n"
      "    a, b, = (self).f(x, )\n    if torch.gt(k, -1):\n      c = (a)[0]\n    else:\n      pass\n    for i in "
      "range(k):\n      c = torch.add(c, 1.5, alpha=2)\n"
      "    return (a, (b,), annotate(Dict[str, int], {\"x\": 1}))\ndef g() -> NoneType:\n  return None\n",
      "a.py");
  ASSERT_TRUE(file.ok()) << to_string(file.diagnostics());
  const auto& type = file->classes.at("A");
  EXPECT_EQ(type.constants.at("n").integer, 3);
  ASSERT_EQ(type.methods.at("forward").parameters.size(), 3u);
  EXPECT_EQ(type.methods.at("forward").body.size(), 4u);
  EXPECT_TRUE(file->functions.contains("g"));
}

TEST(HostileScript, DamagedCodeIsAnError) {
  for (const char* code :
       {"def", "def f(:\n  pass\n", "class A(Module):\n", "def f():\n  x = \n", "def f():\n  x = \"abc\n",
        "def f():\n  return ((((\n", "def f():\npass\n", "x = 1 +\n", "def f():\n  if x:\n  pass\n", "\x01"})
    EXPECT_FALSE(pytorch_frontend::parse_script(code, "a.py").ok()) << code;
  EXPECT_FALSE(pytorch_frontend::parse_script("def f():\n  return " + std::string(100000, '('), "a.py").ok());
  std::string nested = "def f():\n";
  for (size_t depth = 1; depth < 300; ++depth) nested += std::string(depth, ' ') + "if x:\n";
  EXPECT_FALSE(pytorch_frontend::parse_script(nested + std::string(300, ' ') + "pass\n", "a.py").ok());
}

// ---- what branches and loops carry ----------------------------------------------------------------------------------

TEST(ScriptState, AFormIsOpenWhereItsItemsDiffer) {
  using namespace pytorch_frontend;
  using Kind = Item::Kind;
  const Item x = Item::tensor("x"), y = Item::tensor("y"), one = Item::of_int(1), none;
  EXPECT_TRUE(same(common(one, Item::of_int(1)), one));
  const Item pair = common(Item::list({x, one}, Kind::Tuple), Item::list({y, one}, Kind::Tuple));
  EXPECT_TRUE(same_form(pair, Item::list({Item::tensor(""), one}, Kind::Tuple)));
  std::vector<Item> parts;
  collect(pair, Item::list({y, one}, Kind::Tuple), parts);
  ASSERT_EQ(parts.size(), 1u);
  EXPECT_EQ(parts[0].text, "y");
  const Item maybe = common(none, x);
  ASSERT_TRUE(maybe.is(Kind::Optional));
  parts.clear();
  collect(maybe, none, parts);
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_FALSE(parts[0].truth);
  EXPECT_TRUE(parts[1].is(Kind::Unset));
  EXPECT_TRUE(common(Item::unset(), one).is(Kind::Int)) << "what is not set may be anything";
  EXPECT_THAT(common(Item::list({x}), Item::list({x, y})).text, HasSubstr("a list whose length depends"));
  EXPECT_TRUE(same_form(opened(one), Item::symbol("")));
}

TEST(ScriptState, TuplesThatAreSharedBeyondNumberAreNotCarried) {
  using namespace pytorch_frontend;
  Item a = Item::tensor("a"), b = Item::tensor("b");
  for (int i = 0; i < 50; ++i) {
    a = Item::list({a, a}, Item::Kind::Tuple);
    b = Item::list({b, b}, Item::Kind::Tuple);
  }
  EXPECT_THAT(common(a, b).text, HasSubstr("more parts than a branch or loop can carry"));
  EXPECT_TRUE(opened(a).is(Item::Kind::Unset));
}

// ---- damaged archives -----------------------------------------------------------------------------------------------

bool survives(const std::string& bytes) { return testing::survives(imported(bytes)); }

TEST(HostilePytorch, TruncationsAreErrors) {
  for (const char* name : {"net.pt2", "net_old.pt2", "net.pt"}) {
    const std::string whole = content(name);
    ASSERT_TRUE(survives(whole)) << name;
    for (size_t length = 0; length < whole.size(); length += 61)
      EXPECT_FALSE(survives(whole.substr(0, length))) << name << " cut to " << length;
  }
}

TEST(HostilePytorch, BitFlipsAreSurvived) {
  std::mt19937 random(7);
  for (const char* name : {"net_old.pt2", "net.pt", "quantized.pt2", "deciding.pt"}) {
    const std::string whole = content(name);
    for (int i = 0; i < 250 / testing::kStride; ++i) {
      std::string damaged = whole;
      testing::flip_a_bit(damaged, random);
      survives(damaged);
    }
  }
}

}  // namespace
}  // namespace lapis
