// The public API of the compiler: lapis::compile and compile_to.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <lapis/lapis.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <fstream>
#include <thread>

#include "tests/sanitized.h"

namespace {

using lapis::testing::kSanitized;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;

class Api : public ::testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::filesystem::path model(const std::string& body) const {
    const auto file = folder_ / "model.onnxtxt";
    std::ofstream(file) << "<ir_version: 10, opset_import: [\"\" : 21, \"my.ops\" : 1]>\ng " << body << "\n";
    return file;
  }
  const std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / ("lapis_api_" + std::to_string(::getpid()));
};

constexpr const char* kRelu = "(float[N,S] x) => (float[N,S] y) { y = Relu(x) }";

TEST_F(Api, CompilesAndRuns) {
  const lapis::Executable executable = lapis::compile(model(kRelu), {.dims = {{"S", 3}}}).value();
  EXPECT_EQ(executable.inputs()[0].shape, (std::vector<int64_t>{1, 3}));
  const std::vector<float> x = {1, -2, 3};
  const auto outputs = executable.session().value().run({{"x", {x.data(), {1, 3}}}}).value();
  EXPECT_THAT(outputs.at("y").view<float>(), ElementsAreArray({1, 0, 3}));
}

TEST_F(Api, ShapesFixDimensionsToo) {
  const auto executable = lapis::compile(model(kRelu), {.shapes = {{"x", {2, 5}}}});
  ASSERT_TRUE(executable.ok()) << executable.error().message;
  EXPECT_EQ(executable->outputs()[0].shape, (std::vector<int64_t>{2, 5}));
}

// ---- translators of the program's own -------------------------------------------------------------------------------

void scaled_tanh(lapis::Translation& t) {
  if (t.text("mode", "exact") != "exact") return t.refuse("the mode " + t.text("mode"));
  const lapis::Operand tanh = t.add("Tanh", {t.input(0)});
  t.set(0, t.add("Mul", {tanh, t.constant(t.number("scale", 1))}));
}

class OwnTranslators : public Api {
 protected:
  lapis::Result<lapis::Executable> compiled(const std::vector<lapis::Translator>& rows,
                                            const std::string& attributes = "") const {
    const auto file = folder_ / "model.pbtxt";
    std::ofstream(file) << R"(node { name: "x" op: "Placeholder" attr { key: "dtype" value { type: DT_FLOAT } }
      attr { key: "shape" value { shape { dim { size: 2 } } } } }
      node { name: "y" op: "ScaledTanh" input: "x" )"
                        << attributes << "}";
    return lapis::compile(file, {.translators = rows});
  }
  std::string refusal(const std::vector<lapis::Translator>& rows, const std::string& attributes = "") const {
    const auto executable = compiled(rows, attributes);
    EXPECT_FALSE(executable.ok());
    return executable.error().message;
  }
  const lapis::Translator row_ = {"tensorflow", "ScaledTanh", 1, 1, scaled_tanh};
};

TEST_F(OwnTranslators, SayWhatAnOperatorBecomes) {
  const auto executable = compiled({row_}, R"(attr { key: "scale" value { f: 3 } })").value();
  const float x[] = {-1, 0.5F};
  const auto outputs = executable.session().value().run({{"x", {x, {2}}}}).value();
  EXPECT_NEAR(outputs.at("y").view<float>()[0], 3 * std::tanh(-1.0), 1e-6);
  EXPECT_NEAR(outputs.at("y").view<float>()[1], 3 * std::tanh(0.5), 1e-6);
}

TEST_F(OwnTranslators, AreOneForEachName) {
  EXPECT_THAT(refusal({row_, row_}), HasSubstr("the translator of tensorflow's operator 'ScaledTanh' is given twice"));
  EXPECT_THAT(refusal({row_, {"tensorflow", "Relu", 1, 1, scaled_tanh}}),
              HasSubstr("'Relu' stands beside the one that Lapis has"));
  EXPECT_THAT(refusal({{"tensorflaw", "ScaledTanh", 1, 1, scaled_tanh}}), HasSubstr("tensorflow"));
  EXPECT_THAT(refusal({{"onnx", "ScaledTanh", 1, 1, scaled_tanh}}),
              HasSubstr("ONNX's operators are what others are translated to"));
  EXPECT_THAT(refusal({{"tensorflow", "ScaledTanh", 1, 1, nullptr}}), HasSubstr("lacks its name or its function"));
}

TEST_F(OwnTranslators, FailuresAreThoseOfTheNode) {
  EXPECT_THAT(refusal({}), HasSubstr("operator ScaledTanh is not supported (1 node)"));
  EXPECT_THAT(refusal({row_}, R"(attr { key: "mode" value { s: "fast" } })"),
              HasSubstr("operator ScaledTanh is not supported: the mode fast (1 node)"));
  const auto with = [&](auto function) { return refusal({{"tensorflow", "ScaledTanh", 1, 1, function}}); };
  EXPECT_THAT(with([](lapis::Translation& t) { t.set(0, t.add("Tahn", {t.input(0)})); }),
              HasSubstr("node 'y' (ScaledTanh): error: neither ONNX nor Lapis has an operator 'Tahn'"));
  EXPECT_THAT(with([](lapis::Translation& t) { t.set(0, t.input(1)); }), HasSubstr("has no operand 1"));
  EXPECT_THAT(with([](lapis::Translation& t) { t.set(1, t.input(0)); }), HasSubstr("sets output 1 of 1"));
  EXPECT_THAT(with([](lapis::Translation&) {}), HasSubstr("defines 'y' beyond what the operator computes"));
  EXPECT_THAT(with([](lapis::Translation&) { throw std::runtime_error("no idea"); }), HasSubstr("no idea"));
  EXPECT_THAT(with([](lapis::Translation& t) { t.set(0, t.add("Concat", {t.input(0)})); }), HasSubstr("axis"));
}

TEST_F(Api, CodeIsKeptInAFileWhereThatCanBeWritten) {
  const auto file = folder_ / "kept.code";
  ASSERT_TRUE(lapis::compile(model(kRelu), {.dims = {{"S", 3}}, .code_cache = file}).ok());
  const auto written = std::filesystem::last_write_time(file);
  ASSERT_TRUE(lapis::compile(model(kRelu), {.dims = {{"S", 3}}, .code_cache = file}).ok());
  EXPECT_EQ(std::filesystem::last_write_time(file), written) << "nothing was new";
  for (const char* useless : {"/dev/null", "/nowhere/at/all", "/"}) {
    const auto executable = lapis::compile(model(kRelu), {.dims = {{"S", 3}}, .code_cache = useless});
    EXPECT_TRUE(executable.ok()) << executable.error().message;
  }
}

TEST_F(Api, DimensionsMayStayFree) {
  const lapis::Executable executable = lapis::compile(model(kRelu), {.ranges = {{"S", {1, 4}}}}).value();
  EXPECT_EQ(executable.inputs()[0].shape, (std::vector<int64_t>{1, -1}));
  lapis::Session session = executable.session().value();
  const std::vector<float> x = {1, -2, 3, -4, 5};
  for (const int64_t length : {3, 4, 1}) {
    const auto outputs = session.run({{"x", {x.data(), {1, length}}}}).value();
    EXPECT_EQ(outputs.at("y").shape(), (std::vector<int64_t>{1, length}));
    EXPECT_EQ(outputs.at("y").view<float>()[0], 1);
  }
  const auto refused = [&](std::vector<int64_t> shape, const std::string& message) {
    const auto outputs = session.run({{"x", {x.data(), std::move(shape)}}});
    ASSERT_FALSE(outputs.ok());
    EXPECT_EQ(outputs.error().code, lapis::ErrorCode::Mismatch);
    EXPECT_THAT(outputs.error().message, HasSubstr(message));
  };
  refused({1, 5}, "must be from 1 to 4");
  refused({2, 3}, "[1,-1]");
  refused({1, -3}, "[1,-1]");
  EXPECT_EQ(executable.save(folder_ / "model.lapis").error().code, lapis::ErrorCode::Usage);
  EXPECT_EQ(lapis::compile(model(kRelu)).value().inputs()[0].shape, (std::vector<int64_t>{1, -1}));
  const auto artifact = lapis::compile_to(folder_ / "model.lapis", model(kRelu));
  ASSERT_FALSE(artifact.ok());
  EXPECT_THAT(artifact.error().message, HasSubstr("'S'"));
}

TEST_F(Api, WritesArtifactsForAnyTarget) {
  const auto file = folder_ / "model.lapis";
  ASSERT_TRUE(lapis::compile_to(file, model(kRelu), {.dims = {{"S", 3}}}).ok());
  EXPECT_TRUE(lapis::load(file).ok());
  const auto other = lapis::compile_to(file, model(kRelu), {.target = "x86-64+amxint8", .dims = {{"S", 3}}});
  ASSERT_TRUE(other.ok()) << other.error().message;
  const auto loaded = lapis::load(file);
  if (!loaded.ok()) EXPECT_EQ(loaded.error().code, lapis::ErrorCode::Target) << loaded.error().message;
}

TEST_F(Api, FailuresHaveCodesAndMessages) {
  const auto fails = [&](const std::string& body, const lapis::CompileOptions& options, lapis::ErrorCode code,
                         const std::string& message) {
    const auto executable = lapis::compile(model(body), options);
    ASSERT_FALSE(executable.ok()) << message;
    EXPECT_EQ(executable.error().code, code) << executable.error().message;
    EXPECT_THAT(executable.error().message, HasSubstr(message));
  };
  fails(kRelu, {.ranges = {{"Q", {1, 2}}}}, lapis::ErrorCode::Usage, "'Q'");
  fails(kRelu, {.target = "z80"}, lapis::ErrorCode::Usage, "z80");
  fails(kRelu, {.dims = {{"Q", 3}}}, lapis::ErrorCode::Mismatch, "'Q'");
  fails("(float[2] x) => (float[2] y) { y = my.ops.Magic(x) }", {}, lapis::ErrorCode::Unsupported, "Magic");
  fails("(float[2] x) => ", {}, lapis::ErrorCode::Input, "model.onnxtxt");
  EXPECT_EQ(lapis::compile(folder_ / "gone.onnx").error().code, lapis::ErrorCode::Input);
  const auto nowhere = lapis::compile_to(folder_ / "no/where", model(kRelu), {.dims = {{"S", 3}}});
  ASSERT_FALSE(nowhere.ok());
  EXPECT_EQ(nowhere.error().code, lapis::ErrorCode::Io);
}

TEST_F(Api, CompilesOnSeveralThreadsAtOnce) {
  const auto file = model(kRelu);
  std::vector<std::thread> threads;
  for (int64_t size = 1; size <= 4; ++size)
    threads.emplace_back([&file, size] {
      const auto executable = lapis::compile(file, {.dims = {{"S", size}}});
      ASSERT_TRUE(executable.ok()) << executable.error().message;
      const std::vector<float> x(static_cast<size_t>(size), 2);
      const auto outputs = executable->session().value().run({{"x", {x.data(), {1, size}}}}).value();
      EXPECT_THAT(outputs.at("y").view<float>(), ElementsAreArray(x));
    });
  for (std::thread& t : threads) t.join();
}

// In a process of its own, with little memory: compiling works, running does not, and the host goes on.
TEST_F(Api, MemoryThatCannotBeHadIsAnError) {
  if (kSanitized) GTEST_SKIP() << "sanitizers need unlimited address space";
  const auto file = model("(float[N,S] x) => (float[N,S] y) { a = Transpose(x) b = Softmax(a) y = Transpose(b) }");
  const auto with_little_memory = [&] {
    const rlimit limit{3ull << 30, 3ull << 30};
    ::setrlimit(RLIMIT_AS, &limit);
    const auto executable = lapis::compile(file, {.dims = {{"N", 40000}, {"S", 40000}}});
    if (!executable.ok()) return executable.error().code == lapis::ErrorCode::Resource;
    const auto session = executable->session();
    if (session.ok() || session.error().code != lapis::ErrorCode::Resource) return false;
    return lapis::compile(file, {.dims = {{"S", 3}}}).ok();
  };
  EXPECT_EXIT(::_exit(with_little_memory() ? 0 : 1), ::testing::ExitedWithCode(0), "");
}

// Memory that runs out anywhere between reading the model and the finished code:
// an error each time, never the end of the host.
TEST_F(Api, MemoryThatRunsOutIsAnErrorWherever) {
  if (kSanitized) GTEST_SKIP() << "sanitizers need unlimited address space";
  const auto file = model(
      "(float[1,8,16,16] x, float[1,8,16,16] z) => (float[1,8,16,16] y) "
      "{ a = Softmax(x) b = Erf(a) c = ReduceMean<keepdims = 1>(b) y = Sub(z, c) }");
  ASSERT_TRUE(lapis::compile(file).ok());
  int refused = 0;
  for (rlim_t more = 0; more < 48; ++more) {
    const pid_t child = ::fork();
    if (child == 0) {
      rlim_t pages = 0;
      std::ifstream("/proc/self/statm") >> pages;
      const rlim_t bytes = pages * static_cast<rlim_t>(::sysconf(_SC_PAGESIZE)) + more * (256 << 10);
      const rlimit limit{bytes, bytes};
      ::setrlimit(RLIMIT_AS, &limit);
      const auto executable = lapis::compile(file);
      ::_exit(executable.ok() ? 0 : executable.error().code == lapis::ErrorCode::Resource ? 1 : 2);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status)) << "signal " << WTERMSIG(status) << " with " << more * 256 << " KiB";
    ASSERT_LE(WEXITSTATUS(status), 1) << "an error of another kind with " << more * 256 << " KiB";
    refused += WEXITSTATUS(status);
  }
  EXPECT_GT(refused, 0);
}

TEST_F(Api, ThePlaceOfAnArtifactIsLookedAtFirst) {
  const auto nowhere = lapis::compile_to("/dev/null", folder_ / "gone.onnx");
  ASSERT_FALSE(nowhere.ok());
  EXPECT_EQ(nowhere.error().code, lapis::ErrorCode::Io) << nowhere.error().message;
}

}  // namespace
