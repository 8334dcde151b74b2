#include "codegen/emit.h"

#include <cctype>

#include "codegen/llvm/emit.h"
#include "codegen/x86/emit.h"
#include "runtime/abi.h"

namespace lapis::codegen {
namespace {

std::string symbol_of(size_t index, const Step& step) {
  std::string symbol = "s" + std::to_string(index) + "_";
  for (char c : name_of(step.region)) symbol += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return symbol;
}

uint64_t append(std::vector<uint8_t>& image, const std::vector<uint8_t>& bytes) {
  constexpr auto kAlignment = static_cast<size_t>(abi::kAlignment);
  image.resize((image.size() + kAlignment - 1) / kAlignment * kAlignment, 0xCC);  // int3 between functions
  const uint64_t offset = image.size();
  image.insert(image.end(), bytes.begin(), bytes.end());
  return offset;
}

}  // namespace

Result<CodeImage> emit(const Plan& plan) {
  std::vector<llvm_backend::LoopRef> loops;
  for (size_t s = 0; s < plan.steps.size(); ++s)
    if (const auto* loop = std::get_if<Loop>(&plan.steps[s].region))
      loops.push_back({loop, symbol_of(s, plan.steps[s])});
  LAPIS_TRY(const CodeImage loop_code,
            loops.empty() ? Result<CodeImage>(CodeImage{}) : llvm_backend::emit(loops, plan));

  CodeImage image;
  const uint64_t loops_at = append(image.bytes, loop_code.bytes);
  size_t next_loop = 0;
  for (size_t s = 0; s < plan.steps.size(); ++s) {
    const Region& region = plan.steps[s].region;
    if (const auto* contraction = std::get_if<Contraction>(&region)) {
      const std::vector<uint8_t> code = x86::emit(*contraction, plan);
      image.symbols.push_back(
          {symbol_of(s, plan.steps[s]), append(image.bytes, code), code.size(), contraction->units});
    } else if (std::holds_alternative<Loop>(region)) {
      CodeImage::Symbol symbol = loop_code.symbols[next_loop++];
      symbol.offset += loops_at;
      image.symbols.push_back(std::move(symbol));
    } else {
      image.symbols.push_back({symbol_of(s, plan.steps[s]), 0, 0, 0});
    }
  }
  return image;
}

}  // namespace lapis::codegen
