#include "runtime/program.h"

#include <cstring>

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

std::optional<std::string> flaw_of_step(const StepInfo& s, size_t code_size) {
  if (s.units < 0 || s.units > kMostUnits) return "step '" + s.name + "' has an impossible amount of work";
  if (s.code_offset >= code_size || s.code_size > code_size - s.code_offset)
    return "the code of step '" + s.name + "' lies outside of the code";
  return std::nullopt;
}

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
    if (auto flaw = flaw_of_step(s, p.code.size())) return flaw;
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
