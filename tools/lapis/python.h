// Programs in Python that Lapis starts: the other runtimes.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/result.h"

namespace lapis::cli {

// The interpreter that has the peers: LAPIS_PYTHON, or build/venv of the source tree, or python3.
std::string python();

// Starts it isolated (-I): only its own installation says what `import numpy` means, not the current folder, not
// PYTHON* variables. It ends when Lapis does. The descriptors become its standard input and output; -1 leaves them.
Result<pid_t> start_python(const std::vector<std::string>& arguments, int input = -1, int output = -1);

// The exit code of a child, -1 if it ended otherwise.
int wait_for(pid_t child);

}  // namespace lapis::cli
