// Readers may know why nothing can translate a node, whatever translators say of its operator:
// the reason is an attribute of this name.
//
//   node.attributes.insert_or_assign(kRefusal, "it is called with training=True");
#pragma once

#include <string>

#include "frontends/common/source_graph.h"

namespace lapis::frontend {

inline constexpr const char* kRefusal = "lapis.refusal";

// Empty if there is none.
inline std::string refusal_of(const SourceNode& node) {
  const auto it = node.attributes.find(kRefusal);
  const auto* reason = it == node.attributes.end() ? nullptr : std::get_if<std::string>(&it->second);
  return reason ? *reason : std::string();
}

}  // namespace lapis::frontend
