// What upgrades and sequences ask of a Builder, and what it does with them.
#include <onnx/onnx_pb.h>

#include "frontends/onnx/graph_builder.h"
#include "frontends/onnx/matmul_nbits.h"
#include "frontends/onnx/nodes.h"
#include "frontends/onnx/schema.h"
#include "frontends/onnx/upgrade.h"
#include "ir/ops/ops.h"

namespace lapis::onnx_frontend {

// What upgrades and sequences see of the scope around a node. What they add is named after what it is made for.
class Host : public SequenceHost {
 public:
  Host(Builder& builder, Scope& scope, const onnx::NodeProto& node, std::string suffix)
      : builder_(builder), scope_(scope), place_(builder.place(node, scope)), suffix_(std::move(suffix)) {}
  const Type* type_of(const std::string& value) override { return Builder::known_type(value, scope_); }
  const Tensor* constant_of(const std::string& value) override {
    const Value* v = value.empty() ? nullptr : scope_.value(value);
    return v && v->is_constant() ? &v->constant() : nullptr;
  }
  const Tensor* known(const std::string& value) override {
    const Value* v = scope_.value(value);
    return v ? builder_.known_.of(*v) : nullptr;
  }
  std::string add_constant(Tensor tensor, const std::string& hint) override {
    std::string name = fresh_name(hint);
    scope_.values[name] = scope_.graph->add_constant(std::move(tensor), builder_.value_name(name, scope_));
    return name;
  }
  // Not yet a name of this scope or an output of the model;
  // a clash with a later value costs that one a suffix, no more.
  std::string fresh_name(const std::string& hint) override {
    std::string name = hint + suffix_;
    for (int i = 1; scope_.has(name) || builder_.names_.is_reserved(name) || !taken_.insert(name).second; ++i)
      name = hint + suffix_ + std::to_string(i);
    return name;
  }
  void add_before(onnx::NodeProto node) override {
    node.set_name(place_ + "_" + node.op_type());
    const std::string before = std::exchange(builder_.upgraded_, place_);
    emit(std::move(node));
    builder_.upgraded_ = before;
  }
  void emit(onnx::NodeProto node) override {
    if (!builder_.expansion_.add_node()) return builder_.report_explosion(node, scope_);
    builder_.emit_canonical(node, find_schema(node.op_type(), kCanonicalOpset, ""), scope_);
  }
  void emit_loop(onnx::NodeProto node, const Carried& carried) override {
    builder_.emit_record(node, ops::Loop, find_schema(node.op_type(), kCanonicalOpset, ""), scope_, {carried});
  }
  Item item_of(const std::string& name) override { return scope_.find_item(name); }
  void define(const std::string& name, Item what) override { builder_.take_output(name, std::move(what), "", scope_); }
  std::string name_of(Value* value) override {
    std::string& name = scope_.made_names[value];
    if (name.empty()) {
      name = fresh_name(value->name());
      scope_.values[name] = value;
    }
    return name;
  }
  std::vector<Item> inlined(const onnx::GraphProto& body, const std::vector<Item>& inputs) override {
    return builder_.inlined(body, inputs, scope_);
  }
  Status afford(size_t elements, size_t bytes_each) override {
    if (builder_.expansion_.add_bytes(elements > SIZE_MAX / bytes_each ? SIZE_MAX : elements * bytes_each)) return ok();
    return builder_.expansion_.explosion("the sequences");
  }

 private:
  Builder& builder_;
  Scope& scope_;
  std::string place_, suffix_;
  std::unordered_set<std::string> taken_;
};

Status Builder::upgrade(onnx::NodeProto& node, int version, Scope& scope) {
  if (any_input_poisoned(node, scope)) return ok();  // emit_canonical reports what there is to report
  Host host(*this, scope, node, "_upgrade");
  return upgrade_node(node, version, host);
}

void Builder::emit_matmul_nbits(onnx::NodeProto& node, Scope& scope) {
  if (any_input_poisoned(node, scope)) return skip(node, scope);
  Host host(*this, scope, node, "");
  const Status read = read_matmul_nbits(node, host);
  read.ok() ? emit_canonical(node, find_schema(node.op_type(), kNewestOpset, ""), scope)
            : refuse(node, scope, read.diagnostics().front());
}

void Builder::emit_sequences(onnx::NodeProto& node, Scope& scope) {
  if (any_input_poisoned(node, scope)) return skip(node, scope);
  Host host(*this, scope, node, "_part");
  const Status resolved = resolve_sequences(node, host);
  if (!resolved.ok()) refuse(node, scope, resolved.diagnostics().front());
}

namespace {

// What has the form of `item` and consists of these values.
Item collected(Item item, const std::vector<std::string>& names, const Scope& scope) {
  for (size_t k = 0; k < names.size(); ++k)
    (item.kind == Item::Kind::List ? item.elements[k] : item.tensor) = scope.value(names[k]);
  if (item.kind == Item::Kind::List) item.tensor = nullptr;
  return item;
}

}  // namespace

void Builder::emit_spread(const onnx::NodeProto& node, const OpDef& op, Attributes attributes,
                          const Subgraphs& subgraphs, Scope& scope) {
  Result<std::vector<Item>> results = common_form(subgraphs);
  if (!results.ok()) return refuse(node, scope, results.diagnostics().front());
  if (results->size() != static_cast<size_t>(node.output_size()))
    return fail(node, scope, {error(ErrorKind::Input, "has another number of results than its subgraph")});
  Host host(*this, scope, node, "_part");
  onnx::NodeProto spread = node;
  spread.clear_output();
  std::vector<std::vector<std::string>> names(results->size());
  for (size_t i = 0; i < names.size(); ++i) {
    const Item& result = (*results)[i];
    const std::string& output = node.output(static_cast<int>(i));
    for (size_t k = 0; k < result.parts().size(); ++k) {
      names[i].push_back(result.is_plain() ? output : host.fresh_name(output + "_" + std::to_string(k)));
      spread.add_output(names[i].back());
    }
  }
  if (spread.output_size() > 0) add_typed(spread, op, std::move(attributes), scope);
  for (size_t i = 0; i < names.size(); ++i)
    if (!(*results)[i].is_plain())
      scope.define(node.output(static_cast<int>(i)), collected((*results)[i], names[i], scope));
}

}  // namespace lapis::onnx_frontend
