// If, Loop and Scan: small bodies of exact operators on their inputs, constants, and values of the enclosing graph.
#include "ir/ops/ops.h"
#include "tests/random/graphs/propose.h"

namespace lapis::random_graphs {
namespace {

constexpr TypeSet kState = types(DType::Float32, DType::Int32, DType::Int64, DType::UInt8, DType::Float16);

// An elementwise operator on a value and a constant, or a captured value of the same type.
Value* step(Draft& d, Graph& body, Value* x, Value* captured) {
  static const std::vector<const OpDef*> kBinary = {&ops::Add, &ops::Sub, &ops::Mul, &ops::Max, &ops::Min};
  const Shape shape = x->type().static_shape().value_or(Shape{});
  Value* other =
      captured && d.random.chance(40)
          ? captured
          : body.add_constant(draw_tensor(d.random, x->dtype(), d.random.chance(50) ? Shape{} : shape, Mood::Whole));
  return body.add_node(*d.random.pick(kBinary), {x, other})->output();
}

// A branch that gives one value from a captured one.
std::shared_ptr<Graph> branch(Draft& d, const std::string& name, Value* x) {
  auto body = d.graph->make_subgraph(name);
  Value* y = body->add_node(ops::Identity, {x})->output();
  y->set_type(x->type());
  for (int64_t i = d.random.between(0, 2); i > 0; --i) {
    y = step(d, *body, y, x);
    y->set_type(x->type());
  }
  body->set_outputs({y});
  return body;
}

std::optional<Proposal> propose_if(Draft& d, const OpDef&) {
  Value* x = d.some(kState, 0, 3);
  if (!x) return std::nullopt;
  Value* condition = d.fresh(Tensor::scalar<bool>(d.random.chance(50)));
  return Proposal{{condition}, {{"then_branch", branch(d, "then", x)}, {"else_branch", branch(d, "else", x)}}, 1};
}

std::optional<Proposal> propose_loop(Draft& d, const OpDef&) {
  Value* x = d.some(kState, 0, 2);
  if (!x) return std::nullopt;
  auto body = d.graph->make_subgraph("body");
  body->add_input("iteration", Type::tensor(DType::Int64, Dims{}));
  Value* go = body->add_input("go", Type::tensor(DType::Bool, Dims{}));
  Value* state = body->add_input("state", x->type());
  Value* next = step(d, *body, state, d.random.chance(50) ? x : nullptr);
  next->set_type(x->type());
  Value* more = body->add_node(ops::Identity, {go})->output();
  const bool scanned = d.random.chance(50);
  std::vector<Value*> outputs = {more, next};
  if (scanned) outputs.push_back(step(d, *body, next, nullptr));
  body->set_outputs(std::move(outputs));
  Value* trips = d.fresh(Tensor::scalar<int64_t>(d.random.between(0, 4)));
  Value* condition = d.random.chance(60) ? d.fresh(Tensor::scalar<bool>(d.random.chance(85))) : nullptr;
  return Proposal{{trips, condition, x}, {{"body", body}}, scanned ? size_t{2} : size_t{1}};
}

std::optional<Proposal> propose_scan(Draft& d, const OpDef&) {
  Value* x = d.some(kState, 1, 3);
  if (!x) return std::nullopt;
  const Shape& shape = x->type().shape();
  const Shape slice(shape.begin() + 1, shape.end());
  Value* initial = d.like(x->dtype(), slice);
  auto body = d.graph->make_subgraph("body");
  Value* state = body->add_input("state", Type::tensor(x->dtype(), slice));
  Value* element = body->add_input("element", Type::tensor(x->dtype(), slice));
  Value* next = body->add_node(ops::Add, {state, element})->output();
  next->set_type(Type::tensor(x->dtype(), slice));
  Value* out = step(d, *body, next, nullptr);
  body->set_outputs({next, out});
  Proposal p{{initial, x}, {{"body", body}, {"num_scan_inputs", int64_t{1}}}, 2};
  if (d.random.chance(25)) p.attributes["scan_input_directions"] = std::vector<int64_t>{1};
  return p;
}

}  // namespace

ProposerTable control_flow_proposers() { return {{"If", propose_if}, {"Loop", propose_loop}, {"Scan", propose_scan}}; }

}  // namespace lapis::random_graphs
