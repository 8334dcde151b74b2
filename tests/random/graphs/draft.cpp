#include "tests/random/graphs/draft.h"

#include <algorithm>

#include "ir/infer.h"
#include "tests/random/graphs/propose.h"

namespace lapis::random_graphs {
namespace {

constexpr int64_t kLargestResult = 8192;  // elements

Mood draw_mood(Random& random) {
  const int64_t roll = random.between(1, 100);
  return roll <= 50 ? Mood::Ordinary : roll <= 70 ? Mood::Whole : Mood::Special;
}

bool is_small(const Value& value) { return element_count(value.type().shape()) <= kLargestResult; }

bool all_small(const Node& node) {
  return std::all_of(node.outputs().begin(), node.outputs().end(),
                     [](const Value* v) { return !v || !v->type().is_static() || is_small(*v); });
}

}  // namespace

Draft::Draft(uint64_t seed) : random(seed), graph(std::make_unique<Graph>("random")), mood(draw_mood(random)) {}

Value* Draft::fresh(Tensor tensor) {
  Value* value = nullptr;
  if (random.chance(constants)) {
    value = graph->add_constant(std::move(tensor));
  } else {
    value = graph->add_input("x" + std::to_string(feeds.size()), Type::of(tensor));
    feeds[value->name()] = std::move(tensor);
  }
  pool_.push_back(value);
  return value;
}

Value* Draft::ints(std::vector<int64_t> values, DType dtype) {
  Tensor tensor(dtype, {static_cast<int64_t>(values.size())});
  for (size_t i = 0; i < values.size(); ++i) {
    if (dtype == DType::Int64)
      tensor.mutable_data<int64_t>()[i] = values[i];
    else
      tensor.mutable_data<int32_t>()[i] = static_cast<int32_t>(values[i]);
  }
  if (random.chance(97)) return constant(std::move(tensor));
  Value* value = graph->add_input("n" + std::to_string(feeds.size()), Type::of(tensor));
  feeds[value->name()] = std::move(tensor);
  return value;
}

Value* Draft::scalar(DType dtype, double value, bool vector) {
  Tensor tensor(dtype, vector ? Shape{1} : Shape{});
  visit_dtype(dtype, [&]<class T>(T) {
    T& to = tensor.mutable_data<T>()[0];
    if constexpr (std::is_same_v<T, Float16>)
      to = to_float16(static_cast<float>(value));
    else if constexpr (std::is_same_v<T, BFloat16>)
      to = to_bfloat16(static_cast<float>(value));
    else
      to = static_cast<T>(value);
  });
  const int kept = constants;
  constants = random.chance(85) ? 100 : constants;
  Value* result = fresh(std::move(tensor));
  constants = kept;
  return result;
}

Value* Draft::pooled(TypeSet types, int64_t lowest_rank, int64_t highest_rank) {
  std::vector<Value*> fitting;
  for (Value* v : pool_)
    if (allows(types, v->dtype()) && v->type().rank() >= lowest_rank && v->type().rank() <= highest_rank)
      fitting.push_back(v);
  if (fitting.empty()) return nullptr;
  return random.chance(60) ? fitting.back() : random.pick(fitting);
}

Value* Draft::some(TypeSet types, int64_t lowest_rank, int64_t highest_rank) {
  if (random.chance(80)) {
    if (Value* found = pooled(types, lowest_rank, highest_rank)) {
      Value* other = views && random.chance(20) ? view(found) : found;
      const int64_t rank = other->type().rank();
      return rank >= lowest_rank && rank <= highest_rank ? other : found;
    }
  }
  const DType dtype = draw_dtype(random, types);
  if (dtype == DType::Undefined) return nullptr;
  return fresh(dtype, draw_shape(random, lowest_rank, highest_rank));
}

// A value of as many elements, reshaped; or a larger one, sliced.
Value* Draft::as_view(DType dtype, const Shape& shape) {
  for (size_t tries = 0; tries < 8 && !pool_.empty(); ++tries) {
    Value* v = random.pick(pool_);
    if (v->dtype() != dtype) continue;
    if (element_count(v->type().shape()) == element_count(shape)) return reshape_to(*this, v, shape);
    if (v->type().rank() == static_cast<int64_t>(shape.size()))
      if (Value* cut = slice_to(*this, v, shape)) return cut;
  }
  return nullptr;
}

Value* Draft::like(DType dtype, const Shape& shape) {
  std::vector<Value*> same;
  for (Value* v : pool_)
    if (v->dtype() == dtype && v->type().shape() == shape) same.push_back(v);
  if (!same.empty() && random.chance(60)) return random.pick(same);
  if (views && random.chance(50))
    if (Value* v = as_view(dtype, shape)) return v;
  return fresh(dtype, shape);
}

Node* Draft::insert(const OpDef& op, Proposal proposal) {
  while (!proposal.inputs.empty() && !proposal.inputs.back()) proposal.inputs.pop_back();
  return graph->add_node(op, std::move(proposal.inputs), std::move(proposal.attributes),
                         std::vector<std::string>(proposal.outputs, ""));
}

Node* Draft::apply(const OpDef& op, Proposal proposal) {
  Node* node = insert(op, std::move(proposal));
  if (!infer_types(*node).ok() || !all_small(*node)) {
    ++refused;
    graph->erase(node);
    return nullptr;
  }
  for (Value* v : node->outputs()) (v->type().is_static() ? pool_ : loose_).push_back(v);
  return node;
}

Node* Draft::force(const OpDef& op, Proposal proposal) {
  Node* node = insert(op, std::move(proposal));
  for (Value* v : node->outputs()) loose_.push_back(v);
  return node;
}

Value* Draft::view(Value* value) {
  const bool kept = std::exchange(views, false);
  Value* result = propose_view(*this, value);
  views = kept;
  return result ? result : value;
}

// All that nobody reads, some inner values, rarely an input or a constant as it is.
void Draft::choose_outputs() {
  std::vector<Value*> outputs;
  for (const std::vector<Value*>* list : {&pool_, &loose_})
    for (Value* v : *list) {
      const int percent = !v->producer() ? 2 : v->uses().empty() ? 90 : 12;
      if (random.chance(percent)) outputs.push_back(v);
    }
  for (auto v = pool_.rbegin(); outputs.empty() && v != pool_.rend(); ++v)
    if ((*v)->producer()) outputs.push_back(*v);
  if (outputs.empty()) outputs.push_back(fresh(DType::Float32, {2}));
  graph->set_outputs(std::move(outputs));
}

}  // namespace lapis::random_graphs
