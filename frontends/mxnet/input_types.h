// Symbol files say nothing about the shapes of inputs.
// How many axes one has, and how many channels, follows from what reads it.
#pragma once

#include "frontends/mxnet/params.h"
#include "frontends/mxnet/symbol.h"

namespace lapis::mxnet_frontend {

class InputTypes {
 public:
  InputTypes(const Symbol& symbol, const Parameters& parameters);
  // Of the variable; sizes that nobody tells are symbols.
  Result<Type> of(size_t variable) const;

 private:
  struct Reader {
    size_t node, operand;
  };
  std::optional<Dims> declared(const SymbolNode& variable) const;
  std::optional<Dims> told_by_readers(size_t variable) const;
  std::optional<Dims> told_by_operator(const SymbolNode& node, size_t operand) const;
  std::optional<Dims> told_by_part(const SymbolNode& loop, size_t operand) const;
  std::optional<Dims> told_by(const Reader& reader) const;
  std::optional<Shape> parameter(const SymbolNode& node, size_t operand) const;

  const Symbol& symbol_;
  const Parameters& parameters_;
  std::vector<std::vector<Reader>> readers_;  // by node
};

}  // namespace lapis::mxnet_frontend
