#include "runtime/program.h"

#include <algorithm>
#include <cstring>

#include "runtime/routines.h"

namespace lapis {
namespace {

constexpr int64_t kMostIoBytes = int64_t{1} << 40, kMostArenaBytes = int64_t{1} << 42;
constexpr int64_t kMostUnits = int64_t{1} << 50;  // times the thread count still fits 64 bits

// Adds the bytes of a tensor to `total`; false if there cannot be so many.
bool add_bytes(const IoInfo& io, int64_t& total) {
  int64_t bytes = bit_width(io.dtype) / 8;
  bool empty = false;
  for (const int64_t d : io.shape) {
    if (d < 0 || d > kMostIoBytes) return false;
    empty = empty || d == 0;
    if (d > 1 && bytes > kMostIoBytes / d) return false;
    bytes *= d > 1 ? d : 1;
  }
  total += empty ? 0 : bytes;
  return total <= kMostIoBytes;
}

std::optional<std::string> flaw_of_io(const Program& p) {
  int64_t total = 0;
  for (const auto* list : {&p.inputs, &p.outputs})
    for (const IoInfo& io : *list) {
      if (bit_width(io.dtype) < 8) return "'" + io.name + "' has a type that no buffer can hold";
      if (!add_bytes(io, total))
        return "'" + io.name + "' " + to_string(io.shape) + " has a size that no memory can hold";
    }
  return std::nullopt;
}

// Whether a region is inside of the memory that an address is in, and is not written where it must not be.
bool holds(const Program& p, Place::Base base, uint64_t io, uint64_t offset, uint64_t bytes, bool written) {
  if (base == Place::Base::Weights) return !written && p.weights.holds(offset, bytes);
  uint64_t size = 0;
  if (base == Place::Base::Constants) size = written ? 0 : p.constants.size();
  if (base == Place::Base::Arena) size = static_cast<uint64_t>(p.arena_bytes);
  if (base == Place::Base::Io) {
    if (io >= p.inputs.size() + p.outputs.size() || (written && io < p.inputs.size())) return false;
    size = static_cast<uint64_t>((io < p.inputs.size() ? p.inputs[io] : p.outputs[io - p.inputs.size()]).bytes());
  }
  return offset <= size && bytes <= size - offset;
}

bool fits(const Program& p, const abi::Argument& a) {
  using Kind = abi::Argument::Kind;
  const auto in = [&](Place::Base base) {
    return a.within <= a.bytes && holds(p, base, a.io, a.value, a.bytes, a.written);
  };
  switch (a.kind) {
    case Kind::Number:
    case Kind::Status:
    case Kind::Process: return true;
    case Kind::Constants: return in(Place::Base::Constants);
    case Kind::Weights: return in(Place::Base::Weights);
    case Kind::Arena: return in(Place::Base::Arena);
    case Kind::Io: return in(Place::Base::Io);
  }
  return false;
}

std::optional<std::string> flaw_of_step(const Program& p, const StepInfo& s) {
  const size_t code_size = p.code.size();
  if (s.units < 0 || s.units > kMostUnits) return "step '" + s.name + "' has an impossible amount of work";
  if (!s.is_code()) return std::nullopt;
  if (s.code_offset >= code_size || s.code_size > code_size - s.code_offset)
    return "the code of step '" + s.name + "' lies outside of the code";
  for (const abi::Argument& a : s.arguments)
    if (!fits(p, a)) return "an argument of step '" + s.name + "' addresses memory outside of its buffer";
  return std::nullopt;
}

// ---- calls and control flow: addresses inside of memory, blocks inside of each other --------------------------------

class ActionCheck {
 public:
  explicit ActionCheck(const Program& p) : p_(p) {}

  std::optional<std::string> flaw_of_block(uint64_t first, uint64_t end) {
    for (uint64_t s = first; s < end;) {
      next_ = s + 1;
      end_ = end;
      auto flaw = std::visit([&](const auto& action) { return this->flaw(action); }, p_.steps[s].action);
      if (flaw) return "step '" + p_.steps[s].name + "': " + *flaw;
      s = next_;
    }
    return std::nullopt;
  }

 private:
  using Flaw = std::optional<std::string>;
  static constexpr uint64_t kMostDepth = 1000;

  bool holds(const Place& place, int64_t bytes, bool written) const {
    return bytes >= 0 && lapis::holds(p_, place.base, place.io, place.offset, static_cast<uint64_t>(bytes), written);
  }
  static bool aligned(const Place& place, uint64_t to) { return place.offset % to == 0; }

  bool holds(const TensorPlace& t, bool written) const {
    int64_t total = 0;
    return bit_width(t.dtype) >= 8 && add_bytes({"", t.dtype, t.shape}, total) && holds(t.place, t.bytes(), written) &&
           aligned(t.place, static_cast<uint64_t>(std::min(bit_width(t.dtype) / 8, 8)));
  }

  Flaw flaw(const std::monostate&) { return std::nullopt; }

  Flaw flaw(const CallInfo& call) {
    for (const TensorPlace& t : call.inputs)
      if (!holds(t, false)) return "an operand lies outside of its memory";
    for (const TensorPlace& t : call.outputs)
      if (!holds(t, true)) return "a result lies outside of its memory";
    return flaw_of_call(call);
  }

  bool is_block(uint64_t first, uint64_t end) const { return first <= end && end <= end_ && depth_ < kMostDepth; }

  Flaw flaw(const BranchInfo& b) {
    const uint64_t first = next_;
    if (!is_block(first, b.otherwise) || !is_block(b.otherwise, b.end))
      return "its blocks lie outside of the one around it";
    if (!holds(b.condition, 1, false)) return "the condition lies outside of its memory";
    if (auto inner = inside(first, b.otherwise)) return inner;
    if (auto inner = inside(b.otherwise, b.end)) return inner;
    next_ = b.end;
    return std::nullopt;
  }

  bool holds_number(const Place& place, bool written) const { return holds(place, 8, written) && aligned(place, 8); }
  bool holds(const RepeatInfo::Collection& c) const {
    int64_t all = 0;
    const bool sized = c.bytes >= 0 && c.count >= 0 && !__builtin_mul_overflow(c.bytes, c.count, &all);
    return sized && holds(c.part, c.bytes, false) && holds(c.all, all, true);
  }

  Flaw flaw(const RepeatInfo& r) {
    const uint64_t first = next_;
    if (!is_block(first, r.end)) return "its block lies outside of the one around it";
    const bool number = !r.trips || holds_number(*r.trips, false);
    const bool truth = !r.condition || holds(*r.condition, 1, false);
    if (!number || !truth || !holds_number(r.counter, true) || (!r.trips && !r.condition))
      return "its numbers lie outside of their memory";
    for (const RepeatInfo::Collection& c : r.collections)
      if (!holds(c)) return "a collection lies outside of its memory";
    if (auto inner = inside(first, r.end)) return inner;
    next_ = r.end;
    return std::nullopt;
  }

  Flaw inside(uint64_t first, uint64_t end) {
    ++depth_;
    Flaw flaw = flaw_of_block(first, end);
    --depth_;
    return flaw;
  }

  const Program& p_;
  uint64_t next_ = 0, end_ = 0, depth_ = 0;
};

bool inside(const TableInfo& t, size_t constants) {
  if (t.limits.empty() || t.offset > constants || t.offset % sizeof(int32_t) != 0) return false;
  return t.rows <= (constants - t.offset) / (t.limits.size() * sizeof(int32_t));
}

bool entries_fit(const TableInfo& t, const std::byte* entry) {
  bool fit = true;
  for (uint64_t row = 0; row < t.rows; ++row)
    for (const uint64_t limit : t.limits) {
      int32_t value;
      std::memcpy(&value, entry, sizeof value);
      fit &= value >= 0 && static_cast<uint64_t>(value) < limit;
      entry += sizeof value;
    }
  return fit;
}

}  // namespace

std::optional<std::string> flaw_of(const Program& p) {
  if (p.arena_bytes < 0 || p.arena_bytes > kMostArenaBytes)
    return "an arena of " + std::to_string(p.arena_bytes) + " bytes cannot be";
  if (auto flaw = flaw_of_io(p)) return flaw;
  for (const StepInfo& s : p.steps)
    if (auto flaw = flaw_of_step(p, s)) return flaw;
  if (auto flaw = ActionCheck(p).flaw_of_block(0, p.steps.size())) return flaw;
  for (const TableInfo& t : p.tables)
    if (!inside(t, p.constants.size())) return "a table lies outside of the constants";
  return std::nullopt;
}

std::optional<std::string> flaw_of_tables(const Program& p) {
  for (const TableInfo& t : p.tables)
    if (!entries_fit(t, p.constants.data() + t.offset))
      return "the table at byte " + std::to_string(t.offset) +
             " of the constants addresses memory outside of its buffer";
  return std::nullopt;
}

}  // namespace lapis
