// Weights are packed once for each (tensor, format), live as long as they are used, and a bounded part of the rest a little longer.
#include "codegen/kernels/weight_cache.h"

#include <gtest/gtest.h>

#include <numeric>
#include <thread>

namespace lapis::kernels {
namespace {

WeightCache::Made bytes(size_t count, uint8_t value) { return {std::vector<uint8_t>(count, value), {1, 2}}; }

TEST(WeightCache, MakesThingsOnce) {
  WeightCache cache;
  int made = 0;
  const auto make = [&] {
    ++made;
    return bytes(100, 7);
  };
  const auto a = cache.get("a", make), again = cache.get("a", make), b = cache.get("b", make);
  EXPECT_EQ(made, 2);
  EXPECT_EQ(a, again);
  EXPECT_NE(a->bytes.data(), b->bytes.data());
  EXPECT_NE(a->hash, b->hash);
  EXPECT_EQ(a->bytes.size(), 100U);
  EXPECT_EQ(a->bytes[99], std::byte{7});
  EXPECT_EQ(a->sums, (std::vector<int32_t>{1, 2}));
  EXPECT_EQ(reinterpret_cast<uintptr_t>(b->bytes.data()) % 64, 0U);
}

TEST(WeightCache, KeepsNoMoreThanItMay) {
  std::vector<size_t> slabs;
  const auto allocate = [&](size_t count) {
    slabs.push_back(count);
    auto memory = std::make_shared<Tensor>(DType::UInt8, Shape{static_cast<int64_t>(count)});
    return std::shared_ptr<std::byte>(memory, memory->mutable_raw());
  };
  WeightCache cache(allocate, 1000);
  const auto used = cache.get("used", [] { return bytes(900, 1); });
  for (int i = 0; i < 200; ++i) static_cast<void>(cache.get(std::to_string(i), [] { return bytes(400, 2); }));
  EXPECT_LE(cache.counts().alive, 3U);
  EXPECT_EQ(cache.get("used", [] { return bytes(1, 1); }), used);  // somebody has it, so the cache does
  EXPECT_EQ(cache.counts().misses, 201U);
  static_cast<void>(cache.get("large", [] { return bytes(size_t{3} << 20, 3); }));
  EXPECT_GE(slabs.back(), size_t{3} << 20);
  EXPECT_LE(slabs.size(), 2U);
}

TEST(WeightCache, ServesManyThreads) {
  WeightCache cache;
  std::vector<WeightCache::Weights> got(8);
  std::vector<std::thread> threads;
  for (size_t t = 0; t < got.size(); ++t)
    threads.emplace_back([&, t] { got[t] = cache.get("same", [] { return bytes(5000, 9); }); });
  for (std::thread& thread : threads) thread.join();
  for (const auto& weights : got) EXPECT_EQ(weights, got[0]);
}

TEST(TensorHashes, AreOfTheBytes) {
  const Tensor a = Tensor::vector<float>({1, 2, 3}), b = Tensor::vector<float>({1, 2, 3}),
               c = Tensor::vector<float>({1, 2, 4});
  TensorHashes hashes;
  hashes.remember(a);
  EXPECT_EQ(hashes.of(a), hashes.of(b));
  EXPECT_NE(hashes.of(a), hashes.of(c));
}

}  // namespace
}  // namespace lapis::kernels
