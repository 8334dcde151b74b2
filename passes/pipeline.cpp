#include "passes/pipeline.h"

#include <algorithm>

#include "base/suggest.h"
#include "passes/quantize/integer.h"
#include "passes/simplify/simplify.h"

namespace lapis {

const Pipeline& all_passes() {
  static const Pipeline kAll = [] {
    Pipeline all = simplify_passes();
    for (Pass& pass : integer_passes()) all.push_back(std::move(pass));
    return all;
  }();
  return kAll;
}

std::vector<std::string> rule_names() {
  std::vector<std::string> names = {"cse", std::string(kByteTableRule)};
  for (const Rule& rule : all_rules()) names.emplace_back(rule.name);
  for (const auto rules : {byte_rules(), requantize_rules(), accumulate_rules(), leftover_rules()})
    for (const Rule& rule : rules) names.emplace_back(rule.name);
  return names;
}

static std::vector<std::string> pass_names() {
  std::vector<std::string> names;
  for (const Pass& pass : all_passes()) names.push_back(pass.name);
  return names;
}

Result<Pipeline> parse_pipeline(std::string_view names) {
  Pipeline pipeline;
  Diagnostics unknown;
  while (!names.empty()) {
    const std::string_view name = names.substr(0, names.find(','));
    names.remove_prefix(std::min(name.size() + 1, names.size()));
    const auto pass =
        std::find_if(all_passes().begin(), all_passes().end(), [&](const Pass& p) { return p.name == name; });
    if (pass != all_passes().end())
      pipeline.push_back(*pass);
    else
      unknown.push_back(
          error(ErrorKind::Usage, "there is no pass '" + std::string(name) + "'").help(suggestion(name, pass_names())));
  }
  if (unknown.empty()) return pipeline;
  return unknown;
}

}  // namespace lapis
