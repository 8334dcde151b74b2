#include "tuning/data/npy.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "base/archive/zip.h"
#include "base/suggest.h"
#include "base/truth.h"

namespace lapis {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";

Diagnostic bad(const Path& path, const std::string& what) {
  return error(ErrorKind::Input, what).at(path.string()).help("numpy.save writes a file that Lapis reads");
}

// The text behind 'key': in the header's Python dictionary, up to the next comma outside of parentheses.
std::string header_field(const std::string& header, const std::string& key) {
  const size_t at = header.find("'" + key + "'");
  if (at == std::string::npos) return {};
  size_t begin = header.find(':', at);
  if (begin == std::string::npos) return {};
  ++begin;
  int depth = 0;
  size_t end = begin;
  for (; end < header.size(); ++end) {
    const char c = header[end];
    if (c == '(') ++depth;
    if (c == ')') --depth;
    if ((c == ',' && depth == 0) || c == '}') break;
  }
  std::string text = header.substr(begin, end - begin);
  std::erase_if(text, [](char c) { return c == ' ' || c == '\''; });
  return text;
}

std::optional<Shape> parse_shape(const std::string& text) {
  if (text.size() < 2 || text.front() != '(' || text.back() != ')') return std::nullopt;
  Shape shape;
  for (size_t at = 1; at + 1 < text.size();) {
    size_t digits = 0;
    while (std::isdigit(static_cast<unsigned char>(text[at + digits]))) ++digits;
    if (digits == 0 || digits > 15) return std::nullopt;
    shape.push_back(std::stoll(text.substr(at, digits)));
    at += digits + (text[at + digits] == ',');
  }
  return shape;
}

// numpy's descriptors only: the names of ONNX's types have no business in a .npy file,
// and its strings and packed types no bytes there.
std::optional<DType> parse_descriptor(const std::string& text) {
  return text.starts_with('<') || text.starts_with('|') ? parse_dtype(text) : std::nullopt;
}

// Data that is not aligned to its elements (the header decides where it begins) is copied.
Tensor over(const MappedFile& file, size_t offset, DType dtype, Shape shape) {
  const std::byte* data = file.data.get() + offset;
  if (reinterpret_cast<uintptr_t>(data) % alignof(std::max_align_t) == 0)
    return Tensor(dtype, std::move(shape), std::shared_ptr<const std::byte>(file.data, data));
  Tensor copy(dtype, std::move(shape));
  std::memcpy(copy.mutable_raw(), data, static_cast<size_t>(copy.bytes()));
  return copy;
}

Result<Tensor> parse_npy(const Path& path, const MappedFile& file) {
  const char* data = reinterpret_cast<const char*>(file.data.get());
  if (file.size < 12 || std::string_view(data, kMagic.size()) != kMagic) return bad(path, "not a .npy file");
  const size_t width = data[6] == 1 ? 2 : 4;
  uint32_t header_size = 0;
  std::memcpy(&header_size, data + 8, width);
  const size_t offset = 8 + width + header_size;
  if (offset > file.size) return bad(path, "the file ends inside of its header");
  const std::string header(data + 8 + width, header_size);
  const auto dtype = parse_descriptor(header_field(header, "descr"));
  if (!dtype) return bad(path, "elements of type '" + header_field(header, "descr") + "' are not supported");
  if (header_field(header, "fortran_order") != "False")
    return bad(path, "the array is in Fortran order; save numpy.ascontiguousarray(a)");
  const auto shape = parse_shape(header_field(header, "shape"));
  if (!shape) return bad(path, "the header has no shape");
  if (const auto problem = shape_problem(*dtype, *shape))
    return bad(path, "no array can be of this shape: " + *problem);
  if (static_cast<size_t>(byte_size(*dtype, element_count(*shape))) > file.size - offset)
    return bad(path, "the file is truncated: shape " + to_string(*shape) + " needs more bytes than it has");
  return with_truth_values(over(file, offset, *dtype, *shape));
}

}  // namespace

Result<Tensor> read_npy(const Path& path) {
  LAPIS_TRY(const MappedFile file, map_file(path));
  return parse_npy(path, file);
}

template <class T> static Result<T> of_archive(const Path& path, Result<T> result) {
  if (result.ok()) return result;
  Diagnostics found = std::move(result).diagnostics();
  for (Diagnostic& d : found) d.at(path.string()).help("numpy.savez writes archives that Lapis reads");
  return found;
}

Result<Tensor> read_npz(const Path& path, const std::string& array) {
  LAPIS_TRY(const MappedFile archive, map_file(path));
  LAPIS_TRY(const std::vector<ZipEntry> entries, of_archive(path, zip_entries(archive)));
  std::vector<std::string> names;
  for (const ZipEntry& entry : entries) {
    if (entry.name == array + ".npy") {
      LAPIS_TRY(const MappedFile file, of_archive(path, unzipped(archive, entry)));
      return parse_npy(path, file);
    }
    names.push_back(entry.name.ends_with(".npy") ? entry.name.substr(0, entry.name.size() - 4) : entry.name);
  }
  return error(ErrorKind::Input, "there is no array '" + array + "' in the archive")
      .at(path.string())
      .help(names.empty() ? "the archive is empty" : suggestion(array, names));
}

static std::string descriptor(DType dtype) {
  switch (dtype) {
    case DType::Bool: return "|b1";
    case DType::UInt8: return "|u1";
    case DType::Int8: return "|i1";
    case DType::BFloat16: return "<u2";  // numpy has none: the raw bits
    default: break;
  }
  const char kind = is_float(dtype) ? 'f' : is_signed(dtype) ? 'i' : 'u';
  return std::string("<") + kind + std::to_string(bit_width(dtype) / 8);
}

Status write_npy(const Path& path, const Tensor& tensor) {
  if (tensor.dtype() == DType::String || bit_width(tensor.dtype()) < 8)
    return error(ErrorKind::Unsupported, "cannot write " + std::string(name_of(tensor.dtype())) + " as .npy")
        .at(path.string());
  std::string shape;
  for (int64_t d : tensor.shape()) shape += std::to_string(d) + ",";
  std::string header =
      "{'descr': '" + descriptor(tensor.dtype()) + "', 'fortran_order': False, 'shape': (" + shape + "), }";
  constexpr size_t kAlignment = 64, kPreamble = 10;
  header.append((kAlignment - (kPreamble + header.size() + 1) % kAlignment) % kAlignment, ' ');
  header += '\n';
  std::string file(kMagic);
  file += {'\x01', '\x00', static_cast<char>(header.size() & 0xFF), static_cast<char>(header.size() >> 8)};
  file += header;
  file.append(reinterpret_cast<const char*>(tensor.raw()), static_cast<size_t>(tensor.bytes()));
  return write_file(path, std::string_view(file));
}

}  // namespace lapis
