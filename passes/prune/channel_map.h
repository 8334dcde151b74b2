// Which channels of a model are the same channel, and what changes where one of them leaves.
//
// Every output channel of a Conv, Gemm or MatMul with constant weights has a number. It keeps it through what reads it:
// activations, pools, BatchNormalization, Concat, Slice, Pad, Reshape of what lies behind the channel, reductions over
// other axes. Where channels meet (Add of two branches, a depthwise Conv, the groups of a grouped one) their numbers
// are joined: they leave together or not at all. What reads them in another way holds them, and says why.
//
//   ChannelMap map(graph);
//   map.holds(map.producers()[0].ids[3]);      // why channel 3 of the first Conv must stay; null: it need not
//   map.remove([&](int id) { return gone.contains(id); });
#pragma once

#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "passes/prune/weights.h"

namespace lapis {

class ChannelMap {
 public:
  // A contraction, and the numbers of its output channels, or of its inputs.
  struct End {
    WeightMatrix weights;
    std::vector<int> ids;
  };

  explicit ChannelMap(Graph& graph);

  const std::vector<End>& producers() const { return producers_; }
  const std::vector<End>& readers() const { return readers_; }  // those that are not grouped
  // Of Conv, Gemm and MatMul that are not among the producers.
  const std::unordered_map<const Node*, std::string>& refused() const { return refused_; }
  // The number that stands for all that are joined with it.
  int joined(int id) const;
  const std::string* holds(int id) const;
  // From now on they must stay.
  void hold(const std::vector<int>& ids, const std::string& reason);

  // Removes channels: weights, biases, parameters, shapes.
  // All that are joined must be `gone` or none; no one that is held.
  void remove(const std::function<bool(int joined)>& gone);

 private:
  struct Channels {
    int64_t axis = 0;
    std::vector<int> ids;  // along that axis
  };
  using Stay = std::function<std::vector<int64_t>(const std::vector<int>& ids)>;  // the positions that stay
  using Handler = void (ChannelMap::*)(Node&);
  static Handler handler(const Node& node);

  const Channels* of(const Value* v) const;
  std::vector<int> fresh(int64_t count);
  void join(const std::vector<int>& a, const std::vector<int>& b);
  void hold_all(Node& node, const std::string& reason);
  void hold_reads(Node& node);
  void track(Value* v, int64_t axis, std::vector<int> ids);
  void hold_ends();
  void shrink(Node& node, size_t operand, int64_t axis, const std::vector<int>& ids);
  void shrink_bias(Node& node, size_t operand, const std::vector<int>& ids);
  void edit(const std::vector<int>& ids, std::function<void(const std::vector<int64_t>& stay)> change);
  void edit_ints(Node& node, size_t operand, const std::vector<int>& ids,
                 std::function<void(std::vector<int64_t>& ints, const std::vector<int64_t>& stay)> change);

  void convolution(Node& node);
  void depthwise(const WeightMatrix& m);
  void grouped(const WeightMatrix& m);
  void dense(const WeightMatrix& m, int64_t input_axis, int64_t output_axis);
  void product(Node& node);
  void read_by(const WeightMatrix& m, int64_t input_axis);
  void produced_by(const WeightMatrix& m, int64_t output_axis, const std::vector<int>& ids);
  void elementwise(Node& node);
  const Channels* widest(const Node& node, const Value*& operand) const;
  void meet(Node& node, size_t operand, int64_t own, const std::vector<int>& ids);
  bool operands_agree(Node& node, const Channels& lead, int64_t axis, int64_t rank);
  void batch_norm(Node& node);
  void window(Node& node);
  void same_axes(Node& node);
  void concat(Node& node);
  void slice(Node& node);
  void pad(Node& node);
  void split(Node& node);
  void transpose(Node& node);
  void reshape(Node& node);
  void reduce(Node& node);
  void resize(Node& node);

  Graph& graph_;
  std::unordered_map<const Value*, Channels> channels_;
  mutable std::vector<int> parent_;
  std::vector<std::string> held_;  // by number that stands for others; "": not
  std::vector<std::function<void(const Stay&)>> edits_;
  std::vector<End> producers_, readers_;
  std::unordered_map<const Node*, std::string> refused_;
};

}  // namespace lapis
