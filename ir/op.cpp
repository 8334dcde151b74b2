#include "ir/op.h"

namespace lapis {

AttrKind kind_of(const Attribute& attribute) { return static_cast<AttrKind>(attribute.index()); }

std::string_view name_of(AttrKind kind) {
  constexpr std::string_view kNames[] = {"int", "float", "string", "tensor", "graph", "ints", "floats", "strings"};
  return kNames[static_cast<size_t>(kind)];
}

size_t OpDef::min_inputs() const {
  size_t count = 0;
  for (size_t i = 0; i < inputs.size(); ++i)
    if (!inputs[i].optional) count = i + 1;
  return count;
}

size_t OpDef::max_inputs() const { return !inputs.empty() && inputs.back().variadic ? SIZE_MAX : inputs.size(); }

const AttrDef* OpDef::attribute(std::string_view attribute_name) const {
  for (const AttrDef& a : attributes)
    if (a.name == attribute_name) return &a;
  return nullptr;
}

const OpDef* find_op(std::string_view name, std::string_view domain) {
  if (domain == "ai.onnx") domain = "";
  for (const OpDef* def : all_ops())
    if (def->name == name && def->domain == domain) return def;
  return nullptr;
}

}  // namespace lapis
