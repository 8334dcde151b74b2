// How the range of a value follows from what calibration saw of it:
// one function a method, each as its source defines it.
//
//   Observed seen;
//   seen.add(values_of_a_sample);                                        // for each sample
//   Range r = range_of(seen, {.method = RangeMethod::Entropy});
//
// Everything is read from a histogram and a running average, so one calibration serves every method.
#pragma once

#include "passes/quantize/histogram.h"
#include "passes/quantize/recipe.h"

namespace lapis {

// The exponential moving average of the extremes of one sample after the other: it widens less with the number of
// samples than their extremes do. As `MovingAverageMinMaxObserver` of PyTorch, with its constant: Jacob et al.,
// "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference", 2018, section 3.1.
class MovingRange {
 public:
  static constexpr float kConstant = 0.01f;  // the share of a new sample
  void add(Range sample);
  Range range() const { return average_; }

 private:
  bool first_ = true;
  Range average_;
};

// What calibration remembers of one value, in constant memory.
struct Observed {
  Histogram histogram;
  MovingRange moving;
  void add(std::span<const float> sample);
};

// A method that needs no data (dynamic) has no range: a bug of the caller. `scheme`: of the integers that the values
// become. Entropy, which does not know how large what it cuts off is, gives way to everything seen where that has the
// smaller mean squared error.
Range range_of(const Observed& seen, const RangeOptions& options, const Scheme& scheme = NodeRecipe().data);

// The share (100 - percentile) / 2 of all values is cut off at each end.
Range percentile_range(const Histogram& histogram, double percentile);

// The threshold T for which the values clipped to [-T, T] and rounded to 8 bits say most about the values: the smallest
// Kullback-Leibler divergence of the two distributions. Migacz, "8-bit Inference with TensorRT", GTC 2017; with the
// treatment of zeros (never an error, so their bin counts as its neighbour) of NVIDIA's pytorch-quantization,
// `_compute_amax_entropy`. 128 steps of |x|; 256 if all values lie on one side of 0. Never beyond the extremes.
Range entropy_range(const Histogram& histogram);

// The range whose scale gives the smallest mean squared error of the values seen, bins counting as their centres: both
// ends on a grid of 128 between 0 and the extreme, in turn until neither moves. The criterion is that of
// `HistogramObserver` of PyTorch and of `_compute_amax_mse` of pytorch-quantization; with two ends, because our bytes
// have zero points (symmetric integers: the larger one counts).
Range mse_range(const Histogram& histogram, const Scheme& scheme);
// The mean squared error of rounding the values seen to integers in this range.
double rounding_error(const Histogram& histogram, Range range, const Scheme& scheme);

}  // namespace lapis
