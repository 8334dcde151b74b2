#include "codegen/x86/tile_kernel.h"

#include <algorithm>
#include <bit>

#include "base/check.h"
#include "codegen/kernels/units.h"

namespace lapis::x86 {
namespace {

int element_shift(DType type) { return std::countr_zero(static_cast<unsigned>(bit_width(type) / 8)); }
bool per_element(const EpilogueOperand& o) { return o.kind == EpilogueOperand::Kind::PerElement; }

// Roles of general registers while an epilogue runs; the pixel pointers of the tile are dead then.
constexpr int kParamsGpr = 0, kTableGpr = 1, kOutputGpr = 2, kScratchGpr = 3, kFirstOperandGpr = 4;

}  // namespace

TileKernel::TileKernel(const Contraction& c, const Plan& plan)
    : Emitter(kernels::row_of(c).lanes),
      c_(c),
      row_(kernels::row_of(c)),
      blocking_(c),
      epilogue_(*this, c, plan, blocking_) {
  LAPIS_ASSERT(kFirstOperandGpr + c.operands.size() <= kGprs,
               "too many operands in the epilogue of '" << c.name << "'");
}

std::vector<uint8_t> TileKernel::emit() {
  Label units, next, done;
  enter_function();
  constants();
  L(units);
  mov(rbx, slot(kUnit));
  cmp(rbx, slot(kUnitEnd));
  jae(done, T_NEAR);
  unit();
  add(slot(kUnit), static_cast<uint32_t>(4 * kernels::words_of_unit(blocking_)));
  jmp(units, T_NEAR);
  L(done);
  release();
  leave();
  return finish();
}

void TileKernel::enter_function() {
  enter(operand_base(c_.operands.size()), frame_vectors());
  mov(rcx, ptr[rdi + 8 * kUnitTable]);
  for (const auto& [count, where] : {std::pair{rsi, kUnit}, std::pair{rdx, kUnitEnd}}) {
    imul(count, count, static_cast<int>(4 * kernels::words_of_unit(blocking_)));
    add(count, rcx);
    mov(slot(where), count);
  }
  load_word(kPackedWeights, kAllWeights);
  load_word(kPackedParams, kAllParams);
  load_word(kPixelTable, kAllPixels);
  load_word(kInputBuffer, kInput);
  load_word(kOutputBuffer, kOutput);
  for (size_t i = 0; i < c_.operands.size(); ++i)
    if (c_.operands[i].kind != EpilogueOperand::Kind::PerChannel)
      load_word(kOperands + static_cast<int>(i), operand_base(i));
}

// rdi: the block.
void TileKernel::load_word(int word, int to) {
  mov(rcx, ptr[rdi + 8 * word]);
  mov(slot(to), rcx);
}

int TileKernel::most_sums() const {
  int most = 0;
  for (const kernels::Block& b : blocking_.kinds) most = std::max(most, b.mr * b.nr);
  return most;
}

// rbx: the Unit.
void TileKernel::unit() {
  unit_addresses();
  Label done;
  for (size_t kind = 0; kind < blocking_.kinds.size(); ++kind) {
    Label next;
    const bool last = kind + 1 == blocking_.kinds.size();
    if (!last) {
      cmp(dword[rbx + 4 * kernels::unit_word::kKind], static_cast<int>(kind));
      jne(next, T_NEAR);
    }
    run_block(blocking_.kinds[kind]);
    if (!last) jmp(done, T_NEAR);
    L(next);
  }
  L(done);
}

void TileKernel::unit_addresses() {
  auto address = [&](int word, int base, int to) {
    movsxd(rcx, dword[rbx + 4 * word]);
    add(rcx, slot(base));
    mov(slot(to), rcx);
  };
  using kernels::unit_word::kAddresses;
  address(kernels::unit_word::kWeights, kAllWeights, TileKernel::kWeights);
  address(kernels::unit_word::kParams, kAllParams, TileKernel::kParams);
  address(kernels::unit_word::kTable, kAllPixels, TileKernel::kTable);
  address(kAddresses, kInput, kUnitInput);
  address(kAddresses + 1, kOutput, kUnitOutput);
  for (size_t i = 0; i < c_.operands.size(); ++i)
    if (c_.operands[i].has_column()) address(kAddresses + c_.operands[i].column, operand_base(i), operand_unit(i));
  for (const auto& [word, to] : {std::pair{kernels::unit_word::kBig, TileKernel::kBig},
                                 std::pair{kernels::unit_word::kSmall, TileKernel::kSmall}}) {
    movsxd(rcx, dword[rbx + 4 * word]);
    mov(slot(to), rcx);
  }
}

void TileKernel::run_block(const kernels::Block& block) {
  epilogue_.set_masks(block, rax);
  start_unit(block);
  run_tiles(block, block.mr, kBig);
  if (block.mr > 1) run_tiles(block, block.mr - 1, kSmall);
}

void TileKernel::run_tiles(const kernels::Block& block, int mr, Slot count) {
  Label top, done;
  cmp(slot(count), 0);
  jle(done, T_NEAR);
  start_run(block, mr);
  align(32);
  L(top);
  tile(block, mr);
  add(slot(kTable), static_cast<uint32_t>(mr * blocking_.columns * 4));
  dec(slot(count));
  jnz(top, T_NEAR);
  L(done);
}

void TileKernel::load_pixels(int mr, Reg64 scratch, Reg64 scratch2) {
  mov(scratch, slot(kTable));
  mov(scratch2, slot(kUnitInput));
  for (int m = 0; m < mr; ++m) movsxd(gpr(m), dword[scratch + static_cast<int>(m * blocking_.columns * 4)]);
  for (int m = 0; m < mr; ++m) add(gpr(m), scratch2);
}

// Pays where results are not in the cache yet: about 1 % of ResNet-50 run layer after layer with buffers of its own for
// each layer, nothing where a layer runs again and again.
void TileKernel::prefetch_results(const kernels::Block& block, int mr, Reg64 scratch, Reg64 scratch2) {
  mov(scratch, slot(kTable));
  prefetch_column(block, mr, 1, kUnitOutput, c_.output.dtype, true, scratch, scratch2);
  for (size_t i = 0; i < c_.operands.size(); ++i) {
    const EpilogueOperand& o = c_.operands[i];
    if (per_element(o)) prefetch_column(block, mr, o.column, operand_unit(i), o.view.dtype, false, scratch, scratch2);
  }
}

void TileKernel::prefetch_column(const kernels::Block& block, int mr, int column, int slot, DType type, bool write,
                                 Reg64 table, Reg64 address) {
  const int64_t bytes = block.channels << element_shift(type);
  for (int m = 0; m < mr; ++m) {
    pixel_address(address, table, m, column, slot);
    for (int at = 0; at < bytes; at += 64) write ? prefetchw(ptr[address + at]) : prefetcht0(ptr[address + at]);
  }
}

void TileKernel::pixel_address(Reg64 to, Reg64 table, int m, int column, int base_slot) {
  movsxd(to, dword[table + static_cast<int>((m * blocking_.columns + column) * 4)]);
  add(to, slot(base_slot));
}

void TileKernel::start_epilogue() {
  mov(gpr(kParamsGpr), slot(kParams));
  mov(gpr(kTableGpr), slot(kTable));
}

void TileKernel::finish_pixels(const kernels::Block& block, int mr, std::vector<int> free) {
  for (int m = 0; m < mr; ++m) {
    std::vector<int> slots;
    for (int n = 0; n < block.nr; ++n) slots.push_back(m * block.nr + n);
    finish_pixel(block, m, {std::move(slots), true}, free);
  }
}

void TileKernel::finish_pixel(const kernels::Block& block, int m, Sums sums, std::vector<int>& free) {
  Epilogue::Site site{block, std::move(sums.at), sums.spilled, gpr(kParamsGpr), gpr(kOutputGpr), {}, gpr(kScratchGpr)};
  pixel_address(site.output, gpr(kTableGpr), m, 1, kUnitOutput);
  for (size_t i = 0; i < c_.operands.size(); ++i) {
    const EpilogueOperand& o = c_.operands[i];
    site.operands.push_back(gpr(kFirstOperandGpr + static_cast<int>(i)));
    if (o.has_column()) pixel_address(site.operands[i], gpr(kTableGpr), m, o.column, operand_unit(i));
    if (o.kind == EpilogueOperand::Kind::Table) mov(site.operands[i], slot(operand_base(i)));
  }
  epilogue_.pixel(site, free);
}

}  // namespace lapis::x86
