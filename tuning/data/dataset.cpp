#include "tuning/data/dataset.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <opencv2/imgcodecs.hpp>

#include "tuning/data/config.h"
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

Diagnostic bad(const Path& where, const std::string& what) {
  return error(ErrorKind::Input, what).at(where.string()).help("docs/datasets.md describes the file");
}

struct Normalization {
  double scale = 1;
  std::vector<double> mean, std;
  bool channels_last = false;
  DType dtype = DType::Float32;
  float apply(double pixel, size_t channel) const {
    const double m = mean.empty() ? 0 : mean[std::min(channel, mean.size() - 1)],
                 s = std.empty() ? 1 : std[std::min(channel, std.size() - 1)];
    return static_cast<float>((pixel * scale - m) / s);
  }
};

// Rounded half to even and saturated.
template <class T> Tensor rounded(const Tensor& values) {
  Tensor result(dtype_of<T>, values.shape());
  const auto from = values.data<float>();
  const auto to = result.mutable_data<T>();
  constexpr float kLowest = std::numeric_limits<T>::lowest(), kHighest = std::numeric_limits<T>::max();
  for (size_t i = 0; i < from.size(); ++i)
    to[i] = static_cast<T>(std::clamp(std::nearbyint(from[i]), kLowest, kHighest));
  return result;
}

Tensor as_type(DType dtype, Tensor values) {
  if (dtype == DType::Int8) return rounded<int8_t>(values);
  return dtype == DType::UInt8 ? rounded<uint8_t>(values) : std::move(values);
}

// uint8 [H, W, C] pixels, rows `pitch` bytes apart -> [1, C, H, W] or [1, H, W, C]
Tensor normalized(const uint8_t* pixels, int64_t height, int64_t width, int64_t channels, int64_t pitch,
                  const Normalization& n) {
  const Shape shape = n.channels_last ? Shape{1, height, width, channels} : Shape{1, channels, height, width};
  Tensor result(DType::Float32, shape);
  float* const all = result.mutable_data<float>().data();
  const int64_t step = n.channels_last ? channels : 1;  // between pixels
  for (int64_t c = 0; c < channels; ++c) {
    float table[256];
    for (int v = 0; v < 256; ++v) table[v] = n.apply(v, static_cast<size_t>(c));
    float* to = all + (n.channels_last ? c : c * height * width);
    for (int64_t y = 0; y < height; ++y)
      for (int64_t x = 0; x < width; ++x, to += step) *to = table[pixels[y * pitch + x * channels + c]];
  }
  return as_type(n.dtype, std::move(result));
}

// Opens what the file names, relative to its folder.
class Loader {
 public:
  explicit Loader(Path file) : file_(std::move(file)) {}

  Result<Column> column(const InputConfig& config) const {
    LAPIS_TRY(Column c, config.images ? images(*config.images, config) : tables(config));
    c.name = config.name;
    if (c.size == 0) return bad(config.where, "the input '" + config.name + "' has no samples");
    return c;
  }

  Result<Column> images(const ImagesConfig& config, const InputConfig& input) const {
    return config.folder.empty() ? array(config, input) : folder(config, input);
  }

  Result<Tensor> read(const std::string& name) const {
    const Path path(name);
    return read_npy(path.is_absolute() ? path : file_.parent_path() / path);
  }

 private:
  static Result<Normalization> normalization_of(const InputConfig& input, int64_t channels) {
    for (const auto* list : {&input.mean, &input.std})
      if (list->size() > 1 && static_cast<int64_t>(list->size()) != channels)
        return bad(input.where, std::string(list == &input.mean ? "`mean`" : "`std`") + " has " +
                                    std::to_string(list->size()) + " numbers for " + std::to_string(channels) +
                                    " channels");
    const DType dtype = *parse_dtype(input.dtype);
    return Normalization{input.scale, input.mean, input.std, input.deliver == "NHWC", dtype};
  }

  Result<Column> array(const ImagesConfig& config, const InputConfig& input) const {
    LAPIS_TRY(const Tensor table, read(config.npy));
    const int64_t rank = config.layout.empty() ? table.rank() : static_cast<int64_t>(config.layout.size());
    if (table.dtype() != DType::UInt8 || table.rank() != rank || rank < 3 || rank > 4)
      return bad(config.where, "images must be uint8 " + wanted_layout(config) + ", got " + to_string(table, 0));
    const int64_t h = table.dim(1), w = table.dim(2), ch = table.rank() == 4 ? table.dim(3) : 1;
    if (table.dim(0) == 0 || h * w * ch == 0)
      return bad(config.where, config.npy + " has no images: " + to_string(table.shape()));
    LAPIS_TRY(const Normalization n, normalization_of(input, ch));
    Reader read = [=](int64_t i) -> Result<Tensor> {
      return normalized(table.data<uint8_t>().data() + i * h * w * ch, h, w, ch, w * ch, n);
    };
    return Column{{}, table.dim(0), read, {}};
  }

  static std::string wanted_layout(const ImagesConfig& config) {
    return config.layout == "NHW" ? "[N,H,W]" : config.layout == "NHWC" ? "[N,H,W,C]" : "[N,H,W] or [N,H,W,C]";
  }

  Result<Column> folder(const ImagesConfig& config, const InputConfig& input) const {
    const Path folder = Path(config.folder).is_absolute() ? Path(config.folder) : file_.parent_path() / config.folder;
    std::error_code failed;
    Column c;
    for (const auto& entry : std::filesystem::directory_iterator(folder, failed))
      if (entry.is_regular_file()) c.files.push_back(entry.path().string());
    if (failed) return bad(folder, "cannot read the folder: " + failed.message());
    if (c.files.empty()) return bad(folder, "the folder holds no images");
    std::sort(c.files.begin(), c.files.end());
    c.size = static_cast<int64_t>(c.files.size());
    LAPIS_TRY(const Normalization n, normalization_of(input, 3));
    c.read = [files = c.files, crop = static_cast<int>(config.center_crop), n](int64_t i) {
      return decode(files[static_cast<size_t>(i)], crop, n);
    };
    return c;
  }

  static Result<Tensor> decode(const std::string& file, int crop, const Normalization& n) {
    LAPIS_CHECK(check_regular(file));
    cv::Mat image;
    try {
      image = cv::imread(file, cv::IMREAD_COLOR);
    } catch (const cv::Exception&) {  // of images beyond any size: the same message as for others that it cannot decode
    }
    if (image.empty()) return bad(file, "not an image that OpenCV can decode");
    if (image.rows < crop || image.cols < crop) return bad(file, "the image is smaller than the centre crop");
    const int size = crop ? crop : std::min(image.rows, image.cols);
    image = image(cv::Rect((image.cols - size) / 2, (image.rows - size) / 2, size, size)).clone();
    for (int y = 0; y < image.rows; ++y)  // OpenCV decodes to BGR
      for (int x = 0; x < image.cols; ++x) std::swap(image.ptr(y)[3 * x], image.ptr(y)[3 * x + 2]);
    return normalized(image.data, image.rows, image.cols, 3, static_cast<int64_t>(image.step), n);
  }

  Result<Column> tables(const InputConfig& config) const {
    std::vector<Tensor> parts;
    int64_t size = 0;
    for (const std::string& name : config.npy) {
      LAPIS_TRY(Tensor part, read(name));
      if (part.rank() < 1) return bad(config.where, name + " has no sample axis");
      if (!parts.empty() && !alike(part, parts[0]))
        return bad(config.where, name + " is " + to_string(part, 0) + ", which does not continue " +
                                     to_string(parts[0], 0) + " of " + config.npy[0]);
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

  static bool alike(const Tensor& a, const Tensor& b) {
    return a.dtype() == b.dtype() && a.rank() == b.rank() &&
           std::equal(a.shape().begin() + 1, a.shape().end(), b.shape().begin() + 1);
  }

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

Result<std::vector<int64_t>> labels_in_names(const LabelsConfig& config, const std::vector<Column>& columns) {
  std::vector<int64_t> labels;
  for (const Column& c : columns)
    for (const std::string& file : c.files) {
      const std::string name = Path(file).filename().string().substr(0, static_cast<size_t>(config.file_name_digits));
      if (name.empty() || name.size() > 18 ||
          !std::all_of(name.begin(), name.end(), [](unsigned char ch) { return std::isdigit(ch); }))
        return bad(file, "the file name does not start with the class number");
      labels.push_back(std::stoll(name));
    }
  return labels;
}

Result<std::vector<int64_t>> labels_of(const LabelsConfig& config, const Loader& loader,
                                       const std::vector<Column>& columns) {
  std::vector<int64_t> labels;
  if (config.npy.empty()) {
    LAPIS_TRY(labels, labels_in_names(config, columns));
  } else {
    LAPIS_TRY(const Tensor table, loader.read(config.npy));
    if (!is_integer(table.dtype())) return bad(config.where, "labels must be integers, got " + to_string(table, 0));
    labels = table.as_ints();
  }
  if (static_cast<int64_t>(labels.size()) != columns[0].size)
    return bad(config.where, "there are " + std::to_string(labels.size()) + " labels for " +
                                 std::to_string(columns[0].size) + " samples");
  for (size_t i = 0; i < labels.size(); ++i)
    if (labels[i] < 0)
      return bad(config.where, "sample " + std::to_string(i) + " has the label " + std::to_string(labels[i]));
  return labels;
}

// Similarities of sample i and sample i + n, so there are n of them for 2 n samples.
Result<std::vector<double>> scores_of(const MetricSection& config, const Loader& loader, int64_t samples) {
  LAPIS_TRY(const Tensor table, loader.read(config.scores));
  if (!is_float(table.dtype()) && !is_integer(table.dtype()))
    return bad(config.where, "`scores` must be numbers, got " + to_string(table, 0));
  std::vector<double> scores;
  for (int64_t i = 0; i < table.size(); ++i) scores.push_back(table.as_double(i));
  if (2 * table.size() != samples)
    return bad(config.where, "there are " + std::to_string(table.size()) + " scores for " + std::to_string(samples) +
                                 " samples; a score belongs to two samples");
  if (scores.size() < 2) return bad(config.where, "a correlation needs at least 2 scores");
  for (const double s : scores)
    if (!std::isfinite(s)) return bad(config.where, "`scores` holds a value that is NaN or infinite");
  return scores;
}

Result<std::vector<Column>> columns_of(const DatasetConfig& config, const Loader& loader) {
  std::vector<Column> columns;
  for (const InputConfig& input : config.inputs) {
    LAPIS_TRY(Column column, loader.column(input));
    if (!columns.empty() && columns[0].size != column.size)
      return bad(input.where, "inputs '" + columns[0].name + "' and '" + column.name +
                                  "' have different numbers of samples: " + std::to_string(columns[0].size) + " and " +
                                  std::to_string(column.size));
    columns.push_back(std::move(column));
  }
  return columns;
}

// The other images, for every input that has images, preprocessed alike.
Result<std::vector<Column>> calibration_of(const DatasetConfig& config, const Loader& loader) {
  std::vector<Column> columns;
  for (const InputConfig& input : config.inputs) {
    if (!input.images)
      return bad(config.calibration->where,
                 "the input '" + input.name + "' has no images, so `calibration` gives it no values");
    LAPIS_TRY(Column column, loader.images(*config.calibration, input));
    column.name = input.name;
    columns.push_back(std::move(column));
  }
  return columns;
}

}  // namespace

Tensor row(const Tensor& table, int64_t index) {
  Shape shape = table.shape();
  shape[0] = 1;
  Tensor result(table.dtype(), shape);
  std::memcpy(result.mutable_raw(), table.raw() + index * result.bytes(), static_cast<size_t>(result.bytes()));
  return result;
}

Result<Dataset> Dataset::load(const Path& file) {
  LAPIS_TRY(const std::string text, read_file(file));
  LAPIS_TRY(const DatasetConfig config, parse_dataset_config(text, file));
  const Loader loader(file);
  LAPIS_TRY(std::vector<Column> columns, columns_of(config, loader));
  Dataset d;
  d.size_ = columns[0].size;
  d.metric_.where = file.string();
  if (config.metric) {
    d.metric_.where = config.metric->where;
    d.metric_.name = config.metric->name;
    d.metric_.output = config.metric->output;
    if (!config.metric->scores.empty()) {
      LAPIS_TRY(d.metric_.scores, scores_of(*config.metric, loader, d.size_));
    }
  }
  if (config.labels) {
    LAPIS_TRY(d.metric_.labels, labels_of(*config.labels, loader, columns));
  }
  if (config.calibration) {
    LAPIS_TRY(std::vector<Column> others, calibration_of(config, loader));
    Dataset calibration;
    calibration.size_ = others[0].size;
    calibration.sample_ = zip(std::move(others));
    d.calibration_ = std::make_shared<const Dataset>(std::move(calibration));
  }
  d.sample_ = zip(std::move(columns));
  return d;
}

Result<Dataset> Dataset::from_npy(const Path& file, const std::string& input) {
  LAPIS_TRY(const Tensor table, read_npy(file));
  if (table.rank() < 1 || table.dim(0) < 1) return bad(file, "the array has no samples along its first axis");
  Dataset d;
  d.size_ = table.dim(0);
  d.sample_ = [table, input](int64_t i) -> Result<Feeds> { return Feeds{{input, row(table, i)}}; };
  return d;
}

// Sample i of `some`, evenly spread over `all`.
static int64_t spread(int64_t i, int64_t some, int64_t all) {
  return static_cast<int64_t>(static_cast<__int128>(i) * all / some);
}

// Scored pairs stay together: half as many pairs as samples, two at least, because one has no correlation.
Dataset Dataset::limited_to_pairs(int64_t samples) const {
  const int64_t all = size_ / 2, pairs = std::min(std::max<int64_t>(samples / 2, 2), all);
  Dataset d = *this;
  d.size_ = 2 * pairs;
  d.sample_ = [inner = sample_, all, pairs](int64_t i) {
    return inner(i < pairs ? spread(i, pairs, all) : all + spread(i - pairs, pairs, all));
  };
  d.metric_.scores.clear();
  for (int64_t i = 0; i < pairs; ++i)
    d.metric_.scores.push_back(metric_.scores[static_cast<size_t>(spread(i, pairs, all))]);
  return d;
}

Dataset Dataset::limited_to(int64_t samples) const {
  if (samples <= 0 || samples >= size_) return *this;
  if (!metric_.scores.empty()) return limited_to_pairs(samples);
  Dataset d = *this;
  d.size_ = samples;
  d.sample_ = [inner = sample_, total = size_, samples](int64_t i) { return inner(spread(i, samples, total)); };
  if (!metric_.labels.empty()) {
    d.metric_.labels.clear();
    for (int64_t i = 0; i < samples; ++i)
      d.metric_.labels.push_back(metric_.labels[static_cast<size_t>(spread(i, samples, size_))]);
  }
  return d;
}

}  // namespace lapis
