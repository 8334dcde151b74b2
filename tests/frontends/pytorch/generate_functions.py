#!/usr/bin/env python3
"""Makes the PyTorch models of this folder with functions of mathematics and what models count with: generate_functions.py. Needs what generate.py needs.

functions has functions of elements, at their limits too, and operators by their other names; statistics has what runs along an axis, orders it and counts;
arranged turns tensors around and puts them together, parted cuts axes of open size, script_only has what only TorchScript holds: parts of an axis of open size that are not alike, tensors whose channels are quantized by scales of their own."""
import math
import sys

import numpy as np
import torch
import torch.nn.functional as F

from generate import HERE, arrays, record, uniform, without_debug_info
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


class Statistics(torch.nn.Module):
    def forward(self, a, k, s, z, wide):
        limits = a.new_tensor([1.0, -math.inf, 2.0, 2.0, math.inf, 0.5, math.nan, 3.0])
        holes = torch.where(wide > 1, math.nan, wide)
        mixed = torch.stack([limits, limits.flip(0), limits.nan_to_num(7.0), torch.full_like(limits, math.nan)])
        results = [r for x in (k, s, mixed[None], k.to(torch.int8)) for f in (torch.cummax, torch.cummin) for r in f(x, 1)] + [*torch.cummax(z, 0), *torch.cummin(a[:, :0], 1), *torch.cummax(mixed, -1), *torch.cummin(mixed, -1)]
        results += [torch.logcumsumexp(wide * 100, 1), torch.logcumsumexp(mixed, -1), torch.logcumsumexp(mixed[None], 1)] + [torch.logcumsumexp(z, 0), torch.cumprod(k, 1, dtype=torch.float32)]
        for x in (holes, mixed):
            results += [torch.nansum(x), torch.nansum(x, 1), torch.nansum(x, (0, 1), True), torch.nanmean(x), torch.nanmean(x, -1), torch.nanmean(x, 0, True), torch.count_nonzero(x, 1), torch.nanquantile(x, 0.3, 1)]
        results += [torch.nansum(k), torch.nansum(s, 0), torch.nansum(a[:, :0], 1), torch.nanmean(a[:, :0], 1), torch.count_nonzero(k), torch.count_nonzero(k, (0, 1)), torch.count_nonzero(s, 0), torch.count_nonzero(z), torch.count_nonzero(a[:, :0], 1)]
        results += [*torch.std_mean(a), *torch.std_mean(a, 1), *torch.std_mean(a, 0, correction=0, keepdim=True), *torch.aminmax(a), *torch.aminmax(k, dim=1), *torch.aminmax(mixed, dim=0, keepdim=True), *torch.aminmax(s, dim=-1), *torch.aminmax(z, dim=0)]
        results += [*torch.kthvalue(wide, 3), *torch.kthvalue(a, 2, 0, True), *torch.kthvalue(z, 1), torch.kthvalue(mixed, 2, 1).values, torch.kthvalue(k, 4).values, torch.msort(a), torch.msort(k)]
        shares = a.new_tensor([0.0, 0.25, 0.6, 1.0])
        for kind in ("linear", "lower", "higher", "nearest", "midpoint"):
            results += [torch.quantile(wide, 0.37, interpolation=kind), torch.quantile(wide, shares, 1, interpolation=kind), torch.nanquantile(holes, shares, 0, True, interpolation=kind)]
        results += [torch.quantile(holes, shares, -1), torch.quantile(wide, shares, keepdim=True), torch.quantile(wide, shares[2], 0, keepdim=True), torch.quantile(z, 0.5), torch.nanquantile(holes, 0.5)]
        results += [torch.histc(wide, 5, -1, 1), torch.histc(wide, 4), torch.histc(mixed, 3, 0, 3), torch.histc(a * 0 + 2, 4), torch.histc(k.float(), 8, 0, 7), torch.histc(a[:, :0], 3, 0, 1)]
        bounds = torch.sort(wide).values
        results += [f(bounds, holes, **way) for f in (torch.searchsorted,) for way in ({}, {"right": True}, {"side": "right", "out_int32": True})] + [torch.searchsorted(wide, wide, sorter=torch.argsort(wide, 1)), torch.searchsorted(bounds[0], 0.25), torch.searchsorted(bounds[0], z)]
        results += [torch.bucketize(limits, bounds[0]), torch.bucketize(limits, bounds[0], right=True), torch.bucketize(k, k.flatten().sort().values), torch.bucketize(z, bounds[1]), torch.bucketize(a, bounds[0][:0])]
        results += [torch.isin(k, k[0]), torch.isin(k, k[0, :2], invert=True), torch.isin(k, 1), torch.isin(limits, limits[3:]), torch.isin(k, k[0, :0]), torch.isin(z, limits)]
        results += [torch.dist(a, a.flip(0), p) for p in (0, 1, 2, 3, math.inf)] + [F.pairwise_distance(a, a.flip(1)), F.pairwise_distance(a, a.flip(0), 1, keepdim=True), F.pairwise_distance(a[0], a, 3)]
        return tuple(seen(r).clone() for r in results)


class Arranged(torch.nn.Module):
    def forward(self, a, b, k, z, image):
        row, at = a[0], k.abs() % 3
        results = [torch.rot90(image, turns, dims) for turns, dims in ((1, (0, 1)), (2, (-2, -1)), (-1, (3, 1)), (4, (2, 3)))] + [torch.rot90(a, 7, [1, 0]), torch.fliplr(a), torch.flipud(k), torch.flip(z, ())]
        results += [f([x, y]) for f in (torch.hstack, torch.vstack, torch.dstack, torch.column_stack, torch.row_stack) for x, y in ((row, b[0]), (a, b), (a, k))] + [torch.hstack([z, row]), torch.vstack([z, z]), torch.dstack([image, image]), torch.column_stack([z, row[:1], a[:1]])]
        results += [torch.block_diag(a, row, z, k[:, :2]), torch.block_diag(k, at), torch.block_diag(a, row[:0]), torch.diagflat(a), torch.diagflat(k, -2), torch.diagflat(z, 1)]
        results += [f(*way) + k[0, 0] for f in (torch.tril_indices, torch.triu_indices) for way in ((3, 4), (3, 4, 1), (4, 2, -1), (2, 3, 9))] + [torch.tril_indices(3, 3, dtype=torch.int32)]
        results += [torch.take(a, k % 5), torch.take(a, -at - 1), torch.take_along_dim(a, at, 1), torch.take_along_dim(a, at[:, :1], 0), torch.take_along_dim(a[:1], at, -1), torch.take_along_dim(a, at), torch.take_along_dim(image[0], image[0, :, :1].argmax(-1, keepdim=True), 2)]
        results += [torch.atleast_1d(z), torch.atleast_2d(z), torch.atleast_2d(row), torch.atleast_3d(z), torch.atleast_3d(row), torch.atleast_3d(a), torch.atleast_1d(a) + 1, torch.vdot(row, b[0])]
        results += [F.interpolate(image[0], 4, mode="nearest-exact"), F.interpolate(image[None], (3, 2, 7), mode="nearest-exact")]
        return tuple(r.clone() for r in results)


class Parted(torch.nn.Module):
    def forward(self, a):
        return *(p + 1 for p in torch.chunk(a, 2)), *(p * 2 for p in torch.tensor_split(a, 2)), *torch.tensor_split(a * 3, (1, -1))


class ScriptOnly(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("scales", torch.tensor([0.02, 0.05, 0.01, 0.03]))
        self.register_buffer("zeros", torch.tensor([3, -7, 0, 20]))
        self.register_buffer("wide_scales", self.scales.double() * 2)
        self.register_buffer("middles", torch.tensor([128, 7, 0, 255]))

    def forward(self, x):
        by_column = torch.quantize_per_channel(x, self.scales, self.zeros, 1, torch.qint8)
        by_last = torch.quantize_per_channel(x, self.wide_scales, self.middles, 3, torch.quint8)
        return by_column.dequantize(), by_last.dequantize(), torch.quantize_per_tensor(x, 0.03, 4, torch.qint8).dequantize(), torch._shape_as_tensor(x) + 1, *(p + 1 for p in torch.chunk(x, 3)), *(p * 2 for p in torch.tensor_split(x, 3)), *(p - 1 for p in torch.unsafe_chunk(x, 2, -4))


def main():
    k = torch.randint(-3, 4, (3, 4))
    record("functions", Functions(), {"a": uniform(3, 4), "b": uniform(3, 4), "k": k, "s": k > 0})
    record("statistics", Statistics(), {"a": uniform(3, 4), "k": k, "s": k > 0, "z": torch.tensor(2.5), "wide": uniform(4, 11)})
    record("arranged", Arranged(), {"a": uniform(3, 4), "b": uniform(3, 4), "k": k, "z": torch.tensor(2.5), "image": uniform(2, 3, 4, 5)})
    record("parted", Parted(), {"a": uniform(8, 3)}, core=False, dynamic={"a": {0: 2 * torch.export.Dim("half", min=2, max=32)}})
    script_only, x = ScriptOnly(), uniform(7, 4, 3, 4)
    np.savez_compressed(HERE / "script_only.npz", **arrays({"x": x}, script_only(x)))
    torch.jit.save(torch.jit.trace(script_only, (x,)), str(HERE / "script_only.pt"))
    for name in ("functions", "statistics", "arranged", "parted", "script_only"):
        without_debug_info(HERE / f"{name}.pt")


if __name__ == "__main__":
    sys.exit(main())
