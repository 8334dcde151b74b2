// Programs run as child processes, each in a group of its own, so that all of what it starts can be ended at once.
//
//   LAPIS_TRY(const pid_t child, spawn({"python3", "metric.py"}, {.in = socket, .out = socket}));
//   ...
//   end_group(child);
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/result.h"

namespace lapis {

// Descriptors that the program gets as its standard streams; -1:
// nowhere (/dev/null) for the first two, this process' own for the last.
struct SpawnStreams {
  int in = -1, out = -1;
  enum class Errors { Shared, Nowhere } errors = Errors::Shared;
};

// Signals are as a program expects them, whatever this process does with them for itself.
// A program that does not exist ends with code 127.
Result<pid_t> spawn(const std::vector<std::string>& command, const SpawnStreams& streams);

// For a child between fork and exec: the signals as a program expects them.
void restore_signals();

// SIGKILL to the child and all that it started, but for what left its group.
void end_group(pid_t child);

}  // namespace lapis
