#include "codegen/code_file.h"

#include <elf.h>
#include <link.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "base/content_hash.h"
#include "codegen/llvm/machine.h"

namespace lapis::codegen {
namespace {

constexpr uint64_t kMagic = 0x31454443'5350414c;  // "LAPSCDE1"

struct Header {
  uint64_t magic, build, hash;  // the hash is of all that follows: the number of functions, and these
};
struct Sizes {
  uint64_t key, code;
};

// ---- the build: the same key may mean other bytes in the next -------------------------------------------------------

// The build id that the linker gave to the program or library that has this code.
class BuildId {
 public:
  static std::optional<uint64_t> of_this_code() {
    BuildId wanted;
    ::dl_iterate_phdr(visit, &wanted);
    return wanted.found_;
  }

 private:
  static int visit(dl_phdr_info* object, size_t, void* self) { return static_cast<BuildId*>(self)->take(*object); }

  int take(const dl_phdr_info& object) {
    if (!has_this_code(object)) return 0;
    for (const auto& segment : std::span(object.dlpi_phdr, object.dlpi_phnum))
      if (segment.p_type == PT_NOTE)
        read_notes({reinterpret_cast<const std::byte*>(object.dlpi_addr + segment.p_vaddr), segment.p_memsz});
    return 1;
  }
  static bool has_this_code(const dl_phdr_info& object) {
    const auto here = reinterpret_cast<uintptr_t>(&kMagic);
    for (const auto& segment : std::span(object.dlpi_phdr, object.dlpi_phnum))
      if (segment.p_type == PT_LOAD && here - object.dlpi_addr - segment.p_vaddr < segment.p_memsz) return true;
    return false;
  }
  void read_notes(std::span<const std::byte> notes) {
    const auto padded = [](size_t bytes) { return (bytes + 3) / 4 * 4; };
    ElfW(Nhdr) note;
    while (notes.size() >= sizeof note) {
      std::memcpy(&note, notes.data(), sizeof note);
      const size_t name_end = sizeof note + padded(note.n_namesz), end = name_end + padded(note.n_descsz);
      if (end > notes.size()) return;
      if (note.n_type == NT_GNU_BUILD_ID) found_ = content_hash(notes.subspan(name_end, note.n_descsz));
      notes = notes.subspan(end);
    }
  }

  std::optional<uint64_t> found_;
};

Result<uint64_t> current_build() {
  const std::optional<uint64_t> id = BuildId::of_this_code();
  if (!id)
    return error(ErrorKind::Resource, "this build has no build id, so that it cannot know its own code again")
        .help("link with --build-id");
  Hasher h;
  h.add(*id);
  h.add(llvm_backend::version());
  return h.value();
}

// ---- reading --------------------------------------------------------------------------------------------------------

Diagnostic useless(const Path& file, const std::string& why) {
  return error(ErrorKind::Input, "is no file of generated code that can be used: " + why).at(file.string());
}

Result<MappedFile> map_if_there(const Path& file) {
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored)) return MappedFile{};
  return map_file(file);
}

Status check_magic(std::span<const std::byte> bytes, const Path& file) {
  uint64_t magic = 0;
  std::memcpy(&magic, bytes.data(), std::min(bytes.size(), sizeof magic));
  if (magic != kMagic) return useless(file, "it is something else");
  return ok();
}

template <class T> bool take(std::span<const std::byte>& bytes, T& value) {
  if (bytes.size() < sizeof value) return false;
  std::memcpy(&value, bytes.data(), sizeof value);
  bytes = bytes.subspan(sizeof value);
  return true;
}

template <class T> void put(std::string& bytes, const T& value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
}

bool take_function(std::span<const std::byte>& bytes, CodeCache& cache) {
  Sizes sizes;
  if (!take(bytes, sizes) || sizes.key > bytes.size() || sizes.code > bytes.size() - sizes.key) return false;
  const auto* key = reinterpret_cast<const char*>(bytes.data());
  const auto* code = reinterpret_cast<const uint8_t*>(bytes.data()) + sizes.key;
  cache.add({key, sizes.key}, std::make_shared<const std::vector<uint8_t>>(code, code + sizes.code));
  bytes = bytes.subspan(sizes.key + sizes.code);
  return true;
}

}  // namespace

Status load_code(const Path& file, CodeCache& cache) {
  LAPIS_TRY(const uint64_t build, current_build());
  LAPIS_TRY(const MappedFile mapped, map_if_there(file));
  std::span<const std::byte> bytes = mapped.bytes();
  if (bytes.empty()) return ok();
  LAPIS_CHECK(check_magic(bytes, file));
  Header header;
  if (!take(bytes, header)) return useless(file, "it ends before its header does");
  if (header.build != build) return useless(file, "another build of Lapis has written it");
  if (header.hash != content_hash(bytes)) return useless(file, "it is damaged");
  uint64_t functions = 0;
  take(bytes, functions);
  for (uint64_t f = 0; f < functions; ++f)
    if (!take_function(bytes, cache)) return useless(file, "it ends before its last function does");
  return ok();
}

Status save_code(CodeCache& cache, const Path& file) {
  LAPIS_TRY(const uint64_t build, current_build());
  LAPIS_TRY(const MappedFile before, map_if_there(file));
  if (before.size > 0) LAPIS_CHECK(check_magic(before.bytes(), file));  // the file of somebody who mistook a name stays
  static_cast<void>(load_code(file, cache));                            // damage, or code of another build, goes
  const auto all = cache.all();
  std::string functions;
  put(functions, uint64_t{all.size()});
  for (const auto& [key, code] : all) {
    put(functions, Sizes{key.size(), code->size()});
    functions.append(key).append(reinterpret_cast<const char*>(code->data()), code->size());
  }
  const auto bytes = std::as_bytes(std::span(functions));
  const Header header{kMagic, build, content_hash(bytes)};
  const std::span<const std::byte> parts[] = {std::as_bytes(std::span(&header, 1)), bytes};
  return write_file(file, parts);
}

}  // namespace lapis::codegen
