// What the code of a loop depends on, and what it is told.
#include <algorithm>

#include "codegen/llvm/block.h"
#include "codegen/llvm/loop.h"
#include "codegen/llvm/memory.h"

namespace lapis::llvm_backend {
namespace {

using codegen::StructureKey;

// Without the numbers that are free.
void add(StructureKey& key, const Dimension& d) {
  key.add(d.source, d.free, d.bytes.size());
  for (size_t v = 0; v < d.bytes.size(); ++v) {
    const bool free = v < d.free_bytes.size() && d.free_bytes[v];
    key.add(free, free ? 0 : d.bytes[v]);
  }
}
int64_t known_extent(const Dimension& d) { return d.free ? 0 : d.extent; }

void add(StructureKey& key, const Nest& nest) {
  key.add(nest.outer.size(), nest.inner.size(), known_extent(nest.lane));
  for (size_t d = 0; d < nest.outer.size(); ++d) {
    add(key, nest.outer[d]);
    // Rows are counted, so the first of the dimensions that make them may be as long as it likes.
    if (d > 0 || nest.partitioned == 0) key.add(known_extent(nest.outer[d]));
  }
  for (const Dimension& d : nest.inner) {
    add(key, d);
    key.add(known_extent(d));
  }
  add(key, nest.lane);
  key.add(nest.lane_inner, nest.width, nest.vectors, nest.jam, nest.turned_inner, nest.partitioned, nest.free_chunks(),
          nest.free_chunks() ? 1 : nest.chunk);
  key.add_list(nest.transposed);
}

void add(StructureKey& key, const Loop::Phase& phase) {
  key.add(phase.over, phase.reductions.size(), phase.stores.size()).add_program(phase.body);
  for (const Loop::Reduction& r : phase.reductions) key.add(r.kind, r.value, r.type);
  for (const Loop::Store& s : phase.stores) key.add(s.view, s.value);
}

}  // namespace

std::string structure_key(const Loop& loop, const Nest& nest, const Plan& plan) {
  StructureKey key;
  key.add('l', plan.target.bits(), loop.views.size(), loop.phases.size());
  add(key, nest);
  for (const View& v : loop.views) {
    size_t same = 0;  // which views share a buffer decides what may be reordered
    while (loop.views[same].buffer != v.buffer) ++same;
    key.add(v.dtype, same, is_read_only(v, plan));
  }
  for (const Loop::Phase& phase : loop.phases) add(key, phase);
  return key.take();
}

std::vector<abi::Argument> arguments_of(const Loop& loop, const Nest& nest, const Plan& plan) {
  const Words words(loop);
  std::vector<abi::Argument> arguments(words.numbers());
  for (size_t v = 0; v < words.views; ++v) {
    const View& view = loop.views[v];
    const int64_t within = view.offset * std::max(1, bit_width(view.dtype) / 8);
    arguments[v] = codegen::address_in(plan, view.buffer, within, !is_read_only(view, plan));
  }
  arguments[words.status()].kind = abi::Argument::Kind::Status;
  arguments[words.rows()] = codegen::number(nest.rows);
  arguments[words.rows_per_unit()] = codegen::number(nest.rows_per_unit);
  const auto add_number = [&](int64_t n) { arguments.push_back(codegen::number(n)); };
  for_each_dimension(nest, [&](const Dimension& d) {
    if (d.free) add_number(d.extent);
    for (size_t v = 0; v < d.free_bytes.size(); ++v)
      if (d.free_bytes[v]) add_number(d.bytes[v]);
  });
  if (nest.free_chunks()) {
    add_number(nest.chunk);
    add_number(nest.chunks());
  }
  return arguments;
}

}  // namespace lapis::llvm_backend
