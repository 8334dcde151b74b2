// Softmax and LogSoftmax: one pass over the lines along an axis.
#include <cmath>

#include "ir/ops/attributes.h"
#include "ir/ops/loops.h"
#include "ir/ops/ops.h"

namespace lapis::ops {
namespace {

Result<Types> infer_softmax(const InferContext& c) {
  if (c.in(0).ranked() && c.in(0).rank() > 0)
    LAPIS_CHECK(status_of(c.axis(c.attrs<SoftmaxAttrs>().axis, c.in(0).rank()).diagnostics()));
  return Types{c.in(0)};
}

// x - max - log(sum(exp(x - max))) for one line; the maximum keeps exp from overflowing. The largest elements, whose
// exp is 1, are counted apart: next to a 1 small ones would vanish, and with them the logarithm of a probability near
// 1.
void log_softmax(Line<double> line) {
  double highest = -INFINITY, beside_one = -1;
  for (int64_t i = 0; i < line.size(); ++i) highest = std::max(highest, line[i]);
  double others = 0;
  for (int64_t i = 0; i < line.size(); ++i) {
    line[i] -= highest;
    if (line[i] == 0)
      ++beside_one;
    else
      others += std::exp(line[i]);
  }
  const double logarithm = std::log1p(beside_one + others);
  for (int64_t i = 0; i < line.size(); ++i) line[i] -= logarithm;
}

void softmax(Line<double> line) {
  double highest = -INFINITY, sum = 0;
  for (int64_t i = 0; i < line.size(); ++i) highest = std::max(highest, line[i]);
  for (int64_t i = 0; i < line.size(); ++i) sum += line[i] = std::exp(line[i] - highest);
  for (int64_t i = 0; i < line.size(); ++i) line[i] /= sum;
}

template <void (*transform)(Line<double>)> Status evaluate_lines(EvalContext& c) {
  const Tensor& x = c.in(0);
  if (x.size() == 0) return c.set_out(0, x), ok();  // of any number of lines
  std::vector<double> values = to_doubles(x);
  for (const Line<double>& line : lines_along(values, x.shape(), c.attrs<SoftmaxAttrs>().axis)) transform(line);
  c.set_out(0, from_doubles(x.dtype(), x.shape(), values));
  return ok();
}

}  // namespace

const OpDef LogSoftmax = op("LogSoftmax")
                             .since(13)
                             .doc("Logarithm of Softmax along one axis.")
                             .in("input", kFloats)
                             .out("output", kFloats)
                             .attrs<SoftmaxAttrs>()
                             .infer(infer_softmax)
                             .evaluate(evaluate_lines<log_softmax>)
                             .traits(Trait::Pure)
                             .quant(Quant::KeepFloat);

const OpDef Softmax = op("Softmax")
                          .since(13)
                          .doc("exp(x) / sum(exp(x)) along one axis.")
                          .in("input", kFloats)
                          .out("output", kFloats)
                          .attrs<SoftmaxAttrs>()
                          .infer(infer_softmax)
                          .evaluate(evaluate_lines<softmax>)
                          .traits(Trait::Pure)
                          .quant(Quant::KeepFloat);

}  // namespace lapis::ops
