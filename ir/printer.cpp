#include "ir/printer.h"

#include <sstream>

#include "ir/op.h"

namespace lapis {
namespace {

template <class Range, class Function> std::string join(const Range& range, Function&& text_of) {
  std::string text;
  for (const auto& item : range) text += (text.empty() ? "" : ", ") + text_of(item);
  return text;
}

std::string number(double value) {
  std::ostringstream text;
  text << value;
  return text.str();
}

std::string quoted(const std::string& text) { return '"' + text + '"'; }

struct PrintAttribute {
  std::string operator()(int64_t v) const { return std::to_string(v); }
  std::string operator()(float v) const { return number(v); }
  std::string operator()(const std::string& v) const { return quoted(v); }
  std::string operator()(const Tensor& v) const { return to_string(v); }
  std::string operator()(const std::shared_ptr<Graph>& v) const { return "graph " + v->name(); }
  template <class T> std::string operator()(const std::vector<T>& values) const {
    return "[" + join(values, *this) + "]";
  }
};

std::string name_of(const Value* value) { return value ? value->name() : "_"; }
std::string typed(const Value* value) { return value ? value->name() + ": " + value->type().to_string() : "_"; }
std::string declared(const Value* value) { return value->type().to_string() + " " + value->name(); }

std::string head(const Node& node) {
  std::string text = join(node.outputs(), name_of) + " = " + std::string(node.op().name);
  if (!node.attributes().empty())
    text +=
        "<" + join(node.attributes(), [](const auto& item) { return item.first + " = " + print(item.second); }) + ">";
  return text;
}

void print_graph(const Graph& graph, const std::string& indent, std::string& text) {
  text += indent + graph.name() + " (" + join(graph.inputs(), declared) + ") => (" + join(graph.outputs(), declared) +
          ") {\n";
  for (const Value* constant : graph.constants())
    text += indent + "  " + constant->name() + " = " + to_string(constant->constant()) + "\n";
  for (const Node* node : graph.nodes()) {
    text += indent + "  " + head(*node) + "(" + join(node->inputs(), name_of) + ")  # " +
            join(node->outputs(), [](const Value* v) { return v ? v->type().to_string() : std::string("_"); }) + "\n";
    for (const Graph* subgraph : node->subgraphs()) print_graph(*subgraph, indent + "    ", text);
  }
  text += indent + "}\n";
}

}  // namespace

std::string print(const Attribute& attribute) { return std::visit(PrintAttribute{}, attribute); }

std::string print(const Node& node) { return head(node) + "(" + join(node.inputs(), typed) + ")"; }

std::string print(const Graph& graph) {
  std::string text;
  print_graph(graph, "", text);
  return text;
}

std::string location_of(const Node& node) {
  return "node '" + node.origin() + "' (" + std::string(node.op().name) + ")";
}

}  // namespace lapis
