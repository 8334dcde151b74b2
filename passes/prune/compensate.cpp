#include "passes/prune/compensate.h"

#include <algorithm>

namespace lapis {

namespace {

constexpr int64_t kColumnsAtOnce = 128;
constexpr double kPull = 10;  // dampings of an inversion
constexpr double kCaution = 0.1;

// What is added to the moment of each input, because few samples say little of many inputs: a share of it that grows
// with the number of inputs for each row that was seen. What weights make good is drawn back by it to what they are,
// wholly if there were no rows. With a 1 among the inputs the last moment is the number of rows; without it nothing is
// known of that, and nothing added.
std::vector<double> caution_of(const Moments& h, int64_t size, bool counted) {
  std::vector<double> caution(static_cast<size_t>(size), 0);
  if (!counted || !(h.back() > 0)) return caution;
  const double share = kCaution * static_cast<double>(size) / h.back();
  for (int64_t i = 0; i + 1 < size; ++i) caution[static_cast<size_t>(i)] = share * h[static_cast<size_t>(i * size + i)];
  return caution;
}

Moments with_diagonal(Moments h, const std::vector<double>& more) {
  for (size_t i = 0; i < more.size(); ++i) h[i * more.size() + i] += more[i];
  return h;
}

// Rows with their biases as last column, and the root of the inverse moments.
class Elimination {
 public:
  Elimination(const Rows& rows, const GroupMoments& moments)
      : size_(moments.size),
        inputs_(rows.bias.empty() ? size_ : size_ - 1),
        caution_(caution_of(moments.now, size_, !rows.bias.empty())),
        root_(inverse_root(with_diagonal(moments.now, caution_), size_)) {
    const size_t count = rows.weights.size() / static_cast<size_t>(inputs_);
    for (size_t r = 0; r < count; ++r) {
      const auto from = rows.weights.begin() + static_cast<std::ptrdiff_t>(r) * inputs_;
      w_.insert(w_.end(), from, from + inputs_);
      if (!rows.bias.empty()) w_.push_back(rows.bias[r]);
    }
    if (moments.from) follow(moments.now, *moments.from);
  }

  int64_t inputs() const { return inputs_; }
  int64_t rows() const { return static_cast<int64_t>(w_.size()) / size_; }

  // What the weights of some columns are worth now.
  Worths worths(int64_t from, int64_t to) const {
    Worths worths{rows(), to - from};
    for (int64_t r = 0; r < rows(); ++r)
      for (int64_t k = from; k < to; ++k) {
        const double w = w_[static_cast<size_t>(r * size_ + k)] / root(k)[k];
        worths.values.push_back(w * w);
      }
    return worths;
  }

  // mask: [rows][to - from]
  void prune(int64_t from, int64_t to, const Mask& mask) {
    for (int64_t r = 0; r < rows(); ++r) {
      double* w = w_.data() + r * size_;
      for (int64_t k = from; k < to; ++k)
        if (mask[static_cast<size_t>(r * (to - from) + k - from)]) eliminate(w, k);
    }
  }

  void store(Rows& rows) const {
    for (int64_t r = 0; r < this->rows(); ++r) {
      const double* w = w_.data() + r * size_;
      std::copy(w, w + inputs_, rows.weights.begin() + r * inputs_);
      if (!rows.bias.empty()) rows.bias[static_cast<size_t>(r)] = w[inputs_];
    }
  }

 private:
  const double* root(int64_t k) const { return root_.data() + k * size_; }

  // w => w (from + pull) (now + pull)^-1: the least squares fit to the former results, drawn towards w, because few
  // samples say little of many inputs, and of those that hardly occur.
  void follow(Moments now, const Moments& from) {
    const auto n = static_cast<size_t>(size_);
    std::vector<double> pull = damping_of(now, size_);
    for (size_t i = 0; i < n; ++i) pull[i] = (kPull - 1) * pull[i] + caution_[i];
    now = with_diagonal(std::move(now), pull);
    const std::vector<double> more = damping_of(now, size_), root = inverse_root(std::move(now), size_);
    std::vector<double> wanted(n), half(n);
    for (double* w = w_.data(); w != w_.data() + w_.size(); w += n) {
      for (size_t j = 0; j < n; ++j) wanted[j] = w[j] * (pull[j] + more[j]);
      for (size_t i = 0; i < n; ++i)
        for (size_t j = 0; j < n; ++j) wanted[j] += w[i] * from[i * n + j];
      std::fill(half.begin(), half.end(), 0);
      std::fill(w, w + n, 0);
      for (size_t k = 0; k < n; ++k)
        for (size_t j = k; j < n; ++j) half[k] += wanted[j] * root[k * n + j];
      for (size_t k = 0; k < n; ++k)
        for (size_t j = k; j < n; ++j) w[j] += half[k] * root[k * n + j];
    }
  }

  // What it takes away goes to the columns behind it.
  void eliminate(double* w, int64_t k) const {
    const double* u = root(k);
    const double error = w[k] / u[k];
    for (int64_t j = k + 1; j < size_; ++j) w[j] -= error * u[j];
    w[k] = 0;
  }

  const int64_t size_, inputs_;
  const std::vector<double> caution_, root_;
  std::vector<double> w_;
};

// The columns of a mask [rows][columns].
Mask columns_of(const Mask& mask, int64_t rows, int64_t columns, int64_t from, int64_t to) {
  Mask part;
  for (int64_t r = 0; r < rows; ++r)
    part.insert(part.end(), mask.begin() + r * columns + from, mask.begin() + r * columns + to);
  return part;
}

// How many columns are looked at together: whole groups and blocks.
int64_t columns_at_once(const SparsityPattern& pattern) {
  if (pattern.kind == SparsityPattern::Kind::Groups) return pattern.columns;
  return kColumnsAtOnce / pattern.columns * pattern.columns;
}

}  // namespace

Rows rows_of(const WeightMatrix& m, const InputMoments* moments) {
  Rows rows{m.read(), {}};
  if (!moments || !moments->ones) return rows;
  const Value* bias = m.node->input(2);
  rows.bias.resize(static_cast<size_t>(m.rows()), 0);
  for (size_t i = 0; bias && i < rows.bias.size(); ++i) rows.bias[i] = bias->constant().data<float>()[i];
  return rows;
}

void store_rows(Graph& graph, const WeightMatrix& m, const Rows& rows) {
  Node& node = *m.node;
  node.set_input(1, graph.add_constant(m.stored(rows.weights), m.weight->name() + "_pruned"));
  if (rows.bias.empty()) return;
  Tensor bias(DType::Float32, {m.rows()});
  for (size_t i = 0; i < rows.bias.size(); ++i) bias.mutable_data<float>()[i] = static_cast<float>(rows.bias[i]);
  const Value* old = node.input(2);
  if (old) bias = bias.reshaped(old->constant().shape());
  node.set_input(
      2, graph.add_constant(std::move(bias), (old ? old->name() : node.output()->name() + "_bias") + "_pruned"));
}

GroupMoments group_of(const InputMoments& moments, size_t group) {
  return {moments.groups[group], moments.from.empty() ? nullptr : &moments.from[group], moments.size};
}

Mask prune_group(Rows& rows, const GroupMoments& moments, const Sparsity& sparsity, Mask mask) {
  Elimination e(rows, moments);
  const bool choose = mask.empty();
  if (choose) mask.resize(rows.weights.size());
  const int64_t step = columns_at_once(sparsity.pattern);
  for (int64_t from = 0; from < e.inputs(); from += step) {
    const int64_t to = std::min(from + step, e.inputs());
    const Mask part =
        choose ? choose_mask(e.worths(from, to), sparsity) : columns_of(mask, e.rows(), e.inputs(), from, to);
    e.prune(from, to, part);
    for (int64_t r = 0; r < e.rows(); ++r)
      std::copy_n(part.begin() + r * (to - from), to - from, mask.begin() + r * e.inputs() + from);
  }
  e.store(rows);
  return mask;
}

// [size][size] with rows and columns in another order.
static Moments reordered(const Moments& m, const std::vector<int64_t>& order) {
  const size_t n = order.size();
  Moments sorted(m.size());
  for (size_t i = 0; i < n; ++i)
    for (size_t j = 0; j < n; ++j)
      sorted[i * n + j] = m[static_cast<size_t>(order[i]) * n + static_cast<size_t>(order[j])];
  return sorted;
}

void remove_inputs(Rows& rows, const GroupMoments& moments, const Mask& gone) {
  std::vector<int64_t> order;  // those that leave first
  for (const bool leaves : {true, false})
    for (int64_t k = 0; k < moments.size; ++k)
      if ((k < static_cast<int64_t>(gone.size()) && gone[static_cast<size_t>(k)]) == leaves) order.push_back(k);
  const auto leaving = std::count(gone.begin(), gone.end(), 1);
  const Moments now = reordered(moments.now, order), from = moments.from ? reordered(*moments.from, order) : Moments();
  const int64_t inputs = static_cast<int64_t>(gone.size());
  const int64_t count = static_cast<int64_t>(rows.weights.size()) / inputs;
  Rows turned = rows;
  for (int64_t r = 0; r < count; ++r)
    for (int64_t k = 0; k < inputs; ++k)
      turned.weights[static_cast<size_t>(r * inputs + k)] = rows.weights[static_cast<size_t>(r * inputs + order[k])];
  Elimination e(turned, {now, moments.from ? &from : nullptr, moments.size});
  e.prune(0, leaving, Mask(static_cast<size_t>(count * leaving), 1));
  e.store(turned);
  for (int64_t r = 0; r < count; ++r)
    for (int64_t k = 0; k < inputs; ++k)
      rows.weights[static_cast<size_t>(r * inputs + order[k])] = turned.weights[static_cast<size_t>(r * inputs + k)];
  rows.bias = turned.bias;
}

}  // namespace lapis
