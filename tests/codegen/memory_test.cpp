// The memory planner: nothing overlaps, and little is wasted.
#include "codegen/lower/memory.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace lapis::codegen {
namespace {

// A plan of empty steps whose buffers live from one step to another.
class Lives {
 public:
  explicit Lives(size_t steps) { plan.steps.resize(steps, {Loop{}, {}, {}, {}, {}}); }
  void add(size_t first, size_t last, int64_t bytes) {
    const auto buffer = static_cast<int>(plan.buffers.size());
    plan.buffers.push_back({"b" + std::to_string(buffer), Space::Arena, bytes, -1});
    for (size_t s : {first, last}) std::get<Loop>(plan.steps[s].region).views.push_back({buffer});
  }

  Plan plan;
};

Lives random_lives(unsigned seed, size_t steps, size_t buffers, size_t longest) {
  std::mt19937 random(seed);
  Lives lives(steps);
  for (size_t b = 0; b < buffers; ++b) {
    const size_t first = random() % steps;
    lives.add(first, std::min(steps - 1, first + random() % longest), 1 + static_cast<int64_t>(random() % 5000));
  }
  return lives;
}

// The most bytes that are alive in one step: no plan needs fewer.
int64_t peak(const Plan& plan) {
  std::vector<int64_t> alive(plan.steps.size());
  const auto ranges = live_ranges(plan);
  for (size_t b = 0; b < ranges.size(); ++b)
    for (int s = ranges[b].first; s <= ranges[b].last; ++s) alive[static_cast<size_t>(s)] += plan.buffers[b].bytes;
  return *std::max_element(alive.begin(), alive.end());
}

void expect_apart(const Plan& plan) {
  const auto ranges = live_ranges(plan);
  for (size_t b = 0; b < plan.buffers.size(); ++b) {
    const Buffer& x = plan.buffers[b];
    ASSERT_GE(x.offset, 0);
    ASSERT_EQ(x.offset % 64, 0);
    ASSERT_LE(x.offset + x.bytes, plan.arena_bytes);
    for (size_t a = 0; a < b; ++a) {
      const Buffer& y = plan.buffers[a];
      const bool together = ranges[a].first <= ranges[b].last && ranges[b].first <= ranges[a].last;
      const bool apart = x.offset + x.bytes <= y.offset || y.offset + y.bytes <= x.offset;
      ASSERT_TRUE(!together || apart) << x.name << " and " << y.name;
    }
  }
}

// Each at the lowest offset that is free, the large ones first, found by looking at all others.
int64_t greedy_arena(Plan plan) {
  const auto ranges = live_ranges(plan);
  std::vector<size_t> order(plan.buffers.size()), placed;
  for (size_t b = 0; b < order.size(); ++b) order[b] = b;
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return plan.buffers[a].bytes > plan.buffers[b].bytes; });
  int64_t arena = 0;
  for (size_t b : order) {
    Buffer& buffer = plan.buffers[b];
    const auto blocker = [&](int64_t offset) {
      return std::find_if(placed.begin(), placed.end(), [&](size_t p) {
        const Buffer& other = plan.buffers[p];
        return ranges[p].first <= ranges[b].last && ranges[b].first <= ranges[p].last &&
               other.offset < offset + buffer.bytes && offset < other.offset + other.bytes;
      });
    };
    for (buffer.offset = 0; blocker(buffer.offset) != placed.end();) buffer.offset += 64;
    placed.push_back(b);
    arena = std::max(arena, (buffer.offset + buffer.bytes + 63) / 64 * 64);
  }
  return arena;
}

TEST(PlanMemory, IsGreedyBySize) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    Lives lives = random_lives(seed, 40, 60, seed % 2 ? 4 : 30);
    plan_memory(lives.plan);
    expect_apart(lives.plan);
    EXPECT_EQ(lives.plan.arena_bytes, greedy_arena(lives.plan)) << seed;
  }
}

TEST(PlanMemory, TwoOfAChainAreEnough) {
  Lives lives(1000);
  for (size_t s = 0; s + 1 < 1000; ++s) lives.add(s, s + 1, 128);
  plan_memory(lives.plan);
  expect_apart(lives.plan);
  EXPECT_EQ(lives.plan.arena_bytes, 256);
}

// So many meet each other that not all can be compared.
TEST(PlanMemory, ManyThatAreAliveTogetherFitAsWell) {
  Lives lives = random_lives(1, 12'000, 6'000, 6'000);
  plan_memory(lives.plan);
  expect_apart(lives.plan);
  EXPECT_LT(static_cast<double>(lives.plan.arena_bytes), 1.3 * static_cast<double>(peak(lives.plan)));
}

}  // namespace
}  // namespace lapis::codegen
