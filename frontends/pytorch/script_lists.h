// What TorchScript does with lists whose elements are known by number, whatever these are.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "frontends/pytorch/computed.h"

namespace lapis::pytorch_frontend {

// Of element `at` in a list of `size`, of which negative numbers count from the end; nullopt: there is none.
std::optional<size_t> position(int64_t at, size_t size);
// What list[begin:end:step] takes of `count`; ends that are absent or beyond it are those of the list.
// nullopt: not known.
struct Range {
  int64_t begin, end, step;
};
Result<std::optional<Range>> range_of(const std::vector<Item>& arguments, int64_t count);
// An error for what this list or dict must not take up.
Status check_elements(const Item& list, const std::vector<Item>& added);
// The result of torch.`function`, which may have changed the list; nullopt if it is no such function.
Computed compute_list(std::string_view function, const std::vector<Item>& arguments);
bool is_list_function(std::string_view op);
// Whether the operator changes the list or dict that is its first argument, also where compute_list() cannot say how.
bool changes_list(std::string_view op, const std::vector<Item>& arguments);
// Whether that puts lists into it, so that lists may come to stand within each other however deep.
bool nests_lists(std::string_view op, const std::vector<Item>& arguments);

}  // namespace lapis::pytorch_frontend
