#include "frontends/onnx/builder.h"

#include <onnx/onnx_pb.h>

#include <algorithm>
#include <unordered_set>

#include "frontends/common/declared.h"
#include "frontends/common/order.h"
#include "frontends/onnx/attributes.h"
#include "frontends/onnx/graph_builder.h"
#include "frontends/onnx/import.h"
#include "frontends/onnx/nodes.h"
#include "frontends/onnx/schema.h"
#include "frontends/onnx/types.h"
#include "frontends/onnx/versions.h"
#include "ir/infer.h"
#include "ir/ops/ops.h"

namespace lapis::onnx_frontend {
namespace {

using frontend::kMaxDepth;  // kMaxBodies (read.h) has its part of it

template <class Imports> Opsets opsets_of(const Imports& imports) {
  Opsets opsets;
  for (const auto& import : imports) opsets[plain_domain(import.domain())] = import.version();
  return opsets;
}

template <class Nodes> std::vector<onnx::NodeProto*> pointers(Nodes& nodes) {
  return {nodes.pointer_begin(), nodes.pointer_end()};
}

std::string function_id(const std::string& domain, const std::string& name, const std::string& overload) {
  return plain_domain(domain) + "::" + name + "::" + overload;
}

}  // namespace

Builder::Builder(onnx::ModelProto& model, const RawData& raw, ExternalFiles& files, const ImportOptions& options)
    : model_(model),
      raw_(raw),
      files_(files),
      opsets_(opsets_of(model.opset_import())),
      symbols_(options),
      expansion_(nodes_written(model), model.ByteSizeLong() + raw.size()) {}

Result<std::unique_ptr<Graph>> Builder::run() {
  if (Diagnostics found = check_versions(model_, opsets_); !found.empty()) return found;
  for (auto& f : *model_.mutable_functions()) functions_[function_id(f.domain(), f.name(), f.overload())] = &f;
  onnx::GraphProto& proto = *model_.mutable_graph();
  auto graph = std::make_unique<Graph>(proto.name().empty() ? "graph" : proto.name());
  for (const auto& entry : model_.metadata_props()) graph->metadata()[entry.key()] = entry.value();
  for (const auto& output : proto.output()) names_.reserve(output.name());
  Scope scope({.graph = graph.get()}, &opsets_);
  fill_graph(proto, scope);
  symbols_.check(findings_);
  if (findings_.empty()) findings_.collect(infer_types(*graph));
  if (!findings_.empty()) return findings_.all();
  erase_unused_constants(*graph);
  return graph;
}

void Builder::erase_unused_constants(Graph& graph) {
  for (Node* node : graph.nodes())
    for (Graph* subgraph : node->subgraphs()) erase_unused_constants(*subgraph);
  graph.erase_unused_constants();
}

void Builder::fill_graph(onnx::GraphProto& proto, Scope& scope) {
  add_initializers(proto, scope);
  add_inputs(proto, scope);
  for (const auto& v : proto.value_info()) scope.declared[v.name()] = &v.type();
  for (const auto& v : proto.output()) scope.declared[v.name()] = &v.type();
  emit_all(pointers(*proto.mutable_node()), scope);
  set_outputs(proto, scope);
}

void Builder::add_initializers(onnx::GraphProto& proto, Scope& scope) {
  for (int i = 0; i < proto.initializer_size(); ++i) {
    onnx::TensorProto& tensor = *proto.mutable_initializer(i);
    const std::string name = tensor.name();
    const auto raw = scope.is_top() ? raw_.of(static_cast<size_t>(i)) : std::nullopt;
    add_initializer(name, to_tensor(tensor, files_, raw), scope);
  }
  for (auto& tensor : *proto.mutable_sparse_initializer()) {
    const std::string name = tensor.values().name();
    add_initializer(name, to_tensor(tensor, files_), scope);
  }
}

void Builder::add_initializer(const std::string& name, Result<Tensor> tensor, Scope& scope) {
  if (name.empty() || scope.has(name))
    return report(error(ErrorKind::Input,
                        name.empty() ? "an initializer has no name" : "initializer '" + name + "' is defined twice"));
  if (tensor.ok()) {
    scope.values[name] = scope.graph->add_constant(*std::move(tensor), value_name(name, scope));
  } else {
    scope.poison(name);
    findings_.collect(std::move(tensor).diagnostics());
  }
}

void Builder::add_inputs(const onnx::GraphProto& proto, Scope& scope) {
  std::unordered_set<std::string> seen;
  for (const auto& input : proto.input()) {
    const std::string where = "input '" + input.name() + "'";
    if (input.name().empty() || !seen.insert(input.name()).second) {
      report(error(ErrorKind::Input, input.name().empty() ? "has no name" : "is listed twice").at(where));
    } else if (!scope.values.contains(input.name())) {
      Result<Type> type = input_type(input, scope);
      if (type.ok() && !type->is_tensor() && !scope.is_top()) {
        scope.poison(input.name());  // of a body that is only searched; else sequences are taken out of what it gets
      } else if (type.ok()) {
        scope.values[input.name()] = scope.graph->add_input(value_name(input.name(), scope), *std::move(type));
      } else {
        scope.poison(input.name());
        findings_.collect(std::move(type).diagnostics(), where);
      }
    }
  }
}

Result<Type> Builder::input_type(const onnx::ValueInfoProto& input, const Scope& scope) {
  const bool top = scope.is_top();
  if (!top && !input.has_type()) return Type{};
  const auto name_unknown = [&](size_t axis) { return frontend::Symbols::unnamed(input.name(), axis); };
  LAPIS_TRY(Type type, from_proto(input.type(), top ? NameUnknown(name_unknown) : nullptr));
  if (top) symbols_.note(type);
  type = symbols_.bound(std::move(type));
  if (auto problem = type.size_problem()) return error(ErrorKind::Input, "cannot be: " + *problem);
  return type;
}

void Builder::set_outputs(const onnx::GraphProto& proto, Scope& scope) {
  std::vector<Value*> outputs;
  std::unordered_set<const Value*> taken;
  std::unordered_set<std::string> seen;
  for (const auto& output : proto.output()) {
    const std::string where = "output '" + output.name() + "'";
    if (!scope.has(output.name())) {
      report(error(ErrorKind::Input, "nothing in the model defines it").at(where));
      continue;
    }
    if (!scope.outer && !seen.insert(output.name()).second) {
      report(error(ErrorKind::Input, "is listed twice").at(where));
      continue;
    }
    if (scope.is_poisoned(output.name())) continue;
    Item result = scope.find_item(output.name());
    if (scope.is_top() && scope.item(output.name())) {
      report(sequence_as_output().at(where));
      continue;
    }
    // A branch may hand on a value of the graph around it, or one value twice; in a Graph an output is the graph's own.
    for (Value* value : result.parts())
      outputs.push_back(&value->graph() != scope.graph || !taken.insert(value).second ? copy_of(value, scope) : value);
    scope.results.push_back(std::move(result));
  }
  scope.graph->set_outputs(std::move(outputs));
}

Value* Builder::copy_of(Value* value, Scope& scope) {
  Node* node = scope.graph->add_node(*find_op("Identity"), {value}, {}, {scope.graph->unique_name(value->name())});
  findings_.collect(infer_types(*node));
  return node->output();
}

std::string Builder::node_name(const onnx::NodeProto& proto, const Scope& scope) {
  const std::string& first = proto.output_size() > 0 ? proto.output(0) : proto.name();
  const std::string& name = proto.name().empty() ? first : proto.name();
  return names_.node(name.empty() ? proto.op_type() : name, scope);
}

void Builder::emit_all(const std::vector<onnx::NodeProto*>& nodes, Scope& scope) {
  std::vector<frontend::OrderedNode> ordered;
  ordered.reserve(nodes.size());
  for (const onnx::NodeProto* node : nodes) ordered.push_back(reads_and_writes(*node));
  frontend::NodeOrder order = frontend::topological_order(
      ordered, [&](std::string_view name) { return scope.has(std::string(name)); },
      [&](size_t i) { return location_of(*nodes[i]); });
  if (!order.diagnostics.empty()) return findings_.collect(std::move(order.diagnostics));
  for (const size_t i : order.nodes) emit(*nodes[i], scope);
}

int64_t Builder::version_of(const std::string& domain, const Scope& scope) const {
  for (const Opsets* opsets : {scope.opsets, &opsets_})
    if (const auto it = opsets->find(domain); it != opsets->end()) return it->second;
  return 0;
}

void Builder::emit(onnx::NodeProto& node, Scope& scope) {
  if (!expansion_.add_node() || scope.depth > kMaxDepth) return report_explosion(node, scope);
  const std::string domain = plain_domain(node.domain());
  const auto function = functions_.find(function_id(domain, node.op_type(), node.overload()));
  if (function != functions_.end()) return expand_local(node, *function->second, scope);
  const auto version = static_cast<int>(std::clamp<int64_t>(version_of(domain, scope), 0, 1 << 20));
  const onnx::OpSchema* schema = find_schema(node.op_type(), version, domain);
  if (!schema) return emit_without_schema(node, domain, scope);
  if (Status valid = check_node(node, *schema); !valid.ok()) return fail(node, scope, std::move(valid).diagnostics());
  if (Status typed = check_types(*schema, input_types(node, scope)); !typed.ok())
    return fail(node, scope, std::move(typed).diagnostics());
  if (!domain.empty()) return emit_canonical(node, schema, scope);
  if (resolves_sequences(node, reads_items(node, scope))) return emit_sequences(node, scope);
  const bool in_newer_terms = since_version(*schema) > kCanonicalOpset;
  if (in_newer_terms && !find_schema(node.op_type(), kCanonicalOpset, "")) return emit_canonical(node, schema, scope);
  if (Status done = in_newer_terms ? to_canonical_from_newer(node, version, type_of(node, 0, scope))
                                   : upgrade(node, version, scope);
      !done.ok())
    return fail(node, scope, std::move(done).diagnostics());
  emit_canonical(node, find_schema(node.op_type(), kCanonicalOpset, ""), scope);
}

void Builder::emit_without_schema(onnx::NodeProto& node, const std::string& domain, Scope& scope) {
  if (find_op(node.op_type(), domain) && !domain.empty()) return emit_canonical(node, nullptr, scope);
  if (domain == "com.microsoft" && node.op_type() == "MatMulNBits") return emit_matmul_nbits(node, scope);
  if (const auto* definition = definitions::find(domain, node.op_type()))
    return emit_definition(node, *definition, scope);
  findings_.unsupported(unsupported(node, place(node, scope), scope.owner));
  poison(node, scope);
}

void Builder::emit_definition(const onnx::NodeProto& node, const definitions::Definition& definition, Scope& scope) {
  if (any_input_poisoned(node, scope)) return poison(node, scope);
  auto body = definitions::function_of(definition, node, input_types(node, scope));
  body.ok() ? expand(node, *body, node.op_type(), scope) : refuse(node, scope, body.diagnostics().front());
}

void Builder::refuse(const onnx::NodeProto& node, Scope& scope, const Diagnostic& d) {
  if (d.kind != ErrorKind::Unsupported) return fail(node, scope, {d});
  frontend::UnsupportedNode refused = unsupported(node, place(node, scope), scope.owner);
  refused.reason = d.message;
  if (!d.hint.empty()) refused.hint = d.hint;
  findings_.unsupported(refused);
  poison(node, scope);
}

void Builder::emit_canonical(onnx::NodeProto& node, const onnx::OpSchema* schema, Scope& scope) {
  if (node.op_type() == "Constant" && plain_domain(node.domain()).empty()) return emit_constant(node, scope);
  if (const OpDef* op = find_op(node.op_type(), node.domain())) return emit_record(node, *op, schema, scope);
  if (const auto* definition = definitions::find(plain_domain(node.domain()), node.op_type()))
    return emit_definition(node, *definition, scope);
  const bool poisoned = any_input_poisoned(node, scope);
  onnx::FunctionProto body;
  if (schema && function_of(node, *schema, input_types(node, scope), body))
    return poisoned ? search(node, body, node.op_type(), scope) : expand(node, body, node.op_type(), scope);
  if (!poisoned || !schema || !has_function(*schema))
    findings_.unsupported(unsupported(node, place(node, scope), scope.owner));
  poison(node, scope);
}

void Builder::search(const onnx::NodeProto& call, onnx::FunctionProto& body, const std::string& owner, Scope& scope) {
  const size_t before = findings_.count();
  expand(call, body, owner, scope);
  findings_.forget_after(before);
  poison(call, scope);
}

void Builder::emit_constant(onnx::NodeProto& node, Scope& scope) {
  Result<Tensor> tensor = constant_value(node, files_);
  if (!tensor.ok()) return fail(node, scope, std::move(tensor).diagnostics());
  scope.values[node.output(0)] = scope.graph->add_constant(*std::move(tensor), value_name(node.output(0), scope));
}

Node* Builder::add_node(const onnx::NodeProto& node, const OpDef& op, Attributes attributes, Scope& scope) {
  std::vector<Value*> inputs;
  for (const std::string& name : node.input()) inputs.push_back(name.empty() ? nullptr : scope.value(name));
  while (!inputs.empty() && !inputs.back()) inputs.pop_back();
  std::vector<std::string> names;
  for (const std::string& name : node.output()) names.push_back(value_name(name, scope));
  while (names.size() > 1 && names.back().empty()) names.pop_back();
  Node* added = scope.graph->add_node(op, std::move(inputs), std::move(attributes), std::move(names), nullptr,
                                      node_name(node, scope));
  if (!scope.call.empty()) added->set_origin(scope.call);
  for (size_t i = 0; i < added->outputs().size(); ++i)
    if (!node.output(static_cast<int>(i)).empty()) scope.values[node.output(static_cast<int>(i))] = added->output(i);
  for (size_t i = added->outputs().size(); i < static_cast<size_t>(node.output_size()); ++i)
    scope.poison(node.output(static_cast<int>(i)));
  return added;
}

void Builder::emit_record(onnx::NodeProto& node, const OpDef& op, const onnx::OpSchema* schema, Scope& scope,
                          Subgraphs subgraphs) {
  Attributes attributes;
  if (any_input_poisoned(node, scope)) return skip(node, scope);
  if (!convert_attributes(node, op, schema, attributes, scope, subgraphs)) return poison(node, scope);
  subgraphs.give_items() ? emit_spread(node, op, std::move(attributes), subgraphs, scope)
                         : add_typed(node, op, std::move(attributes), scope);
}

void Builder::add_typed(const onnx::NodeProto& node, const OpDef& op, Attributes attributes, Scope& scope) {
  Node* added = add_node(node, op, std::move(attributes), scope);
  if (Status typed = infer_types(*added); !typed.ok() && !scope.in_branch) {
    findings_.collect(typed);
    return poison(node, scope);
  }
  for (Value* output : added->outputs()) apply_declared(node, *output, scope);
}

void Builder::apply_declared(const onnx::NodeProto& node, Value& value, const Scope& scope) {
  const auto it = scope.declared.find(node.output(static_cast<int>(value.output_index())));
  if (it == scope.declared.end() || it->second->value_case() == onnx::TypeProto::VALUE_NOT_SET) return;
  const Result<Type> declared = from_proto(*it->second);
  if (!declared.ok()) return;
  if (Status fits = frontend::complete_type(value, symbols_.bound(*declared)); !fits.ok())
    fail(node, std::move(fits).diagnostics());
}

bool Builder::convert_attributes(onnx::NodeProto& node, const OpDef& op, const onnx::OpSchema* schema,
                                 Attributes& attributes, Scope& scope, Subgraphs& subgraphs) {
  std::vector<std::string_view> known;
  for (const AttrDef& a : op.attributes) known.push_back(a.name);
  if (schema) drop_default_attributes(node, *schema, known);
  const size_t before = findings_.count();
  bool complete = true;
  for (auto& attribute : *node.mutable_attribute()) {
    const AttrDef* def = op.attribute(attribute.name());
    if (!attribute.ref_attr_name().empty()) {
      fail(node,
           {error(ErrorKind::Input, "attribute '" + attribute.name() + "' refers to attribute '" +
                                        attribute.ref_attr_name() + "' of a function, but there is none around it")});
    } else if (!def) {
      fail(node, {error(ErrorKind::Unsupported, "attribute '" + attribute.name() + "' is not supported")});
    } else if (attribute.type() == onnx::AttributeProto::GRAPH) {
      auto graph = subgraph(attribute, scope, &op == &ops::If, subgraphs);
      complete &= subgraphs.results.back().size() == static_cast<size_t>(attribute.g().output_size());
      attributes[attribute.name()] = std::move(graph);
    } else {
      Result<Attribute> value = to_attribute(attribute, files_);
      if (!value.ok())
        fail(node, std::move(value).diagnostics());
      else if (kind_of(*value) != def->kind)
        fail(node, {error(ErrorKind::Input, "attribute '" + attribute.name() + "' is not of the kind " +
                                                std::string(name_of(def->kind)))});
      else
        attributes[attribute.name()] = *std::move(value);
    }
  }
  return complete && findings_.count() == before;
}

void Builder::skip(onnx::NodeProto& node, Scope& scope) {
  Subgraphs searched;
  for (auto& attribute : *node.mutable_attribute())
    if (attribute.has_g()) subgraph(attribute, scope, false, searched);
  poison(node, scope);
}

std::shared_ptr<Graph> Builder::subgraph(onnx::AttributeProto& attribute, Scope& scope, bool is_branch,
                                         Subgraphs& subgraphs) {
  auto graph = scope.graph->make_subgraph(attribute.g().name().empty() ? attribute.name() : attribute.g().name());
  Scope inner(
      {.graph = graph.get(), .outer = &scope, .call = scope.call, .owner = scope.owner, .depth = scope.depth + 1},
      scope.opsets);
  inner.in_branch = scope.in_branch || is_branch;
  for (const auto& [name, item] : subgraphs.carried.inside) inner.define(name, item);
  fill_graph(*attribute.mutable_g(), inner);
  subgraphs.results.push_back(std::move(inner.results));
  return graph;
}

std::vector<Item> Builder::inlined(onnx::GraphProto body, const std::vector<Item>& inputs, const Scope& scope) {
  Scope inner(
      {.graph = scope.graph, .outer = &scope, .call = scope.call, .owner = scope.owner, .depth = scope.depth + 1},
      scope.opsets);
  inner.in_branch = scope.in_branch;
  if (!expansion_.add_bytes(body.ByteSizeLong())) report(expansion_.explosion("the bodies of sequences"));
  for (size_t i = 0; i < inputs.size(); ++i) inner.define(body.input(static_cast<int>(i)).name(), inputs[i]);
  add_initializers(body, inner);
  for (const auto& v : body.value_info()) inner.declared[v.name()] = &v.type();
  emit_all(pointers(*body.mutable_node()), inner);
  std::vector<Item> results;
  for (const auto& output : body.output()) results.push_back(inner.find_item(output.name()));
  return results;
}

void Builder::expand_local(const onnx::NodeProto& call, const onnx::FunctionProto& function, Scope& scope) {
  if (!expansion_.add_bytes(bytes_when_bound(call, function))) return report_explosion(call, scope);
  if (!expanding_.insert(&function).second) return fail(call, scope, {calls_itself(function)});
  onnx::FunctionProto body = function;
  bind_attributes(call, body);
  any_input_poisoned(call, scope) ? search(call, body, scope.owner, scope) : expand(call, body, scope.owner, scope);
  expanding_.erase(&function);
}

Diagnostic Builder::calls_itself(const onnx::FunctionProto& function) {
  return error(ErrorKind::Input, "the function '" + function.name() + "' calls itself, which ONNX does not allow")
      .help("express what repeats by a Loop");
}

void Builder::expand(const onnx::NodeProto& call, onnx::FunctionProto& body, const std::string& owner, Scope& scope) {
  const Opsets opsets = opsets_of(body.opset_import());
  if (const auto it = opsets.find(""); it != opsets.end())
    if (auto d = check_opset(it->second)) return fail(call, scope, {*std::move(d)});
  if (call.input_size() > body.input_size() || call.output_size() > body.output_size())
    return fail(call, scope, {error(ErrorKind::Input, "has more operands than the function that defines it")});
  Scope inner({.graph = scope.graph, .call = node_name(call, scope), .owner = owner, .depth = scope.depth + 1},
              &opsets);
  inner.in_branch = scope.in_branch;
  // Names of what is expanded begin with the call's, and a file may hold one very long name.
  if (!expansion_.add_bytes(inner.call.size() * static_cast<size_t>(body.node_size())))
    return report_explosion(call, scope);
  for (const auto& v : body.value_info()) inner.declared[v.name()] = &v.type();
  drop_absent_inputs(call, body);
  for (int i = 0; i < call.input_size(); ++i)
    if (!call.input(i).empty()) inner.define(body.input(i), scope.find_item(call.input(i)));
  emit_all(pointers(*body.mutable_node()), inner);
  for (int i = 0; i < call.output_size(); ++i)
    if (!call.output(i).empty()) take_output(call.output(i), inner.find_item(body.output(i)), inner.call, scope);
}

void Builder::drop_absent_inputs(const onnx::NodeProto& call, onnx::FunctionProto& body) {
  std::unordered_set<std::string> absent;
  for (int i = 0; i < body.input_size(); ++i)
    if (i >= call.input_size() || call.input(i).empty()) absent.insert(body.input(i));
  if (absent.empty()) return;
  for (auto& node : *body.mutable_node())
    for (auto& input : *node.mutable_input())
      if (absent.contains(input)) input.clear();
}

void Builder::take_output(const std::string& name, Item result, const std::string& call, Scope& scope) {
  const bool is_value = result.tensor && result.tensor->type().kind == result.type.kind;
  if (is_value && !call.empty() && result.tensor->name().starts_with(call + "/")) {
    scope.graph->rename(result.tensor, value_name(name, scope));
  } else if (is_value && scope.is_top() && names_.is_reserved(name)) {
    Node* copy = scope.graph->add_node(*find_op("Identity"), {result.tensor}, {}, {name});
    findings_.collect(infer_types(*copy));
    result.tensor = copy->output();
  }
  scope.define(name, std::move(result));
}

const Type* Builder::type_of(const onnx::NodeProto& node, int i, const Scope& scope) const {
  return i < node.input_size() ? known_type(node.input(i), scope) : nullptr;
}

const Type* Builder::known_type(const std::string& name, const Scope& scope) {
  if (const Item* item = scope.item(name)) return item->dtype() == DType::Undefined ? nullptr : &item->type;
  const Value* value = name.empty() ? nullptr : scope.value(name);
  return value && (!value->type().is_tensor() || value->dtype() != DType::Undefined) ? &value->type() : nullptr;
}

std::vector<const Type*> Builder::input_types(const onnx::NodeProto& node, const Scope& scope) const {
  std::vector<const Type*> types;
  for (const std::string& name : node.input()) types.push_back(known_type(name, scope));
  return types;
}

bool Builder::any_input_poisoned(const onnx::NodeProto& node, const Scope& scope) {
  return std::any_of(node.input().begin(), node.input().end(),
                     [&](const std::string& name) { return scope.is_poisoned(name); });
}

bool Builder::reads_items(const onnx::NodeProto& node, const Scope& scope) {
  return std::any_of(node.input().begin(), node.input().end(), [&](const std::string& name) {
    const Value* value = scope.value(name);
    return value ? !value->type().is_tensor() : scope.item(name) != nullptr;
  });
}

void Builder::poison(const onnx::NodeProto& node, Scope& scope) {
  for (const std::string& name : node.output()) scope.poison(name);
}

std::string Builder::place(const onnx::NodeProto& node, const Scope& scope) const {
  if (!scope.call.empty()) return scope.call;
  if (!upgraded_.empty()) return upgraded_;
  return !node.name().empty() || node.output_size() == 0 ? node.name() : node.output(0);
}

void Builder::fail(const onnx::NodeProto& node, Diagnostics found) {
  findings_.collect(std::move(found), location_of(node));
}

void Builder::fail(const onnx::NodeProto& node, Scope& scope, Diagnostics found) {
  const bool written = scope.call.empty();  // else the call that the node is part of is
  findings_.collect(std::move(found),
                    written ? location_of(node) : "node '" + scope.call + "' (" + node.op_type() + ")");
  poison(node, scope);
}

void Builder::report_explosion(const onnx::NodeProto& node, Scope& scope) {
  poison(node, scope);
  if (std::exchange(exploded_, true)) return;
  Diagnostic d = scope.depth > kMaxDepth
                     ? error(ErrorKind::Input, "functions and subgraphs nest deeper than " + std::to_string(kMaxDepth))
                     : expansion_.explosion("the functions");
  report(d.at(location_of(node)));
}

Result<std::unique_ptr<Graph>> build_graph(onnx::ModelProto& model, const RawData& raw, ExternalFiles& files,
                                           const ImportOptions& options) {
  return Builder(model, raw, files, options).run();
}

}  // namespace lapis::onnx_frontend
