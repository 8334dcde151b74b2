// Bytes or text to a ModelProto, with limits, and with a message for each way in which a file can fail to be a model.
#pragma once

#include <span>
#include <string_view>

#include "base/file.h"
#include "frontends/onnx/protos.h"

namespace lapis::onnx_frontend {

class RawData;

// Bodies of control flow within each other: far more than any model has, far fewer than any stack bears.
inline constexpr int kMaxBodies = 64;

// Whether the outermost layer is that of a whole model: ONNX has no magic number. Says nothing about what lies inside.
bool looks_like_model(std::span<const std::byte> bytes);

Status read_model(std::span<const std::byte> bytes, onnx::ModelProto& model);
// The raw data of large tensors stays in the file: `raw` says where (frontends/onnx/raw_data.h).
Status read_model(const MappedFile& file, onnx::ModelProto& model, RawData& raw);
Status read_text(std::string_view text, onnx::ModelProto& model);

}  // namespace lapis::onnx_frontend
