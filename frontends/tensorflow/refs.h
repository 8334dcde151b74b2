// How nodes name the outputs of others: "name", "name:1", in functions "name:output:0"; "^name" orders only.
#pragma once

#include <string>
#include <string_view>

namespace lapis::tensorflow_frontend {

inline constexpr size_t kMostOutputs = 1 << 12;

struct Ref {
  std::string_view node, argument;
  size_t index = 0;  // kMostOutputs: what is no number
};
Ref ref_of(std::string_view text);

inline bool is_control(std::string_view input) { return input.starts_with('^'); }
inline std::string_view operand(std::string_view input) { return is_control(input) ? input.substr(1) : input; }
// "name" for the first output, "name:1" for the second.
std::string name_of_output(const std::string& node, size_t index);
// Where the outputs of an argument of an operator begin: 1 for "indices" of TopKV2.
// Bodies of functions name outputs so.
size_t first_output(const std::string& op, std::string_view argument);

}  // namespace lapis::tensorflow_frontend
