// A whole network on AMX, which is emulated where the processor has none: the reference's bytes.
#include <gtest/gtest.h>

#include "driver/compile.h"
#include "driver/runner.h"
#include "tests/codegen/amx_emulator.h"
#include "tests/driver/example.h"

namespace lapis {
namespace {

TEST(Amx, IntegerResultsAreTheReferencesBytes) {
  const Target amx = *Target::parse("x86-64+amxint8"), runs = *Target::parse("x86-64+avx512vnni");
  if (!Target::host().contains(runs)) GTEST_SKIP() << "what is not AMX cannot run";
  CompileOptions options;
  options.target = amx;
  const auto compiled = compile(testing::quantized_example(), std::move(options));
  ASSERT_TRUE(compiled.ok()) << to_string(compiled.diagnostics());
  Program program = compiled->program;
  program.target = runs.to_string();  // else it is refused, as it should be
  const auto reference = open_graph(testing::quantized_example(), {.backend = Backend::ReferenceAfterPasses});
  const auto runner = open_program(program, {.threads = 1});
  ASSERT_TRUE(reference.ok() && runner.ok());
  const int64_t before = testing::emulated_instructions();
  for (const Tensor& image : testing::example_images(3)) {
    std::vector<Tensor> got;
    EXPECT_EQ(testing::run_with_amx([&] { got = *(*runner)->run({image}); }), "");
    EXPECT_EQ(got, *(*reference)->run({image}));
  }
  if (!Target::host().contains(amx)) EXPECT_GT(testing::emulated_instructions() - before, 1000);
}

}  // namespace
}  // namespace lapis
