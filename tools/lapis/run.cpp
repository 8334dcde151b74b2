// lapis run M --input name=@x.npy --output DIR
#include <chrono>

#include "tools/lapis/options.h"
#include "tuning/data/npy.h"

namespace lapis::cli {
namespace {

struct Flags {
  ModelFlags model;
  std::vector<std::string> inputs;
  std::string output;
};

std::string file_name(std::string name) {
  for (char& c : name)
    if (c == '/' || c == ':') c = '_';
  return name + ".npy";
}

// Inputs that were given fix the shapes of a model with symbolic dimensions.
void bind_to(const Feeds& feeds, ModelOptions& options) {
  for (const auto& [name, tensor] : feeds) options.shapes.emplace(name, tensor.shape());
}

Result<Report> run(const Flags& flags) {
  LAPIS_TRY(const Feeds feeds, read_feeds(flags.inputs));
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
  for (size_t i = 0; i < outputs.size(); ++i) {
    const std::string& name = runner->outputs()[i].name;
    report.text += name + ": " + to_string(outputs[i]) + "\n";
    report.json["outputs"][name] = {{"dtype", name_of(outputs[i].dtype())}, {"shape", outputs[i].shape()}};
    if (flags.output.empty()) continue;
    const Path file = Path(flags.output) / file_name(name);
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
