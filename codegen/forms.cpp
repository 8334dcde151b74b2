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

LoopForm form_of(const Loop& nominal, const Loop& other) {
  LoopForm form{nominal.domain, {}, differences(nominal.domain, other.domain), {}};
  for (size_t v = 0; v < nominal.views.size(); ++v) {
    form.strides.push_back(nominal.views[v].strides);
    form.free_strides.push_back(differences(nominal.views[v].strides, other.views[v].strides));
  }
  return form;
}

bool varies(const LoopForm& form) { return any(form.free) || std::ranges::any_of(form.free_strides, any); }

// What does not vary is as it is in the form.
bool fits(const Loop& loop, const LoopForm& form) {
  const auto same = [](const Shape& a, const Shape& b, const std::vector<bool>& free) {
    for (size_t i = 0; i < a.size(); ++i)
      if (!free[i] && a[i] != b[i]) return false;
    return true;
  };
  for (size_t v = 0; v < loop.views.size(); ++v)
    if (!same(loop.views[v].strides, form.strides[v], form.free_strides[v])) return false;
  return same(loop.domain, form.domain, form.free);
}

using Loops = std::unordered_map<std::string, std::vector<const Loop*>>;

Loops by_name(const Plan& plan) {
  Loops loops;
  for (const Step& step : plan.steps)
    if (const auto* loop = std::get_if<Loop>(&step.region)) loops[loop->name].push_back(loop);
  return loops;
}

}  // namespace

// Panels of 64 channels, narrower ones in steps of 16, words of four bytes (kernels/blocking.h).
AlikeExtents extents_like(int64_t extent) {
  const bool whole = extent >= 64;
  if (extent % 64 == 0) return {128, 192};
  if (extent % 16 == 0) return whole ? AlikeExtents{128 + 48, 192 + 32} : AlikeExtents{48, 32};
  const int64_t bytes = extent % 4, panels = whole ? 128 : 0;
  return {panels + 36 + bytes, panels + (whole ? 64 : 0) + 24 + bytes};
}

AlikeExtents short_extents_like(int64_t extent) {
  if (extent >= 64) return extents_like(extent);
  const int64_t bytes = extent % 4;
  return {12 + bytes, 8 + bytes};
}

void Forms::add(const Plan& nominal, const Plan& other) {
  const Loops others = by_name(other);
  for (const auto& [name, loops] : by_name(nominal)) {
    const auto twins = others.find(name);
    if (twins == others.end() || twins->second.size() != loops.size()) continue;
    for (size_t i = 0; i < loops.size(); ++i) add(*loops[i], *twins->second[i]);
  }
}

void Forms::add(const Loop& nominal, const Loop& other) {
  if (!alike(nominal, other)) return;
  const Form* const known = find(nominal);
  if (known && known == find(other)) return;
  LoopForm form = form_of(nominal, other);
  const bool varying = varies(form);
  forms_[nominal.name].push_back({nominal, std::make_shared<const LoopForm>(std::move(form)), varying});
}

const Forms::Form* Forms::find(const Loop& loop) const {
  const auto known = forms_.find(loop.name);
  if (known == forms_.end()) return nullptr;
  const auto form =
      std::ranges::find_if(known->second, [&](const Form& f) { return alike(loop, f.loop) && fits(loop, *f.form); });
  return form == known->second.end() ? nullptr : &*form;
}

bool Forms::attach(Plan& plan) const {
  bool all_known = true;
  for (Step& step : plan.steps) {
    auto* loop = std::get_if<Loop>(&step.region);
    if (!loop || loop->form) continue;
    const Form* const form = find(*loop);
    if (form && form->varies) loop->form = form->form;
    all_known &= form != nullptr;
  }
  return all_known;
}

}  // namespace lapis::codegen
