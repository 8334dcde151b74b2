#include "frontends/pytorch/types.h"

#include <algorithm>
#include <string_view>

namespace lapis::pytorch_frontend {
namespace {

struct TypeRow {
  int64_t number;
  DType dtype;
  std::string_view storage;
};
constexpr TypeRow kTypes[] = {
    {0, DType::UInt8, "ByteStorage"},    {1, DType::Int8, "CharStorage"},      {2, DType::Int16, "ShortStorage"},
    {3, DType::Int32, "IntStorage"},     {4, DType::Int64, "LongStorage"},     {5, DType::Float16, "HalfStorage"},
    {6, DType::Float32, "FloatStorage"}, {7, DType::Float64, "DoubleStorage"}, {11, DType::Bool, "BoolStorage"},
    {12, DType::Int8, "QInt8Storage"},   {13, DType::UInt8, "QUInt8Storage"},  {15, DType::BFloat16, "BFloat16Storage"},
};

template <class Matches> const TypeRow* find(Matches&& matches) {
  const auto it = std::find_if(std::begin(kTypes), std::end(kTypes), matches);
  return it == std::end(kTypes) ? nullptr : it;
}

std::optional<DType> dtype_of(const TypeRow* row) { return row ? std::optional(row->dtype) : std::nullopt; }

}  // namespace

std::optional<DType> dtype_of_scalar_type(int64_t number) {
  return dtype_of(find([&](const TypeRow& row) { return row.number == number; }));
}

std::optional<int64_t> scalar_type_of(DType dtype) {
  const TypeRow* row = find([&](const TypeRow& r) { return r.dtype == dtype; });
  return row ? std::optional(row->number) : std::nullopt;
}

int64_t scalar_type_of_export(int64_t number) {
  constexpr int64_t kBFloat16Exported = 13, kBFloat16 = 15;
  return number == kBFloat16Exported ? kBFloat16 : number - 1;
}

std::optional<DType> dtype_of_storage(std::string_view name) {
  return dtype_of(find([&](const TypeRow& row) { return row.storage == name; }));
}

}  // namespace lapis::pytorch_frontend
