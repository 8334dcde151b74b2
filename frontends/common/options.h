// What an import may be told, whatever the format.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/tensor.h"
#include "ir/number.h"

namespace lapis {

namespace frontend {
class Translation;

// A translator that does not come with Lapis: like a row of a table (translate.h),
// but with a function that keeps what it needs.
struct OwnTranslator {
  std::string framework, op;
  size_t fewest_inputs = 1, most_inputs = 1;
  std::function<Status(Translation&)> translate;
};
}  // namespace frontend

struct ImportOptions {
  std::map<std::string, int64_t> dims = {};  // values for symbolic dimensions of the inputs
  // Sizes of the inputs, for formats whose code asks for them (frontends/frontend.h).
  // The graph is bound to them afterwards.
  std::map<std::string, Shape> shapes = {};
  // The part of the model that is wanted, by names of values: it begins at `inputs` and ends at `outputs`.
  // Empty: those that the model has.
  std::vector<std::string> inputs = {}, outputs = {};
  // Numbers that inputs always are, which decide what remains: {"training", 0}. Only for formats that import parts
  // (frontends/frontend.h); of others the graph is bound to them afterwards.
  std::map<std::string, Number> values = {};
  // Of a model that can be called in several ways. Empty: the one for serving, or the only one.
  std::string signature = {};
  // For operators that Lapis does not know, of any framework: those of the model's are used.
  std::vector<frontend::OwnTranslator> translators = {};
};

}  // namespace lapis
