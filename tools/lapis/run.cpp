// lapis run M --input name=@x.npy --output DIR
#include <algorithm>
#include <chrono>

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

// A file for each output: characters that file systems or shells take amiss become '_', and no two are the same.
std::vector<std::string> file_names(const std::vector<IoInfo>& outputs) {
  constexpr size_t kLongest = 200;
  std::vector<std::string> names;
  for (const IoInfo& output : outputs) {
    std::string stem = output.name.substr(0, kLongest);
    for (char& c : stem)
      if (c == '/' || c == ':' || static_cast<unsigned char>(c) < ' ' || c == '\x7f') c = '_';
    std::string name = stem + ".npy";
    for (int next = 2; std::find(names.begin(), names.end(), name) != names.end(); ++next)
      name = stem + "_" + std::to_string(next) + ".npy";
    names.push_back(name);
  }
  return names;
}

// Inputs that were given fix the shapes of a model with symbolic dimensions.
void bind_to(const Feeds& feeds, ModelOptions& options) {
  for (const auto& [name, tensor] : feeds) options.shapes.emplace(name, tensor.shape());
}

Result<Report> run(const Flags& flags) {
  LAPIS_TRY(const Feeds feeds, read_feeds(flags.inputs));
  if (!flags.output.empty()) LAPIS_CHECK(check_folder(flags.output));
  LAPIS_TRY(RunnerOptions options, flags.model.runner_options());
  bind_to(feeds, options.model);
  LAPIS_TRY(const std::unique_ptr<Runner> runner, open_model(flags.model.model, options));
  LAPIS_TRY(const std::vector<Tensor> inputs, ordered(feeds, runner->inputs()));
  const auto start = std::chrono::steady_clock::now();
  LAPIS_TRY(const std::vector<Tensor> outputs, runner->run(inputs));
  const double ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  Report report;
  report.json["milliseconds"] = ms;
  std::error_code failed;
  if (!flags.output.empty()) std::filesystem::create_directories(flags.output, failed);
  if (failed)
    return error(ErrorKind::Io, "cannot create the folder: " + failed.message())
        .at(flags.output)
        .help("name a folder where you may write");
  const std::vector<std::string> files = file_names(runner->outputs());
  for (size_t i = 0; i < outputs.size(); ++i) {
    const std::string& name = runner->outputs()[i].name;
    report.text += name + ": " + to_string(outputs[i]) + "\n";
    report.json["outputs"][name] = {{"dtype", name_of(outputs[i].dtype())}, {"shape", outputs[i].shape()}};
    if (flags.output.empty()) continue;
    const Path file = Path(flags.output) / files[i];
    LAPIS_CHECK(write_npy(file, outputs[i]));
    report.json["outputs"][name]["file"] = file.string();
  }
  return report;
}

}  // namespace

Action declare_run(CLI::App& app) {
  auto flags = std::make_shared<Flags>();
  flags->model.add_model(app);
  flags->model.add_running(app);
  app.add_option("--input", flags->inputs, "Value of an input, repeatable")->type_name("NAME=@FILE.npy");
  app.add_option("--output", flags->output, "Folder for the outputs as .npy files; default: print them")
      ->type_name("DIR");
  return [flags] { return run(*flags); };
}

}  // namespace lapis::cli
