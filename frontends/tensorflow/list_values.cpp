#include "frontends/tensorflow/list_values.h"

#include <algorithm>
#include <limits>

#include "frontends/common/build.h"
#include "frontends/common/control.h"
#include "frontends/common/declared.h"
#include "ir/ops/data_attributes.h"
#include "ir/ops/ops.h"

namespace lapis::tensorflow_frontend {
namespace {

constexpr int64_t kEnd = std::numeric_limits<int64_t>::max();

Diagnostic uneven(const std::string& what) {
  return Translation::unsupported(what).help("pad the elements to one shape before they are put into the list");
}

Result<Value*> part_of_shape(Translation& t, Value* x, int64_t begin, int64_t end) {
  LAPIS_TRY(Value * shape, t.add(ops::ShapeOf, {x}));
  return frontend::slice(t, shape, 0, begin, end);
}

Result<Value*> concat(Translation& t, std::vector<Value*> parts) {
  return t.add(ops::Concat, std::move(parts), ops::ConcatAttrs{.axis = 0});
}

bool is_zero(const Value* number) {
  return number->is_constant() && number->constant().size() == 1 && number->constant().as_int(0) == 0;
}

// What is known of the elements of `rows` is known of those of the list.
Status complete(Value* list, const Dim& count, const Value* rows) {
  if (!rows->type().ranked()) return ok();
  Dims dims = *rows->type().dims;
  dims[0] = count;
  return frontend::complete_type(*list, Type::tensor(rows->dtype(), std::move(dims)));
}

Dim count(const Value* list) { return list->type().ranked() ? list->type().dim(0) : Dim::unknown(); }

// 0, 1, 2, ...
bool count_up(const Value* places) {
  if (places->is_constant()) {
    const std::vector<int64_t> all = places->constant().as_ints();
    for (size_t i = 0; i < all.size(); ++i)
      if (all[i] != static_cast<int64_t>(i)) return false;
    return true;
  }
  const Node* node = places->producer();
  while (node && node->is(ops::Cast)) node = node->input(0)->producer();
  return node && node->is(ops::Range) && is_zero(node->input(0)) && node->input(2)->is_constant() &&
         node->input(2)->constant().as_int(0) == 1;
}

// Whether rows at these places are the whole list.
bool are_all(const Value* list, const Value* places, const Value* rows, bool grows) {
  const Dim has = count(list), gets = count(rows);
  const bool is_longer = grows && has.is_constant() && gets.is_constant() && has.value() < gets.value();
  return (has == gets || is_longer) && count_up(places);
}

// Elements that turn out to be without sizes when the model runs get those of the rows; others stay as they are.
Result<Value*> fitted_at_run_time(Translation& t, Value* list, Value* rows) {
  LAPIS_TRY(Value * sizes, sizes_of(t, list));
  LAPIS_TRY(Value * wanted, sizes_of(t, rows));
  LAPIS_TRY(Value * none, t.add(ops::Equal, {sizes, frontend::ints(t, {0})}));
  LAPIS_TRY(none, frontend::cast(t, none, DType::Int64));
  LAPIS_TRY(Value * more, t.add(ops::Mul, {none, wanted}));
  const auto rank = static_cast<size_t>(rows->type().rank());
  LAPIS_TRY(Value * pads, concat(t, {frontend::ints(t, std::vector<int64_t>(rank + 1, 0)), more}));
  LAPIS_TRY(Value * y, t.add(ops::Pad, {list, pads}, ops::PadAttrs{}));
  LAPIS_CHECK(complete(y, count(list), rows));
  return y;
}

}  // namespace

Shape known_sizes(const std::vector<int64_t>& declared, bool has_rank) {
  if (!has_rank) return {0};
  Shape sizes;
  for (const int64_t size : declared) sizes.push_back(std::max<int64_t>(size, 0));
  return sizes;
}

Result<Value*> zeros(Translation& t, Value* count, Value* sizes, DType dtype) {
  LAPIS_TRY(Value * shape, concat(t, {count, sizes}));
  return t.add(ops::Expand, {frontend::scalar(t, 0, dtype), shape});
}

Result<Value*> count_of(Translation& t, Value* list) { return part_of_shape(t, list, 0, 1); }
Result<Value*> sizes_of(Translation& t, Value* rows) { return part_of_shape(t, rows, 1, kEnd); }

Result<Value*> one_number(Translation& t, size_t operand) {
  LAPIS_TRY(Value * number, as_int64(t, operand));
  return frontend::reshape(t, number, {1});
}

Result<Value*> fitted(Translation& t, Value* list, Value* rows) {
  const Type &has = list->type(), &gets = rows->type();
  if (!has.ranked() || !gets.ranked() || frontend::is_unfilled(gets)) return list;
  if (frontend::is_unfilled(has)) {
    LAPIS_TRY(Value * count, count_of(t, list));
    LAPIS_TRY(Value * sizes, sizes_of(t, rows));
    return zeros(t, count, sizes, list->dtype());
  }
  const auto differ = [&](int64_t axis) {
    return has.dim(axis).is_constant() && gets.dim(axis).is_constant() && !(has.dim(axis) == gets.dim(axis));
  };
  bool is_open = false, is_uneven = has.rank() != gets.rank();
  for (int64_t axis = 1; !is_uneven && axis < has.rank(); ++axis) {
    is_open |= !has.dim(axis).is_known();
    is_uneven = differ(axis);
  }
  if (is_uneven)
    return uneven("a list whose elements differ in shape: it is " + has.to_string() + " and gets " + gets.to_string());
  return is_open ? fitted_at_run_time(t, list, rows) : Result<Value*>(list);
}

Result<Value*> told(Translation& t, Value* list, const Shape& sizes) {
  if (!frontend::is_unfilled(list->type()) || sizes == Shape{0}) return list;
  Shape all = sizes;
  for (size_t i = 0; i < all.size() && i + 1 < list->type().dims->size(); ++i)
    if (const Dim& known = (*list->type().dims)[i + 1]; all[i] == 0 && known.is_constant()) all[i] = known.value();
  LAPIS_TRY(Value * count, count_of(t, list));
  return zeros(t, count, frontend::ints(t, std::move(all)), list->dtype());
}

Result<Value*> grown(Translation& t, Value* list, Value* needed, Value* rows) {
  LAPIS_TRY(Value * has, count_of(t, list));
  LAPIS_TRY(Value * missing, t.add(ops::Sub, {needed, has}));
  LAPIS_TRY(missing, t.add(ops::Max, {missing, frontend::ints(t, {0})}));
  if (is_zero(missing)) return list;
  LAPIS_TRY(Value * sizes, sizes_of(t, rows));
  LAPIS_TRY(Value * more, zeros(t, missing, sizes, list->dtype()));
  return joined(t, list, more);
}

Result<Value*> joined(Translation& t, Value* list, Value* rows) {
  if (count(list).is(0)) return rows;
  LAPIS_TRY(Value * y, concat(t, {list, rows}));
  LAPIS_CHECK(complete(y, Dim::unknown(), rows));
  return y;
}

Result<Value*> with_rows(Translation& t, Value* list, Value* places, Value* rows) {
  if (count(list).is(1) && count(rows).is(1) && is_zero(places)) return rows;
  LAPIS_TRY(Value * at, frontend::reshape(t, places, {-1, 1}));
  LAPIS_TRY(Value * y, t.add(ops::ScatterND, {list, at, rows}, ops::ScatterNDAttrs{}));
  LAPIS_CHECK(complete(y, count(list), rows));
  return y;
}

Status set_element(Translation& t, Value* list, Value* place, size_t item, bool grows) {
  LAPIS_TRY(Value * row, t.real(item, Layout::AsWritten));
  LAPIS_TRY(row, frontend::unsqueeze(t, row, {0}));
  LAPIS_TRY(list, fitted(t, list, row));
  if (grows) {
    LAPIS_TRY(Value * needed, t.add(ops::Add, {place, frontend::ints(t, {1})}));
    LAPIS_TRY(list, grown(t, list, needed, row));
  }
  LAPIS_TRY(Value * y, with_rows(t, list, place, row));
  return frontend::result(t, 0, y);
}

Status set_elements(Translation& t, Value* list, Value* places, size_t operand, bool grows) {
  LAPIS_TRY(Value * rows, t.real(operand, Layout::AsWritten));
  if (are_all(list, places, rows, grows)) return frontend::result(t, 0, rows);
  LAPIS_TRY(list, fitted(t, list, rows));
  if (grows) {
    LAPIS_TRY(Value * needed, count_for(t, places));
    LAPIS_TRY(list, grown(t, list, needed, rows));
  }
  LAPIS_TRY(Value * y, with_rows(t, list, places, rows));
  return frontend::result(t, 0, y);
}

Status set_concatenated(Translation& t, Value* list) {
  LAPIS_TRY(Value * count, count_of(t, list));
  LAPIS_TRY(Value * length, part_of_shape(t, list, 1, 2));
  LAPIS_TRY(Value * all, t.add(ops::Mul, {count, length}));
  LAPIS_TRY(Value * sizes, part_of_shape(t, list, 2, kEnd));
  LAPIS_TRY(Value * shape, concat(t, {all, sizes}));
  LAPIS_TRY(Value * y, t.add(ops::Reshape, {list, shape}, ops::ReshapeAttrs{.allowzero = true}));
  LAPIS_CHECK(frontend::result(t, 0, y));
  if (t.output_count() < 2) return ok();
  LAPIS_TRY(Value * lengths, t.add(ops::Expand, {length, count}));
  return frontend::result(t, 1, lengths);
}

Result<Value*> parts_of(Translation& t, size_t operand, size_t lengths) {
  LAPIS_TRY(Value * x, t.real(operand, Layout::AsWritten));
  if (!t.contents(lengths))
    return Translation::unsupported("a list of parts whose lengths are computed").help("give the lengths as constants");
  LAPIS_TRY(const std::vector<int64_t> each, numbers(t, lengths, "lengths of parts"));
  if (each.empty() || std::ranges::adjacent_find(each, std::not_equal_to()) != each.end())
    return uneven("a list of parts of different lengths");
  LAPIS_TRY(Value * sizes, sizes_of(t, x));
  LAPIS_TRY(Value * shape, concat(t, {frontend::ints(t, {static_cast<int64_t>(each.size()), each[0]}), sizes}));
  return t.add(ops::Reshape, {x, shape}, ops::ReshapeAttrs{.allowzero = true});
}

Result<Value*> count_for(Translation& t, Value* places) {
  LAPIS_TRY(Value * last, frontend::reduce(t, ops::ReduceMax, places, {0}, true));
  return t.add(ops::Add, {last, frontend::ints(t, {1})});
}

}  // namespace lapis::tensorflow_frontend
