"""Writes the TFLite models of this folder's cases/ and records what TFLite computes from them.

    pip install ai-edge-litert==2.3.0 flatbuffers==25.12.19 numpy && python tests/frontends/tflite/generate.py

NAME.tflite with NAME.in0.npy (.in1.npy, ...) and NAME.out.npy must give these results; NAME.tflite with NAME.error must be refused, and every
line of NAME.error must be in the message. The writer below knows FlatBuffers just well enough.

resnet8_int8.tflite is the int8 ResNet-8 of MLCommons Tiny (github.com/mlcommons/tiny at 1afd2c98, Apache-2.0); its inputs here are made up.
"""
import pathlib
import struct
import zlib

import numpy as np
from flatbuffers import flexbuffers

HERE = pathlib.Path(__file__).parent
TYPES = {"float32": 0, "float16": 1, "int32": 2, "uint8": 3, "int64": 4, "string": 5, "int16": 7, "complex64": 8, "int8": 9, "uint16": 16, "int4": 17}
OPS = {"ADD": 0, "AVERAGE_POOL_2D": 1, "CONV_2D": 3, "DEPTHWISE_CONV_2D": 4, "DEQUANTIZE": 6, "FULLY_CONNECTED": 9, "LOGISTIC": 14,
       "MAX_POOL_2D": 17, "MUL": 18, "RESHAPE": 22, "SOFTMAX": 25, "LSTM": 16, "SVDF": 27, "TANH": 28, "CUSTOM": 32, "PAD": 34, "MEAN": 40, "UNIQUE": 103,
       "QUANTIZE": 114, "NON_MAX_SUPPRESSION_V4": 120, "NON_MAX_SUPPRESSION_V5": 121, "IF": 118, "WHILE": 119, "VAR_HANDLE": 142, "ASSIGN_VARIABLE": 144, "UNSORTED_SEGMENT_SUM": 155}
SAME, VALID = 0, 1
NONE, RELU, RELU_N1_TO_1, RELU6 = range(4)


# ---- FlatBuffers ---------------------------------------------------------------------------------------------------------------------

class Scalar:
    def __init__(self, code, value):
        self.data = struct.pack("<" + code, value)


class Vector:
    def __init__(self, array, align=None):
        array = np.asarray(array)
        self.count, self.data, self.align = array.size, array.tobytes(), align or max(4, array.dtype.itemsize)


class Text(Vector):
    def __init__(self, text):
        super().__init__(np.frombuffer(text.encode() + b"\0", np.uint8))
        self.count -= 1


class Table(dict):
    """Slot to Scalar, Vector, Table, or list of Tables."""


def i8(v): return Scalar("b", v)
def i32(v): return Scalar("i", v)
def u32(v): return Scalar("I", v)
def f32(v): return Scalar("f", v)
def ints(values): return Vector(np.array(values, np.int32))


class Writer:
    """Parents before children, so that all offsets lead forward; what is used twice is written once."""

    def __init__(self, root):
        self.out = bytearray(struct.pack("<I4s", 0, b"TFL3"))
        self.waiting, written = [(0, root)], {}
        while self.waiting:
            at, item = self.waiting.pop(0)
            if id(item) not in written:
                written[id(item)] = self.write(item)
            self.link(at, written[id(item)])

    def pad(self, align, ahead=0):
        self.out += bytes(-(len(self.out) + ahead) % align)

    def link(self, at, target):
        struct.pack_into("<I", self.out, at, target - at)

    def write(self, item):
        if isinstance(item, Table):
            return self.table(item)
        if isinstance(item, list):
            self.pad(4)
            at = len(self.out)
            self.out += struct.pack("<I", len(item)) + bytes(4 * len(item))
            self.waiting += [(at + 4 + 4 * i, table) for i, table in enumerate(item)]
            return at
        self.pad(item.align, 4)
        at = len(self.out)
        self.out += struct.pack("<I", item.count) + item.data
        return at

    def table(self, table):
        fields = sorted(table.items(), key=lambda f: -len(getattr(f[1], "data", b"1234")) if isinstance(f[1], Scalar) else -4)
        slots, size, places = (max(table) + 1 if table else 0), 4, {}
        for slot, value in fields:
            width = len(value.data) if isinstance(value, Scalar) else 4
            size += -size % width
            places[slot] = size
            size += width
        vtable = struct.pack("<HH", 4 + 2 * slots, size) + b"".join(struct.pack("<H", places.get(s, 0)) for s in range(slots))
        self.pad(8, len(vtable))
        at = len(self.out) + len(vtable)
        self.out += vtable + struct.pack("<i", len(vtable)) + bytes(size - 4)
        for slot, value in table.items():
            if isinstance(value, Scalar):
                self.out[at + places[slot]:at + places[slot] + len(value.data)] = value.data
            else:
                self.waiting.append((at + places[slot], value))
        return at


# ---- models --------------------------------------------------------------------------------------------------------------------------

class Model:
    """Tensors are made by input(), constant() and node(), which return their numbers."""

    def __init__(self):
        self.tensors, self.nodes, self.codes, self.buffers = [], [], [], [Table()]
        self.inputs, self.outputs, self.more_subgraphs, self.version = [], [], [], 3

    def tensor(self, name, shape, dtype="float32", data=None, scale=None, zero=0, axis=0, **more):
        table = Table({0: ints(shape), 1: i8(TYPES[dtype]), 3: Text(name)})
        if data is not None:
            table[2] = u32(len(self.buffers))
            self.buffers.append(Table({0: Vector(np.frombuffer(np.ascontiguousarray(data).tobytes(), np.uint8), 16)}))
        if scale is not None:
            scales = np.atleast_1d(np.array(scale, np.float32))
            zeros = np.broadcast_to(np.array(zero, np.int64), scales.shape)
            table[4] = Table({2: Vector(scales), 3: Vector(zeros), 6: i32(axis)})
        if "signature" in more:
            table[7] = ints(more["signature"])
        if more.get("variable"):
            table[5] = i8(1)
        if more.get("sparse"):
            table[6] = Table({0: ints([0, 1])})
        self.tensors.append(table)
        return len(self.tensors) - 1

    def input(self, shape, dtype="float32", name=None, **more):
        i = self.tensor(name or f"x{len(self.inputs)}", shape, dtype, **more)
        self.inputs.append(i)
        return i

    def constant(self, array, name="c", **more):
        array = np.asarray(array)
        return self.tensor(f"{name}{len(self.tensors)}", array.shape, array.dtype.name, array, **more)

    def node(self, op, inputs, shape, dtype="float32", options=None, version=1, custom=None, custom_options=None, name=None, **more):
        code = Table({0: i8(min(OPS[op], 127)), 2: i32(version), 3: i32(OPS[op])})
        if custom:
            code[1] = Text(custom)
        self.codes.append(code)
        y = self.tensor(name or f"{op.lower()}{len(self.nodes)}", shape, dtype, **more)
        table = Table({0: u32(len(self.codes) - 1), 1: ints(inputs), 2: ints([y])})
        if options:
            table[3], table[4] = i8(options[0]), options[1]
        if custom_options:
            table[5] = Vector(np.frombuffer(bytes(flexbuffers.Dumps(custom_options)), np.uint8), 16)
        self.nodes.append(table)
        return y

    def bytes(self, *outputs):
        self.outputs = list(outputs) or self.outputs
        graph = Table({0: self.tensors, 1: ints(self.inputs), 2: ints(self.outputs), 3: self.nodes, 4: Text("main")})
        return bytes(Writer(Table({0: u32(self.version), 1: self.codes, 2: [graph, *self.more_subgraphs], 4: self.buffers})).out)


def conv(padding=VALID, stride=(1, 1), activation=NONE, dilation=(1, 1)):
    return 1, Table({0: i8(padding), 1: i32(stride[1]), 2: i32(stride[0]), 3: i8(activation), 4: i32(dilation[1]), 5: i32(dilation[0])})


def depthwise(multiplier, padding=VALID, stride=(1, 1), activation=NONE, dilation=(1, 1)):
    return 2, Table({0: i8(padding), 1: i32(stride[1]), 2: i32(stride[0]), 3: i32(multiplier), 4: i8(activation),
                     5: i32(dilation[1]), 6: i32(dilation[0])})


def pool(kernel, padding=VALID, stride=(1, 1), activation=NONE):
    return 5, Table({0: i8(padding), 1: i32(stride[1]), 2: i32(stride[0]), 3: i32(kernel[1]), 4: i32(kernel[0]), 5: i8(activation)})


def add(activation=NONE): return 11, Table({0: i8(activation)})
def mul(activation=NONE): return 21, Table({0: i8(activation)})
def dense(activation=NONE, keep=False): return 8, Table({0: i8(activation), 2: i8(int(keep))})
def softmax(beta=1.0): return 9, Table({0: f32(beta)})
def reshape(shape): return 17, Table({0: ints(shape)})
def reduce(keep): return 27, Table({0: i8(int(keep))})


random = np.random.default_rng(7)
def normal(*shape): return random.standard_normal(shape).astype(np.float32)
def bytes8(*shape): return random.integers(-127, 128, shape).astype(np.int8)
def channels(count): return (random.random(count) * 0.02 + 0.005).astype(np.float32)


# ---- cases that import: name -> model, outputs ---------------------------------------------------------------------------------------

def float_conv(options, x, filter_shape, y, op="CONV_2D"):
    m = Model()
    inputs = [m.input(x), m.constant(normal(*filter_shape))]
    count = filter_shape[3] if op == "DEPTHWISE_CONV_2D" else filter_shape[0]
    inputs.append(m.constant(normal(count)))
    return m.bytes(m.node(op, inputs, y, options=options))


def int8_conv(options, x, filter_shape, y, op="CONV_2D", axis=0):
    m, s = Model(), channels(filter_shape[axis])
    data = m.input(x, "int8", scale=0.05, zero=-10)
    weights = m.constant(bytes8(*filter_shape), scale=s, axis=axis)
    bias = m.constant(random.integers(-500, 500, len(s)).astype(np.int32), scale=s * np.float32(0.05))
    return m.bytes(m.node(op, [data, weights, bias], y, "int8", options, 3, scale=0.12, zero=4))


def uint8_conv():
    m = Model()
    data = m.input([1, 6, 6, 3], "uint8", scale=0.05, zero=120)
    weights = m.constant(random.integers(0, 256, (4, 3, 3, 3)).astype(np.uint8), scale=0.01, zero=131)
    bias = m.constant(random.integers(-500, 500, 4).astype(np.int32), scale=0.05 * 0.01)
    return m.bytes(m.node("CONV_2D", [data, weights, bias], [1, 6, 6, 4], "uint8", conv(SAME, activation=RELU6), scale=0.03, zero=0))


def adds():
    """A constant a channel, one a pixel, a computed operand; the sums stay channels first between the convolutions."""
    m = Model()
    y = m.node("CONV_2D", [m.input([1, 5, 4, 3]), m.constant(normal(4, 1, 1, 3)), m.constant(normal(4))], [1, 5, 4, 4], options=conv())
    a = m.node("ADD", [y, m.constant(normal(4))], [1, 5, 4, 4], options=add(RELU))
    b = m.node("ADD", [m.constant(normal(1, 5, 4, 1)), a], [1, 5, 4, 4], options=add(RELU6))
    c = m.node("ADD", [b, y], [1, 5, 4, 4], options=add(RELU_N1_TO_1))
    return m.bytes(m.node("CONV_2D", [c, m.constant(normal(2, 3, 3, 4)), m.constant(normal(2))], [1, 3, 2, 2], options=conv()))


def two_inputs(dtype="float32", op=("ADD", add()), **q):
    m = Model()
    a, b = m.input([2, 3, 4], dtype, **q), m.input([2, 3, 4], dtype, **({k: v * 2 for k, v in q.items()}))
    return m.bytes(m.node(op[0], [a, b], [2, 3, 4], dtype, op[1], 2 if q else 1, **({"scale": 0.09, "zero": 5} if q else {})))


def one(op, x, y, options=None, dtype="float32", version=1, q=None, out=None, operand=None):
    m = Model()
    inputs = [m.input(x, dtype, **(q or {}))] + ([] if operand is None else [m.constant(operand)])
    return m.bytes(m.node(op, inputs, y, dtype, options, version, **(out or q or {})))


def dense_of_planes():
    """Flattening keeps the planes; the weights are turned instead."""
    m = Model()
    y = m.node("CONV_2D", [m.input([2, 4, 3, 2]), m.constant(normal(5, 2, 2, 2)), m.constant(normal(5))], [2, 3, 2, 5],
               options=conv(activation=RELU))
    flat = m.node("RESHAPE", [y, m.constant(np.array([-1, 30], np.int32))], [2, 30])
    return m.bytes(m.node("FULLY_CONNECTED", [flat, m.constant(normal(7, 30)), m.constant(normal(7))], [2, 7], options=dense(RELU)))


def pixels_in_a_row():
    """Only pixels move, so that channels stay first between the convolutions."""
    m = Model()
    y = m.node("CONV_2D", [m.input([1, 5, 4, 3]), m.constant(normal(4, 1, 1, 3)), m.constant(normal(4))], [1, 5, 4, 4], options=conv())
    row = m.node("RESHAPE", [y, m.constant(np.array([1, -1, 1, 4], np.int32))], [1, 20, 1, 4])
    return m.bytes(m.node("CONV_2D", [row, m.constant(normal(2, 3, 1, 4)), m.constant(normal(2))], [1, 18, 1, 2], options=conv()))


def planes_that_others_read():
    m = Model()
    y = m.node("CONV_2D", [m.input([2, 4, 3, 2]), m.constant(normal(5, 2, 2, 2)), m.constant(normal(5))], [2, 3, 2, 5], options=conv())
    flat = m.node("RESHAPE", [y, m.constant(np.array([2, 30], np.int32))], [2, 30])
    return m.bytes(m.node("SOFTMAX", [flat], [2, 30], options=softmax()))


def dense_int8():
    m = Model()
    data = m.input([2, 12], "int8", scale=0.05, zero=-10)
    bias = m.constant(random.integers(-500, 500, 6).astype(np.int32), scale=0.05 * 0.02)
    weights = m.constant(bytes8(6, 12), scale=0.02)
    return m.bytes(m.node("FULLY_CONNECTED", [data, weights, bias], [2, 6], "int8", dense(RELU), 4, scale=0.1, zero=-128))


def dense_hybrid():
    """Integer weights for real data, which TFLite quantizes on the fly."""
    m = Model()
    w = m.constant(bytes8(6, 32), scale=0.02)
    return m.bytes(m.node("FULLY_CONNECTED", [m.input([2, 32]), w, m.constant(normal(6))], [2, 6], options=dense(), version=3))


def dense_of_last_axis():
    m = Model()
    x, w, b = m.input([2, 3, 5]), m.constant(normal(4, 5)), m.constant(normal(4))
    return m.bytes(m.node("FULLY_CONNECTED", [x, w, b], [2, 3, 4], options=dense(keep=True), version=5))


def half_weights():
    m = Model()
    w = m.constant(normal(3, 2, 2, 2).astype(np.float16))
    wide = m.node("DEQUANTIZE", [w], [3, 2, 2, 2])
    return m.bytes(m.node("CONV_2D", [m.input([1, 4, 4, 2]), wide, m.constant(normal(3))], [1, 3, 3, 3], options=conv()))


def padded_conv():
    m = Model()
    p = m.node("PAD", [m.input([1, 4, 4, 2]), m.constant(np.array([[0, 0], [1, 2], [0, 1], [0, 0]], np.int32))], [1, 7, 5, 2])
    return m.bytes(m.node("CONV_2D", [p, m.constant(normal(3, 3, 3, 2)), m.constant(normal(3))], [1, 5, 3, 3], options=conv()))


def there_and_back():
    m = Model()
    q = m.node("QUANTIZE", [m.input([2, 9])], [2, 9], "int8", scale=0.03, zero=3)
    r = m.node("QUANTIZE", [q], [2, 9], "uint8", scale=0.05, zero=100)
    return m.bytes(m.node("DEQUANTIZE", [r], [2, 9]))


Q = {"scale": 0.05, "zero": -7}
GOOD = {
    "conv_same": float_conv(conv(SAME, (2, 2), RELU), [1, 7, 6, 3], (4, 3, 3, 3), [1, 4, 3, 4]),
    "conv_same_stride_1": float_conv(conv(SAME), [2, 5, 6, 3], (4, 2, 3, 3), [2, 5, 6, 4]),
    "conv_dilated": float_conv(conv(VALID, (1, 1), RELU6, (2, 1)), [1, 8, 7, 2], (3, 3, 2, 2), [1, 4, 6, 3]),
    "conv_grouped": float_conv(conv(SAME), [1, 5, 5, 4], (6, 3, 3, 2), [1, 5, 5, 6]),
    "conv_int8": int8_conv(conv(SAME, (2, 2), RELU), [1, 7, 7, 3], (5, 3, 3, 3), [1, 4, 4, 5]),
    "conv_uint8": uint8_conv(),
    "conv_of_half_weights": half_weights(),
    "depthwise": float_conv(depthwise(2, SAME, (1, 1), RELU_N1_TO_1), [1, 5, 4, 3], (1, 3, 3, 6), [1, 5, 4, 6], "DEPTHWISE_CONV_2D"),
    "depthwise_dilated": float_conv(depthwise(1, SAME, (1, 1), NONE, (2, 2)), [1, 6, 6, 3], (1, 3, 3, 3), [1, 6, 6, 3], "DEPTHWISE_CONV_2D"),
    "depthwise_int8": int8_conv(depthwise(1, SAME, (2, 2)), [1, 6, 5, 4], (1, 3, 3, 4), [1, 3, 3, 4], "DEPTHWISE_CONV_2D", 3),
    "adds": adds(),
    "add_of_two_inputs": two_inputs(),
    "add_int8": two_inputs("int8", scale=0.04, zero=-6),
    "average_pool_same": one("AVERAGE_POOL_2D", [1, 5, 6, 3], [1, 3, 3, 3], pool((3, 2), SAME, (2, 2))),
    "average_pool_valid": one("AVERAGE_POOL_2D", [2, 6, 4, 3], [2, 2, 2, 3], pool((3, 2), VALID, (3, 2), RELU)),
    "average_pool_int8": one("AVERAGE_POOL_2D", [4, 8, 8, 4], [4, 2, 2, 4], pool((4, 4), VALID, (4, 4)), "int8", 2, Q),
    "average_pool_uint8": one("AVERAGE_POOL_2D", [2, 4, 4, 6], [2, 1, 1, 6], pool((4, 4)), "uint8", 1, {"scale": 0.05, "zero": 90}),
    "max_pool_same": one("MAX_POOL_2D", [1, 5, 6, 3], [1, 3, 3, 3], pool((2, 3), SAME, (2, 2), RELU)),
    "max_pool_int8": one("MAX_POOL_2D", [1, 6, 6, 3], [1, 3, 3, 3], pool((2, 2), VALID, (2, 2)), "int8", 2, Q),
    "dense_of_planes": dense_of_planes(),
    "dense_of_last_axis": dense_of_last_axis(),
    "dense_hybrid": dense_hybrid(),
    "dense_int8": dense_int8(),
    "planes_that_others_read": planes_that_others_read(),
    "softmax": one("SOFTMAX", [3, 7], [3, 7], softmax(0.5)),
    "softmax_int8": one("SOFTMAX", [3, 7], [3, 7], softmax(1), "int8", 2, Q, {"scale": 1 / 256, "zero": -128}),
    "reshape_int8": one("RESHAPE", [2, 6], [3, 4], reshape([3, 4]), "int8", 1, Q, operand=np.array([3, -1], np.int32)),
    "reshape_by_option": one("RESHAPE", [2, 6], [3, 4], reshape([3, 4])),
    "pad_and_conv": padded_conv(),
    "pad_int8": one("PAD", [1, 2, 3], [1, 4, 4], None, "int8", 1, Q, operand=np.array([[0, 0], [1, 1], [0, 1]], np.int32)),
    "mean": one("MEAN", [2, 3, 4, 5], [2, 5], reduce(False), operand=np.array([1, 2], np.int32)),
    "mean_of_other_axes": one("MEAN", [2, 3, 4, 5], [2, 1, 4, 5], reduce(True), operand=np.array([-3], np.int32)),
    "mean_int8": one("MEAN", [1, 4, 4, 3], [1, 3], reduce(False), "int8", 2, Q, operand=np.array([1, 2], np.int32)),
    "quantize_and_back": there_and_back(),
    # New ones go here, so that the others keep their numbers.
    "mul_by_constant": one("MUL", [1, 4, 3, 5], [1, 4, 3, 5], mul(RELU6), operand=normal(3, 1)),
    "mul_int8": two_inputs("int8", ("MUL", mul()), scale=0.04, zero=-6),
    "pixels_in_a_row": pixels_in_a_row(),
}


# ---- cases that are refused: name -> model, what the message says --------------------------------------------------------------------

def bad(build, *says):
    m = Model()
    result = build(m)
    return m.bytes(*([] if result is None else [result])), says


def many(m):
    x = m.input([1, 4, 4, 2])
    a = m.node("LSTM", [x], [1, 4, 4, 2], name="first")
    b = m.node("CONV_2D", [a, m.constant(normal(3, 1, 1, 2))], [1, 4, 4, 3], options=conv())
    c = m.node("LSTM", [b], [1, 4, 4, 3], name="second")
    d = m.node("UNIQUE", [c], [1, 4, 4, 3], name="third")
    return m.node("CUSTOM", [d], [1, 4, 4, 3], custom="MyOperator", name="fourth")


def of_tensor(dtype="float32", **more):
    def build(m):
        return m.node("SOFTMAX", [m.tensor("odd", [2, 3], dtype, **more)], [2, 3], options=softmax(), name="y")
    return build


def circle(m):
    x = m.input([2])
    y = m.node("ADD", [x, len(m.tensors) + 1], [2], options=add())
    return m.node("ADD", [x, y], [2], options=add())


def with_filter(array, **more):
    def build(m):
        return m.node("CONV_2D", [m.input([1, 4, 4, 2]), m.constant(array, **more)], [1, 4, 4, 3], options=conv())
    return build


def branching(then, otherwise):
    """A branch of graphs by number; 1 has an input, 2 calls itself."""
    def build(m):
        def graph(nodes):
            return Table({0: [Table({0: ints([2]), 1: i8(0), 3: Text("v")}), Table({0: ints([2]), 1: i8(0), 3: Text("w")})], 1: ints([0]), 2: ints([1]), 3: nodes, 4: Text("side")})
        m.codes.append(Table({0: i8(OPS["IF"]), 2: i32(1), 3: i32(OPS["IF"])}))
        def choose(a, b, inputs): return Table({0: u32(0), 1: ints(inputs), 2: ints([1]), 3: i8(92), 4: Table({0: i32(a), 1: i32(b)})})
        m.more_subgraphs = [graph([]), graph([choose(2, 2, [0, 0])])]
        y = m.node("IF", [m.input([2]), m.input([2])], [2], options=(92, Table({0: i32(then), 1: i32(otherwise)})), name="y")
        return y
    return build


def shared(m):
    """One tensor with a long name, a thousand times."""
    x = m.input([2], name="x" * 5000)
    m.tensors = [m.tensors[x]] * 1000
    return x


def old_schema(m):
    m.version = 2
    return m.input([2])


def detection(options, anchors=((0, 0, 1, 1), (1, 1, 1, 1)), dtype="float32"):
    """Two boxes of one class."""
    all_options = {"max_detections": 2, "max_classes_per_detection": 1, "nms_score_threshold": 0.1, "nms_iou_threshold": 0.5, "num_classes": 1,
                   "y_scale": 10.0, "x_scale": 10.0, "h_scale": 5.0, "w_scale": 5.0}
    def build(m):
        operands = [m.input([1, 2, 4], dtype), m.input([1, 2, 2]), m.constant(np.array(anchors, np.float32))]
        y = m.node("CUSTOM", operands, [1, 2, 4], custom="TFLite_Detection_PostProcess", custom_options=all_options | options if options is not None else None, name="y")
        others = [m.tensor(f"y{i}", shape) for i, shape in enumerate(([1, 2], [1, 2], [1]))]
        m.nodes[-1][2] = ints([y, *others])
        return y
    return build


def choosing(boxes="float32", sigma=None, **q):
    """The best of two boxes."""
    def build(m):
        operands = [m.input([2, 4], boxes, **q), m.input([2]), m.constant(np.array(1, np.int32)), m.constant(np.array(0.5, np.float32)), m.constant(np.array(0, np.float32))]
        if sigma:
            operands.append(sigma(m))
        y = m.node("NON_MAX_SUPPRESSION_V5" if sigma else "NON_MAX_SUPPRESSION_V4", operands, [1], "int32", name="y")
        m.nodes[-1][2] = ints([y, *([m.tensor("scores", [1])] if sigma else []), m.tensor("count", [], "int32")])
        return y
    return build


def remembering_integers(m):
    q = {"scale": 0.1}
    state = m.tensor("memory", [1, 8], "int16", variable=True, scale=0.001)
    operands = [m.input([1, 3], "int8", **q), m.constant(bytes8(2, 3), **q), m.constant(bytes8(2, 4).astype(np.int16), **q), -1, state]
    return m.node("SVDF", operands, [1, 2], "int8", options=(6, Table({0: i32(1), 1: i8(NONE)})), name="y", version=3, **q)


def remembering(memory=8, shared=False):
    """An SVDF of 2 filters that remember 4 runs."""
    def build(m):
        x, state = m.input([1, 3]), m.tensor("memory", [1, memory], variable=True)
        def layer(x, width, name):
            operands = [x, m.constant(normal(2, width)), m.constant(normal(2, 4)), -1, state]
            return m.node("SVDF", operands, [1, 2], options=(6, Table({0: i32(1)})), name=name)
        y = layer(x, 3, "first")
        return layer(y, 2, "second") if shared else y
    return build


def simple(op="ADD", inputs=(0, 1), shape=(2,), dtype="float32", **more):
    def build(m):
        m.input([2]), m.input([2])
        return m.node(op, inputs, list(shape), dtype, name="y", **more)
    return build


BAD = {
    "unsupported_operators": bad(many, "operator LSTM is not supported: it keeps a state from one run to the next (2 nodes)", "at 'first', 'second'",
                                 "operator UNIQUE is not supported: the size of its result depends on values (1 node)",
                                 "count or sort in the program around the model", "operator CUSTOM MyOperator is not supported (1 node)", "hint: "),
    "string_tensor": bad(of_tensor("string", data=np.zeros(8, np.uint8)), "operator SOFTMAX is not supported: it has string tensors (1 node)"),
    "sparse_tensor": bad(of_tensor(data=normal(3), sparse=True), "tensor 'odd'", "its sparse data is damaged: its levels do not fit its axes"),
    "variable_tensor": bad(of_tensor(variable=True), "it has variable tensors"),
    "uint16_tensor": bad(of_tensor("uint16", data=np.zeros(6, np.int16), scale=0.1), "it has tensors quantized to uint16"),
    "int4_input": bad(lambda m: m.node("SOFTMAX", [m.input([2], "int4")], [2], options=softmax()), "input 'x0'", "int4 tensors are not supported"),
    "string_input": bad(lambda m: m.node("SOFTMAX", [m.input([2], "string")], [2], options=softmax()), "input 'x0'", "string tensors are not supported"),
    "no_such_graph": bad(branching(1, 7), "an operator calls graph 7 of 3"),
    "graph_in_itself": bad(branching(2, 2), "call each other too deeply"),
    "handle_as_numbers": bad(lambda m: m.node("ADD", [m.input([2]), m.node("VAR_HANDLE", [], [2])], [2], options=add()), "operator ADD is not supported: it has resource tensors"),
    "complex_segments": bad(lambda m: m.node("UNSORTED_SEGMENT_SUM", [m.input([2], "complex64"), m.constant(np.array([0, 1], np.int32)), m.constant(np.array(2, np.int32))],
                                             [2], "complex64", name="y"), "operator UNSORTED_SEGMENT_SUM is not supported: cannot convert to complex64"),
    "kept_state": bad(lambda m: m.node("ASSIGN_VARIABLE", [m.input([2]), m.input([2])], [2]), "it keeps a state from one run to the next", "an input and an output"),
    "shared_parts": bad(shared, "parts that are used again and again"),
    "old_schema": bad(old_schema, "the schema version is 2, not 3"),
    "new_version": bad(simple(options=add(), version=99), "operator ADD is not supported: version 99, versions 1 to 5 are known (1 node)"),
    "unknown_activation": bad(simple(options=add(9)), "the fused activation number 9"),
    "options_of_another": bad(simple(options=softmax()), "node 'y' (ADD)", "its options are those of another operator"),
    "too_few_operands": bad(simple(inputs=(0,), options=add()), "has 1 operands"),
    "too_many_operands": bad(simple(inputs=(0, 1, 0), options=add()), "has 3 operands"),
    "no_such_tensor": bad(simple(inputs=(0, 77), options=add()), "names tensor 77 of 3"),
    "contradicted_shape": bad(simple(shape=(3,), options=add()), "declared as float[3] but is float[2]"),
    "contradicted_type": bad(simple(dtype="int32", options=add()), "declared as int32[2] but is float[2]"),
    "broadcast_misfit": bad(lambda m: m.node("ADD", [m.input([2]), m.input([3])], [2], options=add(), name="y"), "node 'y' (ADD)", "broadcast"),
    "absent_input": bad(lambda m: (m.input([2]), m.inputs.append(-1))[0], "the list of inputs", "names tensor -1 of 1"),
    "absent_output": bad(lambda m: (m.input([2]), -1)[1], "the list of outputs", "names tensor -1 of 1"),
    "no_outputs": bad(lambda m: (m.input([2]), None)[1], "the model has no outputs"),
    "circle": bad(circle, "depend on each other in a circle"),
    "undefined": bad(lambda m: m.node("SOFTMAX", [m.tensor("nothing", [2])], [2], options=softmax()), "reads 'nothing', which nothing in the model defines"),
    "short_constant": bad(lambda m: m.node("ADD", [m.input([2]), m.tensor("w", [2], data=normal(3))], [2], options=add()), "tensor 'w'", "holds 12 bytes, but float[2] needs 8"),
    "flat_filter": bad(with_filter(normal(3, 2)), "node 'conv_2d0' (CONV_2D)", "its filter is float[3,2], not of 4 axes"),
    "channels_misfit": bad(with_filter(normal(3, 1, 1, 3)), "its filter takes 3 channels"),
    "scale_of_zero": bad(with_filter(bytes8(3, 1, 1, 2), scale=0.0), "a scale that is not above 0"),
    "scales_misfit": bad(with_filter(bytes8(3, 1, 1, 2), scale=[1, 2]), "has 2 scales along axis 0"),
    "zero_point_outside": bad(with_filter(bytes8(3, 1, 1, 2), scale=1.0, zero=300), "the zero point 300"),
    "stride_of_zero": bad(lambda m: m.node("MAX_POOL_2D", [m.input([1, 4, 4, 1])], [1, 4, 4, 1], options=pool((2, 2), stride=(0, 1))), "stride"),
    "detection_without_options": bad(detection(None), "node 'y' (CUSTOM TFLite_Detection_PostProcess)", "its option max_detections is no number from 1 on", "its options are damaged"),
    "detection_of_no_classes": bad(detection({"max_classes_per_detection": 0}), "its option max_classes_per_detection is no number from 1 on"),
    "detection_of_too_many": bad(detection({"max_detections": 4000000, "max_classes_per_detection": 4000}), "its options ask for too many detections"),
    "detection_of_any_overlap": bad(detection({"nms_iou_threshold": 0.0}), "its option nms_iou_threshold does not lie above 0 and up to 1"),
    "detection_of_other_classes": bad(detection({"num_classes": 5}), "has scores of 2 classes, but its options speak of 5"),
    "detection_with_turned_anchor": bad(detection({}, ((0, 0, 1, 1), (1, 1, -1, 1))), "anchor 1 has an extent below 0"),
    "detection_of_other_boxes": bad(detection({}, ((0, 0, 1, 1),)), "its operands do not speak of the same boxes"),
    "detection_of_int32": bad(detection({}, dtype="int32"), "operator CUSTOM TFLite_Detection_PostProcess is not supported: operands that are neither float32 nor uint8"),
    "boxes_of_int8": bad(choosing("int8", scale=0.1), "operator NON_MAX_SUPPRESSION_V4 is not supported: boxes and scores that are not float32"),
    "computed_sigma": bad(choosing(sigma=lambda m: m.input([])), "operator NON_MAX_SUPPRESSION_V5 is not supported: a sigma that is computed"),
    "integers_without_relu": bad(remembering_integers, "operator SVDF is not supported: integers with another activation than RELU, with which TFLite does not run it"),
    "shared_memory": bad(remembering(shared=True), "operator SVDF is not supported: it has variable tensors (2 nodes)", "at 'first', 'second'"),
    "memory_of_another_size": bad(remembering(memory=6), "node 'first' (SVDF)", "its weights, its state and its rank do not fit each other"),
    "huge_input": bad(lambda m: m.node("SOFTMAX", [m.input([2**30, 2**30])], [2**30, 2**30], options=softmax()), "cannot be"),
}


def interpreter(model):
    from ai_edge_litert.interpreter import Interpreter, OpResolverType
    for kernels in (OpResolverType.AUTO, OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES):
        try:
            it = Interpreter(model_content=model, num_threads=1, experimental_op_resolver_type=kernels)
            it.allocate_tensors()
            return it
        except RuntimeError as error:  # XNNPACK takes some models for its own and then fails
            failure = error
    raise failure


def record(name, model):
    it, random = interpreter(model), np.random.default_rng(zlib.crc32(name.encode()))
    inputs = []
    for d in it.get_input_details():
        info = np.iinfo(d["dtype"]) if np.issubdtype(d["dtype"], np.integer) else None
        inputs.append(random.integers(info.min, info.max + 1, d["shape"]).astype(d["dtype"]) if info else random.standard_normal(d["shape"], np.float32))
        it.set_tensor(d["index"], inputs[-1])
    it.invoke()
    for i, x in enumerate(inputs):
        np.save(HERE / f"cases/{name}.in{i}.npy", x)
    np.save(HERE / f"cases/{name}.out.npy", it.get_tensor(it.get_output_details()[0]["index"]))


def record_resnet8():
    """Blots of colour, which it takes for different things."""
    blots = np.random.default_rng(8).integers(-128, 128, (4, 4, 4, 3))
    images = np.kron(blots, np.ones((1, 8, 8, 1))).astype(np.int8)
    it = interpreter((HERE / "resnet8_int8.tflite").read_bytes())
    results = []
    for image in images:
        it.set_tensor(it.get_input_details()[0]["index"], image[None])
        it.invoke()
        results.append(it.get_tensor(it.get_output_details()[0]["index"])[0])
    np.save(HERE / "resnet8_int8.in0.npy", images)
    np.save(HERE / "resnet8_int8.out.npy", np.array(results))


def main():
    (HERE / "cases").mkdir(exist_ok=True)
    for old in (HERE / "cases").iterdir():
        old.unlink()
    for name, model in GOOD.items():
        (HERE / f"cases/{name}.tflite").write_bytes(model)
        record(name, model)
    record_resnet8()
    for name, (model, says) in BAD.items():
        (HERE / f"cases/{name}.tflite").write_bytes(model)
        (HERE / f"cases/{name}.error").write_text("\n".join(says) + "\n")


if __name__ == "__main__":
    main()
