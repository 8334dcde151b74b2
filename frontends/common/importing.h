// How every import ends: its findings are located in the file,
// and memory that a file asks for and that cannot be had is a finding too.
#pragma once

#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <stdexcept>
#include <string>

#include "base/file.h"
#include "base/guard.h"
#include "ir/graph.h"

namespace lapis::frontend {

// "node 'x' (Relu)" becomes "m.onnx: node 'x' (Relu)".
inline Diagnostics in_file(Diagnostics diagnostics, const std::string& name) {
  for (Diagnostic& d : diagnostics) d.at(d.location.empty() || d.location == name ? name : name + ": " + d.location);
  return diagnostics;
}

template <class Function> Result<std::unique_ptr<Graph>> importing(const std::string& name, Function&& function) try {
  Result<std::unique_ptr<Graph>> graph = function();
  if (!graph.ok()) return in_file(std::move(graph).diagnostics(), name);
  return graph;
} catch (const std::bad_alloc&) {
  return current_exception_diagnostic().at(name);
} catch (const std::length_error&) {
  return current_exception_diagnostic().at(name);
}

// Constants lie in the bytes of a model, which a caller may not keep.
inline MappedFile copy_of(std::span<const std::byte> bytes) {
  Tensor copy(DType::UInt8, {static_cast<int64_t>(bytes.size())});
  if (!bytes.empty()) std::memcpy(copy.mutable_raw(), bytes.data(), bytes.size());
  const auto owner = std::make_shared<const Tensor>(std::move(copy));
  return {{owner, owner->raw()}, bytes.size()};
}

}  // namespace lapis::frontend
