#include "frontends/onnx/raw_data.h"

#include "frontends/common/bytes.h"
#include "frontends/common/protobuf.h"
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

// ---- and together again ---------------------------------------------------------------------------------------------

namespace {

// Of a field that has a length.
std::string head(uint64_t number, uint64_t length) {
  std::string text;
  frontend::append_varint(text, number << 3 | frontend::ProtoField::Bytes);
  frontend::append_varint(text, length);
  return text;
}

std::span<const std::byte> message_of(std::span<const std::byte> bytes, const WireField& field) {
  return bytes.subspan(field.content, field.end - field.content);
}

// Of the fields of a message, which is whole.
template <class F> void each_field(std::span<const std::byte> message, F&& visit) {
  for (WireReader reader(message); reader.left() > 0;) visit(*reader.field());
}

uint64_t with_raw_data(uint64_t tensor, uint64_t raw) {
  return raw == 0 ? tensor : tensor + head(kRawData, raw).size() + raw;
}

}  // namespace

void JoinedModel::add(std::string text) {
  parts_.push_back(std::as_bytes(std::span(own_.emplace_back(std::move(text)))));
}

JoinedModel::JoinedModel(std::span<const std::byte> message, std::span<const std::span<const std::byte>> contents) {
  const auto add_initializer = [&](std::span<const std::byte> tensor, std::span<const std::byte> raw) {
    add(head(kInitializer, with_raw_data(tensor.size(), raw.size())));
    parts_.push_back(tensor);
    if (raw.empty()) return;
    add(head(kRawData, raw.size()));
    parts_.push_back(raw);
  };
  const auto add_graph = [&](std::span<const std::byte> graph) {
    uint64_t size = 0;
    size_t i = 0;
    each_field(graph, [&](const WireField& field) {
      const bool is_tensor = field.number == kInitializer;
      const uint64_t length = is_tensor ? with_raw_data(field.end - field.content, contents[i++].size()) : 0;
      size += is_tensor ? head(kInitializer, length).size() + length : field.end - field.begin;
    });
    add(head(kGraph, size));
    i = 0;
    each_field(graph, [&](const WireField& field) {
      if (field.number == kInitializer) return add_initializer(message_of(graph, field), contents[i++]);
      parts_.push_back(graph.subspan(field.begin, field.end - field.begin));
    });
  };
  each_field(message, [&](const WireField& field) {
    if (field.number == kGraph) return add_graph(message_of(message, field));
    parts_.push_back(message.subspan(field.begin, field.end - field.begin));
  });
}

std::optional<SplitModel> split_model(const MappedFile& file) { return Splitter(file).run(); }

}  // namespace lapis::onnx_frontend
