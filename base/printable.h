// printable: text out of a file (names of nodes and values, keys, paths) as it may be shown: valid UTF-8 in which
// nothing moves the cursor, ends the line or turns the direction of the text. Diagnostics and JSON pass everything
// through it.
#pragma once

#include <string>
#include <string_view>

namespace lapis {

// Bytes that are not UTF-8 become \xNN, control characters \n, \t or \xNN,
// invisible ones that reorder or break text \u{NNNN}.
std::string printable(std::string_view text);
// The first `bytes` bytes of UTF-8, or fewer, so that no character is cut.
std::string_view cut(std::string_view text, size_t bytes);

}  // namespace lapis
