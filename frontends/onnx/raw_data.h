// Raw data of large tensors, apart from the message they belong to. Protobuf copies all that it parses, and most of a
// model is weights: what lies in the initializers of the main graph stays in the file, and tensors borrow it.
//
//   if (auto split = split_model(file)) ...        // split->message parses as the model, without those bytes
//   split->raw.of(3)                                // of initializer 3, or nothing if the message has its data
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/file.h"

namespace lapis::onnx_frontend {

// Bytes that somebody keeps alive.
struct Bytes {
  std::shared_ptr<const std::byte> data;
  uint64_t size = 0;
};

class RawData {
 public:
  RawData() = default;
  explicit RawData(std::shared_ptr<const std::byte> file) : file_(std::move(file)) {}
  // For the next initializer; nothing if it has none here.
  void add(std::span<const std::byte> bytes) {
    by_initializer_.push_back(bytes);
    size_ += bytes.size();
  }
  std::optional<Bytes> of(size_t initializer) const {
    if (initializer >= by_initializer_.size() || by_initializer_[initializer].empty()) return std::nullopt;
    const std::span<const std::byte> bytes = by_initializer_[initializer];
    return Bytes{{file_, bytes.data()}, bytes.size()};
  }
  uint64_t size() const { return size_; }  // of all

 private:
  std::shared_ptr<const std::byte> file_;
  std::vector<std::span<const std::byte>> by_initializer_;
  uint64_t size_ = 0;
};

struct SplitModel {
  std::string message;
  RawData raw;
};
// Nothing where less than half of the file would stay in it, or where it is damaged.
std::optional<SplitModel> split_model(const MappedFile& file);

// The other way around: what to write for a message whose initializers get these contents;
// empty ones stay as they are. Parts refer to both.
class JoinedModel {
 public:
  JoinedModel(std::span<const std::byte> message, std::span<const std::span<const std::byte>> contents);
  const std::vector<std::span<const std::byte>>& parts() const { return parts_; }

 private:
  void add(std::string text);
  std::deque<std::string> own_;
  std::vector<std::span<const std::byte>> parts_;
};

}  // namespace lapis::onnx_frontend
