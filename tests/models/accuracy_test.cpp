// Every labelled model of ../shared/zoo, measured from its dataset file in benchmarks/zoo:
// the metrics are those that the zoo recorded.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <optional>

#include "tuning/evaluate.h"

namespace lapis {
namespace {

struct Entry {
  const char* data;
  const char* model;
  std::vector<std::optional<double>> recorded;  // zoo.yaml, four digits; nothing: it has no such metric
};

void PrintTo(const Entry& entry, std::ostream* out) { *out << entry.data; }

class Recorded : public ::testing::TestWithParam<Entry> {};

TEST_P(Recorded, MetricIsMeasured) {
  const Path source = LAPIS_SOURCE_DIR, zoo = source / "../shared/zoo";
  const char* extra = std::getenv("LAPIS_ZOO_EXTRA");
  Path model = zoo / GetParam().model;
  if (!std::filesystem::exists(model) && extra) model = Path(extra) / GetParam().model;
  if (!std::filesystem::exists(model) || !std::filesystem::exists(zoo)) GTEST_SKIP() << model << " is not here";
  const auto data = Dataset::load(source / "benchmarks/zoo" / (std::string(GetParam().data) + ".yaml"));
  ASSERT_TRUE(data.ok()) << to_string(data.diagnostics());
  const auto runner = open_model(model, {.model = {.all_free = true}, .threads = 2});
  ASSERT_TRUE(runner.ok()) << to_string(runner.diagnostics());
  const auto accuracy = measure_accuracy(**runner, *data);
  ASSERT_TRUE(accuracy.ok()) << to_string(accuracy.diagnostics());
  std::vector<double> values = {accuracy->value};
  for (const Measure& m : accuracy->others) values.push_back(m.value);
  ASSERT_EQ(values.size(), GetParam().recorded.size());
  for (size_t i = 0; i < values.size(); ++i)
    if (const std::optional<double> wanted = GetParam().recorded[i])
      EXPECT_NEAR(values[i], *wanted, 0.5001e-4) << "metric " << i;
}

INSTANTIATE_TEST_SUITE_P(
    Zoo, Recorded,
    ::testing::Values(Entry{"efficientnet-lite0", "efficientnet-lite0/efficientnet-lite0.onnx", {0.888, 0.974}},
                      Entry{"resnet8-fp32", "resnet8-mlperf-tiny/resnet8_fp32.tflite", {0.7685}},
                      Entry{"resnet8-int8", "resnet8-mlperf-tiny/resnet8_int8.tflite", {0.7725}},
                      Entry{"resnet20-cifar10", "resnet20-cifar10/resnet20.onnx", {0.8045}},
                      Entry{"ppocr-v4-det", "ppocr-v4-det/det.onnx", {0.9556}},
                      Entry{"ppocr-v4-rec", "ppocr-v4-rec/rec.onnx", {0.9833, 0.0016}},
                      Entry{"minilm-l3", "minilm-l3/paraphrase-MiniLM-L3-v2.onnx", {0.8021, 0.8127}},
                      Entry{"minilm-l3-sst2", "minilm-l3/paraphrase-MiniLM-L3-v2.onnx", {0.7615}},
                      Entry{"bge-small", "bge-small/bge-small-en-v1.5.onnx", {0.8433, 0.8649}},
                      Entry{"ncf-gmf", "ncf-movielens/gmf.onnx", {std::nullopt, 0.6351, 0.3672}},
                      Entry{"ncf-mlp", "ncf-movielens/mlp.onnx", {std::nullopt, 0.6692, 0.3926}},
                      Entry{"basic-pitch-onnx", "basic-pitch/nmp.onnx", {0.9289}},
                      Entry{"magika", "magika/model.onnx", {1.0}}),
    [](const auto& info) {
      std::string name = info.param.data;
      std::replace(name.begin(), name.end(), '-', '_');
      return name;
    });

}  // namespace
}  // namespace lapis
