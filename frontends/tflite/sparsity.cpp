#include "frontends/tflite/sparsity.h"

#include <algorithm>

#include "frontends/tflite/schema.h"

namespace lapis::tflite_frontend {
namespace {

Diagnostic damaged(const std::string& what) {
  return error(ErrorKind::Input, "its sparse data is damaged: " + what).help("convert the model again");
}

// One level of the tree of stored elements: an axis of the tensor, or of a block.
struct Level {
  bool is_sparse = false;
  int64_t size = 0;                       // of a dense level
  std::vector<int64_t> segments, places;  // of a sparse one: where the children of each node begin, and their positions
};

// Lists come in three widths.
std::vector<int64_t> indices(const FlatTable& level, int type_slot, int slot) {
  const auto widened = [](const auto& list) { return std::vector<int64_t>(list.begin(), list.end()); };
  const FlatTable list = level.table(slot);
  switch (static_cast<sparsity::Width>(level.get<uint8_t>(type_slot, 0))) {
    case sparsity::Width::Int32: return widened(list.numbers<int32_t>(0));
    case sparsity::Width::UInt16: return widened(list.numbers<uint16_t>(0));
    case sparsity::Width::UInt8: return widened(list.numbers<uint8_t>(0));
    case sparsity::Width::None: break;
  }
  return {};
}

class Tree {
 public:
  Tree(Tensor& result, std::span<const std::byte> data) : result_(result), data_(data) {}

  Status read(const FlatTable& table) {
    const auto order = table.numbers<int32_t>(sparsity::TraversalOrder);
    const auto blocks = table.numbers<int32_t>(sparsity::BlockMap);
    const std::vector<FlatTable> levels = table.tables(sparsity::Levels);
    rank_ = result_.rank();
    if (order.size() != levels.size() || levels.size() > kMostLevels ||
        static_cast<int64_t>(order.size()) != rank_ + static_cast<int64_t>(blocks.size()))
      return damaged("its levels do not fit its axes");
    for (size_t i = 0; i < levels.size(); ++i) LAPIS_CHECK(add_level(order[i], blocks, levels[i]));
    return place_axes(order, blocks);
  }

  Status fill() {
    position_.assign(levels_.size(), 0);
    LAPIS_CHECK(visit(0, 0));
    return read_ == data_.size() ? ok() : Status(damaged("it holds more elements than places"));
  }

 private:
  Status add_level(int32_t axis, const std::vector<int32_t>& blocks, const FlatTable& table) {
    if (axis < 0 || axis >= rank_ + static_cast<int64_t>(blocks.size())) return damaged("a level of no axis");
    Level level;
    level.is_sparse = table.get<int8_t>(sparsity::Format, 0) == 1;
    level.size = table.get<int32_t>(sparsity::DenseSize, 0);
    if (level.is_sparse) {
      level.segments = indices(table, sparsity::SegmentsType, sparsity::Segments);
      level.places = indices(table, sparsity::IndicesType, sparsity::Indices);
    }
    if (level.size < 0 || (level.is_sparse && level.segments.empty())) return damaged("a level without places");
    levels_.push_back(std::move(level));
    return ok();
  }

  // An element lies at the sum of its positions times these strides:
  // a block is a step of its axis, its inner level an element.
  Status place_axes(const std::vector<int32_t>& order, const std::vector<int32_t>& blocks) {
    std::vector<int64_t> stride(static_cast<size_t>(rank_), 1), inner(stride);
    for (int64_t axis = rank_ - 2; axis >= 0; --axis)
      stride[static_cast<size_t>(axis)] = stride[static_cast<size_t>(axis) + 1] * result_.dim(axis + 1);
    for (size_t i = 0; i < order.size(); ++i) {
      if (order[i] < rank_) continue;
      const int32_t axis = blocks[static_cast<size_t>(order[i] - rank_)];
      if (axis < 0 || axis >= rank_) return damaged("a block of no axis");
      inner[static_cast<size_t>(axis)] = std::max<int64_t>(levels_[i].size, 1);
    }
    for (const int32_t level : order) {
      const bool is_axis = level < rank_;
      const auto axis = static_cast<size_t>(is_axis ? level : blocks[static_cast<size_t>(level - rank_)]);
      if (inner[axis] > std::max<int64_t>(result_.size(), 1)) return damaged("a block larger than the tensor");
      strides_.push_back(stride[axis] * (is_axis ? inner[axis] : 1));
    }
    return ok();
  }

  // The children of node `node` of a level. Every leaf takes an element, so that the data limits the walk.
  Status visit(size_t at, int64_t node) {
    if (at == levels_.size()) return take();
    const Level& level = levels_[at];
    if (!level.is_sparse) {
      for (int64_t i = 0; i < level.size; ++i) LAPIS_CHECK(enter(at, i, node * level.size + i));
      return ok();
    }
    if (node + 1 >= static_cast<int64_t>(level.segments.size())) return damaged("a list of places that is too short");
    const int64_t begin = level.segments[static_cast<size_t>(node)],
                  end = level.segments[static_cast<size_t>(node) + 1];
    if (begin < 0 || end > static_cast<int64_t>(level.places.size())) return damaged("a segment outside of its list");
    for (int64_t i = begin; i < end; ++i) LAPIS_CHECK(enter(at, level.places[static_cast<size_t>(i)], i));
    return ok();
  }

  Status enter(size_t at, int64_t position, int64_t node) {
    constexpr int64_t kMost = int64_t{1} << 40;
    if (++steps_ > kStepsPerByte * (data_.size() + 1) || node > kMost)
      return damaged("it describes more places than it has data");
    position_[at] = position;
    return visit(at + 1, node);
  }

  Status take() {
    int64_t at = 0;
    for (size_t i = 0; i < strides_.size(); ++i) {
      const int64_t left = (result_.size() - 1 - at) / std::max<int64_t>(strides_[i], 1);
      if (at >= result_.size() || position_[i] < 0 || position_[i] > left)
        return damaged("an element outside of the tensor");
      at += position_[i] * strides_[i];
    }
    const auto width = static_cast<size_t>(bit_width(result_.dtype()) / 8);
    if (read_ + width > data_.size()) return damaged("it holds fewer elements than places");
    std::copy_n(data_.data() + read_, width, result_.mutable_raw() + static_cast<size_t>(at) * width);
    read_ += width;
    return ok();
  }

  static constexpr size_t kStepsPerByte = 64, kMostLevels = 32;
  Tensor& result_;
  std::span<const std::byte> data_;
  int64_t rank_ = 0;
  std::vector<Level> levels_;
  std::vector<int64_t> strides_, position_;
  size_t read_ = 0, steps_ = 0;
};

}  // namespace

Result<Tensor> densified(const FlatTable& table, DType dtype, const Shape& shape, std::span<const std::byte> data) {
  if (bit_width(dtype) < 8) return error(ErrorKind::Unsupported, "sparse tensors of less than 8 bits");
  Tensor result(dtype, shape);
  std::fill_n(result.mutable_raw(), static_cast<size_t>(result.bytes()), std::byte{0});
  Tree tree(result, data);
  LAPIS_CHECK(tree.read(table));
  LAPIS_CHECK(tree.fill());
  return result;
}

}  // namespace lapis::tflite_frontend
