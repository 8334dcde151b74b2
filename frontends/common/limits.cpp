#include "frontends/common/limits.h"

#include <string>

namespace lapis::frontend {

constexpr size_t kFreeNodes = 100'000, kNodesPerNode = 100;
constexpr size_t kFreeBytes = size_t{64} << 20, kBytesPerByte = 64;

Expansion::Expansion(size_t nodes_written, size_t bytes_written)
    : most_nodes_(kFreeNodes + kNodesPerNode * nodes_written),
      most_bytes_(kFreeBytes + kBytesPerByte * bytes_written) {}

Diagnostic Expansion::explosion(const char* what) const {
  const std::string found =
      nodes_ > most_nodes_
          ? "the model expands to more than " + std::to_string(most_nodes_) + " nodes, which is out of proportion"
          : std::string(what) + " expand to more than " + std::to_string(most_bytes_) +
                " bytes, which is out of proportion";
  return error(ErrorKind::Input, found);
}

}  // namespace lapis::frontend
