#include "base/flat_table.h"

#include <gtest/gtest.h>

#include <random>
#include <unordered_map>

namespace lapis {
namespace {

struct Item {
  uint64_t key = 0;
};

// Against the standard table, with so few hashes that entries stand in each other's places, also around the end.
TEST(FlatTable, HoldsWhatWasInsertedAndNotErased) {
  for (const uint64_t hashes : {1, 3, 17, 1000}) {
    std::mt19937 random(7);
    std::vector<Item> items(500);
    for (size_t i = 0; i < items.size(); ++i) items[i].key = i;
    const auto hash_of = [&](uint64_t key) { return key * 0x9E3779B97F4A7C15ull % hashes + ~uint64_t{0} - 5; };
    FlatTable<Item> table;
    std::unordered_map<uint64_t, Item*> wanted;
    for (int step = 0; step < 5000; ++step) {
      Item& item = items[random() % items.size()];
      if (wanted.erase(item.key))
        table.erase(hash_of(item.key), &item);
      else
        table.insert(hash_of(item.key), wanted[item.key] = &item);
      const uint64_t asked = random() % items.size();
      Item* const found = table.find(hash_of(asked), [&](const Item& other) { return other.key == asked; });
      ASSERT_EQ(found, wanted.contains(asked) ? wanted.at(asked) : nullptr) << asked;
      ASSERT_EQ(table.size(), wanted.size());
    }
  }
}

TEST(FlatTable, AnEmptyOneHasNothing) {
  FlatTable<Item> table;
  EXPECT_EQ(table.find(7, [](const Item&) { return true; }), nullptr);
  table.reserve(100);
  EXPECT_EQ(table.find(7, [](const Item&) { return true; }), nullptr);
}

}  // namespace
}  // namespace lapis
