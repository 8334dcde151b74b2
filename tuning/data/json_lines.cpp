#include "tuning/data/json_lines.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "ir/ops/loops.h"

namespace lapis {

nlohmann::json to_json(const Tensor& tensor) {
  if (tensor.dtype() == DType::String) return {{"text", tensor.size() ? tensor.string_data()[0] : ""}};
  nlohmann::json json = {{"dtype", std::string(name_of(tensor.dtype()))}, {"shape", tensor.shape()}};
  if (is_integer(tensor.dtype()))
    json["data"] = ops::to_integers(tensor);
  else
    json["data"] = ops::to_doubles(tensor);
  return json;
}

std::optional<Tensor> tensor_from_json(const nlohmann::json& json) {
  try {
    if (json.contains("text")) return Tensor::strings({}, {json["text"].get<std::string>()});
    const auto dtype = parse_dtype(json.at("dtype").get<std::string>());
    const auto shape = json.at("shape").get<Shape>();
    const auto& data = json.at("data");
    if (!dtype || !visit_dtype(*dtype, [](auto) {}) || shape_problem(*dtype, shape) || !data.is_array() ||
        static_cast<int64_t>(data.size()) != element_count(shape))
      return std::nullopt;
    if (is_integer(*dtype)) return ops::from_integers(*dtype, shape, data.get<std::vector<int64_t>>());
    std::vector<double> values;
    for (const auto& v : data) values.push_back(v.is_null() ? NAN : v.get<double>());
    return ops::from_doubles(*dtype, shape, values);
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;
  }
}

Result<nlohmann::json> ask(Process& process, const Settings& settings, const nlohmann::json& question,
                           const std::string& about) {
  auto line = process.ask(question.dump());
  if (!line.ok()) {
    Diagnostics found = std::move(line).diagnostics();
    for (Diagnostic& d : found) d.message = about + d.message;
    return found;
  }
  nlohmann::json json = nlohmann::json::parse(*line, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object())
    return settings.problem(about + "the process answered with a line that is no JSON object: " + line->substr(0, 80));
  if (!json.contains("error")) return json;
  const nlohmann::json& said = json["error"];
  return settings.problem(about + "the process says: " + (said.is_string() ? said.get<std::string>() : said.dump()));
}

std::vector<Option> process_options() {
  return {{.name = "command", .kind = OptionKind::Texts, .doc = "the program and its arguments", .required = true},
          {.name = "seconds",
           .kind = OptionKind::Number,
           .doc = "limit of an answer; default: 60",
           .low = 0.001,
           .high = 1e6}};
}

Result<std::shared_ptr<Process>> start_process(const Settings& settings) {
  return Process::start(settings.texts("command"), settings.where, settings.number("seconds", 60));
}

}  // namespace lapis
