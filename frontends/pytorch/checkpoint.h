// What torch.save writes: a zip archive with a pickle and the storages that it names. Exported programs of PyTorch 2.1
// to 2.7 keep their weights so, TorchScript all of its objects.
#pragma once

#include "frontends/common/archive.h"
#include "frontends/common/limits.h"
#include "frontends/pytorch/item.h"

namespace lapis::pytorch_frontend {

using frontend::Archive;

// `pickle` is the name of its entry, `storages` the beginning of the names of the entries of its storages:
// "data.pkl", "data/".
Result<Item> read_archived_pickle(Archive& archive, const std::string& pickle, const std::string& storages,
                                  frontend::Expansion& copies);
// A whole file of torch.save.
Result<Item> read_checkpoint(const MappedFile& file, frontend::Expansion& copies);

}  // namespace lapis::pytorch_frontend
