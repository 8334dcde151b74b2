#include "passes/prune/mask.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/check.h"

namespace lapis {

namespace {

// What is pruned or stays as a whole: a block, or a single weight.
struct Unit {
  double worth;  // of one of its weights on average
  size_t matrix;
  int64_t row, column;  // of its first weight
};

class Blocks {
 public:
  Blocks(const SparsityPattern& pattern) : rows_(pattern.rows), columns_(pattern.columns) {}

  // Row by row; those at the ends may be smaller.
  std::vector<Unit> of(const Worths& w, size_t matrix) const {
    std::vector<Unit> units;
    for (int64_t r = 0; r < w.rows; r += rows_)
      for (int64_t c = 0; c < w.columns; c += columns_) units.push_back({mean(w, r, c), matrix, r, c});
    return units;
  }

  void prune(const Unit& unit, const Worths& w, Mask& mask) const {
    for (int64_t r = unit.row; r < std::min(unit.row + rows_, w.rows); ++r)
      for (int64_t c = unit.column; c < std::min(unit.column + columns_, w.columns); ++c)
        mask[static_cast<size_t>(r * w.columns + c)] = 1;
  }

 private:
  double mean(const Worths& w, int64_t row, int64_t column) const {
    double sum = 0, count = 0;
    for (int64_t r = row; r < std::min(row + rows_, w.rows); ++r)
      for (int64_t c = column; c < std::min(column + columns_, w.columns); ++c, ++count)
        sum += w.values[static_cast<size_t>(r * w.columns + c)];
    return sum / count;
  }

  const int64_t rows_, columns_;
};

size_t share_of(double ratio, size_t count) {
  return static_cast<size_t>(std::llround(ratio * static_cast<double>(count)));
}

bool is_worth_less(const Unit& a, const Unit& b) { return a.worth < b.worth; }

// Worths become those of the scope `lamp`.
void relate_to_larger_ones(std::vector<Unit>& units) {
  std::stable_sort(units.begin(), units.end(), is_worth_less);
  double sum = 0;
  for (auto unit = units.rbegin(); unit != units.rend(); ++unit) {
    const double square = unit->worth * unit->worth;
    sum += square;
    unit->worth = sum > 0 ? square / sum : 0;
  }
}

Mask of_each_group(const Worths& w, const SparsityPattern& pattern) {
  Mask mask(w.values.size(), 0);
  const int64_t m = pattern.columns;
  LAPIS_ASSERT(w.columns % m == 0, w.columns << " columns in groups of " << m);
  std::vector<size_t> order(static_cast<size_t>(m));
  for (size_t first = 0; first < mask.size(); first += order.size()) {
    std::iota(order.begin(), order.end(), first);
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return w.values[a] < w.values[b]; });
    for (size_t i = 0; i < static_cast<size_t>(m - pattern.rows); ++i) mask[order[i]] = 1;
  }
  return mask;
}

Mask of_one(const Worths& w, const Sparsity& sparsity) {
  if (sparsity.pattern.kind == SparsityPattern::Kind::Groups) return of_each_group(w, sparsity.pattern);
  const Blocks blocks(sparsity.pattern);
  Mask mask(w.values.size(), 0);
  std::vector<Unit> units = blocks.of(w, 0);
  const size_t together = sparsity.scope == SparsityScope::Channel ? static_cast<size_t>(w.columns) : units.size();
  for (size_t first = 0; first < units.size(); first += together) {
    const auto begin = units.begin() + static_cast<std::ptrdiff_t>(first);
    std::stable_sort(begin, begin + static_cast<std::ptrdiff_t>(together), is_worth_less);
    for (size_t i = 0; i < share_of(sparsity.ratio, together); ++i) blocks.prune(units[first + i], w, mask);
  }
  return mask;
}

std::vector<Mask> of_all(std::span<const Worths> worths, const Sparsity& sparsity) {
  const Blocks blocks(sparsity.pattern);
  std::vector<Mask> masks;
  std::vector<Unit> units;
  std::vector<size_t> left;  // that a matrix may lose
  for (size_t i = 0; i < worths.size(); ++i) {
    std::vector<Unit> own = blocks.of(worths[i], i);
    if (sparsity.scope == SparsityScope::Lamp) relate_to_larger_ones(own);
    units.insert(units.end(), own.begin(), own.end());
    masks.emplace_back(worths[i].values.size(), 0);
    left.push_back(static_cast<size_t>(kMostOfATensor * static_cast<double>(own.size())));
  }
  std::stable_sort(units.begin(), units.end(), is_worth_less);
  size_t wanted = share_of(sparsity.ratio, units.size());
  for (const Unit& unit : units) {
    if (wanted == 0) break;
    if (left[unit.matrix] == 0) continue;
    --left[unit.matrix];
    --wanted;
    blocks.prune(unit, worths[unit.matrix], masks[unit.matrix]);
  }
  return masks;
}

}  // namespace

std::vector<Mask> choose_masks(std::span<const Worths> worths, const Sparsity& sparsity) {
  if (sparsity.among_all()) return of_all(worths, sparsity);
  std::vector<Mask> masks;
  for (const Worths& w : worths) masks.push_back(of_one(w, sparsity));
  return masks;
}

}  // namespace lapis
