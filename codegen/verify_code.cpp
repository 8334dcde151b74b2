#include "codegen/verify_code.h"

#include <algorithm>

#include "codegen/lower/memory.h"
#include "codegen/step_code.h"

namespace lapis::codegen {
namespace {

using Kind = abi::Argument::Kind;

bool is_code(const Region& region) {
  return std::holds_alternative<Loop>(region) || std::holds_alternative<Contraction>(region);
}

std::vector<int> stored_buffers(const Loop& loop) {
  std::vector<int> buffers;
  for (const Loop::Phase& phase : loop.phases)
    for (const Loop::Store& s : phase.stores) buffers.push_back(loop.views[static_cast<size_t>(s.view)].buffer);
  return buffers;
}
std::vector<int> stored_buffers(const Contraction& c) { return {c.output.buffer}; }
template <class Other> std::vector<int> stored_buffers(const Other&) { return {}; }

class Verifier {
 public:
  Verifier(const CodeImage& image, const Plan& plan) : image_(image), plan_(plan) {}

  Diagnostics run() {
    if (image_.symbols.size() != plan_.steps.size()) {
      found_.push_back(error(ErrorKind::Internal, "the code has other steps than its plan").at("code"));
      return std::move(found_);
    }
    for (step_ = 0; step_ < plan_.steps.size(); ++step_) check(image_.symbols[step_], plan_.steps[step_].region);
    return std::move(found_);
  }

 private:
  void require(bool holds, const std::string& what) {
    if (!holds)
      found_.push_back(error(ErrorKind::Internal, what)
                           .at("step " + std::to_string(step_) + " '" + name_of(plan_.steps[step_].region) + "'"));
  }

  void check(const CodeImage::Symbol& symbol, const Region& region) {
    const uint64_t bytes = image_.bytes.size();
    require(symbol.offset <= bytes && symbol.size <= bytes - symbol.offset, "its function lies outside of the code");
    require((symbol.size > 0) == is_code(region), "it is code without a function, or has one and is no code");
    const std::vector<int> touched = touched_buffers(region);
    for (const abi::Argument& a : symbol.arguments) {
      if (a.kind == Kind::Number || a.kind == Kind::Status) continue;
      const bool buffer = std::ranges::any_of(touched, [&](int b) { return is_address_of(a, b); });
      require(buffer || is_packed(a, region) || is_library(a, region), "it gets the address of what it does not touch");
      require(!a.written || is_writable(a), "it may store to what nobody may store to");
    }
    for (const int stored : std::visit([](const auto& r) { return stored_buffers(r); }, region))
      require(std::ranges::any_of(symbol.arguments,
                                  [&](const abi::Argument& a) { return a.written && is_address_of(a, stored); }),
              "it stores to what is not marked as written");
    if (const auto* loop = std::get_if<Loop>(&region)) require(form_fits(*loop), "its form is that of another loop");
  }

  bool is_address_of(const abi::Argument& a, int buffer) const {
    const abi::Argument whole = address_in(plan_, buffer, 0, false);
    return a.kind == whole.kind && a.io == whole.io && a.value == whole.value && a.bytes == whole.bytes &&
           a.within <= a.bytes;
  }

  bool is_writable(const abi::Argument& a) const {
    return a.kind == Kind::Arena || (a.kind == Kind::Io && a.io >= plan_.inputs.size());
  }

  static bool is_packed(const abi::Argument& a, const Region& region) {
    const auto* c = std::get_if<Contraction>(&region);
    if (!c || a.within != 0) return false;
    for (size_t part = 0; part < c->packed_offset.size(); ++part)
      if (a == bytes_at(part == 0 ? Kind::Weights : Kind::Constants, c->packed_offset[part], c->packed_bytes[part]))
        return true;
    return false;
  }

  static bool is_library(const abi::Argument& a, const Region& region) {
    const auto* c = std::get_if<Contraction>(&region);
    if (!c || !c->library || a.kind != Kind::Process) return false;
    return a.value == reinterpret_cast<uint64_t>(c->library->function) ||
           a.value == reinterpret_cast<uint64_t>(c->library->context.get());
  }

  static bool form_fits(const Loop& loop) {
    if (!loop.form) return true;
    const LoopForm& form = *loop.form;
    const size_t rank = loop.domain.size();
    const auto follows = [&](const auto& list) { return list.size() == rank; };
    return follows(form.domain) && follows(form.free) && form.strides.size() == loop.views.size() &&
           form.free_strides.size() == loop.views.size() && std::ranges::all_of(form.strides, follows) &&
           std::ranges::all_of(form.free_strides, follows);
  }

  const CodeImage& image_;
  const Plan& plan_;
  size_t step_ = 0;
  Diagnostics found_;
};

}  // namespace

Diagnostics verify(const CodeImage& image, const Plan& plan) { return Verifier(image, plan).run(); }

}  // namespace lapis::codegen
