#include "codegen/x86/emit.h"

#include <xbyak/xbyak.h>

#include <new>

#include "base/check.h"
#include "codegen/kernels/blocking.h"
#include "codegen/kernels/epilogue_analysis.h"
#include "codegen/kernels/library.h"
#include "codegen/x86/block.h"

namespace lapis::x86 {

using codegen::StructureKey;

using Kind = abi::Argument::Kind;

static abi::Argument packed_part(const Contraction& c, Kind memory, size_t part) {
  return codegen::bytes_at(memory, c.packed_offset[part], c.packed_bytes[part]);
}

static std::vector<abi::Argument> arguments_of_library(const Contraction& c, const Plan& plan) {
  namespace word = kernels::library_word;
  std::vector<abi::Argument> words(word::kOperands + c.operands.size());
  const auto here = [](auto* address) {
    return abi::Argument{.kind = Kind::Process, .value = reinterpret_cast<uint64_t>(address)};
  };
  words[word::kFunction] = here(c.library->function);
  words[word::kContext] = here(c.library->context.get());
  words[word::kStatus] = {.kind = Kind::Status};
  words[word::kWeights] = packed_part(c, Kind::Weights, 0);
  words[word::kBias] = packed_part(c, Kind::Constants, 1);
  words[word::kInput] = codegen::address_in(plan, c.input.buffer, 0, false);
  words[word::kOutput] = codegen::address_in(plan, c.output.buffer, 0, true);
  for (size_t i = 0; i < c.operands.size(); ++i)
    words[word::kOperands + i] = codegen::address_in(plan, c.operands[i].view.buffer, 0, false);
  return words;
}

static std::vector<abi::Argument> arguments_of(const Contraction& c, const Plan& plan) {
  if (c.library) return arguments_of_library(c, plan);
  std::vector<abi::Argument> words(kOperands + c.operands.size());
  const auto packed = [&](Kind memory, size_t part) { return packed_part(c, memory, part); };
  const auto image = [&](const View& view) { return codegen::address_in(plan, view.buffer, 0, false); };
  const bool starts = c.computed && c.computed->starts;
  words[kPackedWeights] = c.computed ? image(c.computed->panels) : packed(Kind::Weights, 0);
  words[kPackedParams] = starts ? image(*c.computed->starts) : packed(Kind::Constants, 1);
  words[kPixelTable] = packed(Kind::Constants, 2);
  words[kUnitTable] = packed(Kind::Constants, 3);
  words[kInputBuffer] = codegen::address_in(plan, c.input.buffer, 0, false);
  words[kOutputBuffer] = codegen::address_in(plan, c.output.buffer, 0, true);
  for (size_t i = 0; i < c.operands.size(); ++i) {
    const auto& [kind, view, column] = c.operands[i];
    if (kind == EpilogueOperand::Kind::PerChannel) continue;
    const int64_t within = kind == EpilogueOperand::Kind::Table ? view.offset * bit_width(view.dtype) / 8 : 0;
    words[kOperands + i] = codegen::address_in(plan, view.buffer, within, false);
  }
  return words;
}

// Tiles of the blocks, and how their weights lie.
static void add_blocking(StructureKey& key, const kernels::Blocking& b) {
  key.add(b.lanes, b.quad, b.steps, b.half, b.taps, b.columns, b.interleaved, b.paired, b.words, b.params,
          b.kinds.size());
  for (const kernels::Block& kind : b.kinds) key.add(kind.nr, kind.channels, kind.mr, kind.pitch);
}

static void add_operands(StructureKey& key, const Contraction& c, const Plan& plan) {
  key.add(c.operands.size());
  for (const EpilogueOperand& o : c.operands) {
    key.add(o.kind, o.view.dtype, o.column);
    if (o.kind != EpilogueOperand::Kind::PerChannel) continue;
    const kernels::Interval range = kernels::per_channel_range(o.view, plan);
    key.add(range.low, range.high);
  }
}

// Matrix tiles load pixels as they lie where each has the same distance from the one before.
static void add_runs(StructureKey& key, const Contraction& c) {
  if (kernels::row_of(c).in_tiles())
    for (const int mr : {c.schedule.mr, c.schedule.mr - 1}) key.add(kernels::pixels_in_runs(c, mr));
}

static std::string key_of(const Contraction& c, const Plan& plan) {
  StructureKey key;
  if (c.library) return key.add('j').take();  // all jump alike
  key.add('c', plan.target.bits(), c.schedule.row, c.a, c.b, c.output.dtype, c.schedule.nr, c.schedule.mr);
  add_blocking(key, kernels::Blocking(c));
  key.add_list(c.taps).add_program(c.epilogue);
  add_operands(key, c, plan);
  add_runs(key, c);
  return key.take();
}

codegen::StepCode step_code(const Contraction& c, const Plan& plan) {
  return {key_of(c, plan), c.units, arguments_of(c, plan), [&c, &plan] { return emit(c, plan); }};
}

std::vector<uint8_t> emit(const Contraction& c, const Plan& plan) {
  LAPIS_ASSERT(c.schedule.row >= 0, "contraction '" << c.name << "' was not scheduled");
  try {
    return kernels::row_of(c).structure.emit(c, plan);
  } catch (const Xbyak::Error& failure) {
    if (static_cast<int>(failure) == Xbyak::ERR_CANT_ALLOC) throw std::bad_alloc();
    // An operand no instruction has: our bug, wherever it came from.
    LAPIS_ASSERT(false, "emitting '" << c.name << "' with " << kernels::row_of(c).name << ": " << failure.what());
  }
  return {};
}

}  // namespace lapis::x86
