// Layers that sort numbers into classes, and look whole numbers up in a vocabulary.
#include <algorithm>
#include <numeric>

#include "frontends/common/formula.h"
#include "frontends/keras/translators.h"

namespace lapis::keras_frontend {
namespace {

using frontend::Formula;

// Of each sample [N, k] what it holds among `depth` classes; or of each number where it stands among them.
Result<Value*> encoded(Translation& t, Value* classes, int64_t depth, const std::string& mode) {
  if (mode != "one_hot" && mode != "multi_hot" && mode != "count")
    return Translation::unsupported("the output_mode '" + mode + "'");
  LAPIS_TRY(const int64_t rank, frontend::rank_of(classes));
  if (rank < 2 || (rank != 2 && mode != "one_hot")) return Translation::unsupported("data that is not [N, classes]");
  Formula f(t);
  if (mode == "one_hot" && classes->type().dim(-1).is(1)) classes = f.squeeze(classes, rank - 1);
  Value* found =
      f.op(ops::OneHot, {classes, f.number(static_cast<double>(depth), DType::Int64), f.floats({2}, {0, 1})});
  const Attributes whole = {{"keepdims", int64_t{0}}};
  if (mode == "multi_hot") found = f.op(ops::ReduceMax, {found, f.integers({1})}, whole);
  if (mode == "count") found = f.op(ops::ReduceSum, {found, f.integers({1})}, whole);
  LAPIS_CHECK(f.status());
  return found;
}

Value* sum_of_last(Formula& f, Value* x) {
  return f.op(ops::ReduceSum, {x, f.integers({-1})}, Attributes{{"keepdims", int64_t{0}}});
}

// How many bounds do not lie above a number.
Result<Value*> digitized(Translation& t, Value* x, const std::vector<double>& bounds) {
  Formula f(t);
  const std::vector<float> numbers(bounds.begin(), bounds.end());
  x = f.unsqueeze(f.cast(x, DType::Float32), {-1});
  Value* passed = f.op(ops::GreaterOrEqual, {x, f.floats({static_cast<int64_t>(numbers.size())}, numbers)});
  Value* classes = sum_of_last(f, f.cast(passed, DType::Int64));
  LAPIS_CHECK(f.status());
  return classes;
}

// A vocabulary: the mask's number if there is one, then what stands for all others, then its words.
struct Vocabulary {
  std::vector<int64_t> words;
  std::optional<int64_t> mask;

  int64_t of_others() const { return mask ? 1 : 0; }
};

Result<Vocabulary> vocabulary_of(const Translation& t) {
  Vocabulary v{t.get<std::vector<int64_t>>("vocabulary", {}), {}};
  if (v.words.empty()) return Translation::unsupported("a vocabulary that is not in its configuration");
  if (t.get<bool>("invert", false)) return Translation::unsupported("invert");
  if (t.get<int64_t>("num_oov_indices", 1) != 1)
    return Translation::unsupported("another number of classes for what is not in its vocabulary than 1");
  if (const std::vector<double> mask = numbers(t, "mask_token"); !mask.empty()) v.mask = static_cast<int64_t>(mask[0]);
  const auto has = [&](int64_t word) { return std::ranges::find(v.words, word) != v.words.end(); };
  if ((v.mask && has(*v.mask)) || has(t.get<int64_t>("oov_token", -1)))
    return Translation::unsupported("a vocabulary that holds what stands for the mask or for others");
  return v;
}

// What is found counts by how far its number lies behind that of the others.
Value* looked_up(Formula& f, Value* x, const Vocabulary& v) {
  std::vector<int64_t> words = v.words, numbers(v.words.size());
  std::iota(numbers.begin(), numbers.end(), 1);
  if (v.mask) {
    words.push_back(*v.mask);
    numbers.push_back(-1);
  }
  x = f.unsqueeze(f.cast(x, DType::Int64), {-1});
  Value* is_found = f.op(ops::Equal, {x, f.integers(words)});
  Value* number = sum_of_last(f, f.where({is_found, f.integers(numbers), f.number(0, DType::Int64)}));
  return f.add({number, f.number(static_cast<double>(v.of_others()), DType::Int64)});
}

}  // namespace

Status discretization(Translation& t) {
  const std::vector<double> bounds = numbers(t, "bin_boundaries");
  if (bounds.empty()) return error(ErrorKind::Input, "has no bounds: call adapt before the model is saved");
  LAPIS_TRY(Value * x, t.real(0, Layout::AsWritten));
  LAPIS_TRY(Value * y, digitized(t, x, bounds));
  if (const auto mode = t.get<std::string>("output_mode", "int"); mode == "int") {
    LAPIS_TRY(y, frontend::cast(t, y, t.get<int64_t>("keras_version", 2) < 3 ? DType::Int64 : DType::Int32));
  } else {
    LAPIS_TRY(y, encoded(t, y, static_cast<int64_t>(bounds.size()) + 1, mode));
  }
  return t.set(0, y, Layout::AsWritten);
}

Status category_encoding(Translation& t) {
  constexpr int64_t kMost = 1 << 24;
  const auto depth = t.get<int64_t>("num_tokens", 0);
  if (depth < 1 || depth > kMost) return error(ErrorKind::Input, "has " + std::to_string(depth) + " classes");
  LAPIS_TRY(Value * x, t.real(0, Layout::AsWritten));
  LAPIS_TRY(x, frontend::cast(t, x, DType::Int64));
  LAPIS_TRY(Value * y, encoded(t, x, depth, t.get<std::string>("output_mode", "multi_hot")));
  return t.set(0, y, Layout::AsWritten);
}

Status integer_lookup(Translation& t) {
  if (const auto mode = t.get<std::string>("output_mode", "int"); mode != "int")
    return Translation::unsupported("the output_mode '" + mode + "'");
  LAPIS_TRY(const Vocabulary vocabulary, vocabulary_of(t));
  LAPIS_TRY(Value * x, t.real(0, Layout::AsWritten));
  Formula f(t);
  Value* y = looked_up(f, x, vocabulary);
  LAPIS_CHECK(f.status());
  return t.set(0, y, Layout::AsWritten);
}

}  // namespace lapis::keras_frontend
