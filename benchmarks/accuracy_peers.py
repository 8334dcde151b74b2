#!/usr/bin/env python3
"""Makes the int8 model of another tool, calibrated on the samples of a dataset file.

    accuracy_peers.py onnxruntime-static|onnxruntime-dynamic|nncf MODEL.onnx DATA.yaml OUT.onnx [--samples N] [--products-only]

onnxruntime-static: QDQ, u8 data, s8 weights a channel, MinMax; --products-only: of Conv, Gemm and MatMul alone. Models of an opset below 13 are converted first,
because ONNX Runtime quantizes none of them by channel. nncf: its default preset, and the one for encoders where the model has token ids. The samples are N of those in
DATA.yaml (docs/datasets.md), evenly spread; only the formats and transforms of benchmarks/zoo are known here. Errors go to stderr with exit code 1;
a model that comes back as it was is one.
"""
import argparse
import pathlib
import sys
import tempfile

import numpy as np
import onnx
import yaml

NUMBERS = {"float32": np.float32, "int64": np.int64, "int32": np.int32, "uint8": np.uint8}


def normalized(x, scale=1.0, mean=0.0, std=1.0, axis=-1):
    shape = [-1 if a == axis % x.ndim else 1 for a in range(x.ndim)]
    by_channel = lambda v: np.reshape(np.float32(v), shape) if np.ndim(v) and np.size(v) > 1 else np.float32(np.reshape(v, -1)[0])
    return ((x.astype(np.float32) * np.float32(scale) - by_channel(mean)) / by_channel(std)).astype(np.float32)


def transformed(x, transforms):
    for step in transforms:
        (name, value), = step.items()
        if name == "cast":
            x = x.astype(NUMBERS[value])
        elif name == "repeat":
            x = np.stack([x] * value)
        elif name == "normalize":
            x = normalized(x, **value)
        elif name == "reshape":
            x = x.reshape(value)
        else:
            raise ValueError(f"the transform '{name}' is not known here")
    return x


def pictures(entry, folder):
    """NHWC bytes, one by one."""
    spec = entry["images"]
    if "npy" in spec:
        yield from np.load(folder / spec["npy"], mmap_mode="r")
        return
    from PIL import Image
    size = spec["center_crop"]
    for file in sorted(p for p in (folder / spec["folder"]).rglob("*") if p.is_file()):
        picture = Image.open(file).convert("RGB")
        left, top = (picture.width - size) // 2, (picture.height - size) // 2
        yield np.asarray(picture.crop((left, top, left + size, top + size)))


def values(entry, folder):
    """The samples of one input, preprocessed; forever if they are constant."""
    if "images" in entry:
        for picture in pictures(entry, folder):
            channels_last = normalized(picture, entry.get("scale", 1), entry.get("mean", 0), entry.get("std", 1))
            yield channels_last if entry.get("deliver") == "NHWC" else channels_last.transpose(2, 0, 1)
    elif "constant" in entry:
        constant = entry["constant"]
        while True:
            yield np.full(constant.get("shape", []), constant["value"], NUMBERS[constant.get("dtype", "float32")])
    elif "windows" in entry:
        size, step, before = (entry["windows"].get(k, 0) for k in ("size", "step", "before"))
        whole = np.concatenate([np.zeros(before, np.int16), np.load(folder / entry["npy"]).reshape(-1)])
        for at in range(0, len(whole) - size + 1, step):
            yield transformed(whole[at:at + size], entry.get("transforms", []))
    else:
        files = entry["npy"] if isinstance(entry["npy"], list) else [entry["npy"]]
        for file in files:
            for row in np.load(folder / file, mmap_mode="r"):
                yield transformed(np.asarray(row), entry.get("transforms", []))


def samples(data, wanted):
    """Feeds, evenly spread over all."""
    entries = yaml.safe_load(data.read_text(encoding="utf-8"))["inputs"]
    def feeds():
        for row in zip(*(values(e, data.parent) for e in entries)):
            yield {e["name"]: v[None] if e.get("batch", True) else v for e, v in zip(entries, row)}
    count = sum(1 for _ in feeds())
    chosen = {i * count // wanted for i in range(min(wanted, count))} if count > wanted else set(range(count))
    return [{k: np.ascontiguousarray(v) for k, v in f.items()} for i, f in enumerate(feeds()) if i in chosen]


def upgraded(model):
    version = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), 0)
    return onnx.version_converter.convert_version(model, 13) if version < 13 else model


def onnxruntime_static(args):
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(quantization.CalibrationDataReader):
        def __init__(self):
            self.left = iter(samples(args.data, args.samples))
        def get_next(self):
            return next(self.left, None)

    with tempfile.TemporaryDirectory() as folder:
        prepared = f"{folder}/prepared.onnx"
        onnx.save(upgraded(onnx.load(args.model)), prepared)
        try:
            quant_pre_process(prepared, prepared, skip_symbolic_shape=True)
        except Exception as e:  # it is optional, and fails on some models
            print(f"not prepared: {e}", file=sys.stderr)
        quantization.quantize_static(prepared, args.output, Reader(), quant_format=quantization.QuantFormat.QDQ, per_channel=True,
                                     activation_type=quantization.QuantType.QUInt8, weight_type=quantization.QuantType.QInt8,
                                     op_types_to_quantize=["Conv", "Gemm", "MatMul"] if args.products_only else None)


def onnxruntime_dynamic(args):
    from onnxruntime import quantization
    with tempfile.TemporaryDirectory() as folder:
        onnx.save(upgraded(onnx.load(args.model)), f"{folder}/m.onnx")
        quantization.quantize_dynamic(f"{folder}/m.onnx", args.output, weight_type=quantization.QuantType.QInt8)


def nncf_static(args):
    import nncf
    feeds = samples(args.data, args.samples)
    encoder = any(f.dtype == np.int64 and f.ndim == 2 for f in feeds[0].values())
    model = nncf.quantize(upgraded(onnx.load(args.model)), nncf.Dataset(feeds), subset_size=len(feeds),
                          model_type=nncf.ModelType.TRANSFORMER if encoder else None)
    onnx.save(model, args.output)


def quantized_nodes(graph):
    """How many nodes there or in its branches read or make integers with scales."""
    names = ("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "MatMulInteger", "ConvInteger", "DynamicQuantizeLSTM", "DynamicQuantizeMatMul")
    inner = [a.g for n in graph.node for a in n.attribute if a.type == onnx.AttributeProto.GRAPH]
    return sum(n.op_type in names or n.op_type.startswith("QLinear") for n in graph.node) + sum(map(quantized_nodes, inner))


KINDS = {"onnxruntime-static": onnxruntime_static, "onnxruntime-dynamic": onnxruntime_dynamic, "nncf": nncf_static}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("output", type=pathlib.Path)
    parser.add_argument("--samples", type=int, default=128)
    parser.add_argument("--products-only", action="store_true")
    args = parser.parse_args()
    try:
        KINDS[args.kind](args)
        if not quantized_nodes(onnx.load(args.output).graph):
            raise ValueError("it quantizes no node, and says nothing of that")
    except Exception as e:  # whatever the other tool throws is its answer
        print(f"{type(e).__name__}: {str(e).splitlines()[0] if str(e) else ''}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
