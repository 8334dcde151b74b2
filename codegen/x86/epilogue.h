// The epilogue all kernels share: from accumulators to stored outputs, by the scalar program of the Contraction.
//
// A pixel's vectors are computed one after the other, in registers; the results of a quad are packed to bytes
// together. The clamp of a final Quantize is the saturation of the packs, its zero point one saturating word addition,
// and clips are byte instructions.
#pragma once

#include "codegen/kernels/blocking.h"
#include "codegen/kernels/epilogue_analysis.h"
#include "codegen/x86/emitter.h"

namespace lapis::x86 {

using kernels::DivisionPlan, kernels::EpilogueAnalysis, kernels::Interval;

class Epilogue {
 public:
  Epilogue(Emitter& emitter, const Contraction& c, const Plan& plan, const kernels::Blocking& blocking);

  // Loads the opmasks for the partial stores of `block`. k1: bytes of the last quad, k2: lanes of the last vector;
  // k3 is used by comparisons.
  void set_masks(const kernels::Block& block, Reg64 scratch);

  struct Site {
    const kernels::Block& block;
    // Where the pixel's accumulators are, one per vector of the block: vector registers, or vector slots of the frame.
    std::vector<int> sums;
    bool spilled;
    Reg64 params;  // of the block
    Reg64 output;  // address of the pixel's first output channel in this block
    std::vector<Reg64>
        operands;  // the same for each PerElement operand, and the number of a PerPixel one, by operand index
    Reg64 scratch;
  };
  bool may_spill() const { return a_.functions; }  // accumulators to vector slots of the frame
  // True if it should: `free` registers beside them are too few for two vectors at a time.
  bool spills(int free) const { return may_spill() && free < 2 * (a_.values - 1) + a_.shared + blocking_.quad - 1; }
  // Computes and stores one pixel; `free` are vector registers it may use, to which the pixel's accumulators are added.
  void pixel(const Site& site, std::vector<int>& free);

 private:
  struct Value {
    enum class Kind : uint8_t { None, Register, Memory } kind = Kind::None;
    int reg = -1;
    Xbyak::Address memory{0};
    int pending = 0;     // still to be added: a Quantize keeps its zero point outside
    bool owned = false;  // the register is given back after the last use
  };

  // Vectors.
  int together() const;
  void compute_vectors(int first, int count, std::vector<int>& results);
  void compute(int id);
  int result_register();
  void accumulator(int id);
  void load(int id);
  void load_element(int id);
  void cast(int id);
  void to_integer(int id);
  void to_half(int id);
  void copy(int id);
  void arithmetic(int id);
  void multiply_add(int id);
  void bitwise(int id);
  void shift(int id);
  void min_max(int id);
  void integer_extreme(int id, bool largest);
  void bound(int id, int x, int limit, bool largest);
  void extreme(int id, bool largest);
  void zero_nan(int to, int x);
  void compare(int id);
  int condition(int id);
  void select(int id);
  void quantize(int id);
  void dequantize(int id);
  void quantize_sum(int id);
  void centre(int to, int id, int zero);
  int quotient(int x, int id, bool may_overflow);
  const DivisionPlan& division(int id);
  int cap(int x, float bound);

  // One quad.
  void load_raw_bytes(int first);
  void store(int first, int width, const std::vector<int>& results);
  void pack_and_store(int first, int width, const std::vector<int>& results);
  void clip_bytes(Vec bytes);
  void look_up(int bytes);
  void permute_table(int bytes);
  void shuffle_table(int bytes);
  void store_bytes(const Reg64& base, int offset, int reg, int count);
  void load_bytes(const Reg64& base, int offset, int reg, int count);
  void load_words(const Reg64& base, int offset, int reg);
  void store_words(const Reg64& base, int offset, int reg);
  void load_widened(const Reg64& base, int offset, int reg, bool is_signed);
  void store_halves(const Reg64& base, int offset, int reg);
  void load_halves(const Reg64& base, int offset, int reg);
  void to_memory_order(int bytes, int width);
  int bytes_of_quad(int first, int width) const;
  bool partial_vector() const;
  int lanes_inside() const;  // channels of the current vector

  // Registers.
  int allocate();
  void release(int reg) { free_->push_back(reg); }
  void release_dead(int id, int at);  // operands of `id` that nobody reads after `at`
  int borrow();                       // until the end of the instruction
  Value& value(int id) { return values_[static_cast<size_t>(current_)][static_cast<size_t>(id)]; }
  const Instr& instr(int id) const { return a_.program[static_cast<size_t>(id)]; }
  int reg(int id);                        // the value in a register, zero point added
  const Xbyak::Operand& operand(int id);  // register or memory, zero point added
  int destination(int id);                // a dying operand's register, or a new one
  void define(int id, int reg, int pending = 0) {
    value(id) = {Value::Kind::Register, reg, Xbyak::Address(0), pending, true};
  }
  Vec v(int reg) const { return e_.vec(reg); }
  bool is_memory(int id) { return value(id).kind == Value::Kind::Memory; }
  bool dies(int arg, int id) { return a_.last_use[static_cast<size_t>(arg)] == id && value(arg).owned; }
  bool finite(int id) const { return a_.range[static_cast<size_t>(id)].finite(); }

  Emitter& e_;
  const Contraction& c_;
  const kernels::Blocking& blocking_;
  EpilogueAnalysis a_;
  std::vector<int> param_row_;  // of each PerChannel operand
  bool bytes_out_;
  bool permutes_bytes_;                    // vpermi2b
  std::map<int, DivisionPlan> divisions_;  // of Quantize instructions: finding one is worth remembering

  // State of the vectors being computed.
  const Site* site_ = nullptr;
  std::vector<int>* free_ = nullptr;
  int vector_ = 0, current_ = 0;            // of the block, and among those that are computed together
  std::vector<std::vector<Value>> values_;  // of each of them
  std::vector<int> raw_;                    // register of each operand's raw bytes, -1
  std::vector<int> borrowed_;               // scratch registers of the current instruction
  Vec held_{0};                             // what `operand` returned last, if it is a register
};

}  // namespace lapis::x86
