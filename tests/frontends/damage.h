// Damage to model files, for tests of what readers survive.
#pragma once

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "ir/verify.h"
#include "tests/sanitized.h"

namespace lapis::testing {

// Whether a file was imported; whatever came out must hold together, and a refusal must say why.
inline bool survives(const Result<std::unique_ptr<Graph>>& graph) {
  if (!graph.ok()) {
    EXPECT_FALSE(to_string(graph.diagnostics()).empty());
    return false;
  }
  const Diagnostics found = verify(**graph, VerifyLevel::Structure);
  EXPECT_TRUE(found.empty()) << to_string(found);
  return true;
}

inline void flip_a_bit(std::string& file, std::mt19937& random) {
  char& byte = file[random() % file.size()];
  byte = static_cast<char>(byte ^ (1 << random() % 8));
}

// Every bit of the file flipped alone (every fifth under sanitizers): `imports` says whether a file is a model. Some
// bits are contents of constants, others are not.
template <class Imports> void expect_bit_flips_survived(const std::string& file, Imports&& imports) {
  ASSERT_FALSE(file.empty());
  size_t imported = 0;
  for (size_t bit = 0; bit < file.size() * 8; bit += kStride) {
    std::string damaged = file;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    imported += imports(damaged);
  }
  EXPECT_GT(imported, 0u) << "some bits are contents of constants";
  EXPECT_LT(imported, file.size() * 8 / kStride);
}

}  // namespace lapis::testing
