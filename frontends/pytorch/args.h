// What a node's arguments are, as writer.h put them into a SourceNode.
// The first that is of another kind than asked for is kept as the flaw.
//
//   Args a(t);
//   LAPIS_TRY(Value* x, a.tensor("self"));
//   const int64_t dim = a.integer("dim", -1);
//   LAPIS_CHECK(a.status());
#pragma once

#include "frontends/common/build.h"

namespace lapis::pytorch_frontend {

using frontend::Axes;
using frontend::Layout;
using frontend::Translation;

// A number of a shape: known, or a scalar of the graph.
struct Size {
  int64_t number = 0;
  Value* computed = nullptr;
};

class Args {
 public:
  explicit Args(Translation& t) : t_(t) {}

  bool has(std::string_view name) const;
  bool is_operand(std::string_view name) const;  // a tensor, or a number that is computed
  bool is_list(std::string_view name) const;     // of known integers
  Result<Value*> tensor(std::string_view name);  // an error if it is absent or a number
  // Lists of tensors; null for None.
  Result<std::vector<Value*>> tensors(std::string_view name);
  // A tensor, or a number as a constant of this type, to which integers wrap.
  Result<Value*> number_or_tensor(std::string_view name, DType like);

  int64_t integer(std::string_view name, int64_t fallback);
  double number(std::string_view name, double fallback);
  bool flag(std::string_view name, bool fallback);
  std::string word(std::string_view name, std::string fallback);
  std::vector<int64_t> list(std::string_view name, std::vector<int64_t> fallback = {});  // a number is a list of one
  std::vector<double> reals(std::string_view name);
  std::optional<DType> dtype(std::string_view name = "dtype");
  std::string overload() const { return t_.get<std::string>("overload", ""); }
  Status status() const;

  // Numbers of which some are computed; a number is a list of one.
  Result<std::vector<Size>> sizes(std::string_view name);
  // One of them, with its default.
  Result<Size> size(std::string_view name, int64_t fallback);

 private:
  const frontend::SourceAttribute* find(std::string_view name) const;
  std::vector<int64_t> references(std::string_view name) const;
  Result<Value*> operand(int64_t number);
  int64_t known(std::string_view name) const;
  void flaw(std::string_view name, const char* wanted);
  Translation& t_;
  std::string flaw_;
};

// An error for positions that no tensor has, with which arithmetic would go beyond 64 bits.
Status check_positions(std::initializer_list<int64_t> numbers);
// int64[n] of the sizes: a constant if all are known.
Result<Value*> shape_of(Translation& t, const std::vector<Size>& sizes);
Result<Value*> as_value(Translation& t, const Size& size);  // int64[1]

}  // namespace lapis::pytorch_frontend
