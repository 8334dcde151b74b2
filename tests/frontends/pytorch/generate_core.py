#!/usr/bin/env python3
"""Makes the PyTorch models of this folder with the rarer operators of Core ATen: generate_core.py. Needs what generate.py needs.

core_aten has them, any_size some for open sizes, common some that models have beside them; mixed has operators whose operands are of several types, or at the limits of their types. chosen has results of as many elements as
values choose, so that it can only be evaluated; what it gives is in chosen_some.npz. core_aten.txt has the names of all of Core ATen."""
import math
import sys

import numpy as np
import torch
import torch.nn.functional as F

from generate import HERE, arrays, record, save, uniform, without_debug_info

torch.manual_seed(23)
A = torch.ops.aten


class CoreAten(torch.nn.Module):
    def forward(self, a, image, grid, table, at, points):
        limits = a.new_tensor([math.inf, -math.inf, math.nan, 0.0, -0.0, 1.5, -2.5])
        mask = a > 0
        columns = F.unfold(image, (2, 3), dilation=(2, 1), padding=(1, 0), stride=(1, 2))
        offsets = at.new_tensor([0, 2, 2, 5])
        filled, moved = image.clone(), image.clone()
        filled.diagonal(1, 2, 3).fill_(7.0)
        moved[:, at[:2] % 4, :, at[:2] % 5] = 2.0
        results = [torch.atan2(limits[:, None], limits).nan_to_num(9.0), A.as_strided(a, [2, 3], [2, 1], 1), A.as_strided(a, [3, 4], [1, 1]), columns, filled, moved]
        results += [torch.diagonal(image, offset, *axes) for offset, axes in ((0, (0, 1)), (-2, (1, 2)), (1, (-1, 1)), (5, (2, 3)))]
        results += [A.diagonal_scatter(a, a[0, :3], 1), A.masked_scatter(a, mask, image), a[:, at % 4], image[at % 2, :, at % 5], image[0, :, at % 5]]
        results += [F.grid_sample(image, grid, mode, padding, align)
                    for mode in ("bilinear", "nearest", "bicubic") for padding in ("zeros", "border", "reflection") for align in (False, True)]
        results += [F.grid_sample(image[:, :, None], grid[:, None, :, :, [0, 0, 1]], align_corners=True)]
        results += [F.fold(columns, (5, 6), (2, 3), dilation=(2, 1), padding=(1, 0), stride=(1, 2)), F.fold(columns[0], (5, 6), (2, 3), dilation=(2, 1), padding=(1, 0), stride=(1, 2))]
        results += [torch.cdist(points, points[:3] * 0.5, p) for p in (0.0, 1.0, 2.0, 3.0, math.inf)] + [torch.pdist(points, 3.0), torch.linalg.vector_norm(a, 2.5, 1), torch.linalg.vector_norm(a, 0)]
        results += [F.embedding_bag(at, table, offsets, mode=mode, padding_idx=padding) for mode in ("sum", "mean", "max") for padding in (None, 2)]
        results += [F.embedding_bag(at, table, offsets, mode="sum", per_sample_weights=points[:5, 0]), F.embedding_bag(at[:4].view(2, 2), table), F.embedding_bag(at, table, offsets, include_last_offset=True)]
        results += [*F.max_pool2d(image, 2, 1, return_indices=True), *F.max_pool2d(image[0], 3, 2, 1, return_indices=True), *F.max_pool3d(image[None], 2, return_indices=True)]
        results += [*F.adaptive_max_pool2d(image, (1, 3), return_indices=True), *A.native_dropout(a, 0.5, False), A.empty_strided([2, 3], [3, 1]).fill_(2.0)]
        results += [torch.cumprod(a, 1), torch.argsort(a, 1), F.hardshrink(a, 0.4), F.softshrink(a, 0.4), F.softplus(a, 2, 1), A.elu(a, 0.5, 2.0, 0.7), torch.sign(limits)]
        results += [F.adaptive_avg_pool2d(image, (2, 4)), F.adaptive_avg_pool2d(image[0], (7, 4)), F.adaptive_max_pool2d(image, (3, 4)), F.avg_pool2d(image, 2, divisor_override=3), torch.roll(a, 5), torch.roll(a, (7, -5), (0, 1))]
        index = at[:4].view(2, 2) % 3
        results += [torch.scatter_reduce(a, 1, index, points, reduce, include_self=here) for reduce in ("sum", "prod", "mean", "amax", "amin") for here in (True, False)]
        results += [torch.scatter(a, 0, index, points), torch.scatter_add(a, 1, index, points), torch.scatter(a, 1, index, points, reduce="add"), torch.scatter(a, 1, index, 2.0, reduce="multiply")]
        results += [torch.scatter_reduce(at, 0, index[0], offsets, reduce, include_self=False) for reduce in ("mean", "amax", "amin")]
        return tuple(r.clone() for r in results)


class Common(torch.nn.Module):
    """What models often have beyond Core ATen, before it is decomposed."""

    def forward(self, a, image, at, queries):
        numbers = a[0].sort().values
        results = [torch.einsum("ij,kj,kl->il", a, a, a), torch.einsum("bcii->bc", image[..., :5]), F.scaled_dot_product_attention(queries, queries[:, :2], queries[:, :2], enable_gqa=True)]
        results += [torch.repeat_interleave(a, 2), image.unfold(2, 2, 3), a.unfold(-1, 3, 1), F.pixel_unshuffle(image[..., :4, :], 2), torch.fmax(a, -a), torch.fmin(a, at[:4]), torch.sgn(a)]
        results += [F.cosine_similarity(a, a.flip(0)), torch.bucketize(a, numbers), torch.bucketize(a, numbers, right=True, out_int32=True), torch.searchsorted(numbers, a, side="right"), torch.ravel(a),
                    torch.moveaxis(image, 0, -1), torch.swapdims(a, 0, 1), torch.broadcast_to(a, (2, 3, 4)), torch.roll(a, 4, 1)]
        return tuple(r.clone() for r in results)


class Mixed(torch.nn.Module):
    """What types promote to, numbers that a type does not hold, and tensors without axes."""

    def forward(self, a, k, b, s, z):
        wide, empty = a.double(), a[:, :0]
        results = [f(b, -3) for f in (torch.add, torch.mul, torch.div, torch.eq, torch.lt, torch.ge, torch.remainder)] + [-b, torch.relu(b), b**2, torch.square(s), torch.sign(s)]
        results += [torch.div(a, 0.1, rounding_mode="floor"), torch.div(k, 0.1, rounding_mode="floor"), k // 0.1, a % -0.7, torch.nan_to_num(a % math.inf), (a * 10) // 0.3, torch.div(a, math.inf, rounding_mode="floor"), torch.maximum(s, ~s), torch.minimum(s, ~s)]
        results += [torch.clamp(b, min=-1), torch.clamp(k, -0.5, 1.5), torch.clamp(k, max=0.5), torch.clamp(k, a[0], a[0] + 1), torch.where(s, 1, 2), torch.where(s, 1.5, 2), torch.addcmul(a, k, wide)]
        results += [torch.any(b, 0), torch.all(b), torch.any(k, []), A.any.dims(k, [], True), torch.argmax(a, keepdim=True), torch.max(s, 1).values, torch.max(s, 0).indices, torch.sort(s, stable=True, dim=1)[0]]
        results += [f(z, 0) for f in (torch.sum, torch.amax, torch.argmax, torch.cumsum, torch.any, torch.logsumexp)] + [*torch.sort(z), *torch.max(z, 0), *torch.topk(z, 1)]
        results += [torch.logsumexp(k, 0), torch.sum(empty, 1), torch.any(empty, 1), torch.prod(empty, 1), torch.pow(z, 0.5), F.celu(wide, 0.7), F.layer_norm(wide, [4]), torch.addmm(a * math.inf, a, a.T @ a, beta=0), torch.scatter(z, 0, k[0, 0] * 0, z + 1), torch.masked_fill(k, s, 2)]
        return tuple(r.clone() for r in results)


class OfAnySize(torch.nn.Module):
    def forward(self, a, image):
        return torch.roll(a, 4, 0), torch.roll(a, -1, 0), torch.masked_scatter(a, a > 0, -a.flip(0)), F.max_pool2d(image, 2, return_indices=True)[1]


class Chosen(torch.nn.Module):
    def forward(self, a, mask, values):
        put = a.clone()
        put[mask] = values
        return *torch.where(a > 0), torch.nonzero(a > 0), torch.masked_select(a, mask[:, None]), a[mask], a[:, mask[:2]], a[a > 0], torch.nonzero(mask), put


def names_of_core_aten():
    """Of operators, whose forms that work in place have an underscore."""
    names = {name.removeprefix("aten::").split(".")[0] for name in torch._C._dispatch_get_all_op_names() if name.startswith("aten::")}
    return sorted({name.removesuffix("_") for name in names if any(torch.Tag.core in getattr(getattr(A, name), o).tags for o in getattr(A, name).overloads())})


def main():
    (HERE / "core_aten.txt").write_text("\n".join(names_of_core_aten()) + "\n")
    inputs = {"a": uniform(3, 4), "image": uniform(2, 4, 5, 6), "grid": uniform(2, 3, 4, 2), "table": uniform(6, 3), "at": torch.tensor([1, 2, 0, 5, 2]), "points": uniform(5, 3)}
    record("core_aten", CoreAten(), inputs, traced=False)
    k = torch.randint(-4, 5, (3, 4))
    record("mixed", Mixed(), {"a": uniform(3, 4), "k": k, "b": torch.tensor([[1, 2, 250], [0, 7, 253]], dtype=torch.uint8), "s": k > 0, "z": torch.tensor(2.5)}, traced=False)
    inputs = {"a": uniform(3, 2), "mask": torch.tensor([True, False, True]), "values": uniform(2, 2)}
    model = Chosen().eval()
    save(torch.export.export(model, tuple(inputs.values())), HERE / "chosen.pt2")
    torch.jit.save(torch.jit.trace(model, tuple(inputs.values())), str(HERE / "chosen.pt"))
    np.savez_compressed(HERE / "chosen_some.npz", **arrays(inputs, model(*inputs.values())))
    without_debug_info(HERE / "chosen.pt")
    d = torch.export.Dim
    inputs = {"a": uniform(3, 2), "image": uniform(3, 2, 4, 5)}
    record("any_size", OfAnySize(), inputs, traced=False, dynamic={"a": {0: d("rows", min=2, max=64)}, "image": {0: d("rows", min=2, max=64)}})
    record("common", Common(), {"a": uniform(3, 4), "image": uniform(2, 4, 5, 6), "at": torch.tensor([1, 2, 0, 5, 2]), "queries": uniform(1, 4, 3, 8)}, traced=False)


if __name__ == "__main__":
    sys.exit(main())
