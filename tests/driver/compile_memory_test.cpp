// What compiling takes of memory besides the program: the weights of the model stay in its file, and are packed to
// where they stay. Converting copies none.
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <random>

#include "base/file.h"
#include "base/pages.h"
#include "driver/compile.h"
#include "frontends/onnx/export.h"
#include "frontends/onnx/import.h"
#include "tests/sanitized.h"

namespace lapis {
namespace {

constexpr int64_t kSide = 4096, kMatrix = kSide * kSide;

// Bytes, by the name of a line of /proc/self/status.
int64_t status(const std::string& name) {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with(name + ":")) return std::stoll(line.substr(name.size() + 1)) * 1024;
  return 0;
}

// The peak of this process begins anew; false where the system does not allow that.
bool forget_peak() {
  std::ofstream("/proc/self/clear_refs") << "5" << std::flush;
  return status("VmHWM") <= status("VmRSS") + (int64_t{4} << 20);
}

Tensor noise(DType dtype, Shape shape) {
  std::mt19937_64 random(1);
  Tensor tensor(dtype, std::move(shape));
  auto* const words = reinterpret_cast<uint64_t*>(tensor.mutable_raw());
  for (int64_t i = 0; i < tensor.bytes() / 8; ++i) words[i] = random();
  return tensor;
}

// Three products with matrices of bytes.
void write_model(const Path& path) {
  auto graph = *parse_onnx_text(
      "<ir_version: 10, opset_import: [\"\" : 21]> g (uint8[1,4096] x, int8[4096,4096] a, int8[4096,4096] b, "
      "int8[4096,4096] c) => (int32[1,4096] y) { h = MatMulInteger(x, a) i = Cast<to = 2>(h) j = MatMulInteger(i, b) "
      "k = Cast<to = 2>(j) y = MatMulInteger(k, c) }",
      "m");
  for (const char* name : {"a", "b", "c"}) {
    Value* const value = graph->find_value(name);
    Tensor weights = noise(DType::Int8, value->type().shape());
    weights.mutable_raw()[0] = static_cast<std::byte>(name[0]);  // no two alike
    graph->replace_all_uses(value, graph->add_constant(std::move(weights), std::string(name) + "_"));
    graph->remove_input(value);
  }
  ASSERT_TRUE(export_onnx(*graph, path).ok());
}

TEST(CompileMemory, IsThatOfTheProgramAndAMatrix) {
  if (testing::kSanitized) GTEST_SKIP() << "sanitizers have memory of their own";
  const Path path = std::filesystem::temp_directory_path() / ("lapis_memory_" + std::to_string(::getpid()) + ".onnx");
  write_model(path);
  CompileOptions options;
  options.caches = std::make_shared<Caches>();
  if (!forget_peak()) GTEST_SKIP() << "the system does not let a process forget its peak";
  const int64_t before = status("VmRSS");
  auto graph = import_onnx(path);
  std::filesystem::remove(path);
  ASSERT_TRUE(graph.ok());
  const auto compiled = compile(*std::move(graph), options);
  ASSERT_TRUE(compiled.ok()) << to_string(compiled.diagnostics());
  EXPECT_EQ(compiled->program.weights.size(), 3U * kMatrix);
  for (const Parts::Part& part : compiled->program.weights.all()) EXPECT_FALSE(in_mapped_file(part.bytes.data()));
  EXPECT_LT(status("VmHWM") - before, 3 * kMatrix + 2 * kMatrix);
}

// Converting a model needs no more than the model itself, which is mapped.
TEST(ConvertMemory, HasNoCopyOfTheWeights) {
  if (testing::kSanitized) GTEST_SKIP() << "sanitizers have memory of their own";
  const Path path = std::filesystem::temp_directory_path() / ("lapis_convert_" + std::to_string(::getpid()) + ".onnx");
  write_model(path);
  const auto graph = import_onnx(path);
  ASSERT_TRUE(graph.ok());
  if (!forget_peak()) GTEST_SKIP() << "the system does not let a process forget its peak";
  const int64_t before = status("VmRSS");
  ASSERT_TRUE(export_onnx(**graph, Path(path) += ".again").ok());
  EXPECT_LT(status("VmHWM") - before, 3 * kMatrix + kMatrix / 2) << "pages of the file, and little else";
  std::filesystem::remove(path);
  std::filesystem::remove(Path(path) += ".again");
}

}  // namespace
}  // namespace lapis
