// Operators that cut a tensor into parts, or give a list of tensors as they take one.
#include <algorithm>

#include "frontends/common/formula.h"
#include "frontends/pytorch/translators.h"
#include "ir/ops/attributes.h"
#include "ir/ops/data_attributes.h"

namespace lapis::pytorch_frontend {
namespace {

using frontend::Formula;

Result<std::vector<Value*>> parts_of(Translation& t, Value* x, int64_t dim, const std::vector<int64_t>& sizes) {
  return t.add_all(ops::Split, {x, frontend::ints(t, sizes)}, encode_attributes(ops::SplitAttrs{dim, std::nullopt}),
                   sizes.size());
}

constexpr int64_t kMostParts = 4096;

// Parts of `size`, the last of what is left.
Result<std::vector<int64_t>> even_sizes(const Value* x, int64_t dim, int64_t size) {
  LAPIS_TRY(const int64_t rank, frontend::rank_of(x));
  LAPIS_TRY(const int64_t axis, frontend::axis_of(dim, rank));
  const Dim& whole = x->type().dim(axis);
  if (!whole.is_constant()) return Translation::unsupported("parts of an axis of open size");
  if (size < 1 || whole.value() / size > kMostParts)
    return error(ErrorKind::Input, "has parts of size " + std::to_string(size));
  std::vector<int64_t> sizes(static_cast<size_t>(whole.value() / size), size);
  if (whole.value() % size > 0) sizes.push_back(whole.value() % size);
  if (sizes.empty()) sizes.push_back(0);
  return sizes;
}

// Parts of one size of an axis of any size; of the last, what is there.
Status slices(Translation& t, Value* x, int64_t dim, int64_t size) {
  LAPIS_CHECK(check_positions({size}));
  const auto count = static_cast<int64_t>(t.node().outputs.size());
  if (size < 1 || count > kMostParts) return error(ErrorKind::Input, "has parts of size " + std::to_string(size));
  for (int64_t i = 0; i < count; ++i) {
    if (t.node().outputs[static_cast<size_t>(i)].empty()) continue;
    LAPIS_TRY(Value * part, frontend::slice(t, x, dim, i * size, (i + 1) * size));
    LAPIS_CHECK(frontend::result(t, static_cast<size_t>(i), part));
  }
  return ok();
}

Status split(Translation& t) {
  Args a(t);
  const int64_t dim = a.integer("dim", 0);
  const bool is_one_size = a.has("split_size") && t.get<int64_t>("split_size", -1) >= 0;
  const std::vector<int64_t> sizes = a.list(a.has("split_sizes") ? "split_sizes" : "split_size");
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * x, self(a));
  if (is_one_size) return slices(t, x, dim, sizes[0]);
  if (sizes.empty() || sizes.size() > static_cast<size_t>(kMostParts))
    return error(ErrorKind::Input, "has no sizes of its parts");
  LAPIS_TRY(const std::vector<Value*> parts, parts_of(t, x, dim, sizes));
  return finish_some(t, parts);
}

// Parts of an axis of open size: part i from begin(i) to begin(i + 1), where begin = begins(f, size).
template <class Begins> Status computed_parts(Translation& t, Value* x, int64_t axis, Begins begins) {
  Formula f(t);
  const auto begin = begins(f, f.size(x, axis));
  for (size_t i = 0; i < t.node().outputs.size(); ++i) {
    if (t.node().outputs[i].empty()) continue;
    const auto number = static_cast<int64_t>(i);
    Value* part = f.op(ops::Slice, {x, begin(number), begin(number + 1), f.integers({axis})});
    LAPIS_CHECK(f.status());
    LAPIS_CHECK(frontend::result(t, i, part));
  }
  return ok();
}

Status chunk(Translation& t) {
  Args a(t);
  const int64_t dim = a.integer("dim", 0), chunks = a.integer("chunks", 1);
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(const int64_t rank, frontend::rank_of(x));
  LAPIS_TRY(const int64_t axis, frontend::axis_of(dim, rank));
  const Dim& whole = x->type().dim(axis);
  if (chunks < 1 || chunks > kMostParts) return error(ErrorKind::Input, "has " + std::to_string(chunks) + " parts");
  if (!whole.is_constant())
    return computed_parts(t, x, axis, [&](Formula& f, Value* size) {
      Value* each = f.div({f.add({size, f.integers({chunks - 1})}), f.integers({chunks})});
      return [&f, each](int64_t i) { return f.mul({each, f.integers({i})}); };
    });
  const int64_t size = std::max<int64_t>(1, whole.value() / chunks + (whole.value() % chunks > 0 ? 1 : 0));
  LAPIS_TRY(const std::vector<int64_t> sizes, even_sizes(x, axis, size));
  LAPIS_TRY(const std::vector<Value*> parts, parts_of(t, x, axis, sizes));
  return finish_some(t, parts);
}

Status unbind(Translation& t) {
  Args a(t);
  const int64_t dim = a.integer("dim", 0);
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * x, self(a));
  for (size_t i = 0; i < t.node().outputs.size(); ++i) {
    if (t.node().outputs[i].empty()) continue;
    Value* at = frontend::scalar(t, static_cast<double>(i), DType::Int64);
    LAPIS_TRY(Value * part, t.add(ops::Gather, {x, at}, ops::AxisAttrs{dim}));
    LAPIS_CHECK(frontend::result(t, i, part));
  }
  return ok();
}

// ---- tensor_split ---------------------------------------------------------------------------------------------------

// Where the parts begin, but for the first: numbers of elements, which may count from the end or lie beyond it.
Result<std::vector<int64_t>> cuts_of(Args& a, const Value* x, int64_t dim) {
  const char* name = a.has("indices") ? "indices" : "sections";
  const std::vector<int64_t> given = a.list(name);
  LAPIS_CHECK(a.status());
  if (given.size() != 1 || a.has("indices") || a.is_list(name)) return given;
  LAPIS_TRY(const int64_t rank, frontend::rank_of(x));
  LAPIS_TRY(const int64_t axis, frontend::axis_of(dim, rank));
  const Dim& whole = x->type().dim(axis);
  if (given[0] < 1 || given[0] > kMostParts)
    return error(ErrorKind::Input, "has " + std::to_string(given[0]) + " parts");
  const int64_t size = whole.value() / given[0], longer = whole.value() % given[0];
  std::vector<int64_t> cuts;
  for (int64_t i = 1; i < given[0]; ++i) cuts.push_back(i * size + std::min(i, longer));
  return cuts;
}

// So many parts of an axis of open size: those that are one longer come first.
Status even_parts(Translation& t, Value* x, int64_t axis, int64_t sections) {
  if (sections < 1 || sections > kMostParts)
    return error(ErrorKind::Input, "has " + std::to_string(sections) + " parts");
  return computed_parts(t, x, axis, [&](Formula& f, Value* size) {
    Value *count = f.integers({sections}), *each = f.div({size, count}), *longer = f.sub({size, f.mul({each, count})});
    return [&f, each, longer](int64_t i) {
      Value* number = f.integers({i});
      return f.add({f.mul({each, number}), f.min({number, longer})});
    };
  });
}

Status split_at(Translation& t, Args& a, Value* x, int64_t dim) {
  LAPIS_TRY(const int64_t rank, frontend::rank_of(x));
  LAPIS_TRY(const int64_t axis, frontend::axis_of(dim, rank));
  const bool is_number = !a.has("indices") && !a.is_list("sections");
  if (is_number && !x->type().dim(axis).is_constant()) return even_parts(t, x, axis, a.integer("sections", 1));
  LAPIS_TRY(const std::vector<int64_t> cuts, cuts_of(a, x, dim));
  for (size_t i = 0; i <= cuts.size() && i < t.node().outputs.size(); ++i) {
    if (t.node().outputs[i].empty()) continue;
    const int64_t begin = i == 0 ? 0 : cuts[i - 1], end = i == cuts.size() ? INT64_MAX : cuts[i];
    LAPIS_TRY(Value * part, frontend::slice(t, x, dim, begin, end));
    LAPIS_CHECK(frontend::result(t, i, part));
  }
  return ok();
}

Status tensor_split(Translation& t) {
  Args a(t);
  const int64_t dim = a.integer("dim", 0);
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * x, self(a));
  return split_at(t, a, x, dim);
}

Status hsplit(Translation& t) {
  Args a(t);
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(const int64_t rank, frontend::rank_of(x));
  return split_at(t, a, x, rank == 1 ? 0 : 1);
}
Status vsplit(Translation& t) {
  Args a(t);
  LAPIS_TRY(Value * x, self(a));
  return split_at(t, a, x, 0);
}
Status dsplit(Translation& t) {
  Args a(t);
  LAPIS_TRY(Value * x, self(a));
  return split_at(t, a, x, 2);
}

// ---- lists of tensors -----------------------------------------------------------------------------------------------

// Each in the shape of all of them together.
Status broadcast(Translation& t, const std::vector<Value*>& all) {
  Value* whole = all[0];
  for (size_t i = 1; i < all.size(); ++i) {
    LAPIS_TRY(Value * shape, t.add(ops::ShapeOf, {all[i]}));
    LAPIS_TRY(whole, t.add(ops::Expand, {whole, shape}));
  }
  LAPIS_TRY(Value * shape, t.add(ops::ShapeOf, {whole}));
  std::vector<Value*> results;
  for (Value* x : all) {
    LAPIS_TRY(results.emplace_back(), t.add(ops::Expand, {x, shape}));
  }
  return finish_some(t, results);
}

Result<std::vector<Value*>> tensors_of(Args& a) {
  LAPIS_TRY(std::vector<Value*> all, a.tensors("tensors"));
  if (all.empty() || std::find(all.begin(), all.end(), nullptr) != all.end())
    return error(ErrorKind::Input, "has no tensors");
  return all;
}

Status broadcast_tensors(Translation& t) {
  Args a(t);
  LAPIS_TRY(const std::vector<Value*> all, tensors_of(a));
  return broadcast(t, all);
}

// Each along an axis of its own; "xy" has the first two the other way around.
Status meshgrid(Translation& t) {
  Args a(t);
  const bool is_turned = a.word("indexing", "ij") == "xy";
  LAPIS_CHECK(a.status());
  LAPIS_TRY(std::vector<Value*> all, tensors_of(a));
  for (size_t i = 0; i < all.size(); ++i) {
    const size_t axis = is_turned && i < 2 && all.size() > 1 ? 1 - i : i;
    Shape shape(all.size(), 1);
    shape[axis] = -1;
    LAPIS_TRY(all[i], frontend::reshape(t, all[i], shape));
  }
  return broadcast(t, all);
}

constexpr AtenRow kRows[] = {
    {"aten.broadcast_tensors", "tensors", broadcast_tensors},
    {"aten.chunk", "self chunks dim", chunk},
    {"aten.dsplit", "self sections", dsplit},
    {"aten.hsplit", "self sections", hsplit},
    {"aten.meshgrid", "tensors indexing", meshgrid},
    {"aten.split", "self split_size dim", split},
    {"aten.split_with_sizes", "self split_sizes dim", split},
    {"aten.tensor_split", "self sections dim", tensor_split},
    {"aten.unbind", "self dim", unbind},
    {"aten.unsafe_chunk", "self chunks dim", chunk},
    {"aten.unsafe_split", "self split_size dim", split},
    {"aten.vsplit", "self sections", vsplit},
};

}  // namespace

std::span<const AtenRow> part_rows() { return kRows; }

}  // namespace lapis::pytorch_frontend
