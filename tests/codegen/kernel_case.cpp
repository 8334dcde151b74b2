#include "tests/codegen/kernel_case.h"

#include <sys/mman.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <ostream>
#include <random>
#include <sstream>
#include <thread>
#include <utility>

#include "codegen/kernels/schedule.h"
#include "codegen/kernels/table.h"
#include "codegen/scalar/program.h"
#include "codegen/x86/emit.h"
#include "runtime/abi.h"
#include "tests/codegen/amx_emulator.h"
#include "tests/codegen/scalar_oracle.h"

namespace lapis::testing {
namespace {

constexpr size_t kPage = 4096;
constexpr uint8_t kCanary = 0xA7;
constexpr int64_t kReadSlack = 3;  // all that plan.h grants an input beyond its last channel

size_t round_up(size_t n, size_t to) { return (n + to - 1) / to * to; }

bool is_byte(DType type) { return type == DType::UInt8 || type == DType::Int8; }

// What most products are made of is read without asking for every type:
// references of sanitized builds spend their time here.
double element(const uint8_t* at, DType type) {
  if (type == DType::UInt8) return *at;
  if (type == DType::Int8) return static_cast<int8_t>(*at);
  return read_element(at, type).as_double();
}

class Executable {
 public:
  explicit Executable(const std::vector<uint8_t>& code) : size_(round_up(code.size(), kPage)) {
    memory_ = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    std::memcpy(memory_, code.data(), code.size());
    mprotect(memory_, size_, PROT_READ | PROT_EXEC);
  }
  ~Executable() { munmap(memory_, size_); }
  Executable(const Executable&) = delete;
  abi::StepFn function() const { return reinterpret_cast<abi::StepFn>(memory_); }

 private:
  void* memory_;
  size_t size_;
};

}  // namespace

GuardedBytes::GuardedBytes(size_t size) : size_(size) {
  mapped_ = round_up(size + 64, kPage) + 2 * kPage;
  pages_ = static_cast<uint8_t*>(mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  std::memset(pages_, kCanary, mapped_);
  mprotect(pages_, kPage, PROT_NONE);
  mprotect(pages_ + mapped_ - kPage, kPage, PROT_NONE);
  data_ = pages_ + mapped_ - kPage - size;
}

GuardedBytes::~GuardedBytes() { munmap(pages_, mapped_); }

bool GuardedBytes::canary_intact() const {
  return std::all_of(pages_ + kPage, data_, [](uint8_t byte) { return byte == kCanary; });
}

std::string KernelShape::to_string() const {
  std::ostringstream text;
  text << pixels_h << "x" << pixels_w << " k" << kernel_h << "x" << kernel_w << " s" << stride << " d" << dilation
       << " " << in_channels << "->" << out_channels << " groups " << groups << " zp " << input_zero_point << "/"
       << output_zero_point << " fill " << static_cast<int>(fill);
  return text.str();
}

void PrintTo(const KernelShape& shape, std::ostream* out) { *out << shape.to_string(); }

KernelCase::KernelCase(const KernelShape& shape, DType a, DType output, uint32_t seed)
    : shape_(shape), a_(a), out_(output), seed_(seed) {
  c_.name = shape.to_string();
  c_.a = a;
  c_.b = is_byte(a) ? DType::Int8 : a;
  c_.channels = shape.out_channels;
  c_.groups = shape.groups;
  c_.k = shape.in_channels / shape.groups;
  c_.group_stride = c_.k;
  c_.pixels = shape.pixels_h * shape.pixels_w;
  c_.input_zero_point = shape.input_zero_point;
  build_input(shape);
  build_weights();
  add(Op::Accumulator, is_byte(a) ? DType::Int32 : DType::Float32);
}

// NHWC with halo, so that every pixel's taps are inside; one image.
void KernelCase::build_input(const KernelShape& s) {
  const int64_t element = bit_width(a_) / 8;
  const int64_t width = (s.pixels_w - 1) * s.stride + (s.kernel_w - 1) * s.dilation + 1;
  const int64_t height = (s.pixels_h - 1) * s.stride + (s.kernel_h - 1) * s.dilation + 1;
  const int64_t bytes = width * height * s.in_channels * element;
  plan_.buffers.push_back({"x", Space::Input, bytes, 0});
  io_.push_back(std::make_unique<GuardedBytes>(static_cast<size_t>(bytes + (is_byte(a_) ? kReadSlack : 0))));
  const bool is_signed = a_ == DType::Int8;
  const Tensor x = random(a_, {bytes / element}, is_byte(a_) ? (is_signed ? -128 : 0) : -1,
                          is_byte(a_) ? (is_signed ? 127 : 255) : 1);
  std::memcpy(io_[0]->data(), x.raw(), static_cast<size_t>(bytes));
  c_.input = {0,
              a_,
              {1, s.in_channels, height, width},
              {width * height * s.in_channels, 1, width * s.in_channels, s.in_channels},
              0};
  const int64_t out_element = bit_width(out_) / 8, pitch = s.out_channels + s.pad_channels;
  plan_.buffers.push_back({"y", Space::Output, 0, 1});
  io_.push_back(
      std::make_unique<GuardedBytes>(static_cast<size_t>(((c_.pixels - 1) * pitch + s.out_channels) * out_element)));
  c_.output = {
      1, out_, {1, s.out_channels, s.pixels_h, s.pixels_w}, {c_.pixels * pitch, 1, s.pixels_w * pitch, pitch}, 0};
  const int64_t step = s.stride * s.in_channels * element;
  c_.grid = {{s.pixels_h, s.pixels_w},
             {{0, {width * step, step}}, {0, {s.pixels_w * pitch * out_element, pitch * out_element}}}};
  for (int64_t i = 0; i < s.kernel_h; ++i)
    for (int64_t j = 0; j < s.kernel_w; ++j)
      c_.taps.push_back(static_cast<int32_t>((i * width + j) * s.dilation * s.in_channels * element));
}

void KernelCase::build_weights() {
  const auto taps = static_cast<int64_t>(c_.taps.size());
  const Shape shape{c_.groups, c_.channels / c_.groups, taps, c_.k};
  if (c_.b == DType::Int8) {
    c_.weights = random(DType::Int8, shape, -128, 127);
    c_.bias = random(DType::Int32, {c_.channels}, -5000, 5000);
  } else {
    c_.weights = random(c_.b, shape, -1, 1);
    c_.bias = random(DType::Float32, {c_.channels}, -1, 1);
  }
}

Tensor KernelCase::random(DType type, Shape shape, double low, double high) {
  std::mt19937 generator(seed_++ * 2654435761u + 1);
  Tensor t(type, std::move(shape));
  auto* to = reinterpret_cast<uint8_t*>(t.mutable_raw());
  for (int64_t i = 0; i < t.size(); ++i) {
    double x = low + (high - low) * generator() / static_cast<double>(generator.max());
    if (is_byte(type) || type == DType::Int32) {
      x = std::round(x);
      if (is_byte(type) && shape_.fill == Fill::AllMax) x = high;
      if (is_byte(type) && shape_.fill == Fill::AllMin) x = low;
      if (is_byte(type) && shape_.fill == Fill::Small) x = std::clamp(x, -1.0, 1.0);
    }
    write_element(to + i * bit_width(type) / 8, type, x);
  }
  return t;
}

int KernelCase::add(Op op, DType type, std::vector<int> args, Immediate imm, Immediate imm2) {
  Instr i{op, type};
  std::copy(args.begin(), args.end(), i.args.begin());
  i.imm = imm;
  i.imm2 = imm2;
  c_.epilogue.push_back(i);
  return static_cast<int>(c_.epilogue.size()) - 1;
}

View KernelCase::constant_view(const Tensor& t) {
  const size_t at = round_up(plan_.constants.size(), 64);
  plan_.constants.resize(at + static_cast<size_t>(t.bytes()));
  std::memcpy(plan_.constants.data() + at, t.raw(), static_cast<size_t>(t.bytes()));
  plan_.buffers.push_back({"constant", Space::Constant, t.bytes(), static_cast<int64_t>(at)});
  return {static_cast<int>(plan_.buffers.size()) - 1, t.dtype(), t.shape(), {1}, 0};
}

int KernelCase::per_channel(DType type, double low, double high) {
  c_.operands.push_back({EpilogueOperand::Kind::PerChannel, constant_view(random(type, {c_.channels}, low, high)), -1});
  const int id = add(Op::Load, type);
  c_.epilogue.back().slot = static_cast<int32_t>(c_.operands.size()) - 1;
  return id;
}

int KernelCase::look_up(int bytes, DType type, const Tensor& table) {
  c_.operands.push_back({EpilogueOperand::Kind::Table, constant_view(table), -1});
  const int id = add(Op::Table, type, {bytes});
  c_.epilogue.back().slot = static_cast<int32_t>(c_.operands.size()) - 1;
  return id;
}

int KernelCase::per_element(DType type, double low, double high) {
  const int64_t pitch = c_.channels + 1;
  return pixel_operand(EpilogueOperand::Kind::PerElement, random(type, {c_.pixels * pitch}, low, high), pitch);
}

int KernelCase::per_element(const std::vector<float>& values) {
  const int64_t pitch = c_.channels + 1;
  Tensor t(DType::Float32, {c_.pixels * pitch});
  for (size_t i = 0; i < t.mutable_data<float>().size(); ++i) t.mutable_data<float>()[i] = values[i % values.size()];
  return pixel_operand(EpilogueOperand::Kind::PerElement, t, pitch);
}

int KernelCase::per_pixel(int32_t low, int32_t high) {
  return pixel_operand(EpilogueOperand::Kind::PerPixel, random(DType::Int32, {c_.pixels}, low, high), 1);
}

int KernelCase::pixel_operand(EpilogueOperand::Kind kind, const Tensor& values, int64_t pitch) {
  const DType type = values.dtype();
  const int64_t element_bytes = bit_width(type) / 8,
                channels = kind == EpilogueOperand::Kind::PerPixel ? 1 : c_.channels;
  io_.push_back(
      std::make_unique<GuardedBytes>(static_cast<size_t>(((c_.pixels - 1) * pitch + channels) * element_bytes)));
  std::memcpy(io_.back()->data(), values.raw(), io_.back()->size());
  plan_.buffers.push_back({"residual", Space::Input, 0, static_cast<int64_t>(io_.size()) - 1});
  const View view{
      static_cast<int>(plan_.buffers.size()) - 1, type, {c_.pixels, c_.channels}, {pitch, channels == 1 ? 0 : 1}, 0};
  c_.operands.push_back({kind, view, static_cast<int>(c_.grid.columns.size())});
  c_.grid.columns.push_back({0, {shape_.pixels_w * pitch * element_bytes, pitch * element_bytes}});
  const int id = add(Op::Load, type);
  c_.epilogue.back().slot = static_cast<int32_t>(c_.operands.size()) - 1;
  return id;
}

int KernelCase::instead_of_sum(int x) {
  constexpr DType kF32 = DType::Float32;
  const int sum = add(Op::Cast, kF32, {0});
  const int never = add(Op::Less, DType::Bool, {add(Op::Mul, kF32, {sum, constant(kF32, 0)}), constant(kF32, -1)});
  return add(Op::Select, kF32, {never, sum, x});
}

int KernelCase::requantize(int accumulator, DType type, double zero_point) {
  const double spread = 0.6 * std::sqrt(static_cast<double>(c_.weights.size() / c_.channels)) * 128 * 74;
  const int multiplier = per_channel(DType::Float32, 40 / spread, 160 / spread);
  const int as_float = add(Op::Cast, DType::Float32, {accumulator});
  const int scaled = add(Op::Mul, DType::Float32, {as_float, multiplier});
  return add(Op::Quantize, type, {scaled}, 1, zero_point);
}

uint8_t* KernelCase::base(int buffer) {
  const Buffer& b = plan_.buffers[static_cast<size_t>(buffer)];
  return b.space == Space::Constant ? plan_.constants.data() + b.offset : io_[static_cast<size_t>(b.offset)]->data();
}

// What vdpbf16ps does to a sum in each lane: first the odd pair, then the even one, each product exact and added with
// one rounding half to even; subnormal operands and results are zeros. docs/numerics.md says so. The last of an odd
// number is alone with a zero.
static float add_product(float sum, double x, double w) {
  auto flushed = [](double v) {
    return std::abs(v) < std::numeric_limits<float>::min() ? std::copysign(0.0f, static_cast<float>(v))
                                                           : static_cast<float>(v);
  };
  return flushed(std::fma(flushed(x), flushed(w), flushed(sum)));
}

static double half_at(const uint8_t* from, int64_t i) { return element(from + 2 * i, DType::BFloat16); }

// What tdpbf16ps does with each 32 of them: sums of the even and of the odd ones begin at zero, then are added.
static float add_products_in_tiles(float sum, const uint8_t* x, const uint8_t* w, int64_t k) {
  for (int64_t first = 0; first < k; first += 32) {
    float even = 0, odd = 0;
    for (int64_t i = first; i < std::min(first + 32, k); i += 2) {
      even = add_product(even, half_at(x, i), half_at(w, i));
      odd = i + 1 < k ? add_product(odd, half_at(x, i + 1), half_at(w, i + 1)) : add_product(odd, 0, 0);
    }
    sum = add_product(sum, 1, add_product(odd, 1, even));
  }
  return sum;
}

static float add_products(float sum, const uint8_t* x, const uint8_t* w, int64_t k) {
  for (int64_t i = 0; i < k; i += 2) {
    sum = i + 1 < k ? add_product(sum, half_at(x, i + 1), half_at(w, i + 1)) : add_product(sum, 0, 0);
    sum = add_product(sum, half_at(x, i), half_at(w, i));
  }
  return sum;
}

double KernelCase::reference_sum(int64_t pixel, int64_t channel, double& magnitude) {
  const int64_t per_group = c_.channels / c_.groups, element_bytes = bit_width(a_) / 8;
  const uint8_t* x =
      base(c_.input.buffer) + c_.grid.address(0, pixel) + channel / per_group * c_.group_stride * element_bytes;
  const int64_t row = static_cast<int64_t>(c_.taps.size()) * c_.k, weight_bytes = bit_width(c_.b) / 8;
  const auto* w = reinterpret_cast<const uint8_t*>(c_.weights.source.raw()) + channel * row * weight_bytes;
  double sum = c_.bias.as_double(channel);
  magnitude = std::abs(sum);
  if (a_ == DType::BFloat16) {
    auto bits = static_cast<float>(sum);
    const auto add = kernels::row_of(c_).in_tiles() ? add_products_in_tiles : add_products;
    for (const int32_t tap : c_.taps) bits = add(bits, x + tap, std::exchange(w, w + 2 * c_.k), c_.k);
    return bits;
  }
  for (const int32_t tap : c_.taps)
    for (int64_t k = 0; k < c_.k; ++k, w += weight_bytes) {
      const double term = (element(x + tap + k * element_bytes, a_) - c_.input_zero_point) * element(w, c_.b);
      sum += term;
      magnitude += std::abs(term);
    }
  return a_ == DType::Float32 ? static_cast<double>(static_cast<float>(sum)) : sum;
}

Immediate KernelCase::evaluate(const scalar::Expansion& program, int64_t pixel, int64_t channel, double sum) {
  std::vector<Immediate> v;
  v.reserve(program.body.size());
  for (const Instr& i : program.body) {
    if (i.op == Op::Accumulator) {
      v.push_back(Immediate(sum).held_as(i.type));
    } else if (i.op == Op::Load) {
      const EpilogueOperand& o = c_.operands[static_cast<size_t>(i.slot)];
      const uint8_t* at = base(o.view.buffer);
      if (o.kind != EpilogueOperand::Kind::PerPixel) at += channel * bit_width(o.view.dtype) / 8;
      if (o.has_column()) at += c_.grid.address(static_cast<size_t>(o.column), pixel);
      v.push_back(read_element(at, i.type));
    } else if (i.op == Op::Table) {
      const uint8_t* table = base(c_.operands[static_cast<size_t>(i.slot)].view.buffer);
      const Immediate index = v[static_cast<size_t>(i.args[0])];
      v.push_back(read_element(table + (index.as_int() & 0xFF), i.type));
    } else {
      std::array<Immediate, 3> args;
      for (size_t n = 0; n < 3; ++n)
        if (i.args[n] >= 0) args[n] = v[static_cast<size_t>(i.args[n])];
      v.push_back(apply(i, args, scalar::operand_types(i, program.body)));
    }
  }
  return v[static_cast<size_t>(program.ids.back())];
}

// The whole output buffer, canary bytes between the pixels included.
std::vector<uint8_t> KernelCase::reference() {
  std::vector<uint8_t> bytes(io_[1]->size(), kCanary);
  const scalar::Expansion program = scalar::expand(c_.epilogue);
  magnitudes_.clear();
  for (int64_t p = 0; p < c_.pixels; ++p)
    for (int64_t o = 0; o < c_.channels; ++o) {
      const double sum = reference_sum(p, o, magnitudes_.emplace_back());
      write_element(bytes.data() + c_.grid.address(1, p) + o * bit_width(out_) / 8, out_, evaluate(program, p, o, sum));
    }
  return bytes;
}

std::string KernelCase::compare(const std::vector<uint8_t>& expected) {
  const uint8_t* got = io_[1]->data();
  if (!io_[1]->canary_intact()) return "wrote before the output";
  const bool tolerant = a_ == DType::Float32 && !exact_;
  const int64_t pitch = c_.channels + shape_.pad_channels, bytes = bit_width(out_) / 8;
  for (size_t i = 0; i < expected.size(); i += static_cast<size_t>(bytes)) {
    if (same_number(read_element(expected.data() + i, out_), read_element(got + i, out_))) continue;
    const auto at = static_cast<int64_t>(i) / bytes, pixel = at / pitch, channel = at % pitch;
    std::ostringstream text;
    text << "pixel " << pixel << " channel " << channel << ": " << element(got + i, out_) << " instead of "
         << element(expected.data() + i, out_);
    if (channel >= c_.channels) return text.str() + " (outside the channels)";
    if (!tolerant) return text.str();
    const double error = std::abs(element(got + i, out_) - element(expected.data() + i, out_));
    const double allowed = is_byte(out_) ? 1 : 1e-5 * magnitudes_[static_cast<size_t>(pixel * c_.channels + channel)];
    if (!(error <= allowed)) return text.str() + ", allowed " + std::to_string(allowed);
  }
  return {};
}

std::string KernelCase::check(const Schedule& wanted, const std::vector<int64_t>& cuts) {
  return check_called(wanted, [&](abi::StepFn function, const uint64_t* block, int64_t units) {
    int64_t begin = 0;
    for (const int64_t cut : cuts) {
      const int64_t end = std::clamp(cut, begin, units);
      function(block, begin, end);
      begin = end;
    }
    function(block, begin, units);
  });
}

std::string KernelCase::check_on_threads(const Schedule& wanted, int threads) {
  return check_called(wanted, [&](abi::StepFn function, const uint64_t* block, int64_t units) {
    std::vector<std::thread> running;
    for (int i = 0; i < threads; ++i)
      running.emplace_back([=] { function(block, units * i / threads, units * (i + 1) / threads); });
    for (std::thread& t : running) t.join();
  });
}

std::string KernelCase::check_called(const Schedule& wanted, const Call& call) {
  if (plan_.target == Target())
    plan_.target = Target::host().with(kernels::table()[static_cast<size_t>(wanted.row)].needs);  // AMX may be emulated
  Contraction& c = c_;
  if (auto status = kernels::schedule(c, plan_, wanted); !status.ok()) return lapis::to_string(status.diagnostics());
  const codegen::StepCode step = x86::step_code(c, plan_);
  const Executable code(step.emit());
  const Tensor constants(DType::UInt8, {static_cast<int64_t>(plan_.constants.size())});
  std::memcpy(const_cast<std::byte*>(constants.raw()), plan_.constants.data(), plan_.constants.size());
  std::vector<void*> io;
  for (auto& memory : io_) io.push_back(memory->data());
  int32_t status = 0;
  const abi::Frame frame{reinterpret_cast<const uint8_t*>(constants.raw()), &plan_.weights, nullptr, io.data(),
                         &status};
  const std::vector<uint64_t> block = abi::block_of(step.arguments, frame);
  std::memset(io_[1]->data(), kCanary, io_[1]->size());
  const std::string fault = run_with_amx([&] { call(code.function(), block.data(), c.units); });
  if (status != 0) return "the code stored the fault " + std::to_string(status);
  return fault.empty() ? compare(reference()) : fault;
}

std::vector<int> runnable_rows() {
  std::vector<int> rows;
  for (size_t i = 0; i < kernels::table().size(); ++i) {
    const kernels::Kernel& kernel = kernels::table()[i];
    const Isa executed = !kernel.in_tiles()            ? kernel.needs
                         : kernel.a == DType::BFloat16 ? Isa::Avx512Bf16
                                                       : Isa::Avx512Vnni;  // tiles are emulated
    if (Target::host().has(executed) && !kernel.library()) rows.push_back(static_cast<int>(i));
  }
  return rows;
}

}  // namespace lapis::testing
