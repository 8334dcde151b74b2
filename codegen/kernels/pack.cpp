#include "codegen/kernels/pack.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace lapis::kernels {
namespace {

// Calls visit(first channel of the block, group, number of the block in it) for every block of every group.
template <class Visit> void for_each_block(const Contraction& c, const Blocking& blocking, Visit visit) {
  for (int64_t g = 0; g < blocking.groups_of(c); ++g)
    for (int64_t b = 0; b < blocking.blocks(); ++b) visit(g * blocking.per_group + blocking.first_channel(b), g, b);
}

// A channel's weights and its lane of the image.
struct Row {
  const std::byte* from;
  std::byte* to;
};

// The k elements of every tap of each channel, spread over its lane's steps of four bytes; the last step of a tap is
// filled with zeros. A cache line of every row in turn: the image is written from one end to the other.
void pack_rows(std::span<const Row> rows, int64_t taps, int64_t tap_bytes, int64_t steps, int64_t stride) {
  constexpr int64_t kLine = 16;
  const int64_t whole = tap_bytes / 4;
  for (int64_t t = 0; t < taps; ++t)
    for (int64_t first = 0; first < steps; first += kLine)
      for (const Row& row : rows) {
        const std::byte* from = row.from + t * tap_bytes;
        std::byte* to = row.to + t * steps * stride;
        const int64_t end = std::min(first + kLine, steps);
        for (int64_t s = first; s < std::min(end, whole); ++s) std::memcpy(to + s * stride, from + 4 * s, 4);
        if (end > whole) std::memcpy(to + whole * stride, from + 4 * whole, static_cast<size_t>(tap_bytes - 4 * whole));
      }
}

// Rows of three taps, each for the left and then for the right pixel of a pair.
void pack_paired_channel(const std::byte* from, std::byte* to, int64_t rows, int64_t stride) {
  for (int64_t row = 0; row < rows; ++row, from += 3, to += 2 * stride) {
    std::memcpy(to, from, 3);
    std::memcpy(to + stride + 1, from, 3);
  }
}

// Vectors of four bytes a lane, each followed by an empty one, become the words of bytes 0 and 2 and those of bytes 1
// and 3.
void widen(std::span<std::byte> image, int lanes) {
  for (size_t pair = 0; pair < image.size(); pair += static_cast<size_t>(lanes) * 8)
    for (int lane = 0; lane < lanes; ++lane) {
      std::byte* even = image.data() + pair + lane * 4;
      int8_t bytes[4];
      std::memcpy(bytes, even, 4);
      const int16_t words[2][2] = {{bytes[0], bytes[2]}, {bytes[1], bytes[3]}};
      std::memcpy(even, words[0], 4);
      std::memcpy(even + lanes * 4, words[1], 4);
    }
}

void add_sums(std::vector<int32_t>& sums, const int8_t* weights, int64_t channels, int64_t per_channel) {
  for (int64_t c = 0; c < channels; ++c, weights += per_channel) {
    uint32_t sum = 0;
    for (int64_t i = 0; i < per_channel; ++i) sum += static_cast<uint32_t>(int32_t{weights[i]});
    sums.push_back(static_cast<int32_t>(sum));
  }
}

// The 32-bit patterns that the sums of all channels start from.
std::vector<uint32_t> initial_sums(const Contraction& c, std::span<const int32_t> sums) {
  std::vector<uint32_t> words(static_cast<size_t>(c.channels));
  std::memcpy(words.data(), c.bias.raw(), words.size() * sizeof(uint32_t));
  const auto start = static_cast<uint32_t>(start_per_weight(c, row_of(c)));
  for (size_t i = 0; start != 0 && i < words.size(); ++i) words[i] += start * static_cast<uint32_t>(sums[i]);
  return words;
}

template <class T> uint32_t word_of(T value) {
  if constexpr (std::is_same_v<T, float>)
    return std::bit_cast<uint32_t>(value);
  else if constexpr (std::is_same_v<T, BFloat16>)
    return std::bit_cast<uint32_t>(to_float(value));
  else
    return static_cast<uint32_t>(static_cast<int32_t>(value));
}

// A per-channel constant; integers widened to int32, halves to float.
std::vector<uint32_t> operand_words(const View& view, const Plan& plan) {
  std::vector<uint32_t> words(static_cast<size_t>(view.shape[0]));
  const uint8_t* const base = plan.constants.data() + plan.buffers[static_cast<size_t>(view.buffer)].offset;
  visit_dtype(view.dtype, [&]<class T>(T) {
    if constexpr (std::is_integral_v<T> || std::is_same_v<T, float> || std::is_same_v<T, BFloat16>)
      for (size_t i = 0; i < words.size(); ++i) {
        T value;
        std::memcpy(&value,
                    base + (view.offset + static_cast<int64_t>(i) * view.strides[0]) * static_cast<int64_t>(sizeof(T)),
                    sizeof(T));
        words[i] = word_of(value);
      }
  });
  return words;
}

}  // namespace

int32_t start_per_weight(const Contraction& c, const Kernel& kernel) {
  if (!is_integer(c.a)) return 0;
  const bool flipped = kernel.dot == Dot::Vnni && c.a == DType::Int8;  // the kernel multiplies input + 128
  return -(c.input_zero_point + (flipped ? 128 : 0));
}

std::string weight_format(const Contraction& c, const Blocking& blocking) {
  std::string text = std::string(name_of(c.b)) + to_string(c.weights.shape);
  if (!row_of(c).depthwise()) return text + " panels";
  text += " lanes " + std::to_string(blocking.lanes) + " quad " + std::to_string(blocking.quad);
  for (const bool flag : {blocking.interleaved, blocking.paired, blocking.words}) text += flag ? " yes" : " no";
  for (const Block& kind : blocking.kinds) text += " " + std::to_string(kind.nr) + "x" + std::to_string(kind.channels);
  return text;
}

std::vector<int32_t> pack_weights(const Contraction& c, const Blocking& blocking, std::span<std::byte> to) {
  const int64_t channel_bytes = c.weights.bytes() / c.channels, tap_bytes = channel_bytes / blocking.taps;
  const int64_t group_bytes = blocking.group_weight_bytes(), vector_bytes = blocking.lanes * (blocking.words ? 8 : 4);
  OrderedChannels channels(c.weights, c.channels);
  std::vector<int32_t> sums;
  std::vector<Row> rows;
  for_each_block(c, blocking, [&](int64_t first, int64_t group, int64_t index) {
    const Block& b = blocking.block(index);
    const std::byte* const from = channels.of(first, b.channels);
    std::byte* const block = to.data() + group * group_bytes + blocking.weight_offset(index);
    if (c.b == DType::Int8) add_sums(sums, reinterpret_cast<const int8_t*>(from), b.channels, channel_bytes);
    rows.clear();
    for (int v = 0; v < blocking.weight_vectors(b); ++v)
      for (int lane = 0; lane < blocking.lanes; ++lane)
        if (const int64_t channel = blocking.weight_channel(v, lane); channel < b.channels)
          rows.push_back({from + channel * channel_bytes, block + v * vector_bytes + lane * 4});
    if (!blocking.paired) return pack_rows(rows, blocking.taps, tap_bytes, blocking.steps, b.pitch);
    for (const Row& row : rows) pack_paired_channel(row.from, row.to, blocking.steps / 2, b.pitch);
  });
  if (blocking.words) widen(to, blocking.lanes);
  return sums;
}

std::vector<uint8_t> pack_parameters(const Contraction& c, const Blocking& blocking, const Plan& plan,
                                     std::span<const int32_t> sums) {
  if (c.computed && c.computed->starts) return {};
  std::vector<std::vector<uint32_t>> rows = {initial_sums(c, sums)};
  for (const EpilogueOperand& o : c.operands)
    if (o.kind == EpilogueOperand::Kind::PerChannel) rows.push_back(operand_words(o.view, plan));
  std::vector<uint32_t> image;
  for_each_block(c, blocking, [&](int64_t first, int64_t, int64_t index) {
    const Block& b = blocking.block(index);
    for (const std::vector<uint32_t>& words : rows)
      for (int v = 0; v < b.nr; ++v)
        for (int lane = 0; lane < blocking.lanes; ++lane) {
          const int64_t channel = blocking.channel(v, lane);
          image.push_back(channel < b.channels ? words[static_cast<size_t>(first + channel)] : 0);
        }
  });
  return bytes_of(std::span<const uint32_t>(image));
}

}  // namespace lapis::kernels
