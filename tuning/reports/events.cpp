#include "tuning/reports/events.h"

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cstring>
#include <unordered_map>

#include "ir/op.h"

namespace lapis {
namespace {

// ---- protobuf on the wire -------------------------------------------------------------------------------------------

class Message {
 public:
  Message& varint(int field, uint64_t value) {
    tag(field, 0);
    number(value);
    return *this;
  }
  Message& real(int field, double value) {
    tag(field, 1);
    append(value);
    return *this;
  }
  Message& single(int field, float value) {
    tag(field, 5);
    append(value);
    return *this;
  }
  // Text, bytes, or another message.
  Message& text(int field, std::string_view value) {
    tag(field, 2);
    number(value.size());
    bytes_ += value;
    return *this;
  }
  Message& reals(int field, const std::vector<double>& values) {
    return text(field, {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(double)});
  }
  const std::string& bytes() const { return bytes_; }
  operator std::string_view() const { return bytes_; }

 private:
  void tag(int field, unsigned type) { number(static_cast<uint64_t>(field) << 3 | type); }
  void number(uint64_t value) {
    for (; value >= 0x80; value >>= 7) bytes_ += static_cast<char>(value | 0x80);
    bytes_ += static_cast<char>(value);
  }
  template <class T> void append(T value) {
    static_assert(std::endian::native == std::endian::little);
    char raw[sizeof value];
    std::memcpy(raw, &value, sizeof value);
    bytes_.append(raw, sizeof value);
  }
  std::string bytes_;
};

// ---- records --------------------------------------------------------------------------------------------------------

template <class T> std::string little_endian(T value) {
  std::string bytes(sizeof value, 0);
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

// So that sums of data that holds sums are no sums of nothing: how TFRecord stores them.
std::string masked_sum(std::string_view bytes) {
  const uint32_t sum = crc32c(bytes);
  return little_endian(((sum >> 15) | (sum << 17)) + 0xa282ead8U);
}

Message event() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return Message().real(1, std::chrono::duration<double>(now).count());
}

// ---- histograms -----------------------------------------------------------------------------------------------------

struct Buckets {
  std::vector<double> limits, counts;  // the upper end of each
};

// Bins of the histogram, some of them together.
Buckets buckets_of(const Histogram& h) {
  constexpr size_t kMost = 64;
  size_t first = 0, end = h.bins().size();
  while (first < end && h.bins()[first] == 0) ++first;
  while (end > first && h.bins()[end - 1] == 0) --end;
  const size_t together = (end - first + kMost - 1) / kMost;
  Buckets buckets;
  for (size_t i = first; i < end; i += together) {
    double count = 0;
    const size_t last = std::min(i + together, end);
    for (size_t k = i; k < last; ++k) count += static_cast<double>(h.bins()[k]);
    buckets.counts.push_back(count);
    buckets.limits.push_back(static_cast<double>(h.first_bin() + static_cast<int64_t>(last)) * h.bin_width());
  }
  return buckets;
}

// ---- the graph ------------------------------------------------------------------------------------------------------

// Names of TensorBoard's nodes: ':' and '^' mean something there, and there is one name space for nodes,
// inputs and constants.
class GraphDef {
 public:
  GraphDef(const Graph& graph, const std::unordered_set<std::string>& int8) {
    for (const Value* v : graph.inputs()) value(*v, "Placeholder");
    for (const Value* v : graph.constants()) value(*v, "Const");
    for (const Node* node : graph.nodes()) this->node(*node, int8);
    message_.text(4, Message().varint(1, 1));  // versions: producer
  }
  const Message& message() const { return message_; }

 private:
  std::string unique(const std::string& wanted) {
    std::string name = wanted.empty() ? "node" : wanted;
    for (char& c : name)
      if (c == ':' || c == '^' || c == ' ') c = '_';
    const int before = used_[name]++;
    return before == 0 ? name : unique(name + "_" + std::to_string(before));
  }

  static Message shapes_of(const std::vector<const Value*>& values) {
    Message list;
    for (const Value* v : values) {
      Message shape;
      if (!v || !v->type().ranked()) shape.varint(3, 1);  // unknown_rank
      for (int64_t i = 0; v && v->type().ranked() && i < v->type().rank(); ++i) {
        const std::optional<int64_t> extent = v->type().dim(i).constant();
        shape.text(2, Message().varint(1, static_cast<uint64_t>(extent.value_or(-1))));
      }
      list.text(7, shape);
    }
    return Message().text(1, list);
  }

  void add(const std::string& name, std::string_view op, const std::vector<std::string>& inputs,
           const std::vector<const Value*>& outputs, std::string_view device) {
    Message def;
    def.text(1, name).text(2, op);
    for (const std::string& input : inputs) def.text(3, input);
    if (!device.empty()) def.text(4, device);
    def.text(5, Message().text(1, "_output_shapes").text(2, shapes_of(outputs)));
    message_.text(1, def);
  }

  void value(const Value& v, std::string_view op) {
    names_[&v] = unique(v.name());
    add(names_[&v], op, {}, {&v}, "");
  }

  void node(const Node& node, const std::unordered_set<std::string>& int8) {
    const std::string name = unique(node.name());
    std::vector<std::string> inputs;
    for (const Value* v : node.inputs())
      if (const auto it = names_.find(v); it != names_.end()) inputs.push_back(it->second);
    for (size_t i = 0; i < node.outputs().size(); ++i)
      if (node.output(i)) names_[node.output(i)] = i == 0 ? name : name + ":" + std::to_string(i);
    add(name, node.op().name, inputs, {node.outputs().begin(), node.outputs().end()},
        int8.contains(node.name()) ? "int8" : "fp32");
  }

  Message message_;
  std::unordered_map<const Value*, std::string> names_;
  std::unordered_map<std::string, int> used_;
};

}  // namespace

uint32_t crc32c(std::string_view bytes) {
  static const std::array<uint32_t, 256> table = [] {
    std::array<uint32_t, 256> made{};
    for (uint32_t i = 0; i < 256; ++i) {
      made[i] = i;
      for (int bit = 0; bit < 8; ++bit) made[i] = (made[i] >> 1) ^ ((made[i] & 1) ? 0x82f63b78U : 0);
    }
    return made;
  }();
  uint32_t sum = ~0U;
  for (const char c : bytes) sum = table[(sum ^ static_cast<unsigned char>(c)) & 0xff] ^ (sum >> 8);
  return ~sum;
}

Events::Events(Begin begin) {
  if (begin == Begin::File) add(event().text(3, "brain.Event:2").bytes());
}

void Events::add(const std::string& event) {
  const std::string length = little_endian(uint64_t{event.size()});
  bytes_ += length + masked_sum(length) + event + masked_sum(event);
}

// With one value, which stands behind its tag.
void Events::summary(int64_t step, std::string_view value) {
  add(event().varint(2, static_cast<uint64_t>(step)).text(5, Message().text(1, value)).bytes());
}

void Events::scalar(int64_t step, std::string_view tag, double value) {
  summary(step, Message().text(1, tag).single(2, static_cast<float>(value)));
}

void Events::histogram(int64_t step, std::string_view tag, const Seen& seen) {
  const Histogram& h = seen.histogram;
  if (h.empty()) return;
  const Buckets buckets = buckets_of(h);
  Message message;
  message.real(1, h.min()).real(2, h.max()).real(3, static_cast<double>(h.count()));
  message.real(4, seen.sum).real(5, seen.squares).reals(6, buckets.limits).reals(7, buckets.counts);
  summary(step, Message().text(1, tag).text(5, message));
}

void Events::graph(const Graph& graph, const std::unordered_set<std::string>& int8) {
  add(event().text(4, GraphDef(graph, int8).message()).bytes());
}

}  // namespace lapis
