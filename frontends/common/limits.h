// What a model may be expanded to: functions that call functions, and tensors that many nodes read in other forms,
// could make a small file explode (docs/security.md).
#pragma once

#include <cstddef>

#include "base/diagnostic.h"

namespace lapis::frontend {

inline constexpr int kMaxDepth = 64;  // of functions and subgraphs within each other

// Counts the nodes and bytes of what is expanded, in proportion to those of the file.
class Expansion {
 public:
  Expansion(size_t nodes_written, size_t bytes_written);
  // False once there is more than the file may ask for.
  bool add_node() { return ++nodes_ <= most_nodes_; }
  bool add_bytes(size_t bytes) {
    bytes_ = bytes_ + bytes < bytes_ ? SIZE_MAX : bytes_ + bytes;
    return bytes_ <= most_bytes_;
  }
  // What is too much: nodes, or else bytes of `what`.
  Diagnostic explosion(const char* what) const;

 private:
  size_t most_nodes_, most_bytes_, nodes_ = 0, bytes_ = 0;
};

}  // namespace lapis::frontend
