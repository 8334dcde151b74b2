// One contraction on guarded memory: builds it, runs the emitted code unit by unit or at once, and computes the same
// in plain loops.
#pragma once

#include <functional>
#include <string>

#include "codegen/plan.h"
#include "codegen/scalar/expand.h"

namespace lapis::testing {

// Memory that ends at an inaccessible page; what lies before the usable bytes is a canary.
class GuardedBytes {
 public:
  explicit GuardedBytes(size_t size);
  ~GuardedBytes();
  GuardedBytes(const GuardedBytes&) = delete;
  GuardedBytes& operator=(const GuardedBytes&) = delete;
  uint8_t* data() { return data_; }
  size_t size() const { return size_; }
  bool canary_intact() const;

 private:
  uint8_t* pages_;
  uint8_t* data_;
  size_t size_, mapped_;
};

enum class Fill { Random, AllMax, AllMin, Small };

struct KernelShape {
  int64_t pixels_h = 1, pixels_w = 1, kernel_h = 1, kernel_w = 1, stride = 1, dilation = 1;
  int64_t in_channels = 1, out_channels = 1, groups = 1;
  int32_t input_zero_point = 0, output_zero_point = 0;
  Fill fill = Fill::Random;
  int64_t pad_channels = 3;  // bytes between the channels of neighbouring output pixels that belong to someone else
  std::string to_string() const;
};

class KernelCase {
 public:
  KernelCase(const KernelShape& shape, DType a, DType output, uint32_t seed);

  // Epilogue instructions; ids are positions.
  int add(Op op, DType type, std::vector<int> args = {}, Immediate imm = 0, Immediate imm2 = 0);
  int constant(DType type, Immediate value) { return add(Op::Constant, type, {}, value.held_as(type)); }
  int per_channel(DType type, double low, double high);
  int per_element(DType type, double low, double high);
  int per_element(const std::vector<float>& values);  // over and over
  int per_pixel(int32_t low, int32_t high);           // one Int32 for all channels
  // Byte `bytes` replaced by an element of `table`, which has 256 of them.
  int look_up(int bytes, DType type, const Tensor& table);
  // `x` as the result of an instruction on the accumulator, which it drops:
  // what is computed from it is exact in every row.
  int instead_of_sum(int x);
  // Quantize(acc * per-channel multiplier) such that results cover and exceed the byte range.
  int requantize(int accumulator, DType type, double zero_point);

  Contraction& contraction() { return c_; }
  Plan& plan() { return plan_; }

  // Floats too must be equal to the reference, bit for bit.
  void exact() { exact_ = true; }
  // Empty if equal to the reference; else says what differs. `row` of the kernel table; `cuts`: bounds of the calls.
  // For the host, unless the plan has a target.
  std::string check(int row, const std::vector<int64_t>& cuts = {}) { return check(Schedule{.row = row}, cuts); }
  std::string check(const Schedule& wanted, const std::vector<int64_t>& cuts = {});
  // The same with the units divided over so many threads at the same time.
  std::string check_on_threads(const Schedule& wanted, int threads);

 private:
  // Calls some code with its block, in pieces.
  using Call = std::function<void(abi::StepFn, const uint64_t* block, int64_t units)>;
  std::string check_called(const Schedule& wanted, const Call& call);
  void build_input(const KernelShape& shape);
  void build_weights();
  Tensor random(DType type, Shape shape, double low, double high);
  View constant_view(const Tensor& t);
  int pixel_operand(EpilogueOperand::Kind kind, const Tensor& values, int64_t pitch);
  std::vector<uint8_t> reference();
  double reference_sum(int64_t pixel, int64_t channel, double& magnitude);
  Immediate evaluate(const scalar::Expansion& program, int64_t pixel, int64_t channel, double sum);
  std::string compare(const std::vector<uint8_t>& expected);
  uint8_t* base(int buffer);

  KernelShape shape_;
  DType a_, out_;
  Contraction c_;
  Plan plan_;
  std::vector<std::unique_ptr<GuardedBytes>> io_;  // by Buffer::offset
  bool exact_ = false;
  std::vector<double> magnitudes_;  // of every output, for float tolerance
  uint32_t seed_;
};

// Every kernel row that this machine can run, AMX emulated (amx_emulator.h), by index;
// libraries have tests of their own.
std::vector<int> runnable_rows();
void PrintTo(const KernelShape& shape, std::ostream* out);

}  // namespace lapis::testing
