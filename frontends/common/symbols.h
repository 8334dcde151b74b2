// Symbols: the symbolic dimensions of a model's inputs, and the values that the user gives them.
#pragma once

#include <set>
#include <string>

#include "frontends/common/findings.h"
#include "frontends/common/options.h"
#include "ir/type.h"

namespace lapis::frontend {

class Symbols {
 public:
  explicit Symbols(const ImportOptions& options) : options_(options) {}

  // A name for a dimension of an input that the model leaves open: "<input>_dim<axis>".
  static Dim unnamed(const std::string& input, size_t axis);
  void note(const Type& input);
  Type bound(Type type) const;
  // Values for symbols that the model does not have, and values that no dimension can have.
  void check(Findings& findings) const;

 private:
  const ImportOptions& options_;
  std::set<std::string> symbols_;
};

}  // namespace lapis::frontend
