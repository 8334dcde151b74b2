// lapis ops [--framework F] [--op NAME]
#include "base/suggest.h"
#include "frontends/frontend.h"
#include "tools/lapis/terminal.h"
#include "tools/lapis/verb.h"

namespace lapis::cli {
namespace {

using frontend::Support;
using frontend::SupportedOperator;

struct Flags {
  std::string framework, op;
};

Result<std::vector<const Frontend*>> chosen(const std::string& framework) {
  std::vector<const Frontend*> all;
  std::vector<std::string> names;
  for (const Frontend& f : frontends()) {
    names.emplace_back(f.name);
    if (framework.empty() || framework == f.name) all.push_back(&f);
  }
  if (!all.empty()) return all;
  return error(ErrorKind::Usage, "--framework: there is no frontend '" + framework + "'")
      .help(suggestion(framework, names));
}

nlohmann::ordered_json as_json(const SupportedOperator& op) {
  nlohmann::ordered_json json = {{"name", op.op}, {"support", frontend::name_of(op.how)}};
  if (op.how == Support::Refused) {
    json["reason"] = op.says;
    json["hint"] = op.hint;
    return json;
  }
  json["becomes"] = op.says.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json(op.says);
  if (op.how == Support::Translated) json["versions"] = {op.oldest, op.newest};
  return json;
}

std::vector<std::string> as_row(const SupportedOperator& op) {
  const std::string says = op.says.empty() ? "several, by its options" : op.says;
  return {op.op, std::string(name_of(op.how)), says};
}

std::vector<SupportedOperator> operators_of(const Frontend& f, const std::string& op) {
  std::vector<SupportedOperator> all = f.operators();
  if (!op.empty()) std::erase_if(all, [&](const SupportedOperator& other) { return other.op != op; });
  return all;
}

Result<Report> list(const Flags& flags) {
  LAPIS_TRY(const std::vector<const Frontend*> asked, chosen(flags.framework));
  Report report;
  report.json = nlohmann::ordered_json::object();
  for (const Frontend* f : asked) {
    std::vector<std::vector<std::string>> rows = {{std::string(f->title), "", "becomes, or why not"}};
    auto json = nlohmann::ordered_json::array();
    for (const SupportedOperator& op : operators_of(*f, flags.op)) {
      rows.push_back(as_row(op));
      json.push_back(as_json(op));
    }
    if (rows.size() > 1) report.text += table(rows) + "\n";
    report.json[std::string(f->name)] = std::move(json);
  }
  if (report.text.empty()) report.text = "no frontend knows an operator '" + flags.op + "'\n";
  return report;
}

}  // namespace

Action declare_ops(Arguments& app) {
  auto flags = std::make_shared<Flags>();
  app.add_option("--framework", flags->framework,
                 "Of one framework only: onnx, tflite, tensorflow, keras, mxnet, pytorch")
      .type_name("F");
  app.add_option("--op", flags->op, "One operator, as its framework names it").type_name("NAME");
  return [flags] { return list(*flags); };
}

}  // namespace lapis::cli
