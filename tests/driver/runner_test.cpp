// What a file is taken for, and that machine code is run only from a file that says it is.
#include "driver/runner.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "runtime/artifact.h"
#include "tests/driver/example.h"

namespace lapis {
namespace {

class RunnerFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(folder_);
    ASSERT_TRUE(write_file(folder_ / "m.onnxtxt",
                           "<ir_version: 10, opset_import: [\"\" : 21]>\n"
                           "g (float[4] x) => (float[4] y) { y = Relu(x) }\n")
                    .ok());
    const auto graph = load_model(folder_ / "m.onnxtxt");
    const auto compiled = compile(**graph);
    for (const char* name : {"m.lapis", "m.onnx", "m"})
      ASSERT_TRUE(save_artifact(compiled->program, folder_ / name).ok());
    std::filesystem::copy_file(folder_ / "m.onnxtxt", folder_ / "text.lapis");
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  const Path folder_ = std::filesystem::temp_directory_path() / ("lapis_runner_" + std::to_string(::getpid()));
};

TEST_F(RunnerFiles, NamesDecideWhatIsRun) {
  EXPECT_EQ(*model_kind(folder_ / "m.onnxtxt"), ModelKind::Model);
  EXPECT_EQ(*model_kind(folder_ / "m.onnxtxt", true), ModelKind::Model);
  EXPECT_EQ(*model_kind(folder_ / "missing"), ModelKind::Model);
  EXPECT_EQ(*model_kind(folder_ / "m.lapis"), ModelKind::Artifact);
  EXPECT_EQ(*model_kind(folder_ / "text.lapis"), ModelKind::Artifact);
  for (const char* name : {"m.onnx", "m"}) {
    const auto kind = model_kind(folder_ / name);
    ASSERT_FALSE(kind.ok()) << name;
    EXPECT_EQ(kind.diagnostics()[0].kind, ErrorKind::Input);
    EXPECT_NE(kind.diagnostics()[0].hint.find("--artifact"), std::string::npos);
    EXPECT_EQ(*model_kind(folder_ / name, true), ModelKind::Artifact);
  }
}

TEST_F(RunnerFiles, OpeningFollowsTheNames) {
  for (const auto& [name, any_name, opens] : {std::tuple("m.lapis", false, true),
                                              {"m.onnx", false, false},
                                              {"m.onnx", true, true},
                                              {"m.onnxtxt", false, true},
                                              {"m.onnxtxt", true, true},
                                              {"text.lapis", true, false}}) {
    RunnerOptions options;
    options.artifact_of_any_name = any_name;
    EXPECT_EQ(open_model(folder_ / name, options).ok(), opens) << name << any_name;
  }
}

// What generated code uses as addresses is known to the artifact, so that loading can check it.
TEST(Tables, OfAConvolutionalNetworkAreInItsProgram) {
  const auto graph = load_model(testing::example_model());
  ASSERT_TRUE(graph.ok());
  const auto compiled = compile(**graph);
  ASSERT_TRUE(compiled.ok());
  size_t contractions = 0;
  for (const Step& step : compiled->plan.steps) contractions += std::holds_alternative<Contraction>(step.region);
  EXPECT_GT(contractions, 5U);
  EXPECT_EQ(compiled->program.tables.size(), 2 * contractions);
  EXPECT_FALSE(flaw_of(compiled->program).has_value());
  EXPECT_FALSE(flaw_of_tables(compiled->program).has_value());
}

}  // namespace
}  // namespace lapis
