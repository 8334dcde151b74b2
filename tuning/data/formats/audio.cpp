// Sound: RIFF WAVE files of whole numbers or floats.
#include <algorithm>
#include <cstring>
#include <span>

#include "tuning/data/formats.h"

namespace lapis {
namespace {

Diagnostic bad(const Path& path, const std::string& what) {
  return error(ErrorKind::Input, what)
      .at(path.string())
      .help("PCM of 8 to 32 bits and floats of 32 bits are read; convert the file, with sox say");
}

struct Sound {
  int64_t channels = 0, rate = 0, bits = 0;
  bool is_float = false;
  std::span<const std::byte> data;
};

template <class T> T at(std::span<const std::byte> bytes, size_t offset) {
  T value{};
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

constexpr uint16_t kPcm = 1, kFloat = 3, kExtensible = 0xFFFE;

bool read_format(std::span<const std::byte> chunk, Sound& sound) {
  if (chunk.size() < 16) return false;
  uint16_t tag = at<uint16_t>(chunk, 0);
  if (tag == kExtensible && chunk.size() >= 26) tag = at<uint16_t>(chunk, 24);
  sound.channels = at<uint16_t>(chunk, 2);
  sound.rate = at<uint32_t>(chunk, 4);
  sound.bits = at<uint16_t>(chunk, 14);
  sound.is_float = tag == kFloat;
  const bool fits = sound.is_float ? sound.bits == 32 : sound.bits % 8 == 0 && sound.bits >= 8 && sound.bits <= 32;
  return (tag == kPcm || tag == kFloat) && fits && sound.channels > 0;
}

Result<Sound> parse_wav(const Path& path, const MappedFile& file) {
  const std::span<const std::byte> all = file.bytes();
  if (all.size() < 12 || std::memcmp(all.data(), "RIFF", 4) != 0 || std::memcmp(all.data() + 8, "WAVE", 4) != 0)
    return bad(path, "not a WAVE file");
  Sound sound;
  for (size_t offset = 12; offset + 8 <= all.size();) {
    const size_t size = std::min<size_t>(at<uint32_t>(all, offset + 4), all.size() - offset - 8);
    const auto chunk = all.subspan(offset + 8, size);
    if (std::memcmp(all.data() + offset, "fmt ", 4) == 0 && !read_format(chunk, sound))
      return bad(path, "the sound is of an unknown kind");
    if (std::memcmp(all.data() + offset, "data", 4) == 0) sound.data = chunk;
    offset += 8 + size + size % 2;
  }
  if (sound.channels == 0 || sound.data.empty()) return bad(path, "the file holds no sound");
  return sound;
}

// From -1 to below 1: whole numbers of n bits by 2^(n-1), bytes around 128.
float amplitude(const Sound& s, const std::byte* from) {
  if (s.is_float) return at<float>({from, 4}, 0);
  if (s.bits == 8) return (static_cast<float>(std::to_integer<int>(*from)) - 128) / 128;
  uint32_t word = 0;
  std::memcpy(reinterpret_cast<std::byte*>(&word) + (4 - s.bits / 8), from, static_cast<size_t>(s.bits / 8));
  return static_cast<float>(static_cast<double>(static_cast<int32_t>(word)) / 2147483648.0);
}

// Channels are averaged.
Result<Tensor> read_wav(const Path& path, int64_t rate) {
  LAPIS_TRY(const MappedFile file, map_file(path));
  LAPIS_TRY(const Sound sound, parse_wav(path, file));
  if (rate && rate != sound.rate)
    return bad(path, "the sound has " + std::to_string(sound.rate) + " samples a second, the dataset file wants " +
                         std::to_string(rate));
  const int64_t width = sound.bits / 8, frames = static_cast<int64_t>(sound.data.size()) / (width * sound.channels);
  Tensor mono(DType::Float32, {frames});
  const std::byte* from = sound.data.data();
  for (float& value : mono.mutable_data<float>()) {
    double sum = 0;
    for (int64_t c = 0; c < sound.channels; ++c, from += width) sum += static_cast<double>(amplitude(sound, from));
    value = static_cast<float>(sum / static_cast<double>(sound.channels));
  }
  return mono;
}

Result<Column> open_wav(const Settings& settings, Role) {
  const std::vector<Path> files = settings.files("files");
  const int64_t rate = settings.whole("rate");
  Column c{
      static_cast<int64_t>(files.size()), [=](int64_t i) { return read_wav(files[static_cast<size_t>(i)], rate); }, {}};
  for (const Path& file : files) c.names.push_back(file.string());
  if (files.size() == 1) {
    LAPIS_TRY(c.table, read_wav(files[0], rate));
  }
  return c;
}

}  // namespace

std::vector<Format> audio_formats() {
  return {{.name = "wav",
           .doc = "sound as float32 from -1 to 1, channels averaged: a sample a file, or `windows` of one file",
           .options = {{.name = "files", .kind = OptionKind::Files, .doc = "one name or a list", .required = true},
                       {.name = "rate",
                        .kind = OptionKind::Whole,
                        .doc = "samples a second that the model wants: a file with another rate is an error",
                        .low = 1,
                        .high = 1e7}},
           .open = open_wav}};
}

}  // namespace lapis
