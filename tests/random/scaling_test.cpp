// Nothing is quadratic: per node, every stage of compilation allocates as much for 8,000 nodes as for 2,000. What is
// counted are allocations and their bytes, which are the same in every run; benchmarks/scale.cpp measures time.
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <new>

#include "codegen/emit.h"
#include "codegen/lower/lower.h"
#include "driver/compile.h"
#include "frontends/onnx/export.h"
#include "frontends/onnx/import.h"
#include "ir/verify.h"
#include "passes/quantize/integer.h"
#include "passes/simplify/simplify.h"
#include "tests/random/graphs/families.h"

namespace {

struct Allocated {
  double count = 0, bytes = 0;
};
thread_local Allocated allocated;

void* counted(std::size_t bytes, std::size_t alignment) {
  ++allocated.count;
  allocated.bytes += static_cast<double>(bytes);
  void* memory = alignment ? std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment)
                           : std::malloc(bytes ? bytes : 1);
  if (!memory) throw std::bad_alloc();
  return memory;
}

}  // namespace

void* operator new(std::size_t bytes) { return counted(bytes, 0); }
void* operator new(std::size_t bytes, std::align_val_t alignment) { return counted(bytes, std::size_t(alignment)); }
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  try {
    return counted(bytes, 0);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

namespace lapis {
namespace {

using random_graphs::Family;
using Costs = std::map<std::string, Allocated>;  // by stage

template <class F> auto counted(Allocated& cost, F&& f) {
  const Allocated before = allocated;
  auto result = f();
  cost = {allocated.count - before.count, allocated.bytes - before.bytes};
  return result;
}

// Rules are asked about every node; they are to be asked about no node very often.
bool count_visit(Value&, Rewriter&) {
  ++allocated.count;
  return false;
}

Costs costs_of(const Family& family, int nodes) {
  Costs costs;
  const auto drawn = family.draw(nodes);
  const auto file = counted(costs["export"], [&] { return export_onnx(*drawn); });
  EXPECT_TRUE(file.ok());
  auto imported = counted(costs["import"], [&] { return import_onnx(std::as_bytes(std::span(*file)), family.name); });
  EXPECT_TRUE(imported.ok()) << to_string(imported.diagnostics());
  Graph& graph = **imported;
  counted(costs["verify"], [&] { return verify(graph); });
  PassContext context;
  std::vector<Rule> rules = all_rules();
  rules.push_back({"count", count_visit});
  const auto copy = graph.clone();
  counted(costs["rules"], [&] { return apply_rules(*copy, rules); });
  EXPECT_TRUE(counted(costs["simplify"], [&] { return simplify(graph, context); }).ok());
  EXPECT_TRUE(counted(costs["integer"], [&] { return integer(graph, context); }).ok());
  const auto plan = counted(costs["lower"], [&] { return codegen::lower(graph, {Target::host()}); });
  EXPECT_TRUE(plan.ok()) << to_string(plan.diagnostics());
  return costs;
}

class Scaling : public ::testing::TestWithParam<Family> {};

TEST_P(Scaling, IsLinear) {
  constexpr int kFew = 2'000, kMany = 8'000;
  const Costs few = costs_of(GetParam(), kFew), many = costs_of(GetParam(), kMany);
  for (const auto& [stage, cost] : many) {
    const Allocated& before = few.at(stage);
    const double slack = 1.3;  // tables double their size now and then
    EXPECT_LT(cost.count, slack * kMany / kFew * (before.count + 100)) << stage << ": allocations and visits";
    EXPECT_LT(cost.bytes, slack * kMany / kFew * (before.bytes + 10'000)) << stage << ": bytes";
  }
}

INSTANTIATE_TEST_SUITE_P(Families, Scaling,
                         ::testing::ValuesIn(random_graphs::families().begin(), random_graphs::families().end()),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace lapis
