#include "tuning/data/config.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "base/suggest.h"
#include "tuning/yaml_reader.h"

namespace lapis {
namespace {

constexpr const char* kKind = "dataset file";
constexpr const char* kHint = "docs/datasets.md describes the file";
constexpr double kMost = 1e15;

// The short form of the transforms that pictures usually need.
const std::vector<std::string> kImageKeys = {"scale", "mean", "std", "deliver", "dtype"};

template <class Row> std::vector<std::string> names_of(const std::vector<Row>& rows) {
  std::vector<std::string> names;
  for (const Row& row : rows) names.push_back(row.name);
  return names;
}

template <class Row> const Row* find(const std::vector<Row>& rows, const std::string& name) {
  const auto at = std::find_if(rows.begin(), rows.end(), [&](const Row& row) { return row.name == name; });
  return at == rows.end() ? nullptr : &*at;
}

std::vector<Option> window_options() {
  return {{.name = "size",
           .kind = OptionKind::Whole,
           .doc = "elements of a window",
           .required = true,
           .low = 1,
           .high = 1e9},
          {.name = "step",
           .kind = OptionKind::Whole,
           .doc = "elements from one window to the next",
           .required = true,
           .low = 1,
           .high = 1e9},
          {.name = "before",
           .kind = OptionKind::Whole,
           .doc = "elements of a window that belong to the one before; zeros in the first",
           .low = 0,
           .high = 1e9}};
}

class Reader : YamlReader {
 public:
  Reader(const Path& file, const DatasetTables& tables)
      : YamlReader(file, kKind, kHint), folder_(file.parent_path()), tables_(tables) {}

  Result<DatasetConfig> read(const YAML::Node& root) {
    DatasetConfig config;
    if (!root.IsMap()) {
      complain(root, "the file has no list `inputs`");
      return std::move(found_);
    }
    known_keys(root, "the file", {"inputs", "labels", "metric", "calibration", "reference"});
    read_inputs(root, config.inputs);
    text(root, "reference", config.reference);
    if (const YAML::Node node = root["labels"]) config.labels = labels(node);
    if (const YAML::Node node = root["metric"]) read_metrics(node, config.metrics);
    if (const YAML::Node node = root["calibration"]) {
      const Format images = *find(tables_.formats, "images");
      config.calibration = SourceConfig{images, settings(node, "`calibration`", images.options)};
      const bool replaces = std::any_of(config.inputs.begin(), config.inputs.end(), [](const InputConfig& i) {
        return i.source && i.source->format.name == "images";
      });
      if (!replaces && !config.inputs.empty())
        complain(node, "`calibration` names other images, but no input has `images`",
                 "name the calibration data as the `inputs` of a second dataset file");
    }
    if (!found_.empty()) return std::move(found_);
    return config;
  }

 private:
  // ---- options of rows ----------------------------------------------------------------------------------------------

  // A map of options, or the value of the first one alone, or nothing. `at` is where findings are about.
  Settings settings(const YAML::Node& node, const std::string& title, const std::vector<Option>& options,
                    const YAML::Node& at, const std::vector<std::string>& others = {}) {
    Settings s(place(at), folder_);
    const bool is_short = node.IsScalar() || node.IsSequence();
    if (is_short && options.empty())
      complain(at, title + " has no options");
    else if (is_short)
      read_option(node, options[0], s);
    else if (node.IsMap())
      read_options(node, title, options, others, s);
    for (const Option& o : options) {
      const bool is_given = is_short ? &o == &options[0] : node.IsMap() && node[o.name];
      if (o.required && !is_given) complain(at, title + " needs `" + o.name + "`: " + o.doc);
    }
    return s;
  }
  Settings settings(const YAML::Node& node, const std::string& title, const std::vector<Option>& options) {
    return settings(node, title, options, node);
  }

  void read_options(const YAML::Node& node, const std::string& title, const std::vector<Option>& options,
                    const std::vector<std::string>& others, Settings& s) {
    known_keys(node, title, with(names_of(options), others));
    for (const Option& o : options)
      if (const YAML::Node value = node[o.name]) read_option(value, o, s);
  }

  void read_option(const YAML::Node& node, const Option& o, Settings& s) {
    switch (o.kind) {
      case OptionKind::Text:
      case OptionKind::File: return read_texts(node, o, false, "a text", s);
      case OptionKind::Texts:
      case OptionKind::Files: return read_texts(node, o, true, "a name or a list of names", s);
      case OptionKind::Whole: return read_numbers<int64_t>(node, o, false, "a whole number", s);
      case OptionKind::Wholes: return read_numbers<int64_t>(node, o, true, "a whole number or a list of them", s);
      case OptionKind::Number: return read_numbers<double>(node, o, false, "a number", s);
      case OptionKind::Numbers: return read_numbers<double>(node, o, true, "a number or a list of numbers", s);
      case OptionKind::Type: return read_type(node, o, s);
      case OptionKind::Flag: {
        bool flag = false;
        if (decoded(node, o, flag, "true or false")) s.set(o.name, flag);
      }
    }
  }

  template <class T> bool decoded(const YAML::Node& node, const Option& o, T& to, const std::string& wanted) {
    if (YAML::convert<T>::decode(node, to)) return true;
    complain(node, "not a valid dataset file: `" + o.name + "` must be " + wanted +
                       (node.IsScalar() ? ", got '" + node.Scalar() + "'" : ""));
    return false;
  }

  template <class T>
  std::vector<T> list(const YAML::Node& node, const Option& o, bool many, const std::string& wanted, bool& fits) {
    std::vector<T> values;
    if (many && node.IsSequence()) {
      fits = decoded(node, o, values, wanted);
    } else {
      T one{};
      fits = decoded(node, o, one, wanted);
      values = {one};
    }
    return values;
  }

  template <class T>
  void read_numbers(const YAML::Node& node, const Option& o, bool many, const std::string& wanted, Settings& s) {
    bool fits = false;
    const std::vector<T> values = list<T>(node, o, many, wanted, fits);
    if (!fits) return;
    if (values.empty() && o.kind == OptionKind::Numbers) complain(node, "`" + o.name + "` is empty");
    for (const T v : values) check_number(node, o, static_cast<double>(v));
    s.set(o.name, values);
  }

  void check_number(const YAML::Node& node, const Option& o, double v) {
    if (!std::isfinite(v) || (v == 0 && o.nonzero))
      complain(node, "`" + o.name + "` cannot be " +
                         (v == 0      ? "0"
                          : o.nonzero ? "0, infinite or NaN"
                                      : "infinite or NaN"));
    else if (v < o.low || v > o.high)
      complain(node,
               "`" + o.name + "` must lie between " + number(o.low) + " and " + number(o.high) + ", got " + number(v));
  }

  static std::string number(double v) {
    if (v == std::nearbyint(v) && std::abs(v) <= kMost) return std::to_string(static_cast<int64_t>(v));
    std::string text = std::to_string(v);
    while (text.back() == '0') text.pop_back();
    return text;
  }

  void read_texts(const YAML::Node& node, const Option& o, bool many, const std::string& wanted, Settings& s) {
    bool fits = false;
    const std::vector<std::string> values = list<std::string>(node, o, many, wanted, fits);
    if (!fits) return;
    if (values.empty() || std::find(values.begin(), values.end(), "") != values.end())
      return complain(node, "`" + o.name + "` " + (many ? "names no file" : "is empty"));
    for (const std::string& v : values)
      if (!o.choices.empty() && std::find(o.choices.begin(), o.choices.end(), v) == o.choices.end())
        return complain(node, "unknown " + o.name + " '" + v + "'", suggestion(v, o.choices));
    s.set(o.name, values);
  }

  void read_type(const YAML::Node& node, const Option& o, Settings& s) {
    bool fits = false;
    const std::vector<std::string> values = list<std::string>(node, o, false, "the name of a type", fits);
    if (!fits) return;
    if (!parse_dtype(values[0]))
      return complain(node, "there is no type '" + values[0] + "'", "types are float32, int64, uint8, bool, ...");
    s.set(o.name, values);
  }

  // ---- sections -----------------------------------------------------------------------------------------------------

  // The one key of `node` that is a format.
  std::optional<SourceConfig> source(const YAML::Node& node, const std::string& title,
                                     const std::vector<std::string>& instead = {}) {
    std::optional<SourceConfig> result;
    std::vector<std::string> given;
    for (const std::string& key : instead)
      if (node[key]) given.push_back(key);
    for (const Format& format : tables_.formats)
      if (const YAML::Node section = node[format.name]) {
        given.push_back(format.name);
        result = SourceConfig{format, settings(section, "`" + format.name + "`", format.options)};
      }
    if (given.empty())
      complain(node, title + " has no data", "it needs one of " + joined(with(names_of(tables_.formats), instead)));
    if (given.size() > 1) complain(node, title + " has `" + joined(given, "` and `") + "`: which of them?");
    return result;
  }

  static std::vector<std::string> with(std::vector<std::string> a, const std::vector<std::string>& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
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
    if (!known_keys(
            node, "an entry of `inputs`",
            with(with(names_of(tables_.formats), {"name", "transforms", "windows", "batch", "carry"}), kImageKeys)))
      return c;
    if (!node["name"]) complain(node, "an entry of `inputs` has no name");
    text(node, "name", c.name);
    text(node, "carry", c.carry);
    value(node, "batch", c.batch, "true or false");
    c.source = source(node, "the input '" + c.name + "'");
    if (const YAML::Node list = node["transforms"]) read_transforms(list, c.transforms);
    if (const YAML::Node section = node["windows"]) c.windows = windows(section);
    if (c.source && c.source->format.name == "images" && !node["transforms"])
      image_transforms_of(node, c.transforms);
    else
      refuse_image_keys(node);
    return c;
  }

  void refuse_image_keys(const YAML::Node& node) {
    for (const std::string& key : kImageKeys)
      if (node[key] && node["transforms"])
        complain(node[key], "`" + key + "` is short for a transform, and the input has a list of them",
                 "put normalize, transpose or cast into `transforms`");
      else if (node[key])
        complain(node[key], "`" + key + "` changes images; rows of `npy` are fed as they are",
                 "use `transforms: [{normalize: ...}]`, store the rows as the model wants them, or use `images`");
  }

  // scale, mean, std, deliver and dtype as the transforms that they are short for.
  void image_transforms_of(const YAML::Node& node, std::vector<TransformConfig>& to) {
    const Transform normalize = *find(tables_.transforms, "normalize"),
                    transpose = *find(tables_.transforms, "transpose"), cast = *find(tables_.transforms, "cast");
    const Option deliver{.name = "deliver", .choices = {"NCHW", "NHWC"}},
        dtype{.name = "dtype", .choices = {"float32", "uint8", "int8"}};
    std::vector<Option> options(normalize.options.begin(), normalize.options.begin() + 3);
    options.push_back(deliver), options.push_back(dtype);
    Settings s(place(node), folder_);
    for (const Option& o : options)
      if (const YAML::Node given = node[o.name]) read_option(given, o, s);
    to.push_back({normalize, s});
    if (s.text("deliver", "NCHW") == "NCHW") {
      Settings channels_first(s.where, folder_);
      channels_first.set("axes", std::vector<int64_t>{2, 0, 1});
      to.push_back({transpose, channels_first});
    }
    if (s.has("dtype")) to.push_back({cast, s});
  }

  void read_transforms(const YAML::Node& list, std::vector<TransformConfig>& to) {
    if (!list.IsSequence()) return complain(list, "`transforms` must be a list");
    for (const YAML::Node& node : list) {
      const bool is_name = node.IsScalar();
      if (!is_name && !(node.IsMap() && node.size() == 1)) {
        complain(node, "an entry of `transforms` is one name, or one name and its options",
                 "write - center_crop: 224, say");
        continue;
      }
      const std::string name = is_name ? node.Scalar() : node.begin()->first.Scalar();
      const Transform* transform = find(tables_.transforms, name);
      if (!transform)
        complain(node, "unknown transform '" + name + "'", suggestion(name, names_of(tables_.transforms)));
      else
        to.push_back({*transform, settings(is_name ? YAML::Node() : node.begin()->second, "`" + name + "`",
                                           transform->options, node)});
    }
  }

  Windows windows(const YAML::Node& node) {
    if (!node.IsMap()) complain(node, "`windows` must have keys: size, step, before");
    const Settings s = settings(node, "`windows`", window_options());
    return {s.whole("size", 1), s.whole("step", 1), s.whole("before")};
  }

  LabelsConfig labels(const YAML::Node& node) {
    LabelsConfig c;
    c.where = place(node);
    const std::vector<std::string> of_names = {"file_name_digits", "folders"};
    if (!known_keys(node, "`labels`", with(with(names_of(tables_.formats), of_names), {"transforms", "grouped"})))
      return c;
    c.source = source(node, "`labels`", of_names);
    if (const YAML::Node list = node["transforms"]) read_transforms(list, c.transforms);
    value(node, "grouped", c.is_grouped, "true or false");
    if (value(node, "folders", c.folders, "true or false") && !c.folders)
      complain(node["folders"], "`folders: false` names no labels");
    const Option digits{.name = "file_name_digits", .kind = OptionKind::Whole, .low = 1, .high = 18};
    if (const YAML::Node given = node["file_name_digits"]) {
      Settings s;
      read_option(given, digits, s);
      c.file_name_digits = s.whole("file_name_digits");
    }
    return c;
  }

  void read_metrics(const YAML::Node& node, std::vector<MetricConfig>& to) {
    if (node.IsSequence() && node.size() == 0) complain(node, "`metric` is empty");
    if (!node.IsSequence()) return read_metric(node, to);
    for (const YAML::Node& each : node) read_metric(each, to);
  }

  void read_metric(const YAML::Node& node, std::vector<MetricConfig>& to) {
    std::string name;
    if (!node.IsMap() || !node["name"])
      return complain(node, "`metric` has no name", "known metrics are " + joined(names_of(tables_.metrics)));
    text(node, "name", name);
    const MetricRow* row = find(tables_.metrics, name);
    if (!row)
      return complain(node["name"], "unknown metric '" + name + "'", suggestion(name, names_of(tables_.metrics)));
    std::vector<Option> options = row->options;
    for (const std::string& output : row->outputs) options.push_back({.name = output, .doc = "an output of the model"});
    to.push_back({*row, settings(node, "the metric " + name, options, node, {"name"})});
  }

  Path folder_;
  const DatasetTables& tables_;
};

}  // namespace

Result<DatasetConfig> parse_dataset_config(const std::string& text, const Path& file, const DatasetTables& tables) {
  return read_yaml(text, file, kKind, kHint, [&](const YAML::Node& root) { return Reader(file, tables).read(root); });
}

}  // namespace lapis
