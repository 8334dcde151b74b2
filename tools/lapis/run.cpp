// lapis run M --input name=@x.npy --output DIR
#include <algorithm>

#include "base/printable.h"
#include "base/stopwatch.h"
#include "tools/lapis/file_names.h"
#include "tools/lapis/options.h"
#include "tools/lapis/output.h"
#include "tuning/data/npy.h"

namespace lapis::cli {
namespace {

struct Flags {
  ModelFlags model;
  std::vector<std::string> inputs;
  std::string output;
};

std::vector<std::string> names_of(const std::vector<IoInfo>& list) {
  std::vector<std::string> names;
  names.reserve(list.size());
  for (const IoInfo& io : list) names.push_back(io.name);
  return names;
}

Status make_folder(const std::string& folder) {
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (!failed) return ok();
  return error(ErrorKind::Io, "cannot create the folder: " + failed.message())
      .at(folder)
      .help("name a folder where you may write");
}

Status write_outputs(Report& report, const std::string& folder, const std::vector<IoInfo>& infos,
                     const std::vector<Tensor>& outputs) {
  LAPIS_CHECK(make_folder(folder));
  std::vector<Path> files;
  for (const std::string& name : file_names(names_of(infos), ".npy")) files.push_back(Path(folder) / name);
  LAPIS_CHECK(spare_sources(files));
  for (size_t i = 0; i < outputs.size(); ++i) {
    LAPIS_CHECK(write_npy(files[i], outputs[i]));
    report.json["outputs"][infos[i].name]["file"] = files[i].string();
    report.text += printable(infos[i].name) + " -> " + printable(files[i].string()) + "\n";
  }
  return ok();
}

Result<Report> run(const Flags& flags) {
  LAPIS_TRY(const Feeds feeds, read_feeds(flags.inputs));
  if (!flags.output.empty()) LAPIS_CHECK(check_folder(flags.output));
  LAPIS_TRY(RunnerOptions options, flags.model.runner_options());
  bind_to(feeds, options.model);
  LAPIS_TRY(const std::unique_ptr<Runner> runner, flags.model.open(flags.model.model, options));
  LAPIS_TRY(const std::vector<Tensor> inputs, in_file(ordered(feeds, runner->inputs()), flags.model.model));
  const Stopwatch watch;
  LAPIS_TRY(const std::vector<Tensor> outputs, in_file(runner->run(inputs), flags.model.model));
  const double ms = watch.milliseconds();
  Report report;
  report.json["milliseconds"] = ms;
  for (size_t i = 0; i < outputs.size(); ++i) {
    const std::string& name = runner->outputs()[i].name;
    report.text += printable(name) + ": " + printable(to_string(outputs[i])) + "\n";
    report.json["outputs"][name] = {{"dtype", name_of(outputs[i].dtype())}, {"shape", outputs[i].shape()}};
  }
  if (!flags.output.empty()) LAPIS_CHECK(write_outputs(report, flags.output, runner->outputs(), outputs));
  return report;
}

}  // namespace

Action declare_run(Arguments& app) {
  auto flags = std::make_shared<Flags>();
  flags->model.add_model(app, ModelFlags::Takes::ArtifactsToo);
  flags->model.add_running(app);
  flags->model.add_schedules(app);
  app.add_option("--input", flags->inputs, "Value of an input, repeatable").type_name("NAME=@FILE.npy");
  app.add_option("--output", flags->output, "Folder for the outputs as .npy files, listed; default: print them")
      .type_name("DIR");
  return [flags] { return run(*flags); };
}

}  // namespace lapis::cli
