// Diagnostics: where, what, and what to do. Everything caused by input is reported through these, all of it at once.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace lapis {

enum class Severity { Note, Warning, Error };

// Who or what is at fault; the CLI turns it into its exit code (tools/lapis/verb.h documents them).
enum class ErrorKind {
  Usage,        // a wrong flag or argument
  Input,        // a file that cannot be read, is truncated, or is not what it claims to be
  Unsupported,  // a valid model that uses something Lapis does not implement
  Mismatch,     // tensors, shapes, dtypes or data sets that do not fit the model
  Target,       // code for a machine that this host cannot run
  Io,           // the file system refused
  Resource,     // memory, threads or address space that cannot be had
  Internal,     // a bug in Lapis
};

struct Diagnostic {
  Severity severity = Severity::Error;
  ErrorKind kind = ErrorKind::Input;
  std::string location;  // "resnet50.onnx: node 'Conv_12' (Conv)"; empty if the whole invocation is meant
  std::string message;   // "weight has 128 input channels but x has 64"
  std::vector<std::string> notes;
  std::string hint;  // what to do: "run `lapis inspect --shapes resnet50.onnx`"

  Diagnostic& at(std::string where) {
    location = std::move(where);
    return *this;
  }
  Diagnostic& note(std::string text) {
    notes.push_back(std::move(text));
    return *this;
  }
  Diagnostic& help(std::string text) {
    hint = std::move(text);
    return *this;
  }
};

Diagnostic error(ErrorKind kind, std::string message);
Diagnostic warning(std::string message);

using Diagnostics = std::vector<Diagnostic>;

// "LOCATION: error: MESSAGE\n  note: ...\n  hint: ...\n" for each diagnostic.
std::string to_string(const Diagnostic& diagnostic);
std::string to_string(const Diagnostics& diagnostics);
bool has_errors(const Diagnostics& diagnostics);

}  // namespace lapis
