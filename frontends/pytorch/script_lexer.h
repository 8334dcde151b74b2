// Tokens of TorchScript's text. Blocks are indented as in Python.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace lapis::pytorch_frontend {

struct Token {
  enum class Kind : uint8_t { Name, Number, String, Sign, LineEnd, Indent, Dedent, End };
  Kind kind = Kind::End;
  std::string text;  // a string without quotes and escapes
  int line = 0;
};

Result<std::vector<Token>> tokens_of(std::string_view text);

}  // namespace lapis::pytorch_frontend
