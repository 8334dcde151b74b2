#include "frontends/onnx/matmul_nbits.h"

#include <onnx/onnx_pb.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <set>

#include "frontends/onnx/nodes.h"
#include "frontends/onnx/tensors.h"
#include "ir/ops/loops.h"

namespace lapis::onnx_frontend {

namespace {

// The sizes of a product, and where its numbers lie in packed bytes:
// a row for each output, blocks of it side by side, the lower bits first.
struct Packing {
  int64_t inputs, outputs, bits, block;
  int64_t blocks() const { return (inputs + block - 1) / block; }
  int64_t row_bytes() const { return blocks() * block * bits / 8; }
  int64_t zero_bytes() const { return (blocks() * bits + 7) / 8; }  // of a row
  int64_t middle() const { return int64_t{1} << (bits - 1); }
};

int64_t unpacked(std::span<const uint8_t> row, int64_t i, int64_t bits) {
  const int64_t byte = row[static_cast<size_t>(i * bits / 8)];
  return byte >> (i * bits % 8) & ((1 << bits) - 1);
}
void pack(std::span<uint8_t> row, int64_t i, int64_t bits, int64_t value) {
  uint8_t& byte = row[static_cast<size_t>(i * bits / 8)];
  byte = static_cast<uint8_t>(byte | value << (i * bits % 8));
}

// What is of use in a graph: its outputs, and what nodes and their subgraphs read.
std::set<std::string> used_in(const onnx::GraphProto& graph) {
  std::set<std::string> names;
  for (const auto& v : graph.output()) names.insert(v.name());
  for (const auto& node : graph.node())
    for (const std::string_view read : reads_and_writes(node).reads) names.emplace(read);
  return names;
}

Diagnostic refuse(std::string reason) { return error(ErrorKind::Unsupported, std::move(reason)); }

bool has_possible_sizes(const Packing& p) {
  constexpr int64_t kMost = int64_t{1} << 28;  // products of sizes stay numbers
  const auto possible = [](int64_t size, int64_t least) { return size >= least && size <= kMost; };
  return possible(p.inputs, 1) && possible(p.outputs, 1) && possible(p.block, 16) && (p.block & (p.block - 1)) == 0;
}

Status check(const Packing& p, const Tensor& packed, const Tensor& scales, const Tensor& zero_points) {
  if (p.bits != 2 && p.bits != 4 && p.bits != 8)
    return refuse("its weights are of " + std::to_string(p.bits) + " bits");
  if (!has_possible_sizes(p)) return refuse("its K, N or block_size cannot be");
  const auto is = [](const Tensor& t, DType type, int64_t size) { return t.dtype() == type && t.size() == size; };
  if (!is(packed, DType::UInt8, p.outputs * p.row_bytes())) return refuse("its weights are not K * N numbers in uint8");
  if (!is_float(scales.dtype()) || scales.size() != p.outputs * p.blocks())
    return refuse("its scales are not one number for each block");
  if (zero_points.defined() && !is(zero_points, DType::UInt8, p.outputs * p.zero_bytes()))
    return refuse("its zero points are not packed in uint8");
  return ok();
}

// The elements of `t` in another order: element i is that at source(i).
template <class Source> Tensor moved(const Tensor& t, Shape shape, Source&& source) {
  Tensor result(t.dtype(), std::move(shape));
  const int64_t size = byte_size(t.dtype(), 1);
  for (int64_t i = 0; i < result.size(); ++i)
    std::memcpy(result.mutable_raw() + i * size, t.raw() + source(i) * size, static_cast<size_t>(size));
  return result;
}

// ---- writing --------------------------------------------------------------------------------------------------------

class Writer {
 public:
  explicit Writer(onnx::ModelProto& model) : model_(model), graph_(*model.mutable_graph()) {
    for (auto& t : *graph_.mutable_initializer()) constants_[t.name()] = &t;
    for (const auto& node : graph_.node())
      if (node.op_type() == "DequantizeLinear") dequantized_[node.output(0)] = &node;
  }

  size_t run() {
    google::protobuf::RepeatedPtrField<onnx::NodeProto> nodes;
    for (const auto& node : graph_.node())
      if (!write(node, nodes)) *nodes.Add() = node;
    if (made_ == 0) return 0;
    graph_.mutable_node()->Swap(&nodes);
    drop_unused();
    for (onnx::TensorProto& t : added_) *graph_.add_initializer() = std::move(t);
    auto* import = model_.add_opset_import();
    import->set_domain("com.microsoft");
    import->set_version(1);
    return made_;
  }

 private:
  const onnx::NodeProto* weights_of(const onnx::NodeProto& node) const {
    if (node.op_type() != "MatMul" && node.op_type() != "Gemm") return nullptr;
    const auto it = dequantized_.find(node.input(1));
    if (it == dequantized_.end() || int_or(*it->second, "block_size", 0) < 16) return nullptr;
    const bool constant = std::all_of(it->second->input().begin(), it->second->input().end(),
                                      [&](const std::string& name) { return constants_.contains(name); });
    const bool by_inputs = int_or(*it->second, "axis", 1) == (int_or(node, "transB", 0) ? 1 : 0);
    const bool plain = !attribute(node, "alpha") && !attribute(node, "beta") && !int_or(node, "transA", 0);
    return constant && by_inputs && plain ? it->second : nullptr;
  }

  // A copy, because reading moves the bytes out of the message.
  Tensor constant(const std::string& name) const {
    onnx::TensorProto proto = *constants_.at(name);
    ExternalFiles none;
    return *to_tensor(proto, none);
  }

  bool write(const onnx::NodeProto& node, google::protobuf::RepeatedPtrField<onnx::NodeProto>& nodes) {
    const onnx::NodeProto* dq = weights_of(node);
    if (!dq) return false;
    const Tensor values = constant(dq->input(0));
    const int64_t bits = bit_width(values.dtype());
    if ((bits != 2 && bits != 4 && bits != 8) || values.rank() != 2) return false;
    const bool turned = int_or(node, "transB", 0) != 0;  // stored as [outputs][inputs]
    const Packing p{values.dim(turned ? 1 : 0), values.dim(turned ? 0 : 1), bits, int_or(*dq, "block_size", 0)};
    const bool biased = node.input_size() > 2;
    onnx::NodeProto& product = *nodes.Add();
    product.set_op_type("MatMulNBits");
    product.set_domain("com.microsoft");
    product.set_name(node.name());
    product.add_input(node.input(0));
    for (const std::string& name : packed(*dq, values, p, turned)) product.add_input(name);
    product.add_output(node.output(0) + (biased ? "_product" : ""));
    const std::pair<const char*, int64_t> sizes[] = {
        {"K", p.inputs}, {"N", p.outputs}, {"bits", p.bits}, {"block_size", p.block}};
    for (const auto& [name, value] : sizes) {
      auto* attribute = product.add_attribute();
      attribute->set_name(name);
      attribute->set_type(onnx::AttributeProto::INT);
      attribute->set_i(value);
    }
    if (biased) add_bias(node, product.output(0), *nodes.Add());
    ++made_;
    return true;
  }

  static void add_bias(const onnx::NodeProto& gemm, const std::string& product, onnx::NodeProto& sum) {
    sum.set_op_type("Add");
    sum.set_name(gemm.name() + "_bias");
    sum.add_input(product);
    sum.add_input(gemm.input(2));
    sum.add_output(gemm.output(0));
  }

  // The names of weights, scales and zero points; made once for products that share them.
  std::vector<std::string> packed(const onnx::NodeProto& dq, const Tensor& values, const Packing& p, bool turned) {
    std::vector<std::string>& names = packed_[dq.output(0)];
    if (!names.empty()) return names;
    const int64_t from_zero = is_signed(values.dtype()) ? p.middle() : 0;
    const auto at = [&](int64_t n, int64_t i, int64_t inner) {
      return static_cast<size_t>(turned ? n * inner + i : i * p.outputs + n);
    };
    const auto packed_rows = [&](const Tensor& numbers, int64_t inner, Shape shape, int64_t row_bytes) {
      const std::vector<int64_t> integers = ops::to_integers(numbers);
      Tensor bytes(DType::UInt8, std::move(shape));
      for (int64_t n = 0; n < p.outputs; ++n)
        for (int64_t i = 0; i < inner; ++i)
          pack(row(bytes, n, row_bytes), i, p.bits, integers[at(n, i, inner)] + from_zero);
      return bytes;
    };
    const Tensor scales = constant(dq.input(1));
    const Tensor by_row = moved(scales, {p.outputs * p.blocks()}, [&](int64_t i) {
      return static_cast<int64_t>(at(i / p.blocks(), i % p.blocks(), p.blocks()));
    });
    const Shape shape = {p.outputs, p.blocks(), p.block * p.bits / 8};
    names = {add(packed_rows(values, p.inputs, shape, p.row_bytes()), dq.input(0) + "_packed"),
             add(by_row, dq.input(1) + "_by_row")};
    if (dq.input_size() < 3 && from_zero) return names;  // that of integers with a sign is the default
    const Tensor zeros = dq.input_size() > 2 ? constant(dq.input(2)) : Tensor(DType::UInt8, scales.shape());
    const Tensor bytes = packed_rows(zeros, p.blocks(), {p.outputs * p.zero_bytes()}, p.zero_bytes());
    names.push_back(add(bytes, dq.output(0) + "_zero_points_packed"));
    return names;
  }

  static bool is_signed(DType type) { return integer_range(type).lowest < 0; }
  static std::span<uint8_t> row(Tensor& t, int64_t n, int64_t bytes) {
    return t.mutable_data<uint8_t>().subspan(static_cast<size_t>(n * bytes), static_cast<size_t>(bytes));
  }

  std::string add(const Tensor& t, const std::string& name) {
    onnx::TensorProto& proto = added_.emplace_back();
    to_proto(t, proto);
    proto.set_name(name);
    return name;
  }

  // Dequantizers that nobody reads any more, and their constants.
  void drop_unused() {
    std::set<std::string> names = used_in(graph_);
    const auto keep = [](auto& list, auto&& wanted) {
      list.erase(std::remove_if(list.begin(), list.end(), [&](const auto& e) { return !wanted(e); }), list.end());
    };
    keep(*graph_.mutable_node(),
         [&](const auto& n) { return n.op_type() != "DequantizeLinear" || names.contains(n.output(0)); });
    names = used_in(graph_);
    keep(*graph_.mutable_initializer(), [&](const auto& t) { return names.contains(t.name()); });
    std::set<std::string> made;
    for (const auto& node : graph_.node()) made.insert(node.output().begin(), node.output().end());
    keep(*graph_.mutable_value_info(), [&](const auto& v) { return made.contains(v.name()); });
  }

  onnx::ModelProto& model_;
  onnx::GraphProto& graph_;
  std::map<std::string, const onnx::TensorProto*> constants_;
  std::map<std::string, const onnx::NodeProto*> dequantized_;
  std::map<std::string, std::vector<std::string>> packed_;  // by what was dequantized
  std::vector<onnx::TensorProto> added_;
  size_t made_ = 0;
};

}  // namespace

Result<BlockWeights> unpack_matmul_nbits(const onnx::NodeProto& node, const Tensor& packed, const Tensor& scales,
                                         const Tensor& zero_points) {
  const Packing p{int_or(node, "K", 0), int_or(node, "N", 0), int_or(node, "bits", 4), int_or(node, "block_size", 0)};
  LAPIS_CHECK(check(p, packed, scales, zero_points));
  std::vector<int64_t> values(static_cast<size_t>(p.inputs * p.outputs));
  std::vector<int64_t> zeros(static_cast<size_t>(p.blocks() * p.outputs), p.middle());
  for (int64_t n = 0; n < p.outputs; ++n) {
    const auto row =
        packed.data<uint8_t>().subspan(static_cast<size_t>(n * p.row_bytes()), static_cast<size_t>(p.row_bytes()));
    for (int64_t i = 0; i < p.inputs; ++i) values[static_cast<size_t>(i * p.outputs + n)] = unpacked(row, i, p.bits);
    for (int64_t b = 0; b < p.blocks() && zero_points.defined(); ++b)
      zeros[static_cast<size_t>(b * p.outputs + n)] =
          unpacked(zero_points.data<uint8_t>().subspan(static_cast<size_t>(n * p.zero_bytes())), b, p.bits);
  }
  const Tensor scales_by_block =
      moved(scales, {p.blocks(), p.outputs}, [&](int64_t i) { return i % p.outputs * p.blocks() + i / p.outputs; });
  const DType type = p.bits == 2 ? DType::UInt2 : p.bits == 4 ? DType::UInt4 : DType::UInt8;
  return BlockWeights{ops::from_integers(type, {p.inputs, p.outputs}, values), scales_by_block,
                      ops::from_integers(type, {p.blocks(), p.outputs}, zeros), p.block};
}

Status read_matmul_nbits(onnx::NodeProto& node, UpgradeHost& host) {
  const auto given = [&](int i) { return node.input_size() > i && !node.input(i).empty(); };
  const auto constant = [&](int i) {
    const Tensor* tensor = given(i) ? host.constant_of(node.input(i)) : nullptr;
    return tensor ? *tensor : Tensor();
  };
  const bool computed = !constant(1).defined() || !constant(2).defined() || (given(3) && !constant(3).defined());
  if (given(4)) return error(ErrorKind::Unsupported, "its blocks are not in order (g_idx)");
  if (computed) return error(ErrorKind::Unsupported, "its weights are not constant");
  LAPIS_TRY(const BlockWeights weights, unpack_matmul_nbits(node, constant(1), constant(2), constant(3)));
  const std::string y = node.output(0), x = node.input(0), stem = y + "_weights", bias = given(5) ? node.input(5) : "";
  const std::string whole = host.fresh_name(stem), product = host.fresh_name(y + "_product");
  onnx::NodeProto dequantize = make_node(
      "DequantizeLinear",
      {host.add_constant(weights.values, stem + "_packed"), host.add_constant(weights.scales, stem + "_scale"),
       host.add_constant(weights.zero_points, stem + "_zero_point")},
      whole);
  set_int(dequantize, "axis", 0);
  set_int(dequantize, "block_size", weights.block);
  host.add_before(std::move(dequantize));
  const std::string name = node.name();
  node = make_node("MatMul", {x, whole}, y);
  if (!bias.empty()) {
    host.add_before(make_node("MatMul", {x, whole}, product));
    node = make_node("Add", {product, bias}, y);
  }
  node.set_name(name);
  return ok();
}

size_t write_matmul_nbits(onnx::ModelProto& model) { return Writer(model).run(); }

}  // namespace lapis::onnx_frontend
