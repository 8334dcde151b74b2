#include "codegen/kernels/schedule.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>

#include "codegen/kernels/blocking.h"
#include "codegen/kernels/pack.h"
#include "codegen/kernels/units.h"
#include "runtime/abi.h"

namespace lapis::kernels {
namespace {

struct Choice {
  int row = -1, nr = 0, mr = 0;
  double cycles = std::numeric_limits<double>::infinity();
};

// Why a row cannot compute `c`, and what helps.
struct Misfit {
  std::string reason, help;
};

constexpr int64_t kMostBytes = std::numeric_limits<int32_t>::max();  // what the 32-bit offsets of tables reach

std::optional<Misfit> misfit(const Kernel& k, const Contraction& c, const Target& target) {
  if (!target.has(k.needs))
    return Misfit{"the target '" + target.to_string() + "' has too few instructions",
                  "compile with --target=x86-64+avx2 or above"};
  if (k.depthwise && !(c.groups == c.channels && c.k == 1 && c.group_stride == 1))
    return Misfit{"it is not depthwise", {}};
  if (k.depthwise && c.taps.size() > 128)
    return Misfit{"depthwise kernels unroll their taps, and " + std::to_string(c.taps.size()) + " are too many", {}};
  if (c.weights.bytes() > kMostBytes / 2)
    return Misfit{"its weights are larger than one GiB", "split the operator along its output channels"};
  if (c.pixel_table.bytes() > kMostBytes)
    return Misfit{"its result has " + std::to_string(c.pixels) + " positions, too many for one table of 2 GiB",
                  "make the batch or the image smaller"};
  if (c.operands.size() > 8)
    return Misfit{"its epilogue reads " + std::to_string(c.operands.size()) + " operands, 8 is the most", {}};
  if (max_mr(k, c, 1) == 0) return Misfit{"its epilogue needs too many registers", {}};
  return std::nullopt;
}

Choice cheapest_tile(int row, const Contraction& c) {
  const Kernel& k = table()[static_cast<size_t>(row)];
  Choice best;
  const bool interleaves = k.depthwise && k.dot != Dot::Fma;  // four vectors at a time
  const int most =
      c.pixels == 1 ? k.max_nr : std::min(k.max_nr, 4);  // more than a quad only pays where one pixel needs many sums
  for (int nr = interleaves ? 4 : 1; nr <= most; ++nr) {
    const int mr = max_mr(k, c, nr);
    if (mr == 0) break;
    const double cycles = cost(k, c, nr);
    if (cycles < best.cycles) best = {row, nr, balanced_tiles(c.pixels, mr).mr, cycles};
  }
  return best;
}

int64_t packed_weight_bytes(const Contraction& c, const Blocking& blocking) {
  int64_t bytes = 0;
  for (int64_t b = 0; b < blocking.blocks(); ++b) bytes += blocking.weight_bytes(blocking.block(b));
  return bytes * (c.channels / blocking.per_group);
}

Result<Choice> choose(const Contraction& c, const Target& target, int wanted) {
  Choice best;
  Misfit why{"no kernel multiplies " + std::string(name_of(c.a)) + " by " + std::string(name_of(c.b)), {}};
  for (int row = 0; row < static_cast<int>(table().size()); ++row) {
    const Kernel& kernel = table()[static_cast<size_t>(row)];
    if ((wanted >= 0 && row != wanted) || kernel.a != c.a || kernel.b != c.b) continue;
    if (auto reason = misfit(kernel, c, target)) {
      if (!kernel.depthwise || wanted >= 0) why = *std::move(reason);  // what no dense row can, the target cannot
      continue;
    }
    const Choice choice = cheapest_tile(row, c);
    if (choice.cycles < best.cycles) best = choice;
  }
  if (best.row >= 0) return best;
  return error(ErrorKind::Unsupported, "'" + c.name + "' cannot be computed: " + why.reason).help(why.help);
}

}  // namespace

std::string_view name_of_row(int row) { return table()[static_cast<size_t>(row)].name; }

Status schedule(Contraction& c, Plan& plan, ConstantPool& constants, int row) {
  LAPIS_ASSERT(c.channels % c.groups == 0,
               "'" << c.name << "' has " << c.channels << " channels in " << c.groups << " groups");
  LAPIS_TRY(const Choice choice, choose(c, plan.target, row));
  c.kernel = choice.row;
  c.nr = choice.nr;
  c.mr = choice.mr;
  const Blocking blocking(c);
  if (packed_weight_bytes(c, blocking) > kMostBytes)
    return error(ErrorKind::Unsupported,
                 "'" + c.name + "' cannot be computed: its packed weights are larger than two GiB")
        .help("split the operator along its output channels");
  const std::vector<Unit> units = make_units(c, blocking);
  c.units = static_cast<int64_t>(units.size());
  const std::vector<uint8_t> images[] = {pack_weights(c, blocking), pack_parameters(c, blocking, plan),
                                         bytes_of(c.pixel_table.data<int32_t>()),
                                         bytes_of(std::span<const Unit>(units))};
  for (size_t i = 0; i < std::size(images); ++i) {
    c.packed_offset[i] = constants.add(images[i]);
    c.packed_bytes[i] = static_cast<int64_t>(images[i].size());
  }
  return ok();
}

Status schedule(Contraction& c, Plan& plan, int row) {
  ConstantPool constants(plan);
  return schedule(c, plan, constants, row);
}

}  // namespace lapis::kernels
