#include "frontends/mxnet/params.h"

#include <cstring>
#include <limits>

#include "base/truth.h"
#include "frontends/common/bytes.h"

namespace lapis::mxnet_frontend {
namespace {

// What stands in front of an array; older files have the rank there.
constexpr uint32_t kVersion1 = 0xF993FAC8, kVersion2 = 0xF993FAC9, kVersion3 = 0xF993FACA;

// By number.
constexpr DType kTypes[] = {DType::Float32, DType::Float64, DType::Float16, DType::UInt8, DType::Int32,
                            DType::Int8,    DType::Int64,   DType::Bool,    DType::Int16, DType::UInt16,
                            DType::UInt32,  DType::UInt64,  DType::BFloat16};

class Reader {
 public:
  explicit Reader(const MappedFile& file) : file_(file) {}

  Result<Parameters> run() {
    LAPIS_TRY(const auto magic, next<uint64_t>());
    LAPIS_TRY(const auto reserved, next<uint64_t>());
    if (magic != kMagic || reserved != 0)
      return error(ErrorKind::Input, "the file is no list of arrays as MXNet saves them");
    LAPIS_TRY(const auto count, next<uint64_t>());
    std::vector<Tensor> arrays;
    for (uint64_t i = 0; i < count; ++i) {
      LAPIS_TRY(arrays.emplace_back(), array(i));
    }
    return named(std::move(arrays));
  }

 private:
  static constexpr uint64_t kMagic = 0x112;

  Diagnostic cut_off() const {
    return error(ErrorKind::Input, "the file is damaged or cut off after " + std::to_string(at_) + " of its " +
                                       std::to_string(file_.size) + " bytes")
        .help("copy or save it again");
  }

  bool has(uint64_t bytes) const { return bytes <= file_.size - at_; }

  template <class T> Result<T> next() {
    if (!has(sizeof(T))) return cut_off();
    T value;
    std::memcpy(&value, file_.data.get() + at_, sizeof value);
    at_ += sizeof value;
    return value;
  }

  Result<Tensor> array(uint64_t number) {
    LAPIS_TRY(const auto magic, next<uint32_t>());
    if (magic == kVersion2 || magic == kVersion3) {
      LAPIS_TRY(const auto storage, next<int32_t>());
      if (storage != 0) return error(ErrorKind::Unsupported, "array " + std::to_string(number) + " is sparse");
    }
    LAPIS_TRY(const std::optional<Shape> shape, shape_of(magic));
    return shape ? content(*shape, number) : Result<Tensor>(Tensor());
  }

  // nullopt: an array without a value, behind which nothing follows.
  Result<std::optional<Shape>> shape_of(uint32_t magic) {
    const bool is_versioned = magic == kVersion1 || magic == kVersion2 || magic == kVersion3;
    uint32_t rank = magic;
    if (is_versioned) {
      LAPIS_TRY(rank, next<uint32_t>());
    }
    const uint32_t none = magic == kVersion3 ? std::numeric_limits<uint32_t>::max() : 0;
    if (rank == none) return std::optional<Shape>();
    if (rank > kMaxRank)
      return error(ErrorKind::Input, "an array has " + std::to_string(rank) + " axes").help("copy or save it again");
    Shape shape;
    for (uint32_t axis = 0; axis < rank; ++axis) {
      LAPIS_TRY(shape.emplace_back(), is_versioned ? next<int64_t>() : old_size());
    }
    return std::optional(std::move(shape));
  }

  Result<int64_t> old_size() {
    LAPIS_TRY(const auto size, next<uint32_t>());
    return int64_t{size};
  }

  Result<Tensor> content(const Shape& shape, uint64_t number) {
    LAPIS_CHECK(next<int32_t>());  // the kind of device that it was on, and which
    LAPIS_CHECK(next<int32_t>());
    LAPIS_TRY(const auto type, next<int32_t>());
    if (type < 0 || static_cast<size_t>(type) >= std::size(kTypes))
      return error(ErrorKind::Input, "array " + std::to_string(number) + " is of type number " + std::to_string(type));
    const DType dtype = kTypes[type];
    if (const auto problem = shape_problem(dtype, shape))
      return error(ErrorKind::Input, "array " + std::to_string(number) + " cannot be: " + *problem);
    const auto size = static_cast<uint64_t>(byte_size(dtype, element_count(shape)));
    if (!has(size)) return cut_off();
    const std::shared_ptr<const std::byte> bytes(file_.data, file_.data.get() + at_);
    at_ += size;
    return with_truth_values(frontend::over_bytes(dtype, shape, bytes));
  }

  Result<Parameters> named(std::vector<Tensor> arrays) {
    LAPIS_TRY(const auto count, next<uint64_t>());
    if (count != arrays.size())
      return error(ErrorKind::Input,
                   "has " + std::to_string(arrays.size()) + " arrays and " + std::to_string(count) + " names for them");
    Parameters result;
    for (Tensor& array : arrays) {
      LAPIS_TRY(std::string name, this->name());
      if (array.defined()) result.insert_or_assign(std::move(name), std::move(array));
    }
    return result;
  }

  Result<std::string> name() {
    LAPIS_TRY(const auto size, next<uint64_t>());
    if (!has(size)) return cut_off();
    const std::string_view whole(reinterpret_cast<const char*>(file_.data.get()) + at_, size);
    at_ += size;
    const bool is_kind = whole.starts_with("arg:") || whole.starts_with("aux:");
    return std::string(whole.substr(is_kind ? whole.find(':') + 1 : 0));
  }

  const MappedFile& file_;
  uint64_t at_ = 0;
};

}  // namespace

Result<Parameters> read_params(const MappedFile& file) { return Reader(file).run(); }

}  // namespace lapis::mxnet_frontend
