// Distances between points, which are rows: those of each of one set to each of another, and those within one set.
#include "frontends/common/formula.h"
#include "frontends/pytorch/translators.h"

namespace lapis::pytorch_frontend {
namespace {

// (sum |x_i - y_i|^p)^(1/p), of rows in the last axis.
Status distance(Translation& t, Args& a, Value* from, Value* to) {
  const double order = a.number("p", 2);
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * away, t.add(ops::Sub, {from, to}));
  const bool is_empty = away->type().ranked() && away->type().dim(-1).is(0);  // points of no numbers are alike
  return finish(t, norm_of(t, away, is_empty ? 1 : order, {-1}, false));
}

Status cdist(Translation& t) {
  Args a(t);
  LAPIS_TRY(Value * from, a.tensor("x1"));
  LAPIS_TRY(Value * to, a.tensor("x2"));
  LAPIS_TRY(from, frontend::unsqueeze(t, from, {-2}));
  LAPIS_TRY(to, frontend::unsqueeze(t, to, {-3}));
  return distance(t, a, from, to);
}

// Of rows 0 and 1, 0 and 2, ..., 1 and 2, ...
Status pdist(Translation& t) {
  constexpr int64_t kMost = 4096;
  Args a(t);
  LAPIS_TRY(Value * x, self(a));
  if (!x->type().ranked() || x->type().rank() != 2 || !x->type().dim(0).is_constant() ||
      x->type().dim(0).value() > kMost)
    return Translation::unsupported("other than a known number of rows up to " + std::to_string(kMost));
  std::vector<int64_t> first, second;
  for (int64_t i = 0; i < x->type().dim(0).value(); ++i)
    for (int64_t k = i + 1; k < x->type().dim(0).value(); ++k) first.push_back(i), second.push_back(k);
  LAPIS_TRY(Value * from, t.add(ops::Gather, {x, frontend::ints(t, first)}));
  LAPIS_TRY(Value * to, t.add(ops::Gather, {x, frontend::ints(t, second)}));
  return distance(t, a, from, to);
}

// Of two rows that stand at the same place; `eps` keeps the distance of equal ones from 0.
Status pairwise_distance(Translation& t) {
  Args a(t);
  const double order = a.number("p", 2), eps = a.number("eps", 1e-6);
  const bool keepdim = a.flag("keepdim", false);
  LAPIS_CHECK(a.status());
  LAPIS_TRY(const Pair p, pair(t, a, "x1", "x2"));
  LAPIS_TRY(Value * away, t.add(ops::Sub, {p.a, p.b}));
  LAPIS_TRY(away, t.add(ops::Add, {away, number_like(t, eps, away)}));
  return finish(t, norm_of(t, away, order, {-1}, keepdim));
}

// Of two tensors, as points.
Status dist(Translation& t) {
  Args a(t);
  const double order = a.number("p", 2);
  LAPIS_CHECK(a.status());
  LAPIS_TRY(const Pair p, pair(t, a));
  LAPIS_TRY(Value * away, t.add(ops::Sub, {p.a, p.b}));
  return finish(t, norm_of(t, away, order, {}, false));
}

constexpr AtenRow kRows[] = {
    {"aten._cdist_forward", "x1 x2 p compute_mode", cdist},
    {"aten._pdist_forward", "self p", pdist},
    {"aten.cdist", "x1 x2 p compute_mode", cdist},
    {"aten.dist", "self other p", dist},
    {"aten.pairwise_distance", "x1 x2 p eps keepdim", pairwise_distance},
    {"aten.pdist", "self p", pdist},
};

}  // namespace

std::span<const AtenRow> distance_rows() { return kRows; }

}  // namespace lapis::pytorch_frontend
