#include "frontends/onnx/read.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <onnx/defs/parser.h>
#include <onnx/onnx_pb.h>

#include <climits>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "frontends/common/foreign.h"
#include "frontends/onnx/raw_data.h"
#include "frontends/onnx/wire.h"

namespace lapis::onnx_frontend {
namespace {

constexpr int kMaxTypes = 16;      // sequences of optionals of sequences ...
constexpr int kMaxBrackets = 100;  // of text
// Messages within messages: a body takes three (graph, node, attribute), a type two; what else a file has lies flat.
constexpr int kMaxNesting = 3 * kMaxBodies + 2 * kMaxTypes + 16;

// The outermost layer of the wire format, to tell a truncated model from something that never was one.
class WireScan {
 public:
  explicit WireScan(std::span<const std::byte> bytes) : reader_(bytes) { scan(); }
  bool whole() const { return whole_; }
  size_t fields() const { return fields_; }  // of ModelProto, read in full
  bool has_graph() const { return has_graph_; }
  std::optional<size_t> missing() const { return missing_; }  // bytes that the field at the end of the file lacks

 private:
  static constexpr uint64_t kGraph = 7;
  static bool known(uint64_t field, uint64_t wire_type) {
    const bool number = field == 1 || field == 5;
    return number ? wire_type == 0
                  : wire_type == 2 && field > 0 &&
                        (field <= 8 || field == 14 || field == 20 || field == 25 || field == 26);
  }

  void scan() {
    while (reader_.left() > 0) {
      const auto key = reader_.varint();
      if (!key || !known(*key >> 3, *key & 7)) return;
      const auto value = reader_.varint();
      if (!value) {
        missing_ = 1;
        return;
      }
      if ((*key & 7) == 2 && !reader_.skip(*value)) {
        missing_ = *value - reader_.left();
        return;
      }
      ++fields_;
      has_graph_ = has_graph_ || *key >> 3 == kGraph;
    }
    whole_ = true;
  }

  WireReader reader_;
  size_t fields_ = 0;
  bool whole_ = false, has_graph_ = false;
  std::optional<size_t> missing_;
};

// Which messages of ONNX hold which, as far as they can hold themselves in the end.
enum class Message : uint8_t { Model, Training, Function, Graph, Node, Attribute, Value, Type, Holder };
struct Field {
  Message message;
  uint64_t number;
  Message content;
};
constexpr Field kNesting[] = {
    {Message::Model, 7, Message::Graph},         {Message::Model, 25, Message::Function},
    {Message::Function, 7, Message::Node},       {Message::Model, 20, Message::Training},
    {Message::Training, 1, Message::Graph},      {Message::Training, 2, Message::Graph},
    {Message::Function, 11, Message::Attribute}, {Message::Function, 12, Message::Value},
    {Message::Graph, 1, Message::Node},          {Message::Graph, 11, Message::Value},
    {Message::Graph, 12, Message::Value},        {Message::Graph, 13, Message::Value},
    {Message::Node, 5, Message::Attribute},      {Message::Attribute, 6, Message::Graph},
    {Message::Attribute, 11, Message::Graph},    {Message::Attribute, 14, Message::Type},
    {Message::Attribute, 15, Message::Type},     {Message::Value, 2, Message::Type},
    {Message::Type, 4, Message::Holder},         {Message::Type, 5, Message::Holder},
    {Message::Type, 9, Message::Holder},         {Message::Holder, 1, Message::Type},
    {Message::Holder, 2, Message::Type},
};

std::optional<Message> content_of(Message message, uint64_t field) {
  for (const Field& f : kNesting)
    if (f.message == message && f.number == field) return f.content;
  return std::nullopt;
}

// Walks the bytes of a model without recursion, to tell bodies and types that
// nest too deep from files that are damaged.
class NestingScan {
 public:
  explicit NestingScan(std::span<const std::byte> bytes) {
    open_.push_back({bytes.size(), Message::Model, 0, 0});
    WireReader reader(bytes);
    while (reader.at() < bytes.size() && step(reader)) {
    }
  }
  int bodies() const { return bodies_; }
  int types() const { return types_; }

 private:
  struct Open {
    size_t end;
    Message message;
    int bodies, types;
  };

  // False where the bytes are no messages any more; parsing them will say so.
  bool step(WireReader& reader) {
    while (reader.at() >= open_.back().end) open_.pop_back();
    const auto key = reader.varint();
    if (!key) return false;
    const auto length = (*key & 7) == 2 ? reader.varint() : std::optional<uint64_t>(0);
    if (!length || *length > open_.back().end - std::min(reader.at(), open_.back().end)) return false;
    if ((*key & 7) != 2) return reader.skip_value(*key & 7);
    const auto content = content_of(open_.back().message, *key >> 3);
    if (!content) return reader.skip(*length);
    const Open& around = open_.back();
    enter({reader.at() + static_cast<size_t>(*length), *content, around.bodies + (*content == Message::Graph),
           around.types + (*content == Message::Type)});
    return true;
  }

  void enter(const Open& inner) {
    bodies_ = std::max(bodies_, inner.bodies - 1);  // the model's own graph is not a body
    types_ = std::max(types_, inner.types);
    open_.push_back(inner);
  }

  std::vector<Open> open_;
  int bodies_ = 0, types_ = 0;
};

std::optional<Diagnostic> nests_too_deep(std::span<const std::byte> bytes) {
  const NestingScan scan(bytes);
  if (scan.bodies() > kMaxBodies)
    return error(ErrorKind::Unsupported, "bodies of control flow (If, Loop, Scan) lie " +
                                             std::to_string(scan.bodies()) + " deep within each other, at most " +
                                             std::to_string(kMaxBodies) + " are supported");
  if (scan.types() > kMaxTypes)
    return error(ErrorKind::Unsupported, "types (sequences, optionals) lie " + std::to_string(scan.types()) +
                                             " deep within each other, at most " + std::to_string(kMaxTypes) +
                                             " are supported");
  return std::nullopt;
}

Diagnostic not_a_model(std::span<const std::byte> bytes) {
  if (const auto foreign = frontend::foreign_format(bytes)) return frontend::not_read(*foreign, "an ONNX model");
  const WireScan scan(bytes);
  if (scan.missing() && scan.fields() > 0)
    return error(ErrorKind::Input, "the file is truncated: at least " + std::to_string(*scan.missing()) +
                                       " bytes are missing after byte " + std::to_string(bytes.size()))
        .help("copy or download it again");
  if (scan.whole())
    return error(ErrorKind::Input, "the model is damaged: its outer structure is whole but a part inside is not valid")
        .help("export or download it again");
  return error(ErrorKind::Input, "not an ONNX model")
      .help("check that the file is an ONNX model and was copied in full");
}

// Deepest nesting of brackets outside of strings and comments: the text parser recurses once for each.
int bracket_depth(std::string_view text) {
  int depth = 0, deepest = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '#') {
      while (i + 1 < text.size() && text[i] != '\n') ++i;
    } else if (c == '"') {
      for (++i; i < text.size() && text[i] != '"'; ++i)
        if (text[i] == '\\') ++i;
    } else if (c == '(' || c == '{' || c == '[') {
      deepest = std::max(deepest, ++depth);
    } else if (c == ')' || c == '}' || c == ']') {
      --depth;
    }
  }
  return deepest;
}

}  // namespace

bool looks_like_model(std::span<const std::byte> bytes) {
  const WireScan scan(bytes);
  return scan.whole() && scan.has_graph();
}

static bool parse(std::span<const std::byte> bytes, onnx::ModelProto& model) {
  google::protobuf::io::ArrayInputStream stream(bytes.data(), static_cast<int>(bytes.size()));
  google::protobuf::io::CodedInputStream input(&stream);
  input.SetRecursionLimit(kMaxNesting);
  return model.ParseFromCodedStream(&input) && input.ConsumedEntireMessage();
}

// Without raw data that is set apart, if there is much of it.
static bool parse_around(const MappedFile& file, onnx::ModelProto& model, RawData& raw) {
  std::optional<SplitModel> split = split_model(file);
  if (!split) return parse(file.bytes(), model);
  raw = std::move(split->raw);
  return parse(std::as_bytes(std::span(split->message)), model);
}

template <class Parse>
static Status read_with(Parse parse, std::span<const std::byte> bytes, const onnx::ModelProto& model) {
  if (bytes.empty()) return error(ErrorKind::Input, "the file is empty").help("copy or download it again");
  if (bytes.size() > INT_MAX) {
    if (const auto foreign = frontend::foreign_format(bytes)) return frontend::not_read(*foreign, "an ONNX model");
    return error(ErrorKind::Input, "the file has " + std::to_string(bytes.size()) + " bytes; protobuf ends at 2 GiB")
        .help("save the model with external data: onnx.save(model, path, save_as_external_data=True)");
  }
  if (auto d = nests_too_deep(bytes)) return *std::move(d);
  if (!parse()) return not_a_model(bytes);
  if (!WireScan(bytes).whole() || !model.has_graph())
    return not_a_model(bytes);  // parses, but only as fields that ONNX does not have
  return ok();
}

Status read_model(std::span<const std::byte> bytes, onnx::ModelProto& model) {
  return read_with([&] { return parse(bytes, model); }, bytes, model);
}

Status read_model(const MappedFile& file, onnx::ModelProto& model, RawData& raw) {
  return read_with([&] { return parse_around(file, model, raw); }, file.bytes(), model);
}

Status read_text(std::string_view text, onnx::ModelProto& model) {
  if (const int depth = bracket_depth(text); depth > kMaxBrackets)
    return error(ErrorKind::Unsupported, "brackets lie " + std::to_string(depth) + " deep within each other, at most " +
                                             std::to_string(kMaxBrackets) + " are supported")
        .note("a body of control flow is one of them");
  onnx::OnnxParser parser(text);
  const auto status = parser.Parse(model);
  if (!status.IsOK())
    return error(ErrorKind::Input, "not valid ONNX text: " + status.ErrorMessage())
        .help("the syntax is described in docs/importing-onnx.md");
  if (!parser.EndOfInput())
    return error(ErrorKind::Input, "text goes on after the model ends " + parser.GetCurrentPos());
  return ok();
}

}  // namespace lapis::onnx_frontend
