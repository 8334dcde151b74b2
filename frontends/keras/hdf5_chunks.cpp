#include "frontends/keras/hdf5_chunks.h"

#include <algorithm>

#include "base/archive/zip.h"
#include "frontends/keras/hdf5_cursor.h"

namespace lapis::keras_frontend {
namespace {

using Bytes = std::vector<std::byte>;

Diagnostic damaged(const std::string& what) {
  return error(ErrorKind::Input, "the chunks of an array are damaged: " + what).help("copy or save the model again");
}

// All first bytes of the elements come first, then all second ones, ...
Bytes unshuffled(const Bytes& bytes, size_t width) {
  Bytes result(bytes);
  const size_t count = bytes.size() / width;
  for (size_t i = 0; i < count; ++i)
    for (size_t b = 0; b < width; ++b) result[i * width + b] = bytes[b * count + i];
  return result;
}

class ChunkReader {
 public:
  ChunkReader(std::string_view file, const Chunks& chunks, Tensor& to, uint64_t& left)
      : file_(file), chunks_(chunks), to_(to), left_(left), rank_(chunks.sizes.size()), wanted_(1) {
    for (size_t axis = 0; axis < rank_; ++axis)
      wanted_ *= (to.shape()[axis] + chunks.sizes[axis] - 1) / chunks.sizes[axis];
    width_ = static_cast<size_t>(bit_width(to.dtype())) / 8;
    chunk_bytes_ = width_ * static_cast<size_t>(element_count(chunks.sizes));
  }

  Status run() {
    LAPIS_CHECK(read_node(chunks_.tree, 0));
    return found_ == wanted_ ? ok() : Status(damaged("some are missing"));
  }

 private:
  Result<std::string_view> at(uint64_t address, uint64_t size) {
    const auto part = part_of(file_, address, size);
    if (!part || size > left_) return damaged("the tree that lists them leads out of the file");
    left_ -= size;
    return *part;
  }

  Status read_node(uint64_t address, int depth) {
    constexpr int kDeepest = 16;
    constexpr uint64_t kHead = 24, kChunkNode = 1;
    LAPIS_TRY(Cursor head, node_part(address, kHead));
    if (head.take(4) != "TREE" || head.number(1) != kChunkNode || depth > kDeepest)
      return damaged("something else lies where their tree should be");
    const uint64_t level = head.number(1), used = head.number(2);
    const uint64_t entry = 8 + 8 * (rank_ + 1) + 8;
    LAPIS_TRY(Cursor entries, node_part(address + kHead, entry * used));
    for (uint64_t i = 0; i < used; ++i) {
      Cursor c(entries.take(entry));
      if (level == 0) {
        LAPIS_CHECK(read_chunk(c));
      } else {
        c.skip(entry - 8);
        LAPIS_CHECK(read_node(c.number(8), depth + 1));
      }
    }
    return ok();
  }

  Result<Cursor> node_part(uint64_t address, uint64_t size) {
    LAPIS_TRY(const std::string_view part, at(address, size));
    return Cursor(part);
  }

  // Its packed size, the filters that were left out, where it lies in the array, and in the file.
  Status read_chunk(Cursor& c) {
    const uint64_t packed = c.number(4), skipped = c.number(4);
    Shape begin;
    for (size_t axis = 0; axis < rank_; ++axis) {
      const uint64_t at = c.number(8);
      const auto size = static_cast<uint64_t>(chunks_.sizes[axis]);
      if (at % size != 0 || at >= static_cast<uint64_t>(to_.shape()[axis])) return damaged("one lies outside of it");
      begin.push_back(static_cast<int64_t>(at));
    }
    c.skip(8);
    if (++found_ > wanted_ || skipped != 0 || chunk_bytes_ > left_)
      return damaged("there are too many, or too large ones");
    left_ -= chunk_bytes_;
    const auto part = part_of(file_, c.number(8), packed);
    if (!part) return damaged("the file ends within one");
    LAPIS_TRY(const Bytes bytes, unpacked(*part));
    copy(bytes, begin);
    return ok();
  }

  Result<Bytes> unpacked(std::string_view packed) const {
    enum Filter : uint64_t { Deflate = 1, Shuffle = 2, Checksum = 3 };
    constexpr size_t kChecksum = 4;
    const auto first = std::as_bytes(std::span(packed));
    Bytes bytes(first.begin(), first.end());
    for (auto filter = chunks_.filters.rbegin(); filter != chunks_.filters.rend(); ++filter) {
      if (*filter == Deflate) {
        auto unfolded = unfold(bytes, chunk_bytes_ + kChecksum);
        if (!unfolded) return damaged("one cannot be unfolded");
        bytes = *std::move(unfolded);
      } else if (*filter == Shuffle) {
        bytes = unshuffled(bytes, width_);
      } else if (*filter == Checksum && bytes.size() >= kChecksum) {
        bytes.resize(bytes.size() - kChecksum);
      } else {
        return error(ErrorKind::Unsupported, "an array went through the filter " + std::to_string(*filter) + " of HDF5")
            .help("save the model again without compression, or with gzip");
      }
    }
    return bytes.size() == chunk_bytes_ ? Result<Bytes>(std::move(bytes)) : damaged("one has another size");
  }

  // Row by row, without what lies beyond the array.
  void copy(const Bytes& bytes, const Shape& begin) {
    const Shape& shape = to_.shape();
    const Shape strides = row_major_strides(shape), from = row_major_strides(chunks_.sizes);
    std::byte* const target = to_.mutable_raw();
    const auto row = static_cast<size_t>(std::min(chunks_.sizes[rank_ - 1], shape[rank_ - 1] - begin[rank_ - 1]));
    Shape at(rank_, 0);
    for (bool more = true; more;) {
      int64_t source = 0, place = 0;
      for (size_t axis = 0; axis < rank_; ++axis) {
        source += at[axis] * from[axis];
        place += (begin[axis] + at[axis]) * strides[axis];
      }
      std::memcpy(target + static_cast<size_t>(place) * width_, bytes.data() + static_cast<size_t>(source) * width_,
                  row * width_);
      more = next_row(at, begin);
    }
  }

  bool next_row(Shape& at, const Shape& begin) const {
    for (size_t axis = rank_ - 1; axis-- > 0;) {
      if (++at[axis] < std::min(chunks_.sizes[axis], to_.shape()[axis] - begin[axis])) return true;
      at[axis] = 0;
    }
    return false;
  }

  const std::string_view file_;
  const Chunks& chunks_;
  Tensor& to_;
  uint64_t& left_;
  const size_t rank_;
  int64_t wanted_, found_ = 0;
  size_t width_ = 0;
  uint64_t chunk_bytes_ = 0;
};

}  // namespace

Result<Tensor> read_chunks(const MappedFile& file, DType dtype, const Shape& shape, const Chunks& chunks,
                           uint64_t& left) {
  const bool fits = !shape.empty() && chunks.sizes.size() == shape.size() && !shape_problem(dtype, chunks.sizes) &&
                    std::ranges::none_of(chunks.sizes, [](int64_t size) { return size < 1; });
  if (!fits) return damaged("they do not fit it");
  const auto bytes = static_cast<uint64_t>(byte_size(dtype, element_count(shape)));
  if (bytes > left)
    return error(ErrorKind::Input, "compressed arrays unfold to more bytes than is in proportion to the file");
  left -= bytes;
  Tensor tensor(dtype, shape);
  LAPIS_CHECK(ChunkReader({reinterpret_cast<const char*>(file.data.get()), file.size}, chunks, tensor, left).run());
  return tensor;
}

}  // namespace lapis::keras_frontend
