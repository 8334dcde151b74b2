// A contraction on oneDNN's primitives: calls for the pieces of its images, and what follows the sums.
#include "codegen/onednn/row.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "codegen/onednn/primitive.h"

namespace lapis::onednn {
namespace {

using namespace kernels::library_word;

constexpr int64_t kFloat = sizeof(float);

size_t whole_lines(size_t bytes) { return (bytes + abi::kAlignment - 1) / abi::kAlignment * abi::kAlignment; }

// Memory of this thread, which grows and stays until the thread ends. Null if there is none.
std::byte* scratch(size_t bytes) {
  struct Free {
    void operator()(std::byte* p) const { std::free(p); }
  };
  thread_local std::unique_ptr<std::byte, Free> memory;
  thread_local size_t size = 0;
  if (bytes > size) {
    size = 0;
    memory.reset(static_cast<std::byte*>(std::aligned_alloc(abi::kAlignment, whole_lines(bytes))));
    if (memory) size = bytes;
  }
  return memory.get();
}

// to[i] = f(a[i], b[i]). Sixteen at a time, which compilers turn into vectors.
template <class F> void each(float* to, const float* a, const float* b, int64_t count, const F& f) {
  constexpr int64_t kAtOnce = 16;
  int64_t i = 0;
  for (; i + kAtOnce <= count; i += kAtOnce) {
    float results[kAtOnce];
    for (int64_t j = 0; j < kAtOnce; ++j) results[j] = f(a[i + j], b[i + j]);
    std::memcpy(to + i, results, sizeof results);
  }
  for (; i < count; ++i) to[i] = f(a[i], b[i]);
}

void finish(const Finish& step, float* to, const float* sums, const float* operand, int64_t count) {
  const float bound = step.bound;
  switch (step.kind) {
    case Finish::Kind::Add: return each(to, sums, operand, count, [](float x, float y) { return x + y; });
    case Finish::Kind::AtLeast:
      return each(to, sums, sums, count, [bound](float x, float) { return x < bound ? bound : x; });
    case Finish::Kind::AtMost:
      return each(to, sums, sums, count, [bound](float x, float) { return x > bound ? bound : x; });
  }
}

// What generated code calls: the context of LibraryCall.
class Work {
 public:
  static std::shared_ptr<const Work> make(const Api& api, const Contraction& c, const Problem& problem,
                                          int64_t splits) {
    std::shared_ptr<Work> work(new Work(api, c, problem, splits));
    work->whole_ = Primitive::make(api, problem, work->pieces_.mr, nullptr);
    if (!work->whole_) return nullptr;
    if (work->pieces_.small > 0) {
      work->less_ = Primitive::make(api, problem, work->pieces_.mr - 1, work->whole_->weights());
      if (!work->less_) return nullptr;
    }
    return work;
  }

  int64_t units() const { return problem_.images * pieces_.count(); }
  const Primitive& primitive() const { return *whole_; }

  // All that the order of the weights may depend on.
  std::string weight_format() const {
    const Problem& p = problem_;
    std::string text = "onednn " + whole_->name();
    for (const int64_t n :
         {p.channels, p.groups, p.depth, p.pitch, p.image_columns, p.columns, p.kernel_rows, p.kernel_columns,
          p.row_stride, p.column_stride, p.row_dilation, p.column_dilation, int64_t{pieces_.mr}})
      text += " " + std::to_string(n);
    return text;
  }

  static void run(const uint64_t* block, int64_t begin, int64_t end) {
    const auto& work = *reinterpret_cast<const Work*>(block[kContext]);
    const OneThread alone(work.api_);
    for (int64_t unit = begin; unit < end; ++unit)
      if (!work.run(unit, block)) {
        *reinterpret_cast<int32_t*>(block[kStatus]) = abi::kLibraryFailed;
        return;
      }
  }

 private:
  struct Piece {
    int64_t pixel, pixels;  // the first, and how many
    bool whole;
  };

  // What a step behind the sums reads besides: a word of the block, and where in that buffer. Bounds read nothing.
  struct Source {
    size_t word = kOutput;
    int64_t offset = 0;            // of an operand of channels
    std::optional<size_t> column;  // of the grid, of one of pixels
  };
  static Source source_of(const Contraction& c, const Finish& step) {
    if (step.kind != Finish::Kind::Add) return {};
    const auto number = static_cast<size_t>(step.operand);
    const EpilogueOperand& o = c.operands[number];
    if (o.has_column()) return {kOperands + number, 0, static_cast<size_t>(o.column)};
    return {kOperands + number, o.view.offset * kFloat, std::nullopt};
  }

  Work(const Api& api, const Contraction& c, const Problem& problem, int64_t splits)
      : api_(api), problem_(problem), pieces_(problem.pieces(splits)), grid_(c.grid), first_tap_(c.taps[0]) {
    for (const Finish& f : problem.finish) sources_.push_back(source_of(c, f));
  }

  Piece piece(int64_t unit) const {
    const int64_t image = unit / pieces_.count(), index = unit % pieces_.count();
    const bool whole = index < pieces_.big;
    const int64_t rows = whole ? pieces_.mr : pieces_.mr - 1;
    return {(image * problem_.rows + pieces_.first_pixel(index)) * problem_.columns, rows * problem_.columns, whole};
  }

  template <class T> static T* at(uint64_t buffer, int64_t bytes) {
    return reinterpret_cast<T*>(buffer + static_cast<uint64_t>(bytes));
  }

  bool run(int64_t unit, const uint64_t* block) const {
    const Piece p = piece(unit);
    const Primitive& primitive = p.whole ? *whole_ : *less_;
    const size_t scratchpad = whole_lines(primitive.scratchpad_bytes()),
                 sum_bytes = problem_.dense ? 0 : static_cast<size_t>(p.pixels * problem_.channels * kFloat);
    std::byte* const memory = scratch(scratchpad + sum_bytes + abi::kAlignment);
    if (!memory) return false;
    float* const sums = problem_.dense ? at<float>(block[kOutput], grid_.address(1, p.pixel))
                                       : reinterpret_cast<float*>(memory + scratchpad);
    if (!primitive.run({at<float>(block[kInput], grid_.address(0, p.pixel) + first_tap_), at<float>(block[kWeights], 0),
                        at<float>(block[kBias], 0), sums, memory}))
      return false;
    if (!problem_.dense || !problem_.finish.empty()) finish_pixels(p, sums, block);
    return true;
  }

  // Pixel by pixel along the last dimension of the grid, in which addresses grow by one distance a column.
  void finish_pixels(const Piece& p, const float* sums, const uint64_t* block) const {
    const int64_t inner = grid_.extents.empty() ? 1 : grid_.extents.back();
    for (int64_t pixel = p.pixel, end; pixel < p.pixel + p.pixels; pixel = end) {
      end = std::min(p.pixel + p.pixels, (pixel / inner + 1) * inner);
      finish_run(pixel, end - pixel, sums, block);
      sums += (end - pixel) * problem_.channels;
    }
  }

  void finish_run(int64_t pixel, int64_t pixels, const float* sums, const uint64_t* block) const {
    const uint64_t output = block[kOutput] + static_cast<uint64_t>(grid_.address(1, pixel));
    std::vector<uint64_t> operands;
    for (const Source& s : sources_)
      operands.push_back(block[s.word] + static_cast<uint64_t>(s.column ? grid_.address(*s.column, pixel) : s.offset));
    for (int64_t i = 0; i < pixels; ++i) {
      auto* const to = at<float>(output, i * step_of(1));
      const float* from = sums + i * problem_.channels;
      for (size_t s = 0; s < sources_.size(); ++s)
        finish(problem_.finish[s], to, std::exchange(from, to),
               at<float>(operands[s], sources_[s].column ? i * step_of(*sources_[s].column) : 0), problem_.channels);
      if (from != to) std::memcpy(to, from, static_cast<size_t>(problem_.channels * kFloat));
    }
  }

  int64_t step_of(size_t column) const { return grid_.extents.empty() ? 0 : grid_.columns[column].strides.back(); }

  const Api& api_;
  const Problem problem_;
  const kernels::Tiles pieces_;  // rows of an image
  const PixelGrid grid_;
  const int64_t first_tap_;
  std::vector<Source> sources_;  // of the steps behind the sums
  std::unique_ptr<Primitive> whole_, less_;
};

}  // namespace

std::optional<kernels::Misfit> fits(const kernels::Kernel& kernel, const Contraction& c) {
  const Loaded& loaded = library();
  if (!loaded.api) return kernels::Misfit{std::string(kernel.name) + ": " + loaded.failure, "choose another kernel"};
  const Reading reading = read(c);
  if (reading.misfit) return reading.misfit;
  if (Primitive::make(*loaded.api, reading.problem, reading.problem.rows, nullptr)) return std::nullopt;
  return kernels::Misfit{"oneDNN has no fast primitive for it on this machine", "choose another kernel"};
}

int64_t most_splits(const Contraction& c) { return read(c).problem.rows; }

Result<kernels::LibraryKernel> bind(const Contraction& c) {
  const Reading reading = read(c);
  LAPIS_ASSERT(library().api && !reading.misfit, "'" << c.name << "' does not fit oneDNN");
  const auto work = Work::make(*library().api, c, reading.problem, c.schedule.splits);
  if (!work)
    return error(ErrorKind::Unsupported, "'" + c.name + "' cannot be computed: oneDNN has no fast primitive for " +
                                             std::to_string(c.schedule.splits) + " runs of its pixels")
        .help("use fewer runs, or another kernel");
  const auto pack = [work](const Tensor& in_order) { return work->primitive().pack(in_order); };
  return kernels::LibraryKernel{
      {std::string(kernels::row_of(c).name), Work::run, work}, work->units(), work->weight_format(), pack};
}

}  // namespace lapis::onednn
