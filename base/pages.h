// Memory that is pages of mapped files (base/file.h): who is done with it can let it go, since the file has it.
//
//   let_go_of_pages({tensor.raw(), size});   // packed now; whoever reads the tensor again reads the file
#pragma once

#include <cstddef>
#include <span>

namespace lapis {

// Whether this byte is one of a file that map_file has mapped.
bool in_mapped_file(const std::byte* at);

// Whole pages among these bytes are no memory of this process any more, until somebody reads them.
// Bytes that are not a file's stay.
void let_go_of_pages(std::span<const std::byte> bytes);

}  // namespace lapis
