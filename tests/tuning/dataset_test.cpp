// .npy files and dataset descriptions, good and bad.
#include "tuning/data/dataset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <random>

#include "tuning/data/npy.h"

namespace lapis {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Data : public ::testing::Test {
 protected:
  void SetUp() override { fs::create_directories(folder_); }
  void TearDown() override { fs::remove_all(folder_); }
  Path write(const std::string& name, const std::string& text) const {
    EXPECT_TRUE(write_file(folder_ / name, std::string_view(text)).ok());
    return folder_ / name;
  }
  Path save(const std::string& name, const Tensor& t) const {
    EXPECT_TRUE(write_npy(folder_ / name, t).ok());
    return folder_ / name;
  }
  std::string errors_of(const std::string& yaml) const {
    const auto dataset = Dataset::load(write("data.yaml", yaml));
    return dataset.ok() ? "" : to_string(dataset.diagnostics());
  }
  const Path folder_ = fs::temp_directory_path() / ("lapis_data_" + std::to_string(::getpid()));
};

TEST_F(Data, NpyRoundTripsEveryTypeThatNumpyHas) {
  for (const DType dtype : {DType::Float32, DType::Float64, DType::Float16, DType::UInt8, DType::Int8, DType::UInt16,
                            DType::Int16, DType::UInt32, DType::Int32, DType::UInt64, DType::Int64, DType::Bool}) {
    for (const Shape& shape : {Shape{}, Shape{5}, Shape{2, 3}, Shape{0, 4}, Shape{1, 2, 3, 4, 5, 6}}) {
      Tensor t(dtype, shape);
      for (int64_t i = 0; i < t.bytes(); ++i) t.mutable_raw()[i] = std::byte{static_cast<uint8_t>(i % 2)};
      const auto read = read_npy(save("t.npy", t));
      ASSERT_TRUE(read.ok()) << to_string(read.diagnostics());
      EXPECT_EQ(*read, t) << name_of(dtype) << to_string(shape);
    }
  }
  EXPECT_FALSE(write_npy(folder_ / "s.npy", Tensor::strings({1}, {"x"})).ok());
  EXPECT_FALSE(write_npy(folder_ / "s.npy", Tensor(DType::Int4, {2})).ok());
  EXPECT_FALSE(fs::exists(folder_ / "s.npy"));
}

TEST_F(Data, DamagedNpyFilesAreRefused) {
  const std::string good = *read_file(save("t.npy", Tensor::vector<float>({1, 2, 3})));
  for (size_t size = 0; size < good.size(); ++size)
    EXPECT_FALSE(read_npy(write("t.npy", good.substr(0, size))).ok()) << size;
  std::mt19937 random(1);
  for (size_t at = 0; at < good.size(); ++at) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ (1 << random() % 8));
    const auto t = read_npy(write("t.npy", bad));
    if (t.ok()) EXPECT_LE(t->bytes(), 12) << "more bytes than the file has, byte " << at;
  }
  for (const auto& [from, to] :
       {std::pair<std::string, std::string>{"<f4", ">f4"}, {"False", "True "}, {"(3,)", "(-3)"}, {"(3,)", "(x,)"}}) {
    std::string bad = good;
    bad.replace(bad.find(from), from.size(), to);
    EXPECT_FALSE(read_npy(write("t.npy", bad)).ok()) << to;
  }
}

TEST_F(Data, ImagesAreDeliveredAsTheModelTakesThem) {
  save("images.npy", Tensor::of<uint8_t>({1, 1, 2, 3}, {0, 1, 2, 128, 250, 255}));
  const std::string images = "inputs: [{name: x, images: {npy: images.npy}, deliver: NHWC, dtype: ";
  const auto sample = [&](const std::string& rest) {
    const auto dataset = Dataset::load(write("data.yaml", images + rest + "}]\n"));
    EXPECT_TRUE(dataset.ok()) << to_string(dataset.diagnostics());
    return dataset->sample(0)->at("x");
  };
  EXPECT_EQ(sample("float32, scale: 2"), Tensor::of<float>({1, 1, 2, 3}, {0, 2, 4, 256, 500, 510}));
  EXPECT_EQ(sample("int8, mean: [128]"), Tensor::of<int8_t>({1, 1, 2, 3}, {-128, -127, -126, 0, 122, 127}));
  EXPECT_EQ(sample("int8, scale: 0.5"), Tensor::of<int8_t>({1, 1, 2, 3}, {0, 0, 1, 64, 125, 127}));
  EXPECT_EQ(sample("uint8, scale: 2, mean: [2]"), Tensor::of<uint8_t>({1, 1, 2, 3}, {0, 0, 2, 254, 255, 255}));
}

TEST_F(Data, ImagesAreNormalizedChannelsFirst) {
  save("images.npy", Tensor::of<uint8_t>({2, 1, 2, 3}, {10, 20, 30, 40, 50, 60, 0, 0, 0, 255, 255, 255}));
  const auto dataset = Dataset::load(
      write("d.yaml", "inputs: [{name: x, images: {npy: images.npy}, scale: 0.5, mean: [1, 2, 3], std: [1, 2, 4]}]"));
  ASSERT_TRUE(dataset.ok()) << to_string(dataset.diagnostics());
  EXPECT_EQ(dataset->size(), 2);
  const Feeds feeds = *dataset->sample(0);
  EXPECT_EQ(feeds.at("x"), Tensor::of<float>({1, 3, 1, 2}, {4, 19, 4, 11.5, 3, 6.75}));
}

TEST_F(Data, TablesAreConcatenatedAndZipped) {
  save("a.npy", Tensor::of<int64_t>({2, 2}, {1, 2, 3, 4}));
  save("b.npy", Tensor::of<int64_t>({1, 2}, {5, 6}));
  save("m.npy", Tensor::of<float>({3, 1}, {0.5, 1.5, 2.5}));
  const auto dataset =
      Dataset::load(write("d.yaml", "inputs: [{name: ids, npy: [a.npy, b.npy]}, {name: m, npy: m.npy}]"));
  ASSERT_TRUE(dataset.ok()) << to_string(dataset.diagnostics());
  ASSERT_EQ(dataset->size(), 3);
  EXPECT_EQ(dataset->sample(1)->at("ids"), Tensor::of<int64_t>({1, 2}, {3, 4}));
  EXPECT_EQ(dataset->sample(2)->at("ids"), Tensor::of<int64_t>({1, 2}, {5, 6}));
  EXPECT_EQ(dataset->sample(2)->at("m"), Tensor::of<float>({1, 1}, {2.5}));
}

TEST_F(Data, LimitsSpreadEvenlyAndKeepLabelsAligned) {
  Tensor rows(DType::Int32, {10, 1});
  Tensor labels(DType::Int64, {10});
  for (int i = 0; i < 10; ++i) {
    rows.mutable_data<int32_t>()[static_cast<size_t>(i)] = i;
    labels.mutable_data<int64_t>()[static_cast<size_t>(i)] = i;
  }
  save("x.npy", rows);
  save("y.npy", labels);
  const auto whole =
      Dataset::load(write("d.yaml", "inputs: [{name: x, npy: x.npy}]\nlabels: {npy: y.npy}\nmetric: {name: top1}"));
  ASSERT_TRUE(whole.ok()) << to_string(whole.diagnostics());
  const Dataset some = whole->limited_to(4);
  EXPECT_THAT(some.metric().labels, ElementsAre(0, 2, 5, 7));
  for (int64_t i = 0; i < 4; ++i)
    EXPECT_EQ(some.sample(i)->at("x").as_int(0), some.metric().labels[static_cast<size_t>(i)]);
  EXPECT_EQ(whole->limited_to(0).size(), 10);
  EXPECT_EQ(whole->limited_to(99).size(), 10);
}

TEST_F(Data, CalibrationImagesAreOthers) {
  save("test.npy", Tensor(DType::UInt8, {3, 2, 2}));
  save("train.npy", Tensor::of<uint8_t>({1, 2, 2}, {8, 8, 8, 8}));
  const auto dataset = Dataset::load(
      write("d.yaml", "inputs: [{name: x, images: {npy: test.npy}, scale: 0.25}]\ncalibration: {npy: train.npy}"));
  ASSERT_TRUE(dataset.ok()) << to_string(dataset.diagnostics());
  EXPECT_EQ(dataset->size(), 3);
  EXPECT_EQ(dataset->calibration().size(), 1);
  EXPECT_EQ(dataset->calibration().sample(0)->at("x"), Tensor::of<float>({1, 1, 2, 2}, {2, 2, 2, 2}))
      << "normalized alike";
}

// Each of these was once a setting without effect, a crash, or a message about something else.
TEST_F(Data, BadDescriptionsSayWhatIsWrong) {
  save("three.npy", Tensor(DType::UInt8, {3, 2, 2}));
  save("two.npy", Tensor(DType::UInt8, {2, 2, 2}));
  save("none.npy", Tensor(DType::UInt8, {0, 2, 2}));
  save("floats.npy", Tensor(DType::Float32, {3, 2, 2}));
  save("rgb.npy", Tensor(DType::UInt8, {3, 2, 2, 3}));
  save("negative.npy", Tensor::vector<int64_t>({0, -1, 2}));
  save("scores.npy", Tensor::vector<float>({1, 2}));
  save("text.npy", Tensor(DType::Bool, {3}));
  const std::string x = "inputs: [{name: x, npy: three.npy}]\n",
                    images = "inputs: [{name: x, images: {npy: three.npy}}]\n";
  for (const auto& [yaml, message] : std::vector<std::pair<std::string, std::string>>{
           {"", "inputs"},
           {"inputs: {", "not a valid dataset file"},
           {"inputs: 3", "inputs"},
           {"inputs: []", "empty"},
           {"inputs: [{npy: three.npy}]", "no name"},
           {"inputs: [3]", "must have keys"},
           {"inputs: [{name: x}]", "needs `npy` or `images`"},
           {"inputs: [{name: x, npy: three.npy, images: {npy: three.npy}}]", "which of them"},
           {"inputs: [{name: x, npy: gone.npy}]", "gone.npy"},
           {"inputs: [{name: x, npy: []}]", "names no file"},
           {"inputs: [{name: x, npy: none.npy}]", "no samples"},
           {"inputs: [{name: x, npy: [three.npy, floats.npy]}]", "does not continue"},
           {"inputs: [{name: x, npy: three.npy}, {name: x, npy: three.npy}]", "two entries of `inputs` are named 'x'"},
           {"inputs: [{name: x, npy: three.npy, scale: 2}]", "`scale` changes images"},
           {"inputs: [{name: x, images: {}}]", "needs `npy` or `folder`"},
           {"inputs: [{name: x, images: {npy: three.npy, folder: .}}]", "which of them"},
           {"inputs: [{name: x, images: {npy: none.npy}}]", "has no images"},
           {"inputs: [{name: x, images: {npy: floats.npy}}]", "must be uint8"},
           {"inputs: [{name: x, images: {folder: gone}}]", "gone"},
           {"inputs: [{name: x, images: {npy: three.npy}, deliver: NHW}]", "known are NCHW, NHWC"},
           {"inputs: [{name: x, images: {npy: three.npy}, dtype: int16}]", "known are float32, uint8, int8"},
           {"inputs: [{name: x, npy: three.npy, deliver: NHWC}]", "rows of `npy` are fed as they are"},
           {"inputs: [{name: x, images: {npy: three.npy, layout: NCHW}}]", "known are NHW, NHWC"},
           {"inputs: [{name: x, images: {npy: three.npy, layout: NHWC}}]", "[N,H,W,C]"},
           {"inputs: [{name: x, images: {npy: three.npy, center_crop: 2}}]", "`center_crop`"},
           {"inputs: [{name: x, images: {folder: ., center_crop: 0}}]", "between 1 and"},
           {"inputs: [{name: x, images: {folder: ., center_crop: -3}}]", "between 1 and"},
           {"inputs: [{name: x, images: {folder: ., center_crop: big}}]", "must be a whole number, got 'big'"},
           {"inputs: [{name: x, images: {npy: three.npy}, resize: 3}]", "unknown key `resize`"},
           {"inputs: [{name: x, npy: three.npy}, {name: y, npy: two.npy}]", "different numbers"},
           {"inputs: [{name: x, images: {npy: three.npy}, scale: red}]", "`scale` must be a number, got 'red'"},
           {"inputs: [{name: x, images: {npy: three.npy}, scale: .nan}]", "`scale` cannot be"},
           {"inputs: [{name: x, images: {npy: three.npy}, std: [0]}]", "`std` cannot be 0"},
           {"inputs: [{name: x, images: {npy: three.npy}, mean: []}]", "`mean` is empty"},
           {"inputs: [{name: x, images: {npy: rgb.npy}, mean: [1, 2]}]", "2 numbers for 3 channels"},
           {x + "labels: {npy: two.npy}", "8 labels for 3"},
           {x + "labels: {npy: floats.npy}", "integers"},
           {x + "labels: {npy: negative.npy}", "sample 1 has the label -1"},
           {x + "labels: {}", "needs `npy` or `file_name_digits`"},
           {x + "labels: {file_name_digits: some}", "`file_name_digits` must be a whole number, got 'some'"},
           {x + "labels: {file_name_digits: 0}", "between 1 and 18"},
           {x + "metric: {output: y}", "`metric` has no name"},
           {x + "metric: {name: top4}", "did you mean 'top1'"},
           {x + "metric: {name: cosine_pearson, scores: scores.npy}", "2 scores for 3 samples"},
           {x + "metric: {name: cosine_pearson, scores: text.npy}", "must be numbers"},
           {x + "calibration: {npy: two.npy}", "no input has `images`"},
           {images + "calibraton: {npy: two.npy}", "data.yaml:2: error: unknown key `calibraton`"},
           {images + "calibraton: {npy: two.npy}", "did you mean 'calibration'?"},
           {images + "calibration: {npy: none.npy}", "has no images"},
           {images + "calibration: {npy: two.npy, layuot: NHW}", "did you mean 'layout'?"},
           {images + "calibration: {npy: two.npy}\ncalibration: {npy: three.npy}",
            "data.yaml:3: error: `calibration` stands twice"}}) {
    const std::string errors = errors_of(yaml);
    EXPECT_THAT(errors, HasSubstr(message)) << yaml;
    EXPECT_THAT(errors, HasSubstr("  hint: ")) << yaml;
  }
}

TEST_F(Data, EveryMistakeOfAFileIsReportedWithItsLine) {
  const std::string errors =
      errors_of("inputs:\n- {name: x, npy: a.npy, mean: 1}\n- {nmae: y, npy: b.npy}\nlabel: 3\nmetric: {name: top2}\n");
  for (const char* line : {"data.yaml:2: ", "data.yaml:3: ", "data.yaml:4: ", "data.yaml:5: "})
    EXPECT_THAT(errors, HasSubstr(line)) << errors;
}

// Sample i and sample i + n belong together, whatever is left out.
TEST_F(Data, LimitsKeepScoredPairsTogether) {
  Tensor rows(DType::Int32, {20, 1});
  Tensor scores(DType::Float32, {10});
  for (int i = 0; i < 20; ++i) rows.mutable_data<int32_t>()[static_cast<size_t>(i)] = i;
  for (int i = 0; i < 10; ++i) scores.mutable_data<float>()[static_cast<size_t>(i)] = static_cast<float>(i);
  save("x.npy", rows);
  save("s.npy", scores);
  const auto whole =
      Dataset::load(write("d.yaml", "inputs: [{name: x, npy: x.npy}]\nmetric: {name: cosine_pearson, scores: s.npy}"));
  ASSERT_TRUE(whole.ok()) << to_string(whole.diagnostics());
  for (const int64_t samples : {1, 4, 7, 19}) {
    const Dataset some = whole->limited_to(samples);
    const auto pairs = static_cast<int64_t>(some.metric().scores.size());
    EXPECT_EQ(some.size(), 2 * pairs);
    EXPECT_EQ(pairs, std::max<int64_t>(2, samples / 2));
    for (int64_t i = 0; i < pairs; ++i) {
      EXPECT_EQ(static_cast<double>(some.sample(i)->at("x").as_int(0)), some.metric().scores[static_cast<size_t>(i)]);
      EXPECT_EQ(some.sample(i + pairs)->at("x").as_int(0), some.sample(i)->at("x").as_int(0) + 10);
    }
  }
}

TEST_F(Data, NpyAloneIsADatasetOfItsRows) {
  const auto dataset = Dataset::from_npy(save("x.npy", Tensor::of<float>({2, 3}, {1, 2, 3, 4, 5, 6})), "x");
  ASSERT_TRUE(dataset.ok());
  EXPECT_EQ(dataset->sample(1)->at("x"), Tensor::of<float>({1, 3}, {4, 5, 6}));
  EXPECT_FALSE(Dataset::from_npy(save("none.npy", Tensor(DType::Float32, {0, 3})), "x").ok());
  EXPECT_FALSE(Dataset::from_npy(save("scalar.npy", Tensor::scalar(1.F)), "x").ok());
}

}  // namespace
}  // namespace lapis
