#include "frontends/common/foreign.h"

#include <algorithm>
#include <cctype>
#include <cstring>
#include <string_view>
#include <vector>

#include "frontends/common/protobuf.h"

namespace lapis::frontend {
namespace {

using View = std::string_view;

uint64_t little_endian(View bytes, size_t at, size_t width) {
  uint64_t value = 0;
  for (size_t i = 0; i < width && at + i < bytes.size(); ++i)
    value |= static_cast<uint64_t>(static_cast<unsigned char>(bytes[at + i])) << (8 * i);
  return value;
}

bool at(View bytes, size_t offset, View magic) {
  return bytes.size() >= offset && bytes.substr(offset).starts_with(magic);
}

bool has(View text, View part) { return text.find(part) != View::npos; }

// The beginning of a text file, in small letters and without leading blanks; empty if it is not text.
std::string head_of_text(View bytes) {
  constexpr size_t kHead = 64 << 10;
  std::string head;
  for (const char c : bytes.substr(0, kHead)) {
    const auto u = static_cast<unsigned char>(c);
    if ((u < 0x20 && !std::isspace(u)) || u == 0xC0 || u == 0xC1 || u >= 0xF5) return {};  // never in UTF-8
    if (!head.empty() || !std::isspace(u)) head += static_cast<char>(std::tolower(u));
  }
  return head;
}

// ---- protocol buffers of other formats ----------------------------------------------------------------------------

using Message = ProtoReader;

bool is_identifier(View text) {
  return !text.empty() && std::isalpha(static_cast<unsigned char>(text[0])) &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isalnum(c) || c == '_'; });
}

bool is_text(View text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) { return c >= 0x20; });
}

// ProgramDesc { blocks = 1 { idx = 1, parent_idx = 2, ... } }
bool is_paddle_program(View bytes) {
  const auto block = Message(bytes).next();
  if (!block || block->number != 1 || block->wire_type != 2) return false;
  Message fields(block->bytes);
  const auto index = fields.next(), parent = fields.next();
  return index && parent && index->number == 1 && index->wire_type == 0 && parent->number == 2 &&
         parent->wire_type == 0;
}

// Model { specificationVersion = 1, description = 2, ..., neuralNetwork = 500 or mlProgram = 502 ... }
bool is_core_ml(View bytes) {
  Message fields(bytes);
  auto field = fields.next();
  if (!field || field->number != 1 || field->wire_type != 0) return false;
  while ((field = fields.next()))
    if (field->number >= 200 && field->number < 4000 && field->wire_type == 2) return true;
  return false;
}

// NetParameter { name = 1, layers = 2, ..., layer = 100 { name = 1, type = 2 "Convolution" } }
bool is_caffe_model(View bytes) {
  Message fields(bytes);
  for (auto field = fields.next(); field; field = fields.next()) {
    if (field->number == 100 && field->wire_type == 2) return true;
    if (field->number == 1 && field->wire_type == 2 && !field->bytes.empty() && !is_text(field->bytes)) return false;
    if (field->number > 100) return false;
  }
  return false;
}

// ---- archives -----------------------------------------------------------------------------------------------------

// The names in the central directory of a zip archive.
std::string names_in_zip(View bytes) {
  const size_t end = bytes.rfind("PK\5\6");
  std::string names;
  if (end == View::npos) return names;
  size_t entry = little_endian(bytes, end + 16, 4);
  constexpr int kEntries = 4096;
  constexpr size_t kHeader = 46;
  for (int i = 0; i < kEntries && at(bytes, entry, "PK\1\2"); ++i) {
    const size_t name = little_endian(bytes, entry + 28, 2), extra = little_endian(bytes, entry + 30, 2),
                 comment = little_endian(bytes, entry + 32, 2);
    if (entry + kHeader + name > bytes.size()) break;
    names += std::string(bytes.substr(entry + kHeader, name)) + "\n";
    entry += kHeader + name + extra + comment;
  }
  return names;
}

constexpr const char* kTorchExport =
    "it holds weights without a graph: load it in the program that defines the model and call "
    "torch.export.save(torch.export.export(model, inputs), 'model.pt2')";

Foreign zip(View bytes) {
  const std::string names = names_in_zip(bytes);
  if (has(names, "data.pkl")) return {"a PyTorch checkpoint", kTorchExport};
  if (has(names, ".mlmodel"))
    return {"a Core ML package in a zip archive", "export the model to ONNX from the framework it was trained in"};
  if (has(names, ".onnx\n")) return {"a zip archive with an ONNX model in it", "unpack it and give the .onnx file"};
  if (has(names, ".npy\n"))
    return {"a .npz archive of numpy arrays", "it holds weights or data; the model is another file"};
  return {"a zip archive", "unpack it first; PyTorch checkpoints are zip archives too and must be exported"};
}

// ---- text ---------------------------------------------------------------------------------------------------------

std::optional<Foreign> json(View head) {
  if (has(head, "layers-model") || has(head, "graph-model"))
    return Foreign{"a TensorFlow.js model", "export the model it was converted from to ONNX"};
  if (has(head, "\"weight_map\""))
    return Foreign{"an index of safetensors files",
                   "optimum-cli export onnx --model FOLDER_OF_THE_MODEL OUTPUT_FOLDER writes ONNX"};
  if (has(head, "\"class_name\"") && has(head, "keras"))
    return Foreign{"the configuration of a Keras model",
                   "it has no weights: save the model with model.save('model.keras')"};
  if (has(head, "\"model_type\"") || has(head, "\"architectures\""))
    return Foreign{"the configuration of a Hugging Face model",
                   "optimum-cli export onnx --model FOLDER_OF_THE_MODEL OUTPUT_FOLDER writes ONNX"};
  return Foreign{"a JSON file", "give the .onnx file itself"};
}

Foreign xml(View head) {
  return has(head, "<net") ? Foreign{"an OpenVINO model (.xml)", "export the model it was converted from to ONNX"}
                           : Foreign{"an XML file", "give the .onnx file itself"};
}

bool is_caffe(View head) { return has(head, "layer {") || has(head, "layers {") || has(head, "layer{"); }

bool is_onnx_text(View head) {
  return head.starts_with("<ir_version") || head.starts_with("<\n") || head.starts_with("< ir_version") ||
         has(head.substr(0, 200), "ir_version:");
}

std::optional<Foreign> text(View head) {
  if (head.empty()) return std::nullopt;
  if (head.starts_with("version https://git-lfs"))
    return Foreign{"a git-lfs pointer", "run `git lfs pull` to get the model itself"};
  if (head.starts_with("<!doctype html") || head.starts_with("<html"))
    return Foreign{"an HTML page", "was a download page saved instead of the model?"};
  if (is_onnx_text(head)) return Foreign{"ONNX text", "name the file .onnxtxt"};
  if (head.starts_with("<?xml") || head.starts_with("<net")) return xml(head);
  if (head.starts_with("{")) return json(head);
  if (head.starts_with("7767517")) return Foreign{"an ncnn model", "export the model it was converted from to ONNX"};
  if (is_caffe(head))
    return Foreign{"a Caffe network (.prototxt)", "caffe2onnx converts it together with its .caffemodel"};
  if (has(head, "node {") && has(head, "op:"))
    return Foreign{"a TensorFlow graph as text (.pbtxt)", "import_model reads it"};
  if (head.starts_with("<")) return Foreign{"a text file", "was a download page saved instead of the model?"};
  return Foreign{"a text file", "give the .onnx file itself"};
}

// ---- magic numbers ------------------------------------------------------------------------------------------------

struct Magic {
  size_t offset;
  View bytes;
  const char *what, *advice;
};

constexpr const char* kUnpack = "unpack it first";
constexpr Magic kMagics[] = {
    {0, View("LAPIS\r\n\x1a", 8), "an artifact made by `lapis compile`",
     "it holds machine code only: run, eval, bench, explain, verify and inspect take it, everything else takes the "
     "model it was compiled from"},
    {4, "TFL3", "a TFLite model", "import_model reads it"},
    {4, "ORTM", "a model in ONNX Runtime's own format (.ort)", "give the .onnx file it was made from"},
    {0, "GGUF", "a GGUF file",
     "it holds weights without a graph: export the model it was made from, e.g. with optimum-cli export onnx"},
    {0, "\x93NUMPY", "a numpy array", "`lapis run MODEL --input NAME=@FILE` feeds it to a model"},
    {0, "\x1f\x8b", "a gzip archive", kUnpack},
    {0,
     "\xFD"
     "7zXZ",
     "an xz archive", kUnpack},
    {0, "\x28\xB5\x2F\xFD", "a zstd archive", kUnpack},
    {0, "BZh", "a bzip2 archive", kUnpack},
    {0, "7z\xBC\xAF", "a 7z archive", kUnpack},
    {257, "ustar", "a tar archive", kUnpack},
    {0, "ftrt", "a TensorRT engine", "give the .onnx file it was built from"},
    {0, "ptrt", "a TensorRT engine", "give the .onnx file it was built from"},
    {0,
     "\x7F"
     "ELF",
     "an executable or library", "give the .onnx file itself"},
    {0, "\x89PNG", "a picture", "give the model; pictures are data (docs/datasets.md)"},
    {0, "\xFF\xD8\xFF", "a picture", "give the model; pictures are data (docs/datasets.md)"},
    {0, "%PDF", "a PDF document", "give the .onnx file itself"},
};

// LevelDB's tables end with these bytes.
bool is_tensor_table(View bytes) {
  constexpr View kMagic = "\x57\xfb\x80\x8b\x24\x75\x47\xdb";
  return bytes.ends_with(kMagic);
}

bool is_pickle(View bytes) { return bytes.size() > 2 && bytes[0] == '\x80' && bytes[1] >= 2 && bytes[1] <= 5; }

bool is_safetensors(View bytes) {
  constexpr uint64_t kLongest = 100 << 20;
  const uint64_t header = little_endian(bytes, 0, 8);
  return bytes.size() > 9 && header >= 2 && header <= kLongest && bytes[8] == '{' &&
         (bytes[9] == '"' || bytes[9] == '}' || bytes[9] == ' ');
}

std::optional<Foreign> binary(View bytes) {
  for (const Magic& magic : kMagics)
    if (at(bytes, magic.offset, magic.bytes)) return Foreign{magic.what, magic.advice};
  if (at(bytes, 0, "PK\3\4") || at(bytes, 0, "PK\5\6")) return zip(bytes);
  if (is_tensor_table(bytes))
    return Foreign{"the index of a TensorFlow checkpoint", "give the .meta file beside it, which has the graph"};
  if (is_pickle(bytes)) return Foreign{"a Python pickle, as old PyTorch checkpoints are", kTorchExport};
  if (is_safetensors(bytes))
    return Foreign{"a safetensors file",
                   "it holds weights without a graph: optimum-cli export onnx --model FOLDER_OF_THE_MODEL "
                   "OUTPUT_FOLDER writes ONNX"};
  return std::nullopt;
}

std::optional<Foreign> protobuf(View bytes) {
  if (is_tensorflow_graph(bytes)) return Foreign{"a frozen TensorFlow graph (.pb)", "import_model reads it"};
  if (is_core_ml(bytes))
    return Foreign{"a Core ML model", "export the model to ONNX from the framework it was trained in"};
  if (is_saved_model(bytes))
    return Foreign{"the graph of a TensorFlow SavedModel",
                   "import_model reads the folder it lies in, under its name saved_model.pb"};
  if (is_meta_graph(bytes))
    return Foreign{"the graph of a TensorFlow checkpoint (.meta)",
                   "import_model reads it with the checkpoint beside it"};
  if (is_paddle_program(bytes))
    return Foreign{"a PaddlePaddle program",
                   "paddle2onnx --model_dir FOLDER --model_filename FILE --params_filename PARAMS --save_file "
                   "model.onnx converts it"};
  if (is_caffe_model(bytes))
    return Foreign{"a Caffe model (.caffemodel)", "caffe2onnx converts it together with its .prototxt"};
  return std::nullopt;
}

// ---- folders ------------------------------------------------------------------------------------------------------

struct Listing {
  std::vector<std::string> names;
  bool has(View name) const { return std::find(names.begin(), names.end(), name) != names.end(); }
  std::string first_with(View suffix) const {
    for (const std::string& name : names)
      if (name.size() > suffix.size() && View(name).ends_with(suffix)) return name;
    return {};
  }
};

Listing list(const Path& folder) {
  Listing listing;
  std::error_code failed;
  for (auto it = std::filesystem::directory_iterator(folder, failed); !failed && it != std::filesystem::end(it);
       it.increment(failed))
    listing.names.push_back(it->path().filename().string());
  std::sort(listing.names.begin(), listing.names.end());
  return listing;
}

Foreign folder_kind(const Listing& files) {
  if (files.has("saved_model.pb")) return {"a TensorFlow SavedModel", "import_model reads it"};
  if (files.has("saved_model.pbtxt"))
    return {"a TensorFlow SavedModel as text",
            "load it in TensorFlow and save it again: as binary, which is the default"};
  if (files.has("Manifest.json") && files.has("Data"))
    return {"a Core ML package", "export the model to ONNX from the framework it was trained in"};
  if (const std::string model = files.first_with(".onnx"); !model.empty())
    return {"a folder", "name the model in it: " + model};
  if (files.has("__model__") || !files.first_with(".pdmodel").empty() || !files.first_with(".pdiparams").empty())
    return {"a PaddlePaddle model",
            "paddle2onnx --model_dir FOLDER --model_filename FILE --params_filename PARAMS --save_file model.onnx "
            "converts it"};
  if (!files.first_with(".safetensors").empty())
    return {"a Hugging Face model", "optimum-cli export onnx --model FOLDER OUTPUT_FOLDER writes ONNX"};
  return {"a folder", "name the file itself, not the folder it lies in"};
}

}  // namespace

// GraphDef { node = 1 { name = 1, op = 2 "Placeholder" } ... }
bool is_tensorflow_graph(std::string_view bytes) {
  const auto node = Message(bytes).next();
  if (!node || node->number != 1 || node->wire_type != 2) return false;
  Message fields(node->bytes);
  const auto name = fields.next(), op = fields.next();
  return name && op && name->number == 1 && op->number == 2 && is_text(name->bytes) && is_identifier(op->bytes);
}

// SavedModel { saved_model_schema_version = 1, meta_graphs = 2 { meta_info_def = 1 ..., graph_def = 2 } }
bool is_saved_model(std::string_view bytes) {
  Message fields(bytes);
  const auto version = fields.next(), graph = fields.next();
  if (!version || !graph || version->number != 1 || version->wire_type != 0 || graph->number != 2 ||
      graph->wire_type != 2 || is_text(graph->bytes))
    return false;
  const auto info = Message(graph->bytes).next();
  return info && info->wire_type == 2 && (info->number == 1 || info->number == 2);
}

// MetaGraphDef { meta_info_def = 1 ..., graph_def = 2 { node = 1 ... }, ... }
bool is_meta_graph(std::string_view bytes) {
  Message fields(bytes);
  auto field = fields.next();
  if (field && field->number == 1 && field->wire_type == 2) field = fields.next();
  return field && field->number == 2 && field->wire_type == 2 && is_tensorflow_graph(field->bytes);
}

bool is_tensorflow_text(std::string_view bytes) {
  constexpr size_t kHead = 4096;
  const std::string head = head_of_text(bytes.substr(0, kHead));
  return has(head, "node {") && has(head, "op:") && !is_onnx_text(head) && !is_caffe(head);
}

std::optional<Foreign> foreign_format(std::span<const std::byte> bytes) {
  const View view(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (auto found = binary(view)) return found;
  if (auto found = text(head_of_text(view))) return found;
  return protobuf(view);
}

std::optional<Foreign> foreign_folder(const Path& path) {
  std::error_code failed;
  if (!std::filesystem::is_directory(path, failed)) return std::nullopt;
  return folder_kind(list(path));
}

Diagnostic not_read(const Foreign& foreign, const std::string& wanted) {
  return error(ErrorKind::Input, "not " + wanted + " but " + foreign.what).help(foreign.advice);
}

}  // namespace lapis::frontend
