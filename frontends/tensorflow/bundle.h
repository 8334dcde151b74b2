// Tensor bundles, as TensorFlow writes checkpoints: a sorted table of names (PREFIX.index, in LevelDB's format) and the
// bytes of the tensors (PREFIX.data-00000-of-00001). Nothing is believed: blocks, lengths and shards are checked, and
// so is what compressed blocks expand to.
//
//   LAPIS_TRY(const Bundle bundle, Bundle::open("model/variables/variables"));
//   LAPIS_TRY(const Tensor kernel, bundle.tensor("conv2d/kernel", copies));
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/tensor.h"
#include "frontends/common/limits.h"

namespace lapis::tensorflow_frontend {

class Bundle {
 public:
  // `prefix` without ".index".
  static Result<Bundle> open(const Path& prefix);

  bool has(const std::string& name) const { return entries_.contains(name); }
  // Over the bytes of the file where that is worth it.
  // Errors: no such tensor, of strings, in parts, not within its file.
  Result<Tensor> tensor(const std::string& name, frontend::Expansion& copies) const;
  std::vector<std::string> names() const;
  size_t bytes() const { return bytes_; }  // of all files

 private:
  std::map<std::string, std::string> entries_;  // the description of each tensor
  std::vector<MappedFile> shards_;
  size_t bytes_ = 0;
};

// The entries of a table; for tests.
Result<std::map<std::string, std::string>> read_table(std::string_view file);
// Snappy's format; an error if it is flawed or expands to more than `most` bytes.
Result<std::string> decompress_snappy(std::string_view bytes, size_t most);

}  // namespace lapis::tensorflow_frontend
