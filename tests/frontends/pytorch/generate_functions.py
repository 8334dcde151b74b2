#!/usr/bin/env python3
"""Makes the PyTorch models of this folder with functions of mathematics and what models count with: generate_functions.py. Needs what generate.py needs.

functions has functions of elements, at their limits too, and operators by their other names."""
import math
import sys

import torch
import torch.nn.functional as F

from generate import HERE, record, uniform, without_debug_info
from generate_limits import seen

torch.manual_seed(31)
A = torch.ops.aten


class Functions(torch.nn.Module):
    def forward(self, a, b, k, s):
        limits = a.new_tensor([math.inf, -math.inf, math.nan, 0.0, -0.0, 1.0, -1.0, 2.5])
        rows, unit, tiny = limits[:, None], torch.sigmoid(a), a * 1e-6
        others = (torch.xlogy, torch.special.xlog1py, torch.logaddexp, torch.logaddexp2, torch.heaviside, torch.ldexp)
        results = [f(rows, limits) for f in others] + [f(a.abs(), b.abs()) for f in others] + [torch.xlogy(k, 3), torch.xlogy(2.0, b.abs()), torch.special.xlog1py(k, b.abs()), torch.ldexp(a, k), torch.heaviside(k, k + 7)]
        ones = (torch.logit, torch.sinc, torch.deg2rad, torch.rad2deg, torch.special.erfinv, torch.special.entr, torch.special.ndtr, torch.log1p, torch.expm1, torch.isposinf, torch.isneginf, torch.angle)
        results += [f(x) for f in ones for x in (limits, unit, tiny, k, s)] + [torch.logit(unit, 0.4), torch.logit(limits, 1e-3), torch.erfinv(unit * 2 - 1), torch.erfinv(1 - unit * 1e-4)]
        results += [torch.float_power(a.abs(), 2.3), torch.float_power(k, 3), torch.float_power(1.1, a), torch.float_power(b.abs(), a)]
        results += [torch.isclose(rows, limits), torch.isclose(rows, limits, equal_nan=True), torch.isclose(a, a * 1.001, rtol=2e-3), torch.isclose(a, a + 1e-3, rtol=0, atol=1e-3 * 1.5), torch.isclose(k, k + 1), torch.isclose(k, k, 0, 0), torch.isclose(s, s)]
        results += [torch.lerp(a, b, 0.9), torch.lerp(a, b, unit), torch.lerp(rows, limits, 0.2), torch.lerp(rows, limits, 0.7), torch.lerp(rows, limits, limits), torch.nan_to_num(limits.half()), torch.nan_to_num(limits.double(), 1.0, -2.0), torch.nan_to_num(limits.bfloat16()).float()]
        results += [torch.absolute(a), torch.arccos(unit), torch.arccosh(a.abs() + 1), torch.arcsin(unit), torch.arcsinh(a), torch.arctan(a), torch.arctan2(a, b), torch.arctanh(unit), torch.divide(a, b, rounding_mode="floor"), torch.fix(a), torch.greater(a, b), torch.greater_equal(k, 1)]
        results += [torch.less(a, b), torch.less_equal(k, 1), torch.multiply(a, k), torch.negative(a), torch.not_equal(k, 1), torch.subtract(a, b, alpha=2), torch.concatenate([a, b], 1), *torch.unsafe_split_with_sizes(a, [1, 2])]
        p = torch.special
        results += [p.erf(a), p.erfc(a), p.exp2(a), p.expit(a), p.expm1(a), p.log1p(unit), p.log_softmax(a, 1), p.logit(unit), p.logsumexp(a, 1), p.round(a), p.sinc(a), p.softmax(a, 0), p.xlogy(unit, b.abs())]
        return tuple(seen(r).clone() for r in results)


def main():
    k = torch.randint(-3, 4, (3, 4))
    record("functions", Functions(), {"a": uniform(3, 4), "b": uniform(3, 4), "k": k, "s": k > 0})
    for name in ("functions",):
        without_debug_info(HERE / f"{name}.pt")


if __name__ == "__main__":
    sys.exit(main())
