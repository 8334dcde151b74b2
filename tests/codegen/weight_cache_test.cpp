// Weights are packed once for each (tensor, format), live as long as they are used,
// and a bounded part of the rest a little longer.
#include "codegen/kernels/weight_cache.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "base/file.h"
#include "base/pages.h"

namespace lapis::kernels {
namespace {

WeightCache::Weights get(WeightCache& cache, const std::string& key, size_t count, uint8_t value, int* made = nullptr) {
  return cache.get(key, count, [&](std::span<std::byte> to) {
    std::ranges::fill(to, std::byte{value});
    if (made) ++*made;
    return std::vector<int32_t>{1, 2};
  });
}

TEST(WeightCache, MakesThingsOnce) {
  WeightCache cache;
  int made = 0;
  const auto a = get(cache, "a", 100, 7, &made), again = get(cache, "a", 100, 7, &made),
             b = get(cache, "b", 100, 7, &made);
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
  const auto used = get(cache, "used", 900, 1);
  for (int i = 0; i < 200; ++i) static_cast<void>(get(cache, std::to_string(i), 400, 2));
  EXPECT_LE(cache.counts().alive, 3U);
  EXPECT_EQ(get(cache, "used", 900, 1), used);  // somebody has it, so the cache does
  EXPECT_EQ(cache.counts().misses, 201U);
  static_cast<void>(get(cache, "large", size_t{3} << 20, 3));
  EXPECT_GE(slabs.back(), size_t{3} << 20);
  EXPECT_LE(slabs.size(), 2U);
}

TEST(WeightCache, ServesManyThreads) {
  WeightCache cache;
  std::atomic<int> made = 0;
  std::vector<WeightCache::Weights> got(8);
  std::vector<std::thread> threads;
  for (size_t t = 0; t < got.size(); ++t)
    threads.emplace_back([&, t] {
      got[t] = cache.get("same", 5000, [&](std::span<std::byte>) {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));  // all others ask meanwhile
        ++made;
        return std::vector<int32_t>();
      });
    });
  for (std::thread& thread : threads) thread.join();
  for (const auto& weights : got) EXPECT_EQ(weights, got[0]);
  EXPECT_EQ(made, 1);
  EXPECT_EQ(cache.counts().misses, 1U);
}

TEST(WeightCache, WhatCouldNotBeMadeIsTriedAgain) {
  WeightCache cache;
  const auto fails = [](std::span<std::byte>) -> std::vector<int32_t> { throw std::bad_alloc(); };
  EXPECT_THROW(static_cast<void>(cache.get("a", 100, fails)), std::bad_alloc);
  EXPECT_EQ(get(cache, "a", 100, 7)->bytes[0], std::byte{7});
}

// No copy of what lies well already; a copy of what lies badly, or in a file that somebody may change.
TEST(WeightCache, TakesTensorsAsTheyAre) {
  WeightCache cache;
  const Tensor tensor = Tensor::vector<float>(std::vector<float>(100, 2.5F));
  const auto shared = cache.get("shared", tensor);
  EXPECT_EQ(shared->bytes.data(), tensor.raw());
  EXPECT_EQ(cache.get("shared", tensor), shared);
  const auto owner = std::make_shared<const Tensor>(tensor);
  const Tensor within(DType::Float32, {9}, {owner, owner->raw() + 4});
  const auto copied = cache.get("copied", within);
  EXPECT_NE(copied->bytes.data(), within.raw());
  EXPECT_TRUE(std::ranges::equal(copied->bytes, shared->bytes.subspan(4, 36)));
  EXPECT_EQ(reinterpret_cast<uintptr_t>(copied->bytes.data()) % 64, 0U);
  const Path path = std::filesystem::temp_directory_path() / ("lapis_weights_" + std::to_string(::getpid()));
  ASSERT_TRUE(write_file(path, std::string(8192, 'w')).ok());
  const MappedFile file = *map_file(path);
  std::filesystem::remove(path);
  const auto out_of_file = cache.get("file", Tensor(DType::UInt8, {8192}, file.data));
  EXPECT_FALSE(in_mapped_file(out_of_file->bytes.data()));
  EXPECT_EQ(out_of_file->bytes[8191], std::byte{'w'});
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
