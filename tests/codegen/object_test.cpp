// Two generated objects in one plain C program: they link without anything
// undefined and compute what the code image computes.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "codegen/emit.h"
#include "codegen/object/object.h"
#include "tests/codegen/loop_runner.h"

namespace lapis::testing {
namespace {

Instr load(int slot, DType type) { return {Op::Load, type, {-1, -1, -1}, slot}; }

// y = u8(exp(x) * table[i] / 0.05), through an intermediate in the arena and one in constants
LoopPlan model(float factor, DType index_type = DType::Undefined) {
  LoopPlan p;
  const int64_t n = 1000;
  Tensor x(DType::Float32, {n}), table(DType::Float32, {n});
  for (int64_t i = 0; i < n; ++i) {
    x.mutable_data<float>()[static_cast<size_t>(i)] = std::sin(static_cast<float>(i));
    table.mutable_data<float>()[static_cast<size_t>(i)] = factor * static_cast<float>(i % 7);
  }
  const int a = p.input(x), t = p.constant(table);
  p.plan.inputs[0].name = "image.0";
  const int at = index_type == DType::Undefined ? -1 : p.input(Tensor::vector<int64_t>({3}));
  p.plan.buffers.push_back({"middle", Space::Arena, 4 * n, 64});
  p.plan.arena_bytes = 64 + 4 * n;
  const auto m = static_cast<int>(p.plan.buffers.size()) - 1;
  const int y = p.output(DType::UInt8, {n});
  p.plan.outputs[0].name = "return";  // a C keyword
  Loop first;
  first.name = "exp";
  first.domain = {n};
  first.views = {dense_view(a, DType::Float32, {n}), dense_view(m, DType::Float32, {n})};
  first.phases = {{Loop::Over::Row, {load(0, DType::Float32), {Op::Exp, DType::Float32, {0, -1, -1}}}, {}, {{1, 1}}}};
  Loop second;
  second.name = "quantize";
  second.domain = {n};
  second.views = {dense_view(m, DType::Float32, {n}), dense_view(t, DType::Float32, {n}),
                  dense_view(y, DType::UInt8, {n})};
  second.phases = {{Loop::Over::Row,
                    {load(0, DType::Float32),
                     load(1, DType::Float32),
                     {Op::Mul, DType::Float32, {0, 1, -1}},
                     {Op::Quantize, DType::UInt8, {2, -1, -1}, -1, 0.05f, 3}},
                    {},
                    {{2, 3}}}};
  if (at >= 0) {  // the factor comes from the table by an index
    second.views.push_back(strided_view(at, DType::Int64, {n}, {0}));
    second.views[1].strides = {0};
    second.phases[0].body = {load(0, DType::Float32),
                             load(3, DType::Int64),
                             {Op::Gather, DType::Float32, {1, -1, -1}, 1, 1, static_cast<double>(n)},
                             {Op::Mul, DType::Float32, {0, 2, -1}},
                             {Op::Quantize, DType::UInt8, {3, -1, -1}, -1, 0.05f, 3}};
    second.phases[0].stores = {{2, 4}};
  }
  p.add(first);
  p.add(second);
  return p;
}

class Object : public ::testing::Test {
 protected:
  void SetUp() override {
    if (std::system("cc --version > /dev/null 2>&1") != 0) GTEST_SKIP() << "no C compiler `cc`";
    directory_ = std::filesystem::temp_directory_path() / ("lapis_object_" + std::to_string(::getpid()));
    std::filesystem::create_directories(directory_);
  }
  void TearDown() override {
    if (!directory_.empty()) std::filesystem::remove_all(directory_);
  }

  void write(const std::string& name, const LoopPlan& loops, const Target& target) {
    Plan plan = loops.plan;
    plan.target = target;
    const auto image = codegen::emit(plan);
    ASSERT_TRUE(image.ok());
    const auto files = write_object(plan, *image, {name, directory_, 0x1234, 0xABCD});
    ASSERT_TRUE(files.ok()) << to_string(files.diagnostics());
  }
  std::string output_of(const std::string& command) const {
    const Path log = directory_ / "log";
    const int code = std::system(("cd " + directory_.string() + " && (" + command + ") > log 2>&1").c_str());
    std::ifstream in(log);
    std::string text((std::istreambuf_iterator<char>(in)), {});
    return code == 0 ? text : text + "exit code " + std::to_string(code);
  }
  std::vector<uint8_t> bytes_of(const std::string& file) const {
    std::ifstream in(directory_ / file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  Path directory_;
};

constexpr const char* kProgram = R"(
#include <stdio.h>
#include <string.h>
#include "alpha.h"
#include "beta.h"
static _Alignas(ALPHA_ARENA_ALIGNMENT) unsigned char arena[ALPHA_ARENA_BYTES];
static _Alignas(BETA_ARENA_ALIGNMENT) unsigned char other[BETA_ARENA_BYTES + 64];
static float x[ALPHA_INPUT_0_ELEMENTS];
static uint8_t y[ALPHA_OUTPUT_0_ELEMENTS], z[BETA_OUTPUT_0_ELEMENTS];
static int save(const char* name, const void* data, size_t size) {
  FILE* f = fopen(name, "wb");
  return f && fwrite(data, 1, size, f) == size && fclose(f) == 0;
}
int main(void) {
  FILE* f = fopen("x.bin", "rb");
  if (!f || fread(x, 1, sizeof x, f) != sizeof x) return 1;
  if (!alpha_supported() || !beta_supported()) return 2;
  if (alpha_arena_bytes() != ALPHA_ARENA_BYTES || alpha_phases() != 2 || strcmp(ALPHA_INPUT_0_NAME, "image.0")) return 3;
  alpha_inputs in = {x};
  alpha_outputs out = {y};
  if (alpha_run(&in, &out, arena) != ALPHA_OK || alpha_run(&in, &out, arena) != ALPHA_OK) return 4;
  int64_t index = 3;
  beta_inputs in2 = {.image_0 = x, .in2 = &index};
  beta_outputs out2 = {.v_return = z};
  if (beta_run(&in2, &out2, other + 1) != BETA_MISALIGNED_ARENA) return 5;
  index = 1000;
  if (beta_run(&in2, &out2, other) != BETA_INDEX_OUT_OF_RANGE) return 6;
  index = 3;
  memset(z, 0, sizeof z);
  for (size_t phase = 0; phase < beta_phases(); ++phase)
    for (int64_t u = beta_units(phase); u-- > 0;)
      if (beta_run_units(phase, u, u + 1, &in2, &out2, other) != BETA_OK) return 7;
  if (beta_units(99) != 0 || !strstr(alpha_provenance, "x86-64+avx2")) return 8;
  return save("y.bin", y, sizeof y) && save("z.bin", z, sizeof z) ? 0 : 9;
}
)";

TEST_F(Object, TwoModelsInOneCProgram) {
  const Target target = Target().with(Isa::Avx2);
  const LoopPlan alpha = model(0.5f), beta = model(0.25f, DType::Int64);
  write("alpha", alpha, target);
  write("beta", beta, target);
  ASSERT_TRUE(write_file(directory_ / "x.bin", std::as_bytes(alpha.inputs[0].data<float>())).ok());
  ASSERT_TRUE(write_file(directory_ / "main.c", std::string_view(kProgram)).ok());
  EXPECT_EQ(output_of("nm -u alpha.o; nm -u beta.o"), "") << "the objects need something from outside";
  EXPECT_EQ(output_of("nm alpha.o | grep ' [A-Z] ' | grep -v ' alpha_' || true"), "")
      << "global symbols without the prefix";
  EXPECT_EQ(output_of("nm alpha.o | grep -i ' [bd] ' || true"), "") << "static mutable data";
  EXPECT_NE(output_of("readelf -S alpha.o").find(".note.GNU-stack"), std::string::npos);
  ASSERT_EQ(output_of("cc -std=c11 -Wall -Wextra -Werror -O1 main.c alpha.o beta.o -o main && ./main"), "");
  EXPECT_EQ(output_of("cc -shared -o both.so alpha.o beta.o -Wl,-z,text -nostdlib"), "")
      << "must link into shared objects";
  EXPECT_EQ(bytes_of("y.bin"), [&] {
    const Tensor t = run_loops(alpha, target).outputs[0];
    return std::vector<uint8_t>(t.data<uint8_t>().begin(), t.data<uint8_t>().end());
  }());
  EXPECT_EQ(bytes_of("z.bin"), [&] {
    const Tensor t = run_loops(beta, target).outputs[0];
    return std::vector<uint8_t>(t.data<uint8_t>().begin(), t.data<uint8_t>().end());
  }());
}

// Names that are keywords, macros, types, not ASCII, or the same once mangled.
TEST_F(Object, NamesOfEveryKindBecomeMembers) {
  const std::vector<std::string> names = {"int",
                                          "class",
                                          "typeof",
                                          "nullptr",
                                          "linux",
                                          "size_t",
                                          "ODD_OK",
                                          "INT8_MAX",
                                          "é",
                                          "名前",
                                          "a.b",
                                          "a/b",
                                          "a_b",
                                          "a_b_",
                                          "",
                                          "1st",
                                          "_x",
                                          "?"
                                          "?/",
                                          "\"\\",
                                          "line\nend",
                                          "*/",
                                          "unused",
                                          "static_assert"};
  LoopPlan p;
  for (size_t i = 0; i < names.size(); ++i) p.input(Tensor(DType::Float32, {1}));
  for (size_t i = 0; i < names.size(); ++i) p.plan.inputs[i].name = names[i];
  const int y = p.output(DType::Float32, {1});
  p.plan.outputs[0].name = "true";
  Loop loop;
  loop.name = "copy";
  loop.domain = {1};
  loop.views = {dense_view(0, DType::Float32, {1}), dense_view(y, DType::Float32, {1})};
  loop.phases = {{Loop::Over::Row, {load(0, DType::Float32)}, {}, {{1, 0}}}};
  p.add(loop);
  write("odd", p, Target().with(Isa::Avx2));
  ASSERT_TRUE(
      write_file(
          directory_ / "names.c",
          std::string_view(
              "#include <string.h>\n#include \"odd.h\"\nint main(void) { odd_inputs in = {0}; return in.v_int || "
              "strcmp(ODD_INPUT_8_NAME, \"\\303\\251\") || strcmp(ODD_INPUT_17_NAME, \"?\" \"?/\"); }\n"))
          .ok());
  EXPECT_EQ(output_of("cc -std=c99 -Wall -Wextra -Werror -Wno-missing-field-initializers -c names.c && cc names.o "
                      "odd.o -o names && ./names && cc -x c++ -Wall "
                      "-Wextra -Werror -Wno-missing-field-initializers -c names.c"),
            "");
}

TEST_F(Object, HeaderWorksInCpp) {
  write("alpha", model(0.5f), Target().with(Isa::Avx512));
  ASSERT_TRUE(write_file(directory_ / "main.cpp",
                         std::string_view("#include \"alpha.h\"\nint main() { return alpha_phases() == 2 ? 0 : 1; }\n"))
                  .ok());
  EXPECT_EQ(output_of("c++ -Wall -Wextra -Werror main.cpp alpha.o -o main && ./main"), "");
}

TEST_F(Object, RefusesCodeForAnotherMachine) {
  const Target amx = Target().with(Isa::AmxInt8);
  if (Target::host().contains(amx)) GTEST_SKIP() << "this host has AMX";
  write("alpha", model(0.5f), amx);
  ASSERT_TRUE(write_file(directory_ / "main.c", std::string_view(R"(#include "alpha.h"
static _Alignas(64) unsigned char arena[ALPHA_ARENA_BYTES];
int main(void) {
  alpha_inputs in = {0};
  alpha_outputs out = {0};
  return alpha_supported() == 0 && alpha_run(&in, &out, arena) == ALPHA_UNSUPPORTED_CPU ? 0 : 1;
}
)"))
                  .ok());
  EXPECT_EQ(output_of("cc main.c alpha.o -o main && ./main"), "");
}

TEST_F(Object, RefusesNamesThatAreNoIdentifiers) {
  const auto files = write_object(Plan(), CodeImage(), {"resnet-50", directory_});
  ASSERT_FALSE(files.ok());
  EXPECT_EQ(files.diagnostics()[0].kind, ErrorKind::Usage);
}

}  // namespace
}  // namespace lapis::testing
