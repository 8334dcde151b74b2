// What a file may ask for: sizes, depth, expansion, types.
// Each model here is small and asks for something unreasonable or not allowed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>

#include "frontends/onnx/import.h"
#include "ir/op.h"
#include "tests/frontends/graphs.h"

namespace lapis {
namespace {

using lapis::errors_of;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

std::string errors_of(const onnx::ModelProto& model) {
  const std::string bytes = model.SerializeAsString();
  const auto graph = import_onnx(std::as_bytes(std::span(bytes)), "m.onnx");
  return graph.ok() ? "" : to_string(graph.diagnostics());
}

void set_type(onnx::ValueInfoProto& value, const std::string& name, int elem_type, const Shape& shape) {
  value.set_name(name);
  auto* tensor = value.mutable_type()->mutable_tensor_type();
  tensor->set_elem_type(elem_type);
  for (int64_t d : shape) tensor->mutable_shape()->add_dim()->set_dim_value(d);
}

onnx::NodeProto& add_node(onnx::GraphProto& graph, const std::string& op, const std::vector<std::string>& inputs,
                          const std::string& output) {
  onnx::NodeProto& node = *graph.add_node();
  node.set_op_type(op);
  for (const std::string& input : inputs) node.add_input(input);
  node.add_output(output);
  return node;
}

// float[2] x, bool c => y, and an opset.
onnx::ModelProto empty_model() {
  onnx::ModelProto model;
  model.set_ir_version(8);
  model.add_opset_import()->set_version(17);
  onnx::GraphProto& graph = *model.mutable_graph();
  graph.set_name("g");
  set_type(*graph.add_input(), "x", onnx::TensorProto::FLOAT, {2});
  set_type(*graph.add_input(), "c", onnx::TensorProto::BOOL, {});
  graph.add_output()->set_name("y");
  return model;
}

// ---- sizes ----------------------------------------------------------------------------------------------------------

TEST(Limits, SizesThatWrapAreErrorsWhereverTheyArise) {
  const std::string bodies[] = {
      "(float[4611686018427387904, 4] x) => (float[?,?] y) { y = Relu(x) }",
      "(float[2] x) => (float[?] y) <int64[2] s = {4294967296, 4294967296}> { y = Expand(x, s) }",
      "(float[2] x) => (float[?] y) <int64[1] s = {-1}, float[1] o = {1}> { y = Expand(o, s) }",
      "(float[2] x) => (float[?] y) <int64[2] s = {4294967296, 4294967296}> { y = ConstantOfShape(s) }",
      "(float[2] x) => (float[?] y) <int64[1] s = {-2}> { y = ConstantOfShape(s) }",
      "(float[2] x) => (float[?] y) <int64[1] s = {9223372036854775807}> { y = Tile(x, s) }",
      "(float[2] x) => (float[?] y) <int64[2] s = {9223372036854775807, 1}> { y = Pad(x, s) }",
      "(float[2] x) => (float[?,?] y) <int64[2] s = {4294967296, 4294967296}> { y = Reshape(x, s) }",
      "(float[2] x) => (int64[?] y) <int64 a = {-9223372036854775807}, int64 b = {9223372036854775807}, int64 d = {1}>"
      " { y = Range(a, b, d) }",
      "(float[2] x) => (float[?] y) <float a = {0}, float b = {1e30}, float d = {1}> { y = Range(a, b, d) }",
      "(int64[4] x) => (float[?] y) <float d = {1e20}, float[2] v = {0, 1}> { y = OneHot(x, d, v) }",
      "(float[1,1,4,4] x) => (float[?,?,?,?] y) <float[4] s = {1, 1, 1e20, 1}> { y = Resize(x, \"\", s) }",
      "(float[1,1,4,4] x) => (float[?,?,?,?] y) <int64[4] s = {1, 1, -4, 4}> { y = Resize(x, \"\", \"\", s) }",
      "(float[1,1,4,4] x) => (float[?,?,?,?] y) { y = MaxPool<kernel_shape = [4294967296, 4294967296], "
      "pads = [4294967296, 0, 0, 0]>(x) }",
      "(float[1,4,2,2] x) => (float[?,?,?,?] y) { y = SpaceToDepth<blocksize = 4294967296>(x) }",
  };
  for (const std::string& body : bodies) {
    const std::string errors = errors_of(std::string_view(body));
    EXPECT_THAT(errors, HasSubstr("error")) << body;
    EXPECT_THAT(errors, Not(HasSubstr("internal error"))) << body;
  }
}

TEST(Limits, ConcatSumsItsExtents) {
  EXPECT_THAT(errors_of("(float[35184372088832] x, float[2] z) => (float[?] y) { a = Concat<axis = 0>(x, x) y = "
                        "Concat<axis = 0>(a, a) }"),
              AllOf(HasSubstr("node 'y' (Concat)"), HasSubstr("larger than any memory")));
}

TEST(Limits, SparseTensorsBringTheirProportion) {
  onnx::ModelProto model = empty_model();
  onnx::SparseTensorProto& sparse = *model.mutable_graph()->add_sparse_initializer();
  sparse.add_dims(int64_t{1} << 30);
  sparse.mutable_values()->set_name("w");
  sparse.mutable_values()->set_data_type(onnx::TensorProto::FLOAT);
  sparse.mutable_values()->add_dims(1);
  sparse.mutable_values()->add_float_data(1);
  sparse.mutable_indices()->set_data_type(onnx::TensorProto::INT64);
  sparse.mutable_indices()->add_dims(1);
  sparse.mutable_indices()->add_int64_data(7);
  add_node(*model.mutable_graph(), "Relu", {"w"}, "y");
  EXPECT_THAT(errors_of(model), HasSubstr("out of proportion"));
  sparse.set_dims(0, 1 << 20);
  EXPECT_EQ(errors_of(model), "");
  for (int i = 0; i < 20; ++i) {  // each is fine, all of them are not
    *model.mutable_graph()->add_sparse_initializer() = sparse;
    model.mutable_graph()->mutable_sparse_initializer(i + 1)->mutable_values()->set_name("w" + std::to_string(i));
  }
  EXPECT_THAT(errors_of(model), HasSubstr("out of proportion"));
}

// ---- depth and expansion --------------------------------------------------------------------------------------------

onnx::ModelProto nested_bodies(int depth) {
  onnx::ModelProto model = empty_model();
  onnx::GraphProto* graph = model.mutable_graph();
  std::string output = "y";
  for (int i = 0; i < depth; ++i) {
    onnx::NodeProto& node = add_node(*graph, "If", {"c"}, output);
    output = "y" + std::to_string(i);
    for (const char* branch : {"else_branch", "then_branch"}) {
      auto* attribute = node.add_attribute();
      attribute->set_name(branch);
      attribute->set_type(onnx::AttributeProto::GRAPH);
      graph = attribute->mutable_g();
      graph->set_name(branch);
      graph->add_output()->set_name(branch[0] == 'e' ? "z" + std::to_string(i) : output);
      if (branch[0] == 'e') add_node(*graph, "Neg", {"x"}, "z" + std::to_string(i));
    }
  }
  add_node(*graph, "Relu", {"x"}, output);
  return model;
}

TEST(Limits, BodiesNestDeepEnoughAndNoDeeper) {
  EXPECT_EQ(errors_of(nested_bodies(60)), "");
  EXPECT_THAT(errors_of(nested_bodies(1000)),
              AllOf(HasSubstr("1000 deep within each other"), HasSubstr("at most 64"), Not(HasSubstr("damaged"))));
}

TEST(Limits, TypesNestNoDeeperThanAnythingUses) {
  onnx::ModelProto model = empty_model();
  onnx::TypeProto* type = model.mutable_graph()->mutable_input(0)->mutable_type();
  for (int i = 0; i < 1000; ++i) type = type->mutable_sequence_type()->mutable_elem_type();
  EXPECT_THAT(errors_of(model), HasSubstr("types (sequences, optionals) lie 1001 deep"));
}

TEST(Limits, AChainOfManyNodesIsReadInLinearTime) {
  onnx::ModelProto model = empty_model();
  constexpr int kNodes = 100'000;
  for (int i = 0; i < kNodes; ++i)  // last first, all of one name
    add_node(*model.mutable_graph(), "Relu", {i + 1 == kNodes ? "x" : "v" + std::to_string(i + 1)},
             i == 0 ? "y" : "v" + std::to_string(i))
        .set_name("relu");
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(errors_of(model), "");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(60)) << "it takes a second or two";
}

TEST(Limits, FunctionsExpandInProportion) {
  onnx::ModelProto model = empty_model();
  model.add_opset_import()->set_domain("local");
  model.mutable_opset_import(1)->set_version(1);
  constexpr int kLevels = 12;
  for (int level = 0; level <= kLevels; ++level) {
    onnx::FunctionProto& f = *model.add_functions();
    f.set_domain("local");
    f.set_name("f" + std::to_string(level));
    f.add_input("a");
    f.add_output("b");
    for (const auto& import : model.opset_import()) *f.add_opset_import() = import;
    for (int i = 0; i < 4; ++i) {
      onnx::NodeProto& node = *f.add_node();
      node.set_op_type(level == 0 ? "Relu" : "f" + std::to_string(level - 1));
      if (level > 0) node.set_domain("local");
      node.add_input(i == 0 ? "a" : "t" + std::to_string(i - 1));
      node.add_output(i == 3 ? "b" : "t" + std::to_string(i));
    }
  }
  add_node(*model.mutable_graph(), "f" + std::to_string(kLevels), {"x"}, "y").set_domain("local");  // 4^13 Relus
  EXPECT_THAT(errors_of(model), AllOf(HasSubstr("expands to more than"), HasSubstr("out of proportion")));
}

TEST(Limits, ConstantsOfFunctionsExpandInProportion) {
  onnx::ModelProto model = empty_model();
  model.add_opset_import()->set_domain("local");
  model.mutable_opset_import(1)->set_version(1);
  onnx::FunctionProto& f = *model.add_functions();
  f.set_domain("local");
  f.set_name("f");
  f.add_input("a");
  f.add_output("b");
  f.add_opset_import()->set_version(17);
  onnx::NodeProto& constant = *f.add_node();
  constant.set_op_type("Constant");
  constant.add_output("w");
  auto* value = constant.add_attribute();
  value->set_name("value");
  value->set_type(onnx::AttributeProto::TENSOR);
  value->mutable_t()->set_data_type(onnx::TensorProto::FLOAT);
  value->mutable_t()->add_dims(1 << 18);
  value->mutable_t()->set_raw_data(std::string(4 << 18, '\0'));
  onnx::NodeProto& last = *f.add_node();
  last.set_op_type("Identity");
  last.add_input("a");
  last.add_output("b");
  for (int i = 0; i < 500; ++i)
    add_node(*model.mutable_graph(), "f", {i == 0 ? "x" : "v" + std::to_string(i - 1)},
             i == 499 ? "y" : "v" + std::to_string(i))
        .set_domain("local");
  EXPECT_THAT(errors_of(model), AllOf(HasSubstr("the functions expand to more than"), HasSubstr("bytes")));
}

// ---- operands -------------------------------------------------------------------------------------------------------

TEST(Limits, OperandsHaveTheTypesOfTheirOwnOpset) {
  EXPECT_THAT(errors_of("(float[2] a, double[2] b) => (float[2] y) { y = Add(a, b) }"),
              AllOf(HasSubstr("node 'y' (Add)"), HasSubstr("input 'B' is tensor(double) but 'A' is tensor(float)")));
  EXPECT_THAT(errors_of("(float[2] a, double[2] b) => (float[4] y) { y = Concat<axis = 0>(a, b) }"),
              HasSubstr("they must be of one type"));
  EXPECT_THAT(errors_of("(int32[2] x) => (int32[2] y) { y = Relu(x) }", 13),
              AllOf(HasSubstr("tensor(int32), which is not allowed"), HasSubstr("opset 13 defines Relu")));
  EXPECT_EQ(errors_of("(int32[2] x) => (int32[2] y) { y = Relu(x) }", 14), "");
  EXPECT_THAT(errors_of("(seq(float[2]) x) => (float[2] y) { y = Relu(x) }"), HasSubstr("seq(tensor(float))"));
  const std::string_view normalization =
      "(float[1,2,3] x, double[2] s, double[2] m) => (float[1,2,3] y) { y = BatchNormalization(x, s, s, m, m) }";
  EXPECT_EQ(errors_of(normalization, 15), "") << "three type variables";
  EXPECT_THAT(errors_of(normalization, 9), HasSubstr("must be of one type")) << "one type variable";
}

TEST(Limits, RequiredOperandsArePresent) {
  EXPECT_THAT(errors_of("(float[2] x) => (float[2] y) { y = Add(x, \"\") }"),
              HasSubstr("required input 'B' is missing"));
  EXPECT_THAT(errors_of("(float[2] x) => (float[2] y) { y = Concat<axis = 0>(x, \"\") }"),
              HasSubstr("required input 'inputs' is missing"));
  onnx::ModelProto model = empty_model();
  add_node(*model.mutable_graph(), "Reshape", {"", "x"}, "y");
  EXPECT_THAT(errors_of(model), HasSubstr("required input 'data' is missing"));
}

TEST(Limits, AttributesReferToFunctionsAroundThem) {
  onnx::ModelProto model = empty_model();
  auto* axis = add_node(*model.mutable_graph(), "Softmax", {"x"}, "y").add_attribute();
  axis->set_name("axis");
  axis->set_type(onnx::AttributeProto::INT);
  axis->set_ref_attr_name("outer");
  EXPECT_THAT(errors_of(model), HasSubstr("there is none around it"));
}

TEST(Limits, UnsupportedOperatorsAreListedBehindEachOther) {
  const std::string errors = errors_of(
      "(float[1,1,4] x) => (float[?] y) <float[1,16,4] w = {0}> { [l] a = com.example.A(x) b = Relu(a) "
      "[g] c = com.example.B(b) [s] d = MeanVarianceNormalization(c) e = com.example.A(d) f = RandomUniformLike(e) "
      "y = If(f) <then_branch = t () => (float p) { p = com.example.C(f) }, else_branch = u () => (float q) { q = "
      "Relu(f) }> }");
  for (const std::string op :
       {"com.example::A is not supported (2 nodes)", "com.example::B", "com.example::C", "RandomUniformLike"})
    EXPECT_THAT(errors, HasSubstr(op));
}

TEST(Limits, DefinitionsThatDependOnTypesWaitForThem) {  // ONNX's own code ends the process where they are missing
  const std::string errors = errors_of(
      "(float[2] x) => (seq(float[2]) y) { s = com.example.A(x) y = SequenceMap(s) <body = b (float[2] p) => (float[2] "
      "q) { q = Relu(p) }> }");
  EXPECT_THAT(errors, HasSubstr("com.example::A is not supported"));
  EXPECT_THAT(errors_of("(seq(float[2]) x) => (seq(float[2]) y) { y = SequenceMap(x) <body = b (float[2] p) => "
                        "(seq(float[2]) p) { }> }"),
              HasSubstr("SequenceMap is not supported"));
}

TEST(Limits, NamesAreShownEscaped) {
  onnx::ModelProto model = empty_model();
  add_node(*model.mutable_graph(), "Foo\xFF\x1B", {"x"}, "y").set_name("a\nb");
  const std::string errors = errors_of(model);
  EXPECT_THAT(errors, AllOf(HasSubstr("Foo\\xFF\\x1B"), HasSubstr("'a\\nb'")));
}

// ---- files beside the model -----------------------------------------------------------------------------------------

class ExternalData : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(folder_ / "model");
    std::filesystem::create_directories(folder_ / "elsewhere");
    write(folder_ / "elsewhere/w.bin");
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  void write(const Path& file, size_t bytes = 16) {
    ASSERT_TRUE(write_file(file, std::string_view(std::string(bytes, '\0'))).ok());
  }
  std::string import(const std::string& location, const std::string& model = "model/m.onnxtxt") {
    const std::string text =
        "<ir_version: 8, opset_import: [\"\" : 17]> g (float[4] x) => (float[4] y) <float[4] w = [\"location\": \"" +
        location + "\"]> { y = Add(x, w) }";
    EXPECT_TRUE(write_file(folder_ / "model/m.onnxtxt", std::string_view(text)).ok());
    const auto graph = import_onnx(folder_ / model);
    return graph.ok() ? "" : to_string(graph.diagnostics());
  }
  const Path folder_ = std::filesystem::temp_directory_path() / ("lapis_limits_test_" + std::to_string(::getpid()));
};

TEST_F(ExternalData, LinksLeadNowhereElse) {
  namespace fs = std::filesystem;
  fs::create_symlink("../elsewhere/w.bin", folder_ / "model/file");
  fs::create_directory_symlink("../elsewhere", folder_ / "model/sub");
  write(folder_ / "model/own.bin");
  fs::create_symlink("own.bin", folder_ / "model/inside");
  EXPECT_THAT(import("file"), HasSubstr("a link that leads away"));
  EXPECT_THAT(import("sub/w.bin"), HasSubstr("a link that leads away"));
  EXPECT_EQ(import("inside"), "");
  EXPECT_EQ(import("./own.bin"), "");
}

TEST_F(ExternalData, ALinkedModelMayHaveItsDataWhereItReallyLies) {  // caches of downloads look like that
  namespace fs = std::filesystem;
  fs::create_directory(folder_ / "snapshot");
  write(folder_ / "model/blob");
  fs::create_symlink("../model/m.onnxtxt", folder_ / "snapshot/m.onnxtxt");
  fs::create_symlink("../model/blob", folder_ / "snapshot/w.data");
  EXPECT_EQ(import("w.data", "snapshot/m.onnxtxt"), "");
}

TEST_F(ExternalData, OnlyRegularFilesAreOpened) {
  ASSERT_EQ(::mkfifo((folder_ / "model/pipe").c_str(), 0600), 0);
  std::filesystem::create_directory(folder_ / "model/folder");
  EXPECT_THAT(import("pipe"), HasSubstr("is a named pipe"));
  EXPECT_THAT(import("folder"), HasSubstr("is a folder"));
}

TEST_F(ExternalData, CopiesStayInProportion) {
  write(folder_ / "model/big.bin", (1 << 20) + 1);
  onnx::ModelProto model = empty_model();
  for (int i = 0; i < 100; ++i) {  // 100 MiB out of one, where no float can lie
    onnx::TensorProto& w = *model.mutable_graph()->add_initializer();
    w.set_name("w" + std::to_string(i));
    w.set_data_type(onnx::TensorProto::FLOAT);
    w.add_dims(1 << 18);
    w.set_data_location(onnx::TensorProto::EXTERNAL);
    const std::pair<const char*, const char*> entries[] = {{"location", "big.bin"}, {"offset", "1"}};
    for (const auto& [key, value] : entries) {
      w.add_external_data()->set_key(key);
      w.mutable_external_data(w.external_data_size() - 1)->set_value(value);
    }
  }
  add_node(*model.mutable_graph(), "Relu", {"x"}, "y");
  ASSERT_TRUE(write_file(folder_ / "model/m.onnx", std::string_view(model.SerializeAsString())).ok());
  const auto graph = import_onnx(folder_ / "model/m.onnx");
  ASSERT_FALSE(graph.ok());
  EXPECT_THAT(to_string(graph.diagnostics()), HasSubstr("again and again"));
}

}  // namespace
}  // namespace lapis
