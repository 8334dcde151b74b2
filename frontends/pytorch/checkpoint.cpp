#include "frontends/pytorch/checkpoint.h"

#include "frontends/pytorch/pickle.h"

namespace lapis::pytorch_frontend {
namespace {

// Bytes of numbers are read as they are.
Status check_byte_order(Archive& archive) {
  if (!archive.has("byteorder")) return ok();
  LAPIS_TRY(const MappedFile order, archive.content("byteorder"));
  const std::string_view text(reinterpret_cast<const char*>(order.data.get()), order.size);
  if (text.starts_with("little")) return ok();
  return error(ErrorKind::Unsupported, "its numbers are written with their most significant byte first")
      .help("save the model on a little-endian machine");
}

}  // namespace

Result<Item> read_archived_pickle(Archive& archive, const std::string& pickle, const std::string& storages,
                                  frontend::Expansion& copies) {
  LAPIS_CHECK(check_byte_order(archive));
  LAPIS_TRY(const MappedFile content, archive.content(pickle));
  return read_pickle(
      content.bytes(), [&](const std::string& key) { return archive.content(storages + key); }, copies);
}

Result<Item> read_checkpoint(const MappedFile& file, frontend::Expansion& copies) {
  LAPIS_TRY(Archive archive, Archive::open(file));
  return read_archived_pickle(archive, "data.pkl", "data/", copies);
}

}  // namespace lapis::pytorch_frontend
