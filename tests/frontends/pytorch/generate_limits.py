#!/usr/bin/env python3
"""Makes the PyTorch models of this folder that show what operators do at the limits of their operands: generate_limits.py. Needs what generate.py needs.

limits has infinities, what is no number, masks that hide all, tensors without axes or elements, and integers that no double holds; rarer has operators that few models have.
What is no number or infinite is a number in what is recorded, so that it can be compared."""
import math
import sys

import torch
import torch.nn.functional as F

from generate import HERE, record, uniform, without_debug_info

torch.manual_seed(29)
A = torch.ops.aten
WIDE = 2**53 + 1


def seen(x):
    return x.nan_to_num(9.0, 11.0, -11.0) if x.is_floating_point() else x


class Limits(torch.nn.Module):
    def forward(self, a, k, z, heads, mask, image, grid):
        limits = a.new_tensor([math.inf, -math.inf, math.nan, 0.0, -0.0, 1.5, -2.5])
        hides = torch.where(mask, 0.0, -math.inf)
        nothing = a.new_zeros(0)
        results = [F.gelu(limits[1:2]), F.threshold(limits, 0.1, 7.0), *(limits**p for p in (-0.5, 0.5, -1, 1 / 3, -2.0)), torch.rsqrt(limits)]
        results += [F.scaled_dot_product_attention(heads, heads, heads, attn_mask=m) for m in (mask, hides)]
        results += [F.scaled_dot_product_attention(heads[0], heads[0], heads[0], attn_mask=m[0, 0]) for m in (mask, hides)]
        results += [F.scaled_dot_product_attention(heads, heads[:, :2], heads[:, :2], is_causal=True)]
        results += [F.grid_sample(image, grid, mode, padding, False) for mode in ("bilinear", "nearest", "bicubic") for padding in ("zeros", "border", "reflection")]
        holes, one_hole = torch.where(image > 0.5, math.nan, image), torch.where(image == image.amax((2, 3), True), math.nan, image)
        results += [*F.max_pool2d(one_hole, 2, return_indices=True), *F.max_pool2d(one_hole, 3, 2, 1, return_indices=True), torch.median(holes), *torch.median(holes, 3), torch.nanmedian(holes, 2, keepdim=True).values]
        results += [k + torch.full((3, 4), WIDE), torch.full_like(k, WIDE), k.new_full((2,), -WIDE), torch.empty_like(k).fill_(WIDE), k + WIDE, k.masked_fill(k > 0, WIDE)]
        results += [torch.add(k, k, alpha=WIDE), torch.clamp(k * 2**52, -WIDE, WIDE), F.pad(k, (1, 1), value=WIDE), torch.scatter(k, 1, k * 0, WIDE)]
        results += [z.transpose(0, -1), z.transpose(0, 0) + 1, z.swapaxes(0, -1) * 2, z.t() * 3]
        results += [torch.cat([nothing, a]), torch.cat([a, nothing, a], 1), torch.cat([nothing, k]), torch.cat([nothing, nothing]), torch.cat([a[:0], a])]
        results += [*A.native_layer_norm(a, [4], None, None, 1e-5), *A.native_layer_norm(a, [3, 4], None, a, 1e-5), *A.native_group_norm(image, None, None, 2, 2, 30, 2, 1e-5)]
        return tuple(seen(r).clone() for r in results)


class Rarer(torch.nn.Module):
    def forward(self, a, b, k, bytes_):
        limits = a.new_tensor([math.inf, -math.inf, math.nan, 0.0, -0.0, 1.5, -2.5])
        by = torch.arange(4) * 2
        results = [torch.median(a), *torch.median(a, 1), torch.median(a[:, :3], 0, keepdim=True).values, torch.median(k), torch.nanmedian(a), *torch.nanmedian(a, 0)]
        results += [torch.erfc(a * 4), torch.erfc(limits), torch.special.erfc(a), torch.copysign(a, b), torch.copysign(a, -1.0), torch.copysign(k, b), torch.copysign(limits[:2, None], limits[3:])]
        results += [torch.hypot(a, b), torch.hypot(a * 1e30, a * 1e30) / 1e30, torch.hypot(limits[:, None], limits), torch.signbit(limits[3:]), torch.signbit(k)]
        for x in (k, k.int(), k.short(), k.to(torch.int8), bytes_):
            results += [x << 3, x >> 2, x << by.to(x.dtype), torch.bitwise_right_shift(x, by.to(x.dtype)), torch.bitwise_left_shift(x, 1)]
        results += [k >> 70, k << 70, k >> torch.tensor(63), torch.round(a, decimals=2), torch.round(a * 1000, decimals=-2), torch.round(limits, decimals=1)]
        results += [torch.diag(a[0]), torch.diag(a[0], 2), torch.diag(k[1], -1), torch.diag(a), torch.diag(a, 1), torch.diag(a, -2), torch.diag_embed(a), torch.diag_embed(a, 1, 0, 2), torch.diag_embed(a, -2, -1, 1)]
        results += [torch.trace(a), torch.trace(k), torch.eye(4) + a[0], torch.eye(3, 4, dtype=torch.int64) + k, torch.eye(a.shape[1], 2) + a.sum()]
        results += [torch.linspace(-1, 1, 4) + a, torch.linspace(3, 5, 1) + a, torch.linspace(0, a.shape[1] - 1, a.shape[1]) + a, torch.linspace(0, 10, 4, dtype=torch.int64) + k, torch.linspace(-1, 2, 11) * a[0, 0]]
        results += [torch.diff(a), torch.diff(k, 2, 0), torch.diff(a, dim=0, prepend=b[:1], append=b), *(torch._weight_norm(a[..., None], g, dim) for g, dim in ((b[:, :1, None], 0), (b[:1, :, None], 1), (b[0, 0], -1)))]
        return tuple(seen(r).clone() for r in results)


def main():
    mask = torch.tensor([[[[True, False, True], [False, False, False], [True, True, True]]], [[[False, False, False], [True, True, False], [False, True, False]]]])
    grid = uniform(2, 4, 3, 2, low=-1.5, high=1.5)
    grid[0, 0, 0, 0], grid[1, 1, 1], grid[0, 2, 2, 1], grid[1, 0, 0, 0] = math.nan, math.nan, math.inf, 1e20
    k = torch.randint(-9, 10, (3, 4))
    inputs = {"a": uniform(3, 4), "k": k, "z": torch.tensor(2.5), "heads": uniform(2, 2, 3, 8), "mask": mask, "image": uniform(2, 2, 5, 6), "grid": grid}
    record("limits", Limits(), inputs)
    record("rarer", Rarer(), {"a": uniform(3, 4), "b": uniform(3, 4), "k": k, "bytes_": torch.randint(0, 256, (3, 4), dtype=torch.uint8)})
    for name in ("limits", "rarer"):
        without_debug_info(HERE / f"{name}.pt")


if __name__ == "__main__":
    sys.exit(main())
