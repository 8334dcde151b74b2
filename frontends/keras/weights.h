// Where a layer's weights lie in the HDF5 file that Keras wrote. Old files list those of each outermost layer by name,
// new ones number them layer by layer:
//
//   /model_weights/dense  with the attribute weight_names = ["dense/kernel:0", "dense/bias:0"],
//                         each of which is an array below
//   /layers/dense_1/vars/0, /layers/lstm/cell/vars/0, /layers/functional/layers/conv2d/vars/0
#pragma once

#include "frontends/keras/config.h"
#include "frontends/keras/hdf5.h"

namespace lapis::keras_frontend {

// What a layer has, in the order of its variables.
struct Weight {
  std::string kind;  // "kernel"
  std::string part;  // of the layer, in new files: "cell"
  bool exists = true;
};
std::vector<Weight> weights_of(const std::string& layer, const Json& config);

struct LayerPath {
  std::string outermost;  // the layer of the whole model that it is, or lies in
  std::string layer;      // its own name
  std::string group;      // of new files: "/layers/functional/layers/conv2d_1"
  bool is_nested() const { return outermost != layer; }
};
// The groups of new files are called after classes: "MaxPooling2D" is "max_pooling2d".
std::string snake_case(std::string_view name);

class Weights {
 public:
  explicit Weights(Hdf5 file) : file_(std::move(file)) {}

  // What a model's layers lie in, in new files; the first version of those called it otherwise.
  std::string container() const {
    constexpr const char* kFirst = "_layer_checkpoint_dependencies";
    return file_.has(std::string("/") + kFirst) ? kFirst : "layers";
  }
  bool are_numbered() const { return !file_.has("/model_weights"); }
  // The weights that exist, in order. Errors name what is missing.
  Result<std::vector<Tensor>> read(const LayerPath& path, const std::vector<Weight>& wanted);

 private:
  Result<std::vector<Tensor>> read_listed(const LayerPath& path, const std::vector<Weight>& wanted);
  Result<std::vector<Tensor>> read_numbered(const LayerPath& path, const std::vector<Weight>& wanted);

  Hdf5 file_;
};

}  // namespace lapis::keras_frontend
