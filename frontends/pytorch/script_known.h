// What the sizes of the inputs tell of values that a graph computes, so that code can be decided by them. What is asked
// for is imported by itself, as far as it is written.
//
//   KnownValues known(options);
//   if (const auto condition = known.number(writer, "eq_3")) ...   // Item::of_bool(true): "x.size(1) == 256"
#pragma once

#include <optional>

#include "frontends/common/options.h"
#include "frontends/pytorch/item.h"
#include "frontends/pytorch/writer.h"
#include "ir/graph.h"

namespace lapis::pytorch_frontend {

class KnownValues {
 public:
  explicit KnownValues(const ImportOptions& options) : options_(options) {}

  bool sizes_given() const { return !options_.shapes.empty(); }
  // A number or truth value; nullopt if sizes do not tell it.
  std::optional<Item> number(const Writer& writer, const std::string& name);
  // The type of a tensor; nullopt if its axes are not known.
  std::optional<Type> type(const Writer& writer, const std::string& name);

 private:
  std::unique_ptr<Graph> imported(const Writer& writer, const std::string& name);

  const ImportOptions& options_;
  size_t questions_ = 0, nodes_ = 0;
};

}  // namespace lapis::pytorch_frontend
