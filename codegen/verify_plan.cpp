#include "codegen/verify_plan.h"

#include <algorithm>
#include <limits>
#include <unordered_map>
#include <utility>

#include "codegen/kernels/blocking.h"
#include "codegen/kernels/schedule.h"
#include "codegen/kernels/table.h"
#include "codegen/kernels/units.h"
#include "codegen/lower/memory.h"
#include "codegen/lower/view.h"
#include "codegen/print_plan.h"
#include "codegen/reach.h"
#include "codegen/scalar/ops.h"
#include "codegen/verify_program.h"
#include "codegen/verify_storage.h"

namespace lapis::codegen {
namespace {

int64_t element_bytes(DType type) { return bit_width(type) / 8; }

constexpr int64_t kTableBytes = 256;  // of Op::Table

class Verifier {
 public:
  explicit Verifier(const Plan& plan) : plan_(plan) {}

  Diagnostics run() {
    found_ = verify_storage(plan_);
    if (!found_.empty()) return std::move(found_);  // what follows reads through it
    check_steps(0, plan_.steps.size());
    step_ = plan_.steps.size();
    for (const PlanIo& output : plan_.outputs)
      require(written(output.buffer) >= byte_size(output.dtype, element_count(output.shape)),
              [&] { return "nothing writes '" + output.name + "', or not all of it"; });
    return std::move(found_);
  }

 private:
  // Steps [first, end), which a step of control flow divides further.
  void check_steps(size_t first, size_t end) {
    for (size_t s = first; s < end; s = next_) {
      step_ = s;
      next_ = s + 1;
      last_ = end;
      std::visit([&](const auto& region) { check(region); }, plan_.steps[s].region);
    }
  }

  void report(std::string what) {
    const std::string where = step_ < plan_.steps.size()
                                  ? "step " + std::to_string(step_) + " '" + name_of(plan_.steps[step_].region) + "'"
                                  : "plan";
    found_.push_back(error(ErrorKind::Internal, std::move(what)).at(where));
  }
  // `what`, a text or what makes one, is asked for only where it is needed: plans are verified for every shape.
  template <class What> bool require(bool holds, const What& what) {
    if (holds) return true;
    if constexpr (std::is_invocable_v<What>)
      report(what());
    else
      report(what);
    return false;
  }

  void check_program(const std::vector<Instr>& body, const ProgramPlace& place) {
    for (std::string& flaw : flaws_of_program(body, place)) report(std::move(flaw));
  }

  // ---- buffers ------------------------------------------------------------------------------------------------------

  const Buffer& buffer_of(const View& view) const { return plan_.buffers[static_cast<size_t>(view.buffer)]; }
  int64_t written(int buffer) const {
    const auto known = written_.find(buffer);
    return known == written_.end() ? 0 : known->second;
  }

  // Of a view that reaches over so many elements.
  void read(const View& view, int64_t reached) {
    const Buffer& b = buffer_of(view);
    if (b.space == Space::Constant || b.space == Space::Weights || b.space == Space::Input) return;
    const int64_t bytes = reached * element_bytes(view.dtype), there = written(view.buffer);
    require(bytes <= there, [&] {
      return "'" + b.name + "' is read before it is written: over " + std::to_string(bytes) + " bytes, of which " +
             std::to_string(there) + " are there";
    });
  }
  void read(const View& view) { read(view, reach_of(view).count()); }

  void write(const View& view, int64_t elements) {
    const Buffer& b = buffer_of(view);
    require(b.space == Space::Arena || b.space == Space::Output,
            [&] { return "'" + b.name + "' must not be written"; });
    int64_t& bytes = written_[view.buffer];
    bytes = std::min(b.bytes, bytes + elements * element_bytes(view.dtype));
  }
  void write(const View& view) { write(view, element_count(view.shape)); }

  void check_inside(const View& view, const Reach& reach, const std::string& what) {
    const int64_t bytes = element_bytes(view.dtype);
    check_inside(view, reach.first * bytes, (reach.last + 1) * bytes, what);
  }

  // Bytes [first, end) of the view's buffer.
  void check_inside(const View& view, int64_t first, int64_t end, const std::string& what) {
    const Buffer& b = buffer_of(view);
    if (first < end)
      require(first >= 0 && end <= b.bytes, [&] {
        return what + " reaches bytes " + std::to_string(first) + " to " + std::to_string(end) + " of '" + b.name +
               "', which has " + std::to_string(b.bytes);
      });
  }

  // ---- loops --------------------------------------------------------------------------------------------------------

  void check(const Loop& loop) {
    if (!require(loop.reduced >= 0 && loop.reduced <= static_cast<int>(loop.domain.size()),
                 "more inner dimensions than there are"))
      return;
    for (const View& view : loop.views)
      if (!check_placed(loop, view)) return;
    std::vector<DType> reduced;
    for (const Loop::Phase& phase : loop.phases) check_phase(loop, phase, reduced);
  }

  bool check_placed(const Loop& loop, const View& view) {
    if (!require(view.strides.size() == loop.domain.size() && element_bytes(view.dtype) > 0,
                 "a view does not follow the loop"))
      return false;
    check_inside(view, reach_in(loop, view), "a view");
    return true;
  }

  static Reach reach_in(const Loop& loop, const View& view) {
    if (element_count(loop.domain) == 0) return {};
    Reach reach(view.offset);
    for (size_t d = 0; d < loop.domain.size(); ++d) reach.along(view.strides[d], loop.domain[d]);
    return reach;
  }

  void check_phase(const Loop& loop, const Loop::Phase& phase, std::vector<DType>& reduced) {
    const auto count = static_cast<int32_t>(loop.views.size());
    auto view_of = [&](int32_t slot) {
      return slot >= 0 && slot < count ? &loop.views[static_cast<size_t>(slot)] : nullptr;
    };
    check_program(phase.body, {&loop, reduced, [&](int32_t slot) {
                                 const View* view = view_of(slot);
                                 return view ? std::optional(view->dtype) : std::nullopt;
                               }});
    const bool runs = phase.over == Loop::Over::Row || element_count(loop.domain) > 0;
    for (const Instr& i : phase.body)
      if (const View* view = runs && scalar::reads_view(i.op) ? view_of(i.slot) : nullptr) {
        read(*view, reach_in(loop, *view).count());
        if (i.op == Op::Gather) check_gather(loop, *view, i);
        if (i.op == Op::Table) check_inside(*view, view->offset, view->offset + kTableBytes, "a table");
      }
    for (const Loop::Reduction& r : phase.reductions) {
      require(has_value(phase.body, r.value, r.type), "a reduction folds no value of its type");
      reduced.push_back(r.type);
    }
    for (const Loop::Store& s : phase.stores) {
      const View* view = view_of(s.view);
      if (require(view && has_value(phase.body, s.value, view->dtype), "a store has no value of its view's type"))
        check_store(loop, phase, *view);
    }
  }

  // Inner dimensions that a view does not follow, it stores to again and again: within one row.
  void check_store(const Loop& loop, const Loop::Phase& phase, const View& view) {
    const size_t rows = loop.domain.size() - static_cast<size_t>(loop.reduced);
    std::vector<Steps> steps;
    int64_t elements = 1;
    for (size_t d = 0; d < loop.domain.size(); ++d) {
      const bool inner = d >= rows;
      if (inner && (phase.over == Loop::Over::Row || view.strides[d] == 0)) continue;
      steps.push_back({view.strides[d], loop.domain[d]});
      elements *= loop.domain[d];
    }
    if (elements == 0) return;
    require(all_different(steps), [&] { return "rows store to the same elements of '" + buffer_of(view).name + "'"; });
    for (const View& other : loop.views) {
      if (&other == &view || other.buffer != view.buffer) continue;
      steps.push_back({other.offset - view.offset, 2});
      require(is_stored(loop, other) && element_bytes(other.dtype) == element_bytes(view.dtype) &&
                  other.strides == view.strides && all_different(steps),
              [&] { return "'" + buffer_of(view).name + "' is stored to and accessed through another view"; });
      steps.pop_back();
    }
    write(view, elements);
  }

  static bool is_stored(const Loop& loop, const View& view) {
    const auto slot = &view - loop.views.data();
    return std::ranges::any_of(loop.phases, [&](const Loop::Phase& phase) {
      return std::ranges::any_of(phase.stores, [&](const Loop::Store& s) { return s.view == slot; });
    });
  }

  static bool has_value(const std::vector<Instr>& body, int32_t id, DType type) {
    return id >= 0 && id < static_cast<int32_t>(body.size()) && body[static_cast<size_t>(id)].type == type;
  }

  void check_gather(const Loop& loop, const View& view, const Instr& gather) {
    View whole = view;
    whole.shape = loop.domain;
    whole.shape.push_back(gather.imm2.as_int());
    whole.strides.push_back(gather.imm.as_int());
    require(whole.shape.back() > 0, "a gather has nothing to choose from");
    check_inside(view, reach_of(whole), "a gather");
  }

  // ---- contractions -------------------------------------------------------------------------------------------------

  void check(const Contraction& c) {
    if (!check_sizes(c)) return;
    check_operands(c);
    check_program(c.epilogue, {nullptr, {}, [&](int32_t slot) {
                                 const bool exists = slot >= 0 && slot < static_cast<int32_t>(c.operands.size());
                                 return exists ? std::optional(c.operands[static_cast<size_t>(slot)].view.dtype)
                                               : std::nullopt;
                               }});
    require(c.epilogue.back().type == c.output.dtype, "the epilogue's last type is not the output's");
    require(kernels::epilogue_stores(c.output.dtype), "an epilogue cannot store the output's type");
    check_pixels(c);
    check_addresses(c);
    if (check_schedule(c) && c.computed) check_computed(c);
    for (const EpilogueOperand& operand : c.operands) read(operand.view);
    check_result(c);
  }

  bool check_sizes(const Contraction& c) {
    const DType sum = is_integer(c.a) ? DType::Int32 : DType::Float32;
    const auto taps = static_cast<int64_t>(c.taps.size());
    if (!require(std::min({c.channels, c.groups, c.k, taps, c.pixels}) > 0 && c.channels % c.groups == 0,
                 "channels, groups, taps or pixels are none or no whole number"))
      return false;
    bool sized = require(c.computed || (c.weights.dtype() == c.b && c.weights.size() == c.channels * taps * c.k),
                         "the weights have another size");
    sized &=
        require(c.batches() > 0 && c.pixels % c.batches() == 0, "batches of computed weights share no whole pixels");
    sized &= require(c.bias.dtype() == sum && c.bias.size() == c.channels, "the bias has another size or type");
    sized &= require(!c.epilogue.empty() && c.epilogue[0].op == Op::Accumulator && c.epilogue[0].type == sum,
                     "the epilogue does not begin with the accumulator");
    return require(is_grid(c), "the grid of pixels has another size") && sized;
  }

  static bool is_grid(const Contraction& c) {
    const auto fits = [&](const PixelGrid::Column& column) { return column.strides.size() == c.grid.extents.size(); };
    const bool positive = std::ranges::all_of(c.grid.extents, [](int64_t extent) { return extent > 0; });
    if (!positive || c.grid.columns.size() < 2 || !std::ranges::all_of(c.grid.columns, fits)) return false;
    int64_t leading = 1;  // batches are whole dimensions
    for (size_t d = 0; leading < c.batches() && d < c.grid.extents.size(); ++d) leading *= c.grid.extents[d];
    return element_count(c.grid.extents) == c.pixels && leading == c.batches();
  }

  void check_channels(const Contraction& c, const View& view, const char* what) {
    const auto axis = static_cast<size_t>(c.axis);
    const bool dense = axis < view.shape.size() && axis < view.strides.size() && view.shape[axis] == c.channels &&
                       (c.channels == 1 || view.strides[axis] == 1);
    require(dense, [&] { return std::string(what) + " is not contiguous in channels"; });
  }

  void check_operands(const Contraction& c) {
    check_channels(c, c.output, "the output");
    for (const EpilogueOperand& operand : c.operands) {
      if (operand.kind == EpilogueOperand::Kind::PerElement) check_channels(c, operand.view, "an operand");
      if (operand.kind == EpilogueOperand::Kind::PerPixel)
        require(operand.view.dtype == DType::Int32, "an operand of pixels is no int32");
      if (operand.has_column()) continue;
      const bool table = operand.kind == EpilogueOperand::Kind::Table;
      const Shape shape{table ? kTableBytes : c.channels};
      const bool fits = buffer_of(operand.view).space == Space::Constant && operand.view.shape == shape;
      if (!require(fits, table ? "a table is not a constant of 256 elements"
                               : "an operand of channels is not one constant a channel"))
        continue;
      check_inside(operand.view, reach_of(operand.view), "an operand");
    }
  }

  // Lowest and highest address of a column, in bytes.
  static std::pair<int64_t, int64_t> column_range(const Contraction& c, int column) {
    const PixelGrid::Column& of = c.grid.columns[static_cast<size_t>(column)];
    Reach reach(of.origin);
    for (size_t d = 0; d < of.strides.size(); ++d) reach.along(of.strides[d], c.grid.extents[d]);
    return {reach.first, reach.last};
  }

  void check_pixels(const Contraction& c) {
    const auto [lowest_tap, highest_tap] = std::minmax_element(c.taps.begin(), c.taps.end());
    const auto [first, last] = column_range(c, 0);
    const int64_t bytes = element_bytes(c.a), begin = first + *lowest_tap,
                  end = last + *highest_tap + c.group_stride * (c.groups - 1) * bytes + c.k * bytes;
    const int64_t beyond = is_integer(c.a) ? (4 - c.k % 4) % 4 : 0;  // single bytes are read in groups of four
    check_inside(c.input, begin, end + beyond, "a tap");
    if (require(c.input.dtype == c.a, "the input has another type")) read(c.input, (end - begin) / bytes);
    check_column(c, c.output, 1, false);
    for (const EpilogueOperand& operand : c.operands)
      if (operand.has_column())
        check_column(c, operand.view, operand.column, operand.kind == EpilogueOperand::Kind::PerPixel);
  }

  void check_column(const Contraction& c, const View& view, int column, bool one) {
    if (!require(column >= 1 && column < static_cast<int>(c.grid.columns.size()),
                 "an operand has no column in the grid"))
      return;
    const int64_t bytes = element_bytes(view.dtype);
    const auto [first, last] = column_range(c, column);
    check_inside(view, first, last + (one ? 1 : c.channels) * bytes, "a pixel");
    const Reach reach = reach_of(view);
    require(first == reach.first * bytes && last + (one ? 1 : c.channels) * bytes == (reach.last + 1) * bytes,
            "a column of pixels is not where its view is");
  }

  // Units, of some channels of some pixels each, run at the same time.
  void check_result(const Contraction& c) {
    const int64_t bytes = element_bytes(c.output.dtype);
    std::vector<Steps> steps = {{bytes, c.channels}};
    for (size_t d = 0; d < c.grid.extents.size(); ++d)
      steps.push_back({c.grid.columns[1].strides[d], c.grid.extents[d]});
    require(all_different(std::move(steps), bytes), "pixels store to the same elements");
    const std::vector<int> touched = touched_buffers(c);
    require(std::ranges::count(touched, c.output.buffer) == 1, "it stores to a buffer that it reads");
    write(c.output);
  }

  void check_addresses(const Contraction& c) {
    constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
    for (size_t i = 0; i < c.grid.columns.size(); ++i) {
      const auto [first, last] = column_range(c, static_cast<int>(i));
      require(first >= 0 && last <= kMost - kernels::bytes_to_last_channel(c, i), "an address does not fit 32 bits");
    }
    for (const int64_t bytes : c.packed_bytes)
      require(bytes <= kMost, "an offset in what is packed does not fit 32 bits");
    if (c.computed)
      for (const View* image : {&c.computed->panels, c.computed->starts ? &*c.computed->starts : nullptr})
        require(!image || buffer_of(*image).bytes <= kMost, "an offset in computed weights does not fit 32 bits");
  }

  void check_computed(const Contraction& c) {
    const kernels::Blocking blocking(c);
    check_image(c.computed->panels, blocking.all_weight_bytes(c) * c.batches());
    if (c.computed->starts) check_image(*c.computed->starts, blocking.all_param_bytes(c) * c.batches());
  }

  void check_image(const View& view, int64_t bytes) {
    require(buffer_of(view).space == Space::Arena && view.offset == 0, "computed weights have no buffer of their own");
    check_inside(view, 0, bytes, "computed weights");
    require(written(view.buffer) > 0, "computed weights are read before they are written");
  }

  bool check_schedule(const Contraction& c) {
    const auto rows = static_cast<int>(kernels::table().size());
    const Schedule& s = c.schedule;
    const bool known = s.row >= 0 && s.row < rows, library = known && kernels::row_of(c).library();
    if (!require(known && (library || (s.mr > 0 && s.nr > 0)) && s.splits > 0 && s.order != Schedule::Order::Any &&
                     c.units >= 0,
                 "it is not scheduled"))
      return false;
    require(library == c.library.has_value(), "a library computes it without being its row, or the other way round");
    const auto constants = static_cast<int64_t>(plan_.constants.size());
    require(c.computed || plan_.weights.holds(static_cast<uint64_t>(c.packed_offset[0]),
                                              static_cast<uint64_t>(c.packed_bytes[0])),
            "its packed weights lie outside of the weights");
    for (size_t i = 1; i < c.packed_offset.size(); ++i)
      require(c.packed_offset[i] >= 0 && c.packed_bytes[i] >= 0 && c.packed_bytes[i] <= constants - c.packed_offset[i],
              "what was packed for it lies outside of the constants");
    return true;
  }

  // ---- calls and control flow ---------------------------------------------------------------------------------------

  void check(const Call& call) {
    require((call.routine == "host") == static_cast<bool>(call.host),
            "it has a host function or is a routine, never both");
    for (const View& view : call.inputs) {
      check_tensor(view, "an operand");
      read(view);
    }
    const std::vector<int> touched = touched_buffers(call);
    for (const View& view : call.outputs) {
      check_tensor(view, "a result");
      require(std::ranges::count(touched, view.buffer) == 1, "two results, or a result and an operand, share a buffer");
      write(view);
    }
  }

  // Row-major, and inside of its buffer.
  void check_tensor(const View& view, const char* what) {
    require(is_row_major(view) && element_bytes(view.dtype) > 0,
            [&] { return std::string(what) + " is not row-major"; });
    check_inside(view, reach_of(view), what);
  }

  void check_one(const View& view, DType type, const char* what) {
    require(view.dtype == type && element_count(view.shape) == 1,
            [&] { return std::string(what) + " is not one number of its type"; });
    const int64_t first = reach_of(view).first * element_bytes(type);
    check_inside(view, first, first + element_bytes(type), what);
  }

  // Only what both blocks write is written behind them.
  void check(const Branch& branch) {
    check_one(branch.condition, DType::Bool, "the condition");
    read(branch.condition);
    const size_t first = next_, end = last_;
    if (!check_block(branch.otherwise, first, end) ||
        !check_block(branch.end, static_cast<size_t>(branch.otherwise), end))
      return;
    const Written before = written_;
    check_steps(first, static_cast<size_t>(branch.otherwise));
    Written then = std::exchange(written_, before);
    check_steps(static_cast<size_t>(branch.otherwise), static_cast<size_t>(branch.end));
    for (auto& [buffer, bytes] : written_) bytes = std::min(bytes, then[buffer]);
    next_ = static_cast<size_t>(branch.end);
  }

  // It may not run at all, so what only its steps write is not written behind it; collections are, if only by no slice.
  void check(const Repeat& repeat) {
    check_one(repeat.counter, DType::Int64, "the counter");
    write(repeat.counter);
    if (repeat.trips) check_read_one(*repeat.trips, DType::Int64, "the number of trips");
    if (repeat.condition) check_read_one(*repeat.condition, DType::Bool, "the condition");
    require(repeat.trips || repeat.condition, "it never ends");
    const size_t first = next_;
    if (!check_block(repeat.end, first, last_)) return;
    Written before = written_;
    check_steps(first, static_cast<size_t>(repeat.end));
    for (const Repeat::Collection& c : repeat.collections) {
      check_collection(c);
      before[c.all.buffer] = written(c.all.buffer);
    }
    written_ = std::move(before);
    next_ = static_cast<size_t>(repeat.end);
  }

  void check_read_one(const View& view, DType type, const char* what) {
    check_one(view, type, what);
    read(view);
  }

  void check_collection(const Repeat::Collection& c) {
    check_tensor(c.part, "a part");
    check_tensor(c.all, "a collection");
    const bool fits = c.part.dtype == c.all.dtype && !c.all.shape.empty() &&
                      Shape(c.all.shape.begin() + 1, c.all.shape.end()) == c.part.shape;
    require(fits, "a collection does not consist of its parts");
    read(c.part);
    write(c.all);
  }

  bool check_block(int end, size_t first, size_t last) {
    return require(end >= 0 && static_cast<size_t>(end) >= first && static_cast<size_t>(end) <= last,
                   "its block ends outside of the block around it");
  }

  using Written = std::unordered_map<int, int64_t>;  // bytes of a buffer

  const Plan& plan_;
  size_t step_ = 0;
  size_t next_ = 0, last_ = 0;  // of the steps being checked: the one behind this, the first behind all
  Written written_;
  Diagnostics found_;
};

}  // namespace

Diagnostics verify(const Plan& plan) { return Verifier(plan).run(); }

}  // namespace lapis::codegen
