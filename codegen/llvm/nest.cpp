#include "codegen/llvm/nest.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <optional>

#include "codegen/scalar/ops.h"

namespace lapis::llvm_backend {
namespace {

using Dims = std::vector<Dimension>;

constexpr double kUnitNanoseconds = 12000;
constexpr int64_t kMaxUnits = 256;

int64_t element_bytes(DType dtype) { return std::max(1, bit_width(dtype) / 8); }

// What the choices below need to know about a view.
struct Use {
  int weight = 0;  // how often it is touched; stores count double: a scattered store costs more than a gathered load
  bool stored = false;
};

class Planner {
 public:
  Planner(const Loop& loop, int vector_bytes) : loop_(loop), vector_bytes_(vector_bytes) {}

  // The nest that was planned for the loop's form, with the numbers of the loop itself; nothing if they do not fit it.
  std::optional<Nest> renumbered(Nest form) {
    nest_ = std::move(form);
    collect_uses();
    bool fits = true;
    std::vector<bool> seen(loop_.domain.size());
    for (Dims* dims : {&nest_.outer, &nest_.inner})
      for (Dimension& d : *dims) fits = fits && renumber(d, seen);
    fits = fits && (nest_.lane.sources.empty() || renumber(nest_.lane, seen));
    for (size_t d = 0; d < seen.size(); ++d) fits = fits && (seen[d] || loop_.domain[d] == 1);
    if (!fits || moves_lanes_freely()) return std::nullopt;
    nest_.rows = 1;
    for (size_t d = 0; d < nest_.partitioned; ++d) nest_.rows *= nest_.outer[d].extent;
    const int64_t wanted = wanted_units();
    if (nest_.chunk) cut_lanes(wanted);
    divide_rows(wanted);
    return std::move(nest_);
  }

  Nest plan() {
    collect_uses();
    collect_dimensions();
    for (Dims* dims : {&nest_.outer, &nest_.inner}) {
      order(*dims);
      merge(*dims);
    }
    nest_.width = choose_width();
    choose_lane();
    order_for_tiles();
    choose_tile();
    partition();
    return std::move(nest_);
  }

 private:
  // Merged dimensions must still be one run of addresses; what the form takes for known must be.
  bool renumber(Dimension& d, std::vector<bool>& seen) const {
    const auto bytes = [&](size_t v, int source) {
      return loop_.views[v].strides[static_cast<size_t>(source)] * element_bytes(loop_.views[v].dtype);
    };
    int64_t extent = 1;
    for (size_t s = 0; s < d.sources.size(); ++s) {
      const auto source = static_cast<size_t>(d.sources[s]);
      seen[source] = true;
      extent *= loop_.domain[source];
      if (loop_.domain[source] == 1 || s + 1 == d.sources.size()) continue;
      for (size_t v = 0; v < loop_.views.size(); ++v)
        if (bytes(v, d.sources[s]) != bytes(v, d.sources[s + 1]) * loop_.domain[static_cast<size_t>(d.sources[s + 1])])
          return false;
    }
    bool same = d.free || extent == (d.split ? d.split : d.extent);
    if (d.free) d.extent = extent;
    for (size_t v = 0; v < loop_.views.size() && extent > 1; ++v) {
      const int64_t stride = bytes(v, d.sources.back()) * d.scale;
      same = same && (d.free_bytes[v] || stride == d.bytes[v]);
      if (d.free_bytes[v]) d.bytes[v] = stride;
    }
    return same;
  }

  // Vectors are loaded with strides that are known.
  bool moves_lanes_freely() const {
    for (size_t v = 0; v < nest_.lane.free_bytes.size(); ++v)
      if (nest_.lane.free_bytes[v]) return true;
    return false;
  }

  void collect_uses() {
    uses_.resize(loop_.views.size());
    for (const Loop::Phase& phase : loop_.phases) {
      for (const Instr& i : phase.body) {
        if (i.op == Op::Load || i.op == Op::Gather) uses_[static_cast<size_t>(i.slot)].weight += 1;
        if (i.op == Op::Index) indexed_.push_back(i.slot);
        if (i.op == Op::Gather) gathers_ = true;
      }
      for (const Loop::Store& s : phase.stores) {
        uses_[static_cast<size_t>(s.view)].weight += 2;
        uses_[static_cast<size_t>(s.view)].stored = true;
      }
    }
  }

  void collect_dimensions() {
    const auto split = loop_.domain.size() - static_cast<size_t>(loop_.reduced);
    for (size_t d = 0; d < loop_.domain.size(); ++d) {
      if (loop_.domain[d] == 1) continue;
      Dimension dim;
      dim.extent = loop_.domain[d];
      dim.inner = d >= split;
      dim.source = static_cast<int>(d);
      dim.sources = {dim.source};
      for (const View& v : loop_.views) dim.bytes.push_back(v.strides[d] * element_bytes(v.dtype));
      dim.free = loop_.form && loop_.form->free[d];
      for (size_t v = 0; v < loop_.views.size(); ++v)
        dim.free_bytes.push_back(loop_.form && loop_.form->free_strides[v][d]);
      (dim.inner ? nest_.inner : nest_.outer).push_back(std::move(dim));
    }
  }

  // Large strides outside, judged by the stored views first, then by the loaded ones.
  int64_t reach(const Dimension& d) const {
    int64_t stored = 0, loaded = 0;
    for (size_t v = 0; v < uses_.size(); ++v)
      (uses_[v].stored ? stored : loaded) = std::max(uses_[v].stored ? stored : loaded, std::abs(d.bytes[v]));
    return stored ? stored : loaded;
  }
  void order(Dims& dims) const {
    std::stable_sort(dims.begin(), dims.end(),
                     [&](const Dimension& a, const Dimension& b) { return reach(a) > reach(b); });
  }

  bool is_indexed(const Dimension& d) const {
    return std::find(indexed_.begin(), indexed_.end(), d.source) != indexed_.end() && d.source >= 0;
  }
  bool mergeable(const Dimension& a, const Dimension& b) const {
    if (is_indexed(a) || is_indexed(b)) return false;
    for (size_t v = 0; v < uses_.size(); ++v)
      if (a.bytes[v] != b.bytes[v] * b.extent) return false;
    return true;
  }
  void merge(Dims& dims) const {
    for (size_t i = 0; i + 1 < dims.size();) {
      if (!mergeable(dims[i], dims[i + 1])) {
        ++i;
        continue;
      }
      const Dimension& inner = dims[i + 1];
      dims[i].extent *= inner.extent;
      dims[i].bytes = inner.bytes;
      dims[i].source = -1;
      dims[i].sources.insert(dims[i].sources.end(), inner.sources.begin(), inner.sources.end());
      dims[i].free = dims[i].free || inner.free;
      dims[i].free_bytes = inner.free_bytes;
      dims.erase(dims.begin() + static_cast<int64_t>(i) + 1);
      if (i > 0) --i;
    }
  }

  // As many lanes as the widest element of the body allows;
  // an index beside narrow data does not narrow everything to its 64 bits.
  int choose_width() const {
    int64_t widest = 1;
    for (const View& v : loop_.views) widest = std::max(widest, element_bytes(v.dtype));
    for (const Loop::Phase& phase : loop_.phases) {
      for (const Instr& i : phase.body) {
        const bool half = i.type == DType::Float16 || i.type == DType::BFloat16;
        const bool moved = i.op == Op::Load || i.op == Op::Constant;
        widest = std::max(widest, half && !moved                            ? 4
                                  : i.op == Op::Gather || i.op == Op::Index ? 1
                                                                            : element_bytes(i.type));
        if (i.op == Op::Quantize || i.op == Op::Dequantize) widest = std::max<int64_t>(widest, 4);
      }
      for (const Loop::Reduction& r : phase.reductions) widest = std::max(widest, element_bytes(r.type));
    }
    return static_cast<int>(vector_bytes_ / widest);
  }

  double lane_score(const Dimension& d) const {
    double score = 0;
    for (size_t v = 0; v < uses_.size(); ++v) {
      const int64_t size = element_bytes(loop_.views[v].dtype), stride = d.bytes[v];
      if (stride == size)
        score += 2.0 * uses_[v].weight;
      else if (stride == 0)
        score += 1.5 * uses_[v].weight;
      else if (stride == -size)
        score += 1.0 * uses_[v].weight;
    }
    // Short dimensions leave lanes empty; inner lanes pay for combining their accumulators.
    const int64_t vectors = (d.extent + nest_.width - 1) / nest_.width;
    const double filled = static_cast<double>(d.extent) / static_cast<double>(vectors * nest_.width);
    return score * filled * (d.inner ? 0.9 : 1.0);
  }

  bool touches(const Dimension& d) const {
    for (size_t v = 0; v < uses_.size(); ++v)
      if (uses_[v].weight && d.bytes[v] != 0) return true;
    return is_indexed(d);
  }

  // Rows times rows (Q K^T): both operands lie along the sum. The lanes take the dimension of the result that its
  // stores run along, and the operand that lies across them is turned square by square; otherwise each result would
  // need a sum over lanes.
  bool turns_product(const Dimension& lane) {
    const Dimension& sum = nest_.inner[0];
    nest_.transposed.clear();
    for (size_t v = 0; v < uses_.size(); ++v) {
      const int64_t size = element_bytes(loop_.views[v].dtype), step = lane.bytes[v];
      if (!uses_[v].weight || step == size || (step == 0 && !uses_[v].stored)) continue;
      if (uses_[v].stored || sum.bytes[v] != size) return false;
      nest_.transposed.push_back(static_cast<int>(v));
    }
    return nest_.transposed.size() == 1;
  }
  bool choose_turned_product() {
    const bool one_sum = nest_.inner.size() == 1 && !loop_.phases[0].reductions.empty() &&
                         loop_.phases[0].stores.empty() && loop_.phases.size() <= 2;
    if (!one_sum || !is_product() || nest_.inner[0].extent < nest_.width || nest_.width < 4 || nest_.width > 16 ||
        is_indexed(nest_.inner[0]))
      return false;
    for (size_t d = 0; d < nest_.outer.size(); ++d) {
      if (nest_.outer[d].extent < nest_.width || !turns_product(nest_.outer[d])) continue;
      nest_.lane = nest_.outer[d];
      nest_.outer.erase(nest_.outer.begin() + static_cast<int64_t>(d));
      nest_.turned_inner = true;
      return true;
    }
    nest_.transposed.clear();
    return false;
  }

  void choose_lane() {
    if (choose_turned_product()) return;
    Dims* best = nullptr;
    size_t position = 0;
    double best_score = 0;
    for (Dims* dims : {&nest_.outer, &nest_.inner})
      for (size_t i = 0; i < dims->size(); ++i)
        if (const double score = lane_score((*dims)[i]); touches((*dims)[i]) && score > best_score) {
          best = dims;
          position = i;
          best_score = score;
        }
    if (!best) {
      nest_.width = 1;
      nest_.lane.bytes.assign(uses_.size(), 0);
      return;
    }
    nest_.lane = (*best)[position];
    nest_.lane_inner = nest_.lane.inner;
    best->erase(best->begin() + static_cast<int64_t>(position));
    while (nest_.width > 1 && nest_.width / 2 >= nest_.lane.extent) nest_.width /= 2;
  }

  size_t instructions() const {
    size_t n = 0;
    for (const Loop::Phase& phase : loop_.phases) n += phase.body.size();
    return n;
  }

  bool has_reduction() const {
    return std::any_of(loop_.phases.begin(), loop_.phases.end(),
                       [](const Loop::Phase& p) { return !p.reductions.empty(); });
  }

  // Loads that a jammed row would share: those that do not move along `d`.
  bool reused_along(const Dimension& d) const {
    for (size_t v = 0; v < uses_.size(); ++v)
      if (uses_[v].weight && !uses_[v].stored && d.bytes[v] == 0) return true;
    return false;
  }

  // The squares of a turned product are those of a tile's first row: the other rows have to read the same ones.
  bool moves_squares(const Dimension& d) const {
    return nest_.turned_inner && std::any_of(nest_.transposed.begin(), nest_.transposed.end(),
                                             [&](int v) { return d.bytes[static_cast<size_t>(v)] != 0; });
  }

  // Jamming multiplies the tile, so it pays only for products that are short enough to stay in registers.
  bool is_product() const {
    return has_reduction() && !nest_.inner.empty() + nest_.lane_inner > 0 && loop_.phases.size() <= 2 &&
           instructions() <= 24 && loads_in_first_phase() >= 2;
  }
  size_t loads_in_first_phase() const {
    size_t n = 0;
    for (const Instr& i : loop_.phases[0].body) n += i.op == Op::Load;
    return n;
  }

  // The jammed dimension is the last outer one.
  void order_for_tiles() {
    if (!is_product()) return;
    for (size_t i = nest_.outer.size(); i-- > 0;) {
      const Dimension& d = nest_.outer[i];
      if (!reused_along(d) || moves_squares(d) || d.extent < 2) continue;
      std::rotate(nest_.outer.begin() + static_cast<int64_t>(i), nest_.outer.begin() + static_cast<int64_t>(i) + 1,
                  nest_.outer.end());
      jammable_ = true;
      return;
    }
  }

  static int divisor_up_to(int64_t n, int limit) {
    for (int d = limit; d > 1; --d)
      if (n % d == 0) return d;
    return n > 3 * limit ? limit : 1;
  }

  // Loaded views that run along `d` and across the lanes.
  std::vector<int> transposed_along(const Dimension& d) const {
    std::vector<int> views;
    for (size_t v = 0; v < uses_.size(); ++v) {
      const int64_t size = element_bytes(loop_.views[v].dtype), across = std::abs(nest_.lane.bytes[v]);
      if (uses_[v].weight && !uses_[v].stored && d.bytes[v] == size && across != 0 && across != size)
        views.push_back(static_cast<int>(v));
    }
    return views;
  }

  // Elementwise loops whose loads and stores run along different dimensions.
  bool choose_transposition() {
    if (nest_.lane_inner || !nest_.inner.empty() || has_reduction() || gathers_ || nest_.width < 4) return false;
    const int width = std::min(nest_.width, 16);  // larger squares of bytes do not fit the registers
    if (nest_.lane.extent < width) return false;
    for (size_t d = nest_.outer.size(); d-- > 0;) {
      if (nest_.outer[d].extent < width) continue;
      nest_.transposed = transposed_along(nest_.outer[d]);
      if (nest_.transposed.empty()) continue;
      std::rotate(nest_.outer.begin() + static_cast<int64_t>(d), nest_.outer.begin() + static_cast<int64_t>(d) + 1,
                  nest_.outer.end());
      nest_.width = nest_.jam = width;
      split_jammed();
      return true;
    }
    return false;
  }

  void choose_tile() {
    if (choose_transposition()) return;
    const int64_t whole = nest_.lane.extent / nest_.width;
    const bool wide_file = vector_bytes_ == 64;  // 32 vector registers instead of 16
    if (is_product() && jammable_) {
      nest_.jam = divisor_up_to(nest_.outer.back().extent, nest_.turned_inner && wide_file ? 8 : 4);
      const int vectors = nest_.lane_inner || nest_.turned_inner ? 1 : wide_file ? 4 : 2;
      nest_.vectors = whole > 0 ? divisor_up_to(whole, vectors) : 1;
      split_jammed();
      return;
    }
    const int limit = gathers_ || nest_.turned_inner ? 1 : instructions() <= 12 ? 4 : instructions() <= 24 ? 2 : 1;
    nest_.vectors = whole > 0 ? divisor_up_to(whole, limit) : 1;
  }

  // Whole tiles of the jammed dimension become a dimension of their own, which work units may cut.
  void split_jammed() {
    Dimension& rows = nest_.outer.back();
    if (rows.free || nest_.jam == 1 || rows.extent % nest_.jam != 0 || rows.extent == nest_.jam || is_indexed(rows))
      return;
    rows.split = rows.extent;
    Dimension tiles = rows;
    tiles.scale = nest_.jam;
    tiles.extent = rows.extent / nest_.jam;
    tiles.source = rows.source = -1;
    for (int64_t& stride : tiles.bytes) stride *= nest_.jam;
    rows.extent = nest_.jam;
    nest_.outer.insert(nest_.outer.end() - 1, std::move(tiles));
  }

  // A rough cost: vector instructions at 3 per nanosecond;
  // elements that move one by one and bytes that move in vectors besides.
  double nanoseconds_per_outer_point() const {
    double inner = 1;
    for (const Dimension& d : nest_.inner) inner *= static_cast<double>(d.extent);
    double cost = 0;
    for (const Loop::Phase& phase : loop_.phases) {
      double instructions = 1, accesses = 0;
      for (const Instr& i : phase.body) {
        instructions += scalar::row_of(i.op).cost;
        if (i.op == Op::Load || i.op == Op::Gather) accesses += access_nanoseconds(i.slot);
      }
      for (const Loop::Store& s : phase.stores) accesses += access_nanoseconds(s.view);
      const double lanes = phase.over == Loop::Over::Inner || !nest_.lane_inner ? nest_.width : 1;
      const double points =
          phase.over == Loop::Over::Inner ? inner * (nest_.lane_inner ? static_cast<double>(nest_.lane.extent) : 1) : 1;
      cost += (instructions / lanes * 0.3 + accesses) * points;
    }
    return cost;
  }
  double access_nanoseconds(int view) const {
    if (std::find(nest_.transposed.begin(), nest_.transposed.end(), view) != nest_.transposed.end()) return 0.1;
    const int64_t stride = nest_.lane.bytes[static_cast<size_t>(view)],
                  size = element_bytes(loop_.views[static_cast<size_t>(view)].dtype);
    return stride == 0 ? 0 : std::abs(stride) == size ? static_cast<double>(size) / 64 : 0.4;
  }
  // How many units are worth their while.
  int64_t wanted_units() const {
    double total = nanoseconds_per_outer_point();
    for (const Dimension& d : nest_.outer) total *= static_cast<double>(d.extent);
    total *= static_cast<double>(outer_lanes());
    return std::clamp<int64_t>(static_cast<int64_t>(std::min(total / kUnitNanoseconds, 1e6)), 1, kMaxUnits);
  }
  int64_t outer_lanes() const { return nest_.lane_inner ? 1 : nest_.lane.extent; }

  void partition() {
    const int64_t wanted = wanted_units(), lanes = outer_lanes();
    // A jammed dimension stays whole, so that tiles do.
    const size_t divisible = nest_.outer.size() - (nest_.jam > 1 ? 1 : 0);
    while (nest_.partitioned < divisible && nest_.rows < 4 * wanted && wanted > 1)
      nest_.rows *= nest_.outer[nest_.partitioned++].extent;
    if (nest_.rows < 2 * wanted && lanes > nest_.width && wanted > 1) cut_lanes(wanted);
    divide_rows(wanted);
  }
  void cut_lanes(int64_t wanted) {
    const int64_t tile = static_cast<int64_t>(nest_.width) * nest_.vectors;
    const int64_t pieces = (2 * wanted + nest_.rows - 1) / nest_.rows;
    nest_.chunk = std::max(tile, (outer_lanes() / pieces + tile - 1) / tile * tile);
    nest_.rows *= nest_.chunks();
  }
  void divide_rows(int64_t wanted) {
    nest_.rows_per_unit = std::max<int64_t>(1, nest_.rows / wanted);
    nest_.units = std::max<int64_t>(1, (nest_.rows + nest_.rows_per_unit - 1) / nest_.rows_per_unit);
  }

  const Loop& loop_;
  const int vector_bytes_;
  std::vector<Use> uses_;
  std::vector<int> indexed_;
  bool gathers_ = false, jammable_ = false;
  Nest nest_;
};

}  // namespace

// The loop at its nominal shape.
static Loop nominal(const Loop& loop) {
  Loop result = loop;
  result.domain = loop.form->domain;
  for (size_t v = 0; v < loop.views.size(); ++v) {
    result.views[v].strides = loop.form->strides[v];
    result.views[v].shape = loop.form->domain;
  }
  return result;
}

Nest plan_nest(const Loop& loop, int vector_bytes) {
  if (loop.form)
    if (auto nest = Planner(loop, vector_bytes).renumbered(Planner(nominal(loop), vector_bytes).plan())) return *nest;
  Loop fixed = loop;
  fixed.form = nullptr;
  return Planner(fixed, vector_bytes).plan();
}

}  // namespace lapis::llvm_backend
