// ONNX's TensorProto and Lapis' Tensor, whatever way the bytes are kept:
// raw, in typed fields, in another file, or sparse.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "base/tensor.h"
#include "frontends/onnx/protos.h"
#include "frontends/onnx/raw_data.h"

namespace lapis::onnx_frontend {

// The files beside a model that hold its weights, mapped once each: regular files inside of the model's folder, links
// resolved. It also keeps account of what the tensors of a model ask for beyond the bytes that the model brings.
class ExternalFiles {
 public:
  ExternalFiles() = default;  // the model came from memory: there are none
  explicit ExternalFiles(const Path& model);
  // Bytes [offset, offset + length) of the file; without a length up to its end.
  Result<Bytes> range(const std::string& location, uint64_t offset, std::optional<uint64_t> length);
  // `stored` bytes become `dense` ones; bytes of an external file are copied.
  // Errors once the total is out of proportion.
  Status allow_dense(uint64_t stored, uint64_t dense);
  Status allow_copy(uint64_t bytes);

 private:
  bool leads_away(const Path& real) const;
  std::optional<Path> folder_;  // none: the model came from memory
  std::vector<Path> roots_;     // where the data may really lie
  std::map<std::string, MappedFile> files_;
  uint64_t stored_bytes_ = 0, dense_bytes_ = 0, mapped_bytes_ = 0, copied_bytes_ = 0;
};

// Large raw data moves out of the message into the tensor, which is why the message is not const.
// `raw`: what was set apart from it.
Result<Tensor> to_tensor(onnx::TensorProto& proto, ExternalFiles& files, std::optional<Bytes> raw = std::nullopt);
Result<Tensor> to_tensor(onnx::SparseTensorProto& proto, ExternalFiles& files);

void to_proto(const Tensor& tensor, onnx::TensorProto& proto);

}  // namespace lapis::onnx_frontend
