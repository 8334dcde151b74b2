#include "frontends/tensorflow/debug_info.h"

#include <algorithm>

#include "frontends/common/protobuf.h"
#include "frontends/tensorflow/graph_def.h"

namespace lapis::tensorflow_frontend {
namespace {

using frontend::ProtoField;
using frontend::ProtoReader;

// Field numbers of GraphDebugInfo.
namespace info {
enum Field { File = 1, Trace = 2, FrameById = 4, TraceId = 5, TraceById = 6 };
}
namespace trace {
enum Field { Frame = 1, FrameId = 2 };
}
namespace frame {
enum Field { FileIndex = 1, Line = 2 };
}

// An entry of a map: a key of either kind, and a value of either kind.
struct Entry {
  std::string_view name, bytes;
  uint64_t id = 0, value = 0;
};

Entry entry_of(std::string_view message) {
  Entry entry;
  ProtoReader fields(message);
  while (const auto field = fields.next()) {
    if (field->number != 1 && field->number != 2) continue;
    std::string_view& text = field->number == 1 ? entry.name : entry.bytes;
    uint64_t& number = field->number == 1 ? entry.id : entry.value;
    if (field->has_bytes())
      text = field->bytes;
    else
      number = field->value;
  }
  return entry;
}

bool is_library(std::string_view file) {
  constexpr std::string_view kLibraries[] = {"/tensorflow/", "/keras/", "/tf_keras/", "/tf2onnx/"};
  return std::any_of(std::begin(kLibraries), std::end(kLibraries),
                     [&](std::string_view library) { return file.find(library) != std::string_view::npos; });
}

}  // namespace

DebugInfo DebugInfo::beside(const Path& folder) {
  const Path path = folder / "debug" / "saved_model_debug_info.pb";
  std::error_code failed;
  if (!std::filesystem::exists(path, failed)) return {};
  Result<MappedFile> file = map_file(path);
  return file.ok() ? of(*std::move(file)) : DebugInfo();
}

void DebugInfo::add_file(std::string_view name) {
  constexpr size_t kLongest = 256;  // every node of a model may be of this file
  files_.push_back(name.size() <= kLongest ? File{name, is_library(name)} : File{});
}

DebugInfo::Frame DebugInfo::frame_of(std::string_view message) {
  Frame result;
  ProtoReader fields(message);
  while (const auto field = fields.next()) {
    if (field->number == frame::FileIndex && field->is_number()) result.file = field->value;
    if (field->number == frame::Line && field->is_number()) result.line = field->value;
  }
  return result;
}

DebugInfo DebugInfo::of(MappedFile file) {
  DebugInfo all;
  all.file_ = std::move(file);
  ProtoReader fields(text_of(all.file_.bytes()));
  while (const auto field = fields.next()) {
    if (!field->has_bytes()) continue;
    if (field->number == info::File) {
      all.add_file(field->bytes);
      continue;
    }
    const Entry entry = entry_of(field->bytes);
    if (field->number == info::Trace) all.traces_.emplace(entry.name, entry.bytes);
    if (field->number == info::FrameById) all.frames_by_id_.emplace(entry.id, frame_of(entry.bytes));
    if (field->number == info::TraceId) all.trace_ids_.emplace(entry.name, entry.value);
    if (field->number == info::TraceById) all.traces_by_id_.emplace(entry.id, entry.bytes);
  }
  return all;
}

std::string_view DebugInfo::trace_of(const std::string& node, const std::string& function) const {
  const std::string key = node + "@" + function;
  if (const auto id = trace_ids_.find(key); id != trace_ids_.end())
    if (const auto found = traces_by_id_.find(id->second); found != traces_by_id_.end()) return found->second;
  const auto named = traces_.find(key);
  return named == traces_.end() ? std::string_view() : named->second;
}

std::vector<DebugInfo::Frame> DebugInfo::frames_of(std::string_view message) const {
  std::vector<Frame> frames;
  ProtoReader fields(message);
  while (const auto field = fields.next()) {
    if (field->number == trace::Frame && field->has_bytes()) frames.push_back(frame_of(field->bytes));
    std::vector<uint64_t> ids;
    if (field->number == trace::FrameId) static_cast<void>(append_numbers(*field, ProtoField::Fixed64, ids));
    for (const uint64_t id : ids)
      if (const auto found = frames_by_id_.find(id); found != frames_by_id_.end()) frames.push_back(found->second);
  }
  return frames;
}

// The innermost frame that is not of TensorFlow itself.
std::string DebugInfo::place(std::string_view message) const {
  const std::vector<Frame> frames = frames_of(message);
  for (auto inner = frames.rbegin(); inner != frames.rend(); ++inner) {
    const File file = inner->file < files_.size() ? files_[inner->file] : File();
    if (!file.name.empty() && !file.is_library) return std::string(file.name) + ":" + std::to_string(inner->line);
  }
  return "";
}

std::string DebugInfo::written_at(const std::string& node, const std::string& function) {
  const std::string_view message = trace_of(node, function);
  if (message.empty()) return "";
  const auto [known, is_new] = places_.try_emplace(message.data());
  if (is_new) known->second = place(message);
  return known->second;
}

}  // namespace lapis::tensorflow_frontend
