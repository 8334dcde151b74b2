// Keras models: what the graph looks like, what is refused and why, the forms of HDF5, and what damaged files do.
// What the layers compute: tests/models/keras_test.cpp.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <set>

#include "base/archive/zip.h"
#include "frontends/common/json.h"
#include "frontends/frontend.h"
#include "frontends/keras/hdf5.h"
#include "frontends/keras/import.h"
#include "frontends/keras/weights.h"
#include "ir/evaluate.h"
#include "ir/ops/ops.h"
#include "ir/verify.h"
#include "tests/frontends/damage.h"
#include "tests/frontends/graphs.h"

namespace lapis {
namespace {

using namespace keras_frontend;
using ::testing::HasSubstr;

const Path kFolder = Path(LAPIS_SOURCE_DIR) / "tests/frontends/keras";

std::string content(const std::string& file) {
  auto bytes = read_file(kFolder / file);
  EXPECT_TRUE(bytes.ok()) << file;
  return bytes.ok() ? *bytes : "";
}

std::vector<std::string> models() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder))
    if (entry.path().extension() == ".h5" || entry.path().extension() == ".keras")
      names.push_back(entry.path().filename().string());
  return names;
}

Json refusals() {
  const std::string text = content("refused.json");
  auto json = frontend::parse_json(std::as_bytes(std::span(text)));
  EXPECT_TRUE(json.ok());
  return json.ok() ? *json : Json::object();
}

void expect_refused(const Result<std::unique_ptr<Graph>>& graph, const std::vector<std::string>& says) {
  ASSERT_FALSE(graph.ok());
  const std::string message = to_string(graph.diagnostics());
  for (const std::string& part : says) EXPECT_THAT(message, HasSubstr(part));
}

// ---- models ---------------------------------------------------------------------------------------------------------

TEST(Keras, EveryModelHoldsTogether) {
  const Json refused = refusals();
  const std::set<std::string> unreadable = {"tiny_lzf.h5", "tiny_newest_chunks.h5"};
  size_t imported = 0;
  for (const std::string& name : models()) {
    if (refused.contains(name) || unreadable.contains(name)) continue;
    const auto graph = import_model(kFolder / name);
    ASSERT_TRUE(graph.ok()) << to_string(graph.diagnostics());
    const Diagnostics found = verify(**graph);
    EXPECT_TRUE(found.empty()) << name << ": " << to_string(found);
    ++imported;
  }
  EXPECT_GT(imported, 25u);
}

// The classes of all layers of a description, those within wrappers too.
void collect_classes(const Json& json, std::set<std::string>& classes) {
  if (json.is_object() && json.contains("class_name")) classes.insert(class_of(json));
  for (const auto& [key, value] : json.items())
    if (value.is_structured()) collect_classes(value, classes);
}

TEST(Keras, EveryTranslatorHasACase) {
  // What the reader makes of others: tests/frontends/keras/generate.py has cases for all of them.
  std::set<std::string> seen = {"TimeDistributed.begin",
                                "TimeDistributed.end",
                                "TimeDistributed.mask",
                                "Concatenate.mask",
                                "Embedding.mask",
                                "Masking.mask",
                                "Masks.all",
                                "Masks.any"};
  for (const std::string& name : models()) {
    const auto file = map_file(kFolder / name);
    ASSERT_TRUE(file.ok());
    std::string config;
    if (Hdf5::is_one(file->bytes())) {
      auto opened = Hdf5::open(*file);
      ASSERT_TRUE(opened.ok()) << name << ": " << to_string(opened.diagnostics());
      config = opened->text("/", "model_config").value_or("{}");
    } else {
      const auto entries = zip_entries(*file);
      ASSERT_TRUE(entries.ok());
      for (const ZipEntry& entry : *entries) {
        if (entry.name != "config.json") continue;
        const auto unpacked = unzipped(*file, entry);
        ASSERT_TRUE(unpacked.ok());
        config.assign(reinterpret_cast<const char*>(unpacked->data.get()), unpacked->size);
      }
    }
    const auto json = frontend::parse_json(std::as_bytes(std::span(config)));
    ASSERT_TRUE(json.ok()) << name;
    collect_classes(*json, seen);
  }
  std::string_view before;
  for (const frontend::Translator& row : translators()) {
    EXPECT_LT(before, row.op) << "rows are alphabetical, and a layer has one";
    EXPECT_TRUE(seen.contains(std::string(row.op))) << row.op;
    before = row.op;
  }
}

TEST(Keras, TransposesStandAtInputsAndOutputsOnly) {
  for (const char* name : {"k2_sequential.h5", "k3_sequential_archive.keras", "k2_channels_first.h5"}) {
    const auto graph = import_model(kFolder / name);
    ASSERT_TRUE(graph.ok()) << to_string(graph.diagnostics());
    const size_t flattened =
        std::string(name).find("channels_first") == std::string::npos ? 0 : 1;  // as Keras itself flattens
    EXPECT_LE(transposes_inside(**graph), flattened) << name;
  }
}

TEST(Keras, NamesAreThoseOfTheModel) {
  const auto graph = import_model(kFolder / "k3_sequential.h5");
  ASSERT_TRUE(graph.ok()) << to_string(graph.diagnostics());
  EXPECT_EQ((*graph)->inputs()[0]->name(), "image");
  EXPECT_EQ((*graph)->inputs()[0]->type().to_string(), "float[image_dim0,8,8,3]");
  EXPECT_EQ((*graph)->outputs()[0]->name(), "scores");
}

TEST(Keras, SharedLayersShareTheirWeights) {
  const auto graph = import_model(kFolder / "k2_graph.h5");
  ASSERT_TRUE(graph.ok()) << to_string(graph.diagnostics());
  std::map<const Value*, size_t> uses;
  for (const Node* node : (*graph)->nodes())
    if (node->is(ops::Conv)) ++uses[node->input(1)];
  EXPECT_TRUE(std::ranges::any_of(uses, [](const auto& use) { return use.second == 2; }))
      << "the layer 'shared' is called within both calls of a model";
}

// ---- refusals -------------------------------------------------------------------------------------------------------

TEST(Keras, RefusalsSayWhyAndWhatToDo) {
  const Json refused = refusals();
  ASSERT_EQ(refused.size(), 9u);
  for (const auto& [name, says] : refused.items()) {
    SCOPED_TRACE(name);
    expect_refused(import_model(kFolder / name), says.get<std::vector<std::string>>());
  }
  expect_refused(import_model(kFolder / "tiny_lzf.h5"), {"layer 'd' (Dense)", "the filter 32000"});
  expect_refused(import_model(kFolder / "tiny_newest_chunks.h5"), {"in chunks of the newest form"});
}

// Of a model of one layer, with something else in its place.
std::string changed(const std::string& from, const std::string& to) {
  std::string bytes = content("tiny_oldest.h5");
  const size_t at = bytes.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  EXPECT_EQ(from.size(), to.size());
  return at == std::string::npos ? bytes : bytes.replace(at, from.size(), to);
}
Result<std::unique_ptr<Graph>> imported(const std::string& bytes) {
  return import_keras(std::as_bytes(std::span(bytes)), "m.h5");
}

TEST(Keras, WhatIsMissingIsNamed) {
  expect_refused(imported(changed("\"Dense\"", "\"Dance\"")),
                 {"operator Dance is not supported", "whose code the file does not hold"});
  expect_refused(imported(changed("\"relu\"", "\"rele\"")), {"the activation 'rele'"});
  expect_refused(imported(changed("\"Sequential\"", "\"Seductress\"")), {"of the class 'Seductress'", "model.export"});
  expect_refused(imported(changed("batch_input_shape", "batch_input_shade")), {"does not say what shape its data has"});
  expect_refused(imported(changed("\"name\": \"d\"", "\"name\": \"e\"")),
                 {"layer 'e' (Dense)", "the file does not hold its kernel"});
  expect_refused(imported(changed("\"layers\"", "\"lovers\"")), {"the model has no outputs"});
}

// ---- HDF5 -----------------------------------------------------------------------------------------------------------

TEST(Hdf5, ArraysAreTheSameInEveryForm) {
  std::optional<Tensor> first;
  for (const char* name : {"tiny_oldest.h5", "tiny_newest.h5", "tiny_chunks.h5", "tiny_sums.h5"}) {
    const auto file = map_file(kFolder / name);
    ASSERT_TRUE(file.ok());
    auto opened = Hdf5::open(*file);
    ASSERT_TRUE(opened.ok()) << name << ": " << to_string(opened.diagnostics());
    EXPECT_EQ(opened->text("/", "keras_version"), "2.15.0");
    const std::vector<std::string> names = {"d/kernel:0", "d/bias:0"};
    EXPECT_EQ(opened->texts("/model_weights/d", "weight_names"), names) << "in two attributes";
    const auto kernel = opened->tensor("/model_weights/d/d/kernel:0");
    ASSERT_TRUE(kernel.ok()) << name << ": " << to_string(kernel.diagnostics());
    EXPECT_EQ(kernel->shape(), (Shape{20, 6}));
    if (!first) first = *kernel;
    EXPECT_TRUE(*kernel == *first) << name;
    EXPECT_FALSE(opened->tensor("/model_weights/d/d/nothing").ok());
    EXPECT_FALSE(opened->tensor("/model_weights").ok());
  }
}

TEST(Hdf5, GroupsAreCalledAfterClasses) {
  const std::map<std::string, std::string> names = {{"Conv2D", "conv2d"},
                                                    {"Conv2DTranspose", "conv2d_transpose"},
                                                    {"PReLU", "p_re_lu"},
                                                    {"ReLU", "re_lu"},
                                                    {"RMSNormalization", "rms_normalization"},
                                                    {"SimpleRNN", "simple_rnn"},
                                                    {"MaxPooling2D", "max_pooling2d"},
                                                    {"GRU", "gru"},
                                                    {"UpSampling1D", "up_sampling1d"}};
  for (const auto& [name, group] : names) EXPECT_EQ(snake_case(name), group);
}

// ---- damage ---------------------------------------------------------------------------------------------------------

bool survives(const std::string& bytes) { return testing::survives(imported(bytes)); }

TEST(HostileKeras, CutFilesAreRefused) {
  for (const char* name : {"tiny_oldest.h5", "tiny_newest.h5", "tiny_chunks.h5", "k3_embedding.keras"}) {
    const std::string whole = content(name);
    ASSERT_TRUE(survives(whole)) << name;
    for (size_t length = 0; length < whole.size(); length += 37 * testing::kStride) survives(whole.substr(0, length));
  }
}

TEST(HostileKeras, DamagedBytesAreSurvived) {
  std::mt19937 random(7);
  for (const char* name :
       {"tiny_oldest.h5", "tiny_newest.h5", "tiny_chunks.h5", "tiny_sums.h5", "k3_embedding.keras"}) {
    const std::string whole = content(name);
    size_t imported = 0;
    constexpr int kFiles = 2000 / testing::kStride;
    for (int i = 0; i < kFiles; ++i) {
      std::string damaged = whole;
      for (unsigned flips = 1 + random() % 3; flips > 0; --flips) {
        char& byte = damaged[random() % damaged.size()];
        byte = static_cast<char>(byte ^ (1 << random() % 8));
      }
      imported += survives(damaged);
    }
    EXPECT_GT(imported, 0u) << "some bits are weights";
    EXPECT_LT(imported, size_t{kFiles});
  }
}

// Addresses, counts and sizes are what a reader trusts: each of 8 bytes becomes another number.
TEST(HostileKeras, OtherNumbersAreSurvived) {
  for (const char* name : {"tiny_oldest.h5", "tiny_newest.h5", "tiny_chunks.h5"}) {
    const std::string whole = content(name);
    for (const uint64_t number :
         {uint64_t{0}, uint64_t{48}, uint64_t{96}, UINT64_MAX, UINT64_MAX / 2, uint64_t{1} << 40})
      for (size_t at = 8; at + 8 <= whole.size(); at += 24 * testing::kStride) {
        std::string damaged = whole;
        std::memcpy(damaged.data() + at, &number, sizeof number);
        survives(damaged);
      }
  }
}

}  // namespace
}  // namespace lapis
