// What a bug leaves behind: a folder with the model, the command line and the message, which shows it again elsewhere.
//
//   const Invocation invocation{.command = "lapis compile m.onnx", .model = "m.onnx"};
//   Result<Report> report = guarded_with_reproducer([&] { return verb(); }, invocation);
//   // error: internal error: pass 'simplify': ...
//   //   note: the model, the command and this message are in 'lapis-crash-4f2a'
#pragma once

#include "base/file.h"
#include "base/guard.h"

namespace lapis {

inline constexpr std::string_view kVersion = "lapis 0.1.0";

struct Invocation {
  std::string command;  // as it was typed
  Path model;           // the file it read; what the reproducer holds if the bug struck before there was a graph
  Path parent;          // of the folder; empty: the current folder, or the temporary one where that cannot be written
};

// In a catch block: the exception as diagnostics.
// A bug's folder is written and named in a note, or why it could not be.
Diagnostics crash_diagnostics(const Invocation& invocation);
// The same for a bug that became diagnostics at an inner edge of the library; others come back as they are.
Diagnostics crash_diagnostics(Diagnostics found, const Invocation& invocation);

// guarded(f) that leaves a reproducer.
template <class Function>
auto guarded_with_reproducer(Function&& function, const Invocation& invocation) -> decltype(function()) {
  try {
    auto result = function();
    if (result.ok()) return result;
    return crash_diagnostics(std::move(result).diagnostics(), invocation);
  } catch (...) {
    return crash_diagnostics(invocation);
  }
}

}  // namespace lapis
