#include "frontends/keras/hdf5.h"

#include <algorithm>
#include <array>
#include <unordered_set>

#include "frontends/common/bytes.h"
#include "frontends/keras/hdf5_cursor.h"

namespace lapis::keras_frontend {
namespace {

constexpr std::string_view kSignature("\x89HDF\r\n\x1a\n", 8);
constexpr uint64_t kUndefined = UINT64_MAX;

// Kinds of messages, which describe an object.
enum Message : uint64_t {
  kDataspace = 1,
  kLinkInfo = 2,
  kDatatype = 3,
  kLink = 6,
  kLayout = 8,
  kFilters = 11,
  kAttribute = 12,
  kContinuation = 16,
  kSymbolTable = 17
};

constexpr uint64_t up_to_eight(uint64_t size) { return (size + 7) / 8 * 8; }

std::string until_zero(std::string_view text) { return std::string(text.substr(0, text.find('\0'))); }

struct Type {
  enum class Kind : uint8_t { Other, Number, Text, OpenText } kind = Kind::Other;
  DType dtype = DType::Undefined;
  uint64_t size = 0;  // of an element
};

struct HdfLink {
  std::string name;
  uint64_t address;
};

// Keeps the first flaw and goes on with nothing, so that not every step must ask.
class Hdf5Reader {
 public:
  explicit Hdf5Reader(std::string_view file) : file_(file), left_((uint64_t{1} << 20) + 16 * file.size()) {}

  Result<std::unordered_map<std::string, Hdf5Object>> run() {
    const uint64_t root = root_object();
    if (!flaw_) read_group(root, "/", 0);
    if (flaw_) return *flaw_;
    return std::move(objects_);
  }

 private:
  void report(const std::string& what) {
    if (flaw_) return;
    flaw_ =
        error(ErrorKind::Input, "the HDF5 file is damaged, cut off, or of a kind that Keras does not write: " + what)
            .help("copy the file again, or save the model again");
  }

  bool take(uint64_t bytes, const char* what) {
    if (bytes <= left_) {
      left_ -= bytes;
      return true;
    }
    report(what);
    return false;
  }

  // Bytes of the file; nothing if they are not there, or too much has been read already.
  Cursor at(uint64_t address, uint64_t size, const char* what) {
    const auto part = part_of(file_, address, size);
    if (part && take(size, what)) return Cursor(*part);
    report(what);
    return {};
  }

  uint64_t root_object() {
    constexpr uint64_t kSize = 96;
    Cursor c = at(0, kSize, "its head");
    c.skip(kSignature.size());
    const uint64_t version = c.number(1);
    if (version < 2) c.skip(4);
    const uint64_t offsets = c.number(1), lengths = c.number(1);
    c.skip(version == 0 ? 9 : version == 1 ? 13 : 1);
    const uint64_t base = c.number(8);
    if (version > 3 || offsets != 8 || lengths != 8 || base != 0) report("the size of its addresses");
    c.skip(version < 2 ? 4 * 8 : 2 * 8);
    return c.number(8);
  }

  // ---- objects ------------------------------------------------------------------------------------------------------

  void read_group(uint64_t address, const std::string& path, int depth) {
    constexpr int kDeepest = 32;
    if (depth > kDeepest) return report("its groups lie within each other too deep");
    if (!seen_.insert(address).second) return report("an object has several names");
    if (!take(path.size(), "its names")) return;
    Hdf5Object object;
    links_.clear();
    filters_.clear();
    read_object(address, object);
    if (object.is_array && object.dtype != DType::Undefined) check_array(object);
    const std::vector<HdfLink> links = object.is_array ? std::vector<HdfLink>() : std::move(links_);
    if (!objects_.emplace(path, std::move(object)).second) return report("two objects have one name");
    for (const HdfLink& link : links) {
      if (flaw_) return;
      if (link.name.empty() || link.name.find('/') != std::string::npos) return report("a name");
      read_group(link.address, path == "/" ? path + link.name : path + "/" + link.name, depth + 1);
    }
  }

  void read_object(uint64_t address, Hdf5Object& object) {
    if (at(address, 4, "an object").take(4) == "OHDR") return read_new_object(address, object);
    constexpr uint64_t kHead = 16;
    Cursor head = at(address, kHead, "an object");
    const uint64_t version = head.number(1);
    head.skip(7);
    const uint64_t size = head.number(4);
    if (version != 1) return report("an object");
    std::vector<Cursor> chunks = {at(address + kHead, size, "the description of an object")};
    for (size_t i = 0; i < chunks.size() && !flaw_; ++i) {
      Cursor c = chunks[i];
      while (c.rest().size() >= 8 && !flaw_) {
        const uint64_t kind = c.number(2), length = c.number(2), flags = c.number(1);
        c.skip(3);
        read_message(kind, flags, Cursor(c.take(length)), object, chunks);
        if (c.flawed()) report("a part of an object");
      }
    }
  }

  void read_new_object(uint64_t address, Hdf5Object& object) {
    constexpr uint64_t kTimes = 0x20, kPhases = 0x10, kOrder = 4, kChecksum = 4;
    Cursor head = at(address, 6, "an object");
    head.skip(5);
    const uint64_t flags = head.number(1), width = uint64_t{1} << (flags & 3);
    const uint64_t begin = 6 + (flags & kTimes ? 16 : 0) + (flags & kPhases ? 4 : 0);
    const uint64_t size = at(address + begin, width, "an object").number(width);
    if (flaw_) return;
    std::vector<Cursor> chunks = {at(address + begin + width, size, "the description of an object")};
    for (size_t i = 0; i < chunks.size() && !flaw_; ++i) {
      Cursor c = chunks[i];
      if (i > 0) {  // what goes on elsewhere is marked and summed up
        if (c.take(4) != "OCHK" || c.rest().size() < kChecksum) return report("a part of an object");
        c = Cursor(c.take(c.rest().size() - kChecksum));
      }
      const uint64_t order = flags & kOrder ? 2 : 0;
      while (c.rest().size() >= 4 + order && !flaw_) {
        const uint64_t kind = c.number(1), length = c.number(2), message_flags = c.number(1);
        c.skip(order);
        read_message(kind, message_flags, Cursor(c.take(length)), object, chunks);
        if (c.flawed()) report("a part of an object");
      }
    }
  }

  // `parts` are those of the object, to which a continuation adds one.
  void read_message(uint64_t kind, uint64_t flags, Cursor c, Hdf5Object& object, std::vector<Cursor>& parts) {
    constexpr uint64_t kShared = 2;
    if (flags & kShared) return;  // of a kind that others name too: then the type or shape is missing here
    switch (kind) {
      case kDataspace: object.shape = dataspace(c); break;
      case kDatatype: object.dtype = datatype(c).dtype; break;
      case kLayout: read_layout(c, object); break;
      case kFilters: filters_ = filters(c); break;
      case kAttribute: read_attribute(c, object); break;
      case kSymbolTable: read_symbols(c); break;
      case kLink: read_link(c); break;
      case kLinkInfo: read_link_info(c); break;
      case kContinuation: {
        const uint64_t where = c.number(8), size = c.number(8);
        parts.push_back(at(where, size, "a part of an object"));
        break;
      }
      default: break;
    }
  }

  // ---- groups -------------------------------------------------------------------------------------------------------

  void read_symbols(Cursor& c) {
    constexpr uint64_t kHeapHead = 32;
    const uint64_t tree = c.number(8), heap = c.number(8);
    Cursor head = at(heap, kHeapHead, "a heap of names");
    if (head.take(4) != "HEAP") return report("a heap of names");
    head.skip(4);
    const uint64_t size = head.number(8);
    head.skip(8);
    const Cursor names = at(head.number(8), size, "a heap of names");
    if (!flaw_) read_tree(tree, names.rest(), 0);
  }

  void read_tree(uint64_t address, std::string_view names, int depth) {
    constexpr int kDeepest = 16;
    constexpr uint64_t kHead = 24;
    Cursor head = at(address, kHead, "a tree of names");
    if (head.take(4) != "TREE" || head.number(1) != 0 || depth > kDeepest) return report("a tree of names");
    const uint64_t level = head.number(1), used = head.number(2);
    Cursor entries = at(address + kHead, 16 * used, "a tree of names");
    for (uint64_t i = 0; i < used && !flaw_; ++i) {
      entries.skip(8);
      const uint64_t child = entries.number(8);
      level > 0 ? read_tree(child, names, depth + 1) : read_leaf(child, names);
    }
  }

  void read_leaf(uint64_t address, std::string_view names) {
    constexpr uint64_t kEntry = 40, kSoftLink = 2;
    Cursor head = at(address, 8, "a list of names");
    if (head.take(4) != "SNOD") return report("a list of names");
    head.skip(2);
    const uint64_t used = head.number(2);
    Cursor entries = at(address + 8, kEntry * used, "a list of names");
    for (uint64_t i = 0; i < used && !flaw_; ++i) {
      Cursor entry(entries.take(kEntry));
      const uint64_t name = entry.number(8), object = entry.number(8), cached = entry.number(4);
      if (name >= names.size()) return report("a name");
      if (cached != kSoftLink) add_link(until_zero(names.substr(name)), object);
    }
  }

  void add_link(std::string name, uint64_t address) {
    if (take(name.size(), "its names")) links_.push_back({std::move(name), address});
  }

  // Of small new groups; those of many names are kept otherwise, which read_link_info refuses.
  void read_link(Cursor& c) {
    constexpr uint64_t kType = 8, kOrder = 4, kEncoding = 0x10;
    c.skip(1);
    const uint64_t flags = c.number(1), type = flags & kType ? c.number(1) : 0;
    c.skip((flags & kOrder ? 8 : 0) + (flags & kEncoding ? 1 : 0));
    const uint64_t length = c.number(uint64_t{1} << (flags & 3));
    std::string name(c.take(length));
    const uint64_t object = c.number(8);
    if (type != 0) return;
    if (c.flawed()) return report("a link");
    add_link(std::move(name), object);
  }

  void read_link_info(Cursor& c) {
    c.skip(1);
    const uint64_t flags = c.number(1);
    c.skip(flags & 1 ? 8 : 0);
    if (c.number(8) != kUndefined || c.flawed()) report("a group of many names in the newest form");
  }

  // ---- types and shapes ---------------------------------------------------------------------------------------------

  Shape dataspace(Cursor& c) {
    constexpr uint64_t kMost = 32;
    const uint64_t version = c.number(1), rank = c.number(1);
    c.skip(version == 1 ? 6 : 2);
    Shape shape;
    for (uint64_t i = 0; i < std::min(rank, kMost); ++i) shape.push_back(static_cast<int64_t>(c.number(8)));
    if (c.flawed() || rank > kMost) report("the shape of a value");
    return shape;
  }

  static DType integer_type(bool is_signed, uint64_t size) {
    switch (size) {
      case 1: return is_signed ? DType::Int8 : DType::UInt8;
      case 2: return is_signed ? DType::Int16 : DType::UInt16;
      case 4: return is_signed ? DType::Int32 : DType::UInt32;
      case 8: return is_signed ? DType::Int64 : DType::UInt64;
      default: return DType::Undefined;
    }
  }

  // By how many bits its exponent and its fraction have.
  static DType float_type(Cursor& c, uint64_t size) {
    c.skip(5);
    const uint64_t exponent = c.number(1);
    c.skip(1);
    const std::array<uint64_t, 3> form = {size, exponent, c.number(1)};
    if (form == std::array<uint64_t, 3>{4, 8, 23}) return DType::Float32;
    if (form == std::array<uint64_t, 3>{8, 11, 52}) return DType::Float64;
    if (form == std::array<uint64_t, 3>{2, 5, 10}) return DType::Float16;
    return form == std::array<uint64_t, 3>{2, 8, 7} ? DType::BFloat16 : DType::Undefined;
  }

  Type datatype(Cursor& c) {
    enum Class : uint64_t { Integer = 0, Float = 1, String = 3, Enumeration = 8, Open = 9 };
    constexpr uint64_t kBigEndian = 1, kSigned = 8, kClass = 15, kString = 1;
    const uint64_t kind = c.number(1) & kClass, bits = c.number(3), size = c.number(4);
    if (c.flawed()) report("a type");
    if (kind == String) return {Type::Kind::Text, DType::Undefined, size};
    if (kind == Open && (bits & kClass) == kString) return {Type::Kind::OpenText, DType::Undefined, size};
    DType dtype = DType::Undefined;
    if (kind == Integer && !(bits & kBigEndian)) dtype = integer_type((bits & kSigned) != 0, size);
    if (kind == Float && !(bits & kBigEndian)) dtype = float_type(c, size);
    if (kind == Enumeration && size == 1) dtype = DType::UInt8;  // numpy's truth values
    return {dtype == DType::Undefined ? Type::Kind::Other : Type::Kind::Number, dtype, size};
  }

  // ---- arrays -------------------------------------------------------------------------------------------------------

  void read_layout(Cursor& c, Hdf5Object& object) {
    enum Class : uint64_t { Compact = 0, Contiguous = 1, Chunked = 2 };
    object.is_array = true;
    const uint64_t version = c.number(1);
    if (version != 3 && version != 4) {
      object.unsupported = "in a form that is older than HDF5 1.6.3";
      return;
    }
    const uint64_t kind = c.number(1);
    if (kind == Compact) {
      object.size = c.number(2);
      object.at = static_cast<uint64_t>(c.rest().data() - file_.data());
      if (object.size > c.rest().size()) report("the values of an array");
    } else if (kind == Contiguous) {
      object.at = c.number(8);
      object.size = c.number(8);
    } else if (kind == Chunked && version == 3) {
      object.chunks = chunks(c);
    } else {
      object.unsupported = "in chunks of the newest form";
    }
  }

  // The last size is that of an element.
  Chunks chunks(Cursor& c) {
    const uint64_t axes = c.number(1);
    Chunks result;
    result.tree = c.number(8);
    for (uint64_t axis = 0; axis + 1 < axes; ++axis) result.sizes.push_back(static_cast<int64_t>(c.number(4)));
    if (c.flawed()) report("the chunks of an array");
    return result;
  }

  std::vector<uint64_t> filters(Cursor& c) {
    constexpr uint64_t kFirstNamed = 256;
    const uint64_t version = c.number(1), count = c.number(1);
    c.skip(version == 1 ? 6 : 0);
    std::vector<uint64_t> numbers;
    for (uint64_t i = 0; i < count; ++i) {
      numbers.push_back(c.number(2));
      const uint64_t name = version == 1 || numbers.back() >= kFirstNamed ? c.number(2) : 0;
      c.skip(2);
      const uint64_t values = c.number(2);
      c.skip(version == 1 ? up_to_eight(name) : name);
      c.skip(4 * (version == 1 ? values + values % 2 : values));
    }
    if (c.flawed()) report("the filters of an array");
    return numbers;
  }

  // The numbers must lie within the file, and be as many as type and shape say.
  void check_array(Hdf5Object& object) {
    if (object.chunks) object.chunks->filters = std::move(filters_);
    if (!object.unsupported.empty()) return;
    if (const auto problem = shape_problem(object.dtype, object.shape)) return report(*problem);
    const auto wanted = static_cast<uint64_t>(byte_size(object.dtype, element_count(object.shape)));
    if (wanted == 0 || object.chunks) return;
    if (object.at == kUndefined)
      object.unsupported = "without values";
    else if (object.size < wanted || !part_of(file_, object.at, wanted))
      report("the values of an array");
  }

  // ---- attributes ---------------------------------------------------------------------------------------------------

  void read_attribute(Cursor& c, Hdf5Object& object) {
    const uint64_t version = c.number(1), flags = c.number(1);
    const uint64_t name_size = c.number(2), type_size = c.number(2), space_size = c.number(2);
    c.skip(version == 3 ? 1 : 0);
    const auto padded = [&](uint64_t size) { return version == 1 ? up_to_eight(size) : size; };
    std::string name = until_zero(c.take(padded(name_size)));
    Cursor type(c.take(padded(type_size))), space(c.take(padded(space_size)));
    if (c.flawed() || version < 1 || version > 3) return report("an attribute");
    if (version > 1 && flags != 0) return;  // of a type that stands elsewhere, which Keras' texts have not
    const Type of = datatype(type);
    if (of.kind != Type::Kind::Text && of.kind != Type::Kind::OpenText) return;
    object.texts.insert_or_assign(std::move(name), read_texts(c, of, dataspace(space)));
  }

  std::vector<std::string> read_texts(Cursor& c, const Type& of, const Shape& shape) {
    std::vector<std::string> texts;
    if (flaw_ || shape_problem(DType::UInt8, shape) || of.size == 0) {
      report("an attribute");
      return texts;
    }
    for (int64_t i = element_count(shape); i > 0 && !flaw_; --i) {
      Cursor element(c.take(of.size));
      if (c.flawed()) report("an attribute");
      texts.push_back(of.kind == Type::Kind::Text ? until_zero(element.rest()) : open_text(element));
    }
    return texts;
  }

  // Text of any length lies in a heap that all share.
  std::string open_text(Cursor& element) {
    constexpr uint64_t kHead = 16;
    const uint64_t length = element.number(4), address = element.number(8), index = element.number(4);
    if (length == 0) return {};
    Cursor head = at(address, kHead, "a heap of values");
    if (head.take(4) != "GCOL") report("a heap of values");
    head.skip(4);
    const uint64_t size = head.number(8);
    const auto heap = part_of(file_, address, size);
    if (!heap || size < kHead) report("a heap of values");
    if (flaw_) return {};
    const std::string_view text = heap_object(Cursor(heap->substr(kHead)), index);
    if (length > text.size()) report("a heap of values");
    return flaw_ || !take(length, "a heap of values") ? std::string() : std::string(text.substr(0, length));
  }

  std::string_view heap_object(Cursor heap, uint64_t index) {
    constexpr uint64_t kHead = 16;
    while (heap.rest().size() >= kHead && take(kHead, "a heap of values")) {
      const uint64_t number = heap.number(2);
      heap.skip(6);
      const uint64_t size = heap.number(8);
      if (number == 0 || size > heap.rest().size()) break;
      const std::string_view content = heap.take(size);
      if (number == index) return content;
      heap.skip(std::min<uint64_t>(up_to_eight(size) - size, heap.rest().size()));
    }
    return {};
  }

  const std::string_view file_;
  uint64_t left_;  // bytes that may still be read
  std::optional<Diagnostic> flaw_;
  std::unordered_set<uint64_t> seen_;  // addresses
  std::unordered_map<std::string, Hdf5Object> objects_;
  // Of the object that is being read:
  std::vector<HdfLink> links_;
  std::vector<uint64_t> filters_;
};

}  // namespace

bool Hdf5::is_one(std::span<const std::byte> bytes) {
  return bytes.size() >= kSignature.size() && std::memcmp(bytes.data(), kSignature.data(), kSignature.size()) == 0;
}

Result<Hdf5> Hdf5::open(const MappedFile& file) {
  if (!is_one(file.bytes())) return error(ErrorKind::Input, "is no HDF5 file");
  LAPIS_TRY(Objects objects, Hdf5Reader({reinterpret_cast<const char*>(file.data.get()), file.size}).run());
  return Hdf5(file, std::move(objects));
}

Hdf5::Hdf5(MappedFile file, Objects objects) : file_(std::move(file)), objects_(std::move(objects)) {
  constexpr uint64_t kFreeBytes = uint64_t{64} << 20, kTimesFile = 64;
  left_ = kFreeBytes + kTimesFile * file_.size;
}

std::optional<std::vector<std::string>> Hdf5::texts(const std::string& path, const std::string& attribute) const {
  const auto object = objects_.find(path);
  if (object == objects_.end()) return std::nullopt;
  const auto& all = object->second.texts;
  if (const auto it = all.find(attribute); it != all.end()) return it->second;
  std::vector<std::string> joined;
  size_t parts = 0;
  for (auto it = all.find(attribute + "0"); it != all.end(); it = all.find(attribute + std::to_string(++parts)))
    joined.insert(joined.end(), it->second.begin(), it->second.end());
  return parts == 0 ? std::nullopt : std::optional(joined);
}

std::optional<std::string> Hdf5::text(const std::string& path, const std::string& attribute) const {
  const auto all = texts(path, attribute);
  return all && all->size() == 1 ? std::optional((*all)[0]) : std::nullopt;
}

Result<Tensor> Hdf5::tensor(const std::string& path) {
  const auto it = objects_.find(path);
  if (it == objects_.end() || !it->second.is_array)
    return error(ErrorKind::Input, "the file has no array '" + path + "'");
  const Hdf5Object& object = it->second;
  if (!object.unsupported.empty() || object.dtype == DType::Undefined)
    return error(ErrorKind::Unsupported,
                 "array '" + path + "' " + (object.unsupported.empty() ? "of its type" : object.unsupported))
        .help("save the model again with Keras");
  if (element_count(object.shape) == 0) return Tensor(object.dtype, object.shape);
  if (object.chunks) return read_chunks(file_, object.dtype, object.shape, *object.chunks, left_);
  return frontend::over_bytes(object.dtype, object.shape,
                              std::shared_ptr<const std::byte>(file_.data, file_.data.get() + object.at));
}

}  // namespace lapis::keras_frontend
