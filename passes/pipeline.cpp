#include "passes/pipeline.h"

#include <algorithm>

#include "base/suggest.h"
#include "passes/expand/expand.h"
#include "passes/precision/bf16.h"
#include "passes/prune/prune.h"
#include "passes/quantize/integer.h"
#include "passes/quantize/quantize.h"
#include "passes/simplify/simplify.h"

namespace lapis {

const Pipeline& all_passes() {
  static const Pipeline kAll = [] {
    Pipeline all = simplify_passes();
    for (Pass& pass : expand_passes()) all.push_back(std::move(pass));
    for (Pass& pass : prune_passes()) all.push_back(std::move(pass));
    for (Pass& pass : quantize_passes()) all.push_back(std::move(pass));
    for (Pass& pass : precision_passes()) all.push_back(std::move(pass));
    for (Pass& pass : integer_passes()) all.push_back(std::move(pass));
    return all;
  }();
  return kAll;
}

std::vector<std::string> rule_names() {
  std::vector<std::string> names = {"cse", std::string(kByteTableRule)};
  for (const Rule& rule : all_rules()) names.emplace_back(rule.name);
  for (const Rule& rule : expand_rules()) names.emplace_back(rule.name);
  for (const auto rules : {byte_rules(), channel_rules(), requantize_rules(), accumulate_rules(), leftover_rules()})
    for (const Rule& rule : rules) names.emplace_back(rule.name);
  return names;
}

namespace {

std::string_view trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(' ');
  return first == std::string_view::npos ? "" : text.substr(first, text.find_last_not_of(' ') - first + 1);
}

// What stands before `end`, which goes with it.
std::string_view take_until(std::string_view& text, char end) {
  const size_t at = std::min(text.find(end), text.size());
  const std::string_view taken = text.substr(0, at);
  text.remove_prefix(std::min(at + 1, text.size()));
  return taken;
}

template <class List> std::vector<std::string> names_of(const List& list) {
  std::vector<std::string> names;
  for (const auto& item : list) names.push_back(item.name);
  return names;
}

// Reads "a,b{c=1,d=2}"; findings are collected.
class PipelineParser {
 public:
  explicit PipelineParser(std::string_view text) : left_(text) {}

  Result<Pipeline> parse() {
    while (!trimmed(left_).empty()) parse_pass();
    if (!found_.empty()) return std::move(found_);
    return std::move(pipeline_);
  }

 private:
  void parse_pass() {
    const bool has_options = left_.find('{') < left_.find(',');
    const std::string name(trimmed(take_until(left_, has_options ? '{' : ',')));
    const std::string_view options = has_options ? take_options(name) : std::string_view();
    const auto known =
        std::find_if(all_passes().begin(), all_passes().end(), [&](const Pass& p) { return p.name == name; });
    if (known == all_passes().end())
      return report("there is no pass '" + name + "'", suggestion(name, names_of(all_passes())));
    pipeline_.push_back(*known);
    parse_options(options);
  }

  // What stands before the closing brace, and the comma behind it.
  std::string_view take_options(const std::string& name) {
    if (left_.find('}') == std::string_view::npos)
      report("the options of '" + name + "' do not end", "close them: " + name + "{option=value}");
    const std::string_view options = take_until(left_, '}'), behind = trimmed(take_until(left_, ','));
    if (!behind.empty())
      report("'" + std::string(behind) + "' stands behind the options of '" + name + "'", "put a comma between passes");
    return options;
  }

  void parse_options(std::string_view text) {
    while (!trimmed(text).empty()) {
      std::string_view value = take_until(text, ',');
      const bool assigns = value.find('=') != std::string_view::npos;
      const std::string_view name = trimmed(take_until(value, '='));
      if (assigns)
        set(name, trimmed(value));
      else
        report("'" + std::string(name) + "' is no option of the form name=value",
               "write " + pipeline_.back().name + "{option=value}");
    }
  }

  void set(std::string_view name, std::string_view value) {
    Pass& pass = pipeline_.back();
    const std::string option = "option '" + std::string(name) + "' of the pass '" + pass.name + "'";
    const auto def =
        std::find_if(pass.options.begin(), pass.options.end(), [&](const OptionDef& o) { return o.name == name; });
    if (def == pass.options.end())
      return report("there is no " + option,
                    pass.options.empty() ? "the pass has no options" : suggestion(name, names_of(pass.options)));
    if (!def->accepts(value))
      return report("the " + option + " is " + def->wanted + ", not '" + std::string(value) + "'",
                    "without it, it is " + def->fallback);
    if (!pass.set.emplace(name, value).second) report("the " + option + " is set twice", "leave one of them out");
  }

  void report(std::string message, std::string help) {
    found_.push_back(error(ErrorKind::Usage, std::move(message)).help(std::move(help)));
  }

  std::string_view left_;
  Pipeline pipeline_;
  Diagnostics found_;
};

}  // namespace

Result<Pipeline> parse_pipeline(std::string_view text) { return PipelineParser(text).parse(); }

}  // namespace lapis
