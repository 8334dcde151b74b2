// .npy files and dataset descriptions, good and bad.
#include "tuning/data/dataset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <random>

#include "tuning/data/npy.h"

namespace lapis {
namespace {

namespace fs = std::filesystem;
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
  ASSERT_EQ(some.size(), 4);
  for (int64_t i = 0; i < 4; ++i) {
    EXPECT_EQ(some.label(i)->as_int(0), (std::vector<int64_t>{0, 2, 5, 7}[static_cast<size_t>(i)]));
    EXPECT_EQ(some.sample(i)->at("x").as_int(0), some.label(i)->as_int(0));
  }
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
  write("lines.txt", "a\nb\nc\n");
  const std::string x = "inputs: [{name: x, npy: three.npy}]\n", top1 = "metric: {name: top1}\n",
                    images = "inputs: [{name: x, images: {npy: three.npy}}]\n";
  for (const auto& [yaml, message] : std::vector<std::pair<std::string, std::string>>{
           {"", "inputs"},
           {"inputs: {", "not a valid dataset file"},
           {"inputs: 3", "inputs"},
           {"inputs: []", "empty"},
           {"inputs: [{npy: three.npy}]", "no name"},
           {"inputs: [3]", "must have keys"},
           {"inputs: [{name: x}]", "the input 'x' has no data"},
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
           {x + "labels: {npy: two.npy}", "2 labels for 3"},
           {x + top1 + "labels: {npy: floats.npy}", "integers"},
           {x + top1 + "labels: {npy: negative.npy}", "sample 1 has the label -1"},
           {x + top1, "needs `labels`"},
           {x + "metric: {name: f1}\nlabels: {lines: lines.txt}", "labels that are numbers"},
           {x + "labels: {}", "`labels` has no data"},
           {x + "labels: {file_name_digits: some}", "`file_name_digits` must be a whole number, got 'some'"},
           {x + "labels: {file_name_digits: 0}", "between 1 and 18"},
           {x + "metric: {output: y}", "`metric` has no name"},
           {x + "metric: {name: top4}", "did you mean 'top1'"},
           {x + "metric: {name: cosine_pearson, scores: scores.npy}", "2 scores for 3 samples"},
           {x + "metric: {name: cosine_pearson, scores: text.npy}", "must be numbers"},
           {"inputs: [{name: x, npy: three.npy, transforms: 3}]", "must be a list"},
           {"inputs: [{name: x, npy: three.npy, transforms: [{crop: 1, cast: 2}]}]",
            "one name, or one name and its options"},
           {"inputs: [{name: x, npy: three.npy, transforms: [resise]}]", "did you mean 'resize'"},
           {"inputs: [{name: x, npy: three.npy, transforms: [resize]}]", "data.yaml:1: error: `resize` needs `size`"},
           {"inputs: [{name: x, npy: three.npy, transforms: [{resize: {size: 3, filtre: nearest}}]}]",
            "did you mean 'filter'"},
           {"inputs: [{name: x, npy: three.npy, transforms: [{resize: {size: 3, filter: sinc}}]}]",
            "unknown filter 'sinc'"},
           {"inputs: [{name: x, npy: three.npy, transforms: [{cast: float33}]}]", "no type 'float33'"},
           {"inputs: [{name: x, npy: three.npy, transforms: [{transpose: [0, 0]}]}]", "name each axis"},
           {"inputs: [{name: x, npy: three.npy, transforms: [{transpose: [0, 2, 1]}]}]", "sample 0 of input 'x'"},
           {"inputs: [{name: x, npy: three.npy, transforms: [{reshape: [3]}]}]", "cannot take the shape"},
           {"inputs: [{name: x, npy: three.npy, transforms: [{reshape: [-1, -1]}]}]", "more than one -1"},
           {"inputs: [{name: x, npy: three.npy, transforms: [{center_crop: 3}]}]", "smaller than the centre crop"},
           {"inputs: [{name: x, npy: three.npy, transforms: [{crop: [1, 1, 2, 2]}]}]", "inside of the picture"},
           {"inputs: [{name: x, npy: three.npy, transforms: [{pad: {before: [1]}}]}]", "different lengths"},
           {"inputs: [{name: x, npy: three.npy, transforms: [{pad: [1, 1]}]}]", "larger than `to`"},
           {"inputs: [{name: x, npy: three.npy, transforms: [{pad: {value: 1}}]}]", "needs `to`"},
           {"inputs: [{name: x, npy: floats.npy, transforms: [unpack_bits]}]", "needs bytes"},
           {"inputs: [{name: x, npy: three.npy, transforms: [{repeat: {times: 0}}]}]", "between 1 and"},
           {"inputs: [{name: x, images: {npy: three.npy}, scale: 2, transforms: []}]",
            "`scale` is short for a transform"},
           {"inputs: [{name: x, constant: 1}]", "all are constants"},
           {"inputs: [{name: x, constant: {shape: [2]}}]", "needs `value`"},
           {"inputs: [{name: x, lines: lines.txt, windows: {size: 1, step: 1}}]", "one long array"},
           {"inputs: [{name: x, npy: three.npy, windows: {size: 4, step: 1}}]", "does not fit"},
           {"inputs: [{name: x, npy: three.npy, windows: {size: 2}}]", "`windows` needs `step`"},
           {"inputs: [{name: x, npz: {file: three.npy, array: a}}]", "not a zip archive"},
           {x + "labels: {npy: three.npy, grouped: true}", "`grouped` needs"},
           {x + "labels: {folders: true}", "no input comes from files"},
           {x + "metric: [{name: top1}, {name: f2}]", "unknown metric 'f2'"},
           {x + "metric: {name: hit_rate, k: 0}", "between 1 and"},
           {x + "metric: {name: cosine_pearson}", "needs `scores`"},
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
    const int64_t pairs = some.size() / 2;
    EXPECT_EQ(some.size() % 2, 0);
    EXPECT_EQ(pairs, std::max<int64_t>(2, samples / 2));
    for (int64_t i = 0; i < pairs; ++i) {
      EXPECT_EQ(static_cast<double>(some.sample(i)->at("x").as_int(0)), some.label(i)->as_double(0));
      EXPECT_EQ(*some.label(i), *some.label(i + pairs));
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

// ---- formats and what is done to their samples ----------------------------------------------------------------------

TEST_F(Data, WindowsOverlapAndBeginWithSilence) {
  save("a.npy", Tensor::vector<int16_t>({1, 2, 3, 4, 5, 6, 7}));
  const auto d =
      Dataset::load(write("d.yaml", "inputs: [{name: x, npy: a.npy, windows: {size: 3, step: 2, before: 1}}]"));
  ASSERT_TRUE(d.ok()) << to_string(d.diagnostics());
  ASSERT_EQ(d->size(), 3) << "the seventh element fills no window";
  EXPECT_EQ(d->sample(0)->at("x"), Tensor::of<int16_t>({1, 3}, {0, 1, 2}));
  EXPECT_EQ(d->sample(1)->at("x"), Tensor::of<int16_t>({1, 3}, {2, 3, 4}));
  EXPECT_EQ(d->sample(2)->at("x"), Tensor::of<int16_t>({1, 3}, {4, 5, 6}));
}

TEST_F(Data, InputsWithoutASampleDimension) {
  save("user.npy", Tensor::vector<int32_t>({7, 8}));
  save("items.npy", Tensor::of<int16_t>({2, 3}, {1, 2, 3, 4, 5, 6}));
  const auto d = Dataset::load(write("d.yaml", R"(
inputs:
  - {name: user, npy: user.npy, transforms: [{cast: int64}, {repeat: 3}], batch: false}
  - {name: item, npy: items.npy, transforms: [{cast: int64}], batch: false}
  - {name: rate, constant: {value: 8000, dtype: int64}, batch: false}
  - {name: state, constant: {value: 0.5, shape: [2, 1]}, batch: false, carry: next}
)"));
  ASSERT_TRUE(d.ok()) << to_string(d.diagnostics());
  const Feeds feeds = *d->sample(1);
  EXPECT_EQ(feeds.at("user"), Tensor::vector<int64_t>({8, 8, 8}));
  EXPECT_EQ(feeds.at("item"), Tensor::vector<int64_t>({4, 5, 6}));
  EXPECT_EQ(feeds.at("rate"), Tensor::scalar<int64_t>(8000));
  EXPECT_EQ(feeds.at("state"), Tensor::of<float>({2, 1}, {0.5, 0.5}));
  ASSERT_EQ(d->carried().size(), 1u);
  EXPECT_EQ(d->carried()[0].output, "next");
}

TEST_F(Data, CarriedStateKeepsSamplesInARow) {
  save("a.npy", Tensor::vector<int32_t>({0, 1, 2, 3, 4, 5}));
  const auto d = Dataset::load(write("d.yaml", "inputs: [{name: x, npy: a.npy}, {name: s, constant: 0, carry: s2}]"));
  ASSERT_TRUE(d.ok()) << to_string(d.diagnostics());
  EXPECT_EQ(d->limited_to(3).sample(2)->at("x").as_int(0), 2);
}

TEST_F(Data, LabelsOfManyKinds) {
  save("x.npy", Tensor(DType::Float32, {2, 1}));
  save("boxes.npy", Tensor::of<int32_t>({3, 5}, {1, 1, 2, 3, 4, 0, 5, 6, 7, 8, 1, 9, 9, 9, 9}));
  save("bits.npy", Tensor::of<uint8_t>({2, 1}, {0xA0, 0x01}));
  write("lines.txt", "one\r\nzwei \xC3\xA4\n");
  const std::string x = "inputs: [{name: x, npy: x.npy}]\n";
  const auto loaded = [&](const std::string& rest) {
    auto d = Dataset::load(write("d.yaml", x + rest));
    EXPECT_TRUE(d.ok()) << to_string(d.diagnostics());
    return *std::move(d);
  };
  const Dataset boxes = loaded("labels: {npy: boxes.npy, grouped: true}\nmetric: {name: map_box_f1}");
  EXPECT_EQ(*boxes.label(0), Tensor::of<int32_t>({1, 4}, {5, 6, 7, 8}));
  EXPECT_EQ(*boxes.label(1), Tensor::of<int32_t>({2, 4}, {1, 2, 3, 4, 9, 9, 9, 9}));
  const Dataset bits = loaded("labels: {npy: bits.npy, transforms: [unpack_bits]}\nmetric: {name: dice}");
  EXPECT_EQ(*bits.label(0), Tensor::vector<uint8_t>({1, 0, 1, 0, 0, 0, 0, 0}));
  const Dataset lines = loaded("labels: {lines: lines.txt}\nmetric: {name: ctc_exact, charset: lines.txt}");
  EXPECT_EQ(lines.label(1)->string_data()[0], "zwei \xC3\xA4");
}

TEST_F(Data, FoldersAreClasses) {
  const std::string pixel = *read_file(Path(LAPIS_SOURCE_DIR) / "tests/tuning/data/2x1.png");
  for (const char* folder : {"cat", "ant", "bee"}) fs::create_directories(folder_ / "all" / folder);
  write("all/cat/1.png", pixel), write("all/ant/2.png", pixel), write("all/bee/1.png", pixel),
      write("all/ant/1.png", pixel);
  const auto d =
      Dataset::load(write("d.yaml", "inputs: [{name: x, folder: all}]\nlabels: {folders: true}\nmetric: {name: top1}"));
  ASSERT_TRUE(d.ok()) << to_string(d.diagnostics());
  ASSERT_EQ(d->size(), 4);
  for (int64_t i = 0; i < 4; ++i)
    EXPECT_EQ(d->label(i)->as_int(0), (std::vector<int64_t>{0, 0, 1, 2}[static_cast<size_t>(i)]));
  EXPECT_EQ(d->sample(0)->at("x"), Tensor::of<uint8_t>({1, 1, 2, 3}, {255, 0, 0, 0, 128, 255})) << "RGB";
}

TEST_F(Data, NpzArchivesOfNumpy) {
  for (const char* file : {"stored.npz", "deflated.npz"}) {
    const Path archive = Path(LAPIS_SOURCE_DIR) / "tests/tuning/data" / file;
    EXPECT_EQ(*read_npz(archive, "a"), Tensor::of<float>({2, 3}, {0, 1, 2, 3, 4, 5})) << file;
    EXPECT_EQ(*read_npz(archive, "labels"), Tensor::vector<int64_t>({3, 1})) << file;
    const auto missing = read_npz(archive, "label");
    ASSERT_FALSE(missing.ok());
    EXPECT_THAT(to_string(missing.diagnostics()), HasSubstr("did you mean 'labels'"));
    const std::string good = *read_file(archive);
    const auto damaged = [&](const std::string& text) {
      std::ofstream(folder_ / "bad.npz", std::ios::binary) << text;  // write_file would sync each
      return folder_ / "bad.npz";
    };
    std::mt19937 random(1);
    for (size_t at = 0; at < good.size(); ++at) {  // none of them crashes, and no size is believed
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ (1 << random() % 8));
      const auto t = read_npz(damaged(bad), "a");
      if (t.ok()) EXPECT_LE(t->bytes(), 24);
      EXPECT_FALSE(read_npz(damaged(good.substr(0, at)), "a").ok());
    }
  }
}

}  // namespace
}  // namespace lapis
