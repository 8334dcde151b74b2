// A symbol file as it stands: nodes with typed attributes, of which variables are those without an operator.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "frontends/common/source_graph.h"

namespace lapis::mxnet_frontend {

struct Entry {  // one output of a node
  size_t node = 0, output = 0;
};

struct Symbol;

struct SymbolNode {
  std::string op, name;
  frontend::SourceAttributes attributes;
  std::vector<Entry> inputs;
  std::vector<Symbol> subgraphs;  // what it runs, or, where it is fused, what it was made of
  size_t outputs = 1;             // that others use
  bool is_needed = false;

  bool is_variable() const { return op == "null"; }
};

struct Symbol {
  std::vector<SymbolNode> nodes;
  std::vector<Entry> heads;
};

// What the heads do not need is marked so; labels are no operands any more,
// nor are the ranges of sums that are quantized again.
Result<Symbol> parse_symbol(std::span<const std::byte> bytes);

// Sets how many outputs of each node others use; variables have one.
Status count_outputs(Symbol& symbol);

}  // namespace lapis::mxnet_frontend
