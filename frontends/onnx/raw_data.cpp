#include "frontends/onnx/raw_data.h"

#include "frontends/common/bytes.h"
#include "frontends/onnx/wire.h"

namespace lapis::onnx_frontend {
namespace {

// Numbers of fields: ModelProto.graph, GraphProto.initializer, TensorProto.raw_data.
constexpr uint64_t kGraph = 7, kInitializer = 5, kRawData = 9;

// Bytes [begin, end) of the file that the message has others for.
struct Edit {
  size_t begin, end;
  std::string instead;
};

// In as many bytes as there were: longer than need be is fine.
std::string varint(uint64_t value, size_t width) {
  std::string text;
  for (size_t i = 0; i < width; ++i, value >>= 7)
    text += static_cast<char>((value & 0x7F) | (i + 1 < width ? 0x80U : 0U));
  return text;
}

// The one field of that number, which has bytes; nothing if the message is damaged or has none or several.
std::optional<WireField> only_field(WireReader reader, uint64_t number) {
  std::optional<WireField> only;
  while (reader.left() > 0) {
    const std::optional<WireField> field = reader.field();
    if (!field) return std::nullopt;
    if (field->number != number) continue;
    if (only || !field->has_length) return std::nullopt;
    only = field;
  }
  return only;
}

class Splitter {
 public:
  explicit Splitter(const MappedFile& file) : bytes_(file.bytes()), raw_(file.data) {}

  std::optional<SplitModel> run() {
    const std::optional<WireField> graph = only_field(WireReader(bytes_), kGraph);
    if (!graph || !cut_initializers(*graph) || removed_ < bytes_.size() / 2) return std::nullopt;
    edits_.insert(edits_.begin(), shorter(*graph, removed_));
    return SplitModel{edited(), std::move(raw_)};
  }

 private:
  // False if the graph is damaged.
  bool cut_initializers(const WireField& graph) {
    WireReader reader(bytes_.first(graph.end), graph.content);
    while (reader.left() > 0) {
      const std::optional<WireField> field = reader.field();
      if (!field) return false;
      if (field->number == kInitializer && field->has_length) cut_initializer(*field);
    }
    return true;
  }

  void cut_initializer(const WireField& tensor) {
    const std::optional<WireField> raw = large_raw_data(tensor);
    if (!raw) return raw_.add({});
    const size_t bytes = raw->end - raw->begin;
    edits_.push_back(shorter(tensor, bytes));
    edits_.push_back({raw->begin, raw->end, {}});
    removed_ += bytes;
    raw_.add(bytes_.subspan(raw->content, raw->end - raw->content));
  }

  // Of a tensor that is whole and has one.
  std::optional<WireField> large_raw_data(const WireField& tensor) const {
    const auto raw = only_field(WireReader(bytes_.first(tensor.end), tensor.content), kRawData);
    const bool large = raw && raw->end - raw->content >= static_cast<size_t>(frontend::kWorthBorrowing);
    return large ? raw : std::nullopt;
  }

  // The length of a message that has so many bytes less.
  static Edit shorter(const WireField& field, size_t bytes) {
    return {field.length, field.content, varint(field.end - field.content - bytes, field.content - field.length)};
  }

  std::string edited() const {
    std::string message;
    message.reserve(bytes_.size() - removed_);
    const auto* const text = reinterpret_cast<const char*>(bytes_.data());
    size_t at = 0;
    for (const Edit& edit : edits_) {
      message.append(text + at, edit.begin - at);
      message += edit.instead;
      at = edit.end;
    }
    return message.append(text + at, bytes_.size() - at);
  }

  std::span<const std::byte> bytes_;
  RawData raw_;
  std::vector<Edit> edits_;  // in the order of the file
  size_t removed_ = 0;
};

}  // namespace

std::optional<SplitModel> split_model(const MappedFile& file) { return Splitter(file).run(); }

}  // namespace lapis::onnx_frontend
