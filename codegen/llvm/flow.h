// Structured control flow in SSA form: counted loops and branches that carry values. What is known while code is made
// costs nothing: a loop of no turns is no code, one of a single turn only its body.
#pragma once

#include <llvm/ADT/STLFunctionalExtras.h>

#include <cstdint>
#include <optional>
#include <vector>

namespace llvm {
class BasicBlock;
class IRBuilderBase;
class Value;
}  // namespace llvm

namespace lapis::llvm_backend {

using Values = std::vector<llvm::Value*>;

// The number that a value always has, if it is one.
std::optional<int64_t> known(const llvm::Value* v);

class Flow {
 public:
  using Turn = llvm::function_ref<Values(llvm::Value* index, Values carried)>;

  explicit Flow(llvm::IRBuilderBase& builder) : b(builder) {}

  // body(index, carried) for `begin`, `begin + step`, ... below `end`.
  Values loop(llvm::Value* begin, llvm::Value* end, int64_t step, Values carried, Turn body);
  void loop(llvm::Value* begin, llvm::Value* end, int64_t step, llvm::function_ref<void(llvm::Value* index)> body);

  // What `body` makes of `carried` where the condition holds, else `carried`.
  Values when(llvm::Value* condition, Values carried, llvm::function_ref<Values(Values carried)> body);

 private:
  Values known_turns(int64_t begin, int64_t end, int64_t step, Values carried, Turn body);
  Values some_turns(llvm::Value* begin, llvm::Value* end, int64_t step, Values carried, Turn body);
  llvm::BasicBlock* new_block(const char* name) const;

  llvm::IRBuilderBase& b;
};

}  // namespace lapis::llvm_backend
