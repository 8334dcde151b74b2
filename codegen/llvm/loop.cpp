#include "codegen/llvm/loop.h"

#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/Module.h>

#include <map>

#include "codegen/llvm/block.h"
#include "codegen/llvm/flow.h"
#include "codegen/llvm/memory.h"
#include "codegen/llvm/ops.h"
#include "codegen/llvm/reductions.h"
#include "codegen/llvm/table.h"
#include "codegen/scalar/expand.h"

namespace lapis::llvm_backend {
namespace {

using llvm::Value;

// Where the walk stands: the address of each view and the index of each dimension that somebody may ask for.
struct Cursor {
  Values at;
  std::map<int, Value*> index;
};

// One vector of a tile, or one scalar where lanes play no role (`spread` false).
struct Position {
  int row = 0, vector = 0;
  int active = 1;  // lanes in use
  bool spread = true;
};

// Units [begin, end) of the step.
struct Units {
  Value *begin, *end;
};

Loop written_out(Loop loop) {
  for (Loop::Phase& phase : loop.phases) phase = scalar::expand(phase);
  return loop;
}

class LoopEmitter {
 public:
  LoopEmitter(llvm::IRBuilder<>& builder, const Loop& loop, const Nest& nest, const Plan& plan, Bases bases)
      : builder_(builder),
        flow_(builder),
        lanes_(builder, nest.width),
        loop_(written_out(loop)),
        nest_(nest),
        target_(plan.target),
        memory_(lanes_, loop_, plan, std::move(bases)) {
    for (const Loop::Phase& phase : loop.phases)
      for (const Loop::Reduction& r : phase.reductions) reductions_.push_back(r);
  }

  void emit(const Units& range) {
    auto& b = builder_;
    const Bases& bases = memory_.bases();
    Value* first = b.CreateMul(range.begin, bases.rows_per_unit);
    Value* last =
        b.CreateBinaryIntrinsic(llvm::Intrinsic::smin, b.CreateMul(range.end, bases.rows_per_unit), bases.rows);
    const Cursor start{bases.views, {}};
    if (nest_.partitioned == 0 && nest_.chunk == 0)
      outer_loops(0, start, nullptr);  // one unit, always asked for
    else
      flow_.loop(first, last, 1, [&](Value* row) { partitioned_row(start, row); });
    b.CreateRetVoid();
  }

 private:
  // ---- extents and strides, known or from the block ----

  Value* number(int64_t value) { return builder_.getInt64(static_cast<uint64_t>(value)); }
  Value* extent_of(const Dimension& d) {
    Value* free = memory_.bases().dimensions.at(&d).extent;
    return free ? free : number(d.extent);
  }
  Value* bytes_of(const Dimension& d, size_t view) {
    const Values& free = memory_.bases().dimensions.at(&d).bytes;
    return view < free.size() && free[view] ? free[view] : number(d.bytes[view]);
  }
  // The largest multiple of `step` in it; extents are never negative.
  Value* whole(Value* extent, int64_t step) {
    return step == 1 ? extent : builder_.CreateSub(extent, builder_.CreateURem(extent, number(step)));
  }

  // What is left of the lanes behind the last whole vector: body(lanes, index, carried), once where their number is
  // known, else for each power of two in it.
  template <class Body> Values last_lanes(Value* begin, Value* end, Values carried, Body body) {
    if (known(begin) && known(end)) {
      const auto left = static_cast<int>(*known(end) - *known(begin));
      return left > 0 ? body(left, begin, std::move(carried)) : std::move(carried);
    }
    auto& b = builder_;
    Value* left = b.CreateSub(end, begin);
    for (int lanes = nest_.width / 2; lanes > 0; lanes /= 2) {
      Value* some = b.CreateAnd(left, number(lanes));
      carried = flow_.when(b.CreateICmpNE(some, number(0)), std::move(carried),
                           [&](Values inside) { return body(lanes, begin, std::move(inside)); });
      begin = b.CreateAdd(begin, some);
    }
    return carried;
  }

  Cursor advanced(Cursor c, const Dimension& d, Value* index) {
    for (size_t v = 0; v < c.at.size(); ++v) {
      Value* bytes = bytes_of(d, v);
      if (known(bytes) != 0) c.at[v] = memory_.advanced(c.at[v], builder_.CreateMul(index, bytes));
    }
    if (d.source >= 0) c.index[d.source] = index;
    return c;
  }

  // ---- outer space ----

  void partitioned_row(const Cursor& start, Value* row) {
    auto& b = builder_;
    Cursor c = start;
    Value* chunk = nullptr;
    auto digit = [&](Value* extent) {
      Value* rest = b.CreateUDiv(row, extent);
      Value* result = b.CreateSub(row, b.CreateMul(rest, extent));
      row = rest;
      return result;
    };
    if (nest_.chunk) chunk = digit(chunks());
    for (size_t d = nest_.partitioned; d-- > 0;)
      c = advanced(std::move(c), nest_.outer[d], d == 0 ? row : digit(extent_of(nest_.outer[d])));
    outer_loops(nest_.partitioned, c, chunk);
  }

  Value* chunks() {
    Value* free = memory_.bases().chunks;
    return free ? free : number(nest_.chunks());
  }
  Value* chunk_size() {
    Value* free = memory_.bases().chunk;
    return free ? free : number(nest_.chunk);
  }

  void outer_loops(size_t d, const Cursor& c, Value* chunk) {
    if (d == nest_.outer.size()) return lane_loops(c, 1, chunk);
    const Dimension& dim = nest_.outer[d];
    const int jam = d + 1 == nest_.outer.size() ? nest_.jam : 1;
    Value *extent = extent_of(dim), *tiles = whole(extent, jam);
    flow_.loop(number(0), tiles, jam, [&](Value* i) { deeper(d, advanced(c, dim, i), jam, chunk); });
    flow_.loop(tiles, extent, 1, [&](Value* i) { deeper(d, advanced(c, dim, i), 1, chunk); });
  }
  void deeper(size_t d, const Cursor& c, int rows, Value* chunk) {
    if (d + 1 == nest_.outer.size())
      lane_loops(c, rows, chunk);
    else
      outer_loops(d + 1, c, chunk);
  }

  void lane_loops(const Cursor& c, int rows, Value* chunk) {
    if (nest_.lane_inner) return tile(c, rows, 1, 0);
    const int64_t step = int64_t{nest_.width} * nest_.vectors;
    Value *extent = extent_of(nest_.lane), *tiles = whole(extent, step);
    auto full_tile = [&](Value* i) { tile(advanced(c, nest_.lane, i), rows, nest_.vectors, nest_.width); };
    if (!chunk) {
      flow_.loop(number(0), tiles, step, full_tile);
      return lane_rest(c, rows, tiles, extent);
    }
    auto& b = builder_;
    Value* begin = b.CreateMul(chunk, chunk_size());
    Value* end = b.CreateBinaryIntrinsic(llvm::Intrinsic::smin, b.CreateAdd(begin, chunk_size()), tiles);
    flow_.loop(begin, end, step, full_tile);
    if (known(tiles) && known(tiles) == known(extent)) return;
    flow_.when(b.CreateICmpEQ(chunk, b.CreateSub(chunks(), number(1))), {}, [&](const Values& none) {
      lane_rest(c, rows, tiles, extent);
      return none;
    });
  }
  void lane_rest(const Cursor& c, int rows, Value* begin, Value* extent) {
    Value* vectors_end = whole(extent, nest_.width);
    auto part = [&](int active, Value* i) { tile(advanced(c, nest_.lane, i), rows, 1, active); };
    flow_.loop(begin, vectors_end, nest_.width, [&](Value* i) { part(nest_.width, i); });
    last_lanes(vectors_end, extent, {}, [&](int active, Value* i, const Values& none) {
      part(active, i);
      return none;
    });
  }

  // ---- one tile: all phases for rows x vectors outer points; active == 0: scalars, the lanes are inside ----

  void tile(const Cursor& c, int rows, int vectors, int active) {
    std::vector<Position> positions;
    for (int r = 0; r < rows; ++r)
      for (int v = 0; v < vectors; ++v) positions.push_back({r, v, std::max(active, 1), active != 0});
    const bool turns = !nest_.turned_inner && rows == nest_.width && active == nest_.width;
    turn(c, turns);
    std::vector<Values> reduced(positions.size());  // of each position, numbered through all phases
    for (const Loop::Phase& phase : loop_.phases) {
      if (phase.over == Loop::Over::Inner) {
        inner_phase(phase, c, positions, reduced);
        continue;
      }
      for (size_t p = 0; p < positions.size(); ++p)
        store_all(phase, c, positions[p], evaluate(phase, c, positions[p], reduced[p]));
    }
  }

  // Makes turned_ hold the squares at `c`, or nothing.
  void turn(const Cursor& c, bool turns) {
    turned_.clear();
    if (!turns) return;
    for (const int v : nest_.transposed)
      turned_[v] = memory_.load_transposed(v, c.at[static_cast<size_t>(v)], nest_.lane.bytes[static_cast<size_t>(v)]);
  }

  // The only inner loop, a square at a time, then the steps that are left.
  Values turned_loop(const Loop::Phase& phase, const Cursor& c, const std::vector<Position>& positions,
                     const std::vector<Values>& reduced, Values accumulators) {
    const Dimension& sum = nest_.inner[0];
    Value *extent = extent_of(sum), *squares = whole(extent, nest_.width);
    accumulators = flow_.loop(number(0), squares, nest_.width, std::move(accumulators), [&](Value* i, Values a) {
      const Cursor square = advanced(c, sum, i);
      turn(square, true);
      for (int64_t k = 0; k < nest_.width; ++k) {
        turned_row_ = static_cast<size_t>(k);
        a = inner_body(phase, advanced(square, sum, builder_.getInt64(static_cast<uint64_t>(k))), positions, reduced,
                       std::move(a), 1);
      }
      turn(square, false);
      return a;
    });
    return flow_.loop(squares, extent, 1, std::move(accumulators), [&](Value* i, Values a) {
      return inner_body(phase, advanced(c, sum, i), positions, reduced, std::move(a), 1);
    });
  }

  void inner_phase(const Loop::Phase& phase, const Cursor& c, const std::vector<Position>& positions,
                   std::vector<Values>& reduced) {
    const int copies = nest_.lane_inner ? nest_.vectors : 1;
    Values accumulators;
    for (size_t p = 0; p < positions.size() * static_cast<size_t>(copies); ++p)
      for (const Loop::Reduction& r : phase.reductions) accumulators.push_back(neutral(lanes_, r));
    accumulators = inner_loops(0, phase, c, positions, reduced, std::move(accumulators));
    const size_t count = phase.reductions.size();
    for (size_t p = 0; p < positions.size(); ++p)
      for (size_t r = 0; r < count; ++r) {
        Values parts;
        for (size_t k = 0; k < static_cast<size_t>(copies); ++k)
          parts.push_back(accumulators[(p * static_cast<size_t>(copies) + k) * count + r]);
        reduced[p].push_back(combined(lanes_, phase.reductions[r], std::move(parts), nest_.lane_inner));
      }
  }

  Values inner_loops(size_t d, const Loop::Phase& phase, const Cursor& c, const std::vector<Position>& positions,
                     const std::vector<Values>& reduced, Values accumulators) {
    if (nest_.turned_inner && d == 0 && positions[0].active == nest_.width)
      return turned_loop(phase, c, positions, reduced, std::move(accumulators));
    if (d < nest_.inner.size())
      return flow_.loop(number(0), extent_of(nest_.inner[d]), 1, std::move(accumulators), [&](Value* i, Values a) {
        return inner_loops(d + 1, phase, advanced(c, nest_.inner[d], i), positions, reduced, std::move(a));
      });
    if (!nest_.lane_inner) return inner_body(phase, c, positions, reduced, std::move(accumulators), 1);
    const int64_t step = int64_t{nest_.width} * nest_.vectors;
    Value *extent = extent_of(nest_.lane), *tiles = whole(extent, step), *vectors_end = whole(extent, nest_.width);
    auto part = [&](int vectors, int active, Value* i, Values a) {
      return inner_body(phase, advanced(c, nest_.lane, i), spread(positions, vectors, active), reduced, std::move(a),
                        vectors);
    };
    accumulators = flow_.loop(number(0), tiles, step, std::move(accumulators),
                              [&](Value* i, Values a) { return part(nest_.vectors, nest_.width, i, std::move(a)); });
    accumulators = flow_.loop(tiles, vectors_end, nest_.width, std::move(accumulators),
                              [&](Value* i, Values a) { return part(1, nest_.width, i, std::move(a)); });
    return last_lanes(vectors_end, extent, std::move(accumulators),
                      [&](int active, Value* i, Values a) { return part(1, active, i, std::move(a)); });
  }

  static std::vector<Position> spread(const std::vector<Position>& scalars, int vectors, int active) {
    std::vector<Position> result;
    for (const Position& s : scalars)
      for (int v = 0; v < vectors; ++v) result.push_back({s.row, v, active, true});
    return result;
  }

  // `vectors` positions share the reduced values of one row when the lanes are inside;
  // then accumulators have nest_.vectors copies.
  Values inner_body(const Loop::Phase& phase, const Cursor& c, const std::vector<Position>& positions,
                    const std::vector<Values>& reduced, Values accumulators, int vectors) {
    const auto copies = static_cast<size_t>(nest_.lane_inner ? nest_.vectors : 1),
               per_row = static_cast<size_t>(vectors), count = phase.reductions.size();
    for (size_t p = 0; p < positions.size(); ++p) {
      const size_t row = nest_.lane_inner ? p / per_row : p, copy = nest_.lane_inner ? p % per_row : 0;
      const std::vector<Operand> values = evaluate(phase, c, positions[p], reduced[row]);
      store_all(phase, c, positions[p], values);
      for (size_t r = 0; r < count; ++r) {
        Value*& accumulator = accumulators[(row * copies + copy) * count + r];
        accumulator = accumulate(phase, phase.reductions[r], accumulator, values, positions[p]);
      }
    }
    return accumulators;
  }

  // ---- reductions ----

  // A float sum of products is the one place where multiply and add may be fused.
  Value* accumulate(const Loop::Phase& phase, const Loop::Reduction& r, Value* accumulator,
                    const std::vector<Operand>& values, const Position& position) {
    const Instr& last = phase.body[static_cast<size_t>(r.value)];
    const Operand& x = values[static_cast<size_t>(r.value)];
    Value* result = nullptr;
    if (r.kind == Loop::Reduce::Sum && last.op == Op::Mul && last.type == r.type &&
        (r.type == DType::Float32 || r.type == DType::Float64)) {
      Value *a = values[static_cast<size_t>(last.args[0])].value, *c = values[static_cast<size_t>(last.args[1])].value;
      a = lanes_.splat(a);
      result = lanes_.fma(a, lanes_.splat(c), accumulator);
    } else {
      result = fold(lanes_, r, accumulator, lanes_.splat(lanes_.convert(x.value, x.type, r.type)));
    }
    if (position.active == lanes_.width() || !nest_.lane_inner) return result;
    return builder_.CreateSelect(active_mask(position.active), result, accumulator);
  }
  Value* active_mask(int active) {
    std::vector<llvm::Constant*> bits;
    bits.reserve(static_cast<size_t>(lanes_.width()));
    for (int i = 0; i < lanes_.width(); ++i) bits.push_back(builder_.getInt1(i < active));
    return llvm::ConstantVector::get(bits);
  }

  // ---- bodies ----

  LaneAccess access(int view, const Position& p) const {
    return {nest_.lane.bytes[static_cast<size_t>(view)], p.active, p.spread};
  }

  Value* address(int view, const Cursor& c, const Position& p) {
    const auto v = static_cast<size_t>(view);
    const int64_t vectors = int64_t{p.vector} * nest_.width * nest_.lane.bytes[v];
    if (p.row == 0) return memory_.advanced(c.at[v], vectors);
    Value* row = bytes_of(nest_.outer.back(), v);
    if (known(row)) return memory_.advanced(c.at[v], p.row * *known(row) + vectors);
    return memory_.advanced(memory_.advanced(c.at[v], builder_.CreateMul(row, number(p.row))), vectors);
  }

  Value* index_of(int dimension, const Cursor& c, const Position& p) {
    auto& b = builder_;
    const auto it = c.index.find(dimension);
    Value* index = it == c.index.end() ? b.getInt64(0) : it->second;
    if (p.row && nest_.outer.back().source == dimension)
      index = b.CreateAdd(index, b.getInt64(static_cast<uint64_t>(p.row)));
    if (!p.spread || nest_.lane.source != dimension || lanes_.width() == 1) return index;
    std::vector<llvm::Constant*> steps;
    steps.reserve(static_cast<size_t>(lanes_.width()));
    const int64_t first = int64_t{p.vector} * lanes_.width();
    for (int i = 0; i < lanes_.width(); ++i) steps.push_back(b.getInt64(static_cast<uint64_t>(first + i)));
    return b.CreateAdd(lanes_.splat(index), llvm::ConstantVector::get(steps));
  }

  Value* gather(const Instr& i, Value* index, const Cursor& c, const Position& p) {
    auto& b = builder_;
    const int64_t rows = i.imm2.as_int(),
                  size = std::max<int64_t>(1, bit_width(loop_.views[static_cast<size_t>(i.slot)].dtype) / 8);
    Value* zero = lanes_.integer(index, 0);
    Value* negative = b.CreateICmpSLT(index, zero);
    Value* wrapped = b.CreateSelect(negative, b.CreateAdd(index, lanes_.integer(index, rows)), index);
    memory_.store_fault(lanes_.any(b.CreateICmpUGE(wrapped, lanes_.integer(index, rows))));
    Value* clamped = b.CreateBinaryIntrinsic(llvm::Intrinsic::smax, wrapped, zero);
    clamped = b.CreateBinaryIntrinsic(llvm::Intrinsic::smin, clamped, lanes_.integer(index, rows - 1));
    Value* bytes = b.CreateMul(clamped, lanes_.integer(index, i.imm.as_int() * size));
    return memory_.load_at(i.slot, address(i.slot, c, p), bytes, access(i.slot, p));
  }

  Value* load(int view, const Cursor& c, const Position& p) {
    if (const auto turned = turned_.find(view); turned != turned_.end())
      return turned->second[nest_.turned_inner ? turned_row_ : static_cast<size_t>(p.row)];
    return memory_.load(view, address(view, c, p), access(view, p));
  }

  Value* look_up(const Instr& i, Value* index, const Cursor& c) {
    Value* table = c.at[static_cast<size_t>(i.slot)];
    auto load = [&](int64_t offset, int bytes) {
      return memory_.load_bytes(i.slot, memory_.advanced(table, offset), bytes);
    };
    auto at = [&](Value* offset) { return memory_.load_bytes(i.slot, memory_.advanced(table, offset), 1); };
    return emit_table(lanes_, target_, index, {load, at});
  }

  DType dtype_of_view(int slot) const { return loop_.views[static_cast<size_t>(slot)].dtype; }
  Operand loaded(Value* raw, const Instr& i) {
    return {lanes_.convert(lanes_.from_memory(raw, dtype_of_view(i.slot)), dtype_of_view(i.slot), i.type), i.type};
  }

  std::vector<Operand> evaluate(const Loop::Phase& phase, const Cursor& c, const Position& p, const Values& reduced) {
    std::vector<Operand> values;
    raw_.assign(phase.body.size(), nullptr);
    for (const Instr& i : phase.body) {
      std::array<Operand, 3> operands;
      for (size_t a = 0; a < 3; ++a)
        if (i.args[a] >= 0) operands[a] = values[static_cast<size_t>(i.args[a])];
      Operand result;
      if (i.op == Op::Load)
        result = loaded(raw_[values.size()] = load(i.slot, c, p), i);
      else if (i.op == Op::Gather)
        result = loaded(
            raw_[values.size()] = gather(i, lanes_.convert(operands[0].value, operands[0].type, DType::Int64), c, p),
            i);
      else if (i.op == Op::Table)
        result = {look_up(i, operands[0].value, c), i.type};
      else if (i.op == Op::Index)
        result = {index_of(i.slot, c, p), DType::Int64};
      else if (i.op == Op::Reduced)
        result = {
            lanes_.convert(reduced[static_cast<size_t>(i.slot)], reductions_[static_cast<size_t>(i.slot)].type, i.type),
            i.type};
      else
        result = {emit_op(lanes_, i, operands), i.type};
      values.push_back(result);
    }
    return values;
  }

  // What was only moved is stored as the bits that were loaded.
  void store_all(const Loop::Phase& phase, const Cursor& c, const Position& p, const std::vector<Operand>& values) {
    for (const Loop::Store& s : phase.stores) {
      const auto id = static_cast<size_t>(s.value);
      const DType to = dtype_of_view(s.view);
      const bool moved = raw_[id] && dtype_of_view(phase.body[id].slot) == to && values[id].type == to;
      Value* raw = moved ? raw_[id] : lanes_.to_memory(lanes_.convert(values[id].value, values[id].type, to), to);
      memory_.store(s.view, raw, address(s.view, c, p), access(s.view, p));
    }
  }

  llvm::IRBuilder<>& builder_;
  Flow flow_;
  Lanes lanes_;
  const Loop loop_;
  const Nest& nest_;
  const Target target_;
  Memory memory_;
  std::vector<Loop::Reduction> reductions_;
  std::map<int, Values> turned_;  // of the tile being emitted: rows of transposed views
  size_t turned_row_ = 0;         // where turned_inner, the row that the current step of the inner loop takes
  Values raw_;                    // of the values evaluated last: loaded bits
};

void add_attributes(llvm::Function* function) {
  function->setDSOLocal(true);
  function->setAlignment(llvm::Align(64));
  for (const char* attribute : {"no-builtins", "no-stack-arg-probe"}) function->addFnAttr(attribute);
  function->addFnAttr("prefer-vector-width", "512");
  function->addFnAttr("min-legal-vector-width", "512");
  function->addFnAttr(llvm::Attribute::NoUnwind);
}

llvm::Function* declare(llvm::Module& module, const std::string& symbol) {
  llvm::Type *pointer = llvm::PointerType::getUnqual(module.getContext()),
             *word = llvm::Type::getInt64Ty(module.getContext());
  auto* type = llvm::FunctionType::get(llvm::Type::getVoidTy(module.getContext()), {pointer, word, word}, false);
  auto* function = llvm::Function::Create(type, llvm::GlobalValue::ExternalLinkage, symbol, module);
  add_attributes(function);
  function->addParamAttr(0, llvm::Attribute::NoAlias);
  return function;
}

}  // namespace

void emit_loop(llvm::Module& module, const std::string& symbol, const Loop& loop, const Nest& nest, const Plan& plan) {
  llvm::Function* function = declare(module, symbol);
  llvm::IRBuilder<> builder(llvm::BasicBlock::Create(module.getContext(), "entry", function));
  LoopEmitter(builder, loop, nest, plan, load_block(builder, function->getArg(0), loop, nest))
      .emit({function->getArg(1), function->getArg(2)});
}

}  // namespace lapis::llvm_backend
