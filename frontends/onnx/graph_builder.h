// Builder: a model in the making. It goes through the nodes in order; each becomes a node of the graph, is upgraded
// first, is expanded by the function that defines it, or is resolved (sequences.h).
#pragma once

#include <memory>
#include <unordered_map>
#include <unordered_set>

#include "frontends/common/findings.h"
#include "frontends/common/limits.h"
#include "frontends/common/names.h"
#include "frontends/common/symbols.h"
#include "frontends/onnx/definitions/definition.h"
#include "frontends/onnx/import.h"
#include "frontends/onnx/known.h"
#include "frontends/onnx/scope.h"
#include "frontends/onnx/sequences.h"
#include "frontends/onnx/tensors.h"

namespace lapis::onnx_frontend {

class Builder {
 public:
  Builder(onnx::ModelProto& model, const RawData& raw, ExternalFiles& files, const ImportOptions& options);
  Result<std::unique_ptr<Graph>> run();

 private:
  friend class Host;

  // ---- the model as a whole -----------------------------------------------------------------------------------------
  static void erase_unused_constants(Graph& graph);

  // ---- graphs -------------------------------------------------------------------------------------------------------
  void fill_graph(onnx::GraphProto& proto, Scope& scope);
  void add_initializers(onnx::GraphProto& proto, Scope& scope);
  void add_initializer(const std::string& name, Result<Tensor> tensor, Scope& scope);
  // Until IR version 4 initializers had to be listed as inputs; such inputs are the constants that they default to.
  void add_inputs(const onnx::GraphProto& proto, Scope& scope);
  // The inputs of a loop's body may leave their type to the loop.
  Result<Type> input_type(const onnx::ValueInfoProto& input, const Scope& scope);
  void set_outputs(const onnx::GraphProto& proto, Scope& scope);
  Value* copy_of(Value* value, Scope& scope);

  // ---- names --------------------------------------------------------------------------------------------------------
  std::string value_name(const std::string& name, const Scope& scope) const { return names_.value(name, scope); }
  std::string node_name(const onnx::NodeProto& proto, const Scope& scope);

  // ---- nodes --------------------------------------------------------------------------------------------------------
  void emit_all(const std::vector<onnx::NodeProto*>& nodes, Scope& scope);
  int64_t version_of(const std::string& domain, const Scope& scope) const;
  // A node in the terms of its scope's opsets.
  void emit(onnx::NodeProto& node, Scope& scope);
  Status upgrade(onnx::NodeProto& node, int version, Scope& scope);
  void emit_matmul_nbits(onnx::NodeProto& node, Scope& scope);
  void emit_sequences(onnx::NodeProto& node, Scope& scope);
  void emit_without_schema(onnx::NodeProto& node, const std::string& domain, Scope& scope);
  void emit_definition(const onnx::NodeProto& node, const definitions::Definition& definition, Scope& scope);
  // What of an operator is not read is reported as its operator is, with the reason.
  void refuse(const onnx::NodeProto& node, Scope& scope, const Diagnostic& d);
  // A node of the canonical opset. `schema` may be null for operators of other domains that have a record.
  void emit_canonical(onnx::NodeProto& node, const onnx::OpSchema* schema, Scope& scope);
  // A call that lacks an input because of an earlier error:
  // only what its body holds of unsupported operators is of interest.
  void search(const onnx::NodeProto& call, onnx::FunctionProto& body, const std::string& owner, Scope& scope);
  void emit_constant(onnx::NodeProto& node, Scope& scope);
  // Operands and results that are left out at the end are not there.
  Node* add_node(const onnx::NodeProto& node, const OpDef& op, Attributes attributes, Scope& scope);
  void emit_record(onnx::NodeProto& node, const OpDef& op, const onnx::OpSchema* schema, Scope& scope,
                   Subgraphs subgraphs = {});
  // Of sequences that subgraphs give each element is a result.
  void emit_spread(const onnx::NodeProto& node, const OpDef& op, Attributes attributes, const Subgraphs& subgraphs,
                   Scope& scope);
  void add_typed(const onnx::NodeProto& node, const OpDef& op, Attributes attributes, Scope& scope);
  void apply_declared(const onnx::NodeProto& node, Value& value, const Scope& scope);
  bool convert_attributes(onnx::NodeProto& node, const OpDef& op, const onnx::OpSchema* schema, Attributes& attributes,
                          Scope& scope, Subgraphs& subgraphs);
  // A node that lacks an input because of an earlier error. Its subgraphs are still searched for what is unsupported.
  void skip(onnx::NodeProto& node, Scope& scope);
  std::shared_ptr<Graph> subgraph(onnx::AttributeProto& attribute, Scope& scope, bool is_branch, Subgraphs& subgraphs);
  // The nodes of a subgraph, in the graph around it; what its outputs are.
  std::vector<Item> inlined(onnx::GraphProto body, const std::vector<Item>& inputs, const Scope& scope);

  // ---- functions ----------------------------------------------------------------------------------------------------
  void expand_local(const onnx::NodeProto& call, const onnx::FunctionProto& function, Scope& scope);
  static Diagnostic calls_itself(const onnx::FunctionProto& function);
  // The nodes of the body take the place of the call.
  void expand(const onnx::NodeProto& call, onnx::FunctionProto& body, const std::string& owner, Scope& scope);
  // Where a function reads an input that the call leaves out, the input is absent there too.
  static void drop_absent_inputs(const onnx::NodeProto& call, onnx::FunctionProto& body);
  // The result of a function takes the name that the caller gives it. What has a name already (an input that the
  // function hands on) keeps it, unless the model's output of that name must come into being.
  void take_output(const std::string& name, Item result, const std::string& call, Scope& scope);

  // ---- values -------------------------------------------------------------------------------------------------------
  const Type* type_of(const onnx::NodeProto& node, int i, const Scope& scope) const;
  static const Type* known_type(const std::string& name, const Scope& scope);
  std::vector<const Type*> input_types(const onnx::NodeProto& node, const Scope& scope) const;
  static bool any_input_poisoned(const onnx::NodeProto& node, const Scope& scope);
  static bool reads_items(const onnx::NodeProto& node, const Scope& scope);
  static void poison(const onnx::NodeProto& node, Scope& scope);

  // ---- diagnostics --------------------------------------------------------------------------------------------------
  // The node of the model as written that `node` stems from.
  std::string place(const onnx::NodeProto& node, const Scope& scope) const;
  void report(Diagnostic d) { findings_.report(std::move(d)); }
  void fail(const onnx::NodeProto& node, Diagnostics found);
  void fail(const onnx::NodeProto& node, Scope& scope, Diagnostics found);
  void report_explosion(const onnx::NodeProto& node, Scope& scope);

  onnx::ModelProto& model_;
  const RawData& raw_;
  ExternalFiles& files_;
  const Opsets opsets_;
  std::unordered_map<std::string, const onnx::FunctionProto*> functions_;
  std::unordered_set<const onnx::FunctionProto*> expanding_;  // the calls around what is emitted
  frontend::Names names_;
  frontend::Symbols symbols_;
  std::string upgraded_;  // the node whose upgrade is being emitted
  frontend::Expansion expansion_;
  bool exploded_ = false;
  frontend::Findings findings_;
  KnownTensors known_;
};

}  // namespace lapis::onnx_frontend
