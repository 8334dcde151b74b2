// FlatBuffers as they come: damaged or made to harm. Every offset, length and vtable is checked against the file, what
// is read often is limited, and the first flaw is kept while reading goes on with absent values, so that readers need
// not ask after each step.
//
//   FlatBuffer file(bytes);
//   const FlatTable model = file.root();
//   for (const FlatTable& t : model.tables(2)) names.push_back(t.text(3));
//   if (const auto& flaw = file.flaw()) return *flaw;
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/diagnostic.h"

namespace lapis::tflite_frontend {

class FlatTable;

class FlatBuffer {
 public:
  explicit FlatBuffer(std::span<const std::byte> bytes) : bytes_(bytes) {}
  FlatTable root();
  std::span<const std::byte> bytes() const { return bytes_; }
  const std::optional<Diagnostic>& flaw() const { return flaw_; }

 private:
  friend class FlatTable;
  bool inside(uint64_t at, uint64_t size) const { return at <= bytes_.size() && size <= bytes_.size() - at; }
  template <class T> T at(uint64_t where) const {  // inside() holds
    T value;
    std::memcpy(&value, bytes_.data() + where, sizeof value);
    return value;
  }
  FlatTable table(uint64_t where);
  // Where the offset that is stored at `where` leads; 0 if it is flawed.
  uint64_t follow(uint64_t where);
  // Whether `bytes` more may be read: parts that are shared must not make a small file endless.
  bool may_read(uint64_t bytes);
  void report(const char* what, uint64_t where);

  std::span<const std::byte> bytes_;
  uint64_t read_ = 0;
  std::optional<Diagnostic> flaw_;
};

// A table; one without fields if it is absent or flawed. Fields go by their slot, the position in the schema.
class FlatTable {
 public:
  FlatTable() = default;
  bool exists() const { return file_ != nullptr; }
  bool has(int slot) const { return field(slot, 1) != 0; }
  template <class T> T get(int slot, T fallback) const {
    const uint64_t where = field(slot, sizeof(T));
    return where ? file_->at<T>(where) : fallback;
  }
  FlatTable table(int slot) const;
  std::string text(int slot) const;
  std::span<const std::byte> bytes(int slot) const;  // of a vector of bytes, or of a string
  template <class T> std::vector<T> numbers(int slot) const {
    const Vector v = vector(slot, sizeof(T));
    if (!v.count || !file_->may_read(v.count * sizeof(T))) return {};
    std::vector<T> values(v.count);
    std::memcpy(values.data(), file_->bytes_.data() + v.at, v.count * sizeof(T));
    return values;
  }
  std::vector<FlatTable> tables(int slot) const;

 private:
  friend class FlatBuffer;
  struct Vector {
    uint64_t at = 0, count = 0;
  };
  FlatTable(FlatBuffer* file, uint64_t at, uint64_t vtable) : file_(file), at_(at), vtable_(vtable) {}
  uint64_t field(int slot, uint64_t size) const;  // 0: absent
  Vector vector(int slot, uint64_t element) const;

  FlatBuffer* file_ = nullptr;
  uint64_t at_ = 0, vtable_ = 0;
};

}  // namespace lapis::tflite_frontend
