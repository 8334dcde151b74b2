// HDF5 files as Keras writes them: groups, attributes of text, arrays of numbers in one piece or in chunks (gzip,
// shuffle). Every address, length and kind is checked, each object is read once, and what is read is limited by the
// size of the file: a file that was cut off, damaged or made to harm ends in an error. What Keras does not write (links
// to other files, shared types, groups of thousands of names in the newest form) is refused by name. docs/adr/0035 says
// why this is no library.
//
//   LAPIS_TRY(Hdf5 file, Hdf5::open(mapped));
//   const auto config = file.text("/", "model_config");
//   LAPIS_TRY(const Tensor kernel, file.tensor("/model_weights/conv2d/conv2d/kernel:0"));
#pragma once

#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "frontends/keras/hdf5_chunks.h"

namespace lapis::keras_frontend {

// What the file says of a group or an array.
struct Hdf5Object {
  std::map<std::string, std::vector<std::string>> texts;  // attributes
  bool is_array = false;
  DType dtype = DType::Undefined;  // also of arrays of text and other things that are no numbers
  Shape shape;
  uint64_t at = 0, size = 0;     // where the numbers lie
  std::optional<Chunks> chunks;  // or in which pieces
  std::string unsupported;       // why they cannot be read: "in chunks of the newest form"
};

class Hdf5 {
 public:
  static bool is_one(std::span<const std::byte> bytes);
  // Walks over all groups at once.
  static Result<Hdf5> open(const MappedFile& file);

  // Paths begin with "/", and only the root's ends with it.
  bool has(const std::string& path) const { return objects_.contains(path); }
  // An attribute of one string, or of several; nullopt if there is none, or of another kind. Lists that are too long
  // for an attribute are divided by Keras into NAME0, NAME1, ...
  std::optional<std::string> text(const std::string& path, const std::string& attribute) const;
  std::optional<std::vector<std::string>> texts(const std::string& path, const std::string& attribute) const;
  // Over the bytes of the file where that is worth it.
  Result<Tensor> tensor(const std::string& path);

 private:
  using Objects = std::unordered_map<std::string, Hdf5Object>;  // by path
  Hdf5(MappedFile file, Objects objects);

  MappedFile file_;
  Objects objects_;
  uint64_t left_;  // bytes that may still be unfolded
};

}  // namespace lapis::keras_frontend
