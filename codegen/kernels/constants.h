// The image of constants while it is built: equal bytes are stored once, whoever asks for them. A weight that eight layers share, and
// the tables of layers of equal shape, take their place once; so does what variants of a model for several machines have in common.
#pragma once

#include <span>
#include <unordered_map>

#include "codegen/plan.h"

namespace lapis::kernels {

class ConstantPool {
 public:
  explicit ConstantPool(Plan& plan) : plan_(plan) {}
  // Begins with all constants of another plan, so that those of both are there once and at the same offsets.
  void begin_with(const Plan& other);
  // The offset of these bytes in plan.constants, aligned for every use.
  int64_t add(std::span<const uint8_t> bytes);

 private:
  struct Place {
    int64_t offset, bytes;
  };
  bool holds(const Place& place, std::span<const uint8_t> bytes) const;
  void know(const Plan& plan, const Place& place);

  Plan& plan_;
  std::unordered_multimap<uint64_t, Place> known_;  // by content
};

}  // namespace lapis::kernels
