#include "tuning/data/formats.h"

#include <algorithm>
#include <cstring>

namespace lapis {
namespace {

Diagnostic bad(const std::string& where, const std::string& what) {
  return error(ErrorKind::Input, what).at(where).help("docs/datasets.md describes the file");
}

// Rows [begin, end) of a table, which may be none.
Tensor rows_of(const Tensor& table, const std::vector<int64_t>& chosen) {
  Shape shape = table.shape();
  shape[0] = static_cast<int64_t>(chosen.size());
  Tensor result(table.dtype(), shape);
  const auto bytes = static_cast<size_t>(byte_size(table.dtype(), element_count(std::span(shape).subspan(1))));
  for (size_t i = 0; i < chosen.size(); ++i)
    std::memcpy(result.mutable_raw() + i * bytes, table.raw() + static_cast<size_t>(chosen[i]) * bytes, bytes);
  return result;
}

// All columns but the first.
Tensor without_first_column(const Tensor& rows) {
  Tensor result(rows.dtype(), {rows.dim(0), rows.dim(1) - 1});
  const auto all = static_cast<size_t>(byte_size(rows.dtype(), rows.dim(1))),
             first = static_cast<size_t>(byte_size(rows.dtype(), 1));
  for (size_t i = 0; i < static_cast<size_t>(rows.dim(0)); ++i)
    std::memcpy(result.mutable_raw() + i * (all - first), rows.raw() + i * all + first, all - first);
  return result;
}

}  // namespace

Status check_sample(const Settings& settings, DType dtype, const Shape& shape) {
  constexpr int64_t kMost = int64_t{1} << 28;  // as of the pixels of a picture
  if (!visit_dtype(dtype, [](auto) {})) return settings.problem("samples cannot be " + settings.text("dtype"));
  if (const auto problem = shape_problem(dtype, shape)) return settings.problem("`shape` is none: " + *problem);
  if (element_count(shape) > kMost)
    return settings.problem("a sample of the shape " + to_string(shape) + " is larger than 2^28 elements");
  return ok();
}

std::vector<Format> formats() {
  std::vector<Format> all;
  for (auto family : {array_formats, image_formats, coco_formats, dataset_formats, record_formats, audio_formats,
                      text_formats, raw_formats, constant_formats, process_formats})
    for (Format& format : family()) all.push_back(std::move(format));
  return all;
}

Tensor row(const Tensor& table, int64_t index) { return rows_of(table, {index}); }

Tensor sample_of(const Tensor& table, int64_t index) {
  const Shape& shape = table.shape();
  if (table.dtype() == DType::String)
    return Tensor::strings(Shape(shape.begin() + 1, shape.end()), {table.string_data()[static_cast<size_t>(index)]});
  return row(table, index).reshaped(Shape(shape.begin() + 1, shape.end()));
}

Column column_of(Tensor table) {
  return {table.dim(0), [table](int64_t i) -> Result<Tensor> { return sample_of(table, i); }, {}, table};
}

Result<Column> windowed(const Column& whole, const Windows& windows, const std::string& where) {
  if (!whole.table || whole.table->dtype() == DType::String)
    return bad(where, "`windows` cuts one long array; this input is none");
  const Tensor table = *whole.table;
  const int64_t rest = table.dim(0) + windows.before - windows.size;
  if (windows.before > windows.size) return bad(where, "`before` is more than the `size` of a window");
  if (rest < 0)
    return bad(where, "a window of " + std::to_string(windows.size) + " does not fit into " +
                          std::to_string(table.dim(0)) + " elements");
  auto read = [table, windows](int64_t i) -> Result<Tensor> {
    Shape shape = table.shape();
    shape[0] = windows.size;
    Tensor window(table.dtype(), shape);
    const int64_t bytes = window.bytes() / windows.size, begin = i * windows.step - windows.before;
    const int64_t skipped = std::clamp<int64_t>(-begin, 0, windows.size);
    std::memcpy(window.mutable_raw() + skipped * bytes, table.raw() + (begin + skipped) * bytes,
                static_cast<size_t>((windows.size - skipped) * bytes));
    return window;
  };
  return Column{rest / windows.step + 1, read, {}};
}

Result<Column> grouped(const Column& rows, int64_t samples, const std::string& where) {
  if (!rows.table || rows.table->rank() != 2 || rows.table->dim(1) < 2 || bit_width(rows.table->dtype()) < 8)
    return bad(where, "`grouped` needs one array [rows, 1 + n] of numbers, the first of each row being the sample");
  std::vector<std::vector<int64_t>> of_sample(static_cast<size_t>(samples));
  for (int64_t i = 0; i < rows.table->dim(0); ++i) {
    const int64_t sample = rows.table->as_int(i * rows.table->dim(1));
    if (sample < 0 || sample >= samples)
      return bad(where, "row " + std::to_string(i) + " belongs to sample " + std::to_string(sample) +
                            ", but there are " + std::to_string(samples));
    of_sample[static_cast<size_t>(sample)].push_back(i);
  }
  auto read = [table = without_first_column(*rows.table), of_sample](int64_t i) -> Result<Tensor> {
    return rows_of(table, of_sample[static_cast<size_t>(i)]);
  };
  return Column{samples, read, {}};
}

}  // namespace lapis
