#!/usr/bin/env python3
"""Well-known networks with random weights as ONNX files, for measuring speed and numerical agreement.

    python benchmarks/export/networks.py OUT_DIR [resnet50 mobilenet_v2 bert_base ...]

Needs numpy and onnx only; neither speed nor agreement depends on trained weights. Weights are scaled so that activations keep a sane
size (He, "Delving Deep into Rectifiers", 2015); BatchNormalization nodes stay in the file, with scales, shifts and statistics drawn at
random so that folding them is not a no-op. Opset 17, one file.

resnet50 and mobilenet_v2: "input" float32 [N,3,224,224] to "output" float32 [N,1000], layers as in the papers (He et al. 2016 with the
stride in the 3x3 convolution; Sandler et al. 2018, width 1). bert_base: "input_ids" and "attention_mask" int64 [N,S] to "output" float32
[N,S,768], 12 layers of 12 heads (Devlin et al. 2018).
"""
import argparse
import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class Network:
    """Nodes in the order they are added; every method returns the name of what it computes."""

    def __init__(self, name, seed=0):
        self.name, self.random = name, np.random.default_rng(seed)
        self.nodes, self.constants = [], []

    def constant(self, values, dtype="f4"):
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def normal(self, *shape, deviation):
        return self.constant(self.random.standard_normal(shape, "f4") * np.float32(deviation))

    def add(self, operator, *inputs, **attributes):
        name = f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [name], name, **attributes))
        return name

    def save(self, path, inputs, output):
        graph = helper.make_graph(self.nodes + [helper.make_node("Identity", [output], ["output"])], self.name, inputs,
                                  [helper.make_tensor_value_info("output", TensorProto.FLOAT, None)], self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.save(onnx.shape_inference.infer_shapes(model), path)

    # ---- layers ------------------------------------------------------------------------------------------------------

    def conv(self, x, channels, to, kernel=1, stride=1, groups=1, act=None, gain=1):
        """Convolution, normalization and, if asked for, an activation."""
        fan_in = channels // groups * kernel * kernel
        weight = self.normal(to, channels // groups, kernel, kernel, deviation=(2 / fan_in) ** .5)
        x = self.add("Conv", x, weight, kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[kernel // 2] * 4, group=groups)
        uniform = lambda low, high: self.constant(self.random.uniform(low, high, to))
        x = self.add("BatchNormalization", x, uniform(.7 * gain, 1.3 * gain), uniform(-.3, .3), uniform(-.3, .3), uniform(.7, 1.3))
        return act(x) if act else x

    def relu(self, x):
        return self.add("Relu", x)

    def relu6(self, x):
        return self.add("Clip", x, self.constant(0), self.constant(6))

    def linear(self, x, inputs, outputs):
        product = self.add("MatMul", x, self.normal(inputs, outputs, deviation=inputs ** -.5))
        return self.add("Add", product, self.normal(outputs, deviation=.1))

    def classifier(self, x, channels):
        x = self.add("Flatten", self.add("GlobalAveragePool", x))
        weight, bias = self.normal(1000, channels, deviation=channels ** -.5), self.normal(1000, deviation=.1)
        return self.add("Gemm", x, weight, bias, transB=1)

    def layer_norm(self, x, size):
        return self.add("LayerNormalization", x, self.constant(self.random.uniform(.7, 1.3, size)), self.normal(size, deviation=.1), axis=-1)


IMAGE = [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", 3, 224, 224])]


def resnet50(path):
    n = Network("resnet50")
    x = n.conv("input", 3, 64, 7, 2, act=n.relu)
    x, channels = n.add("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4), 64
    for width, blocks, first_stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
        for block in range(blocks):
            stride = first_stride if block == 0 else 1
            y = n.conv(n.conv(x, channels, width, act=n.relu), width, width, 3, stride, act=n.relu)
            y = n.conv(y, width, 4 * width, gain=.3)  # so that sums over blocks stay small
            x = n.relu(n.add("Add", y, n.conv(x, channels, 4 * width, 1, stride) if block == 0 else x))
            channels = 4 * width
    n.save(path, IMAGE, n.classifier(x, channels))


def mobilenet_v2(path):
    n = Network("mobilenet_v2")
    x, channels = n.conv("input", 3, 32, 3, 2, act=n.relu6), 32
    for expansion, to, blocks, first_stride in ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)):
        for block in range(blocks):
            stride, width = (first_stride if block == 0 else 1), expansion * channels
            y = n.conv(x, channels, width, act=n.relu6) if expansion > 1 else x
            y = n.conv(n.conv(y, width, width, 3, stride, width, act=n.relu6), width, to)
            x, channels = (n.add("Add", x, y) if stride == 1 and channels == to else y), to
    n.save(path, IMAGE, n.classifier(n.conv(x, channels, 1280, act=n.relu6), 1280))


def bert_base(path, layers=12, width=768, heads=12, vocabulary=30522, positions=512):
    n = Network("bert_base")
    tokens = [helper.make_tensor_value_info(name, TensorProto.INT64, ["N", "S"]) for name in ("input_ids", "attention_mask")]
    length = n.add("Gather", n.add("Shape", "input_ids"), n.constant([1], "i8"))
    position = n.add("Slice", n.normal(positions, width, deviation=.5), n.constant([0], "i8"), length, n.constant([0], "i8"))
    x = n.layer_norm(n.add("Add", n.add("Gather", n.normal(vocabulary, width, deviation=1), "input_ids"), position), width)
    hidden = n.add("Sub", n.constant(1), n.add("Unsqueeze", n.add("Cast", "attention_mask", to=TensorProto.FLOAT), n.constant([1, 2], "i8")))
    mask = n.add("Mul", hidden, n.constant(-1e4))
    split = n.constant([0, 0, heads, width // heads], "i8")

    def by_head(y, order):
        return n.add("Transpose", n.add("Reshape", y, split), perm=order)

    for _ in range(layers):
        query, key, value = (by_head(n.linear(x, width, width), order) for order in ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]))
        scores = n.add("Div", n.add("MatMul", query, key), n.constant((width // heads) ** .5))
        seen = n.add("MatMul", n.add("Softmax", n.add("Add", scores, mask), axis=-1), value)
        merged = n.add("Reshape", n.add("Transpose", seen, perm=[0, 2, 1, 3]), n.constant([0, 0, width], "i8"))
        x = n.layer_norm(n.add("Add", n.linear(merged, width, width), x), width)
        inner = n.linear(x, width, 4 * width)
        normal = n.add("Add", n.add("Erf", n.add("Div", inner, n.constant(2 ** .5))), n.constant(1))
        inner = n.add("Mul", n.add("Mul", inner, normal), n.constant(.5))
        x = n.layer_norm(n.add("Add", n.linear(inner, 4 * width, width), x), width)
    n.save(path, tokens, x)


NETWORKS = {"resnet50": resnet50, "mobilenet_v2": mobilenet_v2, "bert_base": bert_base}


def main():
    parser = argparse.ArgumentParser(description="Write well-known networks with random weights as ONNX.")
    parser.add_argument("out_dir", type=pathlib.Path)
    parser.add_argument("networks", nargs="*", default=list(NETWORKS), help=f"default: {' '.join(NETWORKS)}")
    args = parser.parse_args()
    unknown = [name for name in args.networks if name not in NETWORKS]
    if unknown:
        parser.error(f"there is no network {', '.join(unknown)}; there are {', '.join(NETWORKS)}")
    args.out_dir.mkdir(parents=True, exist_ok=True)
    for name in args.networks:
        path = args.out_dir / f"{name}.onnx"
        NETWORKS[name](path)
        print(f"{path}: {path.stat().st_size / 2**20:.1f} MiB", flush=True)


if __name__ == "__main__":
    main()
