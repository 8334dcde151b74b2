// A command run as a child process with a time limit, for verbs that must outlive what they run.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace lapis::cli {

struct ChildEnd {
  int exit_code = -1;  // if it exited
  int signal = 0;      // else the signal that ended it
  bool timed_out = false;
};

// Its output goes nowhere. Ends what the command started, too, if it takes longer than `seconds`.
Result<ChildEnd> run_child(const std::vector<std::string>& command, double seconds);

}  // namespace lapis::cli
