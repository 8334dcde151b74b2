// Products that int8 harms by what reads them: those of the inputs of recurrent layers, which `expand` writes as a
// MatMul in front of a Scan. The error of a step lives on in the states of all later ones, and gates that are far open
// or shut magnify it. How much depends on weights and data, so it is measured, of each product alone in int8: harm is
// where more noise arises in the recurrence than in the product.
//
//   LAPIS_TRY(const auto harmed, harmed_recurrences(graph, placement, alone));
//   for (const HarmedRecurrence& h : harmed) recipe.keep_float({Selector::By::Name, h.product});
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "passes/quantize/place.h"

namespace lapis {

struct HarmedRecurrence {
  std::string product, recurrence;  // nodes
  double before = 0, behind = 0;    // dB of what the recurrence reads, and of the result that suffers most
  std::string reason() const;
};

// Quantizes the graph with nothing but the named node in int8, and measures what became of its outputs.
using QuantizeAlone = std::function<Result<Damage>(Graph& graph, const std::string& node)>;

// Those of the products that are placed in int8 without being asked for by name.
Result<std::vector<HarmedRecurrence>> harmed_recurrences(const Graph& graph, const Placement& placement,
                                                         const QuantizeAlone& alone);

}  // namespace lapis
