#include "frontends/mxnet/read.h"

#include <algorithm>
#include <unordered_set>

#include "frontends/mxnet/control.h"
#include "frontends/mxnet/fused.h"
#include "frontends/mxnet/input_types.h"
#include "frontends/mxnet/symbol.h"

namespace lapis::mxnet_frontend {
namespace {

using frontend::SourceGraph;
using frontend::SourceNode;
using frontend::SourceValue;

// Operators whose operands behind the first are learned: such a variable without a value is no input but missing.
constexpr std::string_view kLearned[] = {"BatchNorm",
                                         "BatchNorm_v1",
                                         "Convolution",
                                         "Convolution_v1",
                                         "Deconvolution",
                                         "Embedding",
                                         "FullyConnected",
                                         "GroupNorm",
                                         "InstanceNorm",
                                         "LayerNorm",
                                         "LeakyReLU",
                                         "_contrib_quantized_batch_norm",
                                         "_contrib_quantized_conv",
                                         "_contrib_quantized_embedding",
                                         "_contrib_quantized_fully_connected"};
// Operators whose results of 32 bits stand in the graph as the reals that they mean.
constexpr std::string_view kSums[] = {"_contrib_quantized_conv", "_contrib_quantized_elemwise_add",
                                      "_contrib_quantized_elemwise_mul", "_contrib_quantized_fully_connected"};
// Operators whose results are numbered even if there is one.
constexpr std::string_view kNumbered[] = {"SliceChannel", "split", "_split_v2"};

template <class List> bool is_in(const List& list, std::string_view op) {
  return std::find(std::begin(list), std::end(list), op) != std::end(list);
}

// A symbol, or a part of it that a node runs: its variables are that node's operands.
enum class Scope : uint8_t { Model, Part };

class Reader {
 public:
  Reader(Symbol symbol, const Parameters& parameters, Scope scope = Scope::Model)
      : symbol_(std::move(symbol)), parameters_(parameters), types_(symbol_, parameters), scope_(scope) {}

  Result<SourceGraph> run(size_t file_bytes) {
    if (scope_ == Scope::Model) find_missing();
    find_sums_that_are_read();
    for (size_t i = 0; i < symbol_.nodes.size(); ++i) name_results(i);
    for (size_t i = 0; i < symbol_.nodes.size(); ++i)
      if (symbol_.nodes[i].is_needed) symbol_.nodes[i].is_variable() ? read_variable(i) : read_node(i);
    for (const Entry& head : symbol_.heads) source_.outputs.push_back(names_[head.node][head.output]);
    if (!findings_.empty()) return findings_;
    source_.file_bytes = file_bytes;
    return std::move(source_);
  }

 private:
  void find_missing() {
    for (const SymbolNode& node : symbol_.nodes)
      for (size_t operand = 1; operand < node.inputs.size() && node.is_needed && is_in(kLearned, node.op); ++operand) {
        const SymbolNode& from = symbol_.nodes[node.inputs[operand].node];
        if (!from.is_variable() || parameters_.contains(from.name)) continue;
        findings_.push_back(
            error(ErrorKind::Input, "the parameter '" + from.name + "' is not in the file of parameters")
                .at("node '" + node.name + "' (" + node.op + ")")
                .help("give the .params file that was saved with this symbol"));
      }
  }

  bool is_sum(const Entry& e) const {
    const SymbolNode& node = symbol_.nodes[e.node];
    const auto reals = node.attributes.find("enable_float_output");
    const bool gives_reals = reals != node.attributes.end() && reals->second == frontend::SourceAttribute(true);
    return is_in(kSums, node.op) && !node.attributes.contains("min_calib_range") && !gives_reals;
  }

  void find_sums_that_are_read() {
    const auto check = [&](const std::vector<Entry>& entries, const std::string& where) {
      for (const Entry& e : entries)
        if (is_sum(e))
          findings_.push_back(error(ErrorKind::Unsupported, "reads the sums of '" + symbol_.nodes[e.node].name +
                                                                "' as integers of 32 bits, which Lapis keeps as reals")
                                  .at(where)
                                  .help("put a requantize in between, as quantize_model does"));
    };
    for (const SymbolNode& node : symbol_.nodes)
      if (node.is_needed && node.op != "_contrib_requantize")
        check(node.inputs, "node '" + node.name + "' (" + node.op + ")");
    check(symbol_.heads, "the list of outputs");
  }

  // As MXNet names them: NAME_output, or NAME_output0 and so on.
  void name_results(size_t i) {
    const SymbolNode& node = symbol_.nodes[i];
    std::vector<std::string>& names = names_.emplace_back();
    for (size_t output = 0; output < node.outputs; ++output) {
      const bool is_numbered = output > 0 || is_in(kNumbered, node.op);
      std::string name = node.name;
      if (!node.is_variable()) name += is_numbered ? "_output" + std::to_string(output) : "_output";
      while (!taken_.insert(name).second) name += "_" + std::to_string(i);
      names.push_back(std::move(name));
    }
  }

  void read_variable(size_t i) {
    const std::string& name = names_[i][0];
    SourceValue value;
    value.given = true;
    if (scope_ == Scope::Part) {
      source_.inputs.push_back(name);
    } else if (const auto it = parameters_.find(symbol_.nodes[i].name); it != parameters_.end()) {
      value.constant = it->second;
      value.type = Type::of(value.constant);
    } else {
      source_.inputs.push_back(name);
      auto type = findings_.empty() ? types_.of(i) : Result<Type>(Type());
      if (type.ok()) value.type = *type;
      for (Diagnostic d : type.diagnostics()) findings_.push_back(d.at("variable '" + name + "'"));
    }
    source_.values.emplace(name, std::move(value));
  }

  void read_node(size_t i) {
    SymbolNode& from = symbol_.nodes[i];
    SourceNode node;
    node.op = from.op;
    node.name = from.name;
    while (!node_names_.insert(node.name).second) node.name += "_" + std::to_string(i);
    node.attributes = std::move(from.attributes);
    node.outputs = names_[i];
    for (const Entry& input : from.inputs) node.inputs.push_back(names_[input.node][input.output]);
    for (const std::string& output : node.outputs) source_.values.emplace(output, SourceValue());
    is_control_flow(node.op) ? add_with_parts(std::move(node), from.subgraphs)
                             : source_.nodes.push_back(std::move(node));
  }

  void add_with_parts(SourceNode node, std::vector<Symbol>& symbols) {
    std::vector<SourceGraph> parts;
    for (Symbol& symbol : symbols) {
      Result<SourceGraph> part = Reader(std::move(symbol), parameters_, Scope::Part).run(0);
      if (!part.ok())
        for (Diagnostic d : part.diagnostics()) findings_.push_back(d.at(location_of(node)));
      else
        parts.push_back(*std::move(part));
    }
    if (!findings_.empty()) return;
    const Status added = add_control_flow(std::move(node), parts, source_);
    findings_.insert(findings_.end(), added.diagnostics().begin(), added.diagnostics().end());
  }

  Symbol symbol_;
  const Parameters& parameters_;
  const InputTypes types_;
  const Scope scope_;
  std::vector<std::vector<std::string>> names_;  // by node and output
  std::unordered_set<std::string> taken_, node_names_;
  SourceGraph source_;
  Diagnostics findings_;
};

}  // namespace

Result<SourceGraph> read_symbol(std::span<const std::byte> symbol, const Parameters& parameters, size_t file_bytes) {
  LAPIS_TRY(Symbol parsed, parse_symbol(symbol));
  Parameters all = parameters;
  LAPIS_TRY(parsed, write_out_fused(std::move(parsed), all));
  return Reader(std::move(parsed), all).run(file_bytes);
}

}  // namespace lapis::mxnet_frontend
