// Files that well-known data sets come in: MNIST's and FashionMNIST's IDX, CIFAR's binary batches.
#include <cstring>

#include "base/archive/zip.h"
#include "tuning/data/formats.h"

namespace lapis {
namespace {

Diagnostic bad(const Path& file, const std::string& what) {
  return error(ErrorKind::Input, what).at(file.string()).help("docs/datasets.md says what the file must hold");
}

uint32_t big_endian(const MappedFile& file, size_t at) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) value = value << 8 | std::to_integer<uint32_t>(file.data.get()[at + i]);
  return value;
}

// Two zeros, the type (8: bytes), the rank; then an extent of four bytes for each axis.
Result<Column> open_idx(const Settings& settings, Role) {
  const Path path = settings.file("file");
  LAPIS_TRY(const MappedFile file, map_maybe_gzip(path));
  if (file.size < 8 || big_endian(file, 0) >> 8 != 8) return bad(path, "not an IDX file of bytes");
  const size_t rank = big_endian(file, 0) & 0xFF, begin = 4 + 4 * rank;
  if (rank == 0 || rank > 4 || begin > file.size)
    return bad(path, "an IDX file of " + std::to_string(rank) + " axes is none of images or labels");
  Shape shape;
  for (size_t i = 0; i < rank; ++i) shape.push_back(big_endian(file, 4 + 4 * i));
  if (shape_problem(DType::UInt8, shape) || static_cast<size_t>(element_count(shape)) != file.size - begin)
    return bad(path, "the file has " + std::to_string(file.size - begin) + " bytes for the shape " + to_string(shape));
  return column_of(Tensor(DType::UInt8, shape, std::shared_ptr<const std::byte>(file.data, file.data.get() + begin)));
}

constexpr int64_t kSide = 32, kPixels = kSide * kSide, kChannels = 3;

// Planes of red, green and blue -> [32, 32, 3].
Tensor interleaved(const std::byte* planes) {
  Tensor image(DType::UInt8, {kSide, kSide, kChannels});
  std::byte* to = image.mutable_raw();
  for (int64_t p = 0; p < kPixels; ++p)
    for (int64_t c = 0; c < kChannels; ++c) *to++ = planes[c * kPixels + p];
  return image;
}

struct Batch {
  MappedFile file;
  int64_t count = 0;
};

Result<std::vector<Batch>> batches_of(const Settings& settings, int64_t record) {
  std::vector<Batch> batches;
  for (const Path& path : settings.files("files")) {
    LAPIS_TRY(MappedFile file, map_maybe_gzip(path));
    const auto size = static_cast<int64_t>(file.size);
    if (size == 0 || size % record != 0)
      return bad(path, "a batch of CIFAR has records of " + std::to_string(record) + " bytes, the file has " +
                           std::to_string(size));
    batches.push_back({std::move(file), size / record});
  }
  return batches;
}

// Records of one or two label bytes (CIFAR-100: coarse and fine) and 3072 of an image.
Result<Column> open_cifar(const Settings& settings, Role role) {
  const int64_t labels = settings.whole("label_bytes", 1), record = labels + kPixels * kChannels;
  LAPIS_TRY(const std::vector<Batch> batches, batches_of(settings, record));
  Column c{0, {}, {}};
  for (const Batch& batch : batches) c.size += batch.count;
  c.read = [=](int64_t i) -> Result<Tensor> {
    size_t b = 0;
    while (i >= batches[b].count) i -= batches[b++].count;
    const std::byte* at = batches[b].file.data.get() + i * record;
    if (role == Role::Input) return interleaved(at + labels);
    return Tensor::scalar(std::to_integer<uint8_t>(at[labels - 1]));
  };
  return c;
}

}  // namespace

std::vector<Format> dataset_formats() {
  return {
      {.name = "idx",
       .doc = "MNIST's and FashionMNIST's files, of images or of labels, as they are or gzipped",
       .options =
           {{.name = "file", .kind = OptionKind::File, .doc = "train-images-idx3-ubyte.gz, say", .required = true}},
       .open = open_idx},
      {.name = "cifar",
       .doc = "binary batches of CIFAR-10 and CIFAR-100: [32, 32, 3] as an input, the class as labels",
       .options = {{.name = "files", .kind = OptionKind::Files, .doc = "one batch or a list", .required = true},
                   {.name = "label_bytes",
                    .kind = OptionKind::Whole,
                    .doc = "1 for CIFAR-10 (default), 2 for CIFAR-100, whose second byte is the class",
                    .low = 1,
                    .high = 2}},
       .open = open_cifar},
  };
}

}  // namespace lapis
