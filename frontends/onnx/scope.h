// Scope of an ONNX graph or function body: its values, what nodes in it mean, and what it declares.
#pragma once

#include <algorithm>
#include <map>

#include "frontends/common/scope.h"
#include "frontends/onnx/protos.h"

namespace lapis::onnx_frontend {

using Opsets = std::map<std::string, int64_t>;  // domain to version

// What a name of the model stands for: a tensor, or a sequence or an optional,
// which the import resolves to tensors (sequences.h).
struct Item {
  enum class Kind { Tensor, List, Stacked, Absent };
  Type type;  // as the model sees it: tensor, seq(tensor), optional(tensor), ...
  Kind kind = Kind::Tensor;
  Value* tensor = nullptr;  // a Tensor; the elements along its first axis of what is Stacked, and of a List where they
                            // are at hand so
  std::vector<Value*> elements = {};  // of a List

  std::vector<Value*> parts() const {
    return kind == Kind::List ? elements : kind == Kind::Absent ? std::vector<Value*>() : std::vector<Value*>{tensor};
  }
  DType dtype() const {  // of the tensors
    const Type* tensors = &type;
    while (!tensors->is_tensor()) tensors = tensors->element.get();
    return tensors->dtype;
  }
  // A value of the graph as it is.
  bool is_plain() const { return kind == Kind::Tensor && tensor && tensor->type().kind == type.kind; }
  bool same_form(const Item& other) const { return kind == other.kind && elements.size() == other.elements.size(); }
};

struct Scope : frontend::Scope {
  Scope(frontend::Scope names, const Opsets* opsets) : frontend::Scope(std::move(names)), opsets(opsets) {}
  const Opsets* opsets;
  bool in_branch =
      false;  // of an If: what cannot work there is an error only if no branch can, which inference finds out
  std::unordered_map<std::string, const onnx::TypeProto*> declared;
  std::unordered_map<std::string, Item> items;               // those that are no tensors; among `values` they are null
  std::unordered_map<const Value*, std::string> made_names;  // by which nodes that the import makes read values
  std::vector<Item> results;                                 // of a subgraph, once it is filled

  // Null for tensors.
  const Item* item(const std::string& name) const {
    for (const Scope* s = this; s; s = static_cast<const Scope*>(s->outer)) {
      if (!s->values.contains(name)) continue;
      const auto it = s->items.find(name);
      return it == s->items.end() ? nullptr : &it->second;
    }
    return nullptr;
  }
  // A tensor too; one without a value is poisoned.
  Item find_item(const std::string& name) const {
    if (const Item* known = item(name)) return *known;
    Value* v = value(name);
    return {.type = v ? v->type() : Type(), .tensor = v};
  }
  bool is_poisoned(const std::string& name) const { return !name.empty() && !value(name) && !item(name); }
  // Poisons the name if a part of it is.
  void define(const std::string& name, Item what) {
    if (name.empty()) return;
    values[name] = what.is_plain() ? what.tensor : nullptr;
    if (!what.is_plain() && !std::ranges::count(what.parts(), nullptr)) items.insert_or_assign(name, std::move(what));
  }
};

}  // namespace lapis::onnx_frontend
