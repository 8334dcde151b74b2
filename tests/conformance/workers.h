// Runs many items in child processes, so that one that dies by a signal or never ends costs only itself.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace lapis::conformance {

struct ItemResult {
  bool ended = false;  // false: the process died, `text` says how
  std::string text;    // what `work` returned
};

// work(i) for i in [0, count), each exactly once, by as many processes as there are cores. `work` runs in a child.
std::vector<ItemResult> run_in_children(size_t count, double seconds_per_item,
                                        const std::function<std::string(size_t)>& work);

}  // namespace lapis::conformance
