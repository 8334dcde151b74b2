// From a model to its results through every layer: the generated code gives what the reference evaluator gives.
#include "driver/compile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <random>

#include "driver/runner.h"
#include "ir/op.h"
#include "passes/pipeline.h"
#include "runtime/artifact.h"
#include "tests/driver/compare.h"
#include "tests/driver/edge_cases.h"
#include "tests/driver/example.h"

namespace lapis {
namespace {

using testing::example_images;
using testing::graph_from_text;
using ::testing::HasSubstr;
using testing::host_levels;
using testing::quantized_example;
using testing::relative_error;

constexpr double kTolerance = 1e-4;  // of floats, relative to the largest magnitude

std::vector<std::vector<Tensor>> reference_results(const Graph& graph, const std::vector<std::vector<Tensor>>& inputs) {
  auto runner = open_graph(graph, {.backend = Backend::ReferenceAfterPasses});
  EXPECT_TRUE(runner.ok()) << to_string(runner.diagnostics());
  std::vector<std::vector<Tensor>> results;
  for (const auto& input : inputs) {
    auto outputs = (*runner)->run(input);
    EXPECT_TRUE(outputs.ok()) << to_string(outputs.diagnostics());
    results.push_back(*std::move(outputs));
  }
  return results;
}

Result<Compiled> compile_for(const Graph& graph, const Target& target, bool fuse = true) {
  CompileOptions options;
  options.target = target;
  options.fuse = fuse;
  return compile(graph, std::move(options));
}

std::vector<std::vector<Tensor>> each_alone(std::vector<Tensor> images) {
  std::vector<std::vector<Tensor>> inputs;
  for (Tensor& image : images) inputs.push_back({std::move(image)});
  return inputs;
}

// Every level of this host, fused and not, with 1, 2 and 3 threads: errors within `tolerance`, 0 meaning equal bytes.
void expect_reference_everywhere(const Graph& graph, const std::vector<std::vector<Tensor>>& inputs, double tolerance) {
  const auto wanted = reference_results(graph, inputs);
  for (const Target& target : host_levels()) {
    for (const bool fuse : {true, false}) {
      const auto compiled = compile_for(graph, target, fuse);
      ASSERT_TRUE(compiled.ok()) << to_string(compiled.diagnostics());
      std::vector<std::vector<Tensor>> first;
      for (const int threads : {1, 2, 3}) {
        SCOPED_TRACE(target.to_string() + (fuse ? " fused " : " not fused ") + std::to_string(threads) + " threads");
        const auto runner = open_program(compiled->program, {.threads = threads});
        ASSERT_TRUE(runner.ok()) << to_string(runner.diagnostics());
        for (size_t i = 0; i < inputs.size(); ++i) {
          const auto got = (*runner)->run(inputs[i]);
          ASSERT_TRUE(got.ok()) << to_string(got.diagnostics());
          ASSERT_EQ(got->size(), wanted[i].size());
          for (size_t o = 0; o < got->size(); ++o) {
            ASSERT_LE(relative_error((*got)[o], wanted[i][o]), tolerance) << "input " << i << ", output " << o;
            if (tolerance == 0) ASSERT_EQ((*got)[o], wanted[i][o]);
            if (threads > 1) ASSERT_EQ((*got)[o], first[i][o]) << "another number of threads, other bytes";
          }
          if (threads == 1) first.push_back(*got);
        }
      }
    }
  }
}

TEST(Example, FloatResultsAreTheReferences) {
  expect_reference_everywhere(*testing::example_graph(), each_alone(example_images(8)), kTolerance);
}

TEST(Example, IntegerResultsAreTheReferencesBytes) {
  expect_reference_everywhere(quantized_example(), each_alone(example_images(8)), 0);
}

TEST(Example, ConvolutionsOfTheQuantizedNetworkAreInt8) {
  const auto compiled = compile_for(quantized_example(), Target::host());
  ASSERT_TRUE(compiled.ok());
  int64_t int8 = 0, all = 0;
  for (const StepInfo& step : compiled->program.steps) {
    all += step.macs;
    if (step.precision == "int8") int8 += step.macs;
  }
  EXPECT_GT(all, 0);
  EXPECT_EQ(int8, all);
}

using testing::TextCase;

constexpr TextCase kTexts[] = {
    {"conv_pool",
     "(float[N,3,9,7] x, float[5,3,3,3] w, float[5] b) => (float[N,5,M,K] y) { c = Conv<pads = [1,1,1,1]>(x, w, b) r = "
     "Relu(c) y = MaxPool<kernel_shape = [2,2], strides = [2,2]>(r) }",
     false},
    // Larger than one table of pixels, with a residual.
    {"volume",
     "(float[1,4,31,33,35] x, float[4,4,3,3,3] w, float[4] b) => (float[1,4,31,33,35] y) { c = Conv<pads = "
     "[1,1,1,1,1,1]>(x, "
     "w, b) r = Relu(x) y = Add(c, r) }",
     false},
    {"gemm_softmax",
     "(float[3,17] a, float[17,33] w, float[33] b) => (float[3,33] y) { g = Gemm(a, w, b) y = Softmax<axis = -1>(g) }",
     false},
    {"layer_norm_gelu",
     "(float[2,5,24] x, float[24] s, float[24] b) => (float[2,5,24] y) <float half = {0.5}, float one = {1}, float r = "
     "{0.70710677}> { n = LayerNormalization<axis = -1>(x, s, b) m = Mul(n, r) e = Erf(m) p = Add(e, one) q = Mul(n, "
     "p) "
     "y = Mul(q, half) }",
     false},
    {"elementwise_chain",
     "(float[2,3,5] x, float[3,1] b) => (float[2,3,5] y, float[2,3,5] z) { a = Add(x, b) c = Mul(a, x) y = Relu(c) z = "
     "Sub(y, a) }",
     true},
    {"movement",
     "(float[2,6,4] x) => (float[4,2,3] y, float[2,12,4] z) <int64[1] from = {1}, int64[1] to = {4}, int64[1] axis = "
     "{1}> "
     "{ s = Slice(x, from, to, axis) y = Transpose<perm = [2,0,1]>(s) z = Concat<axis = 1>(x, x) }",
     true},
    {"reductions",
     "(float[3,4,5] x) => (float[3,5] y, float[3,4] z) <int64[1] one = {1}, int64[1] two = {2}> { y = "
     "ReduceMax<keepdims "
     "= 0>(x, one) z = ReduceSum<keepdims = 0>(x, two) }",
     false},
    // Truth values do not leave the registers of an epilogue.
    {"comparisons_behind_products",
     "(float[7,33] x, float[33,33] w, float[33] b) => (bool[7,33] y, float[7,33] z) <float c = {0}> { g = Gemm(x, w, "
     "b) y "
     "= GreaterOrEqual(g, c) h = MatMul(x, w) l = Less(h, b) z = Where(l, b, h) }",
     false},
    // Operands of a sum that lie along it, and others that rows share.
    {"sums_along_rows",
     "(float[3,16,16] v, float[1,16,1] x, float[2,16,16] a, float[2,16,1] w, float[1] p) => (float[3,16] y, "
     "float[2,16,1] "
     "z) <int64[1] last = {2}> { s = Sub(v, x) y = ReduceMean<keepdims = 0>(s, last) m = MatMul(a, w) z = Sub(m, p) }",
     false},
    {"integers",
     "(uint8[2,3,6,6] x, int8[4,3,3,3] w, int32[4] b) => (uint8[2,4,4,4] y) <float sx = {0.02}, uint8 zx = {117}, "
     "float[4] sw = {0.01, 0.02, 0.005, 0.03}, int8[4] zw = {0, 0, 0, 0}, float sy = {0.11}, uint8 zy = {9}> { y = "
     "QLinearConv(x, sx, zx, w, sw, zw, sy, zy, b) }",
     true},
};

// Uniform floats in [-1, 1], integers over the range of their type.
Tensor random_tensor(const Type& type, std::mt19937& random) {
  Tensor t(type.dtype, type.shape());
  if (t.dtype() == DType::Float32) {
    for (float& x : t.mutable_data<float>()) x = std::uniform_real_distribution<float>(-1, 1)(random);
  } else if (t.dtype() == DType::Float64) {
    for (double& x : t.mutable_data<double>()) x = std::uniform_real_distribution<double>(-1, 1)(random);
  } else if (t.dtype() == DType::BFloat16) {
    for (BFloat16& x : t.mutable_data<BFloat16>())
      x = to_bfloat16(std::uniform_real_distribution<float>(-1, 1)(random));
  } else if (t.dtype() == DType::Bool) {
    for (bool& x : t.mutable_data<bool>()) x = random() % 2 != 0;
  } else {
    for (int64_t i = 0; i < t.bytes(); ++i) t.mutable_raw()[i] = static_cast<std::byte>(random());
  }
  return t;
}

std::vector<Tensor> random_inputs(const Graph& graph, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<Tensor> inputs;
  for (const Value* v : graph.inputs()) inputs.push_back(random_tensor(v->type(), random));
  return inputs;
}

// Inputs whose names begin with w and b are weights and biases: they become constants, too many to write down.
void fix_parameters(Graph& graph) {
  std::mt19937 random(3);
  for (Value* v : std::vector<Value*>(graph.inputs())) {
    if (v->name()[0] != 'w' && v->name()[0] != 'b') continue;
    graph.replace_all_uses(v, graph.add_constant(random_tensor(v->type(), random)));
    graph.remove_input(v);
  }
}

class Text : public ::testing::TestWithParam<TextCase> {};

TEST_P(Text, ResultsAreTheReferences) {
  const auto graph = graph_from_text(GetParam().body);
  ASSERT_NE(graph, nullptr);
  fix_parameters(*graph);
  expect_reference_everywhere(*graph, {random_inputs(*graph, 1), random_inputs(*graph, 2)},
                              GetParam().exact ? 0 : kTolerance);
}

// Convolutions of bfloat16 with odd rows of taps, padding, residual and groups;
// products with bias, with an addend, cast to float.
std::unique_ptr<Graph> network_of_halves() {
  auto graph = graph_from_text(
      "(bfloat16[2,3,9,7] x, bfloat16[24,3,3,3] w1, bfloat16[24] b1, bfloat16[24,24,3,3] w2, bfloat16[40,12,1,1] w3, "
      "bfloat16[40,33] w4, bfloat16[33] b4, bfloat16[2,33] c) => (bfloat16[2,24,9,7] y, bfloat16[2,33] z, float[2,33] "
      "f) { "
      "first = Conv<pads = [1,1,1,1]>(x, w1, b1) r = Relu(first) second = Conv<pads = [1,1,1,1]>(r, w2) y = "
      "Add(second, r) "
      "third = Conv<group = 2>(y, w3) pooled = GlobalAveragePool(third) rows = Flatten(pooled) "
      "z = Gemm<alpha = 0.5>(rows, w4, c) m = Gemm(rows, w4, b4) f = Cast<to = 1>(m) }");
  fix_parameters(*graph);
  return graph;
}

TEST(Halves, ResultsAreTheReferences) {
  const auto graph = network_of_halves();
  constexpr double kRoundings = 0.02;  // of 8 bits each, one behind the other
  expect_reference_everywhere(*graph, {random_inputs(*graph, 1), random_inputs(*graph, 2)}, kRoundings);
}

// bfloat16 is multiplied where the target can; what stands behind a product is computed with it.
TEST(Halves, AreMultipliedByTheirKernels) {
  const auto graph = network_of_halves();
  for (const auto& [target, precision] : {std::pair("x86-64+avx2", "fp32"), {"x86-64+avx512bf16", "bf16"}}) {
    const auto compiled = compile_for(*graph, *Target::parse(target));
    ASSERT_TRUE(compiled.ok()) << to_string(compiled.diagnostics());
    int products = 0;
    for (const StepInfo& step : compiled->program.steps) {
      EXPECT_NE(step.op, "Relu");
      EXPECT_NE(step.op, "Add");
      if (step.macs == 0) continue;
      ++products;
      EXPECT_EQ(step.precision, precision) << step.op << " on " << target;
    }
    EXPECT_EQ(products, 5);
  }
}

INSTANTIATE_TEST_SUITE_P(Edges, Text, ::testing::ValuesIn(testing::kEdgeCases),
                         [](const auto& info) { return info.param.name; });
INSTANTIATE_TEST_SUITE_P(Graphs, Text, ::testing::ValuesIn(kTexts), [](const auto& info) { return info.param.name; });

// Thousands of elementwise nodes are cut into regions of bounded size; nothing recurses over them.
TEST(Compile, LongElementwiseChains) {
  const auto graph = graph_from_text("(float[4] x) => (float[4] y) { y = Neg(x) }");
  Value* y = graph->outputs()[0];
  for (int i = 0; i < 3001; ++i) {
    Node* node = graph->add_node(*find_op("Neg"), {y});
    y = node->output();
    y->set_type(Type::tensor(DType::Float32, Shape{4}));
  }
  graph->set_outputs({y});
  CompileOptions options;
  options.pipeline = *parse_pipeline("dce");  // simplification would leave one node of it
  const auto compiled = compile(*graph, std::move(options));
  ASSERT_TRUE(compiled.ok()) << to_string(compiled.diagnostics());
  EXPECT_LT(compiled->plan.steps.size(), 40U);
  const auto runner = open_program(compiled->program);
  ASSERT_TRUE(runner.ok());
  EXPECT_EQ((*(*runner)->run({Tensor::vector<float>({1, -2, 3, 0})}))[0], Tensor::vector<float>({1, -2, 3, 0}));
}

TEST(Compile, SharedWeightsArePackedOnce) {
  const auto graph = graph_from_text(
      "(float[64,64] x, float[64,64] w) => (float[64,64] y) { a = MatMul(x, w) b1 = MatMul(a, w) c = MatMul(b1, w) y = "
      "MatMul(c, w) }");
  fix_parameters(*graph);
  const auto compiled = compile_for(*graph, Target::host());
  ASSERT_TRUE(compiled.ok()) << to_string(compiled.diagnostics());
  EXPECT_LT(compiled->plan.constants.size(), 2U * 64 * 64 * 4);
}

// What cannot be compiled is said of all nodes at once, each with its reason.
TEST(Compile, RefusalsNameEveryOperator) {
  const auto graph = graph_from_text(
      "(float[4,4] x, float[2,2,1,1] k, float[1,2,4,4] z) => (float[4,4] y, float[1,2,4,4] c) <int64 axis = {0}> { a = "
      "Trilu(x) y = "
      "Trilu(a) c = Conv(z, k) }");
  const auto compiled = compile_for(*graph, Target::host());
  ASSERT_FALSE(compiled.ok());
  const std::string text = to_string(compiled.diagnostics());
  for (const char* part : {"2 x Trilu", "1 x Conv: the weights are not constant", "'c'"})
    EXPECT_THAT(text, HasSubstr(part));
}

TEST(Compile, ArtifactsGiveTheSameBytes) {
  const Path file = std::filesystem::temp_directory_path() / ("lapis_driver_" + std::to_string(::getpid()) + ".lapis");
  const auto compiled = compile_for(quantized_example(), Target::host());
  ASSERT_TRUE(compiled.ok());
  ASSERT_TRUE(save_artifact(compiled->program, file).ok());
  const auto jit = open_program(compiled->program), loaded = open_model(file, {.threads = 2});
  ASSERT_TRUE(loaded.ok()) << to_string(loaded.diagnostics());
  std::filesystem::remove(file);
  for (const Tensor& image : example_images(4)) EXPECT_EQ((*(*jit)->run({image}))[0], (*(*loaded)->run({image}))[0]);
}

// One file for two machines: each variant gives the reference's bytes, and what both need is there once.
TEST(Compile, VariantsShareTheirConstants) {
  const std::vector<Target> targets = *parse_targets("x86-64+avx2,x86-64+avx512vnni");
  const Graph& graph = quantized_example();
  auto variants = compile_variants(graph, targets);
  ASSERT_TRUE(variants.ok()) << to_string(variants.diagnostics());
  size_t apart = 0;
  std::vector<Program> programs;
  for (size_t i = 0; i < targets.size(); ++i) {
    const auto alone = compile_for(graph, targets[i]);
    apart += alone->program.constants.size();
    programs.push_back((*variants)[i].program);
    EXPECT_EQ(programs[i].target, targets[i].to_string());
    EXPECT_TRUE(
        std::ranges::equal(programs[i].constants, programs.back().constants.first(programs[i].constants.size())));
    const auto executable = Executable::from(programs[i]);
    ASSERT_EQ(executable.ok(), Target::host().contains(targets[i]));
    if (!executable.ok()) continue;
    auto session = executable->session(), wanted = Executable::from(alone->program)->session();
    for (const Tensor& image : example_images(4)) EXPECT_EQ((*session->run({image}))[0], (*wanted->run({image}))[0]);
  }
  EXPECT_LT(programs.back().constants.size(), apart) << "nothing is shared";
  const Path file =
      std::filesystem::temp_directory_path() / ("lapis_variants_" + std::to_string(::getpid()) + ".lapis");
  ASSERT_TRUE(save_artifact(programs, file).ok());
  const auto loaded = load_artifact(file);
  std::filesystem::remove(file);
  ASSERT_TRUE(loaded.ok()) << to_string(loaded.diagnostics());
  EXPECT_EQ(loaded->target, targets[Target::host().contains(targets[1]) ? 1 : 0].to_string());
}

// Dense rows read one packed order, whatever their vectors and their instruction:
// every further machine adds tables and parameters.
TEST(Compile, PackedWeightsAreThereOnce) {
  const std::pair<const char*, const char*> models[] = {
      {"int8",
       "(uint8[64,200] x, int8[200,150] w1, int8[150,72] w2) => (int32[64,150] y, int32[64,72] z) <uint8 zero = {3}> { "
       "y = MatMulInteger(x, w1, zero) q = Cast<to = 2>(y) z = MatMulInteger(q, w2, zero) }"},
      {"float",
       "(float[64,200] x, float[200,150] w1, float[150,72] w2) => (float[64,72] z) { y = MatMul(x, w1) z = "
       "MatMul(y, w2) }"},
  };
  for (const auto& [name, model] : models) {
    const auto graph = graph_from_text(model);
    fix_parameters(*graph);
    const std::vector<Target> targets =
        *parse_targets("x86-64+avx2,x86-64+avxvnni,x86-64+avx512,x86-64+avx512vnni,x86-64+amxint8");
    auto variants = compile_variants(*graph, targets);
    ASSERT_TRUE(variants.ok()) << to_string(variants.diagnostics());
    const auto weights_of = [](const Plan& plan) {
      std::vector<int64_t> offsets;
      for (const Step& step : plan.steps)
        if (const auto* c = std::get_if<Contraction>(&step.region)) offsets.push_back(c->packed_offset[0]);
      return offsets;
    };
    for (const Compiled& variant : *variants)
      EXPECT_EQ(weights_of(variant.plan), weights_of(variants->front().plan)) << name << " " << variant.program.target;
    const auto image_of = [](const Plan& plan) { return plan.weights.size() + plan.constants.size(); };
    EXPECT_LT(image_of(variants->back().plan), image_of(variants->front().plan) * 3 / 2) << name;
  }
}

TEST(ParseTargets, RefusesWhatIsNoListOfMachines) {
  EXPECT_EQ(parse_targets("host")->size(), 1U);
  EXPECT_EQ(parse_targets("x86-64+avx2,x86-64+avx512")->size(), 2U);
  for (const auto& [text, named] : {std::pair("x86-64+avx2,x86-64+avx2", "given twice"),
                                    {"x86-64+avx512,x86-64+avx2+avx512", "given twice"},
                                    {"x86-64+avx2,", "''"},
                                    {"", "''"},
                                    {"x86-64+avx2;x86-64", "'avx2;x86-64'"}}) {
    const auto targets = parse_targets(text);
    ASSERT_FALSE(targets.ok()) << text;
    EXPECT_EQ(targets.diagnostics()[0].kind, ErrorKind::Usage);
    EXPECT_THAT(targets.diagnostics()[0].message, HasSubstr(named));
  }
}

TEST(Compile, IsDeterministic) {
  const auto a = compile_for(quantized_example(), Target::host()), b = compile_for(quantized_example(), Target::host());
  ASSERT_TRUE(a.ok() && b.ok());
  EXPECT_EQ(a->program.plan_hash, b->program.plan_hash);
  EXPECT_TRUE(
      std::equal(a->program.code.begin(), a->program.code.end(), b->program.code.begin(), b->program.code.end()));
  const auto other = compile_for(quantized_example(), Target::levels()[0]);
  ASSERT_TRUE(other.ok());
  if (Target::host() != Target::levels()[0]) EXPECT_NE(other->program.plan_hash, a->program.plan_hash);
}

TEST(Compile, LeavesTheGraphAlone) {
  const auto graph = testing::example_graph();
  const size_t nodes = graph->node_count();
  ASSERT_TRUE(compile_for(*graph, Target::host()).ok());
  EXPECT_EQ(graph->node_count(), nodes);
}

// Code for a machine that this host is not: compiles, does not run.
TEST(Compile, CompilesForOtherMachines) {
  for (const Target& target : Target::levels()) {
    const auto compiled = compile_for(quantized_example(), target);
    ASSERT_TRUE(compiled.ok()) << to_string(compiled.diagnostics());
    EXPECT_EQ(compiled->program.target, target.to_string());
    const auto executable = Executable::from(compiled->program);
    ASSERT_EQ(executable.ok(), Target::host().contains(target)) << target.to_string();
    if (!executable.ok()) EXPECT_EQ(executable.diagnostics()[0].kind, ErrorKind::Target);
  }
}

TEST(Bind, BatchBecomesOneAndOtherSymbolsAreAskedFor) {
  const auto graph =
      graph_from_text("(float[N,S] x, float[N,4] z) => (float[N,S] y, float[N,4] w) { y = Relu(x) w = Relu(z) }");
  EXPECT_EQ(graph->inputs()[0]->type().to_string(), "float[1,S]");
  EXPECT_EQ(graph->inputs()[1]->type().to_string(), "float[1,4]");
  const auto compiled = compile(*graph);
  ASSERT_FALSE(compiled.ok());
  ASSERT_EQ(compiled.diagnostics().size(), 1U);
  EXPECT_EQ(compiled.diagnostics()[0].kind, ErrorKind::Usage);
  EXPECT_THAT(compiled.diagnostics()[0].message, HasSubstr("'S'"));
  EXPECT_THAT(compiled.diagnostics()[0].hint, HasSubstr("--dim S="));
}

TEST(Bind, SymbolsThatAreNotOnlyABatchStay) {
  const auto graph = graph_from_text("(float[N,N] x) => (float[N,N] y) { y = Relu(x) }");
  EXPECT_EQ(graph->inputs()[0]->type().to_string(), "float[N,N]");
}

TEST(Bind, GivenValuesAndShapesWin) {
  struct Case {
    ModelOptions options;
    const char* type;  // null: refused
  };
  for (const Case& c : {Case{{.dims = {}, .shapes = {}}, "float[1,1,28,28]"},
                        {{.dims = {{"N", 3}}, .shapes = {}}, "float[3,1,28,28]"},
                        {{.dims = {}, .shapes = {{"image", {2, 1, 28, 28}}}}, "float[2,1,28,28]"},
                        {{.dims = {{"M", 3}}, .shapes = {}}, nullptr},
                        {{.dims = {{"N", -1}}, .shapes = {}}, nullptr},
                        {{.dims = {}, .shapes = {{"picture", {1, 1, 28, 28}}}}, nullptr},
                        {{.dims = {}, .shapes = {{"image", {1, 3, 28, 28}}}}, nullptr}}) {
    const auto graph = load_model(testing::example_model(), c.options);
    ASSERT_EQ(graph.ok(), c.type != nullptr) << to_string(graph.diagnostics());
    if (c.type) EXPECT_EQ((*graph)->inputs()[0]->type().to_string(), c.type);
  }
}

TEST(Runner, LargerBatchesGiveTheSameRows) {
  const auto graph = load_model(testing::example_model(), {.dims = {{"N", 3}}, .shapes = {}});
  const auto batch = open_graph(**graph), one = open_graph(*testing::example_graph());
  ASSERT_TRUE(batch.ok()) << to_string(batch.diagnostics());
  const std::vector<Tensor> images = example_images(3);
  Tensor together(DType::Float32, {3, 1, 28, 28});
  for (size_t i = 0; i < 3; ++i)
    std::copy_n(images[i].data<float>().data(), 784, &together.mutable_data<float>()[i * 784]);
  const auto rows = (*batch)->run({together});
  ASSERT_TRUE(rows.ok());
  for (size_t i = 0; i < 3; ++i) {
    const std::vector<Tensor> row = *(*one)->run({images[i]});
    for (int64_t c = 0; c < 10; ++c)
      EXPECT_NEAR((*rows)[0].as_double(static_cast<int64_t>(i) * 10 + c), row[0].as_double(c), 1e-3);
  }
}

// The two references: a wrong pass is what makes them differ by more than rounding.
TEST(Runner, TheReferenceEvaluatesTheImportedGraph) {
  const Graph& graph = quantized_example();
  auto imported = open_graph(graph, {.backend = Backend::Reference});
  auto passed = open_graph(graph, {.backend = Backend::ReferenceAfterPasses});
  ASSERT_TRUE(imported.ok() && passed.ok());
  bool same = true;
  for (const Tensor& image : example_images(8)) {
    const auto as_it_is = evaluate(graph, {{graph.inputs()[0]->name(), image}});
    const auto got = (*imported)->run({image}), integers = (*passed)->run({image});
    ASSERT_TRUE(as_it_is.ok() && got.ok() && integers.ok());
    EXPECT_EQ(*got, *as_it_is);
    same = same && *got == *integers;
    EXPECT_LE(relative_error((*got)[0], (*integers)[0]), 0.05);
  }
  EXPECT_FALSE(same) << "no pass made integers of this graph";
}

TEST(Runner, RefusesWhatIsNoTensor) {
  const auto graph = graph_from_text("(seq(float[2]) s) => (seq(float[2]) y) { y = Identity(s) }");
  for (const Backend backend : {Backend::Jit, Backend::Reference, Backend::ReferenceAfterPasses}) {
    const auto runner = open_graph(*graph, {.backend = backend});
    ASSERT_FALSE(runner.ok());
    EXPECT_THAT(to_string(runner.diagnostics()),
                HasSubstr("input 's' is seq(float[2]), but only tensors can be given"));
    EXPECT_THAT(to_string(runner.diagnostics()), HasSubstr("output 'y' is seq(float[2]), but only tensors"));
  }
}

TEST(Runner, AsksForTheShapeOfAnInputWithoutRank) {
  const auto graph = graph_from_text("(float[] s) => (float[] y) { y = Identity(s) }");
  graph->inputs()[0]->set_type(Type::tensor(DType::Float32));
  const auto runner = open_graph(*graph, {.backend = Backend::Reference});
  ASSERT_FALSE(runner.ok());
  EXPECT_THAT(to_string(runner.diagnostics()), HasSubstr("--shape s=1x2x3"));
}

TEST(Runner, FindsEveryFaultOfTheInputs) {
  const auto runner =
      open_graph(*graph_from_text("(float[2] a, int64[1] b) => (float[2] y) { c = Cast<to = 1>(b) y = Add(a, c) }"));
  ASSERT_TRUE(runner.ok()) << to_string(runner.diagnostics());
  const Feeds feeds = {{"a", Tensor(DType::Int32, {2})}, {"d", Tensor(DType::Float32, {2})}};
  const auto inputs = ordered(feeds, (*runner)->inputs());
  ASSERT_FALSE(inputs.ok());
  ASSERT_EQ(inputs.diagnostics().size(), 3U);
  for (const Diagnostic& d : inputs.diagnostics()) EXPECT_THAT(d.hint, HasSubstr("'b' int64[1]"));
  const std::string text = to_string(inputs.diagnostics());
  for (const char* part : {"'a' must be float[2], got int32[2]", "'b' is missing", "no input 'd'"})
    EXPECT_THAT(text, HasSubstr(part));
}

TEST(Runner, WritesSizesThatMayBeAnyAsTheUnknownTheyAre) {
  const auto faults = ordered({}, {{"tokens", DType::Int64, {-1, 8}}});
  ASSERT_FALSE(faults.ok());
  EXPECT_THAT(to_string(faults.diagnostics()), HasSubstr("'tokens' int64[?,8]"));
}

TEST(JitEvaluator, ReturnsWatchedValues) {
  const auto graph = graph_from_text("(float[2,3] x) => (float[2,3] y) { a = Add(x, x) b = Relu(a) y = Sub(b, x) }");
  const auto jit = jit_evaluator(2), reference = reference_evaluator();
  const std::vector<std::string> watched = {"a", "b", "y"};
  ASSERT_TRUE(jit->load(*graph, watched).ok());
  ASSERT_TRUE(reference->load(*graph, watched).ok());
  const Feeds feeds = {{"x", Tensor::of<float>({2, 3}, {1, -2, 3, -4, 5, -6})}};
  const auto got = jit->run(feeds), wanted = reference->run(feeds);
  ASSERT_TRUE(got.ok() && wanted.ok());
  for (const std::string& name : watched) EXPECT_EQ(got->at(name), wanted->at(name)) << name;
  EXPECT_FALSE(jit->run({}).ok());
}

// Models with weights in few bits are calibrated, compared and searched as others are. What is watched stays a result.
// (Two integers of four bits are one number in the text.)
TEST(JitEvaluator, RunsWeightsInFewBits) {
  const auto graph = graph_from_text(
      R"((float[1,4] x) => (float[1,2] y)
      <int4[4,2] w = {225, 195, 165, 135}, float[2] s = {0.5, 0.25}> {
    d = DequantizeLinear <axis = 1> (w, s)  y = MatMul(x, d)
  })");
  const auto jit = jit_evaluator(1), reference = reference_evaluator();
  const Status loaded = jit->load(*graph, {"d"});
  ASSERT_TRUE(loaded.ok()) << to_string(loaded.diagnostics());
  ASSERT_TRUE(reference->load(*graph, {"d"}).ok());
  const Feeds feeds = {{"x", Tensor::of<float>({1, 4}, {1, 2, 3, 4})}};
  const auto got = jit->run(feeds), wanted = reference->run(feeds);
  ASSERT_TRUE(got.ok() && wanted.ok());
  for (const char* name : {"d", "y"}) EXPECT_EQ(got->at(name), wanted->at(name)) << name;
}

// As exporters write a squeeze that depends on a size: the second branch is decided by what the first one gives.
TEST(JitEvaluator, DecidesBranchesThatSizesBehindBranchesDecide) {
  const auto graph = graph_from_text(
      R"((float[2,1,3] x) => (float[?,3] y) <int64 at = {1}, int64 one = {1}, int64[1] axis = {1}, int64[2] rows = {-1, 3}> {
    s = Shape(x)  n = Gather(s, at)  c = Equal(n, one)
    a = If (c) <then_branch = p () => (float[?,?] p1) { p1 = Squeeze(x, axis) },
                else_branch = q () => (float[?,?,?] q1) { q1 = Identity(x) }>
    t = Shape(a)  m = Size(t)  d = Equal(m, one)
    b = If (d) <then_branch = u () => (float[?,?] u1) { u1 = Reshape(a, rows) },
                else_branch = v () => (float[?,?] v1) { v1 = Relu(a) }>
    y = Add(b, b)
  })");
  const auto jit = jit_evaluator(1), reference = reference_evaluator();
  const Status loaded = jit->load(*graph, {"b"});
  ASSERT_TRUE(loaded.ok()) << to_string(loaded.diagnostics());
  ASSERT_TRUE(reference->load(*graph, {"b"}).ok());
  const Feeds feeds = {{"x", Tensor::of<float>({2, 1, 3}, {1, -2, 3, -4, 5, -6})}};
  const auto got = jit->run(feeds), wanted = reference->run(feeds);
  ASSERT_TRUE(got.ok() && wanted.ok());
  for (const char* name : {"b", "y"}) EXPECT_EQ(got->at(name), wanted->at(name)) << name;
}

// What the first branch gives is known to be too wide for the second one only when that one stands in its place.
TEST(JitEvaluator, RefusesABranchThatIsTakenAndCannotWork) {
  const auto graph = graph_from_text(
      R"((float[4,3] x) => (float[?] y) <bool yes = {1}, int64[1] axis = {1}> {
    no = Not(yes)  sure = Not(no)
    a = If (sure) <then_branch = p () => (float[?,?] p1) { p1 = Identity(x) },
                   else_branch = q () => (float[?,?] q1) { q1 = Concat<axis = 1>(x, x) }>
    b = If (sure) <then_branch = u () => (float[?] u1) { u1 = Squeeze(a, axis) },
                   else_branch = v () => (float[?] v1) { v1 = ReduceSum<keepdims = 0>(a, axis) }>
    y = Add(b, b)
  })");
  const Status loaded = jit_evaluator(1)->load(*graph, {"b"});
  ASSERT_FALSE(loaded.ok());
  EXPECT_THAT(to_string(loaded.diagnostics()), HasSubstr("cannot squeeze axis 1 of [4,3]"));
}

}  // namespace
}  // namespace lapis
