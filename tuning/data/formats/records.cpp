// TFRecord files of tf.train.Example: a length, a checksum, the message, a checksum.
// The message is read by its wire format alone.
#include <cstring>
#include <optional>

#include "ir/ops/loops.h"
#include "tuning/data/formats.h"
#include "tuning/data/image.h"

namespace lapis {
namespace {

using Bytes = std::span<const std::byte>;

Diagnostic bad(const Path& file, const std::string& what) {
  return error(ErrorKind::Input, what).at(file.string()).help("docs/datasets.md says what the file must hold");
}

// One field of a message at a time; ok() is false behind damaged data.
class Message {
 public:
  explicit Message(Bytes bytes) : rest_(bytes) {}

  bool next() {
    if (rest_.empty() || !ok_) return false;
    const uint64_t key = varint();
    number_ = key >> 3;
    switch (key & 7) {
      case 0: value_ = varint(); break;
      case 1: data_ = take(8); break;
      case 2: data_ = take(varint()); break;
      case 5: data_ = take(4); break;
      default: ok_ = false;
    }
    return ok_;
  }
  bool ok() const { return ok_; }
  uint64_t number() const { return number_; }
  uint64_t value() const { return value_; }
  Bytes data() const { return data_; }

  uint64_t varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (rest_.empty()) break;
      const auto byte = std::to_integer<uint64_t>(rest_[0]);
      rest_ = rest_.subspan(1);
      value |= (byte & 0x7F) << shift;
      if (byte < 0x80) return value;
    }
    ok_ = false;
    return 0;
  }
  bool empty() const { return rest_.empty(); }

 private:
  Bytes take(uint64_t size) {
    if (size > rest_.size()) {
      ok_ = false;
      return {};
    }
    const Bytes taken = rest_.first(size);
    rest_ = rest_.subspan(size);
    return taken;
  }

  Bytes rest_, data_;
  uint64_t number_ = 0, value_ = 0;
  bool ok_ = true;
};

struct Feature {
  enum class Kind { Bytes, Floats, Integers } kind = Kind::Bytes;
  Bytes bytes;  // the first string of a list of them
  std::vector<double> numbers;
};

bool append_floats(Bytes data, std::vector<double>& to) {
  for (size_t at = 0; at + 4 <= data.size(); at += 4) {
    float value = 0;
    std::memcpy(&value, data.data() + at, 4);
    to.push_back(static_cast<double>(value));
  }
  return data.size() % 4 == 0;
}

// A BytesList, FloatList or Int64List, whose field 1 repeats; numbers may be packed.
bool read_list(Bytes list, Feature& feature) {
  Message message(list);
  while (message.next()) {
    if (message.number() != 1) continue;
    if (feature.kind == Feature::Kind::Bytes && feature.bytes.empty()) feature.bytes = message.data();
    if (feature.kind == Feature::Kind::Floats && !append_floats(message.data(), feature.numbers)) return false;
    if (feature.kind != Feature::Kind::Integers) continue;
    if (message.data().empty()) {
      feature.numbers.push_back(static_cast<double>(static_cast<int64_t>(message.value())));
      continue;
    }
    Message packed(message.data());
    while (packed.ok() && !packed.empty())
      feature.numbers.push_back(static_cast<double>(static_cast<int64_t>(packed.varint())));
    if (!packed.ok()) return false;
  }
  return message.ok();
}

std::optional<Feature> read_feature(Bytes bytes) {
  Feature feature;
  Message message(bytes);
  while (message.next()) {
    if (message.number() < 1 || message.number() > 3) continue;
    feature.kind = static_cast<Feature::Kind>(message.number() - 1);
    if (!read_list(message.data(), feature)) return std::nullopt;
  }
  return message.ok() ? std::optional(feature) : std::nullopt;
}

// Example { features = 1 { feature = 1 map { key = 1, value = 2 } } }
std::optional<Feature> find_feature(Bytes example, const std::string& name) {
  Message outer(example);
  while (outer.next()) {
    if (outer.number() != 1) continue;
    Message features(outer.data());
    while (features.next()) {
      Bytes key, value;
      Message entry(features.data());
      while (entry.next()) (entry.number() == 1 ? key : value) = entry.data();
      if (std::string_view(reinterpret_cast<const char*>(key.data()), key.size()) == name) return read_feature(value);
    }
  }
  return std::nullopt;
}

struct Record {
  MappedFile file;
  Bytes bytes;
};

Result<std::vector<Record>> records_of(const Path& path) {
  constexpr size_t kHead = 12, kTail = 4;
  LAPIS_TRY(const MappedFile file, map_file(path));
  std::vector<Record> records;
  for (Bytes rest = file.bytes(); !rest.empty();) {
    uint64_t size = 0;
    if (rest.size() >= kHead) std::memcpy(&size, rest.data(), 8);
    if (rest.size() < kHead + kTail || size > rest.size() - kHead - kTail)
      return bad(path,
                 "record " + std::to_string(records.size()) + " is truncated: not a TFRecord file, or a damaged one");
    records.push_back({file, rest.subspan(kHead, size)});
    rest = rest.subspan(kHead + size + kTail);
  }
  return records;
}

Result<Tensor> bytes_as(const Settings& settings, Bytes bytes) {
  const std::string how = settings.text("bytes", "image");
  if (how == "text")
    return Tensor::strings({}, {std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size())});
  if (how == "image") return decode_image(bytes, settings.where);
  const DType dtype = settings.type("dtype");
  const Shape shape = settings.wholes("shape");
  if (shape_problem(dtype, shape) || byte_size(dtype, element_count(shape)) != static_cast<int64_t>(bytes.size()))
    return settings.problem("a record has " + std::to_string(bytes.size()) + " bytes, which are no " +
                            std::string(name_of(dtype)) + to_string(shape));
  Tensor t(dtype, shape);
  std::copy(bytes.begin(), bytes.end(), t.mutable_raw());
  return t;
}

Result<Tensor> sample(const Settings& settings, const Record& record, int64_t index) {
  const std::string name = settings.text("feature");
  const auto feature = find_feature(record.bytes, name);
  if (!feature) return settings.problem("record " + std::to_string(index) + " has no readable feature '" + name + "'");
  if (feature->kind == Feature::Kind::Bytes) return bytes_as(settings, feature->bytes);
  const auto count = static_cast<int64_t>(feature->numbers.size());
  const Shape shape = settings.has("shape") ? settings.wholes("shape") : count == 1 ? Shape{} : Shape{count};
  if (element_count(shape) != count)
    return settings.problem("record " + std::to_string(index) + " has " + std::to_string(count) +
                            " numbers, which are no " + to_string(shape));
  return ops::from_doubles(
      settings.type("dtype", feature->kind == Feature::Kind::Floats ? DType::Float32 : DType::Int64), shape,
      feature->numbers);
}

Result<Column> open_tfrecord(const Settings& settings, Role) {
  std::vector<Record> all;
  for (const Path& path : settings.files("files")) {
    LAPIS_TRY(const std::vector<Record> records, records_of(path));
    all.insert(all.end(), records.begin(), records.end());
  }
  const auto size = static_cast<int64_t>(all.size());
  return Column{
      size,
      [settings, all = std::move(all)](int64_t i) { return sample(settings, all[static_cast<size_t>(i)], i); },
      {}};
}

}  // namespace

std::vector<Format> record_formats() {
  return {{.name = "tfrecord",
           .doc = "a feature of each tf.train.Example of TFRecord files",
           .options = {{.name = "files", .kind = OptionKind::Files, .doc = "one name or a list", .required = true},
                       {.name = "feature", .doc = "its name: image/encoded, say", .required = true},
                       {.name = "bytes",
                        .doc = "what bytes are: image (default; decoded), text, raw",
                        .choices = {"image", "text", "raw"}},
                       {.name = "shape",
                        .kind = OptionKind::Wholes,
                        .doc = "of numbers and raw bytes; default: as many numbers as there are",
                        .low = 1,
                        .high = 1e12},
                       {.name = "dtype",
                        .kind = OptionKind::Type,
                        .doc = "default: float32 or int64, as the feature has it"}},
           .open = open_tfrecord}};
}

}  // namespace lapis
