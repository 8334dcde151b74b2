#include "codegen/llvm/memory.h"

#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/MDBuilder.h>

#include <map>
#include <numeric>

#include "codegen/llvm/block.h"
#include "runtime/abi.h"

namespace lapis::llvm_backend {

using llvm::Value;

bool is_read_only(const View& view, const Plan& plan) {
  const Space space = plan.buffers[static_cast<size_t>(view.buffer)].space;
  return space == Space::Constant || space == Space::Weights || space == Space::Input;
}

Bases load_block(llvm::IRBuilderBase& b, Value* block, const Loop& loop, const Nest& nest) {
  const Words words(loop);
  auto word = [&](llvm::Type* type, size_t index) {
    auto* loaded = b.CreateLoad(type, b.CreateConstGEP1_64(b.getInt64Ty(), block, index));
    loaded->setMetadata(llvm::LLVMContext::MD_invariant_load, llvm::MDNode::get(b.getContext(), {}));
    return loaded;
  };
  Bases bases;
  for (size_t v = 0; v < words.views; ++v) bases.views.push_back(word(b.getPtrTy(), v));
  bases.status = word(b.getPtrTy(), words.status());
  bases.rows = word(b.getInt64Ty(), words.rows());
  bases.rows_per_unit = word(b.getInt64Ty(), words.rows_per_unit());
  size_t next = words.numbers();
  const auto number = [&]() -> Value* { return word(b.getInt64Ty(), next++); };
  for_each_dimension(nest, [&](const Dimension& d) {
    FreeNumbers& numbers = bases.dimensions[&d];
    if (d.free) numbers.extent = number();
    for (const bool free : d.free_bytes) numbers.bytes.push_back(free ? number() : nullptr);
  });
  if (nest.free_chunks()) {
    bases.chunk = number();
    bases.chunks = number();
  }
  return bases;
}

// Buffers of one step never overlap: the memory planner keeps all that live at the same time apart.
Memory::Memory(const Lanes& lanes, const Loop& loop, const Plan& plan, Bases bases)
    : lanes_(lanes), loop_(loop), bases_(std::move(bases)) {
  auto& context = lanes.b.getContext();
  llvm::MDBuilder md(context);
  llvm::MDNode* domain = md.createAnonymousAliasScopeDomain();
  std::map<int, llvm::MDNode*> scopes;
  for (const View& v : loop.views)
    if (!scopes.contains(v.buffer)) scopes[v.buffer] = md.createAnonymousAliasScope(domain);
  for (const View& v : loop.views) {
    std::vector<llvm::Metadata*> others;
    for (const auto& [id, scope] : scopes)
      if (id != v.buffer) others.push_back(scope);
    facts_.push_back(
        {llvm::MDNode::get(context, {scopes[v.buffer]}), llvm::MDNode::get(context, others), is_read_only(v, plan)});
  }
}

Value* Memory::advanced(Value* pointer, Value* bytes) const {
  return lanes_.b.CreateGEP(lanes_.b.getInt8Ty(), pointer, bytes);
}
Value* Memory::advanced(Value* pointer, int64_t bytes) const {
  return bytes == 0 ? pointer : advanced(pointer, lanes_.b.getInt64(static_cast<uint64_t>(bytes)));
}

int64_t Memory::size_of(int v) const { return std::max(1, bit_width(loop_.views[static_cast<size_t>(v)].dtype) / 8); }

template <class I> I* Memory::annotated(I* instruction, int v) const {
  const Facts& f = facts_[static_cast<size_t>(v)];
  instruction->setMetadata(llvm::LLVMContext::MD_alias_scope, f.scope);
  instruction->setMetadata(llvm::LLVMContext::MD_noalias, f.others);
  if (f.invariant)
    instruction->setMetadata(llvm::LLVMContext::MD_invariant_load, llvm::MDNode::get(lanes_.b.getContext(), {}));
  return instruction;
}

Value* Memory::masked(int count) const {
  std::vector<llvm::Constant*> bits;
  bits.reserve(static_cast<size_t>(lanes_.width()));
  for (int i = 0; i < lanes_.width(); ++i) bits.push_back(lanes_.b.getInt1(i < count));
  return llvm::ConstantVector::get(bits);
}

Value* Memory::scalar_load(int v, Value* pointer) const {
  const auto align = llvm::Align(static_cast<uint64_t>(size_of(v)));
  return annotated(
      lanes_.b.CreateAlignedLoad(lanes_.memory_type(loop_.views[static_cast<size_t>(v)].dtype), pointer, align), v);
}

Value* Memory::load(int v, Value* pointer, const LaneAccess& access) const {
  if (!access.spread || access.stride == 0 || lanes_.width() == 1) return scalar_load(v, pointer);
  auto& b = lanes_.b;
  llvm::Type* element = lanes_.memory_type(loop_.views[static_cast<size_t>(v)].dtype);
  auto* type = llvm::FixedVectorType::get(element, static_cast<unsigned>(lanes_.width()));
  const auto align = llvm::Align(static_cast<uint64_t>(size_of(v)));
  if (access.stride == size_of(v)) {
    if (access.count == lanes_.width()) return annotated(b.CreateAlignedLoad(type, pointer, align), v);
    return annotated(b.CreateMaskedLoad(type, pointer, align, masked(access.count), llvm::Constant::getNullValue(type)),
                     v);
  }
  if (access.stride == -size_of(v) && access.count == lanes_.width()) {
    std::vector<int> reversed(static_cast<size_t>(lanes_.width()));
    std::iota(reversed.rbegin(), reversed.rend(), 0);
    Value* lowest = advanced(pointer, access.stride * (lanes_.width() - 1));
    return b.CreateShuffleVector(annotated(b.CreateAlignedLoad(type, lowest, align), v), reversed);
  }
  Value* result = llvm::Constant::getNullValue(type);
  for (int i = 0; i < access.count; ++i)
    result =
        b.CreateInsertElement(result, scalar_load(v, advanced(pointer, i * access.stride)), static_cast<uint64_t>(i));
  return result;
}

Value* Memory::load_at(int v, Value* pointer, Value* offsets, const LaneAccess& access) const {
  if (!Lanes::is_vector(offsets)) return load(v, advanced(pointer, offsets), access);
  auto& b = lanes_.b;
  auto* type = llvm::FixedVectorType::get(lanes_.memory_type(loop_.views[static_cast<size_t>(v)].dtype),
                                          static_cast<unsigned>(lanes_.width()));
  Value* result = llvm::Constant::getNullValue(type);
  for (int i = 0; i < access.count; ++i) {
    Value* at =
        advanced(advanced(pointer, b.CreateExtractElement(offsets, static_cast<uint64_t>(i))), i * access.stride);
    result = b.CreateInsertElement(result, scalar_load(v, at), static_cast<uint64_t>(i));
  }
  return result;
}

Value* Memory::load_bytes(int v, Value* pointer, int count) const {
  if (count == 1) return scalar_load(v, pointer);
  auto* type = llvm::FixedVectorType::get(lanes_.b.getInt8Ty(), static_cast<unsigned>(count));
  return annotated(lanes_.b.CreateAlignedLoad(type, pointer, llvm::Align(1)), v);
}

std::vector<Value*> Memory::load_transposed(int v, Value* pointer, int64_t stride) const {
  auto& b = lanes_.b;
  const int width = lanes_.width();
  auto* type = llvm::FixedVectorType::get(lanes_.memory_type(loop_.views[static_cast<size_t>(v)].dtype),
                                          static_cast<unsigned>(width));
  std::vector<Value*> rows;
  rows.reserve(static_cast<size_t>(width));
  for (int i = 0; i < width; ++i)
    rows.push_back(annotated(
        b.CreateAlignedLoad(type, advanced(pointer, i * stride), llvm::Align(static_cast<uint64_t>(size_of(v)))), v));
  std::vector<int> low, high;  // of two interleaved rows
  for (int i = 0; i < width / 2; ++i) {
    low.insert(low.end(), {i, i + width});
    high.insert(high.end(), {i + width / 2, i + width / 2 + width});
  }
  // Interleaving row i with row i + width/2, log2(width) times, exchanges rows and columns.
  for (int round = 1; round < width; round *= 2) {
    std::vector<Value*> next;
    const size_t half = rows.size() / 2;
    for (size_t i = 0; i < half; ++i)
      for (const auto& mask : {low, high}) next.push_back(b.CreateShuffleVector(rows[i], rows[i + half], mask));
    rows = std::move(next);
  }
  return rows;
}

void Memory::store(int v, Value* raw, Value* pointer, const LaneAccess& access) const {
  auto& b = lanes_.b;
  const auto align = llvm::Align(static_cast<uint64_t>(size_of(v)));
  auto scalar_store = [&](Value* value, Value* at) { annotated(b.CreateAlignedStore(value, at, align), v); };
  auto lane = [&](int i) {
    return Lanes::is_vector(raw) ? b.CreateExtractElement(raw, static_cast<uint64_t>(i)) : raw;
  };
  if (!access.spread || lanes_.width() == 1) return scalar_store(raw, pointer);
  if (access.stride == 0) return scalar_store(lane(access.count - 1), pointer);
  if (access.stride == size_of(v)) {
    raw = lanes_.splat(raw);
    if (access.count == lanes_.width())
      annotated(b.CreateAlignedStore(raw, pointer, align), v);
    else
      annotated(b.CreateMaskedStore(raw, pointer, align, masked(access.count)), v);
    return;
  }
  for (int i = 0; i < access.count; ++i) {
    Value* element = lane(i);
    scalar_store(element, advanced(pointer, i * access.stride));
  }
}

void Memory::store_fault(Value* condition) const {
  auto& b = lanes_.b;
  llvm::Function* function = b.GetInsertBlock()->getParent();
  auto* faulty = llvm::BasicBlock::Create(b.getContext(), "fault", function);
  auto* after = llvm::BasicBlock::Create(b.getContext(), "in_range", function);
  b.CreateCondBr(condition, faulty, after, llvm::MDBuilder(b.getContext()).createUnlikelyBranchWeights());
  b.SetInsertPoint(faulty);
  b.CreateAlignedStore(b.getInt32(abi::kIndexOutOfRange), bases_.status, llvm::Align(4));
  b.CreateBr(after);
  b.SetInsertPoint(after);
}

}  // namespace lapis::llvm_backend
