// What a file is that no frontend reads, told by its content,
// so that the message names the format and gives advice that works.
//
//   if (const auto foreign = foreign_format(bytes)) return not_read(*foreign, "an ONNX model");
//   // error: not an ONNX model but a Core ML model
//   //   hint: export the model to ONNX from the framework it was trained in
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/file.h"

namespace lapis::frontend {

struct Foreign {
  std::string what, advice;
};

// A GraphDef of TensorFlow, binary or as text.
bool is_tensorflow_graph(std::string_view bytes);
bool is_saved_model(std::string_view bytes);
bool is_meta_graph(std::string_view bytes);  // PREFIX.meta, beside a checkpoint
bool is_tensorflow_text(std::string_view bytes);
std::optional<Foreign> foreign_format(std::span<const std::byte> bytes);
// A model that is a folder, or a folder with a model in it.
std::optional<Foreign> foreign_folder(const Path& path);
// `wanted` says what would have been read: "an ONNX model".
Diagnostic not_read(const Foreign& foreign, const std::string& wanted);

}  // namespace lapis::frontend
