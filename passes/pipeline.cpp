#include "passes/pipeline.h"

#include <algorithm>

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
      unknown.push_back(error(ErrorKind::Usage, "there is no pass '" + std::string(name) + "'"));
  }
  if (unknown.empty()) return pipeline;
  std::string known;
  for (const Pass& pass : all_passes()) known += (known.empty() ? "" : ", ") + pass.name;
  unknown.back().help("the passes are " + known);
  return unknown;
}

}  // namespace lapis
