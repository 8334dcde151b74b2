// Where the user's program wrote the nodes of a SavedModel, for messages: what TensorFlow keeps beside it if it is
// asked to (tf.saved_model.SaveOptions(save_debug_info=True)).
//
//   DebugInfo info = DebugInfo::beside("FOLDER");
//   info.written_at("rfft", "__inference_call_12")   // "model.py:17", or "" where nobody knows
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/file.h"

namespace lapis::tensorflow_frontend {

class DebugInfo {
 public:
  // Of a file that is not there, or damaged, as much as can be read: no model is worse for it.
  static DebugInfo beside(const Path& folder);
  static DebugInfo of(MappedFile file);
  // Of a node of a function, or of the graph: "".
  std::string written_at(const std::string& node, const std::string& function);

 private:
  struct Frame {
    uint64_t file = 0, line = 0;
  };
  struct File {
    std::string_view name;
    bool is_library = false;
  };
  void add_file(std::string_view name);
  static Frame frame_of(std::string_view message);
  std::string_view trace_of(const std::string& node, const std::string& function) const;
  // Outermost first.
  std::vector<Frame> frames_of(std::string_view message) const;
  std::string place(std::string_view message) const;

  MappedFile file_;  // all views are of it
  std::vector<File> files_;
  std::unordered_map<std::string_view, uint64_t> trace_ids_;  // by "NODE@FUNCTION"
  std::unordered_map<std::string_view, std::string_view>
      traces_;  // likewise, as they were written up to TensorFlow 2.13
  std::unordered_map<uint64_t, std::string_view> traces_by_id_;
  std::unordered_map<uint64_t, Frame> frames_by_id_;
  std::unordered_map<const char*, std::string> places_;  // of traces, which many nodes share
};

}  // namespace lapis::tensorflow_frontend
