// Where the weights, buffers and constants of an exported program are, in either generation of its archive.
#pragma once

#include "frontends/common/archive.h"
#include "frontends/common/json.h"
#include "frontends/common/limits.h"
#include "frontends/pytorch/item.h"
#include "ir/type.h"

namespace lapis::pytorch_frontend {

using frontend::Archive;

class ExportWeights {
 public:
  // `name` is that of the program's JSON: "models/model.json",
  // or serialized_exported_program.json of PyTorch 2.1 to 2.7.
  static Result<ExportWeights> open(Archive& archive, const std::string& name);
  // By their names in the model ("conv1.weight"); an error if the archive does not hold it.
  Result<Item> find(const std::string& name);

 private:
  explicit ExportWeights(Archive& archive) : archive_(archive), copies_(0, archive.file_bytes()) {}
  Status read_list(const std::string& folder, const std::string& config);
  Status read_states(const std::string& entry);
  Result<Item> read(const frontend::Json& entry, const std::string& path);

  Archive& archive_;
  frontend::Expansion copies_;
  struct Place {
    frontend::Json entry;
    std::string folder;
  };
  std::unordered_map<std::string, Place> places_;
  std::unordered_map<std::string, Item> read_;
};

// The type that a program's description of a tensor gives, with symbols for sizes that are open;
// dtype Undefined for what Lapis has no type for.
Type type_of_meta(const frontend::Json& meta);

// Whether elements lie row by row from the beginning of their memory on;
// nullopt where open sizes or strides do not tell.
std::optional<bool> is_dense_meta(const frontend::Json& meta);

}  // namespace lapis::pytorch_frontend
