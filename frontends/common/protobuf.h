// Protobuf's wire format, read without a schema and without copies:
// strings and messages are views of the bytes. Whatever the bytes are, reading ends.
//
//   ProtoReader fields(bytes);
//   while (const auto field = fields.next())
//     if (field->number == 1) name = field->bytes;
//   if (fields.flawed()) ...   // the message ends within a field, or has one that cannot be
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lapis::frontend {

struct ProtoField {
  enum Wire : uint64_t { Varint = 0, Fixed64 = 1, Bytes = 2, Fixed32 = 5 };
  uint64_t number = 0, wire_type = 0;
  uint64_t value = 0;      // of a number, or how many bytes there are
  std::string_view bytes;  // of a string, a message, or packed numbers

  bool has_bytes() const { return wire_type == Bytes; }
  bool is_number() const { return wire_type == Varint; }
  int64_t as_int() const { return static_cast<int64_t>(value); }
  float as_float() const;
  double as_double() const;
};

class ProtoReader {
 public:
  explicit ProtoReader(std::string_view bytes) : bytes_(bytes) {}

  // The next field; none at the end, and after a flaw.
  std::optional<ProtoField> next();
  bool flawed() const { return flawed_; }

 private:
  std::optional<ProtoField> read();
  std::optional<uint64_t> varint();
  std::optional<uint64_t> fixed(size_t width);

  std::string_view bytes_;
  size_t at_ = 0;
  bool flawed_ = false;
};

// The numbers of a repeated field, one by one or packed, as bits: of varints, or of `width` bytes each.
// False if they are flawed.
bool append_numbers(const ProtoField& field, ProtoField::Wire wire, std::vector<uint64_t>& numbers);

// A number in as few bytes as it takes.
void append_varint(std::string& to, uint64_t value);

}  // namespace lapis::frontend
