// What a file is that is no ONNX model, told by its content, so that the message names the format and gives advice that works.
//
//   if (const auto foreign = foreign_format(bytes)) return not_onnx(*foreign);
//   // error: not an ONNX model but a TFLite model
//   //   hint: python -m tf2onnx.convert --tflite FILE --output model.onnx
#pragma once

#include <optional>
#include <span>
#include <string>

#include "base/file.h"

namespace lapis::onnx_frontend {

struct Foreign {
  std::string what, advice;
};

std::optional<Foreign> foreign_format(std::span<const std::byte> bytes);
// A model that is a folder, or a folder with a model in it.
std::optional<Foreign> foreign_folder(const Path& path);
Diagnostic not_onnx(const Foreign& foreign);

}  // namespace lapis::onnx_frontend
