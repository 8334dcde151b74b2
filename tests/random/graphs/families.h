// Families of graphs that grow: each is drawn with any number of nodes, so that what a stage of compilation costs can
// be compared between a thousand and a hundred thousand of them.
//
//   for (const Family& family : families()) measure(*family.draw(1000), *family.draw(4000));
#pragma once

#include <memory>
#include <span>

#include "ir/graph.h"

namespace lapis::random_graphs {

struct Family {
  const char* name;                           // "chain"
  std::unique_ptr<Graph> (*draw)(int nodes);  // at most that many, and nearly as many; of fixed shapes
};
std::span<const Family> families();

}  // namespace lapis::random_graphs
