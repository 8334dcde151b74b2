#include "tuning/data/zip.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <optional>

namespace lapis {
namespace {

constexpr uint64_t kMost = uint64_t{1} << 34;  // bytes that a file may unfold to
constexpr int kRawDeflate = -15, kGzip = 15 + 16;

Diagnostic bad(const Path& path, const std::string& what) {
  return error(ErrorKind::Input, what).at(path.string()).help("numpy.savez writes archives that Lapis reads");
}

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

constexpr uint32_t kEndSignature = 0x06054b50, kEntrySignature = 0x02014b50;
constexpr uint64_t kEndSize = 22, kEntrySize = 46, kLocalSize = 30;

// Where the directory begins: the end record is the last thing in the file but for a comment.
std::optional<std::pair<uint64_t, uint64_t>> directory_of(const MappedFile& archive) {
  for (uint64_t back = kEndSize; back <= std::min<uint64_t>(archive.size, kEndSize + 65535); ++back) {
    const uint64_t at = archive.size - back;
    uint32_t signature = 0, offset = 0;
    uint16_t count = 0;
    if (read_at(archive, at, signature) && signature == kEndSignature && read_at(archive, at + 10, count) &&
        read_at(archive, at + 16, offset))
      return std::pair<uint64_t, uint64_t>(offset, count);
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

Result<std::vector<ZipEntry>> zip_entries(const Path& path, const MappedFile& archive) {
  const auto directory = directory_of(archive);
  if (!directory) return bad(path, "not a zip archive");
  std::vector<ZipEntry> entries;
  uint64_t at = directory->first;
  for (uint64_t i = 0; i < directory->second; ++i) {
    const auto entry = entry_at(archive, at);
    if (!entry)
      return bad(path, "entry " + std::to_string(i) +
                           " of the archive is damaged, encrypted, or compressed in an unknown way");
    entries.push_back(*entry);
  }
  return entries;
}

Result<MappedFile> unzipped(const Path& path, const MappedFile& archive, const ZipEntry& entry) {
  uint16_t name = 0, extra = 0;
  if (!read_at(archive, entry.offset + 26, name) || !read_at(archive, entry.offset + 28, extra))
    return bad(path, "the archive ends before '" + entry.name + "'");
  const uint64_t begin = entry.offset + kLocalSize + name + extra;
  if (begin > archive.size || entry.packed > archive.size - begin)
    return bad(path, "the archive ends inside of '" + entry.name + "'");
  if (!entry.is_deflated)
    return MappedFile{std::shared_ptr<const std::byte>(archive.data, archive.data.get() + begin), entry.packed};
  auto bytes = Inflater(kRawDeflate, archive.bytes().subspan(begin, entry.packed)).all(std::min(entry.size, kMost));
  if (!bytes || bytes->size() != entry.size) return bad(path, "'" + entry.name + "' is damaged");
  return owning(*std::move(bytes));
}

Result<MappedFile> map_maybe_gzip(const Path& path) {
  LAPIS_TRY(const MappedFile file, map_file(path));
  uint16_t magic = 0;
  if (!read_at(file, 0, magic) || magic != 0x8b1f) return file;
  auto bytes = Inflater(kGzip, file.bytes()).all(kMost);
  if (!bytes)
    return error(ErrorKind::Input, "the compressed data is damaged").at(path.string()).help("`gunzip -t` checks it");
  return owning(*std::move(bytes));
}

}  // namespace lapis
