// Python pickles, read without Python: a machine that builds numbers, strings, lists, tensors and plain objects, and
// never imports or calls anything. What a pickle may name is a short list; anything else is refused by name.
//
//   LAPIS_TRY(const Item root, read_pickle(bytes, storages));
#pragma once

#include <functional>
#include <span>

#include "base/file.h"
#include "frontends/common/limits.h"
#include "frontends/pytorch/item.h"

namespace lapis::pytorch_frontend {

// The bytes of a storage, by the key that the pickle names it by.
using Storages = std::function<Result<MappedFile>(const std::string& key)>;

// `copies` counts tensors that are copied. Without storages,
// tensors are tuples of the number of their type and their sizes.
Result<Item> read_pickle(std::span<const std::byte> bytes, const Storages& storages, frontend::Expansion& copies);

}  // namespace lapis::pytorch_frontend
