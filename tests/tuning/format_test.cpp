// Formats of files, good and damaged.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <fstream>
#include <random>

#include "tuning/data/dataset.h"
#include "tuning/data/npy.h"

namespace lapis {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

const Path kData = Path(LAPIS_SOURCE_DIR) / "tests/tuning/data";

std::string bytes(const std::vector<int>& values) {
  std::string text;
  for (const int v : values) text += static_cast<char>(v);
  return text;
}

class Formats : public ::testing::Test {
 protected:
  void SetUp() override { fs::create_directories(folder_); }
  void TearDown() override { fs::remove_all(folder_); }
  Path write(const std::string& name, const std::string& text) const {
    EXPECT_TRUE(write_file(folder_ / name, std::string_view(text)).ok());
    return folder_ / name;
  }
  // `source` is an input: "idx: images".
  Result<Dataset> opened(const std::string& source, const std::string& rest = "") const {
    return Dataset::load(write("data.yaml", "inputs: [{name: x, batch: false, " + source + "}]\n" + rest));
  }
  Dataset loaded(const std::string& source, const std::string& rest = "") const {
    auto d = opened(source, rest);
    EXPECT_TRUE(d.ok()) << to_string(d.diagnostics());
    return *std::move(d);
  }
  Tensor sample(const std::string& source, int64_t i) const {
    auto feeds = loaded(source).sample(i);
    EXPECT_TRUE(feeds.ok()) << to_string(feeds.diagnostics());
    return feeds->at("x");
  }
  // Opening or reading fails with this message.
  void expect_refused(const std::string& source, const std::string& message) const {
    const auto d = opened(source);
    EXPECT_FALSE(d.ok()) << source;
    if (d.ok()) return;
    EXPECT_THAT(to_string(d.diagnostics()), HasSubstr(message)) << source;
    EXPECT_THAT(to_string(d.diagnostics()), HasSubstr("  hint: ")) << source;
  }
  // No bit of the file may crash whoever reads it.
  void expect_survives_damage(const std::string& source, const std::string& name, const std::string& good) const {
    std::mt19937 random(1);
    for (size_t at = 0; at < good.size(); ++at) {
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ (1 << random() % 8));
      for (const std::string& text : {bad, good.substr(0, at)}) {
        std::ofstream(folder_ / name, std::ios::binary) << text;  // write_file would sync each
        if (const auto d = opened(source); d.ok())
          for (int64_t i = 0; i < std::min<int64_t>(d->size(), 4); ++i) (void)d->sample(i).ok();
      }
    }
  }
  const Path folder_ = fs::temp_directory_path() / ("lapis_formats_" + std::to_string(::getpid()));
};

TEST_F(Formats, Idx) {
  const std::string images = bytes({0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 1, 2, 3, 250});
  write("images", images);
  write("labels", bytes({0, 0, 8, 1, 0, 0, 0, 2, 9, 4}));
  EXPECT_EQ(sample("idx: images", 1), Tensor::of<uint8_t>({1, 2}, {3, 250}));
  EXPECT_EQ(loaded("idx: images", "labels: {idx: labels}\nmetric: {name: top1}").label(1)->as_int(0), 4);
  write("short", images.substr(0, 19));
  expect_refused("idx: short", "3 bytes for the shape");
  expect_refused("idx: labels.gz", "labels.gz");
  write("broken.gz", "\x1f\x8b nothing");
  expect_refused("idx: broken.gz", "damaged");
  expect_survives_damage("idx: images", "images", images);
}

TEST_F(Formats, IdxGzipped) {
  EXPECT_EQ(Dataset::load(write("d.yaml", "inputs: [{name: x, idx: " + (kData / "digits.gz").string() + "}]"))
                ->sample(1)
                ->at("x"),
            Tensor::of<uint8_t>({1, 1, 2}, {3, 250}));
}

TEST_F(Formats, Cifar) {
  std::string batch;
  for (int i = 0; i < 2; ++i) {
    batch += static_cast<char>(7 + i);
    for (int plane = 0; plane < 3; ++plane) batch += std::string(1024, static_cast<char>(10 * plane + i));
  }
  write("batch.bin", batch);
  const Dataset d =
      loaded("cifar: [batch.bin, batch.bin]", "labels: {cifar: [batch.bin, batch.bin]}\nmetric: {name: top1}");
  ASSERT_EQ(d.size(), 4);
  const Tensor image = d.sample(3)->at("x");
  EXPECT_EQ(image.shape(), (Shape{32, 32, 3}));
  for (int c = 0; c < 3; ++c) EXPECT_EQ(image.as_int(5 * 3 + c), 10 * c + 1) << "channels last";
  EXPECT_EQ(d.label(2)->as_int(0), 7);
  EXPECT_EQ(d.label(3)->as_int(0), 8);
  expect_refused("cifar: {files: batch.bin, label_bytes: 2}", "records of 3074 bytes");
}

TEST_F(Formats, Csv) {
  write("a.csv", "id,tokens,\"a, b\",label\n1,101 7 102,2.5,yes\n2,\"101 102\",-1e3,no\n\n");
  EXPECT_EQ(sample("csv: {file: a.csv, columns: tokens, dtype: int64}", 0), Tensor::vector<int64_t>({101, 7, 102}));
  EXPECT_EQ(sample("csv: {file: a.csv, columns: tokens, dtype: int64}", 1), Tensor::vector<int64_t>({101, 102}));
  EXPECT_EQ(sample("csv: {file: a.csv, columns: ['a, b', id]}", 1), Tensor::vector<float>({-1000, 2}));
  EXPECT_EQ(sample("csv: {file: a.csv, columns: '2'}", 0), Tensor::scalar<float>(2.5));
  const Dataset text =
      loaded("csv: {file: a.csv, columns: id}",
             "labels: {csv: {file: a.csv, columns: label, text: true}}\nmetric: {name: ctc_exact, charset: a.csv}");
  EXPECT_EQ(text.label(1)->string_data()[0], "no");
  write("plain.csv", "1;2\n3;4\n");
  EXPECT_EQ(sample("csv: {file: plain.csv, columns: ['1'], header: false, separator: semicolon}", 1),
            Tensor::scalar<float>(4));
  write("bad.csv", "a,b\n1,2\n3\n");
  expect_refused("csv: {file: a.csv, columns: label}", "a.csv:2: error: ");
  expect_refused("csv: {file: a.csv, columns: labels}", "no column 'labels'");
  expect_refused("csv: {file: a.csv, columns: '4'}", "no column '4'");
  expect_refused("csv: {file: a.csv}", "needs `columns`");
  write("empty.csv", "a,b\n");
  expect_refused("csv: {file: empty.csv, columns: a}", "no rows");
  const auto d = loaded("csv: {file: bad.csv, columns: b}").sample(1);
  ASSERT_FALSE(d.ok());
  EXPECT_THAT(to_string(d.diagnostics()), HasSubstr("bad.csv:3: error: "));
}

TEST_F(Formats, JsonLines) {
  const std::string good =
      "{\"ids\": [1, 2], \"t\": \"one\", \"m\": [[1, 2], [3, 4]]}\n{\"ids\": [3], \"t\": \"two\", \"m\": [[true, 0], "
      "[0, 1]]}\n";
  write("a.jsonl", good);
  EXPECT_EQ(sample("jsonl: {file: a.jsonl, key: ids, dtype: int64}", 0), Tensor::vector<int64_t>({1, 2}));
  EXPECT_EQ(sample("jsonl: {file: a.jsonl, key: ids, dtype: int64}", 1), Tensor::vector<int64_t>({3}));
  EXPECT_EQ(sample("jsonl: {file: a.jsonl, key: m}", 1), Tensor::of<float>({2, 2}, {1, 0, 0, 1}));
  expect_refused("jsonl: {file: a.jsonl, key: idx}", "a.jsonl:1: error: ");
  write("ragged.jsonl", "{\"m\": [[1, 2], [3]]}\n");
  expect_refused("jsonl: {file: ragged.jsonl, key: m}", "of one length");
  write("deep.jsonl", "{\"m\": " + std::string(100, '[') + "1" + std::string(100, ']') + "}\n");
  expect_refused("jsonl: {file: deep.jsonl, key: m}", "of one length");
  expect_survives_damage("jsonl: {file: a.jsonl, key: m}", "a.jsonl", good);
}

TEST_F(Formats, RawAndDummy) {
  write("a.bin", bytes({1, 0, 2, 0, 3, 0, 255, 255}));
  EXPECT_EQ(sample("raw: {file: a.bin, shape: [2], dtype: int16}", 1), Tensor::vector<int16_t>({3, -1}));
  expect_refused("raw: {file: a.bin, shape: [3], dtype: int16}", "no whole number of samples");
  expect_refused("raw: {file: a.bin, shape: [2], dtype: string}", "cannot be string");
  const std::string dummy = "dummy: {shape: [1000], samples: 3, low: -2, high: 3";
  EXPECT_EQ(sample(dummy + "}", 1), sample(dummy + "}", 1)) << "the same whenever it is asked for";
  EXPECT_NE(sample(dummy + "}", 1), sample(dummy + "}", 2));
  EXPECT_NE(sample(dummy + "}", 1), sample(dummy + ", seed: 1}", 1));
  const auto range = [](const Tensor& t) {
    std::pair<double, double> r = {INFINITY, -INFINITY};
    for (int64_t i = 0; i < t.size(); ++i) r = {std::min(r.first, t.as_double(i)), std::max(r.second, t.as_double(i))};
    return r;
  };
  EXPECT_EQ(range(sample(dummy + ", dtype: int32}", 0)), (std::pair<double, double>{-2, 3}));
  const auto [low, high] = range(sample(dummy + "}", 0));
  EXPECT_TRUE(low >= -2 && low < -1.9 && high < 3 && high > 2.9) << low << " " << high;
  expect_refused("dummy: {shape: [2], low: 1, high: 0}", "`low` is above");
  for (const char* huge : {"dummy: {shape: [3000000000]}", "constant: {value: 1, shape: [3000000000]}",
                           "constant: {value: 1, shape: [65536, 65536]}"})
    expect_refused(huge, "larger than 2^28 elements");
}

std::string little(uint32_t value, int size) {
  std::string text;
  for (int i = 0; i < size; ++i) text += static_cast<char>(value >> 8 * i);
  return text;
}

std::string wav(int tag, int channels, int bits, const std::string& data) {
  const std::string format = little(static_cast<uint32_t>(tag), 2) + little(static_cast<uint32_t>(channels), 2) +
                             little(8000, 4) + little(0, 4) + little(0, 2) + little(static_cast<uint32_t>(bits), 2);
  return "RIFF" + little(0, 4) + "WAVEfmt " + little(16, 4) + format + "LIST" + little(3, 4) + "odd" +
         std::string(1, '\0') + "data" + little(static_cast<uint32_t>(data.size()), 4) + data;
}

TEST_F(Formats, Wav) {
  write("16.wav", wav(1, 2, 16, bytes({0, 64, 0, 192, 255, 127, 255, 127})));
  EXPECT_EQ(sample("wav: 16.wav", 0), Tensor::vector<float>({0, 32767.F / 32768})) << "channels are averaged";
  write("8.wav", wav(1, 1, 8, bytes({0, 128, 192})));
  EXPECT_EQ(sample("wav: 8.wav", 0), Tensor::vector<float>({-1, 0, 0.5}));
  write("24.wav", wav(1, 1, 24, bytes({0, 0, 0x40, 0, 0, 0x80})));
  EXPECT_EQ(sample("wav: 24.wav", 0), Tensor::vector<float>({0.5, -1}));
  write("f.wav", wav(3, 1, 32, bytes({0, 0, 0, 0x3f})));
  EXPECT_EQ(sample("wav: [8.wav, f.wav]", 1), Tensor::vector<float>({0.5}));
  EXPECT_EQ(sample("wav: 8.wav, windows: {size: 2, step: 1}", 1), Tensor::vector<float>({0, 0.5}));
  expect_refused("wav: {files: 8.wav, rate: 16000}", "8000 samples a second");
  write("mp3.wav", wav(85, 1, 16, "ab"));
  expect_refused("wav: mp3.wav", "unknown kind");
  expect_survives_damage("wav: d.wav", "d.wav", wav(1, 2, 16, bytes({0, 64, 0, 192, 255, 127, 255, 127})));
}

// tests/tuning/data/generate.py writes the file with TensorFlow's message format; two records:
// a picture, text, numbers.
TEST_F(Formats, TfRecord) {
  const std::string file = "files: " + (kData / "two.tfrecord").string();
  EXPECT_EQ(sample("tfrecord: {" + file + ", feature: image}", 1),
            Tensor::of<uint8_t>({1, 2, 3}, {255, 0, 0, 0, 128, 255}));
  EXPECT_EQ(sample("tfrecord: {" + file + ", feature: label}", 1), Tensor::scalar<int64_t>(-3));
  EXPECT_EQ(sample("tfrecord: {" + file + ", feature: values, shape: [2, 1]}", 0),
            Tensor::of<float>({2, 1}, {0.5, -2}));
  EXPECT_EQ(sample("tfrecord: {" + file + ", feature: raw, bytes: raw, shape: [2], dtype: int16}", 0),
            Tensor::vector<int16_t>({258, -1}));
  expect_refused("tfrecord: {" + file + ", feature: lable}", "feature 'lable'");
  expect_refused("tfrecord: {" + file + ", feature: values, shape: [3]}", "2 numbers");
  const std::string good = *read_file(kData / "two.tfrecord");
  expect_survives_damage("tfrecord: {files: r, feature: values}", "r", good);
  expect_survives_damage("tfrecord: {files: r, feature: label}", "r", good);
}

TEST_F(Formats, Coco) {
  fs::copy(kData / "2x1.png", folder_ / "b.png");
  fs::copy(kData / "2x1.png", folder_ / "a.png");
  write(
      "c.json",
      R"({"images": [{"id": 9, "file_name": "b.png", "width": 2, "height": 1}, {"id": 4, "file_name": "a.png", "width": 2, "height": 1}],
    "annotations": [{"image_id": 4, "category_id": 3, "bbox": [0, 0, 1, 1]}, {"image_id": 4, "category_id": 5, "bbox": [1, 0, 1, 1], "iscrowd": 1}]})");
  const std::string coco = "coco: {annotations: c.json, images: .";
  const Dataset d = loaded(coco + "}", "labels: {" + coco + "}}\nmetric: {name: coco_map}");
  EXPECT_EQ(d.sample(0)->at("x").shape(), (Shape{1, 2, 3}));
  EXPECT_EQ(d.label(0)->shape(), (Shape{0, 6}));
  EXPECT_EQ(*d.label(1), Tensor::of<float>({2, 6}, {3, 0, 0, 1, 1, 0, 5, 1, 0, 2, 1, 1}));
  const Dataset relative = loaded(coco + "}", "labels: {" + coco + ", relative: true}}\nmetric: {name: coco_map}");
  EXPECT_EQ(*relative.label(1), Tensor::of<float>({2, 6}, {3, 0, 0, 0.5, 1, 0, 5, 0.5, 0, 1, 1, 1}));
  write("c.json", R"({"images": [{"id": 9}]})");
  expect_refused(coco + "}", "not a file of COCO annotations");
  write(
      "c.json",
      R"({"images": [{"id": 9, "file_name": "b.png"}], "annotations": [{"image_id": 4, "category_id": 3, "bbox": [0, 0, 1, 1]}]})");
  expect_refused(coco + "}", "does not list");
}

}  // namespace
}  // namespace lapis
