// lapis init M [--data eval.yaml] -o tune.yaml: a commented configuration for `lapis tune`.
#include "base/printable.h"
#include "tools/lapis/options.h"
#include "tools/lapis/output.h"
#include "tuning/search/config.h"

namespace lapis::cli {
namespace {

struct Flags {
  std::string model, output = "tune.yaml";
  std::optional<std::string> data;
};

// As the configuration names it: relative to its own folder.
std::string seen_from(const Path& file, const Path& folder) {
  if (file.is_absolute()) return file.string();
  std::error_code failed;
  const Path relative = std::filesystem::relative(file, folder.empty() ? Path(".") : folder, failed);
  return failed || relative.empty() ? file.string() : relative.string();
}

// The default is a name for a file that is still to be written.
Status check_data(const std::optional<std::string>& data) {
  std::error_code failed;
  if (!data || std::filesystem::exists(*data, failed)) return ok();
  return error(ErrorKind::Input, "there is no such dataset file")
      .at(*data)
      .help("write it first (docs/datasets.md), or leave out --data");
}

Result<Report> init(const Flags& flags) {
  std::error_code failed;
  if (flags.output != "-" && std::filesystem::exists(flags.output, failed))
    return error(ErrorKind::Usage, "there is such a file already")
        .at(flags.output)
        .help("choose another name with -o; nobody's settings are replaced");
  LAPIS_CHECK(check_data(flags.data));
  LAPIS_TRY(const Output output, Output::open(flags.output, flags.model));
  ModelFlags model;
  LAPIS_TRY(const std::unique_ptr<Graph> graph, model.import(flags.model, {}));
  const Path folder = Path(flags.output).parent_path();
  const std::string data = flags.data.value_or("eval.yaml");
  const std::string text = tune_config_template(*graph, seen_from(flags.model, folder), seen_from(data, folder));
  LAPIS_CHECK(output.write(text));
  Report report;
  const std::string file = printable(flags.output);
  report.text = file + ": edit it, then run `lapis tune " + file + "`\n";
  report.json = {{"output", flags.output}, {"model", flags.model}, {"data", data}};
  report.on_stderr = output.is_stdout();
  return report;
}

}  // namespace

Action declare_init(Arguments& app) {
  auto flags = std::make_shared<Flags>();
  app.add_option("model", flags->model, "A model of any format that Lapis reads").required().type_name("MODEL");
  app.add_option("-o,--output", flags->output, "The configuration; it must not exist yet")
      .capture_default_str()
      .type_name("FILE");
  app.add_option("--data", flags->data,
                 "The dataset file that it names, with a metric (docs/datasets.md); default: eval.yaml, to be written")
      .type_name("DATA.yaml");
  return [flags] { return init(*flags); };
}

}  // namespace lapis::cli
