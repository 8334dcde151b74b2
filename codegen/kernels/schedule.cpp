#include "codegen/kernels/schedule.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "base/hash.h"
#include "base/pages.h"
#include "codegen/kernels/blocking.h"
#include "codegen/kernels/library.h"
#include "codegen/kernels/pack.h"
#include "codegen/kernels/units.h"

namespace lapis::kernels {
namespace {

using Order = Schedule::Order;

constexpr int64_t kMostBytes = std::numeric_limits<int32_t>::max();  // what the 32-bit offsets of tables reach

// ---- what fits ----

std::string tile_name(int mr, int nr) { return std::to_string(mr) + "x" + std::to_string(nr); }

// Vectors of channels that tiles of a row may have: four where bytes are interleaved.
std::pair<int, int> widths(const Kernel& k) { return {k.weights() == WeightFormat::Interleaved ? 4 : 1, k.max_nr}; }

// The tile that somebody asked for. `nr` is 0 where only pixels are.
std::optional<Misfit> misfit_of_tile(const Kernel& k, const Contraction& c, const Schedule& wanted) {
  const auto [least, most] = widths(k);
  const std::string kernel(k.name);
  if (wanted.nr != 0 && (wanted.nr < least || wanted.nr > most))
    return Misfit{"tiles of " + kernel + " have " + std::to_string(least) + " to " + std::to_string(most) +
                      " vectors of channels, not " + std::to_string(wanted.nr),
                  {}};
  if (wanted.nr != 0 && !divides_panels(k, c.channels / c.groups, wanted.nr))
    return Misfit{std::to_string(wanted.nr) + " vectors of " + kernel + " do not divide a panel of " +
                      std::to_string(kPanel) + " channels",
                  {}};
  const int nr = wanted.nr == 0 ? least : wanted.nr, pixels = max_mr(k, c, nr);
  if (pixels == 0 || wanted.mr > pixels)
    return Misfit{
        "a tile of " + tile_name(std::max(wanted.mr, 1), nr) + " needs more registers than " + kernel + " has",
        pixels == 0 ? "use fewer vectors of channels" : "use " + tile_name(pixels, nr) + " at most"};
  return std::nullopt;
}

// ---- row and tile ----

struct Choice {
  Schedule schedule;
  double cycles = std::numeric_limits<double>::infinity();
};

Choice cheapest_tile(int row, const Contraction& c, const Schedule& wanted) {
  const Kernel& k = table()[static_cast<size_t>(row)];
  const auto [least, most] = widths(k);
  Choice best;
  for (int nr = wanted.nr ? wanted.nr : least; nr <= (wanted.nr ? wanted.nr : most); ++nr) {
    if (!divides_panels(k, c.channels / c.groups, nr)) continue;
    const int pixels = max_mr(k, c, nr);
    if (pixels == 0 || pixels < wanted.mr) break;
    const double cycles = cost(k, c, nr);
    if (cycles >= best.cycles) continue;
    const int mr = balanced_tiles(Slabs(c).most_pixels(), wanted.mr ? wanted.mr : pixels).mr;
    best = {{row, mr, nr, wanted.order, wanted.splits}, cycles};
  }
  return best;
}

Diagnostic refused(const Contraction& c, const Misfit& why) {
  return error(ErrorKind::Unsupported, "'" + c.name + "' cannot be computed: " + why.reason).help(why.help);
}

Result<Schedule> cheapest(const Contraction& c, const Target& target, const Schedule& wanted) {
  Choice best;
  Misfit why{"no kernel multiplies " + std::string(name_of(c.a)) + " by " + std::string(name_of(c.b)), {}};
  for (int row = 0; row < static_cast<int>(table().size()); ++row) {
    const Kernel& kernel = table()[static_cast<size_t>(row)];
    if (wanted.row >= 0 ? row != wanted.row : kernel.a != c.a || kernel.b != c.b || kernel.library()) continue;
    std::optional<Misfit> reason = misfit(kernel, c, target);
    if (!reason) reason = misfit_of_tile(kernel, c, wanted);
    if (reason) {
      if (!kernel.depthwise() || wanted.row >= 0) why = *std::move(reason);  // what no dense row can, the target cannot
      continue;
    }
    const Choice choice = cheapest_tile(row, c, wanted);
    if (choice.cycles < best.cycles) best = choice;
  }
  if (best.schedule.row >= 0) return best.schedule;
  return refused(c, why);
}

Diagnostic too_many_splits(const Contraction& c, int64_t most, const char* of, int64_t wanted) {
  return error(ErrorKind::Unsupported, "'" + c.name + "' has " + std::to_string(most) + " " + of +
                                           " of pixels, which cannot be cut into " + std::to_string(wanted))
      .help("use fewer runs");
}

// What a library computes it also cuts into tiles; only how often it is called is ours to say.
Result<Schedule> choose_library(const Contraction& c, const Target& target, const Schedule& wanted) {
  constexpr int64_t kPixels = 64, kMostCalls = 32;  // pixels that are worth a call, of those that serve many threads
  const Kernel& k = table()[static_cast<size_t>(wanted.row)];
  if (wanted.mr != 0 || wanted.nr != 0 || wanted.order == Order::Weights)
    return refused(c, {std::string(k.name) + " is a library, which chooses its tiles and their order",
                       "write " + std::string(k.name) + " 0x0 pixels"});
  if (auto reason = misfit(k, c, target)) return refused(c, *reason);
  const int64_t most = k.structure.library->most_splits(c);
  if (wanted.splits > most) return too_many_splits(c, most, "rows", wanted.splits);
  Schedule s = wanted;
  s.order = Order::Pixels;
  if (s.splits == 0) s.splits = std::clamp<int64_t>(c.pixels / kPixels, 1, std::min(most, kMostCalls));
  return s;
}

// ---- order of work ----

bool weights_dominate(const Contraction& c, int64_t blocks) {
  const int64_t input = pixels_of_batch(c) * c.k * c.groups;
  return blocks == 1 || c.channels * c.weights_per_channel() > input;
}

int64_t most_splits(const Contraction& c, const Blocking& blocking) {
  const Slabs slabs(c);
  return slabs.of_batch() * ((slabs.most_pixels() + blocking.kinds[0].mr - 1) / blocking.kinds[0].mr);
}

// Runs of pixels that every block is cut into.
int64_t natural_splits(const Contraction& c, const Schedule& s, const Blocking& blocking) {
  constexpr double kLeastUnitCycles = 6000;     // about 2 us, so that starting a unit costs nothing
  constexpr int64_t kEnoughUnits = 256;         // four for each of 64 threads
  constexpr int64_t kInputRunBytes = 96 << 10;  // input of a run that stays near while all blocks pass over it
  const int64_t blocks = blocking.all_blocks(c) * c.batches();
  const double cycles = cost(table()[static_cast<size_t>(s.row)], c, s.nr);
  const auto worth = static_cast<int64_t>(cycles / kLeastUnitCycles / static_cast<double>(blocks));
  int64_t runs = std::min((kEnoughUnits + blocks - 1) / blocks, worth);
  if (s.order == Order::Pixels) {
    const int64_t input = pixels_of_batch(c) * c.k * c.groups * bit_width(c.a) / 8;
    runs = std::max(runs, std::min(worth, input / kInputRunBytes));
  }
  return std::clamp<int64_t>(runs, 1, most_splits(c, blocking));
}

}  // namespace

std::optional<Misfit> misfit(const Kernel& k, const Contraction& c, const Target& target) {
  if (k.a != c.a || k.b != c.b)
    return Misfit{std::string(k.name) + " multiplies " + std::string(lapis::name_of(k.a)) + " by " +
                      std::string(lapis::name_of(k.b)) + ", not " + std::string(lapis::name_of(c.a)) + " by " +
                      std::string(lapis::name_of(c.b)),
                  "choose a kernel for these types, or leave the choice open"};
  if (!target.has(k.needs))
    return Misfit{"the target '" + target.to_string() + "' has too few instructions",
                  "compile with --target=x86-64+avx2 or above"};
  if (auto reason = k.structure.fits(k, c)) return reason;
  if (k.library()) return std::nullopt;
  if (c.channels * c.weights_per_channel() * bit_width(c.b) / 8 > kMostBytes / 2)
    return Misfit{"its weights are larger than one GiB", "split the operator along its output channels"};
  if (c.operands.size() > 8)
    return Misfit{"its epilogue reads " + std::to_string(c.operands.size()) + " operands, 8 is the most", {}};
  if (max_mr(k, c, 1) == 0) return Misfit{"its epilogue needs too many registers", {}};
  return std::nullopt;
}

bool multiplies(DType a, DType b, const Target& target) {
  return std::ranges::any_of(table(), [&](const Kernel& k) { return k.a == a && k.b == b && target.has(k.needs); });
}

static std::string key_of(const Weights& w, const std::string& format, const ConstantPool& constants) {
  return format + " of " + hex(constants.tensor_hash(w.source)) + " " + std::to_string(w.rows) + "x" +
         std::to_string(w.columns);
}

static WeightCache::Weights packed_weights(const Contraction& c, const Blocking& blocking, ConstantPool& constants) {
  const Weights& w = c.weights;
  const auto bytes = static_cast<size_t>(blocking.all_weight_bytes(c));
  return constants.weights().get(key_of(w, weight_format(c, blocking), constants), bytes, [&](std::span<std::byte> to) {
    std::vector<int32_t> sums = pack_weights(c, blocking, to);
    let_go_of_pages({w.source.raw(), static_cast<size_t>(w.bytes())});
    return sums;
  });
}

static void place_weights(Contraction& c, const WeightCache::Weights& weights, ConstantPool& constants) {
  c.packed_offset[0] = constants.add_weights(weights);
  c.packed_bytes[0] = static_cast<int64_t>(weights->bytes.size());
}

static void place(Contraction& c, size_t part, std::span<const uint8_t> bytes, ConstantPool& constants) {
  c.packed_offset[part] = constants.add(bytes);
  c.packed_bytes[part] = static_cast<int64_t>(bytes.size());
}

std::string_view name_of_row(int row) { return table()[static_cast<size_t>(row)].name; }

Result<Schedule> choose(const Contraction& c, const Target& target, const Schedule& wanted) {
  LAPIS_ASSERT(c.channels % c.groups == 0,
               "'" << c.name << "' has " << c.channels << " channels in " << c.groups << " groups");
  if (wanted.row >= 0 && table()[static_cast<size_t>(wanted.row)].library()) return choose_library(c, target, wanted);
  LAPIS_TRY(Schedule s, cheapest(c, target, wanted));
  const Blocking blocking(c, s);
  if (blocking.all_weight_bytes(c) * c.batches() > kMostBytes)
    return error(ErrorKind::Unsupported,
                 "'" + c.name + "' cannot be computed: its packed weights are larger than two GiB")
        .help("split the operator along its output channels");
  if (s.splits > most_splits(c, blocking)) return too_many_splits(c, most_splits(c, blocking), "tiles", s.splits);
  if (s.order == Order::Any) s.order = weights_dominate(c, blocking.all_blocks(c)) ? Order::Weights : Order::Pixels;
  if (s.splits == 0) s.splits = natural_splits(c, s, blocking);
  return s;
}

static Status bind_library(Contraction& c, ConstantPool& constants) {
  LAPIS_TRY(LibraryKernel kernel, row_of(c).structure.library->bind(c));
  c.units = kernel.units;
  c.library = std::move(kernel.call);
  const std::string key = key_of(c.weights, kernel.weight_format, constants);
  place_weights(c, constants.weights().get(key, [&] { return kernel.pack(c.weights.in_order()); }), constants);
  place(c, 1, bytes_of(c.bias.data<float>()), constants);
  return ok();
}

Status schedule(Contraction& c, Plan& plan, ConstantPool& constants, const Schedule& wanted) {
  LAPIS_TRY(c.schedule, choose(c, plan.target, wanted));
  c.library.reset();
  if (row_of(c).library()) return bind_library(c, constants);
  const Blocking blocking(c);
  const std::vector<int32_t> units = unit_table(c, blocking);
  c.units = static_cast<int64_t>(units.size()) / words_of_unit(blocking);
  std::vector<int32_t> sums;
  if (!c.computed) {
    const WeightCache::Weights weights = packed_weights(c, blocking, constants);
    place_weights(c, weights, constants);
    sums = weights->sums;
  }
  const std::vector<uint8_t> images[] = {pack_parameters(c, blocking, plan, sums),
                                         bytes_of(std::span<const int32_t>(Slabs(c).table())),
                                         bytes_of(std::span<const int32_t>(units))};
  for (size_t i = 0; i < std::size(images); ++i) place(c, i + 1, images[i], constants);
  return ok();
}

Status schedule(Contraction& c, Plan& plan, const Schedule& wanted) {
  ConstantPool constants(plan);
  return schedule(c, plan, constants, wanted);
}

}  // namespace lapis::kernels
