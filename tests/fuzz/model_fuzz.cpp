// Structure-aware: mutates the decoded message, so that inputs stay models and their faults lie deep: sizes, types,
// attributes, names, bodies within bodies, functions that call functions, tensors of every encoding. Seeds: any folder
// of .onnx files.
#include <onnx/onnx_pb.h>

#include <random>
#include <vector>

#include "ir/op.h"
#include "tests/fuzz/model_entry.h"

namespace lapis::fuzz {
namespace {

using onnx::AttributeProto;
using onnx::GraphProto;
using onnx::ModelProto;
using onnx::NodeProto;
using onnx::TensorProto;

constexpr int64_t kNumbers[] = {0,
                                1,
                                2,
                                3,
                                4,
                                5,
                                7,
                                8,
                                16,
                                64,
                                127,
                                128,
                                255,
                                256,
                                1000,
                                65535,
                                65536,
                                INT32_MAX,
                                int64_t{1} << 31,
                                int64_t{1} << 32,
                                (int64_t{1} << 32) + 1,
                                int64_t{1} << 47,
                                int64_t{1} << 62,
                                INT64_MAX,
                                -1,
                                -2,
                                -3,
                                -128,
                                INT32_MIN,
                                -(int64_t{1} << 32),
                                INT64_MIN + 1,
                                INT64_MIN};
constexpr float kFloats[] = {0, -0.0f, 1, -1, 0.5f, 1e-45f, 1e-30f, 1e30f, INFINITY, -INFINITY, NAN};
const std::string kTexts[] = {"",      "NOTSET",    "SAME_UPPER",    "SAME_LOWER", "VALID",      "nearest", "linear",
                              "cubic", "floor",     "constant",      "reflect",    "edge",       "wrap",    "none",
                              "add",   "mul",       "DCR",           "CRD",        "x",          "y",       "w",
                              "N",     "N*N",       "2*N+1",         "-N",         "floor(N/2)", "\xFF",    "a\nb",
                              "../x",  "/dev/zero", "align_corners", "asymmetric", "not_larger"};
const std::string kAttributes[] = {"axis",         "axes",
                                   "perm",         "pads",
                                   "strides",      "dilations",
                                   "kernel_shape", "group",
                                   "keepdims",     "to",
                                   "mode",         "auto_pad",
                                   "value",        "value_ints",
                                   "alpha",        "beta",
                                   "transA",       "transB",
                                   "epsilon",      "blocksize",
                                   "output_shape", "output_padding",
                                   "ceil_mode",    "count_include_pad",
                                   "num_outputs",  "allowzero",
                                   "body",         "then_branch",
                                   "else_branch",  "num_scan_inputs",
                                   "batch_dims",   "k",
                                   "fmod",         "reduction",
                                   "block_size",   "output_dtype",
                                   "nearest_mode"};

// The parts of a model, wherever they lie.
struct Parts {
  explicit Parts(ModelProto& model) {
    visit(*model.mutable_graph());
    for (auto& function : *model.mutable_functions())
      for (auto& node : *function.mutable_node()) visit(node, nullptr);
  }
  void visit(GraphProto& graph) {
    graphs.push_back(&graph);
    for (auto& tensor : *graph.mutable_initializer()) add(tensor);
    for (auto& sparse : *graph.mutable_sparse_initializer()) {
      add(*sparse.mutable_values());
      add(*sparse.mutable_indices());
    }
    for (auto* list : {graph.mutable_input(), graph.mutable_output(), graph.mutable_value_info()})
      for (auto& value : *list) {
        values.push_back(&value);
        names.push_back(value.name());
      }
    for (auto& node : *graph.mutable_node()) visit(node, &graph);
  }
  void visit(NodeProto& node, GraphProto*) {
    nodes.push_back(&node);
    for (const auto& name : node.output()) names.push_back(name);
    for (auto& attribute : *node.mutable_attribute()) {
      attributes.push_back(&attribute);
      if (attribute.has_t()) add(*attribute.mutable_t());
      if (attribute.has_g()) visit(*attribute.mutable_g());
    }
  }
  void add(TensorProto& tensor) {
    tensors.push_back(&tensor);
    if (!tensor.name().empty()) names.push_back(tensor.name());
  }
  std::vector<GraphProto*> graphs;
  std::vector<NodeProto*> nodes;
  std::vector<AttributeProto*> attributes;
  std::vector<TensorProto*> tensors;
  std::vector<onnx::ValueInfoProto*> values;
  std::vector<std::string> names;
};

class Mutator {
 public:
  Mutator(ModelProto& model, unsigned seed) : model_(model), random_(seed), parts_(model) {}

  void mutate() {
    using Change = void (Mutator::*)();
    static constexpr Change kChanges[] = {&Mutator::operand,      &Mutator::operand,       &Mutator::operation,
                                          &Mutator::operation,    &Mutator::number,        &Mutator::number,
                                          &Mutator::attribute,    &Mutator::dimension,     &Mutator::element_type,
                                          &Mutator::encoding,     &Mutator::contents,      &Mutator::copy_node,
                                          &Mutator::drop_node,    &Mutator::output,        &Mutator::wrap_in_if,
                                          &Mutator::wrap_in_loop, &Mutator::make_function, &Mutator::sparse,
                                          &Mutator::external,     &Mutator::versions,      &Mutator::declaration};
    (this->*kChanges[below(std::size(kChanges))])();
  }

 private:
  size_t below(size_t n) { return n ? random_() % n : 0; }
  template <class T, size_t n> const T& any(const T (&list)[n]) { return list[below(n)]; }
  template <class T> T* any(const std::vector<T*>& list) { return list.empty() ? nullptr : list[below(list.size())]; }
  int64_t a_number() { return below(3) ? any(kNumbers) : static_cast<int64_t>(below(9)) - 2; }
  std::string a_name() {
    return parts_.names.empty() || below(12) == 0 ? any(kTexts) : parts_.names[below(parts_.names.size())];
  }
  std::string a_new_name() { return "f" + std::to_string(below(100000)); }
  std::string an_operator() { return std::string(all_ops()[below(all_ops().size())]->name); }

  void operand() {
    NodeProto* node = any(parts_.nodes);
    if (!node) return;
    if (node->input_size() == 0 || below(5) == 0)
      node->add_input(a_name());
    else if (below(6) == 0)
      node->mutable_input()->RemoveLast();
    else
      node->set_input(static_cast<int>(below(static_cast<size_t>(node->input_size()))), a_name());
  }
  void operation() {
    if (NodeProto* node = any(parts_.nodes)) {
      if (below(4) == 0) node->set_domain(below(2) ? "local" : "");
      node->set_op_type(an_operator());
    }
  }
  void number() {
    AttributeProto* a = any(parts_.attributes);
    if (!a) return;
    if (a->ints_size() > 0 && below(3))
      a->set_ints(static_cast<int>(below(static_cast<size_t>(a->ints_size()))), a_number());
    else if (a->type() == AttributeProto::INTS)
      below(2) || a->ints_size() == 0 ? a->add_ints(a_number()) : a->mutable_ints()->RemoveLast();
    else if (a->type() == AttributeProto::FLOAT)
      a->set_f(any(kFloats));
    else if (a->type() == AttributeProto::STRING)
      a->set_s(any(kTexts));
    else
      a->set_i(a_number());
  }
  void attribute() {
    NodeProto* node = any(parts_.nodes);
    if (!node) return;
    if (node->attribute_size() > 0 && below(4) == 0) {
      node->mutable_attribute()->RemoveLast();
      return;
    }
    AttributeProto& a = *node->add_attribute();
    a.set_name(any(kAttributes));
    a.set_type(static_cast<AttributeProto::AttributeType>(1 + below(8)));
    a.set_i(a_number());
    a.set_f(any(kFloats));
    a.set_s(any(kTexts));
    for (size_t i = below(5); i > 0; --i) a.add_ints(a_number());
    if (below(8) == 0) a.set_ref_attr_name(any(kAttributes));
  }
  void dimension() {
    onnx::ValueInfoProto* value = any(parts_.values);
    if (!value) return;
    auto* shape = value->mutable_type()->mutable_tensor_type()->mutable_shape();
    if (shape->dim_size() == 0 || below(5) == 0)
      shape->add_dim()->set_dim_value(a_number());
    else if (below(6) == 0)
      shape->mutable_dim()->RemoveLast();
    else if (auto* dim = shape->mutable_dim(static_cast<int>(below(static_cast<size_t>(shape->dim_size())))); below(4))
      dim->set_dim_value(a_number());
    else
      dim->set_dim_param(any(kTexts));
  }
  void element_type() {
    const auto type = static_cast<int>(below(30));
    if (below(2)) {
      if (TensorProto* t = any(parts_.tensors)) t->set_data_type(type);
    } else if (onnx::ValueInfoProto* v = any(parts_.values)) {
      v->mutable_type()->mutable_tensor_type()->set_elem_type(type);
    }
  }
  void encoding() {
    TensorProto* t = any(parts_.tensors);
    if (!t) return;
    if (t->dims_size() == 0 || below(3) == 0)
      t->add_dims(a_number());
    else if (below(2))
      t->set_dims(static_cast<int>(below(static_cast<size_t>(t->dims_size()))), a_number());
    if (below(2)) {  // bytes that fit, if they are few
      int64_t count = 1;
      for (int64_t d : t->dims()) count = d < 0 || d > 64 || count > 4096 ? 0 : count * d;
      t->set_raw_data(std::string(static_cast<size_t>(count) * 4, static_cast<char>(below(4))));
    } else {
      t->clear_raw_data();
    }
  }
  void contents() {
    TensorProto* t = any(parts_.tensors);
    if (!t) return;
    if (t->int64_data_size() > 0)
      t->set_int64_data(static_cast<int>(below(static_cast<size_t>(t->int64_data_size()))), a_number());
    else if (t->float_data_size() > 0)
      t->set_float_data(static_cast<int>(below(static_cast<size_t>(t->float_data_size()))), any(kFloats));
    else if (t->raw_data().size() >= 8 && t->data_type() == TensorProto::INT64) {
      const int64_t value = a_number();
      std::memcpy(t->mutable_raw_data()->data() + 8 * below(t->raw_data().size() / 8), &value, 8);
    } else if (!t->raw_data().empty()) {
      (*t->mutable_raw_data())[below(t->raw_data().size())] = static_cast<char>(random_());
    }
  }
  void copy_node() {
    const NodeProto* node = any(parts_.nodes);
    GraphProto* graph = any(parts_.graphs);
    if (!node || !graph || model_.ByteSizeLong() > 16384) return;
    NodeProto copy = *node;  // may hold the very graph that it goes to
    for (auto& output : *copy.mutable_output())
      if (below(8)) output = a_new_name();
    *graph->add_node() = std::move(copy);
  }
  void drop_node() {
    GraphProto* graph = any(parts_.graphs);
    if (graph && graph->node_size() > 0)
      graph->mutable_node()->DeleteSubrange(static_cast<int>(below(static_cast<size_t>(graph->node_size()))), 1);
  }
  void output() {
    if (below(3) == 0) {
      if (NodeProto* node = any(parts_.nodes)) node->add_output(below(3) ? a_new_name() : a_name());
    } else if (GraphProto* graph = any(parts_.graphs)) {
      if (graph->output_size() > 0 && below(2))
        graph->mutable_output(0)->set_name(a_name());
      else
        graph->add_output()->set_name(a_name());
    }
  }
  // The node's place is taken by If with the node in one branch, or by Loop with it in the body.
  void wrap(NodeProto& node, const std::string& op, const std::vector<std::string>& bodies) {
    if (node.output_size() == 0 || model_.ByteSizeLong() > 16384) return;
    const NodeProto inner = node;
    node.Clear();
    node.set_op_type(op);
    *node.mutable_output() = inner.output();
    for (const std::string& body : bodies) {
      AttributeProto& a = *node.add_attribute();
      a.set_name(body);
      a.set_type(AttributeProto::GRAPH);
      NodeProto& moved = *a.mutable_g()->add_node();
      moved = inner;
      for (auto& output : *moved.mutable_output()) {
        output = a_new_name();
        a.mutable_g()->add_output()->set_name(output);
      }
    }
  }
  void wrap_in_if() {
    if (NodeProto* node = any(parts_.nodes)) {
      wrap(*node, "If", {"then_branch", "else_branch"});
      node->add_input(a_name());
    }
  }
  void wrap_in_loop() {
    NodeProto* node = any(parts_.nodes);
    if (!node) return;
    wrap(*node, below(2) ? "Loop" : "Scan", {"body"});
    for (size_t i = below(4); i > 0; --i) node->add_input(a_name());
    if (node->attribute_size() == 0 || !node->attribute(0).has_g()) return;
    GraphProto& body = *node->mutable_attribute(0)->mutable_g();
    for (size_t i = below(4); i > 0; --i) body.add_input()->set_name(a_new_name());
  }
  void make_function() {
    NodeProto* node = any(parts_.nodes);
    if (!node || model_.ByteSizeLong() > 16384) return;
    onnx::FunctionProto& f = *model_.add_functions();
    f.set_domain("local");
    f.set_name(below(2) ? node->op_type() : "f");
    *f.mutable_opset_import() = model_.opset_import();
    *f.mutable_input() = node->input();
    *f.mutable_output() = node->output();
    *f.add_node() = *node;
    node->set_domain("local");
    node->set_op_type(f.name());
    if (below(3) == 0) f.mutable_node(0)->set_domain("local");  // calls itself, or another one
    onnx::OperatorSetIdProto& local = *model_.add_opset_import();
    local.set_domain("local");
    local.set_version(1);
  }
  void sparse() {
    auto& s = *model_.mutable_graph()->add_sparse_initializer();
    s.mutable_values()->set_name(a_name());
    s.mutable_values()->set_data_type(TensorProto::FLOAT);
    s.mutable_indices()->set_data_type(TensorProto::INT64);
    const size_t count = below(4), rank = 1 + below(3);
    for (size_t i = 0; i < rank; ++i) s.add_dims(a_number());
    s.mutable_values()->add_dims(static_cast<int64_t>(count));
    s.mutable_indices()->add_dims(static_cast<int64_t>(count));
    if (rank > 1) s.mutable_indices()->add_dims(static_cast<int64_t>(rank));
    for (size_t i = 0; i < count; ++i) s.mutable_values()->add_float_data(1);
    for (size_t i = 0; i < count * (rank > 1 ? rank : 1); ++i) s.mutable_indices()->add_int64_data(a_number());
  }
  void external() {
    TensorProto* t = any(parts_.tensors);
    if (!t) return;
    t->set_data_location(TensorProto::EXTERNAL);
    for (const char* key : {"location", "offset", "length"}) {
      auto& entry = *t->add_external_data();
      entry.set_key(key);
      entry.set_value(below(2) ? any(kTexts) : std::to_string(a_number()));
    }
  }
  void versions() {
    if (model_.opset_import_size() == 0) model_.add_opset_import();
    model_.mutable_opset_import(0)->set_version(static_cast<int64_t>(6 + below(24)));
    if (below(4) == 0) model_.set_ir_version(static_cast<int64_t>(below(16)));
  }
  void declaration() {
    GraphProto* graph = any(parts_.graphs);
    if (!graph) return;
    auto& value = *(below(3) ? graph->add_value_info() : graph->add_input());
    value.set_name(a_name());
    auto* tensor = value.mutable_type()->mutable_tensor_type();
    tensor->set_elem_type(static_cast<int>(below(18)));
    for (size_t i = below(4); i > 0; --i) tensor->mutable_shape()->add_dim()->set_dim_value(a_number());
  }

  ModelProto& model_;
  std::minstd_rand random_;
  Parts parts_;
};

}  // namespace
}  // namespace lapis::fuzz

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned int seed) {
  std::minstd_rand random(seed);
  onnx::ModelProto model;
  if (!model.ParseFromArray(data, static_cast<int>(size)) || model.graph().node_size() == 0)
    return LLVMFuzzerMutate(data, size, max_size);
  for (size_t count = 1 + random() % 4; count > 0; --count)
    lapis::fuzz::Mutator(model, static_cast<unsigned>(random())).mutate();
  const size_t bytes = model.ByteSizeLong();
  if (bytes > max_size || !model.SerializeToArray(data, static_cast<int>(max_size))) return size;
  return bytes;
}
