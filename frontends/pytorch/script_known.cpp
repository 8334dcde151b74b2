#include "frontends/pytorch/script_known.h"

#include "frontends/pytorch/import.h"
#include "ir/evaluate.h"
#include "ir/infer.h"
#include "ir/ops/loops.h"

namespace lapis::pytorch_frontend {
namespace {

// Every question costs an import of what lies before it: a file must not ask without end.
constexpr size_t kMostQuestions = 1'000, kMostNodes = 100'000, kSearchedForOne = 16;
constexpr int64_t kSmall = 1 << 10;

// The values of a graph that its sizes tell, node by node:
// as tensors, and as sizes where only some of these are numbers.
class Told {
 public:
  const Tensor* tensor(const Value* value) const {
    if (value->is_constant()) return &value->constant();
    const auto it = tensors_.find(value);
    return it == tensors_.end() ? nullptr : &it->second;
  }

  void visit(const Node& node) {
    if (node.outputs().size() != 1 || !node.op().has(Trait::Pure)) return;
    const Type& type = node.output()->type();
    const bool is_small = type.is_static() && element_count(type.shape()) <= kSmall;
    if (!is_small || !evaluate(node)) propagate(node, is_small);
  }

 private:
  bool evaluate(const Node& node) {
    std::vector<const Tensor*> inputs;
    for (const Value* v : node.inputs()) {
      inputs.push_back(v ? tensor(v) : nullptr);
      if (v && !inputs.back()) return false;
    }
    Result<std::vector<Tensor>> results = node.op().evaluate ? evaluate_node(node, inputs) : std::vector<Tensor>();
    if (!results.ok() || results->size() != 1) return false;
    note(node.output(), std::move((*results)[0]));
    return true;
  }

  void propagate(const Node& node, bool is_small) {
    std::optional<Dims> contents =
        node.op().propagate ? node.op().propagate(InferContext(node, contents_)) : std::nullopt;
    if (!contents) return;
    std::vector<double> numbers;
    for (const Dim& d : *contents)
      if (d.is_constant()) numbers.push_back(static_cast<double>(d.value()));
    const Type& type = node.output()->type();
    contents_.insert_or_assign(node.output(), *std::move(contents));
    if (is_small && static_cast<int64_t>(numbers.size()) == element_count(type.shape()))
      tensors_.insert_or_assign(node.output(), ops::from_doubles(type.dtype, type.shape(), numbers));
  }

  void note(const Value* value, Tensor tensor) {
    if (is_integer(tensor.dtype()) && tensor.rank() <= 1) {
      const std::vector<int64_t> numbers = tensor.as_ints();
      contents_.insert_or_assign(value, Dims(numbers.begin(), numbers.end()));
    }
    tensors_.insert_or_assign(value, std::move(tensor));
  }

  std::unordered_map<const Value*, Tensor> tensors_;
  InferContext::Contents contents_;
};

std::optional<Item> item_of(const Tensor& tensor) {
  if (tensor.size() != 1) return std::nullopt;
  if (tensor.dtype() == DType::Bool) return Item::of_bool(tensor.as_int(0) != 0);
  if (is_integer(tensor.dtype())) return Item::of_int(tensor.as_int(0));
  return is_float(tensor.dtype()) ? std::optional(Item::of_float(tensor.as_double(0))) : std::nullopt;
}

}  // namespace

// Null if it cannot be imported so far, which is for those to say who import the whole.
std::unique_ptr<Graph> KnownValues::imported(const Writer& writer, const std::string& name) {
  nodes_ += writer.node_count() / kSearchedForOne;
  if (questions_ >= kMostQuestions || nodes_ >= kMostNodes) return nullptr;
  frontend::SourceGraph part = writer.part(name);
  ++questions_;
  nodes_ += part.nodes.size();
  for (const std::string& input : part.inputs) {
    Type& type = part.values.at(input).type;
    if (!type.dims) return nullptr;
    for (Dim& d : *type.dims) d = d.bind(options_.dims);
  }
  auto graph = translate(part, dialect(), {.translators = options_.translators});
  return graph.ok() ? *std::move(graph) : nullptr;
}

std::optional<Item> KnownValues::number(const Writer& writer, const std::string& name) {
  const std::unique_ptr<Graph> graph = imported(writer, name);
  if (!graph) return std::nullopt;
  Told told;
  for (const Node* node : graph->nodes()) told.visit(*node);
  const Tensor* tensor = told.tensor(graph->outputs()[0]);
  return tensor ? item_of(*tensor) : std::nullopt;
}

std::optional<Type> KnownValues::type(const Writer& writer, const std::string& name) {
  const std::unique_ptr<Graph> graph = imported(writer, name);
  if (!graph || !graph->outputs()[0]->type().ranked()) return std::nullopt;
  return graph->outputs()[0]->type();
}

}  // namespace lapis::pytorch_frontend
