#include "codegen/llvm/flow.h"

#include <llvm/IR/IRBuilder.h>

#include <utility>

namespace lapis::llvm_backend {

using llvm::Value;

std::optional<int64_t> known(const Value* v) {
  const auto* constant = llvm::dyn_cast<llvm::ConstantInt>(v);
  return constant ? std::optional(constant->getSExtValue()) : std::nullopt;
}

llvm::BasicBlock* Flow::new_block(const char* name) const {
  return llvm::BasicBlock::Create(b.getContext(), name, b.GetInsertBlock()->getParent());
}

Values Flow::loop(Value* begin, Value* end, int64_t step, Values carried, Turn body) {
  if (known(begin) && known(end)) return known_turns(*known(begin), *known(end), step, std::move(carried), body);
  return when(b.CreateICmpSLT(begin, end), std::move(carried),
              [&](Values inside) { return some_turns(begin, end, step, std::move(inside), body); });
}

void Flow::loop(Value* begin, Value* end, int64_t step, llvm::function_ref<void(Value*)> body) {
  loop(begin, end, step, {}, [&](Value* index, const Values& none) {
    body(index);
    return none;
  });
}

Values Flow::known_turns(int64_t begin, int64_t end, int64_t step, Values carried, Turn body) {
  if (end <= begin) return carried;
  const int64_t turns = (end - begin + step - 1) / step;
  if (turns == 1) return body(b.getInt64(static_cast<uint64_t>(begin)), std::move(carried));
  return some_turns(b.getInt64(static_cast<uint64_t>(begin)), b.getInt64(static_cast<uint64_t>(begin + turns * step)),
                    step, std::move(carried), body);
}

// At least one: whether there is another is asked behind the body.
Values Flow::some_turns(Value* begin, Value* end, int64_t step, Values carried, Turn body) {
  llvm::BasicBlock *before = b.GetInsertBlock(), *block = new_block("loop");
  b.CreateBr(block);
  b.SetInsertPoint(block);
  auto phi = [&](Value* first) {
    llvm::PHINode* node = b.CreatePHI(first->getType(), 2);
    node->addIncoming(first, before);
    return node;
  };
  llvm::PHINode* index = phi(begin);
  std::vector<llvm::PHINode*> phis;
  for (Value*& v : carried) v = phis.emplace_back(phi(v));
  Values next = body(index, std::move(carried));
  llvm::BasicBlock* latch = b.GetInsertBlock();
  Value* incremented = b.CreateAdd(index, b.getInt64(static_cast<uint64_t>(step)), "", true, true);
  index->addIncoming(incremented, latch);
  for (size_t i = 0; i < phis.size(); ++i) phis[i]->addIncoming(next[i], latch);
  llvm::BasicBlock* after = new_block("done");
  b.CreateCondBr(b.CreateICmpSLT(incremented, end), block, after);
  b.SetInsertPoint(after);
  return next;
}

Values Flow::when(Value* condition, Values carried, llvm::function_ref<Values(Values)> body) {
  llvm::BasicBlock *before = b.GetInsertBlock(), *block = new_block("then"), *after = new_block("joined");
  b.CreateCondBr(condition, block, after);
  b.SetInsertPoint(block);
  const Values changed = body(carried);
  llvm::BasicBlock* end = b.GetInsertBlock();
  b.CreateBr(after);
  b.SetInsertPoint(after);
  for (size_t i = 0; i < carried.size(); ++i) {
    llvm::PHINode* phi = b.CreatePHI(carried[i]->getType(), 2);
    phi->addIncoming(carried[i], before);
    phi->addIncoming(changed[i], end);
    carried[i] = phi;
  }
  return carried;
}

}  // namespace lapis::llvm_backend
