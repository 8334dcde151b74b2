#include "tuning/data/config.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "base/suggest.h"
#include "tuning/metrics/metric.h"
#include "tuning/yaml_reader.h"

namespace lapis {
namespace {

constexpr const char* kKind = "dataset file";
constexpr const char* kHint = "docs/datasets.md describes the file";

class Reader : YamlReader {
 public:
  explicit Reader(const Path& file) : YamlReader(file, kKind, kHint) {}

  Result<DatasetConfig> read(const YAML::Node& root) {
    DatasetConfig config;
    if (!root.IsMap()) {
      complain(root, "the file has no list `inputs`");
      return std::move(found_);
    }
    known_keys(root, "the file", {"inputs", "labels", "metric", "calibration"});
    read_inputs(root, config.inputs);
    if (const YAML::Node node = root["labels"]) config.labels = labels(node);
    if (const YAML::Node node = root["metric"]) config.metric = metric(node);
    if (const YAML::Node node = root["calibration"]) {
      config.calibration = images(node, "calibration");
      const bool replaces = std::any_of(config.inputs.begin(), config.inputs.end(),
                                        [](const InputConfig& i) { return i.images.has_value(); });
      if (!replaces && !config.inputs.empty())
        complain(node, "`calibration` names other images, but no input has `images`",
                 "name the calibration data as the `inputs` of a second dataset file");
    }
    if (!found_.empty()) return std::move(found_);
    return config;
  }

 private:
  void positive(const YAML::Node& section, const std::string& key, int64_t& to, int64_t most) {
    if (value(section, key, to, "a whole number") && (to < 1 || to > most))
      complain(section[key],
               "`" + key + "` must lie between 1 and " + std::to_string(most) + ", got " + std::to_string(to));
  }

  void numbers(const YAML::Node& section, const std::string& key, std::vector<double>& to, bool may_be_zero) {
    const YAML::Node node = section[key];
    double single = 0;
    if (node && node.IsScalar() ? value(section, key, single, "a number or a list of numbers") : false) to = {single};
    if (node && !node.IsScalar() && value(section, key, to, "a number or a list of numbers") && to.empty())
      complain(node, "`" + key + "` is empty");
    for (const double v : to)
      if (!std::isfinite(v) || (v == 0 && !may_be_zero))
        complain(node, "`" + key + "` cannot be " + (v == 0 ? "0" : "infinite or NaN"));
  }

  void exactly_one(const YAML::Node& node, const std::string& section, const std::string& a, const std::string& b) {
    if (!node[a] && !node[b]) complain(node, section + " needs `" + a + "` or `" + b + "`");
    if (node[a] && node[b]) complain(node, section + " has `" + a + "` and `" + b + "`: which of them?");
  }

  void read_inputs(const YAML::Node& root, std::vector<InputConfig>& inputs) {
    const YAML::Node list = root["inputs"];
    if (!list || !list.IsSequence()) return complain(list ? list : root, "the file has no list `inputs`");
    if (list.size() == 0) complain(list, "`inputs` is empty");
    std::set<std::string> names;
    for (const YAML::Node& node : list) {
      inputs.push_back(input(node));
      if (!inputs.back().name.empty() && !names.insert(inputs.back().name).second)
        complain(node, "two entries of `inputs` are named '" + inputs.back().name + "'");
    }
  }

  InputConfig input(const YAML::Node& node) {
    InputConfig c;
    c.where = place(node);
    if (!known_keys(node, "an entry of `inputs`",
                    {"name", "npy", "images", "scale", "mean", "std", "deliver", "dtype"}))
      return c;
    if (!node["name"]) complain(node, "an entry of `inputs` has no name");
    text(node, "name", c.name);
    exactly_one(node, "the input '" + c.name + "'", "npy", "images");
    if (const YAML::Node npy = node["npy"]) files(npy, c.npy);
    if (const YAML::Node section = node["images"]) c.images = images(section, "images");
    for (const char* key : {"scale", "mean", "std", "deliver", "dtype"})
      if (node[key] && !node["images"])
        complain(node[key], std::string("`") + key + "` changes images; rows of `npy` are fed as they are",
                 "store the rows as the model wants them, or use `images`");
    if (value(node, "scale", c.scale, "a number") && (!std::isfinite(c.scale) || c.scale == 0))
      complain(node["scale"], "`scale` cannot be 0, infinite or NaN");
    numbers(node, "mean", c.mean, true);
    numbers(node, "std", c.std, false);
    one_of(node, "deliver", c.deliver, {"NCHW", "NHWC"});
    one_of(node, "dtype", c.dtype, {"float32", "uint8", "int8"});
    return c;
  }

  void one_of(const YAML::Node& section, const std::string& key, std::string& to,
              const std::vector<std::string>& known) {
    text(section, key, to);
    if (std::find(known.begin(), known.end(), to) == known.end())
      complain(section[key], "unknown " + key + " '" + to + "'", suggestion(to, known));
  }

  void files(const YAML::Node& node, std::vector<std::string>& to) {
    if (node.IsScalar())
      to = {node.Scalar()};
    else if (!YAML::convert<std::vector<std::string>>::decode(node, to))
      complain(node, "`npy` must be the name of a file or a list of names");
    if (to.empty() || std::find(to.begin(), to.end(), "") != to.end()) complain(node, "`npy` names no file");
  }

  ImagesConfig images(const YAML::Node& node, const std::string& key) {
    ImagesConfig c;
    c.where = place(node);
    if (!known_keys(node, "`" + key + "`", {"npy", "folder", "layout", "center_crop"})) return c;
    exactly_one(node, "`" + key + "`", "npy", "folder");
    text(node, "npy", c.npy);
    text(node, "folder", c.folder);
    if (node["layout"]) one_of(node, "layout", c.layout, {"NHW", "NHWC"});
    if (node["layout"] && node["folder"]) complain(node["layout"], "`layout` is for arrays; decoded images are RGB");
    if (node["center_crop"] && !node["folder"])
      complain(node["center_crop"], "`center_crop` is for images of a `folder`");
    positive(node, "center_crop", c.center_crop, 1 << 15);
    return c;
  }

  LabelsConfig labels(const YAML::Node& node) {
    LabelsConfig c;
    c.where = place(node);
    if (!known_keys(node, "`labels`", {"npy", "file_name_digits"})) return c;
    exactly_one(node, "`labels`", "npy", "file_name_digits");
    text(node, "npy", c.npy);
    positive(node, "file_name_digits", c.file_name_digits, 18);
    return c;
  }

  MetricSection metric(const YAML::Node& node) {
    MetricSection c;
    c.where = place(node);
    if (!known_keys(node, "`metric`", {"name", "output", "scores"})) return c;
    if (!node["name"]) complain(node, "`metric` has no name", "known metrics are " + joined(metric_names()));
    text(node, "name", c.name);
    text(node, "output", c.output);
    text(node, "scores", c.scores);
    const std::vector<std::string> known = metric_names();
    if (!c.name.empty() && std::find(known.begin(), known.end(), c.name) == known.end())
      complain(node["name"], "unknown metric '" + c.name + "'", suggestion(c.name, known));
    return c;
  }
};

}  // namespace

Result<DatasetConfig> parse_dataset_config(const std::string& text, const Path& file) {
  return read_yaml(text, file, kKind, kHint, [&](const YAML::Node& root) { return Reader(file).read(root); });
}

}  // namespace lapis
