#include "frontends/onnx/export.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <onnx/onnx_pb.h>

#include <array>
#include <climits>
#include <unordered_map>

#include "frontends/onnx/matmul_nbits.h"
#include "frontends/onnx/raw_data.h"
#include "frontends/onnx/tensors.h"
#include "frontends/onnx/to_model.h"
#include "ir/structure.h"

namespace lapis {
namespace {

using namespace onnx_frontend;

int64_t constant_bytes(const Graph& graph) {
  int64_t total = 0;
  for (const Value* c : graph.constants()) total += c->constant().dtype() == DType::String ? 0 : c->constant().bytes();
  for (const Node* node : graph.nodes())
    for (const Graph* subgraph : node->subgraphs()) total += constant_bytes(*subgraph);
  return total;
}

Result<std::string> serialize(const onnx::ModelProto& model) {
  if (model.ByteSizeLong() > INT_MAX)
    return error(ErrorKind::Usage,
                 "the model has " + std::to_string(model.ByteSizeLong()) + " bytes; protobuf ends at 2 GiB")
        .help("export it to a file, which puts the weights beside it");
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream output(&stream);
    output.SetSerializationDeterministic(true);
    if (!model.SerializeToCodedStream(&output)) return error(ErrorKind::Io, "the model could not be serialized");
  }
  return bytes;
}

// Shapes and scales stay readable in the model itself.
bool is_large(const Tensor& tensor) {
  constexpr int64_t kWorthIt = 1024;
  return tensor.dtype() != DType::String && tensor.bytes() >= kWorthIt;
}

// All but its contents.
void describe(const Tensor& tensor, onnx::TensorProto& proto) {
  proto.set_data_type(static_cast<int>(tensor.dtype()));
  proto.mutable_dims()->Assign(tensor.shape().begin(), tensor.shape().end());
}

std::span<const std::byte> bytes_of(const Tensor& tensor) {
  return {tensor.raw(), static_cast<size_t>(tensor.bytes())};
}

// The contents of large constants, one behind the other in a file beside the model.
class DataFile {
 public:
  explicit DataFile(std::string name) : name_(std::move(name)) {}

  void add(const Tensor& tensor, onnx::TensorProto& proto) {
    if (!is_large(tensor)) return to_proto(tensor, proto);
    describe(tensor, proto);
    proto.set_data_location(onnx::TensorProto::EXTERNAL);
    append({kZeros.data(), (kAlignment - size_ % kAlignment) % kAlignment});
    add_entry(proto, "location", name_);
    add_entry(proto, "offset", std::to_string(size_));
    add_entry(proto, "length", std::to_string(tensor.bytes()));
    append(bytes_of(tensor));
  }

  const std::vector<std::span<const std::byte>>& parts() const { return parts_; }

 private:
  static constexpr size_t kAlignment = 64;  // what vector loads of a mapped file like
  static constexpr std::array<std::byte, kAlignment> kZeros{};

  static void add_entry(onnx::TensorProto& proto, const std::string& key, const std::string& value) {
    auto* entry = proto.add_external_data();
    entry->set_key(key);
    entry->set_value(value);
  }
  void append(std::span<const std::byte> part) {
    if (!part.empty()) parts_.push_back(part);
    size_ += part.size();
  }

  std::string name_;
  std::vector<std::span<const std::byte>> parts_;
  size_t size_ = 0;
};

}  // namespace

Result<std::string> export_onnx(const Graph& graph, const ExportOptions& options) {
  onnx::ModelProto model;
  to_model(graph, {}, model);
  if (options.matmul_nbits && write_matmul_nbits(model) == 0)
    return error(ErrorKind::Usage, "no product has weights in blocks of 2, 4 or 8 bits, which MatMulNBits is for")
        .help(
            "quantize weights alone: `data: {type: float}` and `weights: {type: int4, granularity: block, block: 32}` "
            "in a recipe");
  return serialize(model);
}

// Large constants of the graph itself go from where they lie into the file, past the message.
// Those of bodies are written with them.
static Status write_single_file(const Graph& graph, const Path& file) {
  std::unordered_map<onnx::TensorProto*, const Tensor*> apart;
  onnx::ModelProto model;
  to_model(graph,
           {.write_tensor =
                [&](const Tensor& tensor, onnx::TensorProto& proto) {
                  if (!is_large(tensor)) return to_proto(tensor, proto);
                  describe(tensor, proto);
                  apart.emplace(&proto, &tensor);
                }},
           model);
  std::vector<std::span<const std::byte>> contents;
  for (onnx::TensorProto& proto : *model.mutable_graph()->mutable_initializer()) {
    const auto found = apart.find(&proto);
    contents.push_back(found == apart.end() ? std::span<const std::byte>() : bytes_of(*found->second));
    if (found != apart.end()) apart.erase(found);
  }
  for (const auto& [proto, tensor] : apart) proto->set_raw_data(tensor->raw(), static_cast<size_t>(tensor->bytes()));
  LAPIS_TRY(const std::string bytes, serialize(model));
  return write_file(file, JoinedModel(std::as_bytes(std::span(bytes)), contents).parts());
}

Status export_onnx(const Graph& graph, const Path& file, const ExportOptions& options) {
  if (options.matmul_nbits) {
    LAPIS_TRY(const std::string bytes, export_onnx(graph, options));
    return write_file(file, bytes);
  }
  if (constant_bytes(graph) <= options.largest_single_file) return write_single_file(graph, file);
  DataFile data(file.filename().string() + ".data");
  onnx::ModelProto model;
  to_model(graph, {.write_tensor = [&](const Tensor& tensor, onnx::TensorProto& proto) { data.add(tensor, proto); }},
           model);
  LAPIS_TRY(const std::string bytes, serialize(model));
  const FileContent pair[] = {{Path(file) += ".data", data.parts()}, {file, {std::as_bytes(std::span(bytes))}}};
  return write_files(pair);
}

}  // namespace lapis
