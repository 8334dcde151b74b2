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

// Why a row cannot compute `c`, or nothing.
std::optional<std::string> misfit(const Kernel& k, const Contraction& c, const Target& target) {
  if (k.a != c.a || k.b != c.b)
    return "no kernel multiplies " + std::string(name_of(c.a)) + " by " + std::string(name_of(c.b));
  if (!target.has(k.needs))
    return "the target '" + target.to_string() + "' has too few instructions: x86-64+avx2 is the least";
  if (k.depthwise && !(c.groups == c.channels && c.k == 1 && c.group_stride == 1)) return "it is not depthwise";
  if (k.depthwise && c.taps.size() > 128)
    return "depthwise kernels unroll their taps, and " + std::to_string(c.taps.size()) + " are too many";
  if (c.weights.bytes() > std::numeric_limits<int32_t>::max() / 2) return "its weights are larger than one GiB";
  if (c.operands.size() > 8)
    return "its epilogue reads " + std::to_string(c.operands.size()) + " operands, 8 is the most";
  if (max_mr(k, c, 1) == 0) return "its epilogue needs too many registers";
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

Result<Choice> choose(const Contraction& c, const Target& target, int wanted) {
  Choice best;
  std::string why = "no kernel multiplies " + std::string(name_of(c.a)) + " by " + std::string(name_of(c.b));
  for (int row = 0; row < static_cast<int>(table().size()); ++row) {
    if (wanted >= 0 && row != wanted) continue;
    if (auto reason = misfit(table()[static_cast<size_t>(row)], c, target)) {
      if (table()[static_cast<size_t>(row)].a == c.a || wanted >= 0) why = *reason;
      continue;
    }
    const Choice choice = cheapest_tile(row, c);
    if (choice.cycles < best.cycles) best = choice;
  }
  if (best.row >= 0) return best;
  return error(ErrorKind::Unsupported, "'" + c.name + "' cannot be computed: " + why)
      .help("choose another target or keep this operator in float32");
}

int64_t append(Plan& plan, int64_t start, const std::vector<uint8_t>& bytes) {
  const size_t at = (plan.constants.size() + abi::kAlignment - 1) / abi::kAlignment * abi::kAlignment;
  plan.constants.resize(at + bytes.size());
  std::memcpy(plan.constants.data() + at, bytes.data(), bytes.size());
  return static_cast<int64_t>(at) - start;
}

}  // namespace

std::string_view name_of_row(int row) { return table()[static_cast<size_t>(row)].name; }

Status schedule(Contraction& c, Plan& plan, int row) {
  LAPIS_ASSERT(c.channels % c.groups == 0,
               "'" << c.name << "' has " << c.channels << " channels in " << c.groups << " groups");
  LAPIS_TRY(const Choice choice, choose(c, plan.target, row));
  c.kernel = choice.row;
  c.nr = choice.nr;
  c.mr = choice.mr;
  const Blocking blocking(c);
  const std::vector<Unit> units = make_units(c, blocking);
  c.units = static_cast<int64_t>(units.size());
  const auto start =
      static_cast<int64_t>((plan.constants.size() + abi::kAlignment - 1) / abi::kAlignment * abi::kAlignment);
  c.packed_offset = {append(plan, start, pack_weights(c, blocking)),
                     append(plan, start, pack_parameters(c, blocking, plan)),
                     append(plan, start, bytes_of(c.pixel_table.data<int32_t>())),
                     append(plan, start, bytes_of(std::span<const Unit>(units)))};
  c.packed = static_cast<int>(plan.buffers.size());
  plan.buffers.push_back(
      {c.name + ".packed", Space::Constant, static_cast<int64_t>(plan.constants.size()) - start, start});
  return ok();
}

}  // namespace lapis::kernels
