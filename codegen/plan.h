// The Plan: everything ONNX cannot say. Buffers with offsets in one arena, regions (generated functions, calls, control
// flow), packed constants, schedules. Pure data: printable (codegen/print_plan.h), hashable, no pointers into the
// Graph, the same for JIT and AOT.
//
//   Graph ─ lower ─> regions over Views ─ choose/pack (kernels) ─ memory ─> finished Plan
//   finished Plan ─ emit (x86, llvm) ─> CodeImage
//
// A value is addressed through a View: a buffer plus strides. Layouts (NCHW, NHWC, halo, channel pitch) are nothing but
// strides and offsets of Views; every emitter understands any strides, and says in its header which ones it makes fast.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/host_function.h"
#include "base/immediate.h"
#include "base/parts.h"
#include "base/target.h"
#include "base/tensor.h"
#include "runtime/abi.h"

namespace lapis {

// ---- memory ---------------------------------------------------------------------------------------------------------

// Weights are constants too, but such as plans share: packed weights and large tensors.
enum class Space : uint8_t { Constant, Weights, Arena, Input, Output };

struct Buffer {
  std::string name;  // of the value it holds, for people
  Space space = Space::Arena;
  int64_t bytes = 0;   // arena buffers include halo and read slack
  int64_t offset = 0;  // in the constants, the weights or the arena; for Input/Output: the index in abi::Frame::io
};

// A strided window on a buffer. Element (i0, i1, ...) lies, in elements of dtype, at
//   offset + i0*strides[0] + i1*strides[1] + ...
struct View {
  int buffer = -1;
  DType dtype = DType::Undefined;
  Shape shape;
  Shape strides;
  int64_t offset = 0;
};

// ---- scalar programs ------------------------------------------------------------------------------------------------
// One straight-line SSA list over scalars (vector lanes once emitted), shared by LLVM loops and by the epilogues of the
// xbyak kernels: what can be fused is what both can say. Instruction i defines value i. IEEE float32, no contraction,
// no reassociation. What each operation means on NaN, infinities, zeros and integers is written in docs/numerics.md;
// codegen/scalar/ops.cpp has one row for each.

enum class Op : uint8_t {
  Accumulator,  // epilogues: the kernel's sum, Int32 or Float32, bias and compensation already in it
  Load,         // view `slot` at the current point
  Gather,    // view `slot` at the current point plus args[0]*imm elements; index range [-imm2, imm2), else a Fault and
             // clamped
  Table,     // element args[0], a byte taken as 0 to 255, of the 256 bytes that view `slot` begins with
  Index,     // Int64: the current index of dimension `slot`
  Constant,  // imm
  Reduced,   // result of reduction `slot` of an earlier phase
  Cast,      // to `type`; float -> integer truncates and saturates, NaN gives 0; integers wrap
  Bits,      // the bits of args[0] as `type`, which is as wide
  Add,
  Sub,
  Mul,
  MultiplyAdd,  // args[0] * args[1] + args[2], rounded once; only what Lapis itself writes is contracted, never what a
                // model says
  Div,
  Mod,
  FMod,
  Pow,
  Min,
  Max,      // of floats as IEEE 754-2019 minimum and maximum: NaN in either operand gives NaN, +0 is above -0
  AtLeast,  // args[0] < args[1] ? args[1] : args[0]: NaN and -0 in args[0] stay, a NaN in args[1] does not bind
  AtMost,   // args[0] > args[1] ? args[1] : args[0]
  Neg,
  Abs,
  Sign,
  Floor,
  Ceil,
  RoundEven,
  Sqrt,
  Reciprocal,
  ShiftLeft,   // of an integer, by imm bits
  ShiftRight,  // ... and the sign bit of a signed one fills up
  Exp,         // from here to Sigmoid: written out in the operations above by codegen/scalar/expand.h
  Expm1,       // exp(x) - 1
  Log,
  Log1p,  // log(1 + x)
  Sin,
  Cos,
  Tan,
  Asin,
  Acos,
  Atan,
  Sinh,
  Cosh,
  Tanh,
  Asinh,
  Acosh,
  Atanh,
  Erf,
  NormalCdf,  // (1 + erf(x / sqrt(2))) / 2, accurate in its lower tail
  Sigmoid,
  IsNaN,
  IsInf,
  Equal,
  Less,
  LessOrEqual,
  And,
  Or,
  Xor,
  Not,         // Bool, or bitwise on integers for And/Or/Xor/Not
  Select,      // args[0] ? args[1] : args[2]
  Quantize,    // saturate(rne(args[0] / imm) + imm2) to `type` (uint8/int8/...); IEEE division; imm == 1 divides by
               // nothing
  Dequantize,  // float(int(args[0]) - imm2) * imm
};

struct Instr {
  Op op = Op::Constant;
  DType type = DType::Float32;                 // of the result
  std::array<int32_t, 3> args = {-1, -1, -1};  // earlier instructions
  int32_t slot = -1;                           // view, dimension or reduction
  Immediate imm = {}, imm2 = {};
  bool operator==(const Instr&) const = default;
};

// ---- regions --------------------------------------------------------------------------------------------------------

// What varies between the shapes that a model is run at. Code is made for the form and takes what varies from its
// block, so that one shape finds the code that another has left.
struct LoopForm {
  Shape domain;                // at a nominal shape, which decides how the loop is walked
  std::vector<Shape> strides;  // of each view
  std::vector<bool> free;      // extents that vary
  std::vector<std::vector<bool>> free_strides;
};

// A loop nest over `domain`: elementwise chains, data movement, reductions, softmax, normalizations, pools,
// small matmuls. The last `reduced` dimensions are the inner space. For each point of the outer space the phases run in
// order; an Inner phase runs its body for every point of the inner space, a Row phase once. A view's strides have one
// entry per domain dimension (0: broadcast).
struct Loop {
  enum class Over : uint8_t { Row, Inner };
  enum class Reduce : uint8_t { Sum, Max, Min, Prod };
  struct Reduction {
    Reduce kind;
    int32_t value;
    DType type;
  };  // folds body value `value`; Op::Reduced reads it in later phases
  struct Store {
    int32_t view;
    int32_t value;
  };
  struct Phase {
    Over over = Over::Row;
    std::vector<Instr> body;            // ids are local to the phase
    std::vector<Reduction> reductions;  // Inner only; numbered through all phases
    std::vector<Store> stores;
  };
  std::string name;
  Shape domain;
  int reduced = 0;
  std::vector<View> views;  // loads and stores; shape is the domain's where strides are not 0
  std::vector<Phase> phases;
  std::shared_ptr<const LoopForm> form;  // null: nothing varies
};

// How the epilogue of a contraction sees memory: `slot` of Op::Load and Op::Table is an operand here.
struct EpilogueOperand {
  enum class Kind : uint8_t { PerChannel, PerElement, PerPixel, Table };
  Kind kind = Kind::PerChannel;
  // PerChannel: shape [channels]; PerElement: same logical shape and channel-contiguous like the output; PerPixel: the
  // same with one Int32 for all channels, which have stride 0; Table: [256] bytes
  View view;
  int column = -1;  // PerElement, PerPixel: its column in the grid
  bool has_column() const { return kind == Kind::PerElement || kind == Kind::PerPixel; }
};

// Weights that are computed: steps before the contraction bring them into the order of the packed image
// (codegen/kernels/blocking.h), in which it lies once for each of `batches` equal runs of pixels: the first dimensions
// of the grid.
struct ComputedWeights {
  int64_t batches = 1;
  View panels;                 // [batches][bytes]
  std::optional<View> starts;  // [batches][bytes] of parameters, where sums start from something that is computed too;
                               // else they are packed
};

// How a contraction is computed. What is left open (-1, 0, Any) the cost model chooses (codegen/kernels/schedule.h),
// which also reads and prints it: "conv_u8s8_avx512vnni 6x4 weights 12".
struct Schedule {
  enum class Order : uint8_t {
    Any,
    Weights,  // blocks of channels are the outer loop: a thread keeps its share of the weights
    Pixels,   // runs of pixels are: all blocks pass over a run while it is in the cache
  };
  int row = -1;        // in the kernel table
  int mr = 0, nr = 0;  // most pixels, and vectors of channels, of a tile
  Order order = Order::Any;
  int64_t splits = 0;  // runs that the pixels of a block of channels are cut into
  bool operator==(const Schedule&) const = default;
};

// A library of this process that computes a contraction:
// code jumps to its function, whose block begins as codegen/kernels/library.h says.
struct LibraryCall {
  std::string kernel;  // the row, for messages
  abi::StepFn function = nullptr;
  std::shared_ptr<const void> context;
};

// Where the pixels of a contraction lie: the points of a grid in row-major order. Addresses are affine in the indices,
// so nobody needs a table of them all (codegen/kernels/slabs.h); the last dimension is runs of pixels at one distance.
struct PixelGrid {
  struct Column {
    int64_t origin = 0;  // bytes from the start of the column's buffer to the first pixel
    Shape strides;       // bytes, one for each extent
  };
  Shape extents;
  std::vector<Column> columns;  // 0 input, 1 output, 2.. operands

  int64_t address(size_t column, int64_t pixel) const {
    int64_t at = columns[column].origin;
    for (size_t d = extents.size(); d-- > 0; pixel /= extents[d]) at += pixel % extents[d] * columns[column].strides[d];
    return at;
  }
};

// The weights of a contraction as the model has them. They are brought into order, [groups][channels/groups][taps][k],
// when they are packed, and not at all where somebody has packed them already.
struct Weights {
  Weights() = default;
  Weights(Tensor in_order) : source(std::move(in_order)), shape(source.shape()) {}
  // Of matrices [..., rows, columns] behind each other, of which each is to be turned.
  Weights(Tensor turned, Shape in_order, int64_t rows, int64_t columns)
      : source(std::move(turned)), shape(std::move(in_order)), rows(rows), columns(columns) {}

  Tensor source;
  Shape shape;                    // in order
  int64_t rows = 1, columns = 1;  // one row or one column: in order
  DType dtype() const { return source.dtype(); }
  int64_t size() const { return source.size(); }
  int64_t bytes() const { return source.bytes(); }
  Tensor in_order() const;
};

// A dot product of pixels with weights: Conv, ConvInteger, QLinearConv, Gemm, MatMul, depthwise too. Weights are
// constant, or, of matrix products, computed.
//
//   out[p, g*OC/G + o] = epilogue( bias[o] + sum over taps t, k < K:
//                                            x[ base(p) + group_stride*g + taps[t] + k ] * w[g, o, t, k] )
//
// base(p) comes from a table of pixels, so strides, dilation, padding (physical halo),
// batch and row-straddling tiles cost nothing. All sizes in bytes unless named elements. Input bytes are read as 4-byte
// groups: reads may pass the last channel by up to 3 bytes (weights are zero there);
// lowering gives the buffer that slack.
struct Contraction {
  std::string name;
  DType a = DType::UInt8, b = DType::Int8;  // (u8|s8, s8) -> Int32 accumulator; (f32, f32), (bf16, bf16) -> Float32
  View input, output;                       // for people and for aliasing; addresses come from the grid
  int axis = 1;                             // of the output and of PerElement operands: their channels
  int64_t channels = 0;                     // OC over all groups
  int64_t groups = 1;
  int64_t k = 0;              // elements per tap (per group)
  int64_t group_stride = 0;   // elements between the inputs of neighbouring groups
  std::vector<int32_t> taps;  // byte displacement of each tap
  int64_t pixels = 0;
  PixelGrid grid;
  Weights weights;  // [groups][channels/groups][taps][k], int8 or float; none if they are computed
  std::optional<ComputedWeights> computed;
  Tensor bias;                   // [channels] int32 (zero-point compensation included by `pack`, not here) or float
  int32_t input_zero_point = 0;  // of `a`; compensation -zp*sum(w) is added by `pack`
  std::vector<EpilogueOperand> operands;
  std::vector<Instr> epilogue;  // instruction 0 is the Accumulator; the last one is stored to the output
  // Filled by kernels::schedule:
  Schedule schedule;
  int64_t units = 0;
  std::optional<LibraryCall> library;  // if the row is one; there are no tables then
  // Of weights in the plan's weights; of bias, pixel table and unit table in its constants.
  std::array<int64_t, 4> packed_offset = {};
  std::array<int64_t, 4> packed_bytes = {};

  int64_t batches() const { return computed ? computed->batches : 1; }
  int64_t weights_per_channel() const { return static_cast<int64_t>(taps.size()) * k; }
};

// A routine of the runtime (runtime/routines.h) on whole tensors, or the reference evaluation of one node, which exists
// in this process only: no file can hold it.
struct Call {
  std::string name;
  std::string routine;  // "topk"; "host" if it is `host`
  std::vector<View> inputs, outputs;
  std::vector<int64_t> parameters;  // as the routine says
  HostFunction host;
};

// ---- control flow: a step that owns the steps behind it -------------------------------------------------------------
// Steps are numbered in the order of the plan; `end` is the number of the first step behind the block.

// Where the condition, one Bool, holds, the steps up to `otherwise` run, else those from there to `end`.
struct Branch {
  std::string name;
  View condition;
  int otherwise = 0, end = 0;
};

// The steps behind it run while `condition` holds (if there is one), at most as often as `trips` says (if it says so).
// The number of the iteration is stored to `counter` before each; after each, slice `iteration` of a collection's `all`
// gets the bytes of `part`.
struct Repeat {
  struct Collection {
    View part, all;  // both row-major; all has one more dimension in front
    bool backwards = false;
  };
  std::string name;
  std::optional<View> trips;  // one Int64
  std::optional<View> condition;
  View counter;  // one Int64
  std::vector<Collection> collections;
  int end = 0;
  bool only_declared =
      false;  // that there are as many iterations as slices: the interpreter counts, an object could not tell
};

using Region = std::variant<Loop, Contraction, Call, Branch, Repeat>;
const std::string& name_of(const Region& region);

// In execution order; loops and contractions are one generated function each. And what explain says about it.
struct Step {
  Region region;
  std::vector<std::string> nodes;  // names of the ONNX nodes computed here, anchor first
  std::string op;                  // ONNX operator of the anchor
  std::string precision;           // "int8", "fp32", "int32"...
  std::string note;                // why not fused / not int8, if there is something to say
};

struct PlanIo {
  std::string name;
  DType dtype;
  Shape shape;
  int buffer;
};

struct Plan {
  Target target;
  std::vector<Buffer> buffers;
  std::vector<Step> steps;
  std::vector<PlanIo> inputs, outputs;
  std::vector<uint8_t> constants;       // image of Space::Constant
  Parts weights;                        // of Space::Weights
  std::vector<uint64_t> weight_hashes;  // of its parts
  int64_t arena_bytes = 0;
  uint64_t hash() const;
};

// ---- code -----------------------------------------------------------------------------------------------------------

// Position-independent machine code without relocations: functions of type abi::StepFn at byte offsets. Steps of equal
// structure share one and differ in their arguments.
struct CodeImage {
  struct Symbol {
    std::string name;
    uint64_t offset = 0, size = 0;
    int64_t units = 0;
    std::vector<abi::Argument> arguments;  // the words of its block
  };
  std::vector<uint8_t> bytes;
  std::vector<Symbol> symbols;  // one per Plan step, in order; of size 0 for those that are no function
};

}  // namespace lapis
