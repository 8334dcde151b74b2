#include "frontends/mxnet/input_types.h"

#include <algorithm>

#include "frontends/common/symbols.h"

namespace lapis::mxnet_frontend {
namespace {

template <class T> const T* attribute(const SymbolNode& node, std::string_view name) {
  const auto it = node.attributes.find(name);
  return it == node.attributes.end() ? nullptr : std::get_if<T>(&it->second);
}

// The rank that a list among the attributes implies.
struct RankRow {
  std::string_view op, list;
  size_t times, plus;  // rank = length / times + plus
};
constexpr RankRow kRanks[] = {{"Convolution", "kernel", 1, 2},
                              {"Deconvolution", "kernel", 1, 2},
                              {"Pooling", "kernel", 1, 2},
                              {"_contrib_quantized_conv", "kernel", 1, 2},
                              {"_contrib_quantized_pooling", "kernel", 1, 2},
                              {"transpose", "axes", 1, 0},
                              {"Pad", "pad_width", 2, 0},
                              {"pad", "pad_width", 2, 0}};

// Operators whose data always has as many axes.
struct FixedRow {
  std::string_view op;
  size_t rank;
};
constexpr FixedRow kFixed[] = {{"FullyConnected", 2},
                               {"Embedding", 2},
                               {"UpSampling", 4},
                               {"LRN", 4},
                               {"_contrib_BilinearResize2D", 4},
                               {"_contrib_AdaptiveAvgPooling2D", 4},
                               {"_contrib_MultiBoxDetection", 3},
                               {"_contrib_MultiBoxPrior", 4},
                               {"_contrib_ROIAlign", 4},
                               {"_contrib_box_decode", 3},
                               {"_contrib_quantized_embedding", 2},
                               {"_contrib_quantized_fully_connected", 2},
                               {"RNN", 3}};
constexpr size_t kFirstState = 2;  // of the operands of RNN, whose data and states have as many axes

// Operators whose result has the shape of their first operand.
constexpr std::string_view kSameShape[] = {"_contrib_dequantize",
                                           "_contrib_quantize",
                                           "_contrib_quantize_v2",
                                           "_contrib_quantized_act",
                                           "_contrib_quantized_batch_norm",
                                           "_contrib_requantize",
                                           "Activation",
                                           "BatchNorm",
                                           "BatchNorm_v1",
                                           "Cast",
                                           "Dropout",
                                           "LeakyReLU",
                                           "_copy",
                                           "_div_scalar",
                                           "_minus_scalar",
                                           "_mul_scalar",
                                           "_plus_scalar",
                                           "amp_cast",
                                           "broadcast_add",
                                           "broadcast_div",
                                           "broadcast_mul",
                                           "broadcast_sub",
                                           "cast",
                                           "clip",
                                           "elemwise_add",
                                           "elemwise_div",
                                           "elemwise_mul",
                                           "elemwise_sub",
                                           "identity",
                                           "relu",
                                           "sigmoid",
                                           "tanh"};

// Operators whose result has as many axes as their first operand, in another order.
constexpr std::string_view kSameRank[] = {"SwapAxis", "swapaxes", "transpose"};

template <class Rows> auto row_of(const Rows& rows, std::string_view op) {
  return std::find_if(std::begin(rows), std::end(rows), [&](const auto& row) { return row.op == op; });
}

template <class List> bool is_in(const List& list, std::string_view op) {
  return std::find(std::begin(list), std::end(list), op) != std::end(list);
}

// Of what the node reads; 0: it does not tell.
size_t rank_of_data(const SymbolNode& node) {
  if (const auto row = row_of(kRanks, node.op); row != std::end(kRanks)) {
    const auto* list = attribute<std::vector<int64_t>>(node, row->list);
    return list && !list->empty() ? list->size() / row->times + row->plus : 0;
  }
  const auto fixed = row_of(kFixed, node.op);
  return fixed == std::end(kFixed) ? 0 : fixed->rank;
}

}  // namespace

InputTypes::InputTypes(const Symbol& symbol, const Parameters& parameters)
    : symbol_(symbol), parameters_(parameters), readers_(symbol.nodes.size()) {
  for (size_t i = 0; i < symbol.nodes.size(); ++i)
    for (size_t operand = 0; operand < symbol.nodes[i].inputs.size(); ++operand)
      if (symbol.nodes[i].is_needed) readers_[symbol.nodes[i].inputs[operand].node].push_back({i, operand});
}

Result<Type> InputTypes::of(size_t variable) const {
  const SymbolNode& node = symbol_.nodes[variable];
  auto dims = declared(node);
  if (!dims) dims = told_by_readers(variable);
  if (!dims)
    return error(ErrorKind::Unsupported, "neither the symbol nor what reads it tells how many axes it has")
        .help("give the variable a shape when the symbol is made: mx.sym.Variable(NAME, shape=...)");
  for (size_t axis = 0; axis < dims->size(); ++axis)
    if (!(*dims)[axis].is_known()) (*dims)[axis] = frontend::Symbols::unnamed(node.name, axis);
  return Type::tensor(DType::Float32, *std::move(dims));
}

// "__shape__", where 0 and -1 are open sizes.
std::optional<Dims> InputTypes::declared(const SymbolNode& variable) const {
  const auto* shape = attribute<std::vector<int64_t>>(variable, "__shape__");
  if (!shape || shape->empty() || shape->size() > kMaxRank) return std::nullopt;
  Dims dims;
  for (const int64_t size : *shape) dims.push_back(size > 0 ? Dim(size) : Dim::unknown());
  return dims;
}

std::optional<Dims> InputTypes::told_by_readers(size_t variable) const {
  struct Open {
    size_t node;
    bool same_order;
  };
  std::vector<Open> open = {{variable, true}};
  std::vector<bool> seen(symbol_.nodes.size());
  for (size_t i = 0; i < open.size(); ++i) {
    const Open from = open[i];
    for (const Reader& reader : readers_[from.node]) {
      if (auto dims = told_by(reader)) return from.same_order ? dims : Dims(dims->size());
      const std::string_view op = symbol_.nodes[reader.node].op;
      const bool same_shape = is_in(kSameShape, op);
      if ((!same_shape && !is_in(kSameRank, op)) || reader.operand != 0 || seen[reader.node]) continue;
      seen[reader.node] = true;
      open.push_back({reader.node, from.same_order && same_shape});
    }
  }
  return std::nullopt;
}

std::optional<Shape> InputTypes::parameter(const SymbolNode& node, size_t operand) const {
  if (operand >= node.inputs.size()) return std::nullopt;
  const SymbolNode* weights = &symbol_.nodes[node.inputs[operand].node];
  if (weights->op == "_contrib_dequantize" && !weights->inputs.empty())
    weights = &symbol_.nodes[weights->inputs[0].node];
  const SymbolNode& from = *weights;
  const auto it = from.is_variable() ? parameters_.find(from.name) : parameters_.end();
  return it == parameters_.end() ? std::nullopt : std::optional(it->second.shape());
}

// What a loop over slices reads, by the readers within: operands are data, states and what stays, in this order.
std::optional<Dims> InputTypes::told_by_part(const SymbolNode& loop, size_t operand) const {
  std::vector<int64_t> places;
  size_t slices = 0;
  for (const char* list : {"in_data_locs", "in_state_locs", "remain_locs"}) {
    const auto* some = attribute<std::vector<int64_t>>(loop, list);
    if (some) places.insert(places.end(), some->begin(), some->end());
    if (slices == 0) slices = places.size();
  }
  const Symbol& part = loop.subgraphs[0];
  std::vector<size_t> variables;
  for (size_t i = 0; i < part.nodes.size(); ++i)
    if (part.nodes[i].is_variable() && part.nodes[i].is_needed) variables.push_back(i);
  if (operand >= places.size() || places[operand] < 0 || static_cast<size_t>(places[operand]) >= variables.size())
    return std::nullopt;
  auto dims = InputTypes(part, parameters_).told_by_readers(variables[static_cast<size_t>(places[operand])]);
  if (!dims || operand >= slices) return dims;
  if (dims->size() >= kMaxRank) return std::nullopt;
  dims->insert(dims->begin(), Dim::unknown());
  return dims;
}

std::optional<Dims> InputTypes::told_by(const Reader& reader) const {
  const SymbolNode& node = symbol_.nodes[reader.node];
  const bool is_loop = node.op == "_foreach" && node.subgraphs.size() == 1;
  return is_loop ? told_by_part(node, reader.operand) : told_by_operator(node, reader.operand);
}

std::optional<Dims> InputTypes::told_by_operator(const SymbolNode& node, size_t operand) const {
  if (operand != 0 && !(node.op == "RNN" && operand >= kFirstState)) return std::nullopt;
  const size_t rank = rank_of_data(node);
  if (rank == 0 || rank > kMaxRank) return std::nullopt;
  Dims dims(rank);
  const auto weights = parameter(node, 1);
  const auto* groups = attribute<int64_t>(node, "num_group");
  if (!weights || weights->size() < 2) return dims;
  if (node.op == "Convolution" || node.op == "_contrib_quantized_conv")
    dims[1] = Dim((*weights)[1]) * Dim(groups ? *groups : 1);
  if (node.op == "Deconvolution") dims[1] = (*weights)[0];
  if (node.op == "FullyConnected" || node.op == "_contrib_quantized_fully_connected") dims[1] = (*weights)[1];
  return dims;
}

}  // namespace lapis::mxnet_frontend
