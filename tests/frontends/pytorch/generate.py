#!/usr/bin/env python3
"""Makes the PyTorch models of this folder and records what PyTorch computes: generate.py. Needs torch==2.15.0, torchao==0.18.0 and numpy.

Each model has many operators, an output for each, so that there are few files. NAME.pt2 is the exported program, NAME_core.pt2 the same decomposed to
Core ATen, NAME_old.pt2 in the archive of PyTorch 2.1 to 2.7, NAME.pt what torch.jit.trace or script makes; NAME.npz has arrays in_NAME and out0, out1, ...
NAME.error says what the message about a model that cannot be imported must have."""
import io
import json
import pathlib
import sys
import zipfile

import numpy as np
import torch
import torch.ao.quantization.fx._decomposed  # registers quantized_decomposed
import torch.nn.functional as F
from torch.ao.quantization import get_default_qat_qconfig_mapping, get_default_qconfig_mapping
from torch.ao.quantization.quantize_fx import convert_fx, prepare_fx, prepare_qat_fx
from torch._higher_order_ops import while_loop
from torch._higher_order_ops.map import map as higher_order_map
from torch._higher_order_ops.scan import scan

HERE = pathlib.Path(__file__).parent
torch.manual_seed(7)


def uniform(*shape, low=-2.0, high=2.0):
    return torch.rand(shape) * (high - low) + low


def flat(result):
    return [r for r in (result if isinstance(result, (tuple, list)) else [result])]


def arrays(inputs, result):
    return {"in_" + k: v.numpy() for k, v in inputs.items()} | {f"out{i}": r.detach().contiguous().numpy() for i, r in enumerate(flat(result))}


def record(name, model, inputs, core=True, old=False, traced=True, dynamic=None):
    model = model.eval()
    with torch.no_grad():
        result = model(*inputs.values())
    program = torch.export.export(model, tuple(inputs.values()), dynamic_shapes=dynamic)
    save(program, HERE / f"{name}.pt2")
    np.savez_compressed(HERE / f"{name}.npz", **arrays(inputs, result))
    if core:
        save(program.run_decompositions(), HERE / f"{name}_core.pt2")
    if old:
        (HERE / f"{name}_old.pt2").write_bytes(in_old_archive(HERE / f"{name}.pt2", model))
    if traced:
        with torch.no_grad():
            torch.jit.save(torch.jit.trace(model, tuple(inputs.values())), str(HERE / f"{name}.pt"))


def save(program, file):
    """Without what nobody reads: example inputs, and paths of this machine in stack traces."""
    buffer = io.BytesIO()
    torch.export.save(program, buffer)
    with zipfile.ZipFile(buffer) as old, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.namelist():
            content = old.read(entry)
            if "sample_inputs" in entry or ".data" in entry:
                continue
            if entry.endswith("models/model.json"):
                content = json.dumps(smaller(json.loads(content)), separators=(",", ":")).encode()
            new.writestr(zipfile.ZipInfo(entry), content, zipfile.ZIP_DEFLATED)


def smaller(program):
    program["graph_module"]["module_call_graph"] = []
    program["guards_code"] = []
    reduce(program["graph_module"]["graph"])
    return program


def reduce(graph):
    """Of a graph, and of those that its nodes run."""
    graph["tensor_values"] = {k: v for k, v in graph["tensor_values"].items() if any(k == i.get("as_tensor", {}).get("name") for i in graph["inputs"])}
    for node in graph["nodes"]:
        trace = node["metadata"].get("stack_trace", "")
        lines = [line.replace(str(HERE) + "/", "") for line in trace.splitlines() if str(HERE) in line]
        node["metadata"] = {"stack_trace": "\n".join(lines)} if lines else {}
        for argument in (i["arg"] for i in node["inputs"]):
            if "as_graph" in argument:
                reduce(argument["as_graph"]["graph"])


def in_old_archive(file, model):
    with zipfile.ZipFile(file) as new:
        folder = new.namelist()[0].split("/")[0]
        program = new.read(f"{folder}/models/model.json")
    states, out = io.BytesIO(), io.BytesIO()
    torch.save({k: v.detach() for k, v in model.state_dict(keep_vars=True).items()}, states)
    with zipfile.ZipFile(out, "w") as old:
        for name, content in {"serialized_exported_program.json": program, "serialized_state_dict.pt": states.getvalue(),
                              "serialized_constants.pt": b"", "version": b"7.3"}.items():
            old.writestr(zipfile.ZipInfo(name), content)
    return out.getvalue()


class Elementwise(torch.nn.Module):
    def forward(self, a, b, k):
        p = a.abs() + 0.5
        s = a * 0.4
        row = b[:, :1]
        results = [f(a) for f in (torch.relu, torch.sigmoid, torch.tanh, torch.exp, torch.abs, torch.neg, torch.floor, torch.ceil, torch.sign, torch.erf,
                                  torch.sin, torch.cos, torch.square, torch.trunc, torch.round, torch.expm1, torch.atan, torch.sinh, torch.cosh, torch.asinh,
                                  F.silu, F.gelu, F.hardswish, F.hardsigmoid, F.relu6, F.hardtanh, F.leaky_relu, F.elu, F.selu, F.celu, F.mish, F.softplus,
                                  F.logsigmoid, torch.isnan, torch.logical_not, torch.zeros_like, torch.ones_like, torch.clone, torch.positive)]
        results += [f(p) for f in (torch.log, torch.log2, torch.log10, torch.log1p, torch.sqrt, torch.rsqrt, torch.reciprocal)]
        results += [torch.tan(s), torch.asin(s), torch.acos(s), torch.atanh(s), torch.acosh(p + 1), torch.exp2(s)]
        results += [a + b, a - b, a * b, a / p, torch.add(a, b, alpha=2), torch.sub(a, b, alpha=0.5), 2 - a, a + 2, a * 2, a / 2, 1 / p, a**2, p**b, 2**a]
        results += [torch.maximum(a, b), torch.minimum(a, b), a > b, a >= b, a < b, a <= b, a == b, a != b, a > 0.5, a % 0.7, torch.fmod(a, 0.7), a // 0.7]
        results += [k + 1, k * 2, k / 2, (k + 0.5).float(), k // 2, k % 3, k > 1, k + a[0], k & 3, k | 4, k ^ 1, ~k, torch.div(k, 2, rounding_mode="trunc"), -k]
        results += [torch.logical_and(a > 0, b > 0), torch.logical_or(a > 0, b > 0), torch.logical_xor(a > 0, b > 0), (a > 0) & (b > 0), ~(a > 0)]
        results += [torch.where(a > 0, a, b), a.masked_fill(a > 0, -1.0), torch.clamp(a, -1, 0.5), torch.clamp(a, min=0.1), torch.clamp(a, max=0.1), a.clamp_min(0.2)]
        results += [torch.addcmul(a, a, b, value=0.5), torch.addcdiv(a, b, p), torch.lerp(a, b, 0.3), a * row, F.threshold(a, 0.1, 0.2), F.glu(a, 2), F.softmax(a, 1),
                    F.log_softmax(a, -1), a.to(torch.int32), k.float(), a.double(), a.half(), k.bool(), a.type_as(k), F.gelu(a, approximate="tanh"), a.long(), a.int()]
        return tuple(results)


class Shapes(torch.nn.Module):
    def forward(self, a, image):
        n = a.size(0)
        c = torch.chunk(a, 3, 1)
        s = torch.split(a, 4, 1)
        z = torch.split(a, [1, 2, 3], 1)
        u = torch.unbind(a, 0)
        results = [a.view(n, -1), a.reshape(-1, 4), a.flatten(), a.flatten(1), a.flatten(0, 1), a.permute(2, 0, 1), a.transpose(1, 2), a[0].t(), a.unsqueeze(1), a[:, :1].squeeze(1),
                   a[:, :1].squeeze(), a[:, :1].expand(-1, 5, -1), a.repeat(2, 1, 1), a.repeat(2, 1, 1, 2), torch.cat([a, a], 2), torch.stack([a, a], 1), c[0], c[2], s[0], s[1], z[2], u[1],
                   a[:, 1], a[:, -1], a[:, 1:5:2], a[..., -2:], a.narrow(1, 2, 3), a.flip(1), a.roll(1, 1), a.movedim(0, 2), a.unflatten(1, (2, 3)), a.tril(), a.triu(1),
                   a.view_as(a.reshape(a.shape)), a.expand_as(a), F.pad(a, (1, 2)), F.pad(a, (1, 2, 0, 1), value=1.5), F.pad(image, (1, 2, 0, 1), mode="reflect"),
                   F.pad(image, (1, 2, 0, 1), mode="replicate"), F.pixel_shuffle(image, 2), a.repeat_interleave(2, 1), a.select(2, 1), a.swapaxes(0, 1), a.tile((1, 2, 1)), image.mT]
        return tuple(r.clone() for r in results)


class Reductions(torch.nn.Module):
    def forward(self, a, k):
        results = []
        for f in (torch.sum, torch.mean, torch.amax, torch.amin):
            results += [f(a, 1), f(a, (0, 2), keepdim=True)]
        m, i = torch.max(a, 1)
        n, j = torch.min(a, 2, keepdim=True)
        v, t = torch.topk(a, 2)
        w, o = torch.sort(a, 1, descending=True)
        results += [a.sum(), a.mean(), a.max(), a.min(), k.sum(), m, i, n, j, v, t, w, o, torch.argmax(a, 1), torch.argmin(a, 2, keepdim=True), torch.argmax(a), torch.any(a > 1, 1),
                    torch.all(a > -1, 1), torch.any(a > 1), torch.prod(a, 1), torch.var(a, 1), torch.std(a, (0, 1)), torch.var(a, 1, unbiased=False), torch.norm(a, dim=1), torch.norm(a, p=1, dim=1),
                    torch.linalg.vector_norm(a, float("inf"), 1), torch.logsumexp(a, 1), torch.cumsum(a, 1), torch.cumsum(k, 0), torch.var_mean(a, 1)[1], torch.max(a, a * 0.5), torch.max(a, 1).values]
        return tuple(results)


class Windows(torch.nn.Module):
    def __init__(self):
        super().__init__()
        nn = torch.nn
        self.layers = nn.ModuleList([nn.Conv2d(4, 3, 3), nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2), groups=2, bias=False), nn.Conv2d(4, 4, 3, padding="same"),
                                     nn.ConvTranspose2d(4, 2, 3, stride=2, padding=1, output_padding=1), nn.ConvTranspose2d(4, 4, 2, groups=2), nn.MaxPool2d(2), nn.MaxPool2d(3, 2, 1, ceil_mode=True),
                                     nn.AvgPool2d(2), nn.AvgPool2d((2, 3), (2, 1), (1, 1), count_include_pad=False), nn.AvgPool2d(3, 2, 1), nn.AdaptiveAvgPool2d(1), nn.AdaptiveAvgPool2d((3, 4)),
                                     nn.AdaptiveMaxPool2d(1), nn.BatchNorm2d(4), nn.BatchNorm2d(4, affine=False), nn.InstanceNorm2d(4), nn.GroupNorm(2, 4), nn.LayerNorm([9, 8]), nn.PReLU(4), nn.PReLU(),
                                     nn.Upsample(scale_factor=2), nn.Upsample(size=(5, 11), mode="bilinear"), nn.Upsample(scale_factor=1.5, mode="bilinear", align_corners=True),
                                     nn.Upsample(scale_factor=2, mode="bicubic"), nn.Dropout(0.5), nn.Identity()])
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean, module.running_var = uniform(4), uniform(4, low=0.5, high=1.5)
        self.line = nn.Sequential(nn.Conv1d(3, 2, 3, padding=1), nn.MaxPool1d(2), nn.AvgPool1d(2), nn.AdaptiveAvgPool1d(1))

    def forward(self, image, line):
        return tuple(layer(image) for layer in self.layers) + (self.line(line), F.conv1d(line[0], self.line[0].weight))


class Products(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear, self.bare = torch.nn.Linear(4, 3), torch.nn.Linear(4, 2, bias=False)
        self.table, self.norm = torch.nn.Embedding(7, 4), torch.nn.LayerNorm(4)
        self.rms = torch.nn.RMSNorm(4)

    def forward(self, a, b, batch, tokens):
        mask = torch.ones(3, 3, dtype=torch.bool).tril()
        e = self.table(tokens)
        x = batch.clone()
        x[:, 0] = 1.5
        y = batch.clone()
        y[:, 1:, :2] += 1
        w = F.relu(batch * 2, inplace=True)
        w += 1
        results = [self.linear(a), self.linear(batch), self.bare(a), a @ b, batch @ b, torch.bmm(batch, batch.transpose(1, 2)), torch.addmm(self.linear.bias[:1], a, b, beta=2, alpha=0.5),
                   torch.baddbmm(batch[:, :, :3], batch, batch.transpose(1, 2)), torch.mv(a, b[:, 0]), torch.dot(a[0], a[1]), e, self.norm(e), self.rms(e),
                   F.scaled_dot_product_attention(batch, batch, batch), F.scaled_dot_product_attention(batch, batch, batch, attn_mask=mask),
                   F.scaled_dot_product_attention(batch, batch, batch, is_causal=True), F.scaled_dot_product_attention(batch, batch, batch, scale=0.3),
                   torch.index_select(a, 0, tokens[0, :2] % 3), torch.gather(a, 1, tokens % 4), a[tokens % 3], batch[tokens[:, 0] % 2, tokens[:, 1] % 3], F.one_hot(tokens, 7),
                   torch.scatter(a, 1, tokens % 4, 9.0), torch.scatter_add(a, 1, tokens % 4, a[:2, :3]), x, y, w, torch.arange(5), torch.arange(1, 7, 2), torch.full((2, 3), 1.5), torch.zeros(2),
                   torch.ones(3, dtype=torch.int64), a.new_zeros(2, 2), a.new_full((2,), 3.0), torch.full_like(a, 2.0), torch.empty_like(a).fill_(4.0), a.new_ones(3)]
        return tuple(r * 1 for r in results)


class Recurrent(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm, self.both = torch.nn.LSTM(3, 4), torch.nn.LSTM(3, 2, num_layers=2, bidirectional=True, batch_first=True)
        self.gru, self.cell = torch.nn.GRU(3, 4, bias=False), torch.nn.LSTMCell(3, 4)

    def forward(self, x, h, c):
        y, (a, b) = self.lstm(x)
        z, (d, e) = self.both(x)
        g, f = self.gru(x, h[None])
        return (y, a, b, z, d, e, g, f, *self.cell(x[0], (h, c)))


class Encoders(torch.nn.Module):
    """Traced, these are one operator each (the short way of modules that do not train)."""

    def __init__(self):
        super().__init__()
        self.attention = torch.nn.MultiheadAttention(8, 2, batch_first=True)
        self.behind = torch.nn.TransformerEncoderLayer(8, 4, 12, activation="gelu", batch_first=True)
        self.before = torch.nn.TransformerEncoderLayer(8, 2, 16, norm_first=True, batch_first=True)

    def forward(self, x):
        y, weights = self.attention(x, x, x)
        return y, weights, self.attention(x, x, x, need_weights=False)[0], self.behind(x), self.before(x)


class Net(torch.nn.Module):
    """A residual network with a batch and sizes that are open, in-place operators and weights that two layers share."""

    def __init__(self):
        super().__init__()
        nn = torch.nn
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU(inplace=True))
        self.block, self.head = nn.Conv2d(4, 4, 3, padding=1), nn.Linear(4, 5)

    def forward(self, x):
        x = self.stem(x)
        y = self.block(x)
        y += x
        x = F.relu_(self.block(y))
        x = F.adaptive_avg_pool2d(x, 1)
        x = x.view(x.size(0), -1)
        return self.head(x)


class Quantized(torch.nn.Module):
    """What PT2E makes: quantize and dequantize around a convolution, weights of one scale a channel and a range that leaves -128 out."""

    def __init__(self):
        super().__init__()
        weight = uniform(3, 2, 3, 3)
        self.scales = torch.nn.Buffer(weight.abs().amax((1, 2, 3)) / 127)
        self.zeros = torch.nn.Buffer(torch.zeros(3, dtype=torch.int64))
        self.weight = torch.nn.Buffer(torch.round(weight / self.scales[:, None, None, None]).to(torch.int8))
        self.bias = torch.nn.Parameter(uniform(3))

    def forward(self, x):
        q = torch.ops.quantized_decomposed
        x = q.quantize_per_tensor(x, 0.02, 3, -128, 127, torch.int8)
        x = q.dequantize_per_tensor(x, 0.02, 3, -128, 127, torch.int8)
        w = q.dequantize_per_channel(self.weight, self.scales, self.zeros, 0, -127, 127, torch.int8)
        y = F.relu(F.conv2d(x, w, self.bias, padding=1))
        y = q.quantize_per_tensor(y, 0.05, 0, 0, 100, torch.uint8)
        y = q.dequantize_per_tensor(y, 0.05, 0, 0, 100, torch.uint8)
        return y, torch.fake_quantize_per_tensor_affine(x, 0.1, 0, -127, 127)


class Unsupported(torch.nn.Module):
    def forward(self, x):
        y = torch.fft.fft(x).real
        return torch.linalg.det(x) + y.sum(), torch.nn.functional.max_pool2d(x[None, None], 2, return_indices=True)[1]


class ToQuantize(torch.nn.Module):
    """What FX quantizes to modules with packed parameters: convolutions, dense layers, sums, pools, joined channels."""

    def __init__(self):
        super().__init__()
        nn = torch.nn
        self.first, self.norm, self.second = nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 3, padding=1, groups=2)
        self.pool, self.dense, self.last = nn.AdaptiveAvgPool2d(1), nn.Linear(8, 5), nn.Linear(5, 3)

    def forward(self, x):
        x = torch.relu(self.norm(self.first(x)))
        y = self.second(x)
        x = F.max_pool2d(torch.cat([torch.relu(x + y), y], 1), 2)
        return self.last(torch.relu(self.dense(self.pool(F.avg_pool2d(x, 2, 1)).flatten(1))))


class Gated(torch.nn.Module):
    """What FX quantizes to normalizations, and to functions that round to a scale of their own."""

    def __init__(self):
        super().__init__()
        nn = torch.nn
        self.first, self.gate, self.norm, self.last = nn.Linear(8, 8), nn.Linear(8, 8), nn.LayerNorm(8), nn.Linear(8, 4)

    def forward(self, x):
        y = self.norm(self.first(x))
        y = y * F.hardsigmoid(self.gate(y))
        return self.last(torch.tanh(y) + y * torch.sigmoid(y))


class Averaging(torch.nn.Module):
    """Changes its buffer in place."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(3))

    def forward(self, x):
        self.mean.mul_(0.5).add_(x)
        return self.mean * 2


class Derived(torch.nn.Module):
    """Functions of elements that consist of others, at their limits too."""

    def forward(self, a, b, k, at):
        limits = a.new_tensor([float("inf"), float("-inf"), float("nan"), 0.0])
        scattered = [torch.scatter_reduce(a, 1, at, b, reduce) for reduce in ("sum", "prod", "amax", "amin")]
        return (a.frac(), limits.isfinite(), k.isfinite(), torch.logaddexp(a, b), torch.logaddexp(limits[:2], limits[:2]) == limits[:2], torch.logaddexp(a * 100, b * 100), torch.nan_to_num(limits),
                torch.nan_to_num(limits, nan=1.5, posinf=2.0, neginf=-3.0), torch.outer(a[0], b[1]), torch.outer(k[0], k[1]), *scattered)


class ControlFlow(torch.nn.Module):
    """Branches and loops that only the values decide."""

    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(3, 3)

    def grow(self, i, y):
        return i + 1, y + self.linear(y).abs()

    def forward(self, x, y, rows):
        taken = [torch.cond(x.sum() > limit, lambda a: self.linear(a) * 2, lambda a: a - 1, (x,)) for limit in (-100.0, 100.0)]
        nested = torch.cond(x.sum() > -100, lambda a: torch.cond(a[0, 0] > 100, lambda b: b + 1, lambda b: b * b, (a,)), lambda a: a.clone(), (x,))
        turns, most = while_loop(lambda i, y: y.sum() < 40, self.grow, (torch.tensor(0), y))
        never, same = while_loop(lambda i, y: y.sum() < -1, self.grow, (torch.tensor(0), y))
        last, all_steps = scan(lambda state, row: (torch.tanh(self.linear(state) + row), state * 2), x * 0.5, rows, dim=0)
        return (*taken, nested, turns, most, never, same, last, all_steps, higher_order_map(lambda row, a: row * a + 1, rows, x))


def main():
    a = uniform(2, 3, 4)
    record("elementwise", Elementwise(), {"a": a, "b": uniform(2, 3, 4), "k": torch.randint(-4, 5, (3, 4))})
    record("shapes", Shapes(), {"a": uniform(2, 6, 4), "image": uniform(1, 4, 5, 6)})
    record("reductions", Reductions(), {"a": a, "k": torch.randint(-4, 5, (3, 4))})
    record("windows", Windows(), {"image": uniform(1, 4, 9, 8), "line": uniform(2, 3, 8)})
    record("products", Products(), {"a": uniform(3, 4), "b": uniform(4, 3), "batch": uniform(2, 3, 4), "tokens": torch.randint(0, 7, (2, 3))})
    record("derived", Derived(), {"a": uniform(2, 3), "b": uniform(2, 3), "k": torch.randint(-4, 5, (2, 3)), "at": torch.tensor([[0, 0, 2], [1, 1, 1]])})
    record("encoders", Encoders(), {"x": uniform(2, 5, 8)}, core=False)
    record("recurrent", Recurrent(), {"x": uniform(5, 2, 3), "h": uniform(2, 4), "c": uniform(2, 4)}, core=False)
    d = torch.export.Dim
    record("net", Net(), {"x": uniform(2, 3, 8, 8)}, old=True, dynamic={"x": {0: d("batch", max=16), 2: d("height", max=64)}})
    record("control_flow", ControlFlow(), {"x": uniform(2, 3), "y": uniform(2, 3).abs(), "rows": uniform(4, 2, 3)}, core=True, traced=False)
    record("quantized", Quantized(), {"x": uniform(1, 2, 5, 5)}, core=False, traced=False)
    save(torch.export.export(Unsupported(), (uniform(4, 4),)), HERE / "unsupported.pt2")
    states()
    quantized_modules()
    quantized_by_torchao()
    torch.save(Net(), HERE / "eager.pth")
    for file in HERE.glob("*.pt"):
        without_debug_info(file)


def states():
    """Of exported programs; those of TorchScript are in generate_script.py and generate_states.py."""
    program = torch.export.export(Averaging().eval(), (uniform(3),))
    save(program, HERE / "stateful_buffer.pt2")
    save(program.run_decompositions(), HERE / "stateful_buffer_core.pt2")
    save(torch.export.export(torch.nn.BatchNorm1d(2).train(), (uniform(3, 2),)).run_decompositions(), HERE / "unsupported_training.pt2")
    torch.jit.save(torch.jit.script(Averaging().eval()), str(HERE / "stateful_in_place.pt"))


def quantized_by_torchao():
    """Weights of 8 bits, of 4 bits in groups, and of 8 bits with activations whose scales are found at run time: the classes of their tensors as they are."""
    from torchao.quantization import Int8DynamicActivationIntxWeightConfig, Int8DynamicActivationInt8WeightConfig, Int8WeightOnlyConfig, IntxWeightOnlyConfig, quantize_
    from torchao.quantization.granularity import PerGroup

    groups = {"weight_dtype": torch.int4}
    for name, config in (
        ("torchao_int8", Int8WeightOnlyConfig()),
        ("torchao_int4", IntxWeightOnlyConfig(**groups, granularity=PerGroup(32))),
        ("torchao_dynamic", Int8DynamicActivationInt8WeightConfig()),
        ("torchao_dynamic_int4", Int8DynamicActivationIntxWeightConfig(**groups, weight_granularity=PerGroup(32))),
    ):
        torch.manual_seed(13)
        model = torch.nn.Sequential(torch.nn.Linear(64, 32), torch.nn.ReLU(), torch.nn.Linear(32, 8)).eval()
        quantize_(model, config)
        record(name, model, {"input": uniform(3, 64)}, core=False, traced=False)


def quantized_modules():
    """Quantized after training, and in training."""
    torch.manual_seed(11)
    torch.backends.quantized.engine = "fbgemm"
    x = uniform(1, 3, 8, 8)
    for name, prepare, config in (("quantized_modules", prepare_fx, get_default_qconfig_mapping), ("quantized_qat", prepare_qat_fx, get_default_qat_qconfig_mapping)):
        model = ToQuantize()
        model.train(prepare is prepare_qat_fx)
        model = prepare(model, config("fbgemm"), (x,))
        for _ in range(8):
            model(uniform(2, 3, 8, 8))
        model = convert_fx(model.eval())
        torch.jit.save(torch.jit.trace(model, x), str(HERE / f"{name}.pt"))
        np.savez_compressed(HERE / f"{name}.npz", **arrays({"x": x}, model(x)))
    gated = prepare_fx(Gated().eval(), get_default_qconfig_mapping("fbgemm"), (uniform(2, 8),))
    for _ in range(8):
        gated(uniform(2, 8))
    x, model = uniform(2, 8), convert_fx(gated)
    torch.jit.save(torch.jit.trace(model, x), str(HERE / "quantized_gated.pt"))
    np.savez_compressed(HERE / "quantized_gated.npz", **arrays({"x": x}, model(x)))
    dynamic = torch.ao.quantization.quantize_dynamic(torch.nn.Sequential(torch.nn.Linear(4, 3)), dtype=torch.qint8)
    torch.jit.save(torch.jit.trace(dynamic, uniform(2, 4)), str(HERE / "unsupported_dynamic.pt"))
    trained("quantized_trained", x)


def trained(name, x):
    """As training with quantization leaves a model that nobody has converted: the default modules, which observe and round in one operator, and weights of
    four bits, each channel with its scale."""
    model, ao = ToQuantize(), torch.ao.quantization
    four_bits = ao.FakeQuantize.with_args(observer=ao.MovingAveragePerChannelMinMaxObserver, quant_min=-8, quant_max=7, dtype=torch.qint8, qscheme=torch.per_channel_symmetric)
    mapping = get_default_qat_qconfig_mapping("fbgemm")
    mapping.set_module_name("second", ao.QConfig(activation=mapping.global_qconfig.activation, weight=four_bits))
    model = prepare_qat_fx(model.train(), mapping, (x,))
    for _ in range(8):
        model(uniform(2, 3, 8, 8))
    model.eval().apply(ao.disable_observer)
    torch.jit.save(torch.jit.trace(model, x), str(HERE / f"{name}.pt"))
    np.savez_compressed(HERE / f"{name}.npz", **arrays({"x": x}, model(x)))
    torch.jit.save(torch.jit.trace(mapping.global_qconfig.activation().eval(), x), str(HERE / "unsupported_observing.pt"))


def without_debug_info(file):
    with zipfile.ZipFile(file) as old:
        entries = {name: old.read(name) for name in old.namelist() if not name.endswith(".debug_pkl") and ".data/" not in name}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        for name, content in entries.items():
            new.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)


if __name__ == "__main__":
    sys.exit(main())
