#include "frontends/tflite/flatbuffer.h"

namespace lapis::tflite_frontend {
namespace {

constexpr uint64_t kWidth = sizeof(uint32_t);  // of offsets and lengths
constexpr uint64_t kVtableHead = 2 * sizeof(uint16_t);

}  // namespace

void FlatBuffer::report(const char* what, uint64_t where) {
  if (flaw_) return;
  flaw_ = error(ErrorKind::Input, std::string("the file is damaged or cut off: ") + what + " at byte " +
                                      std::to_string(where) + " does not lie within its " +
                                      std::to_string(bytes_.size()) + " bytes")
              .help("copy or convert it again");
}

bool FlatBuffer::may_read(uint64_t bytes) {
  constexpr uint64_t kFree = 1 << 20, kTimes = 16;
  read_ += bytes;
  if (read_ <= kFree + kTimes * bytes_.size()) return true;
  if (!flaw_)
    flaw_ = error(ErrorKind::Input, "the file has parts that are used again and again, out of proportion to its size")
                .help("convert it again");
  return false;
}

uint64_t FlatBuffer::follow(uint64_t where) {
  const uint64_t target = where + (inside(where, kWidth) ? at<uint32_t>(where) : 0);
  if (target != where && inside(target, kWidth)) return target;
  report("what an offset leads to", where);
  return 0;
}

FlatTable FlatBuffer::root() {
  const uint64_t where = follow(0);
  return where ? table(where) : FlatTable();
}

FlatTable FlatBuffer::table(uint64_t where) {
  const auto vtable = static_cast<int64_t>(where) - at<int32_t>(where);
  if (vtable >= 0 && inside(static_cast<uint64_t>(vtable), kVtableHead)) {
    const auto begin = static_cast<uint64_t>(vtable);
    const uint64_t vtable_size = at<uint16_t>(begin), table_size = at<uint16_t>(begin + sizeof(uint16_t));
    if (vtable_size >= kVtableHead && inside(begin, vtable_size) && inside(where, table_size))
      return {this, where, begin};
  }
  report("the description of a table", where);
  return {};
}

uint64_t FlatTable::field(int slot, uint64_t size) const {
  if (!file_) return 0;
  const uint64_t entry = kVtableHead + static_cast<uint64_t>(slot) * sizeof(uint16_t);
  if (entry + sizeof(uint16_t) > file_->at<uint16_t>(vtable_)) return 0;
  const uint64_t offset = file_->at<uint16_t>(vtable_ + entry);
  if (offset == 0) return 0;
  if (offset + size <= file_->at<uint16_t>(vtable_ + sizeof(uint16_t))) return at_ + offset;
  file_->report("a field of the table", at_);
  return 0;
}

FlatTable FlatTable::table(int slot) const {
  const uint64_t where = field(slot, kWidth);
  const uint64_t target = where ? file_->follow(where) : 0;
  return target ? file_->table(target) : FlatTable();
}

FlatTable::Vector FlatTable::vector(int slot, uint64_t element) const {
  const uint64_t where = field(slot, kWidth);
  const uint64_t target = where ? file_->follow(where) : 0;
  if (!target) return {};
  const uint64_t count = file_->at<uint32_t>(target);
  if (file_->inside(target + kWidth, count * element)) return {target + kWidth, count};
  file_->report("a list", target);
  return {};
}

std::span<const std::byte> FlatTable::bytes(int slot) const {
  const Vector v = vector(slot, 1);
  return file_ ? file_->bytes_.subspan(v.at, v.count) : std::span<const std::byte>();
}

std::string FlatTable::text(int slot) const {
  const std::span<const std::byte> all = bytes(slot);
  if (!file_ || !file_->may_read(all.size())) return {};
  return {reinterpret_cast<const char*>(all.data()), all.size()};
}

std::vector<FlatTable> FlatTable::tables(int slot) const {
  const Vector v = vector(slot, kWidth);
  std::vector<FlatTable> list;
  if (!v.count || !file_->may_read(v.count * kWidth)) return list;
  for (uint64_t i = 0; i < v.count; ++i) {
    const uint64_t target = file_->follow(v.at + i * kWidth);
    list.push_back(target ? file_->table(target) : FlatTable());
    if (file_->flaw_) break;
  }
  return list;
}

}  // namespace lapis::tflite_frontend
