// Speed of every row of the kernel table on the layers of ResNet-50, MobileNetV2 and EfficientNet, against the
// measured peak of this machine: one core, weights and activations as a network would find them, epilogue included.
//
//   lapis_bench_kernels [part of a row's name, or "chosen"] [part of a layer's name, or "network": only the whole]
//
// Times are the least of several runs, each beside a run of the peak loop, so that a busy machine or a changing clock
// hurts both alike.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "codegen/kernels/schedule.h"
#include "codegen/kernels/table.h"
#include "codegen/x86/emit.h"
#include "runtime/abi.h"
#include "runtime/memory.h"

namespace lapis {
namespace {

struct Layer {
  const char* name;
  int64_t size, in, out, kernel, stride;  // output is size x size
  bool depthwise, residual;
  int count;  // in its network
};

constexpr Layer kLayers[] = {
    {"resnet50.conv1", 112, 3, 64, 7, 2, false, false, 1},
    {"resnet50.s1.reduce0", 56, 64, 64, 1, 1, false, false, 1},
    {"resnet50.s1.conv3x3", 56, 64, 64, 3, 1, false, false, 3},
    {"resnet50.s1.expand", 56, 64, 256, 1, 1, false, true, 3},
    {"resnet50.s1.shortcut", 56, 64, 256, 1, 1, false, false, 1},
    {"resnet50.s1.reduce", 56, 256, 64, 1, 1, false, false, 2},
    {"resnet50.s2.reduce0", 56, 256, 128, 1, 1, false, false, 1},
    {"resnet50.s2.conv3x3s2", 28, 128, 128, 3, 2, false, false, 1},
    {"resnet50.s2.conv3x3", 28, 128, 128, 3, 1, false, false, 3},
    {"resnet50.s2.expand", 28, 128, 512, 1, 1, false, true, 4},
    {"resnet50.s2.shortcut", 28, 256, 512, 1, 2, false, false, 1},
    {"resnet50.s2.reduce", 28, 512, 128, 1, 1, false, false, 3},
    {"resnet50.s3.reduce0", 28, 512, 256, 1, 1, false, false, 1},
    {"resnet50.s3.conv3x3s2", 14, 256, 256, 3, 2, false, false, 1},
    {"resnet50.s3.conv3x3", 14, 256, 256, 3, 1, false, false, 5},
    {"resnet50.s3.expand", 14, 256, 1024, 1, 1, false, true, 6},
    {"resnet50.s3.shortcut", 14, 512, 1024, 1, 2, false, false, 1},
    {"resnet50.s3.reduce", 14, 1024, 256, 1, 1, false, false, 5},
    {"resnet50.s4.reduce0", 14, 1024, 512, 1, 1, false, false, 1},
    {"resnet50.s4.conv3x3s2", 7, 512, 512, 3, 2, false, false, 1},
    {"resnet50.s4.conv3x3", 7, 512, 512, 3, 1, false, false, 2},
    {"resnet50.s4.expand", 7, 512, 2048, 1, 1, false, true, 3},
    {"resnet50.s4.shortcut", 7, 1024, 2048, 1, 2, false, false, 1},
    {"resnet50.s4.reduce", 7, 2048, 512, 1, 1, false, false, 2},
    {"resnet50.fc", 1, 2048, 1000, 1, 1, false, false, 1},
    {"mobilenet.expand16", 112, 16, 96, 1, 1, false, false, 1},
    {"mobilenet.project24", 56, 144, 24, 1, 1, false, true, 1},
    {"mobilenet.project96", 14, 576, 96, 1, 1, false, true, 1},
    {"mobilenet.dw32", 112, 32, 32, 3, 1, true, false, 1},
    {"mobilenet.dw96s2", 56, 96, 96, 3, 2, true, false, 1},
    {"mobilenet.dw144", 56, 144, 144, 3, 1, true, false, 1},
    {"mobilenet.dw384", 14, 384, 384, 3, 1, true, false, 1},
    {"mobilenet.dw960", 7, 960, 960, 3, 1, true, false, 1},
    {"efficientnet.dw240k5", 28, 240, 240, 5, 1, true, false, 1},
    {"efficientnet.dw672k5", 14, 672, 672, 5, 1, true, false, 1},
};

// ---- peak ----

// Of this thread's processor time: other programs may take turns on the core.
double now() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

double seconds(const std::function<void()>& run) {
  const double start = now();
  run();
  return now() - start;
}

constexpr int kPeakRounds = 20000;

// Twelve independent chains of one instruction, forty-eight a round.
#define LAPIS_FOUR(op) \
  op " %%zmm0,%%zmm1,%%zmm4\n" op " %%zmm0,%%zmm1,%%zmm5\n" op " %%zmm0,%%zmm1,%%zmm6\n" op " %%zmm0,%%zmm1,%%zmm7\n"
#define LAPIS_TWELVE(op)                                                                       \
  LAPIS_FOUR(op)                                                                               \
  op " %%zmm0,%%zmm1,%%zmm8\n" op " %%zmm0,%%zmm1,%%zmm9\n" op " %%zmm0,%%zmm1,%%zmm10\n" op   \
     " %%zmm0,%%zmm1,%%zmm11\n" op " %%zmm0,%%zmm1,%%zmm12\n" op " %%zmm0,%%zmm1,%%zmm13\n" op \
     " %%zmm0,%%zmm1,%%zmm14\n" op " %%zmm0,%%zmm1,%%zmm15\n"
#define LAPIS_PEAK_LOOP(op)                                                                                           \
  long n = kPeakRounds;                                                                                               \
  __asm__ volatile("vpxord %%zmm0,%%zmm0,%%zmm0\nvpxord %%zmm1,%%zmm1,%%zmm1\n1:\n" LAPIS_TWELVE(op) LAPIS_TWELVE(op) \
                       LAPIS_TWELVE(op) LAPIS_TWELVE(op) "dec %0\njnz 1b\nvzeroupper\n"                               \
                   : "+r"(n)::"cc", "xmm0", "xmm1", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", \
                     "xmm12", "xmm13", "xmm14", "xmm15")

__attribute__((target("avx512f"))) void peak_float() { LAPIS_PEAK_LOOP("vfmadd231ps"); }
__attribute__((target("avx512f,avx512vnni"))) void peak_int8() { LAPIS_PEAK_LOOP("vpdpbusd"); }
__attribute__((target("avx512f,avx512bf16"))) void peak_bf16() { LAPIS_PEAK_LOOP("vdpbf16ps"); }

// MAC a second of the best dense instruction of this machine; 0 where it lacks it.
double peak(DType type) {
  const bool halves = type == DType::BFloat16, integer = is_integer(type);
  if (!Target::host().has(integer ? Isa::Avx512Vnni : halves ? Isa::Avx512Bf16 : Isa::Avx512)) return 0;
  return kPeakRounds * 48.0 *
         (integer  ? 64
          : halves ? 32
                   : 16) /
         seconds(integer  ? peak_int8
                 : halves ? peak_bf16
                          : peak_float);
}

// ---- a layer as a Contraction ----

class Bench {
 public:
  Bench(const Layer& layer, const kernels::Kernel& row) : layer_(layer), integer_(is_integer(row.a)) {
    shape(row);
    addresses();
    operands(row);
    arena_ = *allocate_arena(next_);
    for (int64_t i = 0; i < next_; ++i) arena_.get()[i] = static_cast<std::byte>(integer_ ? i * 7 % 13 : 0);
  }

  Status build(int row) {
    plan_.target = Target::host();
    Status scheduled = ok();
    schedule_seconds = seconds([&] { scheduled = kernels::schedule(c_, plan_, {.row = row}); });
    if (!scheduled.ok()) return scheduled;
    const codegen::StepCode step = x86::step_code(c_, plan_);
    emit_seconds = seconds([&] { code_bytes_ = step.emit(); });
    LAPIS_TRY(auto sealed, CodeMemory::seal(std::as_bytes(std::span(code_bytes_))));
    code_ = std::move(sealed);
    constants_ = *allocate_arena(static_cast<int64_t>(plan_.constants.size()));
    std::memcpy(constants_.get(), plan_.constants.data(), plan_.constants.size());
    block_ = abi::block_of(step.arguments, {reinterpret_cast<const uint8_t*>(constants_.get()), &plan_.weights,
                                            reinterpret_cast<uint8_t*>(arena_.get()), nullptr, &status_});
    return ok();
  }

  void run() { reinterpret_cast<abi::StepFn>(const_cast<std::byte*>(code_->data()))(block_.data(), 0, c_.units); }

  double macs() const { return static_cast<double>(c_.pixels) * static_cast<double>(c_.weights.size()); }
  const Contraction& contraction() const { return c_; }
  size_t code_size() const { return code_bytes_.size(); }
  double schedule_seconds = 0, emit_seconds = 0;

 private:
  int buffer(int64_t bytes) {
    plan_.buffers.push_back({"", Space::Arena, bytes, next_});
    next_ += (bytes + 64 + 63) / 64 * 64;
    return static_cast<int>(plan_.buffers.size()) - 1;
  }

  void shape(const kernels::Kernel& row) {
    const int64_t c = layer_.in, taps = layer_.kernel * layer_.kernel;
    rows_ = c == 3;  // a filter row is one run of bytes
    c_.name = layer_.name;
    c_.a = row.a;
    c_.b = row.b;
    c_.channels = layer_.out;
    c_.groups = layer_.depthwise ? layer_.out : 1;
    c_.k = layer_.depthwise ? 1 : rows_ ? c * layer_.kernel : c;
    c_.group_stride = c_.k;
    c_.pixels = layer_.size * layer_.size;
    const int64_t tap_count = rows_ ? layer_.kernel : taps;
    c_.weights = Tensor(row.b, {c_.groups, c_.channels / c_.groups, tap_count, c_.k});
    c_.bias = Tensor(integer_ ? DType::Int32 : DType::Float32, {c_.channels});
    if (integer_)
      for (size_t i = 0; int8_t & w : c_.weights.source.mutable_data<int8_t>())
        w = static_cast<int8_t>(i++ * 37 % 251 - 125);
  }

  static Shape channels_last(int64_t channels, int64_t size) {
    return {size * size * channels, 1, size * channels, channels};
  }

  void addresses() {
    const int64_t element = bit_width(c_.a) / 8, pitch = layer_.in * element;
    const int64_t width = (layer_.size - 1) * layer_.stride + layer_.kernel;
    c_.input = {buffer(width * width * pitch), c_.a, {1, layer_.in, width, width}, channels_last(layer_.in, width), 0};
    out_type_ = integer_ ? DType::UInt8 : c_.a;
    c_.output = {buffer(c_.pixels * c_.channels * element),
                 out_type_,
                 {1, c_.channels, layer_.size, layer_.size},
                 channels_last(c_.channels, layer_.size),
                 0};
    const int64_t step = layer_.stride * pitch, out = c_.channels * element;
    c_.grid = {{layer_.size, layer_.size}, {{0, {width * step, step}}, {0, {layer_.size * out, out}}}};
    if (layer_.residual) c_.grid.columns.push_back(c_.grid.columns[1]);
    for (int64_t i = 0; i < layer_.kernel; ++i)
      for (int64_t j = 0; j < (rows_ ? 1 : layer_.kernel); ++j)
        c_.taps.push_back(static_cast<int32_t>((i * width + j) * pitch));
  }

  int add(Op op, DType type, std::array<int32_t, 3> args, Immediate imm = 0, Immediate imm2 = 0, int slot = -1) {
    c_.epilogue.push_back({op, type, args, slot, imm, imm2});
    return static_cast<int>(c_.epilogue.size()) - 1;
  }

  int residual() {
    const View view{buffer(c_.pixels * c_.channels * bit_width(out_type_) / 8), out_type_, {}, {}, 0};
    c_.operands.push_back({EpilogueOperand::Kind::PerElement, view, 2});
    return add(Op::Load, out_type_, {-1, -1, -1}, 0, 0, static_cast<int>(c_.operands.size()) - 1);
  }

  void operands(const kernels::Kernel& row) {
    int result = add(Op::Accumulator, row.accumulator, {-1, -1, -1});
    if (!integer_) {
      if (layer_.residual)
        result = add(Op::Add, DType::Float32, {result, add(Op::Cast, DType::Float32, {residual(), -1, -1}), -1});
      result = add(Op::AtLeast, DType::Float32, {result, add(Op::Constant, DType::Float32, {-1, -1, -1}), -1});
      add(Op::Cast, out_type_, {result, -1, -1});
      return;
    }
    const size_t at = plan_.constants.size();
    const std::vector<float> multipliers(static_cast<size_t>(c_.channels), 0.0003f);
    plan_.constants.resize(at + multipliers.size() * 4);
    std::memcpy(plan_.constants.data() + at, multipliers.data(), multipliers.size() * 4);
    plan_.buffers.push_back({"multiplier", Space::Constant, c_.channels * 4, static_cast<int64_t>(at)});
    c_.operands.push_back({EpilogueOperand::Kind::PerChannel,
                           {static_cast<int>(plan_.buffers.size()) - 1, DType::Float32, {c_.channels}, {1}, 0},
                           -1});
    const int m = add(Op::Load, DType::Float32, {-1, -1, -1}, 0, 0, 0);
    result = add(Op::Mul, DType::Float32, {add(Op::Cast, DType::Float32, {result, -1, -1}), m, -1});
    result = add(Op::Quantize, DType::UInt8, {result, -1, -1}, 1, layer_.residual ? 118 : 0);
    if (!layer_.residual) return;
    const int x = add(Op::Dequantize, DType::Float32, {result, -1, -1}, 0.0231, 118),
              y = add(Op::Dequantize, DType::Float32, {residual(), -1, -1}, 0.0417, 0);
    const int sum = add(Op::Add, DType::Float32, {x, y, -1});
    const int relu = add(Op::AtLeast, DType::Float32, {sum, add(Op::Constant, DType::Float32, {-1, -1, -1}), -1});
    add(Op::Quantize, DType::UInt8, {relu, -1, -1}, 0.0387, 0);
  }

  const Layer& layer_;
  bool integer_, rows_ = false;
  DType out_type_ = DType::UInt8;
  Contraction c_;
  Plan plan_;
  int64_t next_ = 0;
  std::vector<uint8_t> code_bytes_;
  std::optional<CodeMemory> code_;
  std::shared_ptr<std::byte> arena_, constants_;
  int32_t status_ = 0;
  std::vector<uint64_t> block_;
};

struct Best {
  double seconds = 1e9, peak = 0;
};

Best measure(Bench& bench, DType type) {
  Best best;
  bench.run();
  const double once = seconds([&] { bench.run(); });
  const int repeat = std::clamp(static_cast<int>(1e-3 / once), 1, 200);
  for (int trial = 0; trial < 15; ++trial) {
    best.peak = std::max(best.peak, peak(type));
    best.seconds = std::min(best.seconds, seconds([&] {
                                            for (int i = 0; i < repeat; ++i) bench.run();
                                          }) / repeat);
  }
  return best;
}

// Layers that `row` fits; with `choose`, whatever row schedule takes for operands of its types.
void run_row(int index, bool choose, const char* layer_filter) {
  const kernels::Kernel& row = kernels::table()[static_cast<size_t>(index)];
  const std::string title = choose ? "chosen for " + std::string(name_of(row.a)) : std::string(row.name);
  double total = 0, at_peak = 0, emitting = 0, scheduling = 0;
  for (const Layer& layer : kLayers) {
    if ((!choose && layer.depthwise != row.depthwise()) || !std::strstr(layer.name, layer_filter)) continue;
    Bench bench(layer, row);
    if (auto status = bench.build(choose ? -1 : index); !status.ok()) {
      std::printf("%s", to_string(status.diagnostics()).c_str());
      continue;
    }
    const Best best = measure(bench, row.a);
    const Contraction& c = bench.contraction();
    std::printf("%-24s %-24s %3dx%-2d %4ld units %6zu bytes %9.1f us %7.1f GMAC/s",
                kernels::name_of_row(c.schedule.row).data(), layer.name, c.schedule.mr, c.schedule.nr,
                static_cast<long>(c.units), bench.code_size(), best.seconds * 1e6, bench.macs() / best.seconds * 1e-9);
    if (best.peak > 0)
      std::printf("  %5.1f %% of %.0f", 100 * bench.macs() / best.seconds / best.peak, best.peak * 1e-9);
    std::printf("\n");
    total += layer.count * best.seconds;
    at_peak += best.peak > 0 ? layer.count * bench.macs() / best.peak : 0;
    emitting += bench.emit_seconds;
    scheduling += bench.schedule_seconds;
  }
  if (total > 0)
    std::printf("%s: total %.3f ms, %.1f %% of peak, packed in %.1f ms, emitted in %.1f ms\n\n", title.c_str(),
                total * 1e3, 100 * at_peak / total, scheduling * 1e3, emitting * 1e3);
}

// All layers of one network one after the other, each as often as it occurs with weights of its own: what caches leave
// of the numbers above.
void run_network(int index, const char* network) {
  const kernels::Kernel& row = kernels::table()[static_cast<size_t>(index)];
  std::vector<std::unique_ptr<Bench>> layers;
  double macs = 0;
  for (const Layer& layer : kLayers)
    for (int i = 0; i < layer.count; ++i) {
      if (layer.depthwise != row.depthwise() || !std::strstr(layer.name, network)) continue;
      layers.push_back(std::make_unique<Bench>(layer, row));
      if (!layers.back()->build(index).ok()) return;
      macs += layers.back()->macs();
    }
  double best = 1e9, best_peak = 0;
  for (int trial = 0; trial < 20; ++trial) {
    best_peak = std::max(best_peak, peak(row.a));
    best = std::min(best, seconds([&] {
                      for (auto& layer : layers) layer->run();
                    }));
  }
  std::printf("%-22s %s, %zu layers in sequence: %.3f ms", row.name.data(), network, layers.size(), best * 1e3);
  if (best_peak > 0) std::printf(", %.1f %% of peak", 100 * macs / best / best_peak);
  std::printf("\n\n");
}

}  // namespace
}  // namespace lapis

int main(int argc, char** argv) {
  using namespace lapis;
  const char* row_filter = argc > 1 ? argv[1] : "";
  const char* layer_filter = argc > 2 ? argv[2] : "";
  const bool choose = std::strcmp(row_filter, "chosen") == 0;
  for (size_t i = 0; i < kernels::table().size(); ++i) {
    const kernels::Kernel& row = kernels::table()[i];
    const bool wanted = choose ? row.name == "conv_f32_avx2" || row.name == "conv_u8s8_avx2"
                               : row.name.find(row_filter) != std::string_view::npos;
    if (!wanted || !Target::host().has(row.needs)) continue;
    if (std::strcmp(layer_filter, "network") != 0) run_row(static_cast<int>(i), choose, layer_filter);
    if (!row.depthwise() && !choose) run_network(static_cast<int>(i), "resnet50");
  }
}
