// Whole random graphs. The same seed and kind give the same graph.
//
//   const Sample sample = draw_graph(42, Kind::Float);
//   const Judgement j = judge(sample, {.target = Target::host()});     (judge.h)
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ir/evaluate.h"

namespace lapis::random_graphs {

enum class Kind {
  Float,  // any operators of the records, any types
  Qdq,    // quantized networks in QDQ form
};

struct Sample {
  std::unique_ptr<Graph> graph;
  Feeds feeds;
  std::map<std::string, int64_t> dims;  // values of the symbols in the inputs' types
  bool invalid = false;                 // a node of it is probably one that the importer must refuse
  bool huge = false;                    // sizes that nobody can allocate: imported and compiled, not run
};

Sample draw_graph(uint64_t seed, Kind kind);
Sample draw_qdq_graph(uint64_t seed);

// Graphs of the one operator, until one passes inference: for the test that every record can be drawn.
// Null if none does.
std::unique_ptr<Graph> draw_one(const OpDef& op, int tries, Feeds& feeds);

}  // namespace lapis::random_graphs
