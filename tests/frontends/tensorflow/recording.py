"""What families of cases are written with: numbers to feed, and the graph that all cases become part of (generate.py)."""
import os
import pathlib
import zlib

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
import numpy as np
import tensorflow as tf
from google.protobuf import text_format

HERE = pathlib.Path(__file__).parent
raw = tf.raw_ops
v1 = tf.compat.v1
f32, i32 = np.float32, np.int32
all_cases = v1.GraphDef()
rng = np.random.default_rng()


def seed(number):
    rng.bit_generator.state = np.random.default_rng(number).bit_generator.state


def reals(*shape):
    """Few bits, so that the files are small."""
    return (rng.integers(-64, 64, shape) / 16).astype(f32)


def positive(*shape):
    return (rng.integers(1, 64, shape) / 16).astype(f32)


def kernel(*shape):
    return (np.random.default_rng(sum(shape)).integers(-8, 8, shape) / 8).astype(f32)


def whole(*shape, low=-9, high=9, dtype=i32):
    return rng.integers(low, high, shape).astype(dtype)


def forget(name):
    """What is recorded anew."""
    others = [node for node in all_cases.node if not node.name.startswith(f"{name}/")]
    del all_cases.node[:]
    all_cases.node.extend(others)


def add_constant(name, array):
    node = all_cases.node.add(name=name, op="Const")
    node.attr["dtype"].type = tf.as_dtype(array.dtype).as_datatype_enum
    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(array))


def without_notes(node):
    """What no reader needs: shapes, places, hints for compilers."""
    for attribute in [a for a in node.attr if a.startswith("_")]:
        node.attr.pop(attribute)
    node.ClearField("experimental_debug_info")


def add_function(function):
    if function.signature.name in {f.signature.name for f in all_cases.library.function}:
        return
    function.ClearField("attr")
    function.ClearField("arg_attr")
    for node in function.node_def:
        without_notes(node)
    all_cases.library.function.add().CopyFrom(function)


def case(name, build, inputs, open_axes=0, as_text=False):
    """`build` makes results of placeholders; their first `open_axes` sizes are not known to the graph."""
    seed(zlib.crc32(name.encode()))
    forget(name)
    arrays = [np.asarray(a) for a in inputs()]
    with tf.Graph().as_default() as graph, v1.Session() as session:
        xs = [v1.placeholder(a.dtype, [None] * min(open_axes, a.ndim) + list(a.shape[open_axes:]), f"x{i}") for i, a in enumerate(arrays)]
        results = build(*xs)
        results = results if isinstance(results, (list, tuple)) else [results]
        ys = [tf.identity(r, f"y{i}") for i, r in enumerate(results)]
        outs = session.run(ys, dict(zip(xs, arrays)))
        definition = graph.as_graph_def()
    for node in definition.node:
        node.name = f"{name}/{node.name}"
        node.input[:] = [f"^{name}/{i[1:]}" if i.startswith("^") else f"{name}/{i}" for i in node.input]
        without_notes(node)
        if "frame_name" in node.attr:
            node.attr["frame_name"].s = f"{name}/".encode() + node.attr["frame_name"].s
        all_cases.node.add().CopyFrom(node)
    for function in definition.library.function:
        add_function(function)
    for i, a in enumerate(arrays):
        add_constant(f"{name}/in{i}", a)
    for i, o in enumerate(outs):
        add_constant(f"{name}/out{i}", np.asarray(o))
    if as_text:
        (HERE / f"{name}.pbtxt").write_text(text_format.MessageToString(definition))


def unary(name, op=None, of=lambda: [reals(2, 3)], **more):
    op = op or getattr(raw, name)
    case(name.lower(), lambda x: op(**{next(iter(op.__signature__.parameters)): x}, **more), of)


def binary(name, of=lambda: [reals(2, 3), reals(3)], **more):
    op = getattr(raw, name)
    case(name.lower(), lambda x, y: op(x=x, y=y, **more), of)
