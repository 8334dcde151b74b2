// MXNet models: what is refused and why, and what damaged files do. What they compute: tests/models/mxnet_test.cpp.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <set>
#include <sstream>

#include "frontends/frontend.h"
#include "frontends/mxnet/import.h"
#include "frontends/mxnet/literal.h"
#include "frontends/mxnet/read.h"
#include "ir/ops/ops.h"
#include "ir/verify.h"
#include "tests/frontends/damage.h"

namespace lapis {
namespace {

using ::testing::HasSubstr;

const Path kFolder = Path(LAPIS_SOURCE_DIR) / "tests/frontends/mxnet";

std::vector<std::string> names_with(const std::string& ending) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(kFolder))
    if (const std::string name = entry.path().lexically_relative(kFolder).string(); name.ends_with(ending))
      names.insert(name.substr(0, name.size() - ending.size()));
  return {names.begin(), names.end()};
}

std::string content(const std::string& file) {
  auto bytes = read_file(kFolder / file);
  EXPECT_TRUE(bytes.ok()) << file;
  return bytes.ok() ? *bytes : "";
}

MappedFile in_memory(const std::string& bytes) {
  const auto owner = std::make_shared<const std::string>(bytes);
  return {{owner, reinterpret_cast<const std::byte*>(owner->data())}, owner->size()};
}

Result<std::unique_ptr<Graph>> imported(const std::string& symbol, const std::string& params) {
  return import_mxnet(std::as_bytes(std::span(symbol)), in_memory(params), "m");
}

TEST(Mxnet, EveryRefusalSaysWhy) {
  const std::vector<std::string> names = names_with(".error");
  ASSERT_GE(names.size(), 3u);
  for (const std::string& name : names) {
    const auto graph = import_model(kFolder / (name + "-symbol.json"));
    ASSERT_FALSE(graph.ok()) << name;
    const std::string message = to_string(graph.diagnostics());
    EXPECT_TRUE(message.starts_with(name + "-symbol.json: ")) << message;
    std::istringstream says(content(name + ".error"));
    for (std::string line; std::getline(says, line);) EXPECT_THAT(message, HasSubstr(line)) << name;
  }
}

TEST(Mxnet, EveryTranslatorHasACase) {
  // Other names of operators that have one.
  const std::set<std::string> aliases = {"BatchNorm_v1",
                                         "Convolution_v1",
                                         "ElementWiseSum",
                                         "MakeLoss",
                                         "Pooling_v1",
                                         "Softmax",
                                         "_Div",
                                         "_DivScalar",
                                         "_Maximum",
                                         "_MaximumScalar",
                                         "_Minimum",
                                         "_MinimumScalar",
                                         "_Minus",
                                         "_MinusScalar",
                                         "_Mul",
                                         "_MulScalar",
                                         "_Plus",
                                         "_PlusScalar",
                                         "_Power",
                                         "_PowerScalar",
                                         "_RDivScalar",
                                         "_RMinusScalar",
                                         "_RPowerScalar",
                                         "_div",
                                         "_minus",
                                         "_mul",
                                         "_plus",
                                         "_sum",
                                         "broadcast_axes",
                                         "broadcast_minus",
                                         "broadcast_plus",
                                         "cast",
                                         "concat",
                                         "crop",
                                         "flatten",
                                         "_contrib_box_non_maximum_suppression",
                                         "identity",
                                         "linalg_gemm2",
                                         "max_axis",
                                         "min_axis",
                                         "pad",
                                         "reshape",
                                         "split",
                                         "stop_gradient",
                                         "sum_axis",
                                         "swapaxes"};
  std::set<std::string> seen, rows;
  for (const std::string& name : names_with(".npz")) {
    const std::string symbol = content(name + "-symbol.json");
    const auto params = mxnet_frontend::read_params(in_memory(content(name + "-0000.params")));
    ASSERT_TRUE(params.ok()) << name;
    const auto source = mxnet_frontend::read_symbol(std::as_bytes(std::span(symbol)), *params, symbol.size());
    ASSERT_TRUE(source.ok()) << name << ": " << to_string(source.diagnostics());
    for (const auto& node : source->nodes) seen.insert(node.op);
  }
  std::string_view before;
  for (const frontend::Translator& row : mxnet_frontend::translators()) {
    EXPECT_LT(before, row.op) << "rows are alphabetical, and an operator has one";
    before = row.op;
    if (!aliases.contains(std::string(row.op))) rows.emplace(row.op);
  }
  EXPECT_EQ(seen, rows);
}

TEST(Mxnet, WhatImportsIsAValidModel) {
  for (const std::string& name : names_with(".npz")) {
    const auto graph = import_model(kFolder / (name + "-symbol.json"));
    ASSERT_TRUE(graph.ok()) << name << ": " << to_string(graph.diagnostics());
    const Diagnostics found = verify(**graph);
    EXPECT_TRUE(found.empty()) << name << ": " << to_string(found);
  }
}

TEST(Mxnet, InputsHaveTheAxesThatTheirReadersTell) {
  const auto graph = import_model(kFolder / "gluon-symbol.json");
  ASSERT_TRUE(graph.ok()) << to_string(graph.diagnostics());
  ASSERT_EQ((*graph)->inputs().size(), 1u);
  EXPECT_EQ((*graph)->inputs()[0]->type().to_string(), "float[data_dim0,3,data_dim2,data_dim3]");
  // A multiplication says nothing about axes, what reads its result does.
  const std::string symbol =
      R"json({"nodes": [{"op": "null", "name": "x"}, {"op": "_mul_scalar", "name": "half", "attr": {"scalar": "0.5"},
      "inputs": [[0, 0]]}, {"op": "transpose", "name": "turned", "param": {"axes": "(1L, 0L)"},
      "inputs": [[1, 0, 0]]}], "heads": [[2, 0, 0]]})json";
  const std::string none("\x12\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 32);
  const auto small = imported(symbol, none);
  ASSERT_TRUE(small.ok()) << to_string(small.diagnostics());
  EXPECT_EQ((*small)->outputs()[0]->name(), "turned_output");
  EXPECT_EQ((*small)->outputs()[0]->type().to_string(), "float[x_dim1,x_dim0]");
}

TEST(Mxnet, InputsHaveTheAxesThatReadersInALoopTell) {
  const std::string symbol =
      R"json({"nodes": [{"op": "null", "name": "x"}, {"op": "null", "name": "s"}, {"op": "_foreach", "name": "loop",
      "attrs": {"in_data_locs": "[1]", "in_state_locs": "[0]", "remain_locs": "[]", "num_out_data": "1",
      "num_outputs": "2"}, "inputs": [[0, 0], [1, 0]], "subgraphs": [{"nodes": [{"op": "null", "name": "s0"},
      {"op": "null", "name": "x0"}, {"op": "transpose", "name": "turned", "attrs": {"axes": "(1, 0)"},
      "inputs": [[0, 0]]}, {"op": "LRN", "name": "pixels", "attrs": {"nsize": "3"}, "inputs": [[1, 0]]},
      {"op": "transpose", "name": "back", "attrs": {"axes": "(1, 0)"}, "inputs": [[2, 0]]}],
      "heads": [[3, 0], [4, 0]]}]}], "heads": [[2, 0], [2, 1]]})json";
  const std::string none("\x12\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 32);
  const auto graph = imported(symbol, none);
  ASSERT_TRUE(graph.ok()) << to_string(graph.diagnostics());
  EXPECT_EQ((*graph)->inputs()[0]->type().rank(), 5);
  EXPECT_EQ((*graph)->inputs()[1]->type().rank(), 2);
}

TEST(Mxnet, EitherFileStandsForTheModelAndTheOtherIsFound) {
  const Path folder = std::filesystem::temp_directory_path() / ("lapis_mxnet_" + std::to_string(::getpid()));
  std::filesystem::create_directory(folder);
  const auto put = [&](const char* from, const char* to) { std::filesystem::copy_file(kFolder / from, folder / to); };
  put("gluon-symbol.json", "net-symbol.json");
  const auto alone = import_model(folder / "net-symbol.json");
  EXPECT_THAT(to_string(alone.diagnostics()), HasSubstr("put net-0000.params, or under another number"));
  put("gluon-0000.params", "net-0007.params");
  EXPECT_TRUE(import_model(folder / "net-symbol.json").ok());
  EXPECT_TRUE(import_model(folder / "net-0007.params").ok());
  put("gluon-0000.params", "net-0008.params");
  const auto two = import_model(folder / "net-symbol.json");
  EXPECT_THAT(to_string(two.diagnostics()), HasSubstr("give the .params file that you mean"));
  put("gluon-0000.params", "other-0001.params");
  const auto orphan = import_model(folder / "other-0001.params");
  EXPECT_THAT(to_string(orphan.diagnostics()), HasSubstr("put other-symbol.json into the same folder"));
  std::filesystem::remove_all(folder);
}

TEST(Mxnet, LiteralsAreWhatPythonWrote) {
  using mxnet_frontend::parse_literal;
  using Ints = std::vector<int64_t>;
  EXPECT_EQ(std::get<Ints>(*parse_literal("(3, 3)")), (Ints{3, 3}));
  EXPECT_EQ(std::get<Ints>(*parse_literal("[1L,2L]")), (Ints{1, 2}));
  EXPECT_EQ(std::get<Ints>(*parse_literal("(None, 4,)")), (Ints{mxnet_frontend::kNone, 4}));
  EXPECT_EQ(std::get<Ints>(*parse_literal("()")), Ints{});
  EXPECT_EQ(std::get<std::vector<double>>(*parse_literal("(1, 0.5)")), (std::vector<double>{1, 0.5}));
  EXPECT_EQ(std::get<int64_t>(*parse_literal("-7")), -7);
  EXPECT_EQ(std::get<double>(*parse_literal("1e-05")), 1e-5);
  EXPECT_EQ(std::get<bool>(*parse_literal("True")), true);
  EXPECT_EQ(std::get<std::string>(*parse_literal("relu")), "relu");
  EXPECT_FALSE(parse_literal("None"));
  for (const char* odd : {"", "(", "(1", "(1,,2)", "1L2", "(a)"})
    EXPECT_TRUE(std::holds_alternative<std::string>(*parse_literal(odd))) << odd;
}

// ---- damaged files --------------------------------------------------------------------------------------------------

bool survives(const std::string& symbol, const std::string& params) {
  return testing::survives(imported(symbol, params));
}

TEST(HostileMxnet, EveryTruncationIsSurvived) {
  const std::string symbol = content("gluon-symbol.json"), params = content("gluon-0000.params");
  ASSERT_TRUE(survives(symbol, params));
  for (size_t length = 0; length + 2 < symbol.size(); length += 7 * testing::kStride)
    EXPECT_FALSE(survives(symbol.substr(0, length), params)) << length;
  for (size_t length = 0; length < params.size(); length += 5 * testing::kStride)
    EXPECT_FALSE(survives(symbol, params.substr(0, length))) << length;
}

TEST(HostileMxnet, BitFlipsAreSurvived) {
  std::mt19937 random(7);
  for (const std::string name :
       {"gluon", "quantized/calibrated", "quantized/dynamic", "quantized/operators", "control"}) {
    const std::string symbol = content(name + "-symbol.json"), params = content(name + "-0000.params");
    for (int i = 0; i < 600 / testing::kStride; ++i) {
      std::string damaged = i % 2 ? symbol : params;
      testing::flip_a_bit(damaged, random);
      i % 2 ? survives(damaged, params) : survives(symbol, damaged);
    }
  }
}

// A list of one array: what stands between the number of arrays and the data.
std::string params_with(const std::string& array) {
  return std::string("\x12\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0", 24) + array;
}

TEST(HostileMxnet, ImpossibleArraysAreRefused) {
  const std::string symbol = content("gluon-symbol.json");
  const auto says = [&](const std::string& array) {
    const auto graph = imported(symbol, params_with(array));
    EXPECT_FALSE(graph.ok());
    return to_string(graph.diagnostics());
  };
  const std::string device(8, '\0'), two(std::string("\xC9\xFA\x93\xF9\0\0\0\0", 8));
  EXPECT_THAT(says(std::string("\xFF\xFF\0\0", 4)), HasSubstr("axes"));
  EXPECT_THAT(says(two + std::string("\1\0\0\0\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F", 12) + device + std::string(4, '\0')),
              HasSubstr("cannot be"));
  EXPECT_THAT(says(two + std::string("\1\0\0\0\xFF\xFF\xFF\xFF\0\0\0\0", 12) + device + std::string(4, '\0')),
              HasSubstr("damaged or cut off"));
  EXPECT_THAT(says(two + std::string("\1\0\0\0\1\0\0\0\0\0\0\0", 12) + device + std::string("\x63\0\0\0", 4)),
              HasSubstr("type number 99"));
  EXPECT_THAT(says(std::string("\xC9\xFA\x93\xF9\1\0\0\0", 8)), HasSubstr("sparse"));
}

TEST(HostileMxnet, NodesCannotReadWhatComesBehindThem) {
  const std::string none("\x12\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 32);
  for (const char* inputs : {"[[1, 0]]", "[[0, -1]]", "[[-1, 0]]", "[[0, 99999]]", "[[]]", "[0]", "[[\"x\", 0]]"}) {
    const std::string symbol =
        std::string(R"({"nodes": [{"op": "null", "name": "x"}, {"op": "relu", "name": "y", "inputs": )") + inputs +
        R"(}], "heads": [[1, 0]]})";
    EXPECT_FALSE(survives(symbol, none)) << inputs;
  }
  EXPECT_FALSE(survives(std::string(200, '['), none));
  EXPECT_FALSE(survives(R"({"nodes": [], "heads": []})", none));
}

}  // namespace
}  // namespace lapis
