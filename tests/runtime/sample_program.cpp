#include "tests/runtime/sample_program.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <functional>
#include <numeric>

#include "base/target.h"
#include "runtime/artifact.h"

namespace lapis::testing {
namespace {

// void step(rdi = block, rsi = begin, rdx = end); the words of the block are listed above each.

// x, arena, constants
constexpr uint8_t kAdd[] = {
    0x4C, 0x8B, 0x07,        // mov r8, [rdi]
    0x4C, 0x8B, 0x4F, 0x08,  // mov r9, [rdi+8]
    0x48, 0x8B, 0x47, 0x10,  // mov rax, [rdi+16]
    0x8A, 0x00,              // mov al, [rax]          the first constant
    0x48, 0x39, 0xD6,        // next: cmp rsi, rdx
    0x7D, 0x0F,              // jge done
    0x41, 0x8A, 0x0C, 0x30,  // mov cl, [r8+rsi]
    0x00, 0xC1,              // add cl, al
    0x41, 0x88, 0x0C, 0x31,  // mov [r9+rsi], cl
    0x48, 0xFF, 0xC6,        // inc rsi
    0xEB, 0xEC,              // jmp next
    0xC3,                    // done: ret
};
// y, arena
constexpr uint8_t kReverse[] = {
    0x4C, 0x8B, 0x0F,        // mov r9, [rdi]
    0x4C, 0x8B, 0x47, 0x08,  // mov r8, [rdi+8]
    0x48, 0x39, 0xD6,        // next: cmp rsi, rdx
    0x7D, 0x14,              // jge done
    0x48, 0x89, 0xF1,        // mov rcx, rsi
    0x48, 0x83, 0xF1, 0x3F,  // xor rcx, 63
    0x41, 0x8A, 0x04, 0x08,  // mov al, [r8+rcx]
    0x41, 0x88, 0x04, 0x31,  // mov [r9+rsi], al
    0x48, 0xFF, 0xC6,        // inc rsi
    0xEB, 0xE7,              // jmp next
    0xC3,                    // done: ret
};
// status
constexpr uint8_t kFault[] = {
    0x48, 0x8B, 0x07,                    // mov rax, [rdi]
    0xC7, 0x00, 0x01, 0x00, 0x00, 0x00,  // mov dword [rax], kIndexOutOfRange
    0xC3,                                // ret
};

// x, y
constexpr uint8_t kWait[] = {
    0x48, 0x8B, 0x0F,        // mov rcx, [rdi]
    0x48, 0x8B, 0x57, 0x08,  // mov rdx, [rdi+8]
    0xC6, 0x02, 0x01,        // mov byte [rdx], 1
    0xF3, 0x90,              // next: pause
    0x80, 0x39, 0x00,        // cmp byte [rcx], 0
    0x74, 0xF9,              // je next
    0xC3,                    // ret
};

// The rest of mixed_program: y, x and the arena, all 64 bytes at once. From, to:
constexpr uint8_t kCopy[] = {
    0x48, 0x8B, 0x37,              // mov rsi, [rdi]
    0x48, 0x8B, 0x7F, 0x08,        // mov rdi, [rdi+8]
    0xB9, 0x40, 0x00, 0x00, 0x00,  // mov ecx, 64
    0xF3, 0xA4,                    // rep movsb
    0xC3,                          // ret
};
// arena
constexpr uint8_t kSums[] = {
    0x48, 0x8B, 0x17,              // mov rdx, [rdi]
    0xB9, 0x01, 0x00, 0x00, 0x00,  // mov ecx, 1
    0x8A, 0x44, 0x0A, 0xFF,        // next: mov al, [rdx+rcx-1]
    0x00, 0x04, 0x0A,              // add [rdx+rcx], al
    0x48, 0xFF, 0xC1,              // inc rcx
    0x48, 0x83, 0xF9, 0x40,        // cmp rcx, 64
    0x75, 0xF0,                    // jne next
    0xC3,                          // ret
};
// And its units, a byte each: arena, constants
constexpr uint8_t kIncrease[] = {
    0x4C, 0x8B, 0x0F,        // mov r9, [rdi]
    0x48, 0x8B, 0x47, 0x08,  // mov rax, [rdi+8]
    0x8A, 0x00,              // mov al, [rax]
    0x48, 0x39, 0xD6,        // next: cmp rsi, rdx
    0x7D, 0x09,              // jge done
    0x41, 0x00, 0x04, 0x31,  // add [r9+rsi], al
    0x48, 0xFF, 0xC6,        // inc rsi
    0xEB, 0xF2,              // jmp next
    0xC3,                    // done: ret
};

using Kind = abi::Argument::Kind;
constexpr uint64_t kBytes = kSampleSize;
constexpr abi::Argument kX{.kind = Kind::Io, .io = 0, .bytes = kBytes},
    kY{.kind = Kind::Io, .written = true, .io = 1, .bytes = kBytes},
    kArena{.kind = Kind::Arena, .written = true, .bytes = kBytes}, kConstants{.kind = Kind::Constants, .bytes = 64},
    kStatus{.kind = Kind::Status};

struct Bytes {
  alignas(64) std::byte constants[64] = {std::byte{5}};
  std::vector<std::byte> code;
};

void add_step(Program& program, Bytes& bytes, const std::string& name, std::span<const uint8_t> code,
              std::vector<abi::Argument> arguments, int64_t units) {
  StepInfo step;
  step.name = name;
  step.op = "Add";
  step.nodes = {"node of " + name};
  step.code_offset = bytes.code.size();
  step.code_size = code.size();
  step.arguments = std::move(arguments);
  step.units = units;
  program.steps.push_back(step);
  for (const uint8_t b : code) bytes.code.push_back(std::byte{b});
}

// Without steps. Besides the constant 5 there is a table of two rows, all zeros.
Program empty_program(const std::shared_ptr<Bytes>& bytes) {
  Program p;
  p.target = "x86-64";
  p.producer = "test";
  p.plan_hash = 1;
  p.source_hash = 2;
  p.inputs = {{"x", DType::UInt8, {1, kSampleSize}}};
  p.outputs = {{"y", DType::UInt8, {1, kSampleSize}}};
  p.tables = {{16, 2, {1, 4}}};
  p.arena_bytes = kSampleSize;
  p.constants = bytes->constants;
  p.owner = bytes;
  return p;
}

Program make_program(bool faulting) {
  const auto bytes = std::make_shared<Bytes>();
  Program p = empty_program(bytes);
  add_step(p, *bytes, "add", kAdd, {kX, kArena, kConstants}, kSampleSize);
  add_step(p, *bytes, "reverse", kReverse, {kY, kArena}, kSampleSize);
  if (faulting) add_step(p, *bytes, "fault", kFault, {kStatus}, 1);
  p.code = bytes->code;
  return p;
}

}  // namespace

Program sample_program() { return make_program(false); }
Program faulting_program() { return make_program(true); }

Program waiting_program() {
  const auto bytes = std::make_shared<Bytes>();
  Program p = empty_program(bytes);
  add_step(p, *bytes, "wait", kWait, {kX, kY}, 1);
  p.code = bytes->code;
  return p;
}

Program mixed_program() {
  const auto bytes = std::make_shared<Bytes>();
  Program p = empty_program(bytes);
  add_step(p, *bytes, "copy_in", kCopy, {kX, kArena}, 1);
  add_step(p, *bytes, "sums_0", kSums, {kArena}, 1);
  add_step(p, *bytes, "increase_0", kIncrease, {kArena, kConstants}, kSampleSize);
  add_step(p, *bytes, "sums_1", kSums, {kArena}, 1);
  add_step(p, *bytes, "sums_2", kSums, {kArena}, 1);
  add_step(p, *bytes, "increase_1", kIncrease, {kArena, kConstants}, kSampleSize);
  add_step(p, *bytes, "increase_2", kIncrease, {kArena, kConstants}, kSampleSize);
  add_step(p, *bytes, "copy_out", kCopy, {kArena, kY}, 1);
  p.code = bytes->code;
  return p;
}

std::array<uint8_t, kSampleSize> mixed_result(const std::array<uint8_t, kSampleSize>& x) {
  std::array<uint8_t, kSampleSize> y = x;
  const auto sums = [&] { std::partial_sum(y.begin(), y.end(), y.begin(), std::plus<uint8_t>()); };
  const auto increase = [&](int by) {
    for (uint8_t& value : y) value = static_cast<uint8_t>(value + by);
  };
  sums();
  increase(5);
  sums();
  sums();
  increase(10);
  return y;
}

std::array<uint8_t, kSampleSize> sample_input() {
  std::array<uint8_t, kSampleSize> x{};
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<uint8_t>(i * 37);
  return x;
}

std::array<uint8_t, kSampleSize> sample_result(const std::array<uint8_t, kSampleSize>& x) {
  std::array<uint8_t, kSampleSize> y{};
  for (size_t i = 0; i < y.size(); ++i) y[i] = static_cast<uint8_t>(x[y.size() - 1 - i] + 5);
  return y;
}

std::string temporary_file(const std::string& name) {
  return std::filesystem::temp_directory_path() / ("lapis_" + std::to_string(::getpid()) + "_" + name);
}

std::string sample_artifact(const std::string& name, bool faulting) {
  std::string file = temporary_file(name);
  EXPECT_TRUE(save_artifact(make_program(faulting), file).ok());
  return file;
}

}  // namespace lapis::testing
