#include "tuning/data/dataset.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cstring>
#include <opencv2/imgcodecs.hpp>

#include "tuning/data/npy.h"

namespace lapis {
namespace {

using Reader = std::function<Result<Tensor>(int64_t)>;  // sample -> tensor with a leading 1

struct Column {
  std::string name;
  int64_t size = 0;
  Reader read;
  std::vector<std::string> files;  // of an image folder
};

Diagnostic bad(const Path& file, const std::string& what) {
  return error(ErrorKind::Input, what).at(file.string()).help("docs/datasets.md describes the file");
}

Tensor row(const Tensor& table, int64_t index) {
  Shape shape = table.shape();
  shape[0] = 1;
  Tensor result(table.dtype(), shape);
  std::memcpy(result.mutable_raw(), table.raw() + index * result.bytes(), static_cast<size_t>(result.bytes()));
  return result;
}

// YAML's own default would also hide a value of the wrong type.
template <class T> T value_or(const YAML::Node& node, T missing) { return node ? node.as<T>() : missing; }

struct Normalization {
  double scale = 1;
  std::vector<double> mean, std;
  float apply(double pixel, size_t channel) const {
    const double m = mean.empty() ? 0 : mean[std::min(channel, mean.size() - 1)],
                 s = std.empty() ? 1 : std[std::min(channel, std.size() - 1)];
    return static_cast<float>((pixel * scale - m) / s);
  }
};

// uint8 [H, W, C] pixels, rows `pitch` bytes apart -> float [1, C, H, W]
Tensor normalized(const uint8_t* pixels, int64_t height, int64_t width, int64_t channels, int64_t pitch,
                  const Normalization& n) {
  Tensor result(DType::Float32, {1, channels, height, width});
  float* to = result.mutable_data<float>().data();
  for (int64_t c = 0; c < channels; ++c) {
    float table[256];
    for (int v = 0; v < 256; ++v) table[v] = n.apply(v, static_cast<size_t>(c));
    for (int64_t y = 0; y < height; ++y)
      for (int64_t x = 0; x < width; ++x) *to++ = table[pixels[y * pitch + x * channels + c]];
  }
  return result;
}

Normalization normalization_of(const YAML::Node& node) {
  Normalization n;
  n.scale = value_or(node["scale"], 1.0);
  if (node["mean"]) n.mean = node["mean"].as<std::vector<double>>();
  if (node["std"]) n.std = node["std"].as<std::vector<double>>();
  return n;
}

class Loader {
 public:
  explicit Loader(Path file) : file_(std::move(file)) {}

  Result<Column> column(const YAML::Node& node) const {
    Column c;
    if (!node["name"]) return bad(file_, "an entry of `inputs` has no name");
    const YAML::Node images = node["images"];
    LAPIS_TRY(c, images ? this->images(images, normalization_of(node)) : tables(node["npy"]));
    c.name = node["name"].as<std::string>();
    return c;
  }

  Result<Column> images(const YAML::Node& node, const Normalization& n) const {
    if (node["folder"]) return folder(node, n);
    if (!node["npy"]) return bad(file_, "`images` needs `npy` or `folder`");
    LAPIS_TRY(const Tensor table, read_npy(resolve(node["npy"].as<std::string>())));
    if (table.dtype() != DType::UInt8 || table.rank() < 3 || table.rank() > 4)
      return bad(file_, "images must be uint8 [N,H,W] or [N,H,W,C], got " + to_string(table, 0));
    const int64_t h = table.dim(1), w = table.dim(2), ch = table.rank() == 4 ? table.dim(3) : 1;
    Reader read = [=](int64_t i) -> Result<Tensor> {
      return normalized(table.data<uint8_t>().data() + i * h * w * ch, h, w, ch, w * ch, n);
    };
    return Column{{}, table.dim(0), read, {}};
  }

  Result<Column> folder(const YAML::Node& node, const Normalization& n) const {
    const Path folder = resolve(node["folder"].as<std::string>());
    std::error_code failed;
    Column c;
    for (const auto& entry : std::filesystem::directory_iterator(folder, failed))
      if (entry.is_regular_file()) c.files.push_back(entry.path().string());
    if (failed) return bad(folder, "cannot read the folder: " + failed.message());
    if (c.files.empty()) return bad(folder, "the folder holds no images");
    std::sort(c.files.begin(), c.files.end());
    c.size = static_cast<int64_t>(c.files.size());
    const int crop = value_or(node["center_crop"], 0);
    c.read = [files = c.files, crop, n](int64_t i) { return decode(files[static_cast<size_t>(i)], crop, n); };
    return c;
  }

  static Result<Tensor> decode(const std::string& file, int crop, const Normalization& n) {
    LAPIS_CHECK(check_regular(file));
    cv::Mat image;
    try {
      image = cv::imread(file, cv::IMREAD_COLOR);
    } catch (const cv::
                 Exception&) {  // of images beyond any size; the same message as for other images that it cannot decode
    }
    if (image.empty()) return error(ErrorKind::Input, "not an image that OpenCV can decode").at(file);
    if (image.rows < crop || image.cols < crop)
      return error(ErrorKind::Input, "the image is smaller than the centre crop").at(file);
    const int size = crop ? crop : std::min(image.rows, image.cols);
    image = image(cv::Rect((image.cols - size) / 2, (image.rows - size) / 2, size, size)).clone();
    for (int y = 0; y < image.rows; ++y)  // OpenCV decodes to BGR
      for (int x = 0; x < image.cols; ++x) std::swap(image.ptr(y)[3 * x], image.ptr(y)[3 * x + 2]);
    return normalized(image.data, image.rows, image.cols, 3, static_cast<int64_t>(image.step), n);
  }

  Result<Column> tables(const YAML::Node& node) const {
    if (!node) return bad(file_, "an entry of `inputs` needs `npy` or `images`");
    std::vector<Tensor> parts;
    std::vector<std::string> names;
    if (node.IsSequence())
      names = node.as<std::vector<std::string>>();
    else
      names = {node.as<std::string>()};
    int64_t size = 0;
    for (const std::string& name : names) {
      LAPIS_TRY(Tensor part, read_npy(resolve(name)));
      if (part.rank() < 1) return bad(file_, name + " has no sample axis");
      size += part.dim(0);
      parts.push_back(std::move(part));
    }
    Reader read = [parts](int64_t i) -> Result<Tensor> {
      size_t p = 0;
      while (i >= parts[p].dim(0)) i -= parts[p++].dim(0);
      return row(parts[p], i);
    };
    return Column{{}, size, read, {}};
  }

  Path resolve(const std::string& name) const {
    const Path path(name);
    return path.is_absolute() ? path : file_.parent_path() / path;
  }
  const Path& file() const { return file_; }

 private:
  Path file_;
};

std::function<Result<Feeds>(int64_t)> zip(std::vector<Column> columns) {
  return [columns = std::move(columns)](int64_t i) -> Result<Feeds> {
    Feeds feeds;
    for (const Column& c : columns) {
      LAPIS_TRY(feeds[c.name], c.read(i));
    }
    return feeds;
  };
}

Result<std::vector<int64_t>> labels_of(const YAML::Node& node, const Loader& loader,
                                       const std::vector<Column>& columns) {
  if (node["npy"]) {
    LAPIS_TRY(const Tensor labels, read_npy(loader.resolve(node["npy"].as<std::string>())));
    if (!is_integer(labels.dtype())) return bad(loader.file(), "labels must be integers");
    return labels.as_ints();
  }
  const auto digits = value_or(node["file_name_digits"], size_t{0});
  if (digits == 0) return bad(loader.file(), "`labels` needs `npy` or `file_name_digits`");
  std::vector<int64_t> labels;
  for (const Column& c : columns)
    for (const std::string& file : c.files) {
      const std::string name = Path(file).filename().string().substr(0, digits);
      if (name.empty() || name.size() > 18 ||
          !std::all_of(name.begin(), name.end(), [](unsigned char ch) { return std::isdigit(ch); }))
        return bad(file, "the file name does not start with the class number");
      labels.push_back(std::stoll(name));
    }
  return labels;
}

}  // namespace

Result<Dataset> Dataset::load(const Path& config) {
  LAPIS_TRY(const std::string text, read_file(config));
  try {
    const YAML::Node root = YAML::Load(text);
    const Loader loader(config);
    if (!root.IsMap() || !root["inputs"] || !root["inputs"].IsSequence())
      return bad(config, "the file has no list `inputs`");
    Dataset d;
    std::vector<Column> columns, others;
    for (const YAML::Node& node : root["inputs"]) {
      LAPIS_TRY(Column column, loader.column(node));
      if (!columns.empty() && columns[0].size != column.size)
        return bad(config,
                   "inputs '" + columns[0].name + "' and '" + column.name + "' have different numbers of samples");
      if (root["calibration"] && node["images"]) {
        LAPIS_TRY(Column other, loader.images(root["calibration"], normalization_of(node)));
        other.name = column.name;
        others.push_back(std::move(other));
      }
      columns.push_back(std::move(column));
    }
    if (columns.empty()) return bad(config, "`inputs` is empty");
    if (const YAML::Node metric = root["metric"]) {
      d.metric_.name = metric["name"].as<std::string>();
      d.metric_.output = value_or(metric["output"], std::string());
      if (metric["scores"]) {
        LAPIS_TRY(const Tensor scores, read_npy(loader.resolve(metric["scores"].as<std::string>())));
        for (int64_t i = 0; i < scores.size(); ++i) d.metric_.scores.push_back(scores.as_double(i));
      }
    }
    if (root["labels"]) {
      LAPIS_TRY(d.metric_.labels, labels_of(root["labels"], loader, columns));
      if (static_cast<int64_t>(d.metric_.labels.size()) != columns[0].size)
        return bad(config, "there are " + std::to_string(d.metric_.labels.size()) + " labels for " +
                               std::to_string(columns[0].size) + " samples");
    }
    d.size_ = columns[0].size;
    d.sample_ = zip(std::move(columns));
    if (!others.empty()) {
      Dataset calibration;
      calibration.size_ = others[0].size;
      calibration.sample_ = zip(std::move(others));
      d.calibration_ = std::make_shared<const Dataset>(std::move(calibration));
    }
    return d;
  } catch (const YAML::Exception& e) {
    return bad(config, std::string("not a valid dataset file: ") + e.what());
  }
}

Result<Dataset> Dataset::from_npy(const Path& file, const std::string& input) {
  LAPIS_TRY(const Tensor table, read_npy(file));
  if (table.rank() < 1 || table.dim(0) < 1) return bad(file, "the array has no samples along its first axis");
  Dataset d;
  d.size_ = table.dim(0);
  d.sample_ = [table, input](int64_t i) -> Result<Feeds> { return Feeds{{input, row(table, i)}}; };
  return d;
}

Dataset Dataset::limited_to(int64_t samples) const {
  if (samples <= 0 || samples >= size_) return *this;
  Dataset d = *this;
  d.size_ = samples;
  d.sample_ = [inner = sample_, total = size_, samples](int64_t i) { return inner(i * total / samples); };
  if (!metric_.labels.empty()) {
    d.metric_.labels.clear();
    for (int64_t i = 0; i < samples; ++i)
      d.metric_.labels.push_back(metric_.labels[static_cast<size_t>(i * size_ / samples)]);
  }
  return d;
}

}  // namespace lapis
