// Sums of products x^T x of what contractions read: the second derivatives of the squared error of their results by
// their weights. That is all that rounding and pruning by data need to know, in memory that does not grow with the
// samples.
//
//   LAPIS_CHECK(for_each_moments(graph, nodes, {}, evaluator, samples, 100,
//                                [&](Node& node, const InputMoments& m) -> Status { ... }));
#pragma once

#include <functional>
#include <memory>
#include <span>

#include "passes/quantize/place.h"
#include "passes/quantize/rounding.h"
#include "passes/samples.h"

namespace lapis {

// How the inputs under the window of a convolution follow each other: those of a channel together, as weights are
// stored, or those of a tap, as kernels read them.
enum class InputOrder { ByChannel, ByTap };

struct MomentsOptions {
  InputOrder order = InputOrder::ByChannel;
  bool ones = false;  // behind the inputs stands a 1 where the node has a bias or can take one
  // Nodes are gone through from the inputs of the model on, and what each reads is measured with all changes that `use`
  // has made before it, beside what it read at first. At most sixteen times, however deep the model is.
  bool as_changed = false;
};

struct InputMoments {
  int64_t size = 0;             // inputs of one output, and that 1
  bool ones = false;            // whether it is there
  std::vector<Moments> groups;  // [size][size] each: of a convolution those of the patches under its kernel
  std::vector<Moments>
      from;  // with `as_changed`: sums of products of the inputs as they were (rows) and as they are (columns)
};

// Why there are none for a Conv, Gemm or MatMul with constant weights as its second operand, or nullopt.
std::optional<std::string> has_no_moments(const Node& node);

// For every node (one that has moments) calls `use` with them, over at most so many samples.
// Nodes of one shape that read one value are measured once. As many at a time as fit into a quarter of a gigabyte (one
// at least), so that the samples may be run several times. `use` may change the weights and the bias of its node;
// without `as_changed` all are measured in the graph as it was.
Status for_each_moments(const Graph& graph, std::span<Node* const> nodes, const MomentsOptions& options,
                        Evaluator& evaluator, const SampleSource& source, int64_t samples,
                        const std::function<Status(Node&, const InputMoments&)>& use);

}  // namespace lapis
