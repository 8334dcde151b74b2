#include "conformance/case.h"

#include <onnx/onnx_pb.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "frontends/onnx/tensors.h"

namespace lapis::conformance {
namespace {

template <class Proto> Proto parsed(const Path& path) {
  Proto proto;
  std::ifstream file(path, std::ios::binary);
  LAPIS_ASSERT(proto.ParseFromIstream(&file), "cannot read " << path << ": remove the folder of cases and try again");
  return proto;
}

onnx::ModelProto read_model(const Case& c) { return parsed<onnx::ModelProto>(c.folder / "model.onnx"); }

Path data_file(const Path& set, const char* kind, int i) {
  return set / (std::string(kind) + "_" + std::to_string(i) + ".pb");
}

// The inputs that a caller feeds. Old models list initializers as inputs too.
std::vector<onnx::ValueInfoProto> fed_inputs(const onnx::GraphProto& graph) {
  std::set<std::string> initialized;
  for (const auto& i : graph.initializer()) initialized.insert(i.name());
  std::vector<onnx::ValueInfoProto> fed;
  for (const auto& input : graph.input())
    if (!initialized.contains(input.name())) fed.push_back(input);
  return fed;
}

template <class Infos>
std::vector<std::optional<Tensor>> read_values(const Path& set, const char* kind, const Infos& infos) {
  std::vector<std::optional<Tensor>> values;
  onnx_frontend::ExternalFiles none;
  for (int i = 0; std::filesystem::exists(data_file(set, kind, i)); ++i) {
    if (i < static_cast<int>(infos.size()) && !infos[i].type().has_tensor_type()) {
      values.emplace_back();
      continue;
    }
    auto proto = parsed<onnx::TensorProto>(data_file(set, kind, i));
    auto tensor = onnx_frontend::to_tensor(proto, none);
    LAPIS_ASSERT(tensor.ok(), to_string(tensor.diagnostics()));
    values.emplace_back(*std::move(tensor));
  }
  return values;
}

// As numpy.isclose with equal_nan.
bool close(double got, double wanted, double rtol, double atol) {
  if (std::isnan(got) || std::isnan(wanted)) return std::isnan(got) && std::isnan(wanted);
  if (got == wanted) return true;
  return std::isfinite(wanted) && std::abs(got - wanted) <= atol + rtol * std::abs(wanted);
}

// The tensor that a ConstantOfShape of float32 makes.
void fill(onnx::TensorProto& filled, const onnx::NodeProto& node, onnx::TensorProto shape) {
  onnx_frontend::ExternalFiles none;
  onnx::TensorProto value_proto = node.attribute(0).t();
  const auto value = onnx_frontend::to_tensor(value_proto, none), dims = onnx_frontend::to_tensor(shape, none);
  LAPIS_ASSERT(value.ok() && dims.ok(), "a damaged case");
  Tensor tensor(DType::Float32, dims->as_ints());
  std::ranges::fill(tensor.mutable_data<float>(), static_cast<float>(value->as_double(0)));
  onnx_frontend::to_proto(tensor, filled);
  filled.set_name(node.output(0));
}

// The light nets fill their weights by ConstantOfShape, to be small files.
void fill_weights(onnx::GraphProto& graph) {
  std::map<std::string, onnx::TensorProto> shapes;
  for (const auto& i : graph.initializer()) shapes[i.name()] = i;
  auto& nodes = *graph.mutable_node();
  const auto filled = [&](onnx::NodeProto& node) {
    const auto shape = node.op_type() == "ConstantOfShape" ? shapes.find(node.input(0)) : shapes.end();
    if (shape == shapes.end() || node.attribute_size() != 1) return false;
    fill(*graph.add_initializer(), node, shape->second);
    return true;
  };
  nodes.erase(std::remove_if(nodes.begin(), nodes.end(), filled), nodes.end());
}

bool is_numeric(DType dtype) { return is_float(dtype) || is_integer(dtype) || dtype == DType::Bool; }

}  // namespace

std::vector<Case> list_cases(const Path& root) {
  std::vector<Case> cases;
  std::ifstream file(root / "cases.txt");
  for (std::string line; std::getline(file, line);) {
    std::istringstream fields(line);
    std::string kind, name;
    Case c;
    fields >> kind >> name >> c.rtol >> c.atol;
    c.id = kind + "/" + name;
    c.folder = root / kind / name;
    cases.push_back(std::move(c));
  }
  return cases;
}

std::vector<DataSet> read_data(const Case& c) {
  const onnx::ModelProto model = read_model(c);
  std::vector<DataSet> sets;
  for (int k = 0; std::filesystem::exists(c.folder / ("set" + std::to_string(k))); ++k) {
    const Path folder = c.folder / ("set" + std::to_string(k));
    sets.push_back({read_values(folder, "input", fed_inputs(model.graph())),
                    read_values(folder, "output", model.graph().output())});
  }
  return sets;
}

std::string model_bytes(const Case& c) {
  auto bytes = read_file(c.folder / "model.onnx");
  LAPIS_ASSERT(bytes.ok(), to_string(bytes.diagnostics()));
  return *std::move(bytes);
}

std::string model_with_constants(const Case& c) {
  onnx::ModelProto model = read_model(c);
  auto& graph = *model.mutable_graph();
  fill_weights(graph);
  const std::vector<onnx::ValueInfoProto> fed = fed_inputs(graph);
  std::set<std::string> made_constant;
  for (size_t i = 1; i < fed.size(); ++i) {
    const Path file = data_file(c.folder / "set0", "input", static_cast<int>(i));
    if (!fed[i].type().has_tensor_type() || !std::filesystem::exists(file)) continue;
    *graph.add_initializer() = parsed<onnx::TensorProto>(file);
    graph.mutable_initializer(graph.initializer_size() - 1)->set_name(fed[i].name());
    made_constant.insert(fed[i].name());
  }
  auto& inputs = *graph.mutable_input();
  inputs.erase(
      std::remove_if(inputs.begin(), inputs.end(), [&](const auto& i) { return made_constant.contains(i.name()); }),
      inputs.end());
  model.set_ir_version(std::max<int64_t>(model.ir_version(), 4));  // before, initializers had to be inputs
  return model.SerializeAsString();
}

std::string difference(const Tensor& got, const Tensor& wanted, double rtol, double atol) {
  const auto both = [&] { return "got " + to_string(got) + ", wanted " + to_string(wanted); };
  if (got.dtype() != wanted.dtype() || got.shape() != wanted.shape()) return both();
  if (!is_numeric(got.dtype())) return got == wanted ? "" : both();
  const bool exact = !is_float(got.dtype());
  constexpr double kTwoSteps = 0x1p-6;  // of bfloat16, whose cases the runner compares in float
  if (got.dtype() == DType::BFloat16) rtol = std::max(rtol, kTwoSteps);
  for (int64_t i = 0; i < got.size(); ++i) {
    if (exact ? got.as_int(i) == wanted.as_int(i) : close(got.as_double(i), wanted.as_double(i), rtol, atol)) continue;
    std::ostringstream text;
    text << "element " << i << " of " << name_of(got.dtype()) << lapis::to_string(got.shape()) << " is "
         << got.as_double(i) << ", wanted " << wanted.as_double(i);
    return text.str();
  }
  return "";
}

}  // namespace lapis::conformance
