// The CLI: finds the verb, runs it, prints its report as text or JSON, and turns failures into documented exit codes.
#include <fcntl.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <map>
#include <sstream>

#include "base/suggest.h"
#include "driver/crash.h"
#include "tools/lapis/interrupt.h"
#include "tools/lapis/verb.h"

namespace lapis::cli {
namespace {

constexpr Verb kVerbs[] = {
    {"convert", "Read a model and write it as ONNX in its canonical form", declare_convert},
    {"inspect", "Show a model: inputs, operators, shapes, text", declare_inspect},
    {"ops", "List the operators of each framework: what they become, or why they are refused", declare_ops},
    {"opt", "Run passes on a model", declare_opt},
    {"optimize", "Make a float model faster as it is: graph optimization, in fp32 or bf16", declare_optimize},
    {"prune", "Set weights to 0, or remove channels, without training", declare_prune},
    {"quantize", "Quantize a model to int8 with calibration data", declare_quantize},
    {"init", "Write a commented configuration for `lapis tune`", declare_init},
    {"tune", "Find the fastest quantized model within an accuracy target", declare_tune},
    {"compile", "Compile ahead of time to an artifact or an object file", declare_compile},
    {"schedule", "Measure the kernels that fit and write the fastest schedules", declare_schedule},
    {"run", "Run a model on given inputs", declare_run},
    {"eval", "Measure the accuracy of a model on a dataset", declare_eval},
    {"bench", "Measure the speed of a model, beside other runtimes", declare_bench},
    {"verify", "Compare a model's results with the reference or another runtime", declare_verify},
    {"reduce", "Make a model that fails as small as possible", declare_reduce},
    {"diff", "Compare two models of one network by node: precision, error, time, size", declare_diff},
    {"explain", "Show what each node became: precision, kernel, region, time", declare_explain},
};

int exit_code(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::Usage: return kUsage;
    case ErrorKind::Input: return kInput;
    case ErrorKind::Unsupported: return kUnsupported;
    case ErrorKind::Mismatch: return kMismatch;
    case ErrorKind::Target: return kTarget;
    case ErrorKind::Io:
    case ErrorKind::Resource: return kIo;
    case ErrorKind::Internal: return kInternal;
  }
  return kInput;
}

int fail(const Diagnostics& diagnostics) {
  std::fputs(to_string(diagnostics).c_str(), stderr);
  for (const Diagnostic& d : diagnostics)
    if (d.severity == Severity::Error) return exit_code(d.kind);
  return kInput;
}

// 0 or what to end with: a full disk or a closed pipe is a failure like any other.
int print(const std::string& text, std::FILE* to = stdout) {
  std::fputs(text.c_str(), to);
  if (std::fflush(to) == 0 && !std::ferror(to)) return kOk;
  return fail({error(ErrorKind::Io, std::string("cannot write the report: ") + std::strerror(errno))
                   .help("check what reads it, and that the disk has room")});
}

int print(const Report& report, bool json) {
  if (report.text.empty() && report.json.is_null()) return kOk;
  constexpr auto kReplace = nlohmann::json::error_handler_t::replace;  // names need not be UTF-8, JSON must be
  return print(json ? report.json.dump(2, ' ', false, kReplace) + "\n" : report.text,
               report.on_stderr ? stderr : stdout);
}

// The first option that the verb does not have, with the one that may be meant.
// "" if there is none, but too many words.
std::string unknown_option(const CLI::App& verb) {
  for (const std::string& word : verb.remaining())
    if (word.size() > 1 && word[0] == '-') return word.substr(0, word.find('='));
  return "";
}

Diagnostic unknown_option_error(const CLI::App& verb, const std::string& option) {
  std::vector<std::string> known;
  for (const CLI::Option* o : verb.get_options())
    for (const std::string& name : o->get_lnames()) known.push_back("--" + name);
  const std::string meant = nearest(option, known);
  return error(ErrorKind::Usage, "`lapis " + verb.get_name() + "` has no option '" + option + "'")
      .help((meant.empty() ? "" : "did you mean '" + meant + "'? ") + "see `lapis " + verb.get_name() + " --help`");
}

// What CLI11 found, in the form of every other message. `argument` is the first one.
int fail_usage(const CLI::App& app, const std::string& argument, const CLI::ParseError& e) {
  const std::vector<CLI::App*> verbs = app.get_subcommands();
  if (!verbs.empty()) {
    const std::string option = unknown_option(*verbs[0]);
    if (!option.empty()) return fail({unknown_option_error(*verbs[0], option)});
    return fail({error(ErrorKind::Usage, e.what()).help("see `lapis " + verbs[0]->get_name() + " --help`")});
  }
  const bool unknown = !argument.empty() && argument[0] != '-';
  return fail({error(ErrorKind::Usage, unknown ? "unknown verb '" + argument + "'" : std::string(e.what()))
                   .help("see `lapis --help`")});
}

std::string given(CLI::App& verb, const std::string& option) {
  const CLI::Option* found = verb.get_option_no_throw(option);
  return found && found->count() > 0 ? found->as<std::string>() : "";
}

// What a bug leaves behind of this call.
Invocation invocation_of(CLI::App& verb, int argc, char** argv) {
  Invocation invocation{.command = "lapis", .model = given(verb, "model"), .parent = given(verb, "--reproducer")};
  for (int i = 1; i < argc; ++i) invocation.command += " " + std::string(argv[i]);
  return invocation;
}

int run(int argc, char** argv) {
  CLI::App app("lapis: an int8 graph compiler for CPUs");
  app.require_subcommand(0, 1);  // none is reported below, after flags that do not exist
  app.set_version_flag("--version", std::string(kVersion));
  app.footer(
      "run, eval, bench, verify, explain, diff and inspect also take what `lapis compile` made.\n"
      "Exit codes: 0 ok, 1 a check failed, 2 usage, 3 bad input file, 4 unsupported model, 5 data does not fit the "
      "model, 6 target, 7 the system refused, 70 a bug in Lapis, 130 interrupted.");
  std::map<CLI::App*, Action> actions;
  bool json = false;
  for (const Verb& verb : kVerbs) {
    CLI::App* sub = app.add_subcommand(verb.name, verb.summary);
    sub->add_flag("--json", json, "Print the report as JSON on stdout");
    Arguments arguments(*sub);
    actions[sub] = verb.declare(arguments);
  }
  try {
    app.parse(argc, argv);
    if (app.get_subcommands().empty()) throw CLI::RequiredError("A subcommand");
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() != 0) return fail_usage(app, argc > 1 ? argv[1] : "", e);
    std::ostringstream help;
    app.exit(e, help, help);
    return print(help.str());
  }
  CLI::App& verb = *app.get_subcommands().front();
  const Result<Report> report = guarded_with_reproducer(actions.at(&verb), invocation_of(verb, argc, argv));
  if (!report.ok()) return fail(report.diagnostics());
  const int printed = print(*report, json);
  return printed == kOk ? report->exit_code : printed;
}

}  // namespace
}  // namespace lapis::cli

// A standard stream that was closed (>&-) must not become the next file that is opened; using it stays an error.
static void hold_standard_streams() {
  for (const int fd : {0, 1, 2})
    if (::fcntl(fd, F_GETFD) < 0) static_cast<void>(::open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY));
}

// What is thrown before or behind the verb, which is guarded: memory that cannot be had.
int main(int argc, char** argv) try {
  hold_standard_streams();
  for (const int number : {SIGPIPE, SIGXFSZ}) std::signal(number, SIG_IGN);  // write() reports it
  lapis::remember_reads();
  const lapis::Status watching = lapis::cli::watch_for_interrupts();
  return watching.ok() ? lapis::cli::run(argc, argv) : lapis::cli::fail(watching.diagnostics());
} catch (...) {
  std::fputs("error: the command line could not be read, or the report not be written\n  hint: give it more memory\n",
             stderr);
  return lapis::cli::kIo;
}
