// lapis compile M -o OUT [--emit artifact|object] [--target T[,T...]] [--schedules FILE]
#include "driver/compile.h"
#include "base/printable.h"

#include <algorithm>
#include <span>

#include "base/hash.h"
#include "base/pages.h"
#include "base/suggest.h"
#include "codegen/object/object.h"
#include "runtime/artifact.h"
#include "tools/lapis/options.h"
#include "tools/lapis/output.h"

namespace lapis::cli {
namespace {

struct Flags {
  ModelFlags model;
  std::string output, emit = "artifact";
  std::vector<std::string> targets = {"host"};
  std::string save_schedules;
};

// The files of a model: itself, or those in its folder.
std::vector<Path> files_of(const Path& model) {
  std::error_code failed;
  if (!std::filesystem::is_directory(model, failed)) return {model};
  std::vector<Path> files;
  for (auto it = std::filesystem::recursive_directory_iterator(model, failed); !failed && it != end(it);
       it.increment(failed))
    if (it->is_regular_file(failed)) files.push_back(it->path());
  std::sort(files.begin(), files.end());
  return files;
}

// As add_bytes of the whole, whose pages go as soon as they are read:
// this mapping is one beside that of the model that is compiled.
void add_file(Hasher& hash, const MappedFile& file) {
  constexpr size_t kPiece = size_t{4} << 20;
  std::span<const std::byte> left = file.bytes();
  for (; left.size() > kPiece; left = left.subspan(kPiece)) {
    hash.add_words(left.data(), kPiece / sizeof(uint64_t));
    let_go_of_pages(left.first(kPiece));
  }
  hash.add_bytes(left.data(), left.size());
}

Result<uint64_t> hash_of(const Path& model) {
  Hasher h;
  for (const Path& file : files_of(model)) {
    LAPIS_TRY(const MappedFile mapped, map_file(file));
    add_file(h, mapped);
  }
  return h.value();
}

nlohmann::ordered_json as_json(const Compiled& c) {
  const Program& p = c.program;
  return {{"target", p.target},
          {"steps", p.steps.size()},
          {"code_bytes", p.code.size()},
          {"constant_bytes", constant_bytes(p)},
          {"arena_bytes", p.arena_bytes},
          {"seconds", {{"passes", c.seconds.passes}, {"lower", c.seconds.lower}, {"emit", c.seconds.emit}}}};
}

// Of the last one, whose constants are those of all, and the list of all if there are several.
Report describe(const std::vector<Compiled>& variants, const std::string& output) {
  Report report;
  report.json = {{"output", output}};
  report.json.update(as_json(variants.back()));
  for (const Compiled& c : variants) {
    const Program& p = c.program;
    if (variants.size() > 1) report.json["variants"].push_back(as_json(c));
    report.text += printable(output) + ": " + std::to_string(p.steps.size()) + " steps for " + p.target + ", " +
                   std::to_string(p.code.size()) + " bytes of code, " + std::to_string(constant_bytes(p)) +
                   " of constants, arena " + std::to_string(p.arena_bytes) + "; passes " + fixed(c.seconds.passes, 2) +
                   " s, lowering " + fixed(c.seconds.lower, 2) + " s, code " + fixed(c.seconds.emit, 2) + " s\n";
  }
  return report;
}

// OUT.o and OUT.h; the last part of OUT, as a C identifier, prefixes every symbol.
Status save_object(const Compiled& compiled, const Path& stem) {
  LAPIS_CHECK(spare_sources({stem.string() + ".o", stem.string() + ".h"}));
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

Status save(const std::vector<Compiled>& variants, const Flags& flags, const std::optional<Output>& output) {
  if (!output) return save_object(variants.front(), flags.output);
  std::vector<Program> programs;
  for (const Compiled& c : variants) {
    LAPIS_CHECK(check_storable(c.program));
    programs.push_back(c.program);
  }
  return output->write(ArtifactImage(programs).parts());
}

Result<std::vector<Target>> targets_of(const Flags& flags) {
  LAPIS_TRY(std::vector<Target> targets, parse_targets(joined(flags.targets, ",")));
  if (flags.emit == "object" && targets.size() > 1)
    return error(ErrorKind::Usage, "an object is code for one machine, and --target names several")
        .help("compile an object for each, and ask NAME_supported() which of them to call");
  if (targets.size() > 1 && !(flags.model.schedules.empty() && flags.save_schedules.empty()))
    return error(ErrorKind::Usage, "schedules are for one machine, and --target names several")
        .help("compile for each machine with its own");
  return targets;
}

// A further result, beside the artifact or the two files of an object.
Result<std::optional<Output>> open_schedules(const Flags& flags) {
  return Output::beside(flags.save_schedules, {flags.output, flags.output + ".o", flags.output + ".h"});
}

// "-o model.o" means what "-o model" does.
std::string stem_of(const std::string& output) {
  return output.ends_with(".o") && output.size() > 2 ? output.substr(0, output.size() - 2) : output;
}

Result<Report> compile(Flags flags) {
  if (flags.emit == "object") flags.output = stem_of(flags.output);
  LAPIS_TRY(const std::vector<Target> targets, targets_of(flags));
  LAPIS_TRY(const std::optional<Output> output, open_output(flags));
  CompileOptions options;
  LAPIS_TRY(const ModelOptions model, flags.model.model_options());
  LAPIS_TRY(options.schedules, flags.model.read_schedules());
  options.caches = flags.model.caches();
  LAPIS_TRY(std::unique_ptr<Graph> graph, flags.model.load(flags.model.model, model));
  LAPIS_TRY(const std::optional<Output> schedules, open_schedules(flags));
  LAPIS_TRY(options.source_hash, hash_of(flags.model.model));
  const std::string name = graph->name();
  LAPIS_TRY(const std::vector<Compiled> variants,
            in_file(compile_variants(std::move(graph), targets, options), flags.model.model, name));
  std::fputs(to_string(options.caches->warnings()).c_str(), stderr);
  LAPIS_CHECK(save(variants, flags, output));
  if (schedules) LAPIS_CHECK(schedules->write(codegen::to_text(codegen::schedules_of(variants.front().plan))));
  Report report = describe(variants, flags.output);
  report.on_stderr = (output && output->is_stdout()) || (schedules && schedules->is_stdout());
  return report;
}

}  // namespace

Action declare_compile(Arguments& app) {
  auto flags = std::make_shared<Flags>();
  flags->model.add_model(app);
  app.add_option("-o,--output", flags->output,
                 "The artifact (- for standard output), or the stem of OUT.o and OUT.h, with or without .o")
      .required()
      .type_name("OUT");
  app.add_option("--emit", flags->emit,
                 "artifact: one file that the runtime maps; object: OUT.o and OUT.h for a C program, no library needed")
      .capture_default_str()
      .check(one_of({"artifact", "object"}));
  app.add_option("--target", flags->targets,
                 "Machine to generate code for; several make an artifact that chooses when it is loaded")
      .type_name("TARGET[,TARGET...]")
      .delimiter(',')
      .capture_default_str();
  flags->model.add_schedules(app);
  flags->model.add_code_cache(app);
  app.add_option("--save-schedules", flags->save_schedules, "Write those that were used, to be edited and given back")
      .type_name("FILE");
  return [flags] { return compile(*flags); };
}

}  // namespace lapis::cli
