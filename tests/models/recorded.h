// Recorded inputs and outputs of models.
#pragma once

#include <gtest/gtest.h>

#include "tuning/data/dataset.h"
#include "tuning/data/npy.h"

namespace lapis::testing {

inline Tensor load(const Path& file) {
  auto tensor = read_npy(file);
  EXPECT_TRUE(tensor.ok()) << to_string(tensor.diagnostics());
  return *std::move(tensor);
}

}  // namespace lapis::testing
