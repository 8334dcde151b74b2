// What the rows of base/isa.h say about code generation, held against it.
#include "base/isa.h"

#include <gtest/gtest.h>
#include <llvm/Target/TargetMachine.h>

#include <algorithm>

#include "codegen/kernels/table.h"
#include "codegen/llvm/machine.h"
#include "codegen/x86/peak.h"
#include "runtime/abi.h"
#include "runtime/memory.h"

namespace lapis {
namespace {

TEST(IsaCode, IsGeneratedWhereItsRowSaysSo) {
  for (const IsaRow& row : kIsas) {
    const bool kernels = std::ranges::any_of(kernels::table(), [&](const auto& k) { return k.needs == row.isa; });
    EXPECT_EQ(row.used.find("kernels") != std::string_view::npos, kernels) << row.name << ": " << row.used;
    EXPECT_EQ(row.used.find("loops") != std::string_view::npos, !row.llvm.empty()) << row.name << ": " << row.used;
  }
}

TEST(IsaCode, LlvmKnowsEveryFeature) {
  for (const IsaRow& row : kIsas) {
    ::testing::internal::CaptureStderr();
    EXPECT_NE(llvm_backend::create_machine(Target().with(row.isa)), nullptr);
    EXPECT_EQ(::testing::internal::GetCapturedStderr(), "") << row.name << ": " << row.llvm;
    const std::string features = llvm_backend::features_of(Target().with(row.isa));
    EXPECT_NE(features.find(row.llvm), std::string::npos) << features;
    EXPECT_EQ(features.find(",,"), std::string::npos) << features;
  }
  EXPECT_EQ(llvm_backend::features_of(Target().with(Isa::Avx512Vnni)),
            "+avx2,+fma,+f16c,+avx512f,+avx512bw,+avx512dq,+avx512vl,+avx512cd,+evex512");
}

// Multiply-accumulates of one instruction of the peak.
int64_t macs_of(DType dtype, Isa isa) {
  const Target target = Target().with(isa);
  const int sums = target.vector_bytes() == 64 ? 24 : 12;
  return x86::emit_peak(dtype, target).macs_per_unit / sums;
}

TEST(IsaCode, PeakIsTheStrongestInstruction) {
  EXPECT_EQ(macs_of(DType::UInt8, Isa::Avx2), 16);
  EXPECT_EQ(macs_of(DType::UInt8, Isa::AvxVnni), 32);
  EXPECT_EQ(macs_of(DType::UInt8, Isa::Avx512), 32);
  EXPECT_EQ(macs_of(DType::UInt8, Isa::Avx512Vnni), 64);
  EXPECT_EQ(macs_of(DType::Float32, Isa::Avx2), 8);
  EXPECT_EQ(macs_of(DType::Float32, Isa::Avx512Vnni), 16);
  EXPECT_EQ(macs_of(DType::BFloat16, Isa::Avx512Bf16), 32);
  for (const IsaRow& row : kIsas)
    for (const DType dtype : {DType::UInt8, DType::Float32})
      EXPECT_GT(macs_of(dtype, row.isa), 0) << row.name << " has at least the peak of what it implies";
}

TEST(IsaCode, PeakRunsHere) {
  for (const IsaRow& row : kIsas) {
    const Target target = Target().with(row.isa);
    if (!Target::host().contains(target)) continue;
    for (const auto& [dtype, peak] :
         {std::pair(DType::Float32, row.fp32), {DType::UInt8, row.int8}, {DType::BFloat16, row.bf16}}) {
      if (peak.macs == 0) continue;
      const x86::PeakLoop loop = x86::emit_peak(dtype, target);
      const auto code = CodeMemory::seal(std::as_bytes(std::span(loop.code)));
      ASSERT_TRUE(code.ok());
      reinterpret_cast<abi::StepFn>(const_cast<std::byte*>(code->data()))(nullptr, 0, 3);
    }
  }
}

}  // namespace
}  // namespace lapis
