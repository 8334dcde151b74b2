#include "tests/codegen/loop_runner.h"

#include <gtest/gtest.h>

#include <cstring>

#include "codegen/emit.h"
#include "runtime/abi.h"
#include "runtime/memory.h"

namespace lapis::testing {
namespace {

constexpr size_t kGuard = 128;
constexpr auto kGuardByte = std::byte{0xC3};

// Bytes of a tensor between two guards; aligned like the tensor's elements, not more.
class Guarded {
 public:
  explicit Guarded(const Tensor& t)
      : size_(static_cast<size_t>(t.bytes())), bytes_(size_ + 2 * kGuard + 64, kGuardByte) {
    const auto address = reinterpret_cast<uintptr_t>(bytes_.data()) + kGuard;
    const size_t element = std::max(1, bit_width(t.dtype()) / 8);
    start_ = kGuard + (64 - address % 64) % 64 + (element < 64 ? element : 0);
    if (size_) std::memcpy(data(), t.raw(), size_);
  }
  std::byte* data() { return bytes_.data() + start_; }
  bool intact() const {
    for (size_t i = 0; i < bytes_.size(); ++i)
      if ((i < start_ || i >= start_ + size_) && bytes_[i] != kGuardByte) return false;
    return true;
  }

 private:
  size_t size_, start_ = 0;
  std::vector<std::byte> bytes_;
};

}  // namespace

int LoopPlan::input(Tensor tensor) {
  LAPIS_ASSERT(plan.outputs.empty(), "inputs come first");
  const auto id = static_cast<int>(plan.buffers.size());
  plan.buffers.push_back(
      {"in" + std::to_string(id), Space::Input, tensor.bytes(), static_cast<int64_t>(inputs.size())});
  plan.inputs.push_back({plan.buffers.back().name, tensor.dtype(), tensor.shape(), id});
  inputs.push_back(std::move(tensor));
  return id;
}

int LoopPlan::output(DType dtype, Shape shape) {
  const auto id = static_cast<int>(plan.buffers.size());
  const int64_t bytes = byte_size(dtype, element_count(shape));
  plan.buffers.push_back(
      {"out" + std::to_string(id), Space::Output, bytes, static_cast<int64_t>(inputs.size() + plan.outputs.size())});
  plan.outputs.push_back({plan.buffers.back().name, dtype, std::move(shape), id});
  return id;
}

int LoopPlan::constant(const Tensor& tensor) {
  const auto offset = (plan.constants.size() + 63) / 64 * 64;
  plan.constants.resize(offset + static_cast<size_t>(tensor.bytes()));
  std::memcpy(plan.constants.data() + offset, tensor.raw(), static_cast<size_t>(tensor.bytes()));
  plan.buffers.push_back({"constant", Space::Constant, tensor.bytes(), static_cast<int64_t>(offset)});
  return static_cast<int>(plan.buffers.size()) - 1;
}

void LoopPlan::add(Loop loop) {
  Step step;
  step.region = std::move(loop);
  plan.steps.push_back(std::move(step));
}

View dense_view(int buffer, DType dtype, Shape shape) {
  Shape strides = row_major_strides(shape);
  return {buffer, dtype, std::move(shape), std::move(strides), 0};
}

View strided_view(int buffer, DType dtype, Shape shape, Shape strides, int64_t offset) {
  return {buffer, dtype, std::move(shape), std::move(strides), offset};
}

std::vector<Target> runnable_levels() {
  std::vector<Target> levels = {Target().with(Isa::Avx2)};
  if (Target::host().has(Isa::Avx512)) levels.push_back(Target().with(Isa::Avx512));
  if (Target::host() != levels.back()) levels.push_back(Target::host());
  return levels;
}

RunResult run_loops(const LoopPlan& loops, const Target& target, int pieces) {
  RunResult result;
  Plan plan = loops.plan;
  plan.target = target;
  const Result<CodeImage> image = codegen::emit(plan);
  EXPECT_TRUE(image.ok()) << to_string(image.diagnostics());
  if (!image.ok()) return result;
  const auto code = CodeMemory::seal(std::as_bytes(std::span(image->bytes)));

  std::vector<Guarded> memory;
  for (const Tensor& t : loops.inputs) memory.emplace_back(t);
  for (const PlanIo& o : plan.outputs) memory.emplace_back(Tensor(o.dtype, o.shape));
  std::vector<void*> io;
  for (Guarded& m : memory) io.push_back(m.data());
  Tensor constants(DType::UInt8, {static_cast<int64_t>(plan.constants.size())}),
      arena(DType::UInt8, {plan.arena_bytes});
  if (!plan.constants.empty()) std::memcpy(constants.mutable_raw(), plan.constants.data(), plan.constants.size());
  const abi::Frame frame{reinterpret_cast<const uint8_t*>(constants.raw()), &plan.weights,
                         reinterpret_cast<uint8_t*>(arena.mutable_raw()), io.data(), &result.status};
  for (const CodeImage::Symbol& symbol : image->symbols) {
    result.units.push_back(symbol.units);
    const auto function = reinterpret_cast<abi::StepFn>(const_cast<std::byte*>(code->data() + symbol.offset));
    const std::vector<uint64_t> block = abi::block_of(symbol.arguments, frame);
    for (int64_t p = pieces; p-- > 0;) {
      const int64_t begin = symbol.units * p / pieces, end = symbol.units * (p + 1) / pieces;
      if (begin < end) function(block.data(), begin, end);
    }
  }
  for (size_t i = 0; i < memory.size(); ++i)
    EXPECT_TRUE(memory[i].intact()) << "bytes around buffer " << i << " changed on " << target.to_string();
  for (size_t i = 0; i < loops.inputs.size(); ++i)
    EXPECT_TRUE(loops.inputs[i].bytes() == 0 ||
                std::memcmp(memory[i].data(), loops.inputs[i].raw(), static_cast<size_t>(loops.inputs[i].bytes())) == 0)
        << "input " << i << " changed";
  for (size_t o = 0; o < plan.outputs.size(); ++o) {
    Tensor t(plan.outputs[o].dtype, plan.outputs[o].shape);
    if (t.bytes()) std::memcpy(t.mutable_raw(), memory[loops.inputs.size() + o].data(), static_cast<size_t>(t.bytes()));
    result.outputs.push_back(std::move(t));
  }
  return result;
}

}  // namespace lapis::testing
