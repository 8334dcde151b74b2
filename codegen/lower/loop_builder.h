// Builds one Loop: places views on the loop's domain and writes scalar programs that load,
// compute inlined producers and store.
#pragma once

#include <map>

#include "codegen/lower/lowering.h"

namespace lapis::codegen {

// How the dimensions of a value map to the loop's domain: domain dimension i runs along `axis[i]` of the value, -1:
// not at all.
struct Mapping {
  Shape shape;  // values are broadcast to this shape first
  std::vector<int64_t> axis;
};

class LoopBuilder {
 public:
  LoopBuilder(Lowering& lowering, std::string name, Shape domain, int reduced = 0) : l_(lowering) {
    loop_.name = std::move(name);
    loop_.domain = std::move(domain);
    loop_.reduced = reduced;
  }

  // The program of the phase being written.
  Program program;
  int op(Op op, Args o) { return program.add(op, program[o.x].type, o); }
  int to(DType type, int x) { return program[x].type == type ? x : program.add(Op::Cast, type, {x}); }
  int k(DType type, Immediate value) { return program.constant(type, value); }

  int add_view(View view, const Mapping& mapping);  // broadcasts and places; equal views share a slot
  int add_placed_view(View view);                   // strides already follow the domain
  int load_view(int slot) {
    return program.add({Op::Load, loop_.views[static_cast<size_t>(slot)].dtype, {-1, -1, -1}, slot});
  }
  // The value at the current point: a constant, an inlined computation, or a load.
  int load(const Value* value, const Mapping& mapping);
  int compute(const Node& node, const Mapping& mapping);  // an elementwise node
  // The elementwise chain behind the region's anchor, whose value is instruction `result`.
  int apply_chain(const FusedRegion& region, int result, const Mapping& mapping);
  void store(int slot, int value) { stores_.push_back({slot, value}); }
  int reduce(Loop::Reduce kind, int value);  // its number, for reduced()
  int reduced(int number);

  void end_phase(Loop::Over over);
  Loop finish() { return std::move(loop_); }

 private:
  int operand(const Node& node, size_t i, const Mapping& mapping);
  Lowering& l_;
  Loop loop_;
  std::vector<Loop::Reduction> reductions_;
  std::vector<DType> reduced_types_;
  std::vector<Loop::Store> stores_;
  std::map<const Value*, int> known_;  // values already computed in this phase
};

// A region that does nothing but copy.
void lower_copy(Lowering& lowering, const FusedRegion& region, const View& from, const View& to);

// What explain calls the type that a value is computed in: "fp32", "int8".
std::string precision_of(const Value* value);

// Mapping that runs the domain along the value's own axes.
Mapping straight(const Shape& shape);

}  // namespace lapis::codegen
