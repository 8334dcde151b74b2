// Event files of TensorBoard: TFRecords of `Event` messages (tensorflow/core/util/event.proto, framework/summary.proto,
// graph.proto), which are few enough to be written by hand.
//
//   Events events;                                     // begins with the version of the format
//   events.scalar(3, "accuracy/top1", 0.91);
//   events.graph(*graph, int8_nodes);
//   LAPIS_CHECK(write_file(folder / kEventFile, events.bytes()));
#pragma once

#include <string>
#include <string_view>
#include <unordered_set>

#include "ir/graph.h"
#include "tuning/reports/insight.h"

namespace lapis {

// Anything with "tfevents" in its name is read.
inline constexpr std::string_view kEventFile = "events.out.tfevents.0000000000.lapis";

class Events {
 public:
  // Without a beginning: what is appended to a file that has one.
  enum class Begin { File, Append };
  explicit Events(Begin begin = Begin::File);

  void scalar(int64_t step, std::string_view tag, double value);
  // In at most 64 buckets; nothing where nothing was seen.
  void histogram(int64_t step, std::string_view tag, const Seen& seen);
  // Nodes, their types and their connections.
  // The device of a node is its precision, so that colouring by device shows it.
  void graph(const Graph& graph, const std::unordered_set<std::string>& int8);

  const std::string& bytes() const { return bytes_; }

 private:
  void add(const std::string& event);  // one message
  void summary(int64_t step, std::string_view value);
  std::string bytes_;
};

// CRC-32C (Castagnoli) as TFRecords have it.
uint32_t crc32c(std::string_view bytes);

}  // namespace lapis
