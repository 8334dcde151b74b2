// lapis compile M -o OUT [--emit artifact|object] [--target T]
#include "driver/compile.h"
#include "base/hash.h"
#include "codegen/object/object.h"
#include "runtime/artifact.h"
#include "tools/lapis/options.h"
#include "tools/lapis/output.h"

namespace lapis::cli {
namespace {

struct Flags {
  ModelFlags model;
  std::string output, emit = "artifact";
};

Result<uint64_t> hash_of(const Path& file) {
  LAPIS_TRY(const MappedFile mapped, map_file(file));
  Hasher h;
  h.add_bytes(mapped.data.get(), mapped.size);
  return h.value();
}

Report describe(const Compiled& c, const std::string& output) {
  Report report;
  const Program& p = c.program;
  report.json = {{"output", output},
                 {"target", p.target},
                 {"steps", p.steps.size()},
                 {"code_bytes", p.code.size()},
                 {"constant_bytes", p.constants.size()},
                 {"arena_bytes", p.arena_bytes},
                 {"seconds", {{"passes", c.seconds.passes}, {"lower", c.seconds.lower}, {"emit", c.seconds.emit}}}};
  report.text = output + ": " + std::to_string(p.steps.size()) + " steps for " + p.target + ", " +
                std::to_string(p.code.size()) + " bytes of code, " + std::to_string(p.constants.size()) +
                " of constants, arena " + std::to_string(p.arena_bytes) + "; passes " + fixed(c.seconds.passes, 2) +
                " s, lowering " + fixed(c.seconds.lower, 2) + " s, code " + fixed(c.seconds.emit, 2) + " s\n";
  return report;
}

// OUT.o and OUT.h; the last part of OUT, as a C identifier, prefixes every symbol.
Status save_object(const Compiled& compiled, const Path& stem) {
  ObjectOptions options;
  options.name = stem.filename().string();
  options.directory = stem.has_parent_path() ? stem.parent_path() : Path(".");
  options.plan_hash = compiled.program.plan_hash;
  options.source_hash = compiled.program.source_hash;
  options.producer = compiled.program.producer;
  LAPIS_TRY(const ObjectFiles files, write_object(compiled.plan, compiled.code, options));
  static_cast<void>(files);
  return ok();
}

// Where to, before hours of work; nothing for an object, whose two files are named by its stem.
Result<std::optional<Output>> open_output(const Flags& flags) {
  if (flags.emit == "artifact") {
    LAPIS_TRY(Output output, Output::open(flags.output, flags.model.model));
    return std::optional(std::move(output));
  }
  if (flags.output == "-")
    return error(ErrorKind::Usage, "an object is two files, OUT.o and OUT.h, and standard output is one")
        .help("name them with -o STEM");
  LAPIS_CHECK(check_files({flags.output + ".o", flags.output + ".h"}));
  return std::optional<Output>();
}

Status save(const Compiled& compiled, const Flags& flags, const std::optional<Output>& output) {
  if (!output) return save_object(compiled, flags.output);
  return output->write(ArtifactImage(compiled.program).parts());
}

Result<Report> compile(const Flags& flags) {
  LAPIS_TRY(const std::optional<Output> output, open_output(flags));
  CompileOptions options;
  LAPIS_TRY(options.target, Target::parse(flags.model.target));
  LAPIS_TRY(const ModelOptions model, flags.model.model_options());
  LAPIS_TRY(options.source_hash, hash_of(flags.model.model));
  LAPIS_TRY(const std::unique_ptr<Graph> graph, flags.model.load(flags.model.model, model));
  const Result<Compiled> result = compile(*graph, std::move(options));
  if (!result.ok()) return in_file(result.diagnostics(), flags.model.model, graph->name());
  const Compiled& compiled = *result;
  LAPIS_CHECK(save(compiled, flags, output));
  Report report = describe(compiled, flags.output);
  report.on_stderr = output && output->is_stdout();
  return report;
}

}  // namespace

Action declare_compile(CLI::App& app) {
  auto flags = std::make_shared<Flags>();
  flags->model.add_model(app);
  app.add_option("-o,--output", flags->output, "The artifact (- for standard output), or the stem of OUT.o and OUT.h")
      ->required()
      ->type_name("OUT");
  app.add_option("--emit", flags->emit,
                 "artifact: one file that the runtime maps; object: OUT.o and OUT.h for a C program, no library needed")
      ->capture_default_str()
      ->check(CLI::IsMember({"artifact", "object"}));
  app.add_option("--target", flags->model.target, "Machine to generate code for")->capture_default_str();
  return [flags] { return compile(*flags); };
}

}  // namespace lapis::cli
