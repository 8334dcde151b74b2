// The options of custom operators: a FlexBuffer, damaged or made to harm as any file. Only maps of numbers are read.
//
//   const auto options = flex_numbers(table.bytes(node::CustomOptions));
//   if (options && options->contains("max_detections")) ...
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <span>
#include <string>

namespace lapis::tflite_frontend {

using FlexNumbers = std::map<std::string, double, std::less<>>;

// What the map at the root says in numbers and truth values;
// nullopt if there is none, or one that leads outside of the bytes.
std::optional<FlexNumbers> flex_numbers(std::span<const std::byte> bytes);

}  // namespace lapis::tflite_frontend
