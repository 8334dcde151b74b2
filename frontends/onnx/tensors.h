// ONNX's TensorProto and Lapis' Tensor, whatever way the bytes are kept: raw, in typed fields, in another file, or sparse.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "base/file.h"
#include "base/tensor.h"
#include "frontends/onnx/protos.h"

namespace lapis::onnx_frontend {

// The files beside a model that hold its weights, mapped once each.
class ExternalFiles {
 public:
  explicit ExternalFiles(std::optional<Path> folder) : folder_(std::move(folder)) {}
  // Bytes [offset, offset + length) of the file; without a length up to its end.
  struct Range {
    std::shared_ptr<const std::byte> bytes;
    uint64_t length;
  };
  Result<Range> range(const std::string& location, uint64_t offset, std::optional<uint64_t> length);

 private:
  std::optional<Path> folder_;  // none: the model came from memory
  std::map<std::string, MappedFile> files_;
};

// Large raw data moves out of the message into the tensor, which is why the message is not const.
Result<Tensor> to_tensor(onnx::TensorProto& proto, ExternalFiles& files);
Result<Tensor> to_tensor(onnx::SparseTensorProto& proto, ExternalFiles& files);

void to_proto(const Tensor& tensor, onnx::TensorProto& proto);

}  // namespace lapis::onnx_frontend
