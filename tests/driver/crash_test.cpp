// What a bug leaves behind: broken invariants, made by passes and functions of this test, end in a folder that shows
// them again.
#include "driver/crash.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <new>

#include "driver/compile.h"
#include "frontends/onnx/import.h"
#include "tests/driver/example.h"

namespace lapis {
namespace {

using testing::graph_from_text;
using ::testing::HasSubstr;

class CrashTest : public ::testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  Invocation invocation() const {
    return {.command = "lapis compile m.onnx --target host", .model = folder_ / "m.onnx", .parent = folder_};
  }
  // The one folder that was left.
  Path left() const {
    Path found;
    for (const auto& entry : std::filesystem::directory_iterator(folder_))
      if (entry.is_directory()) found = entry.path();
    return found;
  }

  const Path folder_ = std::filesystem::temp_directory_path() / ("lapis_crash_test_" + std::to_string(::getpid()));
};

std::unique_ptr<Graph> model() {
  return graph_from_text("(float[2,3] x) => (float[2,3] y) { t = Neg(x) y = Relu(t) }");
}

Status lose_outputs(Graph& graph, PassContext&) {
  graph.set_outputs({});
  return ok();
}

Result<Compiled> compile_with(PassFunction pass) {
  CompileOptions options;
  options.pipeline = {{"breaker", "breaks the graph", std::move(pass)}};
  return compile(*model(), std::move(options));
}

TEST_F(CrashTest, ABrokenPassLeavesTheImportedGraph) {
  const auto result = guarded_with_reproducer([] { return compile_with(lose_outputs); }, invocation());
  ASSERT_FALSE(result.ok());
  const Diagnostic& d = result.diagnostics()[0];
  EXPECT_EQ(d.kind, ErrorKind::Internal);
  EXPECT_THAT(d.message, HasSubstr("pass 'breaker'"));
  ASSERT_FALSE(left().empty());
  EXPECT_THAT(to_string(d), HasSubstr(left().filename().string()));
  const auto again = import_onnx(left() / "model.onnx");
  ASSERT_TRUE(again.ok()) << to_string(again.diagnostics());
  EXPECT_EQ((*again)->node_count(), 2u);
  const std::string report = *read_file(left() / "report.txt");
  EXPECT_THAT(report, HasSubstr("command: lapis compile m.onnx --target host"));
  EXPECT_THAT(report, HasSubstr(std::string(kVersion)));
  EXPECT_THAT(report, HasSubstr("pass 'breaker'"));
  EXPECT_THAT(report, HasSubstr("host: x86-64"));
}

TEST_F(CrashTest, BeforeThereIsAGraphTheInputIsKept) {
  ASSERT_TRUE(write_file(folder_ / "m.onnx", std::string_view("bytes of a model")).ok());
  const auto read = []() -> Status { LAPIS_UNREACHABLE("the reader met what it thought could not be"); };
  const Status result = guarded_with_reproducer(read, invocation());
  ASSERT_FALSE(result.ok());
  ASSERT_FALSE(left().empty());
  EXPECT_EQ(*read_file(left() / "input.onnx"), "bytes of a model");
  EXPECT_THAT(*read_file(left() / "report.txt"), HasSubstr("thought could not be"));
}

TEST_F(CrashTest, ABugReportedByAnInnerEdgeIsKeptToo) {
  const auto inner = [] { return guarded([]() -> Status { LAPIS_UNREACHABLE("inside of a session"); }); };
  const Status result = guarded_with_reproducer(inner, invocation());
  ASSERT_FALSE(result.ok());
  EXPECT_FALSE(left().empty());
}

TEST_F(CrashTest, TheSameBugWritesTheSameFolder) {
  for (int i = 0; i < 2; ++i) (void)guarded_with_reproducer([] { return compile_with(lose_outputs); }, invocation());
  const auto entries = std::filesystem::directory_iterator(folder_);
  EXPECT_EQ(std::distance(begin(entries), end(entries)), 1);
}

TEST_F(CrashTest, OutOfMemoryIsNoBug) {
  const auto exhaust = [](Graph&, PassContext&) -> Status { throw std::bad_alloc(); };
  const auto result = guarded_with_reproducer([&] { return compile_with(exhaust); }, invocation());
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.diagnostics()[0].kind, ErrorKind::Resource);
  EXPECT_TRUE(left().empty());
}

TEST_F(CrashTest, ErrorsOfTheModelLeaveNothing) {
  const auto blame = [](Graph&, PassContext&) -> Status { return error(ErrorKind::Unsupported, "not today"); };
  const auto result = guarded_with_reproducer([&] { return compile_with(blame); }, invocation());
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.diagnostics()[0].kind, ErrorKind::Unsupported);
  EXPECT_TRUE(left().empty());
}

TEST_F(CrashTest, SaysWhyNoFolderCouldBeWritten) {
  Invocation nowhere = invocation();
  nowhere.parent = "/proc/lapis";
  const auto result = guarded_with_reproducer([] { return compile_with(lose_outputs); }, nowhere);
  ASSERT_FALSE(result.ok());
  EXPECT_THAT(to_string(result.diagnostics()), HasSubstr("no reproducer could be written"));
}

}  // namespace
}  // namespace lapis
