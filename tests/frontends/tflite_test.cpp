// TFLite models: what is refused and why, what the graph looks like, and what damaged files do.
// What they compute: tests/models/tflite_test.cpp.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <set>
#include <sstream>

#include "frontends/frontend.h"
#include "frontends/tflite/flexbuffer.h"
#include "frontends/tflite/import.h"
#include "frontends/tflite/read.h"
#include "frontends/tflite/schema.h"
#include "ir/evaluate.h"
#include "ir/op.h"
#include "ir/ops/attributes.h"
#include "ir/ops/ops.h"
#include "ir/verify.h"
#include "tests/frontends/damage.h"
#include "tests/frontends/graphs.h"

namespace lapis {
namespace {

using ::testing::HasSubstr;

const Path kFolder = Path(LAPIS_SOURCE_DIR) / "tests/frontends/tflite";

// The files of cases/ that end so, without that, sorted.
std::vector<std::string> cases(const std::string& ending) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder / "cases"))
    if (const std::string name = entry.path().filename().string(); name.ends_with(ending))
      names.insert(name.substr(0, name.size() - ending.size()));
  return {names.begin(), names.end()};
}

std::string content(const std::string& file) {
  auto bytes = read_file(kFolder / file);
  EXPECT_TRUE(bytes.ok()) << file;
  return bytes.ok() ? *bytes : "";
}
std::string model(const std::string& name) { return content("cases/" + name + ".tflite"); }

Result<std::unique_ptr<Graph>> imported(const std::string& bytes) {
  return import_tflite(std::as_bytes(std::span(bytes)), "m.tflite");
}
std::unique_ptr<Graph> graph_of_case(const std::string& name) {
  auto graph = imported(model(name));
  EXPECT_TRUE(graph.ok()) << name << ": " << to_string(graph.diagnostics());
  return graph.ok() ? *std::move(graph) : nullptr;
}

TEST(Tflite, EveryRefusalSaysWhy) {
  const std::vector<std::string> names = cases(".error");
  ASSERT_GT(names.size(), 20u);
  for (const std::string& name : names) {
    const auto graph = import_model(kFolder / "cases" / (name + ".tflite"));
    ASSERT_FALSE(graph.ok()) << name;
    const std::string message = to_string(graph.diagnostics());
    EXPECT_TRUE(message.starts_with(name + ".tflite: ")) << message;
    std::istringstream says(content("cases/" + name + ".error"));
    for (std::string line; std::getline(says, line);) EXPECT_THAT(message, HasSubstr(line)) << name;
  }
}

TEST(Tflite, WhatImportsIsAValidModel) {
  for (const std::string& name : cases(".out.npy")) {
    const auto graph = graph_of_case(name);
    ASSERT_TRUE(graph);
    const Diagnostics found = verify(*graph);
    EXPECT_TRUE(found.empty()) << name << ": " << to_string(found);
  }
}

std::vector<Path> recorded_files() {
  std::vector<Path> files;
  for (const std::string& name : cases(".out.npy")) files.push_back(kFolder / "cases" / (name + ".tflite"));
  for (const auto& entry : std::filesystem::directory_iterator(kFolder / "families"))
    if (entry.path().extension() == ".tflite") files.push_back(entry.path());
  return files;
}

TEST(Tflite, EveryTranslatorHasACase) {
  std::set<std::string> seen, rows;
  for (const Path& path : recorded_files()) {
    const auto file = map_file(path);
    ASSERT_TRUE(file.ok());
    const auto source = tflite_frontend::read_model(*file);
    ASSERT_TRUE(source.ok()) << path << to_string(source.diagnostics());
    for (const auto& node : source->nodes) seen.insert(node.op);
  }
  std::string_view before;
  for (const frontend::Translator& row : tflite_frontend::translators()) {
    EXPECT_LT(before, row.op) << "rows are alphabetical, and an operator has one";
    EXPECT_LE(row.oldest, row.newest) << row.op;
    EXPECT_LE(row.fewest_inputs, row.most_inputs) << row.op;
    EXPECT_TRUE(row.translate.run) << row.op;
    rows.emplace(before = row.op);
  }
  EXPECT_EQ(seen, rows);
}

TEST(Tflite, EveryBuiltinIsTranslatedOrRefusedWithAReason) {
  std::multiset<std::string> known = {"CUSTOM"};  // these have names of their own
  for (const auto& row : tflite_frontend::resolved()) known.emplace(row.op);
  for (const auto& row : tflite_frontend::translators())
    if (!row.op.starts_with("CUSTOM ")) known.emplace(row.op);
  for (const auto& row : tflite_frontend::refused()) {
    known.emplace(row.op);
    EXPECT_FALSE(row.reason.empty() || row.hint.empty()) << row.op;
  }
  std::multiset<std::string> builtins;
  for (const std::string_view op : tflite_frontend::builtins()) builtins.emplace(op);
  EXPECT_EQ(known, builtins);
}

TEST(Tflite, TheManualNamesEveryOperator) {
  const auto manual = read_file(Path(LAPIS_SOURCE_DIR) / "docs/importing-tflite.md");
  ASSERT_TRUE(manual.ok());
  for (const auto& row : tflite_frontend::translators()) EXPECT_THAT(*manual, HasSubstr(std::string(row.op)));
  for (const auto& row : tflite_frontend::refused())
    if (!row.op.starts_with("STABLEHLO_")) EXPECT_THAT(*manual, HasSubstr(std::string(row.op)));
}

TEST(Tflite, SignaturesChooseAGraphAndItsNames) {
  const Path path = kFolder / "families/signature.tflite";
  const auto twice = import_model(path, {.signature = "twice"});
  ASSERT_TRUE(twice.ok()) << to_string(twice.diagnostics());
  EXPECT_EQ((*twice)->inputs()[0]->name(), "x");
  EXPECT_EQ((*twice)->outputs()[0]->name(), "y");
  const auto got = evaluate(**twice, {{"x", Tensor::of<float>({2, 3}, {1, 2, 3, 4, 5, 6})}});
  ASSERT_TRUE(got.ok()) << to_string(got.diagnostics());
  EXPECT_EQ((*got)[0].as_double(5), 12);
  const auto first = import_model(path);
  ASSERT_TRUE(first.ok()) << to_string(first.diagnostics());
  EXPECT_EQ((*first)->inputs()[0]->name(), "x0");
  const auto wrong = import_model(path, {.signature = "thrice"});
  EXPECT_THAT(to_string(wrong.diagnostics()), HasSubstr("the model has no signature 'thrice'"));
  EXPECT_THAT(to_string(wrong.diagnostics()), HasSubstr("it has negative, twice"));
}

// ---- layouts --------------------------------------------------------------------------------------------------------

TEST(Tflite, TransposesStandAtInputsAndOutputsOnly) {
  // It reads the values of a flattened image in their written order.
  const std::set<std::string> expected = {"planes_that_others_read"};
  for (const std::string& name : cases(".out.npy")) {
    const auto graph = graph_of_case(name);
    ASSERT_TRUE(graph);
    EXPECT_EQ(transposes_inside(*graph), expected.contains(name) ? 1u : 0u) << name;
  }
}

size_t count(const Graph& graph, const OpDef& op) {
  size_t count = 0;
  for (const Node* node : graph.nodes()) count += node->is(op);
  return count;
}

TEST(Tflite, ResNet8HasOneTransposeAndKeepsItsNames) {
  const auto graph = imported(content("resnet8_int8.tflite"));
  ASSERT_TRUE(graph.ok()) << to_string(graph.diagnostics());
  EXPECT_EQ(count(**graph, ops::Transpose), 1u);
  EXPECT_EQ(transposes_inside(**graph), 0u);
  EXPECT_EQ((*graph)->inputs()[0]->name(), "input_1_int8");
  EXPECT_EQ((*graph)->inputs()[0]->type().to_string(), "int8[input_1_int8_dim0,32,32,3]");
  EXPECT_EQ((*graph)->outputs()[0]->name(), "Identity_int8");
}

TEST(Tflite, OpenSizesAreSymbolsThatGetValues) {
  const std::string bytes = content("resnet8_int8.tflite");
  const auto bound = import_tflite(std::as_bytes(std::span(bytes)), "m", {.dims = {{"input_1_int8_dim0", 4}}});
  ASSERT_TRUE(bound.ok()) << to_string(bound.diagnostics());
  EXPECT_EQ((*bound)->outputs()[0]->type().to_string(), "int8[4,10]");
  const auto wrong = import_tflite(std::as_bytes(std::span(bytes)), "m", {.dims = {{"N", 4}}});
  EXPECT_THAT(to_string(wrong.diagnostics()), HasSubstr("the model has no symbolic dimension 'N'"));
}

// ---- quantization ---------------------------------------------------------------------------------------------------

TEST(Tflite, IntegersAndScalesAreThoseOfTheFile) {
  const auto file = map_file(kFolder / "cases/conv_int8.tflite");
  ASSERT_TRUE(file.ok());
  const auto source = tflite_frontend::read_model(*file);
  ASSERT_TRUE(source.ok());
  const auto graph = graph_of_case("conv_int8");
  ASSERT_TRUE(graph);
  const Node* conv = nullptr;
  for (const Node* node : graph->nodes())
    if (node->is(ops::Conv)) conv = node;
  ASSERT_TRUE(conv);
  for (const size_t i : {1, 2}) {
    const auto& value = source->values.at(source->nodes[0].inputs[i]);
    const Node* dequantize = conv->input(i)->producer();
    const Tensor& scales = dequantize->input(1)->constant();
    EXPECT_EQ(std::vector<float>(scales.data<float>().begin(), scales.data<float>().end()), value.quantization->scales);
    EXPECT_EQ(dequantize->attrs<ops::DequantizeLinearAttrs>().axis, 0);
    EXPECT_EQ(dequantize->input(0)->dtype(), value.type.dtype);
  }
  const Tensor& written = source->values.at(source->nodes[0].inputs[1]).constant;
  const Tensor& turned = conv->input(1)->producer()->input(0)->constant();
  const Shape& s = written.shape();  // [O, H, W, I]
  ASSERT_EQ(turned.shape(), (Shape{s[0], s[3], s[1], s[2]}));
  for (int64_t o = 0; o < s[0]; ++o)
    for (int64_t p = 0; p < s[1] * s[2]; ++p)
      for (int64_t c = 0; c < s[3]; ++c)
        EXPECT_EQ(turned.as_int((o * s[3] + c) * s[1] * s[2] + p), written.as_int((o * s[1] * s[2] + p) * s[3] + c));
}

// ---- states ---------------------------------------------------------------------------------------------------------

TEST(Tflite, AMemoryIsAnInputAndBecomesAnOutput) {
  const auto graph = import_model(kFolder / "families/svdf.tflite");
  ASSERT_TRUE(graph.ok()) << to_string(graph.diagnostics());
  const auto &inputs = (*graph)->inputs(), &outputs = (*graph)->outputs();
  ASSERT_EQ(inputs.size(), 6u);  // two of data, and four states behind them
  ASSERT_EQ(outputs.size(), 8u);
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(outputs[4 + i]->name(), inputs[2 + i]->name() + "_next");
    EXPECT_EQ(outputs[4 + i]->type().to_string(), inputs[2 + i]->type().to_string());
  }
  EXPECT_EQ(inputs.back()->type().to_string(), "int16[2,42]");
}

// ---- options of custom operators ------------------------------------------------------------------------------------

// {"n": 300, "x": 0.5, "yes": true, "far": 2^40, "less": -2, "text": "t"}, as the library of FlatBuffers writes it.
const std::vector<uint8_t> kWide = {
    110, 0,   120, 0,  121, 101, 115, 0,  102, 97, 114, 0,  108, 101, 115, 115, 0,  116, 101, 120, 116, 0,   1,
    116, 0,   6,   18, 15,  28,  12,  28, 27,  6,  0,   0,  0,   0,   0,   0,   0,  1,   0,   0,   0,   0,   0,
    0,   0,   6,   0,  0,   0,   0,   0,  0,   0,  0,   0,  0,   0,   0,   1,   0,  0,   254, 255, 255, 255, 255,
    255, 255, 255, 44, 1,   0,   0,   0,  0,   0,  0,   57, 0,   0,   0,   0,   0,  0,   0,   0,   0,   0,   0,
    0,   0,   224, 63, 1,   0,   0,   0,  0,   0,  0,   0,  7,   7,   7,   20,  15, 107, 54,  39,  1};
// {"far": -5, "n": 0.25, "u": 7}, each of them where an offset leads.
const std::vector<uint8_t> kIndirect = {102, 97, 114, 0, 251, 110, 0,  0,  0,  0,  128, 62, 117, 0,  7, 3,
                                        16,  12, 6,   3, 1,   3,   18, 15, 10, 24, 34,  28, 6,   36, 1};

std::optional<tflite_frontend::FlexNumbers> numbers(const std::vector<uint8_t>& bytes) {
  return tflite_frontend::flex_numbers(std::as_bytes(std::span(bytes)));
}

TEST(FlexBuffer, NumbersOfAMapAreRead) {
  const tflite_frontend::FlexNumbers wide = {
      {"far", 1099511627776.0}, {"less", -2}, {"n", 300}, {"x", 0.5}, {"yes", 1}};
  EXPECT_EQ(numbers(kWide), wide);
  EXPECT_EQ(numbers(kIndirect), (tflite_frontend::FlexNumbers{{"far", -5}, {"n", 0.25}, {"u", 7}}));
}

TEST(FlexBuffer, WhatIsNoMapIsNone) {
  EXPECT_FALSE(numbers({}));
  EXPECT_FALSE(numbers({1}));
  EXPECT_FALSE(numbers({5, 4, 1}));         // the number 5
  EXPECT_FALSE(numbers({1, 36, 3}));        // an offset of three bytes
  EXPECT_FALSE(numbers({200, 36, 1}));      // that leads in front of the file
  EXPECT_FALSE(numbers({9, 9, 0, 36, 1}));  // a map without what stands before it
}

// What is read of a damaged one is numbers too; the sanitizers see that nothing else is.
TEST(FlexBuffer, DamageIsSurvived) {
  for (const std::vector<uint8_t>& whole : {kWide, kIndirect}) {
    for (size_t first = 1; first < whole.size(); ++first)
      numbers({whole.begin() + static_cast<std::ptrdiff_t>(first), whole.end()});
    for (size_t length = 0; length < whole.size(); ++length)
      numbers({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length)});
    size_t maps = 0;
    for (size_t at = 0; at < whole.size(); ++at)
      for (int value = 0; value < 256; ++value) {
        std::vector<uint8_t> damaged = whole;
        damaged[at] = static_cast<uint8_t>(value);
        maps += numbers(damaged).has_value();
      }
    EXPECT_GT(maps, whole.size());  // that say something else
    EXPECT_LT(maps, whole.size() * 256);
  }
}

// ---- damaged files --------------------------------------------------------------------------------------------------

bool survives(const std::string& bytes) { return testing::survives(imported(bytes)); }

TEST(HostileTflite, EveryTruncationIsSurvived) {
  for (const char* name : {"cases/adds", "cases/conv_int8", "cases/dense_of_planes", "cases/quantize_and_back",
                           "families/control", "families/signature", "families/weights"}) {
    const std::string whole = content(name + std::string(".tflite"));
    ASSERT_TRUE(survives(whole)) << name;
    for (size_t length = 0; length < whole.size(); ++length)
      EXPECT_FALSE(survives(whole.substr(0, length))) << name << " cut to " << length << " of " << whole.size();
  }
}

TEST(HostileTflite, EveryBitFlipIsSurvived) {
  for (const char* name : {"conv_int8", "dense_of_planes"}) testing::expect_bit_flips_survived(model(name), survives);
  for (const char* name : {"families/called.tflite", "families/trained.tflite"})
    testing::expect_bit_flips_survived(content(name), survives);
}

TEST(HostileTflite, BytesRemovedRepeatedAndReplacedAreSurvived) {
  std::mt19937 random(7);
  const auto below = [&](size_t n) { return static_cast<size_t>(random() % n); };
  std::vector<std::string> models;
  for (const Path& path : recorded_files()) models.push_back(content(path.lexically_relative(kFolder)));
  for (int i = 0; i < 4000; ++i) {
    std::string damaged = models[below(models.size())];
    for (size_t edits = 1 + below(4); edits > 0; --edits) {
      const size_t at = below(damaged.size()), length = 1 + below(std::min<size_t>(8, damaged.size() - at));
      const std::string part = damaged.substr(below(damaged.size()), length);
      if (below(3) == 0)
        damaged.erase(at, length);
      else
        damaged.replace(at, below(2) ? 0 : length, part);
      if (damaged.empty()) damaged = "x";
    }
    survives(damaged);
  }
}

// A number of the FlatBuffer, at its place.
template <class T> T number_at(const std::string& bytes, size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}
template <class T> std::string with(std::string bytes, size_t at, T value) {
  std::memcpy(bytes.data() + at, &value, sizeof value);
  return bytes;
}
void expect_damaged(const std::string& bytes, const std::string& what) {
  const auto graph = imported(bytes);
  ASSERT_FALSE(graph.ok());
  const std::string message = to_string(graph.diagnostics());
  EXPECT_THAT(message, HasSubstr("m.tflite: error: the file is damaged or cut off: " + what));
  EXPECT_THAT(message, HasSubstr("  hint: copy or convert it again"));
}

TEST(HostileTflite, OffsetsVtablesAndLengthsStayWithinTheFile) {
  const std::string whole = model("softmax");
  const auto root = number_at<uint32_t>(whole, 0);
  const auto vtable = root - static_cast<uint32_t>(number_at<int32_t>(whole, root));
  constexpr size_t kCodes = 4 + 2 * 1;  // where a vtable says where the field of slot 1 lies
  const size_t codes = root + number_at<uint16_t>(whole, vtable + kCodes);
  const size_t list = codes + number_at<uint32_t>(whole, codes);
  const std::string offset = "what an offset leads to", table = "the description of a table";
  expect_damaged(with<uint32_t>(whole, 0, 0), offset);  // the root would be the offset itself
  expect_damaged(with<uint32_t>(whole, 0, 0xFFFFFFF0), offset);
  expect_damaged(with<int32_t>(whole, root, INT32_MAX), table);
  expect_damaged(with<int32_t>(whole, root, INT32_MIN), table);
  expect_damaged(with<uint16_t>(whole, vtable, 0xFFFF), table);      // a vtable longer than the file
  expect_damaged(with<uint16_t>(whole, vtable + 2, 0xFFFF), table);  // a table longer than the file
  expect_damaged(with<uint16_t>(whole, vtable + kCodes, 0xFFFE), "a field of the table");
  expect_damaged(with<uint32_t>(whole, codes, 0),
                 offset);  // a circle of length 1; offsets lead forward, so there is no other
  expect_damaged(with<uint32_t>(whole, list, 0xFFFFFFFF), "a list");
  expect_damaged(with<uint32_t>(whole, list, 1u << 30), "a list");
  expect_damaged(with<uint32_t>(whole, list + 4, 0), offset);
}

TEST(HostileTflite, OnlyTheMarkIsNotAModel) {
  for (const size_t size : {8u, 9u, 40u}) {
    const auto graph = imported(std::string("\x1c\0\0\0TFL3", 8) + std::string(size - 8, '\0'));
    ASSERT_FALSE(graph.ok());
    EXPECT_THAT(to_string(graph.diagnostics()), HasSubstr("the file is damaged or cut off"));
  }
}

}  // namespace
}  // namespace lapis
