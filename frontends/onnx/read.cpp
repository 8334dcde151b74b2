#include "frontends/onnx/read.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <onnx/defs/parser.h>
#include <onnx/onnx_pb.h>

#include <climits>
#include <optional>
#include <string>

namespace lapis::onnx_frontend {
namespace {

constexpr int kMaxNesting = 100;  // messages within messages; a subgraph within a subgraph takes three

// The outermost layer of the wire format, to tell a truncated model from something that never was one.
class WireScan {
 public:
  explicit WireScan(std::span<const std::byte> bytes) : bytes_(bytes) { scan(); }
  bool whole() const { return whole_; }
  size_t fields() const { return fields_; }                   // of ModelProto, read in full
  std::optional<size_t> missing() const { return missing_; }  // bytes that the field at the end of the file lacks

 private:
  std::optional<uint64_t> varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64 && at_ < bytes_.size(); shift += 7) {
      const auto byte = std::to_integer<uint64_t>(bytes_[at_++]);
      value |= (byte & 0x7F) << shift;
      if (byte < 0x80) return value;
    }
    return std::nullopt;
  }

  static bool known(uint64_t field, uint64_t wire_type) {
    const bool number = field == 1 || field == 5;
    return number ? wire_type == 0
                  : wire_type == 2 && field > 0 &&
                        (field <= 8 || field == 14 || field == 20 || field == 25 || field == 26);
  }

  void scan() {
    while (at_ < bytes_.size()) {
      const auto key = varint();
      if (!key || !known(*key >> 3, *key & 7)) return;
      const auto value = varint();
      if (!value) {
        missing_ = 1;
        return;
      }
      if ((*key & 7) == 2) {
        const size_t left = bytes_.size() - at_;
        if (*value > left) {
          missing_ = *value - left;
          return;
        }
        at_ += *value;
      }
      ++fields_;
    }
    whole_ = true;
  }

  std::span<const std::byte> bytes_;
  size_t at_ = 0, fields_ = 0;
  bool whole_ = false;
  std::optional<size_t> missing_;
};

bool starts_with(std::span<const std::byte> bytes, std::string_view magic) {
  return std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()).starts_with(magic);
}

std::string guess(std::span<const std::byte> bytes) {
  if (starts_with(bytes, "PK")) return "this is a zip archive (PyTorch .pt/.pt2 or Keras .keras?)";
  if (starts_with(bytes, "\x89HDF")) return "this is an HDF5 file (Keras .h5?)";
  if (starts_with(bytes, "version https://git-lfs"))
    return "this is a git-lfs pointer: run `git lfs pull` to get the model itself";
  if (bytes.size() > 8 && starts_with(bytes.subspan(4), "TFL3")) return "this is a TFLite model";
  if (starts_with(bytes, "<ir_version") || starts_with(bytes, "<\n"))
    return "this looks like ONNX text: name the file .onnxtxt";
  if (starts_with(bytes, "<") || starts_with(bytes, "{"))
    return "this is a text file; was a download page saved instead of the model?";
  return "check that the file is an ONNX model and was copied in full";
}

Diagnostic not_a_model(std::span<const std::byte> bytes) {
  const WireScan scan(bytes);
  if (scan.missing() && scan.fields() > 0)
    return error(ErrorKind::Input, "the file is truncated: at least " + std::to_string(*scan.missing()) +
                                       " bytes are missing after byte " + std::to_string(bytes.size()))
        .help("copy or download it again");
  if (scan.whole())
    return error(ErrorKind::Input, "the model is damaged: its outer structure is whole but a part inside is not valid")
        .help("export or download it again");
  return error(ErrorKind::Input, "not an ONNX model").help(guess(bytes));
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

Status read_model(std::span<const std::byte> bytes, onnx::ModelProto& model) {
  if (bytes.empty()) return error(ErrorKind::Input, "the file is empty").help("copy or download it again");
  if (bytes.size() > INT_MAX)
    return error(ErrorKind::Input, "the file has " + std::to_string(bytes.size()) + " bytes; protobuf ends at 2 GiB")
        .help("save the model with external data: onnx.save(model, path, save_as_external_data=True)");
  google::protobuf::io::ArrayInputStream stream(bytes.data(), static_cast<int>(bytes.size()));
  google::protobuf::io::CodedInputStream input(&stream);
  input.SetRecursionLimit(kMaxNesting);
  if (!model.ParseFromCodedStream(&input) || !input.ConsumedEntireMessage()) return not_a_model(bytes);
  if (!WireScan(bytes).whole()) return not_a_model(bytes);  // parses, but only as fields that ONNX does not have
  return ok();
}

Status read_text(std::string_view text, onnx::ModelProto& model) {
  if (bracket_depth(text) > kMaxNesting)
    return error(ErrorKind::Input, "brackets are nested more than " + std::to_string(kMaxNesting) + " deep");
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
