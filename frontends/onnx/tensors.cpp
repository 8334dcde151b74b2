#include "frontends/onnx/tensors.h"

#include <onnx/onnx_pb.h>

#include <charconv>
#include <cstring>

#include "base/truth.h"
#include "frontends/common/bytes.h"
#include "frontends/onnx/types.h"

namespace lapis::onnx_frontend {
namespace {

// What a file may ask for beyond the bytes that it brings, in total (docs/security.md): sparse tensors made dense, and
// parts of external files that lie so badly that they must be copied.
constexpr uint64_t kFreeBytes = uint64_t{64} << 20, kDensePerStored = 1024, kCopiesPerByte = 4;

std::string quoted(const std::string& name) { return "tensor '" + name + "'"; }

template <class Repeated> Result<Shape> checked_shape(DType dtype, const Repeated& dims) {
  Shape shape(dims.begin(), dims.end());
  if (auto problem = shape_problem(dtype, shape)) return error(ErrorKind::Input, "cannot be: " + *problem);
  return shape;
}

Diagnostic size_error(const std::string& what, int64_t have, const Shape& shape, DType dtype, int64_t want) {
  return error(ErrorKind::Input, "holds " + std::to_string(have) + " " + what + ", but " + std::string(name_of(dtype)) +
                                     to_string(shape) + " needs " + std::to_string(want));
}

// ---- bytes ----------------------------------------------------------------------------------------------------------

using frontend::can_borrow;
using frontend::over_bytes;

Bytes raw_data_of(onnx::TensorProto& proto) {
  const auto text = std::make_shared<const std::string>(std::move(*proto.mutable_raw_data()));
  return {{text, reinterpret_cast<const std::byte*>(text->data())}, text->size()};
}

Result<Tensor> from_bytes(Bytes bytes, DType dtype, Shape shape) {
  const int64_t size = byte_size(dtype, element_count(shape));
  if (bytes.size != static_cast<uint64_t>(size))
    return size_error("bytes", static_cast<int64_t>(bytes.size), shape, dtype, size);
  return over_bytes(dtype, std::move(shape), std::move(bytes.data));
}

Result<uint64_t> parse_number(const std::string& key, const std::string& text) {
  uint64_t value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc() || end != text.data() + text.size())
    return error(ErrorKind::Input, "external data has the " + key + " '" + text + "', which is not a number");
  return value;
}

Result<Tensor> from_external(const onnx::TensorProto& proto, DType dtype, Shape shape, ExternalFiles& files) {
  std::string location;
  uint64_t offset = 0;
  std::optional<uint64_t> length;
  for (const auto& entry : proto.external_data()) {
    if (entry.key() == "location") location = entry.value();
    if (entry.key() == "offset") {
      LAPIS_TRY(offset, parse_number("offset", entry.value()));
    }
    if (entry.key() == "length") {
      LAPIS_TRY(length, parse_number("length", entry.value()));
    }
  }
  const int64_t size = byte_size(dtype, element_count(shape));
  if (dtype == DType::String) return error(ErrorKind::Input, "strings cannot be external data");
  if (!length) length = static_cast<uint64_t>(size);
  LAPIS_TRY(Bytes bytes, files.range(location, offset, length));
  if (!can_borrow(dtype, bytes.data.get(), size)) LAPIS_CHECK(files.allow_copy(bytes.size));
  return from_bytes(std::move(bytes), dtype, std::move(shape));
}

// ---- typed fields ---------------------------------------------------------------------------------------------------

// The field's values, each converted to Stored, one behind the other.
template <class Stored, class Repeated> Result<Tensor> from_field(const Repeated& values, DType dtype, Shape shape) {
  const int64_t size = byte_size(dtype, element_count(shape));
  const auto want = size / static_cast<int64_t>(sizeof(Stored));
  if (values.size() != want) return size_error("values", values.size(), shape, dtype, want);
  Tensor tensor(dtype, std::move(shape));
  std::byte* out = tensor.mutable_raw();
  for (const auto value : values) {
    const auto stored = static_cast<Stored>(value);
    std::memcpy(out, &stored, sizeof stored);
    out += sizeof stored;
  }
  return tensor;
}

Result<Tensor> from_strings(const onnx::TensorProto& proto, Shape shape) {
  if (proto.string_data_size() != element_count(shape))
    return size_error("strings", proto.string_data_size(), shape, DType::String, element_count(shape));
  return Tensor::strings(std::move(shape), {proto.string_data().begin(), proto.string_data().end()});
}

Result<Tensor> from_fields(const onnx::TensorProto& proto, DType dtype, Shape shape) {
  switch (dtype) {
    case DType::Float32:
    case DType::Complex64: return from_field<float>(proto.float_data(), dtype, std::move(shape));
    case DType::Float64:
    case DType::Complex128: return from_field<double>(proto.double_data(), dtype, std::move(shape));
    case DType::Int64: return from_field<int64_t>(proto.int64_data(), dtype, std::move(shape));
    case DType::UInt64: return from_field<uint64_t>(proto.uint64_data(), dtype, std::move(shape));
    case DType::UInt32: return from_field<uint32_t>(proto.uint64_data(), dtype, std::move(shape));
    case DType::Int32: return from_field<int32_t>(proto.int32_data(), dtype, std::move(shape));
    case DType::String: return from_strings(proto, std::move(shape));
    default: break;
  }
  if (bit_width(dtype) == 16) return from_field<uint16_t>(proto.int32_data(), dtype, std::move(shape));
  return from_field<uint8_t>(proto.int32_data(), dtype, std::move(shape));  // packed types: one field value a byte
}

Result<Tensor> to_unnamed_tensor(onnx::TensorProto& proto, ExternalFiles& files, std::optional<Bytes> raw) {
  const auto dtype = dtype_from_proto(proto.data_type());
  if (!dtype)
    return error(ErrorKind::Unsupported,
                 "has element type " + std::to_string(proto.data_type()) + ", which Lapis does not know");
  if (proto.has_segment()) return error(ErrorKind::Unsupported, "is stored in segments, which no ONNX tool writes");
  LAPIS_TRY(Shape shape, checked_shape(*dtype, proto.dims()));
  if (proto.data_location() == onnx::TensorProto::EXTERNAL)
    return from_external(proto, *dtype, std::move(shape), files);
  if (!raw && proto.has_raw_data()) raw = raw_data_of(proto);
  if (raw && *dtype != DType::String) return from_bytes(*std::move(raw), *dtype, std::move(shape));
  return from_fields(proto, *dtype, std::move(shape));
}

Diagnostics located(Diagnostics diagnostics, const std::string& where) {
  for (Diagnostic& d : diagnostics)
    if (d.location.empty()) d.at(where);
  return diagnostics;
}

// ---- sparse ---------------------------------------------------------------------------------------------------------

// Flat position of stored value i: the indices are flat already, or one row of coordinates a value.
Result<int64_t> position(const Tensor& indices, int64_t i, const Shape& shape) {
  const int64_t total = element_count(shape);
  int64_t flat = 0;
  if (indices.rank() == 1) {
    flat = indices.as_int(i);
  } else {
    const auto rank = static_cast<int64_t>(shape.size());
    for (int64_t axis = 0; axis < rank; ++axis) {
      const int64_t at = indices.as_int(i * rank + axis), extent = shape[static_cast<size_t>(axis)];
      if (at < 0 || at >= extent)
        return error(ErrorKind::Input, "index " + std::to_string(at) + " is outside of " + to_string(shape));
      flat = flat * extent + at;
    }
  }
  if (flat < 0 || flat >= total)
    return error(ErrorKind::Input, "index " + std::to_string(flat) + " is outside of " + to_string(shape));
  return flat;
}

Result<Tensor> densify(const Tensor& values, const Tensor& indices, Shape shape, ExternalFiles& files) {
  const int64_t width = bit_width(values.dtype()) / 8;
  if (width == 0)
    return error(ErrorKind::Unsupported,
                 "sparse tensors of " + std::string(name_of(values.dtype())) + " are not supported");

  const int64_t count = values.size(), rank = static_cast<int64_t>(shape.size());
  const Shape rows{count, rank}, flat{count};
  if (values.rank() != 1 || indices.dtype() != DType::Int64 || (indices.shape() != flat && indices.shape() != rows))
    return error(ErrorKind::Input,
                 "has " + to_string(indices.shape()) + " indices for " + to_string(values.shape()) + " values");
  LAPIS_CHECK(files.allow_dense(static_cast<uint64_t>(values.bytes() + indices.bytes()),
                                static_cast<uint64_t>(byte_size(values.dtype(), element_count(shape)))));
  Tensor dense(values.dtype(), shape);
  for (int64_t i = 0; i < count; ++i) {
    LAPIS_TRY(const int64_t at, position(indices, i, shape));
    std::memcpy(dense.mutable_raw() + at * width, values.raw() + i * width, static_cast<size_t>(width));
  }
  return dense;
}

}  // namespace

// The path without links; as it is if there is nothing, which opening it then says.
static Path resolved(const Path& path) {
  std::error_code failure;
  const Path real = std::filesystem::canonical(path, failure);
  return failure ? std::filesystem::absolute(path).lexically_normal() : real;
}

// A model that is a link itself (caches of downloads are made of links) may have its data beside the file it leads to.
ExternalFiles::ExternalFiles(const Path& model)
    : folder_(model.parent_path().empty() ? Path(".") : model.parent_path()),
      roots_{resolved(*folder_), resolved(model).parent_path()} {}

bool ExternalFiles::leads_away(const Path& real) const {
  return std::none_of(roots_.begin(), roots_.end(), [&](const Path& root) {
    return std::mismatch(root.begin(), root.end(), real.begin(), real.end()).first == root.end();
  });
}

Status ExternalFiles::allow_dense(uint64_t stored, uint64_t dense) {
  stored_bytes_ += stored;
  dense_bytes_ += dense;
  if (dense_bytes_ <= kFreeBytes + kDensePerStored * stored_bytes_) return ok();
  return error(ErrorKind::Input, "the sparse tensors hold " + std::to_string(stored_bytes_) + " bytes and would need " +
                                     std::to_string(dense_bytes_) + " as dense ones, which is out of proportion");
}

Status ExternalFiles::allow_copy(uint64_t bytes) {
  copied_bytes_ += bytes;
  if (copied_bytes_ <= kFreeBytes + kCopiesPerByte * mapped_bytes_) return ok();
  return error(ErrorKind::Input,
               "the tensors read the same external bytes again and again: " + std::to_string(copied_bytes_) +
                   " bytes of files of " + std::to_string(mapped_bytes_) + " bytes");
}

Result<Bytes> ExternalFiles::range(const std::string& location, uint64_t offset, std::optional<uint64_t> length) {
  if (!folder_)
    return error(ErrorKind::Input, "its data is in the file '" + location + "', but the model was given as bytes")
        .help("import the model by its path");
  const Path relative(location);
  const bool climbs = std::any_of(relative.begin(), relative.end(), [](const Path& part) { return part == ".."; });
  if (location.empty() || relative.is_absolute() || climbs || location.find('\0') != std::string::npos)
    return error(ErrorKind::Input, "external data must lie beside the model, not in '" + location + "'");
  auto it = files_.find(location);
  if (it == files_.end()) {
    const Path real = resolved(*folder_ / relative);
    if (leads_away(real))
      return error(ErrorKind::Input,
                   "external data must lie beside the model, but '" + location + "' is a link that leads away")
          .help("replace the link by the file itself");
    Result<MappedFile> file = map_file(real);
    if (!file.ok())
      return error(ErrorKind::Input, "its data should be in '" + location + "': " + file.diagnostics()[0].message)
          .help("copy " + location + " beside the model; the two files belong together");
    mapped_bytes_ += file->size;
    it = files_.emplace(location, *std::move(file)).first;
  }
  const MappedFile& file = it->second;
  if (offset > file.size || length.value_or(0) > file.size - offset)
    return error(ErrorKind::Input, "its data should be bytes " + std::to_string(offset) + " to " +
                                       std::to_string(offset) + "+" + std::to_string(length.value_or(0)) + " of '" +
                                       location + "', which has only " + std::to_string(file.size))
        .help("copy " + location + " again; it may be truncated or belong to another model");
  return Bytes{{file.data, file.data.get() + offset}, length.value_or(file.size - offset)};
}

Result<Tensor> to_tensor(onnx::TensorProto& proto, ExternalFiles& files, std::optional<Bytes> raw) {
  Result<Tensor> tensor = to_unnamed_tensor(proto, files, std::move(raw));
  if (!tensor.ok()) return located(std::move(tensor).diagnostics(), quoted(proto.name()));
  return with_truth_values(*std::move(tensor));
}

Result<Tensor> to_tensor(onnx::SparseTensorProto& proto, ExternalFiles& files) {
  const std::string where = "sparse " + quoted(proto.values().name());
  LAPIS_TRY(const Tensor values, to_tensor(*proto.mutable_values(), files));
  LAPIS_TRY(const Tensor indices, to_tensor(*proto.mutable_indices(), files));
  Result<Shape> shape = checked_shape(values.dtype(), proto.dims());
  if (!shape.ok()) return located(std::move(shape).diagnostics(), where);
  Result<Tensor> dense = densify(values, indices, *std::move(shape), files);
  if (!dense.ok()) return located(std::move(dense).diagnostics(), where);
  return dense;
}

void to_proto(const Tensor& tensor, onnx::TensorProto& proto) {
  proto.set_data_type(static_cast<int>(tensor.dtype()));
  for (int64_t d : tensor.shape()) proto.add_dims(d);
  if (tensor.dtype() == DType::String) {
    for (const std::string& s : tensor.string_data()) proto.add_string_data(s);
  } else {
    proto.set_raw_data(tensor.raw(), static_cast<size_t>(tensor.bytes()));
  }
}

}  // namespace lapis::onnx_frontend
