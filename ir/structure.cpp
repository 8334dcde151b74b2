#include "ir/structure.h"

#include <bit>
#include <functional>

#include "base/hash.h"
#include "ir/op.h"

namespace lapis {
namespace {

uint32_t bits(float value) { return std::bit_cast<uint32_t>(value); }

struct HashAttribute {
  Hasher& h;
  void operator()(int64_t v) const { h.add(static_cast<uint64_t>(v)); }
  void operator()(float v) const { h.add(bits(v)); }
  void operator()(const std::string& v) const { h.add(v); }
  void operator()(const Tensor& v) const { h.add(v.hash()); }
  void operator()(const std::shared_ptr<Graph>& v) const { h.add(reinterpret_cast<uintptr_t>(v.get())); }
  template <class T> void operator()(const std::vector<T>& values) const {
    h.add(values.size());
    for (const T& v : values) (*this)(v);
  }
};

bool same_floats(const std::vector<float>& a, const std::vector<float>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](float x, float y) { return bits(x) == bits(y); });
}

bool same(const Attribute& a, const Attribute& b) {
  if (const float* x = std::get_if<float>(&a))
    return std::holds_alternative<float>(b) && bits(*x) == bits(std::get<float>(b));
  if (const auto* x = std::get_if<std::vector<float>>(&a)) {
    const auto* y = std::get_if<std::vector<float>>(&b);
    return y && same_floats(*x, *y);
  }
  return a == b;
}

void add(Hasher& h, const Type& type) {
  h.add(static_cast<uint64_t>(type.kind) << 8 | static_cast<uint64_t>(type.dtype));
  if (type.element) add(h, *type.element);
  h.add(type.dims ? type.dims->size() : ~uint64_t{0});
  if (!type.dims) return;
  for (const Dim& d : *type.dims)
    if (d.is_constant())
      h.add(static_cast<uint64_t>(d.value()));
    else
      h.add(d.to_string());
}

void add(Hasher& h, const Tensor& tensor) {
  constexpr int64_t kSmall = 4096;
  h.add(static_cast<uint64_t>(tensor.dtype()));
  for (int64_t d : tensor.shape()) h.add(static_cast<uint64_t>(d));
  if (tensor.dtype() == DType::String || tensor.bytes() <= kSmall)
    h.add(tensor.hash());
  else
    h.add(reinterpret_cast<uintptr_t>(tensor.raw()));
}

void add(Hasher& h, const std::vector<Value*>& values) {
  h.add(values.size());
  for (const Value* v : values) {
    h.add(v ? std::string_view(v->name()) : std::string_view());
    if (v) add(h, v->type());
    if (v && v->is_constant()) add(h, v->constant());
  }
}

void add(Hasher& h, const Graph& graph) {
  add(h, graph.inputs());
  add(h, graph.outputs());
  for (const Node* node : graph.nodes()) {
    h.add(node->op().name);
    h.add(hash_of(node->attributes()));
    add(h, node->inputs());
    add(h, node->outputs());
    for (const Graph* subgraph : node->subgraphs()) add(h, *subgraph);
  }
}

}  // namespace

uint64_t hash_of(const Attributes& attributes) {
  Hasher h;
  for (const auto& [name, attribute] : attributes) {
    h.add(name);
    h.add(attribute.index());
    std::visit(HashAttribute{h}, attribute);
  }
  return h.value();
}

bool same(const Attributes& a, const Attributes& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const auto& x, const auto& y) { return x.first == y.first && same(x.second, y.second); });
}

uint64_t fingerprint(const Graph& graph) {
  Hasher h;
  add(h, graph);
  return h.value();
}

size_t total_node_count(const Graph& graph) {
  size_t count = graph.node_count();
  for (const Node* node : graph.nodes())
    for (const Graph* subgraph : node->subgraphs()) count += total_node_count(*subgraph);
  return count;
}

}  // namespace lapis
