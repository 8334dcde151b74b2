// Samples that a program of the user's makes.
#include <nlohmann/json.hpp>

#include "tuning/data/formats.h"
#include "tuning/data/json_lines.h"

namespace lapis {
namespace {

using Json = nlohmann::json;

Result<Column> open_process(const Settings& settings, Role role) {
  LAPIS_TRY(const std::shared_ptr<Process> process, start_process(settings));
  const std::string wanted = role == Role::Labels ? "labels" : "input";
  LAPIS_TRY(const Json size, ask(*process, settings, {{"open", wanted}}));
  if (!size.contains("size") || !size["size"].is_number_unsigned())
    return settings.problem("the process must answer {\"open\": ...} with {\"size\": number of samples}");
  auto read = [settings, process](int64_t i) -> Result<Tensor> {
    LAPIS_TRY(const Json json, ask(*process, settings, {{"sample", i}}));
    auto tensor = tensor_from_json(json);
    if (!tensor)
      return settings.problem("the process must answer {\"sample\": " + std::to_string(i) +
                              "} with {\"dtype\": ..., \"shape\": [...], \"data\": [...]} or {\"text\": ...}");
    return *std::move(tensor);
  };
  return Column{size["size"].get<int64_t>(), read, {}};
}

}  // namespace

std::vector<Format> process_formats() {
  return {{.name = "process",
           .doc = "what a program of yours answers, in lines of JSON",
           .options = process_options(),
           .open = open_process}};
}

}  // namespace lapis
