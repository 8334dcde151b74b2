#include "tests/codegen/plan_interpreter.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "codegen/lower/view.h"

namespace lapis::testing {
namespace {

using codegen::for_each_index;

double read(const std::byte* at, DType dtype) {
  double value = 0;
  visit_dtype(dtype, [&](auto tag) {
    using T = decltype(tag);
    T element;
    std::memcpy(&element, at, sizeof element);
    if constexpr (std::is_class_v<T>)
      value = to_float(element);
    else
      value = static_cast<double>(element);
  });
  return value;
}

void write(std::byte* at, DType dtype, double value) {
  visit_dtype(dtype, [&](auto tag) {
    using T = decltype(tag);
    T element;
    if constexpr (std::is_same_v<T, Float16>)
      element = to_float16(static_cast<float>(value));
    else if constexpr (std::is_same_v<T, BFloat16>)
      element = to_bfloat16(static_cast<float>(value));
    else
      element = static_cast<T>(value);
    std::memcpy(at, &element, sizeof element);
  });
}

// The result of one instruction as its type holds it.
double rounded(DType type, double value) {
  if (type == DType::Float32) return static_cast<float>(value);
  if (type == DType::Bool) return value != 0;
  if (type == DType::Int32) return static_cast<double>(static_cast<int32_t>(static_cast<int64_t>(value)));
  return value;
}

double saturate(DType type, double value) {
  const IntegerRange range = integer_range(type);
  if (!(value > static_cast<double>(range.lowest))) return static_cast<double>(range.lowest);
  return std::min(value, static_cast<double>(range.highest));
}

class Interpreter {
 public:
  Interpreter(const Plan& plan, const std::vector<Tensor>& inputs)
      : plan_(plan), arena_(static_cast<size_t>(plan.arena_bytes), std::byte{0xA5}) {
    for (const Tensor& t : inputs) io_.push_back(const_cast<std::byte*>(t.raw()));
    for (const PlanIo& o : plan.outputs) io_.push_back(outputs_.emplace_back(o.dtype, o.shape).mutable_raw());
  }

  std::vector<Tensor> run() {
    for (const Step& step : plan_.steps) std::visit([&](const auto& region) { execute(region); }, step.region);
    return std::move(outputs_);
  }

 private:
  std::byte* base(int buffer) {
    const Buffer& b = plan_.buffers[static_cast<size_t>(buffer)];
    switch (b.space) {
      case Space::Constant:
        return reinterpret_cast<std::byte*>(const_cast<uint8_t*>(plan_.constants.data())) + b.offset;
      case Space::Arena: return arena_.data() + b.offset;
      default: return io_[static_cast<size_t>(b.offset)];
    }
  }
  std::byte* address(const View& v, const Shape& index) { return base(v.buffer) + codegen::byte_offset(v, index); }

  double apply(const Instr& i, const std::vector<double>& v) const {
    const double a = i.args[0] >= 0 ? v[static_cast<size_t>(i.args[0])] : 0,
                 b = i.args[1] >= 0 ? v[static_cast<size_t>(i.args[1])] : 0;
    switch (i.op) {
      case Op::Constant: return i.imm;
      case Op::Cast: return is_integer(i.type) ? saturate(i.type, std::trunc(a)) : a;
      case Op::Add: return a + b;
      case Op::Sub: return a - b;
      case Op::Mul: return a * b;
      case Op::Div: return is_integer(i.type) ? std::trunc(a / b) : a / b;
      case Op::Pow: return std::pow(a, b);
      case Op::Min: return std::isnan(a) || std::isnan(b) ? NAN : std::min(a, b);
      case Op::Max: return std::isnan(a) || std::isnan(b) ? NAN : std::max(a, b);
      case Op::Neg: return -a;
      case Op::Abs: return std::abs(a);
      case Op::Floor: return std::floor(a);
      case Op::Ceil: return std::ceil(a);
      case Op::RoundEven: return std::nearbyint(a);
      case Op::Sqrt: return std::sqrt(a);
      case Op::Reciprocal: return 1 / a;
      case Op::Exp: return std::exp(a);
      case Op::Log: return std::log(a);
      case Op::Tanh: return std::tanh(a);
      case Op::Erf: return std::erf(a);
      case Op::Sigmoid: return 1 / (1 + std::exp(-a));
      case Op::Equal: return a == b;
      case Op::Less: return a < b;
      case Op::LessOrEqual: return a <= b;
      case Op::And:
        return i.type == DType::Bool ? (a != 0 && b != 0)
                                     : static_cast<double>(static_cast<int64_t>(a) & static_cast<int64_t>(b));
      case Op::Or:
        return i.type == DType::Bool ? (a != 0 || b != 0)
                                     : static_cast<double>(static_cast<int64_t>(a) | static_cast<int64_t>(b));
      case Op::Not: return i.type == DType::Bool ? a == 0 : static_cast<double>(~static_cast<int64_t>(a));
      case Op::Select: return a != 0 ? b : v[static_cast<size_t>(i.args[2])];
      case Op::Quantize:
        return saturate(i.type, std::nearbyint(static_cast<float>(a) / static_cast<float>(i.imm)) + i.imm2);
      case Op::Dequantize: return static_cast<float>(a - i.imm2) * static_cast<float>(i.imm);
      default: LAPIS_UNREACHABLE("the plan interpreter does not know op " << static_cast<int>(i.op));
    }
  }

  double gather(const Loop& loop, const Instr& i, const Shape& point, double index) {
    const View& table = loop.views[static_cast<size_t>(i.slot)];
    const double wrapped = std::clamp(index < 0 ? index + i.imm2 : index, 0.0, i.imm2 - 1);
    return read(address(table, point) + static_cast<int64_t>(wrapped * i.imm) * bit_width(table.dtype) / 8,
                table.dtype);
  }

  std::vector<double> evaluate(const Loop& loop, const Loop::Phase& phase, const Shape& point,
                               const std::vector<double>& reduced) {
    std::vector<double> v;
    for (const Instr& i : phase.body) {
      double value;
      if (i.op == Op::Load)
        value = read(address(loop.views[static_cast<size_t>(i.slot)], point), i.type);
      else if (i.op == Op::Gather)
        value = gather(loop, i, point, v[static_cast<size_t>(i.args[0])]);
      else if (i.op == Op::Index)
        value = static_cast<double>(point[static_cast<size_t>(i.slot)]);
      else if (i.op == Op::Reduced)
        value = reduced[static_cast<size_t>(i.slot)];
      else
        value = apply(i, v);
      v.push_back(rounded(i.type, value));
    }
    return v;
  }

  void run_point(const Loop& loop, const Loop::Phase& phase, const Shape& point, std::vector<double>& reduced,
                 size_t first, bool start) {
    const std::vector<double> v = evaluate(loop, phase, point, reduced);
    for (size_t r = 0; r < phase.reductions.size(); ++r) {
      double& total = reduced[first + r];
      const double x = v[static_cast<size_t>(phase.reductions[r].value)];
      if (start) {
        total = x;
        continue;
      }
      switch (phase.reductions[r].kind) {
        case Loop::Reduce::Sum: total += x; break;
        case Loop::Reduce::Prod: total *= x; break;
        case Loop::Reduce::Max: total = std::max(total, x); break;
        case Loop::Reduce::Min: total = std::min(total, x); break;
      }
    }
    for (const Loop::Store& s : phase.stores) {
      const View& to = loop.views[static_cast<size_t>(s.view)];
      write(address(to, point), to.dtype, v[static_cast<size_t>(s.value)]);
    }
  }

  void execute(const Loop& loop) {
    const auto split = static_cast<int64_t>(loop.domain.size()) - loop.reduced;
    const Shape outer(loop.domain.begin(), loop.domain.begin() + split),
        inner(loop.domain.begin() + split, loop.domain.end());
    for_each_index(outer, [&](const Shape& row) {
      std::vector<double> reduced;
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

  double dot(const Contraction& c, int64_t pixel, int64_t channel) {
    const int64_t per_group = c.channels / c.groups, group = channel / per_group, size = bit_width(c.a) / 8;
    const std::byte* x = base(c.input.buffer) +
                         c.pixel_table.data<int32_t>()[static_cast<size_t>(pixel * c.pixel_table.dim(1))] +
                         group * c.group_stride * size;
    const std::byte* w = c.weights.raw() + channel * static_cast<int64_t>(c.taps.size()) * c.k * (bit_width(c.b) / 8);
    double sum = c.bias.as_double(channel);
    for (int32_t tap : c.taps)
      for (int64_t k = 0; k < c.k; ++k, w += bit_width(c.b) / 8)
        sum += (read(x + tap + k * size, c.a) - c.input_zero_point) * read(w, c.b);
    return sum;
  }

  void execute(const Contraction& c) {
    for (int64_t p = 0; p < c.pixels; ++p) {
      const auto row = c.pixel_table.data<int32_t>().subspan(static_cast<size_t>(p * c.pixel_table.dim(1)));
      for (int64_t o = 0; o < c.channels; ++o) {
        std::vector<double> v;
        for (const Instr& i : c.epilogue) {
          double value;
          if (i.op == Op::Accumulator)
            value = dot(c, p, o);
          else if (i.op == Op::Load)
            value = load(c.operands[static_cast<size_t>(i.slot)], row, o);
          else
            value = apply(i, v);
          v.push_back(rounded(i.type, value));
        }
        write(base(c.output.buffer) + row[1] + o * bit_width(c.output.dtype) / 8, c.output.dtype, v.back());
      }
    }
  }

  double load(const EpilogueOperand& operand, std::span<const int32_t> row, int64_t channel) {
    const std::byte* at = base(operand.view.buffer);
    at += operand.kind == EpilogueOperand::Kind::PerElement ? row[static_cast<size_t>(operand.column)]
                                                            : codegen::byte_offset(operand.view, {0});
    return read(at + channel * bit_width(operand.view.dtype) / 8, operand.view.dtype);
  }

  const Plan& plan_;
  std::vector<std::byte> arena_;
  std::vector<Tensor> outputs_;
  std::vector<std::byte*> io_;
};

}  // namespace

std::vector<Tensor> interpret(const Plan& plan, const std::vector<Tensor>& inputs) {
  LAPIS_ASSERT(inputs.size() == plan.inputs.size(), "wrong number of inputs");
  return Interpreter(plan, inputs).run();
}

}  // namespace lapis::testing
