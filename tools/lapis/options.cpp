#include "tools/lapis/options.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <random>

#include "tuning/data/npy.h"

namespace lapis::cli {

void ModelFlags::add_model(CLI::App& app) {
  app.add_option("model", model, "An .onnx model, or an artifact made by `lapis compile`")
      ->required()
      ->type_name("MODEL");
  app.add_option("--dim", dims, "Value of a symbolic dimension, e.g. --dim S=64 (a batch dimension defaults to 1)")
      ->type_name("NAME=VALUE");
  app.add_option("--shape", shapes, "Shape of an input, e.g. --shape image=1x3x224x224")->type_name("INPUT=SHAPE");
}

void ModelFlags::add_running(CLI::App& app) {
  app.add_option("--target", target, "Machine to generate code for, e.g. x86-64+avx2")->capture_default_str();
  app.add_option("--threads", threads, "Threads; 0: one per core")->capture_default_str()->check(CLI::Range(0, 1024));
  app.add_flag("--perf-map", perf_map, "Write /tmp/perf-PID.map, so that `perf report` names generated functions");
  app.add_flag("--artifact", artifact, "Run machine code from an artifact that is not named .lapis");
  app.add_option("--backend", backend,
                 "jit; reference: the slow evaluator on the model as it was read, which defines the results;\n"
                 "reference-after-passes: the same on what the compile pipeline makes of it")
      ->capture_default_str()
      ->check(CLI::IsMember({"jit", "reference", "reference-after-passes"}));
}

static Result<std::pair<std::string, std::string>> split(const std::string& text, const std::string& flag,
                                                         const std::string& form) {
  const size_t at = text.find('=');
  if (at == std::string::npos || at == 0 || at + 1 == text.size())
    return error(ErrorKind::Usage, flag + " '" + text + "' is incomplete").help("write " + flag + " " + form);
  return std::pair(text.substr(0, at), text.substr(at + 1));
}

static std::optional<int64_t> parse_int(const std::string& text) {
  if (text.empty() || text.size() > 12 ||
      !std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c); }))
    return std::nullopt;
  return std::stoll(text);
}

Result<ModelOptions> ModelFlags::model_options() const {
  ModelOptions options;
  for (const std::string& dim : dims) {
    LAPIS_TRY(const auto pair, split(dim, "--dim", "NAME=VALUE"));
    const auto value = parse_int(pair.second);
    if (!value)
      return error(ErrorKind::Usage, "--dim '" + dim + "': the value is not a number").help("write --dim NAME=VALUE");
    options.dims[pair.first] = *value;
  }
  for (const std::string& shape : shapes) {
    LAPIS_TRY(const auto pair, split(shape, "--shape", "INPUT=1x3x224x224"));
    Shape& dims_of = options.shapes[pair.first];
    std::string rest = pair.second + "x";
    for (size_t at = 0, end; (end = rest.find('x', at)) != std::string::npos; at = end + 1) {
      const auto value = parse_int(rest.substr(at, end - at));
      if (!value)
        return error(ErrorKind::Usage, "--shape '" + shape + "' is not a shape")
            .help("write --shape INPUT=1x3x224x224");
      dims_of.push_back(*value);
    }
  }
  return options;
}

Result<RunnerOptions> ModelFlags::runner_options() const {
  RunnerOptions options;
  LAPIS_TRY(options.model, model_options());
  LAPIS_TRY(options.target, Target::parse(target));
  if (backend == "reference") options.backend = Backend::Reference;
  if (backend == "reference-after-passes") options.backend = Backend::ReferenceAfterPasses;
  options.threads = threads;
  options.perf_map = perf_map;
  options.artifact_of_any_name = artifact;
  return options;
}

Result<Dataset> load_dataset(const std::string& path, const std::string& first_input) {
  return path.ends_with(".npy") ? Dataset::from_npy(path, first_input) : Dataset::load(path);
}

Result<Feeds> read_feeds(const std::vector<std::string>& inputs) {
  Feeds feeds;
  for (const std::string& input : inputs) {
    LAPIS_TRY(auto pair, split(input, "--input", "NAME=@FILE.npy"));
    const std::string file = pair.second.starts_with("@") ? pair.second.substr(1) : pair.second;
    LAPIS_TRY(feeds[pair.first], read_npy(file));
  }
  return feeds;
}

std::vector<Tensor> random_inputs(const std::vector<IoInfo>& inputs) {
  std::mt19937 generator(1);
  std::vector<Tensor> tensors;
  for (const IoInfo& input : inputs) {
    Tensor t(input.dtype, input.shape);
    visit_dtype(input.dtype, [&](auto tag) {
      using T = decltype(tag);
      if constexpr (std::is_floating_point_v<T>) {
        std::uniform_real_distribution<T> uniform(-1, 1);
        for (T& v : t.mutable_data<T>()) v = uniform(generator);
      } else if constexpr (std::is_integral_v<T>) {
        std::uniform_int_distribution<int> uniform(0, 1);
        for (T& v : t.mutable_data<T>()) v = static_cast<T>(uniform(generator));
      }
    });
    tensors.push_back(std::move(t));
  }
  return tensors;
}

Progress progress_bar(std::string what) {
  if (!isatty(STDERR_FILENO)) return {};
  const auto start = std::chrono::steady_clock::now();
  return [what = std::move(what), start, last = start](int64_t done, int64_t total) mutable {
    const auto now = std::chrono::steady_clock::now();
    if (done < total && now - last < std::chrono::milliseconds(100)) return;
    last = now;
    const double elapsed = std::chrono::duration<double>(now - start).count(),
                 left = elapsed / static_cast<double>(done) * static_cast<double>(total - done);
    constexpr int kWidth = 30;
    const auto filled = static_cast<size_t>(kWidth * done / std::max<int64_t>(total, 1));
    fmt::print(stderr, "\r{} [{}{}] {}/{} {:.0f} s left ", what, std::string(filled, '#'),
               std::string(kWidth - filled, '.'), done, total, left);
    if (done == total) fmt::print(stderr, "\r\x1b[K");
  };
}

std::string fixed(double value, int digits) { return fmt::format("{:.{}f}", value, digits); }

std::string table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  for (const auto& row : rows)
    for (size_t i = 0; i < row.size(); ++i) {
      if (i == widths.size()) widths.push_back(0);
      widths[i] = std::max(widths[i], row[i].size());
    }
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) line += fmt::format("{:<{}}", row[i], widths[i] + 2);
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

double percentile(std::vector<double> values, double p) {
  LAPIS_ASSERT(!values.empty(), "percentile of nothing");
  std::sort(values.begin(), values.end());
  const double at = p / 100 * static_cast<double>(values.size() - 1);
  const auto low = static_cast<size_t>(at);
  const size_t high = std::min(low + 1, values.size() - 1);
  return values[low] + (values[high] - values[low]) * (at - static_cast<double>(low));
}

}  // namespace lapis::cli
