#include "codegen/llvm/table.h"

#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/Intrinsics.h>
#include <llvm/IR/IntrinsicsX86.h>

#include <numeric>

namespace lapis::llvm_backend {
namespace {

using llvm::Value;

constexpr int kRow = 16;  // bytes that one shuffle chooses from

int lanes_of(const Value* v) {
  return static_cast<int>(llvm::cast<llvm::FixedVectorType>(v->getType())->getNumElements());
}

// The first `count` lanes; new ones are poison.
Value* resized(llvm::IRBuilderBase& b, Value* v, int count) {
  if (lanes_of(v) == count) return v;
  std::vector<int> lanes(static_cast<size_t>(count), llvm::PoisonMaskElem);
  std::iota(lanes.begin(), lanes.begin() + std::min(count, lanes_of(v)), 0);
  return b.CreateShuffleVector(v, lanes);
}

// One row of the table in each 128-bit part of a vector of `width` bytes.
Value* repeated(llvm::IRBuilderBase& b, Value* row, int width) {
  std::vector<int> lanes(static_cast<size_t>(width));
  for (int i = 0; i < width; ++i) lanes[static_cast<size_t>(i)] = i % kRow;
  return b.CreateShuffleVector(row, lanes);
}

Value* shuffled(llvm::IRBuilderBase& b, Value* row, Value* index) {
  const int width = lanes_of(index);
  const auto id = width == 64   ? llvm::Intrinsic::x86_avx512_pshuf_b_512
                  : width == 32 ? llvm::Intrinsic::x86_avx2_pshuf_b
                                : llvm::Intrinsic::x86_ssse3_pshuf_b_128;
  return b.CreateIntrinsic(id, {}, {row, index});
}

Value* permuted(const Lanes& l, Value* index, const TableAccess& table) {
  auto& b = l.b;
  auto half = [&](int64_t at) {
    return b.CreateIntrinsic(llvm::Intrinsic::x86_avx512_vpermi2var_qi_512, {},
                             {table.load(at, 64), index, table.load(at + 64, 64)});
  };
  Value* upper = b.CreateICmpSLT(index, l.integer(index, 0));
  Value* second = half(128);
  return b.CreateSelect(upper, second, half(0));
}

// A shuffle looks at the low four bits of an index that is not negative, and gives 0 for a negative one. Of an index
// less 16 i the rows up to its own contribute; each row holds what differs from the one before, so that exclusive or
// leaves the last.
Value* half_by_rows(const Lanes& l, Value* index, const TableAccess& table, int64_t first) {
  auto& b = l.b;
  const int width = lanes_of(index);
  Value *sum = nullptr, *before = nullptr;
  for (int64_t row = 0; row < 8; ++row) {
    Value* elements = table.load(first + row * kRow, kRow);
    Value* change = before ? b.CreateXor(elements, before) : elements;
    Value* part = shuffled(b, repeated(b, change, width), index);
    sum = sum ? b.CreateXor(sum, part) : part;
    before = elements;
    index = b.CreateBinaryIntrinsic(llvm::Intrinsic::ssub_sat, index, l.integer(index, kRow));
  }
  return sum;
}

Value* by_rows(const Lanes& l, Value* index, const TableAccess& table) {
  Value* upper = l.b.CreateXor(index, l.integer(index, -128));
  Value* first = half_by_rows(l, index, table, 0);
  return l.b.CreateXor(first, half_by_rows(l, upper, table, 128));
}

}  // namespace

Value* emit_table(const Lanes& l, const Target& target, Value* index, const TableAccess& table) {
  auto& b = l.b;
  if (!Lanes::is_vector(index)) return table.at(b.CreateZExt(index, b.getInt64Ty()));
  const int count = lanes_of(index);
  const bool permutes = target.has(Isa::Avx512Vbmi);
  const int width = permutes || count > 32 ? 64 : count > kRow ? 32 : kRow;
  Value* wide = resized(b, index, width);
  return resized(b, permutes ? permuted(l, wide, table) : by_rows(l, wide, table), count);
}

}  // namespace lapis::llvm_backend
