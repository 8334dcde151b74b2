// TensorFlow's frozen graphs and SavedModels: what they compute, what the graph looks like,
// what is refused and why, and what damaged files do.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <map>
#include <random>
#include <set>

#include "frontends/frontend.h"
#include "frontends/tensorflow/bundle.h"
#include "frontends/tensorflow/flatten.h"
#include "frontends/tensorflow/frames.h"
#include "frontends/tensorflow/import.h"
#include "frontends/tensorflow/text_format.h"
#include "ir/evaluate.h"
#include "ir/ops/attributes.h"
#include "ir/ops/ops.h"
#include "ir/verify.h"
#include "tests/driver/compare.h"
#include "tests/frontends/damage.h"
#include "tests/frontends/graphs.h"

namespace lapis {
namespace {

using namespace tensorflow_frontend;
using ::testing::HasSubstr;

const Path kFolder = Path(LAPIS_SOURCE_DIR) / "tests/frontends/tensorflow";
const Path kCases = kFolder / "cases.pb";

// Recorded values of the cases, which are constants of their graph: "relu/in0".
const std::map<std::string, Tensor>& recorded() {
  static const std::map<std::string, Tensor> all = [] {
    std::map<std::string, Tensor> tensors;
    const auto file = map_file(kCases);
    EXPECT_TRUE(file.ok());
    const auto graph = parse_graph(text_of(file->bytes()));
    EXPECT_TRUE(graph.ok()) << to_string(graph.diagnostics());
    frontend::Expansion copies(0, file->size);
    for (const NodeDef& node : graph->nodes) {
      const std::string kind = node.name.substr(node.name.rfind('/') + 1);
      if (node.op != "Const" || (!kind.starts_with("in") && !kind.starts_with("out")) || kind == "input") continue;
      auto tensor = parse_tensor(node.tensor, file->data, copies);
      EXPECT_TRUE(tensor.ok()) << node.name << ": " << to_string(tensor.diagnostics());
      if (tensor.ok()) tensors.emplace(node.name, *tensor);
    }
    return tensors;
  }();
  return all;
}

std::vector<std::string> case_names() {
  const std::set<std::string> of_other_files = {"checkpoint/out0", "saved/out0"};
  std::vector<std::string> names;
  for (const auto& [name, tensor] : recorded())
    if (name.ends_with("/out0") && !of_other_files.contains(name)) names.push_back(name.substr(0, name.size() - 5));
  return names;
}

std::vector<Tensor> values(const std::string& prefix) {
  std::vector<Tensor> all;
  while (recorded().contains(prefix + std::to_string(all.size())))
    all.push_back(recorded().at(prefix + std::to_string(all.size())));
  return all;
}

std::vector<std::string> outputs_of(const std::string& name) {
  std::vector<std::string> outputs;
  for (size_t i = 0; i < values(name + "/out").size(); ++i) outputs.push_back(name + "/y" + std::to_string(i));
  return outputs;
}

Result<std::unique_ptr<Graph>> imported(const std::string& name) {
  EXPECT_FALSE(outputs_of(name).empty()) << name;
  return import_model(kCases, {.outputs = outputs_of(name)});
}

Feeds feeds_of(const Graph& graph, const std::string& name) {
  const std::vector<Tensor> inputs = values(name + "/in");
  Feeds feeds;
  for (const Value* input : graph.inputs())
    feeds.emplace(input->name(), inputs.at(static_cast<size_t>(input->name().back() - '0')));
  return feeds;
}

void expect_recorded(const Graph& graph, const std::string& name) {
  constexpr double kTolerance = 1e-5, kStep = 1.0 / 48;  // sums that lie between two steps are rounded either way
  const double most = name == "trained_for_int8" ? kStep + kTolerance : kTolerance;
  const auto got = evaluate(graph, feeds_of(graph, name));
  ASSERT_TRUE(got.ok()) << name << ": " << to_string(got.diagnostics());
  const std::vector<Tensor> wanted = values(name + "/out");
  ASSERT_EQ(got->size(), wanted.size()) << name;
  for (size_t i = 0; i < wanted.size(); ++i)
    EXPECT_LE(testing::relative_error((*got)[i], wanted[i]), is_float(wanted[i].dtype()) ? most : 0)
        << name << " output " << i << "\n got " << to_string((*got)[i], 40) << "\n not " << to_string(wanted[i], 40);
}

TEST(Tensorflow, OperatorsComputeWhatTensorflowRecorded) {
  ASSERT_GT(case_names().size(), 150u);
  for (const std::string& name : case_names()) {
    const auto graph = imported(name);
    ASSERT_TRUE(graph.ok()) << name << ": " << to_string(graph.diagnostics());
    const Diagnostics found = verify(**graph);
    EXPECT_TRUE(found.empty()) << name << ": " << to_string(found);
    EXPECT_EQ((*graph)->outputs()[0]->name(), name + "/y0");
    expect_recorded(**graph, name);
  }
}

void collect_operators(const frontend::SourceGraph& graph, std::set<std::string>& seen) {
  for (const auto& node : graph.nodes) {
    seen.insert(node.op);
    for (const auto& body : node.bodies) collect_operators(*body, seen);
  }
}

TEST(Tensorflow, EveryTranslatorHasACase) {
  const auto file = map_file(kCases);
  ASSERT_TRUE(file.ok());
  Model model;
  model.graph = *parse_graph(text_of(file->bytes()));
  ASSERT_TRUE(structure_loops(model.graph).ok());
  model.owner = file->data;
  model.bytes = file->size;
  Part part;
  for (const std::string& name : case_names())
    for (const std::string& output : outputs_of(name)) part.outputs.push_back(Part::of(output));
  const auto source = flatten(model, part);
  ASSERT_TRUE(source.ok()) << to_string(source.diagnostics());
  std::set<std::string> seen, rows;
  collect_operators(*source, seen);
  std::string_view before;
  for (const frontend::Translator& row : translators()) {
    EXPECT_LT(before, row.op) << "rows are alphabetical, and an operator has one";
    EXPECT_LE(row.fewest_inputs, row.most_inputs) << row.op;
    rows.emplace(before = row.op);
  }
  // Tables of variables are read in the SavedModel.
  rows.erase("ResourceGather");
  for (const std::string& op : seen) EXPECT_TRUE(rows.contains(op)) << op;
  for (const std::string& op : rows) EXPECT_TRUE(seen.contains(op)) << op;
}

// ---- layouts --------------------------------------------------------------------------------------------------------

size_t count(const Graph& graph, const OpDef& op) {
  size_t count = 0;
  for (const Node* node : graph.nodes()) count += node->is(op);
  return count;
}

TEST(Tensorflow, TransposesStandAtInputsAndOutputsOnly) {
  for (const std::string name :
       {"pad_and_conv", "residual", "flatten_and_dense", "own_transposes", "dropout", "trained_for_int8", "conv2d_same",
        "conv3d_valid", "conv2dbackpropinput_same", "depthwiseconv2dnative_valid", "resize_bilinear"}) {
    const auto graph = imported(name);
    ASSERT_TRUE(graph.ok()) << to_string(graph.diagnostics());
    EXPECT_EQ(transposes_inside(**graph), 0u) << name;
    EXPECT_LE(count(**graph, ops::Transpose), 2u) << name;
  }
}

TEST(Tensorflow, ShapesAreFolded) {
  const auto graph = imported("conv3dbackpropinputv2");
  ASSERT_TRUE(graph.ok()) << to_string(graph.diagnostics());
  EXPECT_EQ((*graph)->outputs()[0]->type().to_string(), "float[conv3dbackpropinputv2_x0_dim0,4,4,4,3]");
  for (const OpDef* op : {&ops::ShapeOf, &ops::Slice, &ops::Concat, &ops::Mul})
    EXPECT_EQ(count(**graph, *op), 0u) << op->name;
}

// ---- quantization ---------------------------------------------------------------------------------------------------

TEST(Tensorflow, WhatWasTrainedForInt8IsPairsWithSignedWeights) {
  const auto graph = imported("trained_for_int8");
  ASSERT_TRUE(graph.ok()) << to_string(graph.diagnostics());
  EXPECT_EQ(count(**graph, ops::QuantizeLinear), 2u);
  EXPECT_EQ(count(**graph, ops::DequantizeLinear), 3u);
  for (const Node* node : (*graph)->nodes()) {
    if (!node->is(ops::Conv)) continue;
    const Node* weights = node->input(1)->producer();
    ASSERT_TRUE(weights && weights->is(ops::DequantizeLinear));
    EXPECT_EQ(weights->input(0)->type().to_string(), "int8[3,2,2,2]");
    EXPECT_EQ(weights->attrs<ops::DequantizeLinearAttrs>().axis, 0);
    EXPECT_EQ(weights->input(1)->constant().as_double(0), static_cast<double>(2.0f / 254));
  }
}

// ---- where it was written -------------------------------------------------------------------------------------------

std::string key(int number, int wire) { return {static_cast<char>(number << 3 | wire)}; }
std::string message(int number, const std::string& bytes) {
  return key(number, 2) + static_cast<char>(bytes.size()) + bytes;
}
std::string number(int number, int value) { return key(number, 0) + static_cast<char>(value); }
std::string fixed(int number, char value) { return key(number, 1) + value + std::string(7, '\0'); }
std::string frame(int file, int line) { return number(1, file) + number(2, line); }
std::string entry(int number, const std::string& name, const std::string& value) {
  return message(number, message(1, name) + message(2, value));
}

const std::string kFiles = message(1, "model.py") + message(1, "lib/tensorflow/ops.py");

// A SavedModel of one node that cannot be imported, with this beside it.
std::string refusal_with(const std::string& debug_info) {
  const Path folder = std::filesystem::temp_directory_path() / ("lapis_debug_info_" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder / "debug");
  const std::string type = entry(5, "dtype", number(6, 1));
  const std::string graph = message(1, message(1, "x") + message(2, "Placeholder") + type) +
                            message(1, message(1, "y") + message(2, "MatrixDeterminant") + message(3, "x"));
  EXPECT_TRUE(write_file(folder / "saved_model.pb", number(1, 1) + message(2, message(2, graph))).ok());
  EXPECT_TRUE(write_file(folder / "debug" / "saved_model_debug_info.pb", debug_info).ok());
  const auto imported = import_model(folder, {.inputs = {"x:0"}, .outputs = {"y:0"}});
  std::filesystem::remove_all(folder);
  EXPECT_FALSE(imported.ok());
  return to_string(imported.diagnostics());
}

// By numbers, as TensorFlow writes it now, and in full, as it did; the library's own lines are nobody's fault.
TEST(Tensorflow, MessagesNameTheLineThatTheModelKeeps) {
  const std::string by_number =
      kFiles + message(4, fixed(1, 7) + message(2, frame(0, 17))) + message(4, fixed(1, 8) + message(2, frame(1, 99))) +
      message(5, message(1, "y@") + fixed(2, 3)) +
      message(6, fixed(1, 3) + message(2, message(2, std::string("\7\0\0\0\0\0\0\0\10\0\0\0\0\0\0\0", 16))));
  const std::string in_full = kFiles + entry(2, "y@", message(1, frame(0, 17)) + message(1, frame(1, 99)));
  for (const std::string& info : {by_number, in_full})
    EXPECT_THAT(refusal_with(info), HasSubstr("written at model.py:17"));
}

TEST(Tensorflow, DamagedLinesAreNoLines) {
  const std::string whole = kFiles + entry(2, "y@", message(1, frame(0, 17)));
  for (size_t end = 0; end < whole.size(); ++end)
    EXPECT_THAT(refusal_with(whole.substr(0, end)), HasSubstr("MatrixDeterminant is not supported"));
  EXPECT_THAT(refusal_with(kFiles + entry(2, "y@", message(1, frame(5, 17)))), ::testing::Not(HasSubstr("written at")));
}

// ---- what is wanted of a model --------------------------------------------------------------------------------------

void expect_refused(const Result<std::unique_ptr<Graph>>& graph, const std::vector<std::string>& says) {
  ASSERT_FALSE(graph.ok());
  const std::string message = to_string(graph.diagnostics());
  for (const std::string& part : says) EXPECT_THAT(message, HasSubstr(part));
}

TEST(Tensorflow, PartsAreCutByNames) {
  const auto part = import_model(kCases, {.inputs = {"pad_and_conv/x0:0"}, .outputs = {"pad_and_conv/Relu6:0"}});
  ASSERT_TRUE(part.ok()) << to_string(part.diagnostics());
  EXPECT_EQ((*part)->outputs()[0]->name(), "pad_and_conv/Relu6");
  EXPECT_EQ(count(**part, ops::Softmax), 0u);
  const auto inner =
      import_model(kCases, {.inputs = {"squareddifference/SquaredDifference"}, .outputs = {"squareddifference/y0"}});
  ASSERT_TRUE(inner.ok()) << to_string(inner.diagnostics());
  EXPECT_EQ((*inner)->inputs()[0]->name(), "squareddifference/SquaredDifference");
  expect_refused(import_model(kCases, {.outputs = {"nowhere"}}), {"the model has no value 'nowhere'", "NODE:1"});
  expect_refused(import_model(kCases, {.inputs = {"relu/x0"}, .outputs = {"elu/y0"}}),
                 {"node 'elu/x0' (Placeholder)", "the outputs depend on this input too"});
  expect_refused(import_model(kCases, {.inputs = {"relu/x0", "elu/x0"}, .outputs = {"elu/y0"}}),
                 {"the outputs do not depend on input 'relu/x0'"});
}

TEST(Tensorflow, AnInputThatChoosesABranchNeedsAValue) {
  const auto graph = import_model(
      kCases,
      {.inputs = {"dropout/x0", "dropout/training"}, .outputs = {"dropout/y0"}, .values = {{"dropout/training", 0}}});
  ASSERT_TRUE(graph.ok()) << to_string(graph.diagnostics());
  expect_recorded(**graph, "dropout");
  expect_refused(import_model(kCases, {.outputs = {"relu/y0"}, .values = {{"nowhere", 1}}}),
                 {"has no input 'nowhere'"});
  expect_refused(import_model(kCases, {.inputs = {"dropout/x0", "dropout/training"}, .outputs = {"dropout/y0"}}),
                 {"operator RandomUniform is not supported: its result is random"});
}

// ---- branches and loops ---------------------------------------------------------------------------------------------

// Nodes of the graph and of what its nodes run.
size_t count_everywhere(const Graph& graph, const OpDef& op) {
  size_t count = 0;
  for (const Node* node : graph.nodes()) {
    count += node->is(op);
    for (const auto& [name, attribute] : node->attributes())
      if (const auto* body = std::get_if<std::shared_ptr<Graph>>(&attribute)) count += count_everywhere(**body, op);
  }
  return count;
}

TEST(Tensorflow, BranchesAndLoopsOfBothVersionsAreThoseOfOnnx) {
  const std::map<std::string, std::pair<size_t, size_t>> wanted = {// Ifs and Loops
                                                                   {"cond_taken", {1, 0}},
                                                                   {"cond_nested", {2, 0}},
                                                                   {"while", {0, 1}},
                                                                   {"while_within", {1, 2}},
                                                                   {"while_collected", {0, 1}}};
  for (const auto& [name, counts] : wanted)
    for (const char* version : {"_v1", "_v2"}) {
      SCOPED_TRACE(name + version);
      const auto graph = imported(name + version);
      ASSERT_TRUE(graph.ok()) << to_string(graph.diagnostics());
      EXPECT_EQ(count_everywhere(**graph, ops::If), counts.first);
      EXPECT_EQ(count_everywhere(**graph, ops::Loop), counts.second);
    }
}

// Nothing says where they belong, and the size of the result is known where the number of iterations is.
TEST(Tensorflow, LoopsCollectWhatIsWrittenBehindTheEndOfLists) {
  for (const std::string name : {"while_appended_v1", "while_appended_v2"}) {
    SCOPED_TRACE(name);
    const auto graph = imported(name);
    ASSERT_TRUE(graph.ok()) << to_string(graph.diagnostics());
    EXPECT_EQ((*graph)->outputs()[0]->type().to_string(), "float[4,3]");
    EXPECT_EQ((*graph)->outputs()[1]->type().to_string(), "float[?,3]");
    EXPECT_EQ(count_everywhere(**graph, ops::ScatterND), 0u);
    EXPECT_EQ(count_everywhere(**graph, ops::Loop), 2u);
    for (const Node* node : (*graph)->nodes())
      for (size_t i = 2; node->is(ops::Loop) && i < node->inputs().size(); ++i)
        EXPECT_EQ(node->input(i)->type().rank(), 0) << "counters are its only states";
  }
}

TEST(Tensorflow, RecurrentLayersOfKerasAreOneOperator) {
  const std::map<std::string, const OpDef*> wanted = {
      {"keras_lstm", &ops::LSTM},      {"keras_lstm_open", &ops::LSTM},   {"keras_lstm_lowered", &ops::LSTM},
      {"keras_lstm_last", &ops::LSTM}, {"keras_lstm_states", &ops::LSTM}, {"keras_lstm_last_open", &ops::LSTM},
      {"keras_gru", &ops::GRU},        {"keras_gru_open", &ops::GRU},     {"keras_gru_lowered", &ops::GRU},
      {"keras_gru_last", &ops::GRU},   {"keras_rnn", &ops::RNN}};
  for (const auto& [name, op] : wanted) {
    const auto graph = imported(name);
    ASSERT_TRUE(graph.ok()) << name << ": " << to_string(graph.diagnostics());
    EXPECT_EQ(count_everywhere(**graph, *op), 1u) << name;
    EXPECT_EQ(count_everywhere(**graph, ops::Loop), 0u) << name;
  }
  const auto both = imported("keras_bidirectional");
  ASSERT_TRUE(both.ok()) << to_string(both.diagnostics());
  EXPECT_EQ(count_everywhere(**both, ops::GRU), 2u);
}

std::string graph_of(const std::string& text) {
  const auto bytes = graph_from_text(text);
  EXPECT_TRUE(bytes.ok()) << to_string(bytes.diagnostics());
  return bytes.ok() ? *bytes : "";
}
Result<std::unique_ptr<Graph>> imported_text(const std::string& text, const ImportOptions& options = {}) {
  const std::string bytes = graph_of(text);
  return import_tensorflow(std::as_bytes(std::span(bytes)), "m.pb", options);
}

constexpr const char* kInput = R"(node { name: "x" op: "Placeholder" attr { key: "dtype" value { type: DT_FLOAT } }
  attr { key: "shape" value { shape { dim { size: 2 } } } } } )";

std::string type_attribute(const char* name, const char* type) {
  return std::string("attr { key: \"") + name + "\" value { type: " + type + " } } ";
}
std::string constant_node(const char* name, const char* type, const std::string& numbers, int count) {
  return std::string("node { name: \"") + name + "\" op: \"Const\" " + type_attribute("dtype", type) +
         "attr { key: \"value\" value { tensor { dtype: " + type +
         " tensor_shape { dim { size: " + std::to_string(count) + " } } " + numbers + " } } } } ";
}

TEST(Tensorflow, ListsThatAreNoTensorAreRefused) {
  const std::string constants = constant_node("sizes", "DT_INT32", "int_val: -1", 1) +
                                constant_node("lengths", "DT_INT64", "int64_val: 1 int64_val: 2", 2);
  const std::string of_floats = type_attribute("element_dtype", "DT_FLOAT");
  const std::map<std::string, std::string> cases = {
      {R"(op: "TensorListSplit" input: "x" input: "sizes" input: "lengths" )" + of_floats,
       "a list of parts of different lengths"},
      {R"(op: "TensorListFromTensor" input: "x" input: "sizes" )" + type_attribute("element_dtype", "DT_VARIANT"),
       "a list of lists"},
      {R"(op: "TensorListElementShape" input: "x" )", "the shape that was declared for its elements"},
      {R"(op: "TensorListPushBackBatch" input: "x" input: "x" )", "a tensor of lists"},
      {R"(op: "TensorArrayGradV3" input: "x" input: "x" )", "it only trains"},
      {R"(op: "TensorArrayReadV2" input: "x" input: "x" input: "x" )", "arrays that TensorFlow had before 1.0"}};
  for (const auto& [node, says] : cases)
    expect_refused(imported_text(kInput + constants + "node { name: \"y\" " + node + "}", {.outputs = {"y"}}), {says});
}

// A graph whose outputs nobody names ends where nobody reads, and that an array is freed is no end.
TEST(Tensorflow, ClosedArraysAreNoOutputs) {
  const auto graph = imported_text(
      kInput + constant_node("n", "DT_INT32", "int_val: 1", 1) +
      R"(node { name: "a" op: "TensorArrayV3" input: "n" } node { name: "close" op: "TensorArrayCloseV3" input: "a" }
         node { name: "y" op: "Relu" input: "x" })");
  ASSERT_TRUE(graph.ok()) << to_string(graph.diagnostics());
  ASSERT_EQ((*graph)->outputs().size(), 1u);
  EXPECT_EQ((*graph)->outputs()[0]->name(), "y");
}

TEST(Tensorflow, AllUnsupportedOperatorsAreReportedAtOnce) {
  const std::string text =
      std::string(kInput) +
      R"(node { name: "a" op: "Frobnicate" input: "x" } node { name: "b" op: "Frobnicate" input: "a" }
    node { name: "c" op: "Unheard" input: "x" } node { name: "y" op: "Add" input: "b" input: "c" })";
  expect_refused(imported_text(text), {"m.pb: error: operator Frobnicate is not supported (2 nodes)", "at 'a', 'b'",
                                       "operator Unheard is not supported (1 node)", "--inputs and --outputs"});
}

TEST(Tensorflow, IncompleteGraphsAreRefused) {
  expect_refused(imported_text(std::string(kInput) + R"(node { name: "y" op: "Relu" input: "z" })"),
                 {"reads 'z', which nothing in the model defines"});
  expect_refused(
      imported_text(
          std::string(kInput) +
          R"(node { name: "y" op: "PartitionedCall" input: "x" attr { key: "f" value { func { name: "g" } } } })"),
      {"calls function 'g', which the model does not have"});
  expect_refused(
      imported_text(
          std::string(kInput) +
              R"(node { name: "y" op: "Add" input: "x" input: "z" } node { name: "z" op: "Relu" input: "y" })",
          {.outputs = {"y"}}),
      {"nodes depend on each other in a circle"});
  expect_refused(imported_text(std::string(kInput)), {"the model has no outputs"});
}

TEST(Tensorflow, FunctionsThatCallThemselvesEnd) {
  const std::string text = std::string(kInput) + R"(node { name: "y" op: "f" input: "x" }
    library { function { signature { name: "f" input_arg { name: "a" } output_arg { name: "b" } }
      node_def { name: "again" op: "f" input: "a" } ret { key: "b" value: "again:b:0" } } })";
  expect_refused(imported_text(text), {"functions call each other more than 64 deep"});
}

// ---- text -----------------------------------------------------------------------------------------------------------

TEST(Tensorflow, TextIsTheSameGraph) {
  auto graph = import_model(kFolder / "pad_and_conv.pbtxt");
  ASSERT_TRUE(graph.ok()) << to_string(graph.diagnostics());
  expect_recorded(**graph, "pad_and_conv");
}

TEST(Tensorflow, FlawedTextNamesItsLine) {
  for (const auto& [text, says] : std::map<std::string, std::string>{
           {"node {\n  name: \"x\"\n  op: ", "line 3: a value is expected"},
           {"node {\n  name: \"x", "line 2: the file ends within a string"},
           {"node {\n name: \"\\q\" }", "line 2: an escape that cannot be"},
           {"node {\n attr { value { i: many } } }", "line 2: 'many' is no value of 'i'"},
           {"node {", "the file ends within a message"},
           {"node [", "a value is expected"}}) {
    const auto bytes = graph_from_text(text);
    ASSERT_FALSE(bytes.ok()) << text;
    EXPECT_THAT(to_string(bytes.diagnostics()), HasSubstr(says)) << text;
  }
}

// ---- SavedModel -----------------------------------------------------------------------------------------------------

TEST(Tensorflow, SavedModelsAreCalledByTheirSignatures) {
  const auto graph = import_model(kFolder / "saved");
  ASSERT_TRUE(graph.ok()) << to_string(graph.diagnostics());
  ASSERT_EQ((*graph)->inputs().size(), 2u);
  EXPECT_EQ((*graph)->inputs()[0]->name(), "ids");
  EXPECT_EQ((*graph)->inputs()[1]->name(), "image");
  EXPECT_EQ((*graph)->outputs()[0]->name(), "scores");
  const auto got = evaluate(**graph, {{"ids", recorded().at("saved/in0")}, {"image", recorded().at("saved/in1")}});
  ASSERT_TRUE(got.ok()) << to_string(got.diagnostics());
  EXPECT_LE(testing::relative_error((*got)[0], recorded().at("saved/out0")), 1e-5);
  const auto by_file = import_model(kFolder / "saved/saved_model.pb", {.signature = "twice"});
  ASSERT_TRUE(by_file.ok()) << to_string(by_file.diagnostics());
  EXPECT_EQ((*by_file)->inputs()[0]->name(), "x");
  expect_refused(import_model(kFolder / "saved", {.signature = "thrice"}),
                 {"the model has no signature 'thrice'", "it has serving_default, twice"});
}

TEST(Tensorflow, PartsOfSavedModelsAreCutBySignatureNames) {
  const auto graph = import_model(kFolder / "saved", {.inputs = {"image", "ids"}, .outputs = {"scores"}});
  ASSERT_TRUE(graph.ok()) << to_string(graph.diagnostics());
  EXPECT_EQ((*graph)->inputs()[0]->name(), "image");
}

// ---- checkpoints ----------------------------------------------------------------------------------------------------

TEST(Tensorflow, CheckpointsHaveTheirGraphBesideThem) {
  const auto graph = import_model(kFolder / "checkpoint/model.meta", {.inputs = {"image"}, .outputs = {"scores"}});
  ASSERT_TRUE(graph.ok()) << to_string(graph.diagnostics());
  const auto got = evaluate(**graph, {{"image", recorded().at("checkpoint/in0")}});
  ASSERT_TRUE(got.ok()) << to_string(got.diagnostics());
  EXPECT_LE(testing::relative_error((*got)[0], recorded().at("checkpoint/out0")), 1e-5);
  expect_refused(import_model(kFolder / "checkpoint/model.index"), {"the index of a TensorFlow checkpoint", ".meta"});
}

TEST(Tensorflow, GraphsWithoutTheirCheckpointAreRefused) {
  const Path alone = std::filesystem::temp_directory_path() / ("lapis_alone_" + std::to_string(::getpid()) + ".meta");
  std::filesystem::copy_file(kFolder / "checkpoint/model.meta", alone);
  expect_refused(import_model(alone, {.inputs = {"image"}, .outputs = {"scores"}}),
                 {"the values of its variables are not beside it", "put lapis_alone_"});
  std::filesystem::remove(alone);
}

std::string content(const Path& file) {
  auto bytes = read_file(file);
  EXPECT_TRUE(bytes.ok()) << file;
  return bytes.ok() ? *bytes : "";
}

TEST(HostileTensorflow, DamagedTablesOfVariablesAreRefusedOrRead) {
  const std::string whole = content(kFolder / "saved/variables/variables.index");
  ASSERT_TRUE(read_table(whole).ok());
  for (size_t length = 0; length < whole.size(); ++length)
    EXPECT_FALSE(read_table(whole.substr(0, length)).ok()) << length;
  testing::expect_bit_flips_survived(whole, [](const std::string& bytes) { return read_table(bytes).ok(); });
}

TEST(Tensorflow, SnappyExpandsOrRefuses) {
  const auto expanded = [](std::string_view bytes) { return decompress_snappy(bytes, 1000); };
  EXPECT_EQ(*expanded(std::string_view("\x05\x10hello", 7)), "hello");
  EXPECT_EQ(*expanded(std::string_view("\x08\x04"
                                       "ab\x09\x02",
                                       6)),
            "abababab");  // 6 more from 2 back
  for (const std::string_view bad :
       {std::string_view("\xFF\xFF\x7F", 3), std::string_view("\x04\x09\x02", 3), std::string_view("\x05\x10he", 4)})
    EXPECT_FALSE(expanded(bad).ok());
}

// ---- damaged files --------------------------------------------------------------------------------------------------

bool survives(const std::string& bytes) {
  return testing::survives(import_tensorflow(std::as_bytes(std::span(bytes)), "m.pb"));
}

TEST(HostileTensorflow, TruncationsAndBitFlipsAreSurvived) {
  const std::string whole = graph_of(content(kFolder / "pad_and_conv.pbtxt"));
  ASSERT_TRUE(survives(whole));
  for (size_t length = 0; length < whole.size(); ++length) survives(whole.substr(0, length));
  std::mt19937 random(7);
  for (int i = 0; i < 3000; ++i) {
    std::string damaged = whole;
    testing::flip_a_bit(damaged, random);
    survives(damaged);
  }
}

TEST(HostileTensorflow, DamagedTextIsSurvived) {
  const std::string whole = content(kFolder / "pad_and_conv.pbtxt");
  std::mt19937 random(7);
  for (int i = 0; i < 500; ++i) {
    std::string damaged = whole;
    damaged.erase(random() % damaged.size(), 1 + random() % 8);
    if (const auto bytes = graph_from_text(damaged); bytes.ok()) survives(*bytes);
  }
}

TEST(HostileTensorflow, AMillionNodesInARowAreNoRecursion) {
  std::string text = kInput;
  constexpr int kNodes = 200'000;
  text += R"(node { name: "n0" op: "Identity" input: "x" })";
  for (int i = 1; i < kNodes; ++i)
    text += "node{name:\"n" + std::to_string(i) + "\"op:\"Identity\"input:\"n" + std::to_string(i - 1) + "\"}";
  const auto graph = imported_text(text);
  ASSERT_TRUE(graph.ok()) << to_string(graph.diagnostics());
  EXPECT_EQ((*graph)->node_count(), 1u);
}

TEST(HostileTensorflow, OneNumberDoesNotBecomeAllMemory) {
  const std::string text = R"(node { name: "c" op: "Const" attr { key: "value" value { tensor { dtype: DT_FLOAT
    tensor_shape { dim { size: 1000000000 } dim { size: 1000 } } float_val: 1 } } } } node { name: "y" op: "Relu" input: "c" })";
  expect_refused(imported_text(text), {"out of proportion"});
}

}  // namespace
}  // namespace lapis
