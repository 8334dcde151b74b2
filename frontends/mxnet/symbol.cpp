#include "frontends/mxnet/symbol.h"

#include <algorithm>

#include "frontends/common/json.h"
#include "frontends/mxnet/literal.h"

namespace lapis::mxnet_frontend {
namespace {

using frontend::Json;

constexpr size_t kMostOutputs = 4096;

// Operators that only training tells from what they compute: their label is dropped.
constexpr std::string_view kWithLabel[] = {"SoftmaxOutput",          "Softmax",
                                           "LinearRegressionOutput", "LogisticRegressionOutput",
                                           "MAERegressionOutput",    "SVMOutput"};

// Operators that need their first operand only: sums of integers stand in the graph as
// the reals that they mean, whatever their range.
bool reads_one(std::string_view op) {
  return op == "_contrib_requantize" ||
         std::find(std::begin(kWithLabel), std::end(kWithLabel), op) != std::end(kWithLabel);
}

Diagnostic damaged(std::string message) {
  return error(ErrorKind::Input, std::move(message)).help("copy or save the model again");
}

class Parser {
 public:
  Result<Symbol> run(const Json& file) {
    const auto& nodes = frontend::elements(file, "nodes");
    if (nodes.empty()) return damaged("the symbol has no nodes");
    for (const Json& node : nodes) {
      LAPIS_TRY(symbol_.nodes.emplace_back(), parse_node(node));
    }
    for (const Json& head : frontend::elements(file, "heads")) {
      LAPIS_TRY(symbol_.heads.emplace_back(), entry(head, "the list of outputs", nodes.size()));
    }
    LAPIS_CHECK(count_outputs(symbol_));
    mark_needed();
    return std::move(symbol_);
  }

 private:
  Result<SymbolNode> parse_node(const Json& json) {
    SymbolNode node;
    node.op = frontend::text(json, "op");
    node.name = frontend::text(json, "name");
    if (node.op.empty()) return damaged("node " + std::to_string(symbol_.nodes.size()) + " has no operator");
    if (node.name.empty()) node.name = "node_" + std::to_string(symbol_.nodes.size());
    // "param" in files of MXNet 0.8, "attr" in those of 0.9 to 0.12, "attrs" since.
    for (const char* list : {"param", "attr", "attrs"})
      for (const auto& [name, value] : frontend::members(json, list))
        if (const auto parsed = parse_literal(frontend::text(value))) node.attributes.insert_or_assign(name, *parsed);
    for (const Json& graph : frontend::elements(json, "subgraphs")) {
      LAPIS_TRY(node.subgraphs.emplace_back(), Parser().run(graph));
    }
    LAPIS_CHECK(set_outputs(node));
    for (const Json& input : frontend::elements(json, "inputs")) {
      if (reads_one(node.op) && node.inputs.size() == 1) break;
      LAPIS_TRY(node.inputs.emplace_back(), entry(input, "node '" + node.name + "'", symbol_.nodes.size()));
    }
    return node;
  }

  // Those of what runs graphs are all of them, whether others use them or not.
  static Status set_outputs(SymbolNode& node) {
    const auto count = node.attributes.find("num_outputs");
    if (node.subgraphs.empty() || count == node.attributes.end()) return ok();
    const auto* number = std::get_if<int64_t>(&count->second);
    if (!number || *number < 1 || static_cast<size_t>(*number) > kMostOutputs)
      return damaged("its number of outputs cannot be").at("node '" + node.name + "'");
    node.outputs = static_cast<size_t>(*number);
    return ok();
  }

  // [node, output] or [node, output, version]. Nodes come behind what they read.
  Result<Entry> entry(const Json& json, const std::string& where, size_t nodes) {
    const auto& numbers = frontend::elements(json);
    const auto at = [&](size_t i) {
      const auto value = i < numbers.size() ? frontend::integer(numbers[i]) : std::nullopt;
      return value && *value >= 0 ? std::optional(static_cast<size_t>(*value)) : std::nullopt;
    };
    const auto node = at(0), output = numbers.size() == 1 ? std::optional<size_t>(0) : at(1);
    if (!node || !output || *node >= nodes || *output >= kMostOutputs)
      return damaged("reads what no node before it computes").at(where);
    return Entry{*node, *output};
  }

  void mark_needed() {
    std::vector<size_t> open;
    const auto need = [&](const std::vector<Entry>& entries) {
      for (const Entry& e : entries)
        if (!std::exchange(symbol_.nodes[e.node].is_needed, true)) open.push_back(e.node);
    };
    need(symbol_.heads);
    while (!open.empty()) {
      const size_t node = open.back();
      open.pop_back();
      need(symbol_.nodes[node].inputs);
    }
  }

  Symbol symbol_;
};

Status count_outputs(Symbol& symbol, const std::vector<Entry>& entries) {
  for (const Entry& e : entries) {
    SymbolNode& node = symbol.nodes[e.node];
    if (node.is_variable() && e.output > 0) return damaged("a variable has one value").at("'" + node.name + "'");
    node.outputs = std::max(node.outputs, e.output + 1);
  }
  return ok();
}

}  // namespace

Status count_outputs(Symbol& symbol) {
  for (const SymbolNode& node : symbol.nodes) LAPIS_CHECK(count_outputs(symbol, node.inputs));
  return count_outputs(symbol, symbol.heads);
}

Result<Symbol> parse_symbol(std::span<const std::byte> bytes) {
  LAPIS_TRY(const Json file, frontend::parse_json(bytes));
  return Parser().run(file);
}

}  // namespace lapis::mxnet_frontend
