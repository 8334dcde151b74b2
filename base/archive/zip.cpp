#include "base/archive/zip.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>

namespace lapis {
namespace {

constexpr int kRawDeflate = -15, kZlib = 15, kGzip = 15 + 16;

Diagnostic bad(const std::string& what) { return error(ErrorKind::Input, what); }

// Little-endian numbers; false behind the end.
template <class T> bool read_at(const MappedFile& file, uint64_t at, T& to) {
  if (at > file.size || sizeof(T) > file.size - at) return false;
  std::memcpy(&to, file.data.get() + at, sizeof(T));
  return true;
}

MappedFile owning(std::vector<std::byte> bytes) {
  const auto owner = std::make_shared<const std::vector<std::byte>>(std::move(bytes));
  return {std::shared_ptr<const std::byte>(owner, owner->data()), owner->size()};
}

// Of one inflate stream from `packed`, `size` bytes if that is known.
class Inflater {
 public:
  Inflater(int window, std::span<const std::byte> packed) {
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(packed.data()));
    rest_ = packed.size();
    ready_ = inflateInit2(&stream_, window) == Z_OK;
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  ~Inflater() {
    if (ready_) inflateEnd(&stream_);
  }

  std::optional<std::vector<std::byte>> all(uint64_t most) {
    constexpr size_t kStep = size_t{1} << 20;
    std::vector<std::byte> out;
    for (int state = ready_ ? Z_OK : Z_MEM_ERROR; state != Z_STREAM_END;) {
      if (state != Z_OK || out.size() > most) return std::nullopt;
      const size_t before = out.size();
      out.resize(before + kStep);
      stream_.next_out = reinterpret_cast<Bytef*>(out.data() + before);
      stream_.avail_out = kStep;
      stream_.avail_in = static_cast<uInt>(std::min<uint64_t>(rest_, kStep));
      const uInt given = stream_.avail_in;
      state = inflate(&stream_, Z_NO_FLUSH);
      rest_ -= given - stream_.avail_in;
      out.resize(out.size() - stream_.avail_out);
    }
    return out;
  }

 private:
  z_stream stream_ = {};
  uint64_t rest_ = 0;
  bool ready_ = false;
};

constexpr uint32_t kEndSignature = 0x06054b50, kEntrySignature = 0x02014b50, kLocalSignature = 0x04034b50;
constexpr uint32_t kLargeEndSignature = 0x06064b50, kLocatorSignature = 0x07064b50;
constexpr uint64_t kEndSize = 22, kEntrySize = 46, kLocalSize = 30, kLocatorSize = 20;

struct Directory {
  uint64_t offset = 0, count = 0;
};

// Of archives beyond 4 GB or 65535 entries: a locator in front of the end record leads to a larger one.
std::optional<Directory> large_directory_of(const MappedFile& archive, uint64_t end) {
  uint32_t locator = 0, signature = 0;
  uint64_t at = 0;
  Directory found;
  const bool is_whole = end >= kLocatorSize && read_at(archive, end - kLocatorSize, locator) &&
                        locator == kLocatorSignature && read_at(archive, end - kLocatorSize + 8, at) &&
                        read_at(archive, at, signature) && signature == kLargeEndSignature &&
                        at <= archive.size - kEndSize && read_at(archive, at + 32, found.count) &&
                        read_at(archive, at + 48, found.offset);
  return is_whole ? std::optional(found) : std::nullopt;
}

// The end record is the last thing in the file but for a comment.
std::optional<Directory> directory_of(const MappedFile& archive) {
  for (uint64_t back = kEndSize; back <= std::min<uint64_t>(archive.size, kEndSize + 65535); ++back) {
    const uint64_t at = archive.size - back;
    uint32_t signature = 0, offset = 0;
    uint16_t count = 0;
    if (!read_at(archive, at, signature) || signature != kEndSignature || !read_at(archive, at + 10, count) ||
        !read_at(archive, at + 16, offset))
      continue;
    if (count == 0xFFFF || offset == 0xFFFFFFFF)
      if (const auto large = large_directory_of(archive, at)) return large;
    return Directory{offset, count};
  }
  return std::nullopt;
}

// The sizes and the offset of an entry of 4 GB or more are in its extra field: numpy writes one always.
bool read_large_sizes(const MappedFile& archive, uint64_t at, uint64_t end, ZipEntry& entry) {
  while (at + 4 <= end) {
    uint16_t id = 0, size = 0;
    if (!read_at(archive, at, id) || !read_at(archive, at + 2, size)) return false;
    uint64_t field = at + 4;
    if (id == 1)
      for (uint64_t* value : {&entry.size, &entry.packed, &entry.offset})
        if (*value == 0xFFFFFFFF) {
          if (!read_at(archive, field, *value)) return false;
          field += 8;
        }
    at += 4 + size;
  }
  return true;
}

// The entry at `at`, which moves to the next.
std::optional<ZipEntry> entry_at(const MappedFile& archive, uint64_t& at) {
  uint32_t signature = 0, packed = 0, size = 0, offset = 0;
  uint16_t method = 0, name = 0, extra = 0, comment = 0;
  const bool whole =
      read_at(archive, at, signature) && signature == kEntrySignature && read_at(archive, at + 10, method) &&
      read_at(archive, at + 20, packed) && read_at(archive, at + 24, size) && read_at(archive, at + 28, name) &&
      read_at(archive, at + 30, extra) && read_at(archive, at + 32, comment) && read_at(archive, at + 42, offset);
  const uint64_t names = at + kEntrySize;
  if (!whole || names + name + extra > archive.size || (method != 0 && method != Z_DEFLATED)) return std::nullopt;
  ZipEntry entry{std::string(reinterpret_cast<const char*>(archive.data.get() + names), name), offset, packed, size,
                 method != 0};
  if (!read_large_sizes(archive, names + name, names + name + extra, entry)) return std::nullopt;
  at = names + name + extra + comment;
  return entry;
}

}  // namespace

Result<std::vector<ZipEntry>> zip_entries(const MappedFile& archive) {
  const auto directory = directory_of(archive);
  if (!directory) return bad("not a zip archive, or cut off");
  std::vector<ZipEntry> entries;
  uint64_t at = directory->offset;
  for (uint64_t i = 0; i < directory->count; ++i) {
    const auto entry = entry_at(archive, at);
    if (!entry)
      return bad("entry " + std::to_string(i) +
                 " of the archive is damaged, encrypted, or compressed in an unknown way");
    entries.push_back(*entry);
  }
  return entries;
}

Result<MappedFile> unzipped(const MappedFile& archive, const ZipEntry& entry, uint64_t most) {
  uint32_t signature = 0;
  uint16_t name = 0, extra = 0;
  if (!read_at(archive, entry.offset, signature) || signature != kLocalSignature ||
      !read_at(archive, entry.offset + 26, name) || !read_at(archive, entry.offset + 28, extra))
    return bad("the archive has nothing where '" + entry.name + "' should be");
  const uint64_t begin = entry.offset + kLocalSize + name + extra;
  if (begin > archive.size || entry.packed > archive.size - begin)
    return bad("the archive ends inside of '" + entry.name + "'");
  if (!entry.is_deflated)
    return MappedFile{std::shared_ptr<const std::byte>(archive.data, archive.data.get() + begin), entry.packed};
  if (entry.size > most)
    return bad("'" + entry.name + "' unfolds to " + std::to_string(entry.size) + " bytes, which is out of proportion");
  auto bytes = Inflater(kRawDeflate, archive.bytes().subspan(begin, entry.packed)).all(entry.size);
  if (!bytes || bytes->size() != entry.size) return bad("'" + entry.name + "' is damaged");
  return owning(*std::move(bytes));
}

std::optional<std::vector<std::byte>> unfold(std::span<const std::byte> packed, uint64_t most) {
  auto bytes = Inflater(kZlib, packed).all(most);
  return bytes && bytes->size() <= most ? std::move(bytes) : std::nullopt;
}

Result<MappedFile> map_maybe_gzip(const Path& path) {
  LAPIS_TRY(const MappedFile file, map_file(path));
  uint16_t magic = 0;
  if (!read_at(file, 0, magic) || magic != 0x8b1f) return file;
  auto bytes = Inflater(kGzip, file.bytes()).all(kMostUnzipped);
  if (!bytes)
    return error(ErrorKind::Input, "the compressed data is damaged").at(path.string()).help("`gunzip -t` checks it");
  return owning(*std::move(bytes));
}

}  // namespace lapis
