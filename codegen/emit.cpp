#include "codegen/emit.h"

#include <cctype>
#include <optional>

#include "codegen/llvm/emit.h"
#include "codegen/verify_code.h"
#include "codegen/x86/emit.h"

namespace lapis::codegen {
namespace {

std::string symbol_of(size_t index, const Step& step) {
  std::string symbol = "s" + std::to_string(index) + "_";
  for (char c : name_of(step.region)) symbol += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return symbol;
}

// What is to be emitted for a region: nothing for calls and control flow.
class Describe {
 public:
  using Described = Result<std::optional<StepCode>>;
  explicit Describe(const Plan& plan) : plan_(plan) {}

  Described operator()(const Contraction& c) const { return std::optional(x86::step_code(c, plan_)); }
  Described operator()(const Loop& loop) const {
    LAPIS_TRY(StepCode code, llvm_backend::step_code(loop, plan_));
    return std::optional(std::move(code));
  }
  template <class Other> Described operator()(const Other&) const { return std::optional<StepCode>(); }

 private:
  const Plan& plan_;
};

// One image; functions that it has already are not added again.
class ImageBuilder {
 public:
  explicit ImageBuilder(CodeCache& cache) : cache_(cache) {}

  void add(std::string symbol, std::optional<StepCode> step) {
    CodeImage::Symbol& added = image_.symbols.emplace_back();
    added.name = std::move(symbol);
    if (!step) return;
    const auto [known, is_new] = functions_.try_emplace(step->key);
    if (is_new)
      known->second = append(*cache_.code_of(*step));
    else
      verify_code(*step, std::span(image_.bytes).subspan(known->second.offset, known->second.size));
    added.offset = known->second.offset;
    added.size = known->second.size;
    added.units = step->units;
    added.arguments = std::move(step->arguments);
  }
  CodeImage take() { return std::move(image_); }

 private:
  struct Place {
    uint64_t offset = 0, size = 0;
  };
  Place append(const std::vector<uint8_t>& bytes) {
    constexpr auto kAlignment = static_cast<size_t>(abi::kAlignment);
    image_.bytes.resize((image_.bytes.size() + kAlignment - 1) / kAlignment * kAlignment,
                        0xCC);  // int3 between functions
    const uint64_t offset = image_.bytes.size();
    image_.bytes.insert(image_.bytes.end(), bytes.begin(), bytes.end());
    return {offset, bytes.size()};
  }

  CodeCache& cache_;
  CodeImage image_;
  std::unordered_map<std::string, Place> functions_;
};

}  // namespace

Result<CodeImage> emit(const Plan& plan, CodeCache& cache) {
  ImageBuilder image(cache);
  for (size_t s = 0; s < plan.steps.size(); ++s) {
    LAPIS_TRY(std::optional<StepCode> step, std::visit(Describe(plan), plan.steps[s].region));
    image.add(symbol_of(s, plan.steps[s]), std::move(step));
  }
  CodeImage made = image.take();
  const Diagnostics broken = verify(made, plan);
  LAPIS_ASSERT(broken.empty(), "code breaks its invariants:\n" << to_string(broken));
  return made;
}

Result<CodeImage> emit(const Plan& plan) {
  CodeCache cache;
  return emit(plan, cache);
}

Status emit_forms(const Plan& plan, CodeCache& cache) {
  for (const Step& step : plan.steps)
    if (const auto* loop = std::get_if<Loop>(&step.region); loop && loop->form) {
      LAPIS_TRY(const StepCode code, llvm_backend::step_code(*loop, plan));
      cache.code_of(code);
    }
  return ok();
}

}  // namespace lapis::codegen
