// Loads and stores of Views: base addresses, the cheapest access for a stride along the lanes, and aliasing facts.
#pragma once

#include <map>
#include <vector>

#include "codegen/llvm/lanes.h"
#include "codegen/llvm/nest.h"

namespace llvm {
class Function;
class Instruction;
class MDNode;
}  // namespace llvm

namespace lapis::llvm_backend {

// Lanes of one vector access: `count` consecutive elements of the lane dimension, `stride` bytes apart.
struct LaneAccess {
  int64_t stride = 0;
  int count = 1;       // active lanes; the vector always has lanes.width()
  bool spread = true;  // false: one scalar, lanes play no role
};

// Extents and strides of a dimension that come from the block; null where they are known.
struct FreeNumbers {
  llvm::Value* extent = nullptr;
  std::vector<llvm::Value*> bytes;
};

// What the block of the loop holds: the address of every view's element 0 and of the status, how rows are divided,
// what varies.
struct Bases {
  std::vector<llvm::Value*> views;
  llvm::Value *status = nullptr, *rows = nullptr, *rows_per_unit = nullptr;
  std::map<const Dimension*, FreeNumbers> dimensions;
  llvm::Value *chunk = nullptr, *chunks = nullptr;  // null: known
};
Bases load_block(llvm::IRBuilderBase& builder, llvm::Value* block, const Loop& loop, const Nest& nest);

bool is_read_only(const View& view, const Plan& plan);

class Memory {
 public:
  Memory(const Lanes& lanes, const Loop& loop, const Plan& plan, Bases bases);

  const Bases& bases() const { return bases_; }
  llvm::Value* advanced(llvm::Value* pointer, llvm::Value* bytes) const;
  llvm::Value* advanced(llvm::Value* pointer, int64_t bytes) const;

  // Raw bits of view `v` as memory_type: a scalar where all lanes read the same element.
  llvm::Value* load(int v, llvm::Value* pointer, const LaneAccess& access) const;
  // Per-lane displacements: offsets are i64 in bytes, scalar or vector.
  llvm::Value* load_at(int v, llvm::Value* pointer, llvm::Value* offsets, const LaneAccess& access) const;
  // Square of lanes.width() rows, `stride` bytes apart, of as many consecutive elements;
  // result i holds element i of each row.
  std::vector<llvm::Value*> load_transposed(int v, llvm::Value* pointer, int64_t stride) const;
  // Elements of one byte that lie behind each other, at `pointer`.
  llvm::Value* load_bytes(int v, llvm::Value* pointer, int count) const;
  void store(int v, llvm::Value* raw, llvm::Value* pointer, const LaneAccess& access) const;
  void store_fault(llvm::Value* condition) const;  // i1

 private:
  struct Facts {
    llvm::MDNode *scope = nullptr, *others = nullptr;
    bool invariant = false;
  };
  llvm::Value* scalar_load(int v, llvm::Value* pointer) const;
  llvm::Value* masked(int count) const;
  int64_t size_of(int v) const;
  template <class I> I* annotated(I* instruction, int v) const;

  const Lanes& lanes_;
  const Loop& loop_;
  Bases bases_;
  std::vector<Facts> facts_;
};

}  // namespace lapis::llvm_backend
