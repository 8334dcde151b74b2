// SavedModel folders: a graph whose functions are called through signatures, with variables beside it. Checkpoints of
// TensorFlow 1 have the same graph (PREFIX.meta) and the same variables (PREFIX.index, PREFIX.data-...), mostly without
// signatures.
#pragma once

#include "base/file.h"
#include "frontends/common/options.h"
#include "frontends/tensorflow/flatten.h"

namespace lapis::tensorflow_frontend {

// The folder that `path`, a folder or the saved_model.pb in it, is; empty if it is none.
Path saved_model_folder(const Path& path);

struct SavedModel {
  MappedFile file;  // the graph lies over it
  Model model;
  Part part;  // what the signature or the options name
};
// Errors: no such signature, with a list of those there are; damaged files.
Result<SavedModel> read_saved_model(const Path& folder, const ImportOptions& options);
// `meta`: PREFIX.meta. Errors: those, and no checkpoint beside it.
Result<SavedModel> read_checkpoint(const Path& meta, const ImportOptions& options);

}  // namespace lapis::tensorflow_frontend
