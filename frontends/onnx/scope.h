// Scope of an ONNX graph or function body: its values, what nodes in it mean, and what it declares.
#pragma once

#include <map>

#include "frontends/common/scope.h"
#include "frontends/onnx/protos.h"

namespace lapis::onnx_frontend {

using Opsets = std::map<std::string, int64_t>;  // domain to version

struct Scope : frontend::Scope {
  Scope(frontend::Scope names, const Opsets* opsets) : frontend::Scope(std::move(names)), opsets(opsets) {}
  const Opsets* opsets;
  bool in_branch =
      false;  // of an If: what cannot work there is an error only if no branch can, which inference finds out
  std::unordered_map<std::string, const onnx::TypeProto*> declared;
};

}  // namespace lapis::onnx_frontend
