// One model at many shapes: right at each, with weights packed once and code emitted once, from any number of sessions.
#include "driver/family.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <thread>

#include "driver/runner.h"
#include "frontends/onnx/import.h"
#include "tests/driver/compare.h"

namespace lapis {
namespace {

using ::testing::HasSubstr;

Tensor noise(Shape shape, uint32_t seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> values(-1, 1);
  Tensor t(DType::Float32, std::move(shape));
  for (float& x : t.mutable_data<float>()) x = values(random);
  return t;
}

// Two products with weights, one of computed operands, a softmax over the length:
// what an encoder does with its sequence.
std::unique_ptr<Graph> encoder() {
  auto graph = *parse_onnx_text(
      "<ir_version: 10, opset_import: [\"\" : 21]> g (float[N,S,32] x, float[N,1,S] mask, float[32,64] w, float[64,32] "
      "v) => "
      "(float[N,S,32] y) { h = MatMul(x, w) r = Relu(h) z = MatMul(r, v) t = Transpose<perm = [0, 2, 1]>(z) q = "
      "MatMul(x, "
      "t) m = Add(q, mask) p = Softmax<axis = -1>(m) a = MatMul(p, z) y = Add(a, x) }",
      "encoder");
  for (const char* name : {"w", "v"}) {
    Value* parameter = graph->find_value(name);
    graph->replace_all_uses(parameter,
                            graph->add_constant(noise(parameter->type().shape(), 7), std::string(name) + "_"));
    graph->remove_input(parameter);
  }
  return graph;
}

std::vector<Tensor> inputs_for(int64_t n, int64_t s) { return {noise({n, s, 32}, 1), noise({n, 1, s}, 2)}; }

Tensor reference(const Graph& graph, const std::vector<Tensor>& inputs) {
  const std::unique_ptr<Graph> bound = graph.clone();
  EXPECT_TRUE(bind_model(*bound, {.shapes = {{"x", inputs[0].shape()}, {"mask", inputs[1].shape()}}}).ok());
  return (*(*open_graph(*bound, {.backend = Backend::Reference}))->run(inputs))[0];
}

struct Fresh {
  CompileOptions options;
  std::shared_ptr<Caches> caches = options.caches = std::make_shared<Caches>();
};

TEST(ModelFamily, RunsEveryShape) {
  const auto graph = encoder();
  Fresh fresh;
  const auto family = *ModelFamily::make(*graph, {}, fresh.options);
  EXPECT_EQ(family->inputs()[0].shape, (Shape{kFree, kFree, 32}));
  EXPECT_EQ(family->outputs()[0].shape, (Shape{kFree, kFree, 32}));
  auto session = *FlexibleSession::make(family, {});
  for (const auto& [n, s] :
       std::vector<std::pair<int64_t, int64_t>>{{1, 5}, {3, 17}, {1, 64}, {2, 1}, {1, 5}, {1, 100}}) {
    const std::vector<Tensor> inputs = inputs_for(n, s);
    const auto outputs = session.run(inputs);
    ASSERT_TRUE(outputs.ok()) << to_string(outputs.diagnostics());
    EXPECT_LT(testing::relative_error((*outputs)[0], reference(*graph, inputs)), 1e-4) << n << " x " << s;
  }
  EXPECT_EQ(family->programs(), 5U);
  EXPECT_EQ(fresh.caches->weights.counts().misses, 2U) << "weights are packed once";
}

TEST(ModelFamily, ServesSessionsOnManyThreads) {
  const auto graph = encoder();
  Fresh fresh;
  const auto family = *ModelFamily::make(*graph, {}, fresh.options);
  std::vector<Tensor> wanted;
  for (int64_t s = 1; s <= 12; ++s) wanted.push_back(reference(*graph, inputs_for(1, s)));
  std::vector<std::thread> threads;
  for (uint32_t t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      std::vector<int64_t> lengths(wanted.size());
      std::iota(lengths.begin(), lengths.end(), 1);
      std::shuffle(lengths.begin(), lengths.end(), std::mt19937(t));
      auto session = *FlexibleSession::make(family, {});
      for (const int64_t s : lengths) {
        const auto outputs = session.run(inputs_for(1, s));
        ASSERT_TRUE(outputs.ok()) << to_string(outputs.diagnostics());
        EXPECT_LT(testing::relative_error((*outputs)[0], wanted[static_cast<size_t>(s - 1)]), 1e-4) << s;
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(family->programs(), wanted.size());
  EXPECT_EQ(fresh.caches->weights.counts().alive, 2U);
  EXPECT_EQ(fresh.caches->weights.counts().misses, 2U) << "sessions that begin together pack once";
  EXPECT_EQ(fresh.caches->code.counts().misses, fresh.caches->code.counts().functions) << "and emit once";
}

size_t loops_in(const codegen::CodeCache& cache) {
  return static_cast<size_t>(std::ranges::count_if(cache.all(), [](const auto& code) { return code.first[0] == 'l'; }));
}

struct Encoder : Fresh {
  std::shared_ptr<ModelFamily> family = *ModelFamily::make(*encoder(), {}, options);
  // Loops that there is code of once this length has a program.
  size_t loops_with(int64_t s) const {
    EXPECT_TRUE(family->at({Shape{1, s, 32}, Shape{1, 1, s}}).ok());
    return loops_in(caches->code);
  }
};

// Whoever comes second does not wait for LLVM.
TEST(ModelFamily, MakesTheLoopsOfAllLengthsWithTheFirst) {
  const Encoder encoder;
  const size_t made = encoder.loops_with(128);
  EXPECT_GT(made, 4U);
  for (const int64_t s : {165, 44, 48, 96, 37, 84, 23, 101, 50, 255, 256}) EXPECT_EQ(encoder.loops_with(s), made) << s;
}

// Their products are not packed.
TEST(ModelFamily, SharesTheLoopsOfShortLengths) {
  const Encoder encoder;
  for (const int64_t s : {12, 13, 14, 15}) encoder.loops_with(s);
  const size_t made = encoder.loops_with(9);
  for (const int64_t s : {10, 11, 8, 7, 5}) EXPECT_EQ(encoder.loops_with(s), made) << s;
}

// Embeddings of positions are read where they are: no length has a copy of its part of them.
TEST(ModelFamily, SharesWhatLengthsTakePartsOf) {
  auto graph = *parse_onnx_text(
      "<ir_version: 10, opset_import: [\"\" : 21]> g (float[N,S,256] x, float[512,256] table) => (float[N,S,256] y) "
      "<int64[1] zero = {0}, int64[1] one = {1}> { sizes = Shape(x) length = Gather(sizes, one) "
      "positions = Slice(table, zero, length, zero) y = Add(x, positions) }",
      "positions");
  Value* parameter = graph->find_value("table");
  const Tensor table = noise({512, 256}, 3);
  graph->replace_all_uses(parameter, graph->add_constant(table, "table_"));
  graph->remove_input(parameter);
  Fresh fresh;
  const auto family = *ModelFamily::make(*graph, {}, fresh.options);
  auto session = *FlexibleSession::make(family, {});
  for (const int64_t s : {80, 100, 200, 300, 512, 5}) {
    const Tensor x = noise({2, s, 256}, 4);
    const Tensor y = (*session.run({x}))[0];
    for (int64_t i = 0; i < y.size(); i += 97)
      ASSERT_EQ(y.data<float>()[i], x.data<float>()[i] + table.data<float>()[i % (s * 256)]) << s;
  }
  const auto weights = fresh.caches->weights.counts();
  EXPECT_EQ(weights.misses, 1U);
  EXPECT_EQ(weights.bytes, static_cast<size_t>(table.bytes()));
}

TEST(ModelFamily, SaysTheRange) {
  const auto graph = encoder();
  const auto family = *ModelFamily::make(*graph, {{"S", {2, 64}}});
  auto session = *FlexibleSession::make(family, {});
  EXPECT_TRUE(session.run(inputs_for(1, 64)).ok());
  const auto longer = session.run(inputs_for(1, 65));
  ASSERT_FALSE(longer.ok());
  EXPECT_EQ(longer.diagnostics()[0].kind, ErrorKind::Mismatch);
  EXPECT_THAT(to_string(longer.diagnostics()), HasSubstr("'S' must be from 2 to 64"));
  const auto torn = session.run({noise({1, 8, 32}, 1), noise({1, 1, 9}, 2)});
  ASSERT_FALSE(torn.ok());
  EXPECT_THAT(to_string(torn.diagnostics()), HasSubstr("S"));
  EXPECT_FALSE(session.run({noise({1, 8, 32}, 1)}).ok());
  EXPECT_TRUE(session.run(inputs_for(1, 2)).ok());
  EXPECT_EQ(family->programs(), 2U);
  const auto nobody = ModelFamily::make(*graph, {{"T", {1, 2}}});
  ASSERT_FALSE(nobody.ok());
  EXPECT_THAT(to_string(nobody.diagnostics()), HasSubstr("no symbolic dimension 'T'"));
  EXPECT_FALSE(ModelFamily::make(*graph, {{"S", {5, 4}}}).ok());
}

// Products of computed operands are packed in panels, of which a length leaves narrower ones:
// its loops are those of lengths like it.
TEST(Forms, AreFoundAtExtentsThatAreAlike) {
  const auto graph = encoder();
  Fresh fresh;
  const auto plan_at = [&](int64_t s) {
    const std::unique_ptr<Graph> bound = graph->clone();
    EXPECT_TRUE(bind_model(*bound, {.dims = {{"N", 1}, {"S", s}}}).ok());
    return *lower_model(*bound, fresh.options);
  };
  std::map<int64_t, codegen::Forms> known;
  int alone = 0;
  for (int64_t s = 2; s < 300; s += 7) {
    const auto [nominal, other] = codegen::extents_like(s);
    EXPECT_EQ(codegen::extents_like(nominal).nominal, nominal);
    EXPECT_EQ(codegen::extents_like(other).nominal, nominal);
    if (!known.contains(nominal)) known[nominal].add(plan_at(nominal), plan_at(other));
    Plan plan = plan_at(s);
    alone += !known.at(nominal).attach(plan);
  }
  EXPECT_LE(alone, 4) << "a panel of one channel, for one, is walked in its own way";
  EXPECT_GT(known.size(), 8U);
  Plan plan = plan_at(165);
  EXPECT_FALSE(known.at(128).attach(plan)) << "no narrower panels there";
}

// A change of one node leaves the weights and the code of all others as they are.
TEST(Caches, ServeTheNextCompilation) {
  const auto graph = encoder();
  ASSERT_TRUE(bind_model(*graph, {.dims = {{"N", 1}, {"S", 16}}}).ok());
  Fresh fresh;
  ASSERT_TRUE(compile(*graph, fresh.options).ok());
  const auto before = fresh.caches->code.counts();
  const auto again = compile(*graph, fresh.options);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(fresh.caches->code.counts().misses, before.misses);
  EXPECT_EQ(fresh.caches->weights.counts().misses, 2U);
  const auto elsewhere = compile(*graph);
  ASSERT_TRUE(elsewhere.ok());
  EXPECT_TRUE(std::ranges::equal(again->program.code, elsewhere->program.code));
}

}  // namespace
}  // namespace lapis
