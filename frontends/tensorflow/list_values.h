// A list of tensors in the graph: one tensor with an axis in front, which counts the elements. The sizes of the
// elements of a list that nobody has filled yet are 0 where they are not known (frontend::is_unfilled): whoever sets
// the first element tells them, a loop (frontends/common/control.cpp) or one of these functions. `rows` are elements
// with that axis in front.
//
//   LAPIS_TRY(list, fitted(t, list, rows));
//   LAPIS_TRY(list, grown(t, list, needed, rows));
//   LAPIS_TRY(list, with_rows(t, list, places, rows));
#pragma once

#include "frontends/tensorflow/translators.h"

namespace lapis::tensorflow_frontend {

// The sizes of one element; 0 for those that are not known, one 0 if not even the rank is.
Shape known_sizes(const std::vector<int64_t>& declared, bool has_rank);

Result<Value*> zeros(Translation& t, Value* count, Value* sizes, DType dtype);
// How many elements there are, as int64[1].
Result<Value*> count_of(Translation& t, Value* list);
// The sizes of one element of rows or of a list, as int64[n].
Result<Value*> sizes_of(Translation& t, Value* rows);
// An operand that is a position or a number of elements, as int64[1].
Result<Value*> one_number(Translation& t, size_t operand);

// The list, an unfilled one of elements like those of `rows`. Refuses elements of other shapes than the list has.
Result<Value*> fitted(Translation& t, Value* list, Value* rows);
// An unfilled list of elements of these sizes, of which 0 stands for one that is not known.
Result<Value*> told(Translation& t, Value* list, const Shape& sizes);
// At least as many elements as needed (int64[1]); the new ones, which are like those of `rows`, are 0.
Result<Value*> grown(Translation& t, Value* list, Value* needed, Value* rows);
// Both, one behind the other.
Result<Value*> joined(Translation& t, Value* list, Value* rows);
// The list with `rows` at `places`, which are int64[n].
Result<Value*> with_rows(Translation& t, Value* list, Value* places, Value* rows);

// Output 0: the list with operand `item` at `place` (int64[1]), grown to hold it if it may.
Status set_element(Translation& t, Value* list, Value* place, size_t item, bool grows);
// The same of all elements of operand `rows`, whose places are int64[n].
Status set_elements(Translation& t, Value* list, Value* places, size_t rows, bool grows);
// As TensorListConcat and TensorArrayConcatV3 say it:
// output 0 is all elements along their first axis, output 1 the lengths of the parts.
Status set_concatenated(Translation& t, Value* list);
// A list of parts of operand `operand`, whose lengths are another operand.
Result<Value*> parts_of(Translation& t, size_t operand, size_t lengths);
// As many as the largest of the places says, as int64[1].
Result<Value*> count_for(Translation& t, Value* places);

}  // namespace lapis::tensorflow_frontend
