#include "ir/quant.h"

#include <algorithm>
#include <array>

namespace lapis {
namespace {

template <class T> struct Named {
  T value;
  std::string_view name;
};
constexpr std::array kPrecisions = {Named{Precision::Float32, "fp32"}, Named{Precision::Int8, "int8"}};
constexpr std::array kGranularities = {Named{Granularity::Tensor, "tensor"}, Named{Granularity::Channel, "channel"},
                                       Named{Granularity::Block, "block"}};

template <class T, size_t N> std::string_view name_in(const std::array<Named<T>, N>& list, T value) {
  return std::find_if(list.begin(), list.end(), [&](const Named<T>& n) { return n.value == value; })->name;
}
template <class T, size_t N> std::optional<T> value_in(const std::array<Named<T>, N>& list, std::string_view name) {
  const auto it = std::find_if(list.begin(), list.end(), [&](const Named<T>& n) { return n.name == name; });
  return it == list.end() ? std::nullopt : std::optional(it->value);
}
template <class T, size_t N> std::vector<std::string> names_in(const std::array<Named<T>, N>& list) {
  std::vector<std::string> names;
  for (const Named<T>& n : list) names.emplace_back(n.name);
  return names;
}

}  // namespace

std::string_view name_of(Precision precision) { return name_in(kPrecisions, precision); }
std::string_view name_of(Granularity granularity) { return name_in(kGranularities, granularity); }
std::optional<Precision> precision_from_name(std::string_view name) { return value_in(kPrecisions, name); }
std::optional<Granularity> granularity_from_name(std::string_view name) { return value_in(kGranularities, name); }
std::vector<std::string> precision_names() { return names_in(kPrecisions); }
std::vector<std::string> granularity_names() { return names_in(kGranularities); }

std::string Scheme::to_string() const {
  if (is_float(type)) return std::string(lapis::name_of(type));
  return std::string(lapis::name_of(type)) + (symmetric ? " symmetric per " : " asymmetric per ") +
         std::string(name_of(granularity)) + (block ? " of " + std::to_string(block) : "");
}

Capability int8_capability(Quant form) {
  // Kernels take bytes of both signs; 16 bits are for models that other runtimes run (here
  // their pairs stay, and floats are computed with).
  const std::vector<Scheme> data = {{DType::UInt8, false, Granularity::Tensor},
                                    {DType::Int8, false, Granularity::Tensor},
                                    {DType::Int8, true, Granularity::Tensor},
                                    {DType::UInt16, false, Granularity::Tensor},
                                    {DType::Int16, true, Granularity::Tensor}};
  if (form != Quant::Contraction) return {form, Precision::Int8, data, {}, {}};
  const Scheme by_channel{DType::Int8, true, Granularity::Channel}, by_tensor{DType::Int8, true, Granularity::Tensor};
  return {form, Precision::Int8, data, {by_channel, by_tensor}, {}};
}

}  // namespace lapis
