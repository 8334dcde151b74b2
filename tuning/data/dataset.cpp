#include "tuning/data/dataset.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "tuning/data/npy.h"

namespace lapis {

struct Dataset::Content {
  struct Input {
    std::string name, where;
    Column column;
    std::vector<TransformFunction> transforms;
    bool batch = true;
  };
  std::vector<Input> inputs;
  std::vector<MetricConfig> metrics;
  std::vector<Column> labels;  // of each metric
  std::vector<Carry> carried;
  Path reference;
  std::string where;
  int64_t size = 0;
};

namespace {

Diagnostic bad(const std::string& where, const std::string& what) {
  return error(ErrorKind::Input, what).at(where).help("docs/datasets.md describes the file");
}

Result<Tensor> transformed(Tensor t, const std::vector<TransformFunction>& transforms) {
  for (const TransformFunction& transform : transforms) {
    LAPIS_TRY(t, transform(t));
  }
  return t;
}

Result<std::vector<TransformFunction>> functions_of(const std::vector<TransformConfig>& configs) {
  std::vector<TransformFunction> functions;
  for (const TransformConfig& c : configs) {
    LAPIS_TRY(TransformFunction function, c.transform.make(c.settings));
    functions.push_back(std::move(function));
  }
  return functions;
}

Tensor with_leading_one(const Tensor& t) {
  Shape shape = t.shape();
  shape.insert(shape.begin(), 1);
  return t.reshaped(shape);
}

Column classes(std::vector<int64_t> labels) { return column_of(Tensor::vector<int64_t>(std::move(labels))); }

Result<int64_t> class_in_name(const std::string& file, size_t digits) {
  const std::string name = Path(file).filename().string().substr(0, digits);
  if (name.empty() || name.size() > 18 ||
      !std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isdigit(c); }))
    return bad(file, "the file name does not start with the class number");
  return std::stoll(name);
}

// Whole numbers from 0, as one array.
Result<Column> checked_classes(const Column& labels, const std::string& where) {
  std::vector<int64_t> values;
  for (int64_t i = 0; i < labels.size; ++i) {
    LAPIS_TRY(const Tensor label, labels.read(i));
    if (!is_integer(label.dtype()) || label.size() != 1)
      return bad(where, "labels must be integers, one a sample, got " + to_string(label, 0));
    values.push_back(label.as_int(0));
    if (values.back() < 0)
      return bad(where, "sample " + std::to_string(i) + " has the label " + std::to_string(values.back()));
  }
  return classes(std::move(values));
}

Result<Column> checked_type(const Column& labels, LabelKind kind, const std::string& where) {
  LAPIS_TRY(const Tensor first, labels.read(0));
  const bool is_text = first.dtype() == DType::String, is_number = visit_dtype(first.dtype(), [](auto) {});
  if (kind == LabelKind::Text ? is_text : is_number) return labels;
  return bad(where, std::string("the metric needs labels that are ") + (kind == LabelKind::Text ? "text" : "numbers") +
                        ", got " + to_string(first, 0));
}

}  // namespace

// Opens what a configuration names.
class DatasetLoader {
 public:
  DatasetLoader(const Path& file, const DatasetConfig& config) : file_(file), config_(config) {}

  Result<Dataset> load() {
    content_.where = file_.string();
    if (!config_.reference.empty()) content_.reference = file_.parent_path() / config_.reference;
    LAPIS_CHECK(open_inputs());
    LAPIS_CHECK(open_labels());
    for (const MetricConfig& metric : config_.metrics) LAPIS_CHECK(add_metric(metric));
    Dataset result = Dataset::with(content_);
    LAPIS_CHECK(result.sample(0));  // what does not fit is said before hours of work
    if (!config_.calibration) return result;
    LAPIS_TRY(Dataset::Content others, calibration());
    result.calibration_ = std::make_shared<const Dataset>(Dataset::with(std::move(others)));
    return result;
  }

 private:
  Status open_inputs() {
    for (const InputConfig& config : config_.inputs) {
      LAPIS_TRY(Column column, config.source->format.open(config.source->settings, Role::Input));
      if (config.windows) {
        LAPIS_TRY(column, windowed(column, *config.windows, config.where));
      }
      LAPIS_CHECK(add_input(content_, config, std::move(column)));
      if (!config.carry.empty()) content_.carried.push_back({config.name, config.carry, config.where});
    }
    return check_size(content_, file_.string());
  }

  static Status check_size(const Dataset::Content& content, const std::string& where) {
    if (content.size > 0) return ok();
    return bad(where, "no input says how many samples there are: all are constants");
  }

  static Status add_input(Dataset::Content& content, const InputConfig& config, Column column) {
    if (column.size == 0) return bad(config.where, "the input '" + config.name + "' has no samples");
    if (column.size != kAnySize) {
      for (const auto& other : content.inputs)
        if (other.column.size != kAnySize && other.column.size != column.size)
          return bad(config.where, "inputs '" + other.name + "' and '" + config.name +
                                       "' have different numbers of samples: " + std::to_string(other.column.size) +
                                       " and " + std::to_string(column.size));
      content.size = column.size;
    }
    LAPIS_TRY(std::vector<TransformFunction> transforms, functions_of(config.transforms));
    content.inputs.push_back({config.name, config.where, std::move(column), std::move(transforms), config.batch});
    return ok();
  }

  Status open_labels() {
    if (!config_.labels) return ok();
    const LabelsConfig& config = *config_.labels;
    LAPIS_TRY(labels_, labels(config));
    if (config.is_grouped) {
      LAPIS_TRY(labels_, grouped(*labels_, content_.size, config.where));
    }
    if (labels_->size != content_.size && labels_->size != kAnySize)
      return bad(config.where, "there are " + std::to_string(labels_->size) + " labels for " +
                                   std::to_string(content_.size) + " samples");
    labels_->size = content_.size;
    LAPIS_TRY(std::vector<TransformFunction> functions, functions_of(config.transforms));
    if (functions.empty()) return ok();
    labels_->read = [read = labels_->read, functions](int64_t i) -> Result<Tensor> {
      LAPIS_TRY(Tensor label, read(i));
      return transformed(std::move(label), functions);
    };
    return ok();
  }

  Result<Column> labels(const LabelsConfig& config) const {
    if (config.source) return config.source->format.open(config.source->settings, Role::Labels);
    std::vector<std::string> files;
    for (const auto& input : content_.inputs)
      if (!input.column.names.empty()) files = input.column.names;
    if (files.empty()) return bad(config.where, "no input comes from files whose names could hold labels");
    return config.folders ? classes(by_folder(files)) : in_names(files, static_cast<size_t>(config.file_name_digits));
  }

  static Result<Column> in_names(const std::vector<std::string>& files, size_t digits) {
    std::vector<int64_t> labels;
    for (const std::string& file : files) {
      LAPIS_TRY(const int64_t label, class_in_name(file, digits));
      labels.push_back(label);
    }
    return classes(std::move(labels));
  }

  // The place of a file's folder among all folders in the order of their names.
  static std::vector<int64_t> by_folder(const std::vector<std::string>& files) {
    std::map<std::string, int64_t> folders;
    for (const std::string& file : files) folders[Path(file).parent_path().string()] = 0;
    int64_t next = 0;
    for (auto& [name, index] : folders) index = next++;
    std::vector<int64_t> labels;
    labels.reserve(files.size());
    for (const std::string& file : files) labels.push_back(folders[Path(file).parent_path().string()]);
    return labels;
  }

  Status add_metric(const MetricConfig& metric) {
    LAPIS_TRY(Column labels, labels_for(metric));
    content_.metrics.push_back(metric);
    content_.labels.push_back(std::move(labels));
    return ok();
  }

  Result<Column> labels_for(const MetricConfig& metric) const {
    const LabelKind kind = metric.row.label;
    if (kind == LabelKind::None || kind == LabelKind::Reference) return Column{};
    if (kind == LabelKind::Pairs) return scores(metric.settings);
    if (kind == LabelKind::Optional) return labels_.value_or(Column{});
    if (!labels_)
      return bad(metric.settings.where, "the metric " + metric.row.name + " needs `labels` in the dataset file");
    if (kind == LabelKind::Class) return checked_classes(*labels_, config_.labels->where);
    return checked_type(*labels_, kind, config_.labels->where);
  }

  // Similarities of sample i and sample i + n, so there are n of them for 2 n samples.
  Result<Column> scores(const Settings& settings) const {
    LAPIS_TRY(Tensor table, read_npy(settings.file("scores")));
    if ((!is_float(table.dtype()) && !is_integer(table.dtype())) || table.rank() != 1)
      return settings.problem("`scores` must be numbers [n], got " + to_string(table, 0));
    if (2 * table.size() != content_.size)
      return settings.problem("there are " + std::to_string(table.size()) + " scores for " +
                              std::to_string(content_.size) + " samples; a score belongs to two samples");
    if (table.size() < 2) return settings.problem("a correlation needs at least 2 scores");
    for (int64_t i = 0; i < table.size(); ++i)
      if (!std::isfinite(table.as_double(i))) return settings.problem("`scores` holds a value that is NaN or infinite");
    return column_of(std::move(table));
  }

  // The other images, for every input that has images, preprocessed alike.
  Result<Dataset::Content> calibration() const {
    Dataset::Content others;
    others.where = config_.calibration->settings.where;
    for (const InputConfig& input : config_.inputs) {
      LAPIS_TRY(Column column, calibration_of(input));
      LAPIS_CHECK(add_input(others, input, std::move(column)));
    }
    LAPIS_CHECK(check_size(others, others.where));
    return others;
  }

  Result<Column> calibration_of(const InputConfig& input) const {
    if (input.source->format.name == "images")
      return config_.calibration->format.open(config_.calibration->settings, Role::Input);
    LAPIS_TRY(Column column, input.source->format.open(input.source->settings, Role::Input));
    if (column.size == kAnySize) return column;
    return bad(config_.calibration->settings.where,
               "the input '" + input.name + "' has no images, so `calibration` gives it no values");
  }

  const Path& file_;
  const DatasetConfig& config_;
  Dataset::Content content_;
  std::optional<Column> labels_;
};

Result<Dataset> Dataset::load(const Path& file, const DatasetTables& tables) {
  LAPIS_TRY(const std::string text, read_file(file));
  LAPIS_TRY(const DatasetConfig config, parse_dataset_config(text, file, tables));
  return DatasetLoader(file, config).load();
}

Result<Dataset> Dataset::from_npy(const Path& file, const std::string& input) {
  LAPIS_TRY(Tensor table, read_npy(file));
  if (table.rank() < 1 || table.dim(0) < 1) return bad(file.string(), "the array has no samples along its first axis");
  Content content;
  content.where = file.string();
  content.size = table.dim(0);
  content.inputs.push_back({input, file.string(), column_of(std::move(table)), {}, true});
  return with(std::move(content));
}

Dataset Dataset::from_feeds(std::vector<Feeds> samples, const std::string& where) {
  LAPIS_ASSERT(!samples.empty(), "a dataset without samples");
  Content content;
  content.where = where;
  content.size = static_cast<int64_t>(samples.size());
  const auto all = std::make_shared<const std::vector<Feeds>>(std::move(samples));
  for (const auto& [name, first] : all->front()) {
    auto read = [all, name = name](int64_t i) -> Result<Tensor> { return (*all)[static_cast<size_t>(i)].at(name); };
    content.inputs.push_back({name, where, {content.size, read, {}}, {}, false});
  }
  return with(std::move(content));
}

Dataset Dataset::with(Content content) {
  Dataset d;
  d.size_ = content.size;
  d.content_ = std::make_shared<const Content>(std::move(content));
  return d;
}

Result<Feeds> Dataset::sample(int64_t index) const {
  Feeds feeds;
  for (const Content::Input& input : content_->inputs) {
    if (left_out_.contains(input.name)) continue;
    LAPIS_TRY(Tensor t, input.column.read(original(index)));
    auto made = transformed(std::move(t), input.transforms);
    if (!made.ok()) {
      Diagnostics found = std::move(made).diagnostics();
      for (Diagnostic& d : found)
        d.message = "sample " + std::to_string(original(index)) + " of input '" + input.name + "': " + d.message;
      return found;
    }
    feeds[input.name] = input.batch ? with_leading_one(*made) : *made;
  }
  return feeds;
}

Result<Tensor> Dataset::label(int64_t index, size_t metric) const {
  const Column& labels = content_->labels[metric];
  if (!labels.read) return Tensor();
  return labels.read(original(index) % labels.size);  // pairs share theirs
}

const std::vector<MetricConfig>& Dataset::metrics() const { return content_->metrics; }
const std::vector<Carry>& Dataset::carried() const { return content_->carried; }
const Path& Dataset::reference() const { return content_->reference; }
const std::string& Dataset::where() const { return content_->where; }

static Number number_of(const Tensor& tensor) {
  if (tensor.dtype() == DType::UInt64) return tensor.data<uint64_t>()[0];
  return is_integer(tensor.dtype()) ? Number(tensor.as_ints()[0]) : Number(tensor.as_double(0));
}

std::map<std::string, Number> Dataset::fixed_numbers() const {
  std::map<std::string, Number> numbers;
  const auto is_carried = [&](const std::string& name) {
    return std::any_of(carried().begin(), carried().end(), [&](const Carry& c) { return c.input == name; });
  };
  for (const Content::Input& input : content_->inputs) {
    if (input.column.size != kAnySize || left_out_.contains(input.name) || is_carried(input.name)) continue;
    const auto read = input.column.read(0);
    const auto number = read.ok() ? transformed(*read, input.transforms) : read;
    const bool single = number.ok() && number->size() == 1 && number->dtype() != DType::String;
    if (single) numbers.emplace(input.name, number_of(*number));
  }
  return numbers;
}

Dataset Dataset::without(std::set<std::string> inputs) const {
  Dataset d = *this;
  d.left_out_.merge(inputs);
  if (calibration_) d.calibration_ = std::make_shared<const Dataset>(calibration_->without(d.left_out_));
  return d;
}

bool Dataset::has_pairs() const {
  return std::any_of(metrics().begin(), metrics().end(),
                     [](const MetricConfig& m) { return m.row.label == LabelKind::Pairs; });
}

// Sample i of `some`, evenly spread over `all`.
static int64_t spread(int64_t i, int64_t some, int64_t all) {
  return static_cast<int64_t>(static_cast<__int128>(i) * all / some);
}

// Half as many pairs as samples, two at least, because one has no correlation.
Dataset Dataset::limited_to(int64_t samples) const {
  if (samples <= 0 || samples >= size_) return *this;
  const bool pairs = has_pairs();
  const int64_t parts = pairs ? 2 : 1, all = size_ / parts,
                some = pairs ? std::min(std::max<int64_t>(samples / 2, 2), all) : samples;
  Dataset d = *this;
  d.size_ = parts * some;
  d.chosen_.clear();
  for (int64_t i = 0; i < d.size_; ++i)
    d.chosen_.push_back(original(i / some * all + (carried().empty() ? spread(i % some, some, all) : i % some)));
  return d;
}

}  // namespace lapis
