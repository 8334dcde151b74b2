#include "frontends/tensorflow/bundle.h"

#include <cstdio>
#include <cstring>

#include "frontends/common/protobuf.h"
#include "frontends/tensorflow/graph_def.h"

namespace lapis::tensorflow_frontend {
namespace {

using frontend::ProtoReader;

Diagnostic damaged(std::string message) {
  return error(ErrorKind::Input, std::move(message)).help("copy the whole folder of the model again");
}

// Numbers in front of strings, as LevelDB and Snappy write them.
class Bytes {
 public:
  explicit Bytes(std::string_view bytes) : rest_(bytes) {}
  bool empty() const { return rest_.empty(); }
  bool flawed() const { return flawed_; }

  uint64_t varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(rest_[0]);
      rest_.remove_prefix(1);
      value |= static_cast<uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return value;
    }
    flawed_ = true;
    return 0;
  }
  std::string_view take(uint64_t count) {
    if (count > rest_.size()) {
      flawed_ = true;
      return {};
    }
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }
  uint64_t fixed(size_t width) {
    uint64_t value = 0;
    const std::string_view bytes = take(width);
    if (!bytes.empty()) std::memcpy(&value, bytes.data(), bytes.size());
    return value;
  }

 private:
  std::string_view rest_;
  bool flawed_ = false;
};

// ---- tables ---------------------------------------------------------------------------------------------------------

constexpr size_t kFooter = 48, kTrailer = 5, kMostExpansion = 64;

class Table {
 public:
  explicit Table(std::string_view file) : file_(file), left_(kMostExpansion * file.size()) {}

  Result<std::map<std::string, std::string>> entries() {
    constexpr uint64_t kMagic = 0xdb4775248b80fb57;
    if (file_.size() < kFooter || Bytes(file_.substr(file_.size() - 8)).fixed(8) != kMagic)
      return damaged("the table of variables is no table, or cut off");
    Bytes footer(file_.substr(file_.size() - kFooter));
    footer.varint();  // the metaindex, which TensorFlow leaves empty
    footer.varint();
    const uint64_t at = footer.varint(), size = footer.varint();
    std::map<std::string, std::string> index;
    LAPIS_CHECK(read_block(at, size, index));
    std::map<std::string, std::string> all;
    for (const auto& [last, handle] : index) {
      Bytes where(handle);
      const uint64_t begin = where.varint(), length = where.varint();
      if (where.flawed()) return damaged("the table of variables has a flawed index");
      LAPIS_CHECK(read_block(begin, length, all));
    }
    return all;
  }

 private:
  Result<std::string> block(uint64_t at, uint64_t size) {
    if (size > file_.size() || at > file_.size() - size || file_.size() - size - at < kTrailer)
      return damaged("the table of variables has a block beyond its end");
    const std::string_view content = file_.substr(at, size);
    const char compression = file_[at + size];
    if (compression != 0 && compression != 1)
      return error(ErrorKind::Unsupported,
                   "a table of variables with compression number " + std::to_string(compression));
    if (size > left_) return damaged("the table of variables reads its blocks again and again");
    left_ -= size;
    if (compression == 0) return std::string(content);
    LAPIS_TRY(std::string expanded, decompress_snappy(content, left_));
    left_ -= expanded.size();
    return expanded;
  }

  // Entries share the beginning of their keys with the one before.
  Status read_block(uint64_t at, uint64_t size, std::map<std::string, std::string>& to) {
    LAPIS_TRY(const std::string content, block(at, size));
    constexpr size_t kWidth = 4;
    if (content.size() < kWidth) return damaged("the table of variables has an empty block");
    const uint64_t restarts = Bytes(std::string_view(content).substr(content.size() - kWidth)).fixed(kWidth);
    if (restarts > content.size() / kWidth - 1) return damaged("the table of variables has a flawed block");
    Bytes entries(std::string_view(content).substr(0, content.size() - kWidth * (restarts + 1)));
    std::string key;
    while (!entries.empty()) {
      const uint64_t shared = entries.varint(), more = entries.varint(), length = entries.varint();
      const std::string_view rest = entries.take(more), value = entries.take(length);
      if (entries.flawed() || shared > key.size() || shared + value.size() > left_)
        return damaged("the table of variables has a flawed entry");
      left_ -= shared + value.size();
      key.resize(shared);
      key += rest;
      to.insert_or_assign(key, std::string(value));
    }
    return ok();
  }

  std::string_view file_;
  uint64_t left_;  // bytes that may still be read: blocks may overlap
};

// ---- entries --------------------------------------------------------------------------------------------------------

struct Entry {
  DType dtype = DType::Undefined;
  ShapeProto shape = std::vector<int64_t>();
  uint64_t shard = 0, offset = 0, size = 0;
  bool in_parts = false;
};

Result<Entry> entry_of(std::string_view message) {
  enum Field { Type = 1, Shape = 2, Shard = 3, Offset = 4, Size = 5, Slices = 7 };
  Entry e;
  ProtoReader fields(message);
  while (const auto field = fields.next()) {
    switch (field->number) {
      case Type: e.dtype = dtype_of(field->value); break;
      case Shard: e.shard = field->value; break;
      case Offset: e.offset = field->value; break;
      case Size: e.size = field->value; break;
      case Slices: e.in_parts = true; break;
      case Shape: {
        LAPIS_TRY(e.shape, parse_shape(field->bytes));
        break;
      }
      default: break;
    }
  }
  if (fields.flawed() || !e.shape) return damaged("the description of a variable is flawed");
  return e;
}

uint64_t shard_count(std::string_view header) {
  uint64_t count = 0;
  ProtoReader fields(header);
  while (const auto field = fields.next())
    if (field->number == 1 && field->is_number()) count = field->value;
  return count;
}

Path shard_of(const Path& prefix, uint64_t i, uint64_t count) {
  char ending[64];
  std::snprintf(ending, sizeof ending, ".data-%05llu-of-%05llu", static_cast<unsigned long long>(i),
                static_cast<unsigned long long>(count));
  return prefix.string() + ending;
}

}  // namespace

Result<std::map<std::string, std::string>> read_table(std::string_view file) { return Table(file).entries(); }

Result<Bundle> Bundle::open(const Path& prefix) {
  constexpr uint64_t kMostShards = 1 << 12;
  Bundle bundle;
  LAPIS_TRY(const MappedFile index, map_file(prefix.string() + ".index"));
  LAPIS_TRY(bundle.entries_, read_table(text_of(index.bytes())));
  const auto header = bundle.entries_.find("");
  if (header == bundle.entries_.end()) return damaged("the table of variables has no header");
  const uint64_t shards = shard_count(header->second);
  if (shards > kMostShards) return damaged("the table of variables has " + std::to_string(shards) + " files");
  bundle.entries_.erase(header);
  bundle.bytes_ = index.size;
  for (uint64_t i = 0; i < shards; ++i) {
    LAPIS_TRY(bundle.shards_.emplace_back(), map_file(shard_of(prefix, i, shards)));
    bundle.bytes_ += bundle.shards_.back().size;
  }
  return bundle;
}

Result<Tensor> Bundle::tensor(const std::string& name, frontend::Expansion& copies) const {
  const auto found = entries_.find(name);
  if (found == entries_.end()) return damaged("the variables have no '" + name + "'");
  LAPIS_TRY(Entry e, entry_of(found->second));
  if (e.in_parts) return error(ErrorKind::Unsupported, "variable '" + name + "' in several parts");
  if (e.dtype == DType::Undefined || bit_width(e.dtype) < 8)
    return error(ErrorKind::Unsupported, "variable '" + name + "' of its type");
  if (e.shard >= shards_.size()) return damaged("variable '" + name + "' lies in a file that is not there");
  const MappedFile& file = shards_[e.shard];
  if (e.size > file.size || e.offset > file.size - e.size)
    return damaged("variable '" + name + "' should be " + std::to_string(e.size) + " bytes from byte " +
                   std::to_string(e.offset) + " on, but its file ends after " + std::to_string(file.size));
  const std::string_view content = text_of(file.bytes()).substr(e.offset, e.size);
  return tensor_of(e.dtype, *std::move(e.shape), content, file.data, copies);
}

std::vector<std::string> Bundle::names() const {
  std::vector<std::string> all;
  for (const auto& [name, entry] : entries_) all.push_back(name);
  return all;
}

// Literals, and copies of what stands a given distance back.
Result<std::string> decompress_snappy(std::string_view bytes, size_t most) {
  const auto flawed = [] { return damaged("a compressed block is flawed"); };
  Bytes in(bytes);
  const uint64_t size = in.varint();
  if (in.flawed() || size > most) return flawed();
  std::string out;
  while (!in.empty()) {
    const uint64_t tag = in.fixed(1), kind = tag & 3, upper = tag >> 2;
    if (kind == 0) {
      constexpr uint64_t kLong = 60;  // from here on it says how many bytes the length has
      const uint64_t length = 1 + (upper < kLong ? upper : in.fixed(upper - kLong + 1));
      out += in.take(length);
    } else {
      const uint64_t length = kind == 1 ? 4 + (upper & 7) : 1 + upper;
      const uint64_t back = kind == 1 ? ((upper >> 3) << 8 | in.fixed(1)) : in.fixed(kind == 2 ? 2 : 4);
      if (back == 0 || back > out.size()) return flawed();
      for (uint64_t i = 0; i < length; ++i) out += out[out.size() - back];
    }
    if (in.flawed() || out.size() > size) return flawed();
  }
  return out.size() == size ? Result<std::string>(std::move(out)) : flawed();
}

}  // namespace lapis::tensorflow_frontend
