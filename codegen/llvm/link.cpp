#include "codegen/llvm/link.h"

#include <llvm/BinaryFormat/ELF.h>
#include <llvm/Object/ELFObjectFile.h>

#include <cstring>
#include <map>

#include "base/check.h"

namespace lapis::llvm_backend {
namespace {

using llvm::object::ELF64LEObjectFile;
using llvm::object::SectionRef;

template <class T> T checked(llvm::Expected<T> value) {
  if (!value) LAPIS_UNREACHABLE("the generated object is malformed: " << llvm::toString(value.takeError()));
  return std::move(*value);
}

class Linker {
 public:
  explicit Linker(const ELF64LEObjectFile& object) : object_(object) {}

  std::vector<uint8_t> link(const std::string& function) {
    place();
    for (const SectionRef& section : object_.sections()) relocate(section);
    for (const auto& symbol : object_.symbols())
      if (checked(symbol.getName()) == function)
        LAPIS_ASSERT(address(symbol) == 0, "'" << function << "' is not at the beginning");
    return std::move(image_);
  }

 private:
  static bool is_loaded(const SectionRef& s) {
    return (llvm::object::ELFSectionRef(s).getFlags() & llvm::ELF::SHF_ALLOC) != 0 && s.getSize() > 0;
  }

  // Code first, so that constants do not sit between functions.
  void place() {
    for (const bool code : {true, false})
      for (const SectionRef& s : object_.sections()) {
        if (!is_loaded(s) || s.isText() != code) continue;
        LAPIS_ASSERT(!s.isBSS() && (llvm::object::ELFSectionRef(s).getFlags() & llvm::ELF::SHF_WRITE) == 0,
                     "generated code has writable data");
        const uint64_t alignment = s.getAlignment().value();
        image_.resize((image_.size() + alignment - 1) / alignment * alignment, 0xCC);
        placed_[s.getIndex()] = image_.size();
        const llvm::StringRef contents = checked(s.getContents());
        image_.insert(image_.end(), contents.bytes_begin(), contents.bytes_end());
      }
  }

  uint64_t address(const llvm::object::ELFSymbolRef& symbol) const {
    const auto section = checked(symbol.getSection());
    LAPIS_ASSERT(section != object_.section_end(),
                 "generated code calls '" << checked(symbol.getName()).str() << "', which does not exist at run time");
    return placed_.at(section->getIndex()) + checked(symbol.getValue());
  }

  void relocate(const SectionRef& section) {
    const auto target = checked(section.getRelocatedSection());
    if (target == object_.section_end() || !placed_.contains(target->getIndex())) return;
    for (const llvm::object::ELFRelocationRef relocation : section.relocations()) {
      const auto type = relocation.getType();
      LAPIS_ASSERT(type == llvm::ELF::R_X86_64_PC32 || type == llvm::ELF::R_X86_64_PLT32,
                   "relocation of type " << type << " in generated code");
      const uint64_t at = placed_.at(target->getIndex()) + relocation.getOffset();
      const int64_t distance = static_cast<int64_t>(address(*relocation.getSymbol())) +
                               checked(relocation.getAddend()) - static_cast<int64_t>(at);
      const auto value = static_cast<int32_t>(distance);
      LAPIS_ASSERT(value == distance, "the generated image is larger than 2 GiB");
      std::memcpy(image_.data() + at, &value, sizeof value);
    }
  }

  const ELF64LEObjectFile& object_;
  std::map<uint64_t, uint64_t> placed_;  // section index -> offset in the image
  std::vector<uint8_t> image_;
};

}  // namespace

std::vector<uint8_t> link_function(std::span<const char> object, const std::string& symbol) {
  const llvm::MemoryBufferRef buffer(llvm::StringRef(object.data(), object.size()), "loops");
  const ELF64LEObjectFile file = checked(ELF64LEObjectFile::create(buffer));
  return Linker(file).link(symbol);
}

}  // namespace lapis::llvm_backend
