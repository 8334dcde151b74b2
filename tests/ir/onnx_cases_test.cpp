// ONNX's own node test cases against the reference evaluator. tests/tools/dump_onnx_cases.py writes them into the
// build folder. Models are read here with a few lines instead of the importer: the cases are about operators at
// exactly the version of the record.
#include <gtest/gtest.h>
#include <onnx/defs/schema.h>
#include <onnx/onnx-ml.pb.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "ir/evaluate.h"
#include "ir/infer.h"
#include "ir/ops/loops.h"
#include "ir/ops/ops.h"

namespace lapis {
namespace {

namespace fs = std::filesystem;

// ONNX leaves a conversion of a number that does not fit undefined. These cases expect its low bits; Lapis saturates.
constexpr std::string_view kExceptions[] = {
    "test_castlike_FLOAT16_to_INT2",  "test_castlike_FLOAT16_to_INT4", "test_castlike_FLOAT16_to_UINT2",
    "test_castlike_FLOAT16_to_UINT4", "test_castlike_FLOAT_to_INT2",   "test_castlike_FLOAT_to_INT4",
    "test_castlike_FLOAT_to_UINT2",   "test_castlike_FLOAT_to_UINT4",
};

template <class Proto> Proto read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  Proto proto;
  EXPECT_TRUE(proto.ParseFromIstream(&file)) << path;
  return proto;
}

std::optional<Tensor> tensor_of(const onnx::TensorProto& proto) {
  const auto dtype = static_cast<DType>(proto.data_type());
  Shape shape(proto.dims().begin(), proto.dims().end());
  const auto holds_all = [&](const auto& field) { return field.size() > 0 && field.size() == element_count(shape); };
  if (holds_all(proto.float_data()) && dtype == DType::Float32)
    return ops::from_doubles(dtype, shape, {proto.float_data().begin(), proto.float_data().end()});
  if (holds_all(proto.double_data()) && dtype == DType::Float64)
    return ops::from_doubles(dtype, shape, {proto.double_data().begin(), proto.double_data().end()});
  if (holds_all(proto.int64_data()))
    return ops::from_integers(dtype, shape, {proto.int64_data().begin(), proto.int64_data().end()});
  if (holds_all(proto.int32_data()) && (is_integer(dtype) || dtype == DType::Bool) && bit_width(dtype) >= 8)
    return ops::from_integers(dtype, shape, {proto.int32_data().begin(), proto.int32_data().end()});
  Tensor tensor(dtype, shape);
  if (static_cast<int64_t>(proto.raw_data().size()) != tensor.bytes())
    return std::nullopt;  // strings, packed data fields
  std::memcpy(tensor.mutable_raw(), proto.raw_data().data(), proto.raw_data().size());
  return tensor;
}

std::vector<Tensor> read_tensors(const fs::path& folder, const std::string& kind) {
  std::vector<Tensor> tensors;
  for (int i = 0; fs::exists(folder / (kind + "_" + std::to_string(i) + ".pb")); ++i)
    tensors.push_back(tensor_of(read<onnx::TensorProto>(folder / (kind + "_" + std::to_string(i) + ".pb"))).value());
  return tensors;
}

// Is a node of this schema also one of the record: the same version, or an older one that the newer only adds to?
bool is_understood(const onnx::OpSchema& schema, const OpDef& def) {
  if (schema.since_version() > def.since_version || schema.inputs().size() > def.inputs.size()) return false;
  return std::all_of(schema.attributes().begin(), schema.attributes().end(), [&](const auto& a) {
    return a.second.type == onnx::AttributeProto::SPARSE_TENSOR || def.attribute(a.first);
  });
}

// Builds a Graph of known operators; `problem` says what is not known.
class Reader {
 public:
  explicit Reader(const onnx::ModelProto& model) {
    for (const auto& import : model.opset_import())
      opsets_[import.domain() == "ai.onnx" ? "" : import.domain()] = static_cast<int>(import.version());
    if (model.functions_size() > 0) problem = "functions";
    read_graph(model.graph(), graph);
  }
  Graph graph;
  std::string problem;

 private:
  void read_graph(const onnx::GraphProto& proto, Graph& into) {
    for (const auto& i : proto.initializer()) {
      auto tensor = tensor_of(i);
      if (!tensor)
        problem = "an initializer without raw data";
      else
        values_[i.name()] = into.add_constant(*tensor, i.name());
    }
    for (const auto& input : proto.input())
      if (!values_.contains(input.name())) values_[input.name()] = into.add_input(input.name(), type_of(input.type()));
    for (const auto& node : proto.node())
      if (problem.empty()) read_node(node, into);
    if (!problem.empty()) return;
    std::vector<Value*> outputs;
    for (const auto& output : proto.output()) outputs.push_back(values_.at(output.name()));
    into.set_outputs(outputs);
  }

  static Type type_of(const onnx::TypeProto& proto) {
    if (!proto.has_tensor_type()) return Type{};
    const auto dtype = static_cast<DType>(proto.tensor_type().elem_type());
    if (!proto.tensor_type().has_shape()) return Type::tensor(dtype);
    Dims dims;
    for (const auto& d : proto.tensor_type().shape().dim())
      dims.push_back(d.has_dim_value()   ? Dim(d.dim_value())
                     : d.has_dim_param() ? Dim::symbol(d.dim_param())
                                         : Dim::unknown());
    return Type::tensor(dtype, dims);
  }

  void read_node(const onnx::NodeProto& proto, Graph& into) {
    const OpDef* def = find_op(proto.op_type(), proto.domain());
    if (!def) return void(problem = proto.op_type() + " has no record");
    const auto* schema =
        onnx::OpSchemaRegistry::Schema(proto.op_type(), opsets_[std::string(def->domain)], std::string(def->domain));
    if (!schema || !is_understood(*schema, *def)) return void(problem = proto.op_type() + " of another version");
    std::vector<Value*> inputs;
    for (const auto& name : proto.input()) inputs.push_back(name.empty() ? nullptr : values_.at(name));
    Attributes attributes;
    for (const auto& a : proto.attribute()) read_attribute(a, into, attributes);
    if (!problem.empty()) return;
    Node* node = into.add_node(*def, inputs, std::move(attributes), {proto.output().begin(), proto.output().end()});
    for (int i = 0; i < proto.output_size(); ++i) values_[proto.output(i)] = node->outputs()[static_cast<size_t>(i)];
  }

  void read_attribute(const onnx::AttributeProto& a, Graph& into, Attributes& attributes) {
    switch (a.type()) {
      case onnx::AttributeProto::INT: attributes[a.name()] = a.i(); break;
      case onnx::AttributeProto::FLOAT: attributes[a.name()] = a.f(); break;
      case onnx::AttributeProto::STRING: attributes[a.name()] = a.s(); break;
      case onnx::AttributeProto::INTS:
        attributes[a.name()] = std::vector<int64_t>(a.ints().begin(), a.ints().end());
        break;
      case onnx::AttributeProto::FLOATS:
        attributes[a.name()] = std::vector<float>(a.floats().begin(), a.floats().end());
        break;
      case onnx::AttributeProto::STRINGS:
        attributes[a.name()] = std::vector<std::string>(a.strings().begin(), a.strings().end());
        break;
      case onnx::AttributeProto::TENSOR:
        if (auto tensor = tensor_of(a.t()))
          attributes[a.name()] = *tensor;
        else
          problem = "a tensor attribute without raw data";
        break;
      case onnx::AttributeProto::GRAPH: {
        auto body = into.make_subgraph(a.g().name());
        read_graph(a.g(), *body);
        attributes[a.name()] = std::move(body);
        break;
      }
      default: problem = "attribute " + a.name() + " of an unknown kind";
    }
  }

  std::map<std::string, int> opsets_;
  std::map<std::string, Value*> values_;  // inner names shadow nothing: node cases use each name once
};

bool close(double got, double wanted, double tolerance) {
  if (std::isnan(wanted) || std::isinf(wanted)) return std::isnan(wanted) ? std::isnan(got) : got == wanted;
  return std::abs(got - wanted) <= 1e-7 + tolerance * std::abs(wanted);
}

double tolerance_of(DType dtype) {
  if (!is_float(dtype)) return 0;
  if (dtype == DType::Float16) return 2e-3;       // two rounding steps: expanded functions round after each operator
  return dtype == DType::BFloat16 ? 2e-2 : 1e-3;  // else ONNX's own tolerance
}

std::string difference(const Tensor& got, const Tensor& wanted) {
  if (got.dtype() != wanted.dtype() || got.shape() != wanted.shape())
    return "got " + to_string(got) + ", wanted " + to_string(wanted);
  for (int64_t i = 0; i < got.size(); ++i)
    if (!close(got.as_double(i), wanted.as_double(i), tolerance_of(got.dtype())))
      return "element " + std::to_string(i) + ": got " + to_string(got, 16) + ", wanted " + to_string(wanted, 16);
  return "";
}

struct Outcome {
  enum Kind { Passed, Unsupported, Failed } kind;
  std::string text;
};

Outcome of_diagnostics(const Diagnostics& diagnostics) {
  return {diagnostics[0].kind == ErrorKind::Unsupported ? Outcome::Unsupported : Outcome::Failed,
          to_string(diagnostics)};
}

Outcome run_case(const fs::path& folder) {
  Reader reader(read<onnx::ModelProto>(folder / "model.onnx"));
  if (!reader.problem.empty()) return {Outcome::Unsupported, reader.problem};
  if (const Status status = infer_types(reader.graph); !status.ok()) return of_diagnostics(status.diagnostics());
  Feeds feeds;
  const std::vector<Tensor> inputs = read_tensors(folder, "input"), wanted = read_tensors(folder, "output");
  for (size_t i = 0; i < inputs.size() && i < reader.graph.inputs().size(); ++i)
    feeds[reader.graph.inputs()[i]->name()] = inputs[i];
  auto got = evaluate(reader.graph, feeds);
  if (!got.ok()) return of_diagnostics(got.diagnostics());
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (!merge(reader.graph.outputs()[i]->type(), Type::of((*got)[i])))
      return {Outcome::Failed, "inferred " + reader.graph.outputs()[i]->type().to_string()};
    if (std::string text = difference((*got)[i], wanted[i]); !text.empty()) return {Outcome::Failed, text};
  }
  return {Outcome::Passed, ""};
}

bool is_exception(std::string name) {
  if (name.ends_with("_expanded")) name.resize(name.size() - std::strlen("_expanded"));
  return std::find(std::begin(kExceptions), std::end(kExceptions), name) != std::end(kExceptions);
}

TEST(OnnxCases, GiveTheExpectedResults) {
  const fs::path root = fs::path(LAPIS_BINARY_DIR) / "onnx_cases";
  if (!fs::exists(root)) GTEST_SKIP() << "no cases in " << root << ": run tests/tools/dump_onnx_cases.py " << root;
  std::map<std::string, int> unsupported;
  int passed = 0, excepted = 0;
  for (const auto& entry : fs::directory_iterator(root)) {
    const std::string name = entry.path().filename();
    const Outcome outcome = run_case(entry.path());
    if (outcome.kind == Outcome::Passed) {
      EXPECT_FALSE(is_exception(name)) << name << " passes: it is no exception any more";
      ++passed;
    } else if (outcome.kind == Outcome::Unsupported) {
      ++unsupported[outcome.text];
    } else if (is_exception(name)) {
      ++excepted;
    } else {
      ADD_FAILURE() << name << ": " << outcome.text;
    }
  }
  int left_out = 0;
  for (const auto& [reason, count] : unsupported) left_out += count;
  std::cout << passed << " cases pass, " << excepted << " known exceptions, " << left_out
            << " use what Lapis does not have\n";
  if (std::getenv("LAPIS_VERBOSE"))
    for (const auto& [reason, count] : unsupported) std::cout << "  " << count << "  " << reason << "\n";
  EXPECT_GT(passed, 1000);  // a reader that understands nothing must not look like success
}

}  // namespace
}  // namespace lapis
