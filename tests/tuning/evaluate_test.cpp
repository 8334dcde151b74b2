// measure_accuracy: several metrics, state, reference models, and programs that answer.
#include "tuning/evaluate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cmath>

#include "tuning/data/npy.h"
#include "tuning/process.h"

namespace lapis {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

// A model as a function, in the way of tests that need no compiler.
class Function final : public Runner {
 public:
  using F = std::function<std::vector<Tensor>(const std::vector<Tensor>&)>;
  Function(std::vector<IoInfo> inputs, std::vector<IoInfo> outputs, F f)
      : inputs_(std::move(inputs)), outputs_(std::move(outputs)), f_(std::move(f)) {}
  const std::vector<IoInfo>& inputs() const override { return inputs_; }
  const std::vector<IoInfo>& outputs() const override { return outputs_; }
  Result<std::vector<Tensor>> run(const std::vector<Tensor>& inputs) override { return f_(inputs); }

 private:
  std::vector<IoInfo> inputs_, outputs_;
  F f_;
};

IoInfo io(const std::string& name, const Shape& shape) {
  IoInfo info;
  info.name = name;
  info.dtype = DType::Float32;
  info.shape = shape;
  return info;
}

// y = x * factor, [1, 2]
Function scaling(float factor) {
  return Function({io("x", {1, 2})}, {io("y", {1, 2})}, [factor](const std::vector<Tensor>& in) {
    Tensor y = in[0];
    for (float& v : y.mutable_data<float>()) v *= factor;
    return std::vector<Tensor>{y};
  });
}

class Evaluate : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(folder_);
    EXPECT_TRUE(write_npy(folder_ / "x.npy", Tensor::of<float>({3, 2}, {1, 2, 5, 4, 0, 1})).ok());
    EXPECT_TRUE(write_npy(folder_ / "y.npy", Tensor::vector<int64_t>({1, 1, 1})).ok());
  }
  void TearDown() override { fs::remove_all(folder_); }
  Path write(const std::string& name, const std::string& text) const {
    EXPECT_TRUE(write_file(folder_ / name, std::string_view(text)).ok());
    return folder_ / name;
  }
  Dataset data(const std::string& rest, const DatasetTables& tables = {}) const {
    auto d = Dataset::load(write("d.yaml", "inputs: [{name: x, npy: x.npy}]\n" + rest), tables);
    EXPECT_TRUE(d.ok()) << to_string(d.diagnostics());
    return *std::move(d);
  }
  std::string errors_of(const std::string& rest) const {
    Function model = scaling(1);
    const auto a = measure_accuracy(model, data(rest));
    return a.ok() ? "" : to_string(a.diagnostics());
  }
  const Path folder_ = fs::temp_directory_path() / ("lapis_evaluate_" + std::to_string(::getpid()));
};

TEST_F(Evaluate, GivesEveryMetricOfTheFile) {
  Function model = scaling(1);
  const auto a = measure_accuracy(model, data("labels: {npy: y.npy}\nmetric: [{name: top1}, {name: class_f1}]"));
  ASSERT_TRUE(a.ok()) << to_string(a.diagnostics());
  EXPECT_EQ(a->metric, "top1");
  EXPECT_NEAR(a->value, 2.0 / 3, 1e-12);
  EXPECT_EQ(a->scores, (std::vector<double>{1, 0, 1}));
  ASSERT_EQ(a->others.size(), 1u);
  EXPECT_EQ(a->others[0].metric, "class_f1");
  EXPECT_NEAR(a->others[0].value, 0.8, 1e-12);
  EXPECT_EQ(a->milliseconds.size(), 3u);
}

TEST_F(Evaluate, SaysWhatIsMissing) {
  EXPECT_THAT(errors_of(""), HasSubstr("names no metric"));
  EXPECT_THAT(errors_of("labels: {npy: y.npy}\nmetric: {name: top1, output: z}"), HasSubstr("no output 'z'"));
  EXPECT_THAT(errors_of("labels: {npy: y.npy}\nmetric: {name: sqnr}"), HasSubstr("--against"));
  EXPECT_THAT(errors_of("labels: {npy: y.npy}\nmetric: {name: coco_map}"), HasSubstr("reads 3 outputs"));
}

TEST_F(Evaluate, ComparesWithAnotherModel) {
  Function model = scaling(1.01F), reference = scaling(1);
  const Dataset d = data("metric: [{name: sqnr}, {name: agreement}]");
  const auto a = measure_accuracy(model, d, {}, &reference);
  ASSERT_TRUE(a.ok()) << to_string(a.diagnostics());
  EXPECT_NEAR(a->value, 40, 0.01);
  EXPECT_EQ(a->others[0].value, 1);
  EXPECT_EQ(measure_accuracy(model, d, {}, &model)->value, 200) << "with itself";
}

// sum' = sum + x; the output is the sum.
TEST_F(Evaluate, CarriesStateFromSampleToSample) {
  Function model({io("x", {1, 2}), io("s", {1, 2})}, {io("sum", {1, 2})}, [](const std::vector<Tensor>& in) {
    Tensor sum = in[1];
    for (size_t i = 0; i < 2; ++i) sum.mutable_data<float>()[i] += in[0].data<float>()[i];
    return std::vector<Tensor>{sum};
  });
  EXPECT_TRUE(write_npy(folder_ / "sums.npy", Tensor::of<float>({3, 2}, {1, 2, 6, 6, 6, 7})).ok());
  const auto d =
      Dataset::load(write("s.yaml",
                          "inputs: [{name: x, npy: x.npy}, {name: s, constant: {value: 0, shape: [2]}, carry: sum}]\n"
                          "labels: {npy: sums.npy}\nmetric: {name: mae}"));
  ASSERT_TRUE(d.ok()) << to_string(d.diagnostics());
  const auto a = measure_accuracy(model, *d);
  ASSERT_TRUE(a.ok()) << to_string(a.diagnostics());
  EXPECT_EQ(a->value, 0);
  EXPECT_FALSE(a->higher_is_better);
  const auto open = [&]() -> OpenedRunner { return std::unique_ptr<Runner>(std::make_unique<Function>(model)); };
  const auto alone = calibration_samples(*d, 2, open);  // samples 0 and 1 of 3
  ASSERT_TRUE(alone.ok()) << to_string(alone.diagnostics());
  ASSERT_EQ(alone->size(), 2);
  EXPECT_EQ(alone->sample(1)->at("x"), Tensor::of<float>({1, 2}, {5, 4}));
  EXPECT_EQ(alone->sample(1)->at("s"), Tensor::of<float>({1, 2}, {1, 2}));
  EXPECT_EQ(calibration_samples(*d, 0, open)->sample(2)->at("s"), Tensor::of<float>({1, 2}, {6, 6}));
}

// ---- the user's own -------------------------------------------------------------------------------------------------

class Largest final : public Metric {
 public:
  Status add(const Observation& seen) override {
    value_ = std::max(value_, seen.outputs[0].as_double(0));
    return ok();
  }
  Result<double> value() const override { return value_; }
  int64_t unusable() const override { return 0; }

 private:
  double value_ = 0;
};

TEST_F(Evaluate, TakesRowsOfPrograms) {
  DatasetTables tables;
  tables.metrics.push_back({.name = "largest",
                            .doc = "the largest first number",
                            .make = [](const MetricSetup&) -> Result<std::unique_ptr<Metric>> {
                              return std::unique_ptr<Metric>(std::make_unique<Largest>());
                            }});
  Function model = scaling(2);
  EXPECT_EQ(measure_accuracy(model, data("metric: {name: largest}", tables))->value, 10);
}

const std::string kEcho = R"([sh, -c, 'while read -r line; do echo "{\"score\": 0.25}"; done'])";

TEST_F(Evaluate, AsksAProgramForScores) {
  Function model = scaling(1);
  const auto a =
      measure_accuracy(model, data("metric: {name: process, lower_is_better: true, command: " + kEcho + "}"));
  ASSERT_TRUE(a.ok()) << to_string(a.diagnostics());
  EXPECT_EQ(a->value, 0.25);
  EXPECT_EQ(a->scores.size(), 3u);
  EXPECT_FALSE(a->higher_is_better);
}

TEST_F(Evaluate, AProgramThatFailsIsALocatedError) {
  const auto metric = [](const std::string& script, const std::string& rest = "") {
    return "metric: {name: process, command: [sh, -c, '" + script + "']" + rest + "}";
  };
  EXPECT_THAT(errors_of(metric("exit 3")), HasSubstr("ended with code 3"));
  EXPECT_THAT(errors_of(metric("kill -9 $$")), HasSubstr("signal 9"));
  EXPECT_THAT(errors_of(metric("read -r x; echo nonsense; sleep 9")),
              HasSubstr("sample 0: the process answered with a line that is no JSON object: nonsense"));
  EXPECT_THAT(errors_of(metric(R"(read -r x; echo "{\"error\": \"no such class\"}"; sleep 9)")),
              HasSubstr("d.yaml:2: error: sample 0: the process says: no such class"));
  EXPECT_THAT(errors_of("metric: {name: process, command: [/no/such/program]}"), HasSubstr("no such program"));
  EXPECT_THAT(errors_of(metric(R"(while read -r x; do echo "{}"; done)")), HasSubstr("{\"value\": number}"));
  const auto start = std::chrono::steady_clock::now();
  EXPECT_THAT(errors_of(metric("sleep 60 & sleep 60", ", seconds: 0.2")), HasSubstr("gave no answer"));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20)) << "what hangs is ended";
}

TEST_F(Evaluate, AsksAProgramForSamples) {
  const std::string script =
      R"(while read -r line; do case "$line" in *open*) echo "{\"size\": 2}";; *) echo "{\"dtype\": \"float32\", \"shape\": [2], \"data\": [1, null]}";; esac; done)";
  const auto d = Dataset::load(write("p.yaml", "inputs: [{name: x, process: {command: [sh, -c, '" + script + "']}}]"));
  ASSERT_TRUE(d.ok()) << to_string(d.diagnostics());
  EXPECT_EQ(d->size(), 2);
  const Tensor x = d->sample(1)->at("x");
  EXPECT_EQ(x.shape(), (Shape{1, 2}));
  EXPECT_EQ(x.as_double(0), 1);
  EXPECT_TRUE(std::isnan(x.as_double(1)));
  const auto wrong = Dataset::load(
      write("p.yaml", "inputs: [{name: x, process: {command: [sh, -c, 'while read -r l; do echo \"{}\"; done']}}]"));
  ASSERT_FALSE(wrong.ok());
  EXPECT_THAT(to_string(wrong.diagnostics()), HasSubstr("{\"size\": number of samples}"));
}

// More than a pipe holds, in both directions at once.
TEST(Process, LongLines) {
  const auto process = Process::start({"cat"}, "here", 20);
  ASSERT_TRUE(process.ok());
  const std::string line(3 << 20, 'x');
  for (int i = 0; i < 2; ++i) {
    const auto answer = (*process)->ask(line);
    ASSERT_TRUE(answer.ok()) << to_string(answer.diagnostics());
    EXPECT_EQ(*answer, line);
  }
}

}  // namespace
}  // namespace lapis
