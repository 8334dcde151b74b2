#include "codegen/forms.h"

#include <algorithm>

namespace lapis::codegen {
namespace {

bool same(const Loop::Reduction& a, const Loop::Reduction& b) {
  return a.kind == b.kind && a.value == b.value && a.type == b.type;
}
bool same(const Loop::Store& a, const Loop::Store& b) { return a.view == b.view && a.value == b.value; }
bool same(const View& a, const View& b) { return a.dtype == b.dtype && a.strides.size() == b.strides.size(); }
bool same(const Loop::Phase& a, const Loop::Phase& b);
template <class T> bool all_same(const std::vector<T>& a, const std::vector<T>& b) {
  return std::ranges::equal(a, b, [](const T& x, const T& y) { return same(x, y); });
}
bool same(const Loop::Phase& a, const Loop::Phase& b) {
  return a.over == b.over && a.body == b.body && all_same(a.reductions, b.reductions) && all_same(a.stores, b.stores);
}

// Equal but for extents, strides and places.
bool alike(const Loop& a, const Loop& b) {
  return a.domain.size() == b.domain.size() && a.reduced == b.reduced && all_same(a.views, b.views) &&
         all_same(a.phases, b.phases);
}

std::vector<bool> differences(const Shape& a, const Shape& b) {
  std::vector<bool> differ;
  for (size_t i = 0; i < a.size(); ++i) differ.push_back(a[i] != b[i]);
  return differ;
}

bool any(const std::vector<bool>& flags) { return std::ranges::find(flags, true) != flags.end(); }

std::shared_ptr<const LoopForm> form_of(const Loop& nominal, const Loop& other) {
  if (!alike(nominal, other)) return nullptr;
  LoopForm form{nominal.domain, {}, differences(nominal.domain, other.domain), {}};
  bool varies = any(form.free);
  for (size_t v = 0; v < nominal.views.size(); ++v) {
    form.strides.push_back(nominal.views[v].strides);
    form.free_strides.push_back(differences(nominal.views[v].strides, other.views[v].strides));
    varies = varies || any(form.free_strides[v]);
  }
  return varies ? std::make_shared<const LoopForm>(std::move(form)) : nullptr;
}

}  // namespace

Forms::Forms(const Plan& nominal, const Plan& other) {
  if (nominal.steps.size() != other.steps.size()) return;
  for (size_t s = 0; s < nominal.steps.size(); ++s) {
    Form& form = forms_.emplace_back();
    const auto* a = std::get_if<Loop>(&nominal.steps[s].region);
    const auto* b = std::get_if<Loop>(&other.steps[s].region);
    if (a && b) form = {*a, form_of(*a, *b)};
  }
}

void Forms::attach(Plan& plan) const {
  if (plan.steps.size() != forms_.size()) return;
  for (size_t s = 0; s < forms_.size(); ++s) {
    auto* loop = std::get_if<Loop>(&plan.steps[s].region);
    if (loop && forms_[s].form && alike(*loop, forms_[s].loop)) loop->form = forms_[s].form;
  }
}

}  // namespace lapis::codegen
