#include "tests/codegen/plan_interpreter.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

#include "codegen/kernels/blocking.h"
#include "codegen/lower/view.h"
#include "tests/codegen/scalar_oracle.h"

namespace lapis::testing {
namespace {

using codegen::for_each_index;

class Interpreter {
 public:
  Interpreter(const Plan& plan, const std::vector<Tensor>& inputs)
      : plan_(plan), arena_(static_cast<size_t>(plan.arena_bytes), std::byte{0xA5}) {
    for (const Tensor& t : inputs) io_.push_back(const_cast<std::byte*>(t.raw()));
    for (const PlanIo& o : plan.outputs) io_.push_back(outputs_.emplace_back(o.dtype, o.shape).mutable_raw());
  }

  std::vector<Tensor> run() {
    execute_steps(0, static_cast<int>(plan_.steps.size()));
    return std::move(outputs_);
  }

 private:
  void execute_steps(int first, int end) {
    for (next_ = first; next_ < end;) {
      const Region& region = plan_.steps[static_cast<size_t>(next_++)].region;
      std::visit([&](const auto& r) { execute(r); }, region);
    }
  }

  // Routines are the runtime's; a host function is called as it is.
  void execute(const Call& call) {
    LAPIS_ASSERT(call.host, "routines are not described here");
    std::vector<Tensor> inputs;
    for (const View& view : call.inputs) {
      Tensor& t = inputs.emplace_back(view.dtype, view.shape);
      std::memcpy(t.mutable_raw(), address(view, Shape(view.shape.size(), 0)), static_cast<size_t>(t.bytes()));
    }
    const std::vector<Tensor> results = *call.host(inputs);
    for (size_t i = 0; i < results.size(); ++i)
      std::memcpy(address(call.outputs[i], Shape(call.outputs[i].shape.size(), 0)), results[i].raw(),
                  static_cast<size_t>(results[i].bytes()));
  }

  Immediate number_at(const View& view) { return read_element(address(view, Shape(view.shape.size(), 0)), view.dtype); }

  void execute(const Branch& branch) {
    const int first = next_;
    if (number_at(branch.condition).as_int() != 0)
      execute_steps(first, branch.otherwise);
    else
      execute_steps(branch.otherwise, branch.end);
    next_ = branch.end;
  }

  void execute(const Repeat& repeat) {
    const int first = next_;
    const int64_t trips = repeat.trips ? number_at(*repeat.trips).as_int() : INT64_MAX;
    for (int64_t i = 0; i < trips && (!repeat.condition || number_at(*repeat.condition).as_int() != 0); ++i) {
      write_element(address(repeat.counter, {}), DType::Int64, i);
      execute_steps(first, repeat.end);
      for (const Repeat::Collection& c : repeat.collections) {
        Shape slice(c.all.shape.size(), 0);
        slice[0] = c.backwards ? c.all.shape[0] - 1 - i : i;
        const int64_t bytes = byte_size(c.part.dtype, element_count(c.part.shape));
        std::memcpy(address(c.all, slice), address(c.part, Shape(c.part.shape.size(), 0)), static_cast<size_t>(bytes));
      }
    }
    next_ = repeat.end;
  }

  std::byte* base(int buffer) {
    const Buffer& b = plan_.buffers[static_cast<size_t>(buffer)];
    switch (b.space) {
      case Space::Constant:
        return reinterpret_cast<std::byte*>(const_cast<uint8_t*>(plan_.constants.data())) + b.offset;
      case Space::Weights: return const_cast<std::byte*>(plan_.weights.at(static_cast<uint64_t>(b.offset)));
      case Space::Arena: return arena_.data() + b.offset;
      default: return io_[static_cast<size_t>(b.offset)];
    }
  }
  std::byte* address(const View& v, const Shape& index) { return base(v.buffer) + codegen::byte_offset(v, index); }

  // Values computed so far, and their types.
  struct Values {
    std::vector<Immediate> numbers;
    std::vector<DType> types;
    Immediate of(const Instr& i) const {
      std::array<Immediate, 3> args;
      std::array<DType, 3> arg_types = {};
      for (size_t a = 0; a < 3; ++a) {
        if (i.args[a] < 0) continue;
        args[a] = numbers[static_cast<size_t>(i.args[a])];
        arg_types[a] = types[static_cast<size_t>(i.args[a])];
      }
      return apply(i, args, arg_types);
    }
    void push(DType type, Immediate number) {
      numbers.push_back(number.held_as(type));
      types.push_back(type);
    }
  };

  Immediate gather(const Loop& loop, const Instr& i, const Shape& point, int64_t index) {
    const View& table = loop.views[static_cast<size_t>(i.slot)];
    const int64_t rows = i.imm2.as_int(), row = std::clamp<int64_t>(index < 0 ? index + rows : index, 0, rows - 1);
    return read_element(address(table, point) + row * i.imm.as_int() * bit_width(table.dtype) / 8, table.dtype);
  }

  Immediate table_element(const View& view, Immediate byte) {
    return read_element(base(view.buffer) + view.offset + (byte.as_int() & 0xFF), view.dtype);
  }

  std::vector<Immediate> evaluate(const Loop& loop, const Loop::Phase& phase, const Shape& point,
                                  const std::vector<Immediate>& reduced) {
    Values v;
    v.numbers.reserve(phase.body.size());
    v.types.reserve(phase.body.size());
    for (const Instr& i : phase.body) {
      Immediate value;
      if (i.op == Op::Load)
        value = read_element(address(loop.views[static_cast<size_t>(i.slot)], point), i.type);
      else if (i.op == Op::Gather)
        value = gather(loop, i, point, v.numbers[static_cast<size_t>(i.args[0])].as_int());
      else if (i.op == Op::Table)
        value = table_element(loop.views[static_cast<size_t>(i.slot)], v.numbers[static_cast<size_t>(i.args[0])]);
      else if (i.op == Op::Index)
        value = point[static_cast<size_t>(i.slot)];
      else if (i.op == Op::Reduced)
        value = reduced[static_cast<size_t>(i.slot)];
      else
        value = v.of(i);
      v.push(i.type, value);
    }
    return v.numbers;
  }

  void run_point(const Loop& loop, const Loop::Phase& phase, const Shape& point, std::vector<Immediate>& reduced,
                 size_t first, bool start) {
    const std::vector<Immediate> v = evaluate(loop, phase, point, reduced);
    for (size_t r = 0; r < phase.reductions.size(); ++r) {
      const Loop::Reduction& reduction = phase.reductions[r];
      const Immediate x = v[static_cast<size_t>(reduction.value)];
      Immediate& total = reduced[first + r];
      total = start ? x : combine(reduction.kind, reduction.type, total, x);
    }
    for (const Loop::Store& s : phase.stores) {
      const View& to = loop.views[static_cast<size_t>(s.view)];
      write_element(address(to, point), to.dtype, v[static_cast<size_t>(s.value)]);
    }
  }

  void execute(const Loop& loop) {
    const auto split = static_cast<int64_t>(loop.domain.size()) - loop.reduced;
    const Shape outer(loop.domain.begin(), loop.domain.begin() + split),
        inner(loop.domain.begin() + split, loop.domain.end());
    for_each_index(outer, [&](const Shape& row) {
      std::vector<Immediate> reduced;
      for (const Loop::Phase& phase : loop.phases) {
        const size_t first = reduced.size();
        reduced.resize(first + phase.reductions.size());
        bool start = true;
        auto point_of = [&](const Shape& at) {
          Shape point = row;
          point.insert(point.end(), at.begin(), at.end());
          return point;
        };
        if (phase.over == Loop::Over::Row) {
          run_point(loop, phase, point_of(Shape(inner.size(), 0)), reduced, first, true);
        } else {
          for_each_index(inner, [&](const Shape& at) {
            run_point(loop, phase, point_of(at), reduced, first, start);
            start = false;
          });
        }
      }
    });
  }

  // Of computed weights, whose image the loops before have written.
  double product_of_computed(const Contraction& c, const std::byte* x, int64_t batch, int64_t channel) {
    const kernels::Blocking blocking(c);
    const int64_t index = channel / kernels::kPanel,
                  width = std::min(c.channels - index * kernels::kPanel, kernels::kPanel);
    const std::byte* panel = base(c.computed->panels.buffer) + batch * blocking.all_weight_bytes(c) +
                             index * blocking.panel_bytes(kernels::kPanel) + channel % kernels::kPanel * 4;
    const int64_t step_bytes = blocking.pitch_of(width), size = bit_width(c.b) / 8;
    double sum = 0;
    for (int64_t k = 0; k < c.k; ++k) {
      const std::byte* w = panel + k * size / 4 * step_bytes + k * size % 4;
      sum += (read_element(x + k * size, c.a).as_double() - c.input_zero_point) * read_element(w, c.b).as_double();
    }
    return sum;
  }

  Immediate dot(const Contraction& c, int64_t pixel, int64_t channel) {
    const int64_t per_group = c.channels / c.groups, group = channel / per_group, size = bit_width(c.a) / 8;
    const std::byte* x = base(c.input.buffer) + c.grid.address(0, pixel) + group * c.group_stride * size;
    if (c.computed)
      return product_of_computed(c, x, pixel / kernels::pixels_of_batch(c), channel) + c.bias.as_double(channel);
    Tensor& weights = weights_[&c];
    if (!weights.defined()) weights = c.weights.in_order();
    const std::byte* w = weights.raw() + channel * static_cast<int64_t>(c.taps.size()) * c.k * (bit_width(c.b) / 8);
    double sum = c.bias.as_double(channel);
    for (int32_t tap : c.taps)
      for (int64_t k = 0; k < c.k; ++k, w += bit_width(c.b) / 8)
        sum +=
            (read_element(x + tap + k * size, c.a).as_double() - c.input_zero_point) * read_element(w, c.b).as_double();
    return sum;
  }

  void execute(const Contraction& c) {
    for (int64_t p = 0; p < c.pixels; ++p) {
      for (int64_t o = 0; o < c.channels; ++o) {
        Values v;
        for (const Instr& i : c.epilogue) {
          if (i.op == Op::Accumulator)
            v.push(i.type,
                   i.type == DType::Float32 ? Immediate(static_cast<float>(dot(c, p, o).as_double())) : dot(c, p, o));
          else if (i.op == Op::Load)
            v.push(i.type, load(c, c.operands[static_cast<size_t>(i.slot)], p, o));
          else if (i.op == Op::Table)
            v.push(i.type, table_element(c.operands[static_cast<size_t>(i.slot)].view,
                                         v.numbers[static_cast<size_t>(i.args[0])]));
          else
            v.push(i.type, v.of(i));
        }
        write_element(base(c.output.buffer) + c.grid.address(1, p) + o * bit_width(c.output.dtype) / 8, c.output.dtype,
                      v.numbers.back());
      }
    }
  }

  Immediate load(const Contraction& c, const EpilogueOperand& operand, int64_t pixel, int64_t channel) {
    const std::byte* at = base(operand.view.buffer);
    at += operand.has_column() ? c.grid.address(static_cast<size_t>(operand.column), pixel)
                               : codegen::byte_offset(operand.view, {0});
    if (operand.kind != EpilogueOperand::Kind::PerPixel) at += channel * bit_width(operand.view.dtype) / 8;
    return read_element(at, operand.view.dtype);
  }

  const Plan& plan_;
  int next_ = 0;  // step
  std::vector<std::byte> arena_;
  std::map<const Contraction*, Tensor> weights_;  // in order
  std::vector<Tensor> outputs_;
  std::vector<std::byte*> io_;
};

}  // namespace

std::vector<Tensor> interpret(const Plan& plan, const std::vector<Tensor>& inputs) {
  LAPIS_ASSERT(inputs.size() == plan.inputs.size(), "wrong number of inputs");
  return Interpreter(plan, inputs).run();
}

}  // namespace lapis::testing
