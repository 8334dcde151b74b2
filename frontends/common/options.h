// What an import may be told, whatever the format.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace lapis {

struct ImportOptions {
  std::map<std::string, int64_t> dims;  // values for symbolic dimensions of the inputs
  // The part of the model that is wanted, by names of values: it begins at `inputs` and ends at `outputs`. Empty: those that the model has.
  std::vector<std::string> inputs = {}, outputs = {};
  // Numbers that inputs always are, which decide what remains: {"training", 0}. Only for formats that import parts (frontends/frontend.h); of
  // others the graph is bound to them afterwards.
  std::map<std::string, double> values = {};
  // Of a model that can be called in several ways. Empty: the one for serving, or the only one.
  std::string signature = {};
};

}  // namespace lapis
