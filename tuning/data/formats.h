// Where samples come from: one row a format, one file in formats/ a family. A dataset file names a format as the key of
// an input or of `labels`; docs/datasets.md has the table.
#pragma once

#include <functional>
#include <optional>

#include "base/tensor.h"
#include "tuning/data/settings.h"

namespace lapis {

inline constexpr int64_t kAnySize = -1;  // of what is the same for every sample

struct Column {
  int64_t size = kAnySize;
  std::function<Result<Tensor>(int64_t)> read;  // a sample, without a leading 1
  std::vector<std::string> names;               // the file of each sample, where it has one
  std::optional<Tensor> table = std::nullopt;   // all of it where it is one array whose first axis counts samples
};

// Formats that hold both give labels when `labels` names them: CIFAR's classes, COCO's boxes.
enum class Role { Input, Labels };

struct Format {
  std::string name;
  std::string doc;
  std::vector<Option> options;
  std::function<Result<Column>(const Settings&, Role)> open;
};

std::vector<Format> formats();

// The families that formats() lists, each from its file.
std::vector<Format> array_formats();
std::vector<Format> image_formats();
std::vector<Format> constant_formats();
std::vector<Format> text_formats();
std::vector<Format> dataset_formats();
std::vector<Format> raw_formats();
std::vector<Format> audio_formats();
std::vector<Format> record_formats();
std::vector<Format> coco_formats();
std::vector<Format> process_formats();

// Row `index` of a table: as a batch of one, and as a sample alone.
Tensor row(const Tensor& table, int64_t index);
Tensor sample_of(const Tensor& table, int64_t index);
Column column_of(Tensor table);

// Whether samples can be of this type and shape, which a description says and no file bounds:
// a few words must not ask for all memory.
Status check_sample(const Settings& settings, DType dtype, const Shape& shape);

// Windows of one long array: `size` of its elements every `step`,
// the first beginning `before` elements ahead of it (those are zeros).
struct Windows {
  int64_t size = 0, step = 0, before = 0;
};
Result<Column> windowed(const Column& whole, const Windows& windows, const std::string& where);

// Rows of a table [R, 1 + n] whose first number is the sample that they belong to -> for each sample its rows [r, n].
Result<Column> grouped(const Column& rows, int64_t samples, const std::string& where);

}  // namespace lapis
