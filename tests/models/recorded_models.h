// Models beside what their framework computed: NAME.npz with the inputs in_X, in_Y, ... and the outputs out0, out1, ...
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "driver/runner.h"
#include "frontends/frontend.h"
#include "tests/driver/compare.h"
#include "tests/models/recorded.h"

namespace lapis::testing {

struct RecordedModel {
  std::string name;
  Path model, arrays;
};

// Those of a folder; `ending` is what the name of a model has behind NAME.
inline std::vector<RecordedModel> recorded_models(const Path& folder, const std::string& ending) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().extension() == ".npz") names.insert(entry.path().stem().string());
  std::vector<RecordedModel> models;
  for (const std::string& name : names)
    if (std::filesystem::exists(folder / (name + ending)))
      models.push_back({name, folder / (name + ending), folder / (name + ".npz")});
  return models;
}

inline Tensor recorded_array(const RecordedModel& m, const std::string& array) {
  auto tensor = read_npz(m.arrays, array);
  EXPECT_TRUE(tensor.ok()) << m.name << ": " << to_string(tensor.diagnostics());
  return tensor.ok() ? *tensor : Tensor();
}

// How many steps integers are apart at most; floats relative to the largest.
inline double distance(const Tensor& got, const Tensor& wanted) {
  if (is_float(wanted.dtype())) return relative_error(got, wanted);
  EXPECT_EQ(got.dtype(), wanted.dtype());
  EXPECT_EQ(got.shape(), wanted.shape());
  double largest = 0;
  for (int64_t i = 0; i < std::min(got.size(), wanted.size()); ++i)
    largest = std::max(largest, std::abs(got.as_double(i) - wanted.as_double(i)));
  return largest;
}

// Evaluated and compiled, in the shapes that were recorded; the outputs within `tolerance` of the largest. `given` are
// shapes without which the model cannot be imported.
inline void expect_as_recorded(const RecordedModel& m, double tolerance,
                               std::initializer_list<Backend> backends = {Backend::Reference, Backend::Jit},
                               const ImportOptions& given = {}) {
  const auto graph = import_model(m.model, given);
  ASSERT_TRUE(graph.ok()) << to_string(graph.diagnostics());
  ModelOptions options;
  std::vector<Tensor> inputs;
  for (const Value* input : (*graph)->inputs()) {
    inputs.push_back(recorded_array(m, "in_" + input->name()));
    options.shapes[input->name()] = inputs.back().shape();
  }
  for (const Backend backend : backends) {
    const auto runner = open_model(m.model, {.model = options, .backend = backend});
    ASSERT_TRUE(runner.ok()) << m.name << ": " << to_string(runner.diagnostics());
    const auto got = (*runner)->run(inputs);
    ASSERT_TRUE(got.ok()) << m.name << ": " << to_string(got.diagnostics());
    for (size_t i = 0; i < got->size(); ++i) {
      const Tensor wanted = recorded_array(m, "out" + std::to_string(i));
      EXPECT_EQ((*got)[i].shape(), wanted.shape()) << m.name << " output " << i;
      EXPECT_EQ(name_of((*got)[i].dtype()), name_of(wanted.dtype())) << m.name << " output " << i;
      if ((*got)[i].shape() == wanted.shape())
        EXPECT_LE(relative_error((*got)[i], wanted), tolerance)
            << m.name << " output " << i << (backend == Backend::Jit ? " compiled" : "");
    }
  }
}

}  // namespace lapis::testing
