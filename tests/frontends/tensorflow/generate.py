"""Writes TensorFlow models of one or a few operators and what TensorFlow computes of them.

    pip install tensorflow-cpu==2.21.0 && python tests/frontends/tensorflow/generate.py [FAMILY ...]

With names of families (functions below) the cases of all others stay as they are.
cases.pb is one graph that holds all cases: CASE/y0, CASE/y1, ... are computed from the placeholders CASE/x0, CASE/x1, ..., whose recorded values
are the constants CASE/in0, ..., and the results CASE/out0, .... What TensorFlow makes of the operators below is in the graph as it is; nothing is
optimized. pad_and_conv.pbtxt is one of the cases as text. saved is a SavedModel with variables, a table of them, and two signatures; saved/in0, saved/in1
and saved/out0 of cases.pb are what its first one was called with and gave. checkpoint is what a session of TensorFlow 1 saves while it trains.
"""
import os
import pathlib
import shutil
import sys
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
texts = {}
rng = None


def reals(*shape):
    """Few bits, so that the files are small."""
    return (rng.integers(-64, 64, shape) / 16).astype(f32)


def positive(*shape):
    return (rng.integers(1, 64, shape) / 16).astype(f32)


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
    global rng
    rng = np.random.default_rng(zlib.crc32(name.encode()))
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


# ---- elementwise ---------------------------------------------------------------------------------------------------------------------

def elementwise():
    for op in ("Abs Asinh Atan Ceil Cos Cosh Elu Erf Erfc Exp Expm1 Floor IsFinite IsInf IsNan LeakyRelu LogSoftmax Neg OnesLike Relu Relu6 Rint "
               "Round Selu Sigmoid Sign Sin Sinh Softmax Softplus Softsign Square Tan Tanh ZerosLike").split():
        unary(op)
    for op in "Inv Log Log1p Reciprocal Rsqrt Sqrt".split():
        unary(op, of=lambda: [positive(2, 3)])
    for op in "Acos Asin Atanh".split():
        unary(op, of=lambda: [(reals(2, 3) / 5).astype(f32)])
    unary("Acosh", of=lambda: [1 + positive(2, 3)])
    case("leaky_relu_slope", lambda x: raw.LeakyRelu(features=x, alpha=0.5), lambda: [reals(2, 3)])
    case("not_finite", lambda x: [raw.IsFinite(x=x), raw.IsInf(x=x), raw.IsNan(x=x)], lambda: [f32([1, np.inf, -np.inf, np.nan])])
    unary("LogicalNot", of=lambda: [whole(4, low=0, high=2) > 0])
    case("cast", lambda x: [raw.Cast(x=x, DstT=tf.int32), raw.Cast(x=x, DstT=tf.bool), raw.Cast(x=x, DstT=tf.float64)], lambda: [reals(2, 3)])
    for op in "Add AddV2 Equal Greater GreaterEqual Less LessEqual Maximum Minimum Mul NotEqual SquaredDifference Sub".split():
        binary(op)
    for op in "Div DivNoNan FloorDiv FloorMod RealDiv".split():
        binary(op, of=lambda: [reals(2, 3), positive(3)])
    binary("Pow", of=lambda: [positive(2, 3), reals(3)])
    for op in "FloorDiv FloorMod Mod TruncateDiv TruncateMod".split():
        case(op.lower() + "_of_integers", lambda x, y: getattr(raw, op)(x=x, y=y), lambda: [whole(2, 5), i32([-3, -2, 2, 3, 4])])
    case("divnonan_zero", lambda x, y: raw.DivNoNan(x=x, y=y), lambda: [f32([1, 2, 3]), f32([0, 2, 0])])
    for op in "LogicalAnd LogicalOr".split():
        binary(op, of=lambda: [np.array([False, False, True, True]), np.array([False, True, False, True])])
    case("addn", lambda x, y, z: raw.AddN(inputs=[x, y, z]), lambda: [reals(2, 3)] * 3)
    case("clipbyvalue", lambda x: raw.ClipByValue(t=x, clip_value_min=-1.0, clip_value_max=2.0), lambda: [reals(2, 3)])
    case("select", lambda c, x, y: raw.Select(condition=c, x=x, y=y), lambda: [np.array([True, False]), reals(2, 3), reals(2, 3)])
    case("selectv2", lambda c, x, y: raw.SelectV2(condition=c, t=x, e=y), lambda: [np.array([True, False, True]), reals(2, 3), reals(1)])
    case("biasadd", lambda x: raw.BiasAdd(value=x, bias=f32([1, 2, 3])), lambda: [reals(2, 3)])
    case("biasadd_first", lambda x: tf.nn.relu(raw.BiasAdd(value=x, bias=f32([1, 2, 3]), data_format="NCHW")), lambda: [reals(1, 3, 2, 2)])
    case("biasaddv1", lambda x: raw.BiasAddV1(value=x, bias=f32([1, 2, 3])), lambda: [reals(2, 3)])
    case("identity", lambda x: [x, tf.identity(x), tf.stop_gradient(tf.identity(x)) + 1], lambda: [reals(2)])


# ---- windows -------------------------------------------------------------------------------------------------------------------------

def kernel(*shape):
    return (np.random.default_rng(sum(shape)).integers(-8, 8, shape) / 8).astype(f32)


def windows():
    for padding in ("SAME", "VALID"):
        p = padding.lower()
        case(f"conv2d_{p}", lambda x: raw.Conv2D(input=x, filter=kernel(3, 2, 2, 3), strides=[1, 2, 1, 1], padding=padding), lambda: [reals(1, 5, 4, 2)])
        case(f"depthwiseconv2dnative_{p}", lambda x: raw.DepthwiseConv2dNative(input=x, filter=kernel(3, 2, 2, 2), strides=[1, 2, 2, 1], padding=padding),
             lambda: [reals(1, 5, 4, 2)])
        case(f"conv3d_{p}", lambda x: raw.Conv3D(input=x, filter=kernel(2, 3, 2, 2, 3), strides=[1, 1, 2, 1, 1], padding=padding), lambda: [reals(1, 3, 4, 3, 2)])
        case(f"conv2dbackpropinput_{p}", lambda x: raw.Conv2DBackpropInput(
            input_sizes=[1, 5, 8, 3] if padding == "SAME" else [1, 7, 8, 3], filter=kernel(3, 2, 3, 2), out_backprop=x, strides=[1, 2, 2, 1], padding=padding),
             lambda: [reals(1, 3, 4, 2)])
        case(f"maxpool_{p}", lambda x: raw.MaxPool(input=x, ksize=[1, 3, 2, 1], strides=[1, 2, 2, 1], padding=padding), lambda: [reals(1, 4, 5, 2)])
        case(f"avgpool_{p}", lambda x: raw.AvgPool(value=x, ksize=[1, 3, 2, 1], strides=[1, 2, 2, 1], padding=padding), lambda: [reals(1, 4, 5, 2)])
    case("conv2d_dilated", lambda x: raw.Conv2D(input=x, filter=kernel(2, 2, 2, 3), strides=[1] * 4, dilations=[1, 2, 1, 1], padding="SAME"),
         lambda: [reals(1, 4, 4, 2)])
    case("conv2d_grouped", lambda x: raw.Conv2D(input=x, filter=kernel(2, 2, 2, 4), strides=[1] * 4, padding="VALID"), lambda: [reals(1, 4, 3, 4)])
    case("conv2d_explicit", lambda x: raw.Conv2D(input=x, filter=kernel(2, 2, 2, 3), strides=[1] * 4, padding="EXPLICIT", explicit_paddings=[0, 0, 1, 2, 0, 1, 0, 0]),
         lambda: [reals(1, 4, 3, 2)])
    case("depthwiseconv2dnative_single", lambda x: raw.DepthwiseConv2dNative(input=x, filter=kernel(3, 3, 2, 1), strides=[1] * 4, padding="SAME"),
         lambda: [reals(1, 4, 4, 2)])
    case("conv3dbackpropinputv2", lambda x: tf.nn.conv3d_transpose(x, kernel(2, 2, 2, 3, 2), tf.stack([tf.shape(x)[0], tf.shape(x)[1] * 2, 4, 4, 3]), 2), lambda: [reals(1, 2, 2, 2, 2)],
         open_axes=1)
    case("maxpool3d", lambda x: raw.MaxPool3D(input=x, ksize=[1, 2, 2, 2, 1], strides=[1, 2, 2, 2, 1], padding="VALID"), lambda: [reals(1, 4, 4, 2, 2)])
    case("avgpool3d", lambda x: raw.AvgPool3D(input=x, ksize=[1, 2, 2, 2, 1], strides=[1, 1, 2, 2, 1], padding="SAME"), lambda: [reals(1, 3, 3, 2, 2)])
    case("maxpoolv2", lambda x: raw.MaxPoolV2(input=x, ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], padding="VALID"), lambda: [reals(1, 4, 4, 2)])
    for op in (raw.ResizeBilinear, raw.ResizeNearestNeighbor):
        name = op.__name__.lower()
        case(name, lambda x: op(images=x, size=[5, 6]), lambda: [reals(1, 3, 4, 2)])
        case(name + "_corners", lambda x: op(images=x, size=[5, 7], align_corners=True), lambda: [reals(1, 3, 4, 2)])
        case(name + "_half", lambda x: op(images=x, size=[5, 7], half_pixel_centers=True), lambda: [reals(1, 3, 4, 2)])
    case("fusedbatchnorm", lambda x: raw.FusedBatchNorm(x=x, scale=[1.0, 2.0], offset=[3.0, 4.0], mean=[0.5, 1.0], variance=[2.0, 4.0], is_training=False).y,
         lambda: [reals(1, 2, 3, 2)])
    case("fusedbatchnormv2", lambda x: raw.FusedBatchNormV2(x=x, scale=[1.0, 2.0], offset=[3.0, 4.0], mean=[0.5, 1.0], variance=[2.0, 4.0], is_training=False).y,
         lambda: [reals(1, 2, 3, 2)])
    case("fusedbatchnormv3", lambda x: raw.FusedBatchNormV3(x=x, scale=[1.0, 2.0], offset=[3.0, 4.0], mean=[0.5, 1.0], variance=[2.0, 4.0], epsilon=0.01, is_training=False).y,
         lambda: [reals(1, 2, 3, 2)])
    case("lrn", lambda x: raw.LRN(input=x, depth_radius=1, bias=2.0, alpha=0.5, beta=0.75), lambda: [reals(1, 2, 2, 4)])


# ---- products and reductions -----------------------------------------------------------------------------------------------------------

def products():
    for a in (False, True):
        for b in (False, True):
            case(f"matmul_{'t' if a else 'n'}{'t' if b else 'n'}", lambda x, y: raw.MatMul(a=x, b=y, transpose_a=a, transpose_b=b),
                 lambda: [reals(3, 2) if a else reals(2, 3), reals(4, 3) if b else reals(3, 4)])
    case("matmul_constant", lambda x: raw.MatMul(a=x, b=kernel(4, 3), transpose_b=True), lambda: [reals(2, 3)])
    case("batchmatmul", lambda x, y: raw.BatchMatMul(x=x, y=y), lambda: [reals(2, 2, 3), reals(2, 3, 2)])
    case("batchmatmulv2", lambda x, y: raw.BatchMatMulV2(x=x, y=y, adj_y=True), lambda: [reals(2, 2, 3), reals(1, 4, 3)])
    case("batchmatmulv3", lambda x, y: raw.BatchMatMulV3(x=x, y=y, Tout=tf.float32, adj_x=True), lambda: [reals(2, 3, 2), reals(3, 2)])
    for i, (equation, a, b) in enumerate([("abc,cde->abde", (2, 3, 4), (4, 2, 3)), ("BFNH,BTNH->BNFT", (2, 3, 2, 4), (2, 5, 2, 4)),
                                          ("BNFT,BTNH->BFNH", (2, 2, 3, 4), (2, 4, 2, 3)), ("ij,jk->ik", (2, 3), (3, 4)), ("abcd,cde->abe", (1, 2, 3, 2), (3, 2, 4))]):
        case(f"einsum_{i}", lambda x, y: raw.Einsum(inputs=[x, y], equation=equation), lambda: [reals(*a), reals(*b)])
    for op in "Max Mean Min Prod Sum EuclideanNorm".split():
        case(op.lower(), lambda x: [getattr(raw, op)(input=x, axis=[1]), getattr(raw, op)(input=x, axis=[-1, 0], keep_dims=True)], lambda: [reals(2, 3, 2)])
    for op in "All Any".split():
        case(op.lower(), lambda x: getattr(raw, op)(input=x, axis=[1]), lambda: [whole(3, 2, low=0, high=2) > 0])
    for op in "ArgMax ArgMin".split():
        case(op.lower(), lambda x: [getattr(raw, op)(input=x, dimension=1), getattr(raw, op)(input=x, dimension=-1, output_type=tf.int32)], lambda: [reals(2, 3, 4)])
    case("cumsum", lambda x: [raw.Cumsum(x=x, axis=1), raw.Cumsum(x=x, axis=0, exclusive=True, reverse=True)], lambda: [reals(2, 3)])
    case("topkv2", lambda x: list(raw.TopKV2(input=x, k=2)), lambda: [np.arange(10, dtype=f32).reshape(2, 5)[:, ::-1] * f32([[1], [-1]])])


# ---- shapes and slices -----------------------------------------------------------------------------------------------------------------

def shapes():
    case("broadcastto", lambda x: raw.BroadcastTo(input=x, shape=[2, 3]), lambda: [reals(3)])
    case("expanddims", lambda x: [raw.ExpandDims(input=x, axis=1), raw.ExpandDims(input=x, axis=-1)], lambda: [reals(2, 3)])
    case("squeeze", lambda x: [raw.Squeeze(input=x), raw.Squeeze(input=x, axis=[-1])], lambda: [reals(2, 1, 3, 1)])
    case("fill", lambda x: raw.Fill(dims=[2, 3], value=tf.reduce_sum(x)), lambda: [reals(2)])
    case("range", lambda x: tf.cast(raw.Range(start=1, limit=tf.shape(x)[0], delta=2), tf.float32) + x[0], lambda: [reals(6)])
    case("range_open", lambda x: tf.cast(raw.Range(start=0, limit=tf.shape(x)[0], delta=1), tf.float32) + x, lambda: [reals(4)], open_axes=1)
    case("rank", lambda x: [raw.Rank(input=x), raw.Size(input=x), raw.Shape(input=x)], lambda: [reals(2, 3)])
    case("shape_open", lambda x: [tf.shape(x) * 2, tf.size(x)], lambda: [reals(2, 3)], open_axes=1)
    case("reshape", lambda x: raw.Reshape(tensor=x, shape=[3, -1]), lambda: [reals(2, 3, 2)])
    case("reshape_by_shape", lambda x: tf.reshape(x, [tf.shape(x)[0], tf.shape(x)[1] * 4]), lambda: [reals(2, 3, 4)], open_axes=1)
    case("reshape_by_two_open", lambda x: tf.reshape(x, [tf.shape(x)[0], tf.shape(x)[1], 2, 2]), lambda: [reals(2, 3, 4)], open_axes=2)
    case("transpose", lambda x: raw.Transpose(x=x, perm=[2, 0, 1]), lambda: [reals(2, 3, 4)])
    case("concatv2", lambda x, y: raw.ConcatV2(values=[x, y, kernel(2, 1)], axis=-1), lambda: [reals(2, 3), reals(2, 2)])
    case("concat", lambda x, y: raw.Concat(concat_dim=0, values=[x, y]), lambda: [reals(2, 3), reals(1, 3)])
    case("split", lambda x: raw.Split(axis=1, value=x, num_split=3), lambda: [reals(2, 6)])
    case("splitv", lambda x: raw.SplitV(value=x, size_splits=[1, -1, 2], axis=1, num_split=3), lambda: [reals(2, 6)])
    case("stridedslice", lambda x: [x[:, 1:, ::2], x[0, ..., 1], x[:, tf.newaxis, -1, 2:0:-1], x[..., ::-1], x[-1:]], lambda: [reals(2, 3, 4)])
    case("stridedslice_computed", lambda x, n: x[:, :n[0]] * tf.cast(n[1], tf.float32), lambda: [reals(2, 4), i32([3, 2])])
    case("slice", lambda x: [raw.Slice(input=x, begin=[0, 1, 2], size=[2, -1, 1]), raw.Slice(input=x, begin=[1, 0, 0], size=[-1, -1, -1])], lambda: [reals(2, 3, 4)])
    case("gather", lambda x: raw.Gather(params=x, indices=[2, 0]), lambda: [reals(3, 2)])
    case("gatherv2", lambda x, i: [raw.GatherV2(params=x, indices=i, axis=1), raw.GatherV2(params=x, indices=i, axis=1, batch_dims=1)], lambda: [reals(2, 3, 2), i32([[2, 0], [1, 1]])])
    case("gathernd", lambda x, i: raw.GatherNd(params=x, indices=i), lambda: [reals(2, 3, 2), i32([[1, 2], [0, 0]])])
    case("scatternd", lambda x: raw.ScatterNd(indices=[[1], [3], [1]], updates=x, shape=[4, 2]), lambda: [reals(3, 2)])
    case("onehot", lambda i: [raw.OneHot(indices=i, depth=4, on_value=5.0, off_value=-1.0), raw.OneHot(indices=i, depth=3, on_value=1.0, off_value=0.0, axis=0)],
         lambda: [i32([[0, 3], [-1, 7]])])
    case("pack", lambda x, y: [raw.Pack(values=[x, y]), raw.Pack(values=[x, y], axis=-1)], lambda: [reals(2, 3), reals(2, 3)])
    case("unpack", lambda x: raw.Unpack(value=x, num=3, axis=1), lambda: [reals(2, 3, 2)])
    case("pad", lambda x: raw.Pad(input=x, paddings=[[0, 1], [2, 0]]), lambda: [reals(2, 3)])
    case("padv2", lambda x: raw.PadV2(input=x, paddings=[[1, 0], [0, 1]], constant_values=7.0), lambda: [reals(2, 3)])
    case("mirrorpad", lambda x: raw.MirrorPad(input=x, paddings=[[1, 0], [0, 2]], mode="REFLECT"), lambda: [reals(2, 3)])
    case("tile", lambda x: raw.Tile(input=x, multiples=[2, 1]), lambda: [reals(2, 3)])
    case("reversev2", lambda x: raw.ReverseV2(tensor=x, axis=[0, -1]), lambda: [reals(2, 3)])
    case("depthtospace", lambda x: raw.DepthToSpace(input=x, block_size=2), lambda: [reals(1, 2, 3, 8)])
    case("spacetodepth", lambda x: raw.SpaceToDepth(input=x, block_size=2), lambda: [reals(1, 2, 4, 2)])
    case("spacetobatchnd", lambda x: raw.SpaceToBatchND(input=x, block_shape=[2, 3], paddings=[[1, 0], [0, 2]]), lambda: [reals(2, 3, 4, 2)])
    case("batchtospacend", lambda x: raw.BatchToSpaceND(input=x, block_shape=[2, 3], crops=[[1, 0], [0, 2]]), lambda: [reals(6, 3, 2, 2)])


# ---- quantization ----------------------------------------------------------------------------------------------------------------------

def quantization():
    def around(low, high):
        return lambda: [(rng.random((2, 32)) * (high - low) * 1.2 + low - (high - low) * 0.1).astype(f32)]
    for i, (low, high, more) in enumerate([(-1.1, 2.3, {}), (0.0, 6.0, {}), (-3.0, 3.0, {"narrow_range": True}), (-0.3, 1.0, {"num_bits": 4}),
                                           (-2.0, 0.0, {}), (-5.0, 1.5, {"num_bits": 12})]):
        case(f"fakequantwithminmaxvars_{i}", lambda x: raw.FakeQuantWithMinMaxVars(inputs=x, min=low, max=high, **more), around(low, high))
    case("fakequantwithminmaxargs", lambda x: raw.FakeQuantWithMinMaxArgs(inputs=x, min=-1.0, max=3.0), around(-1, 3))
    case("fakequantwithminmaxvarsperchannel", lambda x: raw.FakeQuantWithMinMaxVarsPerChannel(inputs=x, min=[-1.0, 0.0, -4.0], max=[1.5, 2.0, 0.5]), lambda: [reals(8, 3)])
    case("quantizeanddequantizev2", lambda x: raw.QuantizeAndDequantizeV2(input=x, input_min=-1.0, input_max=2.0, range_given=True), around(-1, 2))
    case("quantizeanddequantizev3", lambda x: raw.QuantizeAndDequantizeV3(input=x, input_min=0.0, input_max=2.0, num_bits=8, signed_input=False, range_given=True), around(0, 2))
    case("quantizeanddequantizev4", lambda x: raw.QuantizeAndDequantizeV4(input=x, input_min=-3.0, input_max=2.0, range_given=True, narrow_range=True), around(-3, 2))

    def trained(x):
        x = raw.FakeQuantWithMinMaxVars(inputs=x, min=-4.0, max=4.0)
        w = raw.FakeQuantWithMinMaxVarsPerChannel(inputs=kernel(2, 2, 2, 3), min=[-1.0, -0.5, -0.75], max=[1.0, 0.5, 0.75], narrow_range=True)
        y = tf.nn.relu(raw.BiasAdd(value=raw.Conv2D(input=x, filter=w, strides=[1] * 4, padding="SAME"), bias=f32([0.5, 0.25, -1])))
        return raw.FakeQuantWithMinMaxVars(inputs=y, min=0.0, max=20.0)
    case("trained_for_int8", trained, lambda: [reals(1, 3, 3, 2)])


# ---- boxes -----------------------------------------------------------------------------------------------------------------------------

def boxes():
    """Boxes over each other, some as far as the limit says exactly, corners in any order, one without an area; equal scores, and some that are no numbers."""
    corners = f32([[0, 0, 2, 2], [0, 0, 2, 2.5], [0, 0, 2, 1], [5, 5, 3, 3], [3, 3, 5, 5.25], [8, 8, 9, 9], [8, 8, 8, 9], [1, 0, 3, 2], [6, 0, 7, 4], [6, 4, 7, 0]])
    of = lambda: [corners, f32([0.5, 0.75, 0.9, 0.6, 0.6, 0.05, 0.7, 0.75, np.nan, -0.3])]
    limits = lambda most, overlap, score: {"max_output_size": most, "iou_threshold": overlap, "score_threshold": score}
    case("nonmaxsuppression", lambda b, s: [raw.NonMaxSuppression(boxes=b, scores=s, max_output_size=m, iou_threshold=o) for m, o in ((4, 0.5), (20, 0.3))], of)
    case("nonmaxsuppressionv2", lambda b, s: raw.NonMaxSuppressionV2(boxes=b, scores=s, max_output_size=10, iou_threshold=0.4), of)
    case("nonmaxsuppressionv3", lambda b, s: [raw.NonMaxSuppressionV3(boxes=b, scores=s, **limits(*l)) for l in ((6, 0.5, 0.1), (6, 0.5, 2.0), (0, 0.5, 0.1))], of)
    case("nonmaxsuppressionv3_open", lambda b, s: raw.NonMaxSuppressionV3(boxes=b, scores=s, **limits(6, 0.3, 0.1)), of, open_axes=1)

    def padded(b, s):
        results = [raw.NonMaxSuppressionV4(boxes=b, scores=s, pad_to_max_output_size=True, **limits(*l)) for l in ((4, 0.5, 0.1), (12, 0.0, -1.0), (3, 1.0, 0.8))]
        return [y for r in results for y in r]
    case("nonmaxsuppressionv4", padded, of)
    case("nonmaxsuppressionv4_called", tf.function(lambda b, s: list(raw.NonMaxSuppressionV4(boxes=b, scores=s, pad_to_max_output_size=True, **limits(5, 0.4, 0.1)))), of)
    case("nonmaxsuppressionv4_not_padded", lambda b, s: list(raw.NonMaxSuppressionV4(boxes=b, scores=s, **limits(8, 0.5, 0.1))), of)

    def lowered(b, s):
        results = [raw.NonMaxSuppressionV5(boxes=b, scores=s, soft_nms_sigma=sigma, pad_to_max_output_size=True, **limits(*l))
                   for sigma, l in ((0.5, (6, 0.5, 0.1)), (0.1, (12, 0.3, 0.4)), (2.0, (12, 1.0, -1.0)), (0.0, (5, 0.5, 0.1)))]
        return [y for r in results for y in r]
    case("nonmaxsuppressionv5", lowered, of)
    case("nonmaxsuppressionv5_not_padded", lambda b, s: list(raw.NonMaxSuppressionV5(boxes=b, scores=s, soft_nms_sigma=0.5, **limits(10, 0.5, 0.2))), of)
    case("nonmaxsuppressionwithoverlaps", lambda o, s: raw.NonMaxSuppressionWithOverlaps(overlaps=o, scores=s, max_output_size=5, overlap_threshold=0.5, score_threshold=0.25),
         lambda: [rng.integers(0, 5, (8, 8)).astype(f32) / 4, rng.integers(0, 9, 8).astype(f32) / 8])

    def combined(*options):
        return lambda b, s: [y for per_class, total, overlap, score, pads, clips in options for y in raw.CombinedNonMaxSuppression(
            boxes=b, scores=s, max_output_size_per_class=per_class, max_total_size=total, iou_threshold=overlap, score_threshold=score, pad_per_class=pads, clip_boxes=clips)]
    def of_classes(forms):
        first, size = rng.integers(-4, 12, (2, 8, forms, 2)) / 16, rng.integers(1, 10, (2, 8, forms, 2)) / 16
        return [np.concatenate([first, first + size], -1).astype(f32), (rng.permutation(48).reshape(2, 8, 3) / 48).astype(f32)]
    case("combinednonmaxsuppression", combined((4, 6, 0.4, 0.1, False, True), (2, 10, 0.3, 0.4, True, False), (50, 40, 1.0, -1.0, False, True)), lambda: of_classes(1))
    case("combinednonmaxsuppression_forms", combined((4, 9, 0.4, 0.1, False, True), (3, 5, 0.3, 2.0, False, True)), lambda: of_classes(3))
    case("combinednonmaxsuppression_open", combined((4, 9, 0.4, 0.1, True, True)), lambda: of_classes(1), open_axes=1)


# ---- parts of networks -----------------------------------------------------------------------------------------------------------------

def networks():
    def pad_and_conv(x):
        x = tf.pad(x, [[0, 0], [1, 1], [0, 1], [0, 0]])
        x = tf.nn.relu6(tf.nn.bias_add(tf.nn.conv2d(x, kernel(3, 3, 2, 4), 2, "VALID"), f32([1, -1, 0.5, 0])))
        return tf.nn.softmax(tf.matmul(tf.reduce_mean(x, [1, 2]), kernel(4, 3)))
    case("pad_and_conv", pad_and_conv, lambda: [reals(2, 5, 6, 2)], open_axes=1, as_text=True)

    def residual(x):
        y = tf.nn.conv2d(x, kernel(1, 1, 4, 4), 1, "SAME")
        y = raw.FusedBatchNormV3(x=y, scale=[1.0] * 4, offset=[0.5] * 4, mean=[0.25] * 4, variance=[2.0] * 4, is_training=False).y
        y = tf.nn.relu(y + x)
        gate = tf.sigmoid(tf.nn.conv2d(tf.reduce_mean(y, [1, 2], keepdims=True), kernel(1, 1, 4, 4), 1, "SAME"))
        y = tf.concat([y * gate, x], -1)
        a, b = tf.split(y, 2, -1)
        return tf.nn.max_pool2d(a - b * f32([1, 2, 3, 4]), 2, 2, "SAME")
    case("residual", residual, lambda: [reals(1, 4, 4, 4)])

    def flatten_and_dense(x):
        y = tf.nn.conv2d(x, kernel(2, 2, 2, 3), 1, "VALID")
        return tf.matmul(tf.reshape(y, [-1, 3 * 2 * 3]), kernel(18, 4)) + f32([1, 2, 3, 4])
    case("flatten_and_dense", flatten_and_dense, lambda: [reals(2, 4, 3, 2)], open_axes=1)

    def conv1d(x):
        y = tf.nn.relu(tf.nn.conv1d(x, kernel(3, 2, 4), 1, "SAME") + f32([1, 2, 3, 4]))
        return tf.nn.conv1d(y, kernel(2, 4, 2), 2, "VALID")
    case("conv1d", conv1d, lambda: [reals(2, 6, 2)], open_axes=1)

    def attention(x):
        q, k, v = (tf.transpose(tf.reshape(tf.einsum("abc,cd->abd", x, kernel(8, 8) * s), [-1, 3, 2, 4]), [0, 2, 1, 3]) for s in (f32(1), f32(0.5), f32(2)))
        y = tf.matmul(tf.nn.softmax(tf.matmul(q, k, transpose_b=True) * 0.5), v)
        y = tf.reshape(tf.transpose(y, [0, 2, 1, 3]), [-1, 3, 8]) + x
        mean, variance = tf.nn.moments(y, [-1], keepdims=True)
        return tf.nn.batch_normalization(y, mean, variance, f32([1] * 8), f32([2] * 8), 1e-3)
    case("attention", attention, lambda: [reals(2, 3, 8)], open_axes=1)

    def own_transposes(x):
        y = tf.transpose(tf.nn.relu(tf.transpose(tf.nn.conv2d(x, kernel(2, 2, 2, 3), 1, "SAME"), [0, 3, 1, 2])), [0, 2, 3, 1])
        return tf.nn.conv2d(y, kernel(1, 1, 3, 2), 1, "SAME")
    case("own_transposes", own_transposes, lambda: [reals(1, 3, 4, 2)])

    def dropout(x):
        v1.disable_control_flow_v2()
        training = v1.placeholder_with_default(False, [], "training")
        y = v1.cond(training, lambda: x * tf.random.uniform(tf.shape(x)), lambda: tf.identity(x))
        return tf.nn.conv2d(y, kernel(1, 1, 2, 2), 1, "SAME")
    case("dropout", dropout, lambda: [reals(1, 2, 2, 2)])

    def calls(x):
        inner = tf.function(lambda a, b: (a + b, a * b))
        outer = tf.function(lambda a: inner(a, a + 1.0))
        s, p = outer(x)
        return [s - p, tf.function(lambda a: outer(a)[1])(s)]
    case("calls", calls, lambda: [reals(2, 3)])


# ---- branches and loops ------------------------------------------------------------------------------------------------------------------

def with_control_flow(version, build):
    """Builds with the nodes of control flow of TensorFlow 1 (Switch, Enter, ...) or those of TensorFlow 2 (If, While)."""
    def switched(*xs):
        (v1.enable_control_flow_v2 if version == 2 else v1.disable_control_flow_v2)()
        try:
            return build(*xs)
        finally:
            v1.enable_control_flow_v2()
    return switched


def in_both(name, build, inputs, **more):
    for version in (1, 2):
        case(f"{name}_v{version}", with_control_flow(version, build), inputs, **more)


def control_flow():
    def chosen(x):
        return tf.cond(tf.reduce_sum(x) > 0, lambda: [x * 2, x + f32([1, 2])], lambda: [tf.nn.relu(x), tf.zeros_like(x)])
    in_both("cond_taken", chosen, lambda: [positive(3, 2)])
    in_both("cond_not_taken", chosen, lambda: [-positive(3, 2)])

    def nested(x):
        def inner():
            return tf.cond(x[0, 0] > 1, lambda: x - 1, lambda: tf.exp(x * 0.25))
        return tf.cond(tf.reduce_sum(x) > 0, inner, lambda: -x)
    in_both("cond_nested", nested, lambda: [positive(3, 2) + 1])
    in_both("cond_nested_other", nested, lambda: [positive(3, 2) * f32([0.1])])

    def doubled(x, limit):
        return tf.while_loop(lambda i, y: tf.reduce_sum(y) < limit, lambda i, y: (i + 1, tf.matmul(y, kernel(2, 2) * f32(0.25)) + y + positive_once), (0, x))
    positive_once = f32([[0.5, 1.0]])
    in_both("while", doubled, lambda: [positive(3, 2), f32(60)])
    in_both("while_never", doubled, lambda: [positive(3, 2), f32(-1)])
    in_both("while_of_open_size", doubled, lambda: [positive(3, 2), f32(60)], open_axes=1)

    def within(x):
        def body(i, y):
            y = tf.while_loop(lambda j, z: j < i, lambda j, z: (j + 1, z * 1.5 - x), (0, y))[1]
            return i + 1, tf.cond(y[0] > 8, lambda: y * 0.25, lambda: y + tf.cast(i, tf.float32))
        return tf.while_loop(lambda i, y: i < 4, body, (1, x))[1]
    in_both("while_within", within, lambda: [positive(3)])

    def collected(x):
        def body(i, y, kept):
            y = tf.tanh(y + x[i])
            return i + 1, y, kept.write(i, y * tf.cast(i + 1, tf.float32))
        kept = tf.TensorArray(tf.float32, tf.shape(x)[0], element_shape=[None])
        _, y, kept = tf.while_loop(lambda i, y, kept: i < tf.shape(x)[0], body, (0, tf.zeros_like(x[0]), kept))
        return [y, kept.stack()]
    in_both("while_collected", collected, lambda: [reals(4, 3)])

    def through_array(x):
        rows = tf.TensorArray(tf.float32, 4, element_shape=[3], clear_after_read=False).unstack(x)
        total = tf.while_loop(lambda i, total: i < rows.size(), lambda i, total: (i + 1, total + rows.read(i) * tf.cast(i, tf.float32)), (0, tf.zeros([3])))[1]
        return [total, rows.gather([2, 0])]
    in_both("array_read", through_array, lambda: [reals(4, 3)])

    def sized(x):
        rows = tf.TensorArray(tf.float32, 4, element_shape=[3]).unstack(x)
        return raw.TensorArraySizeV3(handle=rows.handle, flow_in=rows.flow) * 2
    case("array_size", with_control_flow(1, sized), lambda: [reals(4, 3)])

    def stateful(x):
        branches = [tf.function(f).get_concrete_function(tf.TensorSpec([2, 3], tf.float32)) for f in (lambda a: a * 2, lambda a: a - 1)]
        return raw.If(cond=x[0, 0] > 0, input=[x], Tout=[tf.float32], then_branch=branches[0], else_branch=branches[1])
    case("cond_stateful", stateful, lambda: [reals(2, 3)])

    def selected(x, index):
        return tf.switch_case(index, [lambda: [x * 2, x[0]], lambda: [tf.nn.relu(x), x[1]], lambda: [x - 1, x[0] + x[1]]])
    for index in (0, 1, 2, -1, 7):  # what is none of them is the last
        in_both(f"case_{index}".replace("-", "minus_"), selected, lambda index=index: [reals(2, 3), i32(index)])

    def known(x):
        branches = [tf.function(f).get_concrete_function(tf.TensorSpec([2, 3], tf.float32)) for f in (lambda a: a * 2, lambda a: a - 1)]
        return [op(branch_index=1, input=[x], Tout=[tf.float32], branches=branches, output_shapes=[[2, 3]]) for op in (raw.Case, raw.StatelessCase)]
    case("case_known", known, lambda: [reals(2, 3)])

    def pushed(x):
        items = raw.EmptyTensorList(element_shape=[3], max_num_elements=-1, element_dtype=tf.float32)
        for row in (x[0], x[1] * 2):
            items = raw.TensorListPushBack(input_handle=items, tensor=row)
        count = raw.TensorListLength(input_handle=items)
        return [raw.TensorListStack(input_handle=items, element_shape=[3], element_dtype=tf.float32), count,
                raw.TensorListGather(input_handle=items, indices=[1], element_shape=[3], element_dtype=tf.float32)]
    case("list_pushed", pushed, lambda: [reals(2, 3)])


def lists():
    """TensorArrays of tf.function become lists, those of TensorFlow 1 arrays; the operators of lists besides."""
    def array(count, **more):
        return tf.TensorArray(tf.float32, count, clear_after_read=False, **more)

    in_both("list_written", lambda x: array(3).write(0, x[0]).write(2, x[1] * 2).write(1, x[3]).stack(), lambda: [reals(4, 3)])
    in_both("list_written_somewhere", lambda x, i: [array(4).write(i, x[0]).stack(), array(0, dynamic_size=True).write(i, x[1]).stack()], lambda: [reals(4, 3), i32(2)])
    in_both("list_grown", lambda x: array(1, dynamic_size=True).write(0, x[0]).write(3, x[1]).stack(), lambda: [reals(4, 3)])
    in_both("list_scattered", lambda x: array(6, element_shape=[3]).scatter([2, 0, 5, 1], x).stack(), lambda: [reals(4, 3)])
    in_both("list_concatenated", lambda x: [array(2).write(1, x[:2]).write(0, x[2:]).concat(), array(2, infer_shape=False).split(x, [2, 2]).concat()], lambda: [reals(4, 3)])
    in_both("list_unstacked", lambda x: [array(4).unstack(x).stack(), array(4).unstack(x).read(2)], lambda: [reals(4, 3)], open_axes=1)

    def appended(x, n):
        step = lambda i, kept: (i + 1, kept.write(i, tf.nn.relu(x[i]) * 2))
        return [tf.while_loop(lambda i, kept: i < limit, step, (0, array(0, dynamic_size=True)))[1].stack() for limit in (4, n)]
    in_both("while_appended", appended, lambda: [reals(4, 3), i32(3)])
    in_both("while_appended_rows", lambda x: tf.while_loop(lambda i, kept: i < 2, lambda i, kept: (i + 1, kept.write(i, x[i] * 2)), (0, array(0, dynamic_size=True)))[1].concat(),
            lambda: [reals(2, 3, 2)])

    def kept_if(x):
        def body(i, n, kept):
            wanted = x[i, 0] > 0
            return i + 1, n + tf.cast(wanted, tf.int32), tf.cond(wanted, lambda: kept.write(n, x[i]), lambda: kept)
        return tf.while_loop(lambda i, n, kept: i < 6, body, (0, 0, array(0, dynamic_size=True)))[2].stack()
    in_both("while_kept_if", kept_if, lambda: [reals(6, 3)])

    def within(x):
        def body(i, kept):
            return i + 1, tf.while_loop(lambda j, inner: j < 2, lambda j, inner: (j + 1, inner.write(2 * i + j, x[i] - x[j])), (0, kept))[1]
        return tf.while_loop(lambda i, kept: i < 3, body, (0, array(0, dynamic_size=True)))[1].stack()
    in_both("while_within_grown", within, lambda: [reals(3, 2)])
    in_both("while_of_unknown_width", lambda x, n: tf.while_loop(lambda i, kept: i < 3, lambda i, kept: (i + 1, kept.write(i, x[i, :n])), (0, array(3)))[1].stack(),
            lambda: [reals(3, 4), i32(2)])
    in_both("cond_filled", lambda x: (lambda kept: tf.cond(x[0, 0] > 0, lambda: kept.write(1, x[1]), lambda: kept).write(0, x[3]).stack())(array(2)), lambda: [-positive(4, 3)])

    def stack(items, shape=(3,)):
        return raw.TensorListStack(input_handle=items, element_shape=list(shape), element_dtype=tf.float32)

    in_both("cond_of_nothing", lambda x: tf.cond(x[0, 0] > 0, lambda: x[:, :0], lambda: x), lambda: [positive(2, 3)])

    def popped(x):
        items = raw.TensorListFromTensor(tensor=x, element_shape=[3])
        shorter, last = raw.TensorListPopBack(input_handle=items, element_shape=[3], element_dtype=tf.float32)
        return [last, stack(raw.TensorListResize(input_handle=shorter, size=5)), stack(raw.TensorListResize(input_handle=shorter, size=2))]
    case("list_popped", popped, lambda: [reals(4, 3)])

    def joined(x):
        rows = raw.TensorListSplit(tensor=x, element_shape=[-1, 3], lengths=np.int64([2, 2]))
        more = raw.TensorListConcatLists(input_a=rows, input_b=raw.TensorListFromTensor(tensor=x[None, :2] * 2, element_shape=[-1, 3]), element_dtype=tf.float32)
        return [stack(more, (2, 3)), *raw.TensorListConcatV2(input_handle=more, element_shape=[-1, 3], leading_dims=np.int64([]), element_dtype=tf.float32),
                raw.TensorListConcat(input_handle=more, element_dtype=tf.float32, element_shape=[2, 3]).tensor]
    case("list_joined", joined, lambda: [reals(4, 3)])

    def scattered(x, places):
        into = raw.TensorListScatterIntoExistingList(input_handle=raw.TensorListFromTensor(tensor=x, element_shape=[3]), tensor=x[:2] * 2, indices=[3, 1])
        return [stack(raw.TensorListScatter(tensor=x, indices=places, element_shape=[3])), stack(raw.TensorListScatterV2(tensor=x, indices=places, element_shape=[3], num_elements=7)), stack(into)]
    case("list_of_scattered", scattered, lambda: [reals(4, 3), i32([2, 0, 3, 1])])

    def unset(x):
        nothing = raw.TensorListReserve(element_shape=-1, num_elements=3, element_dtype=tf.float32)
        return [stack(nothing) + x[0], raw.TensorListGetItem(input_handle=nothing, index=1, element_shape=[3], element_dtype=tf.float32) + x[0]]
    case("list_unset", unset, lambda: [reals(4, 3)])


def recurrent():
    """Layers of Keras as they are frozen: with While nodes, and lowered to the frames of TensorFlow 1."""
    import keras
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2
    layers = {"lstm": lambda: keras.layers.LSTM(3, return_sequences=True), "lstm_last": lambda: keras.layers.LSTM(3, unit_forget_bias=False, bias_initializer="random_normal"),
              "lstm_states": lambda: keras.layers.LSTM(3, return_state=True, go_backwards=True), "gru": lambda: keras.layers.GRU(3, return_sequences=True, bias_initializer="random_normal"),
              "gru_last": lambda: keras.layers.GRU(3), "rnn": lambda: keras.layers.SimpleRNN(3, return_sequences=True, activation="relu"),
              "bidirectional": lambda: keras.layers.Bidirectional(keras.layers.GRU(2, return_sequences=True)),
              "gru_before": lambda: keras.layers.GRU(3, reset_after=False)}
    for seed, (name, make) in enumerate(layers.items()):
        keras.utils.set_random_seed(seed)
        layer = make()
        layer.build((2, 5, 4))
        forms = ((2, False), (None, False), (2, True)) if name in ("lstm", "gru") else ((2, False), (None, False)) if name == "lstm_last" else ((2, False),)
        for batch, lowered in forms:
            function = tf.function(lambda x: layer(x)).get_concrete_function(tf.TensorSpec([batch, 5, 4], tf.float32, "x"))
            frozen = convert_variables_to_constants_v2(function, lower_control_flow=lowered)
            outputs = [o.name for o in frozen.outputs]
            definition = frozen.graph.as_graph_def()
            suffix = "_lowered" if lowered else "_open" if batch is None else ""
            case(f"keras_{name}{suffix}", lambda x: tf.graph_util.import_graph_def(definition, {"x": x}, outputs, name=""),
                 lambda: [reals(2, 5, 4)], open_axes=int(batch is None))


# ---- SavedModel ------------------------------------------------------------------------------------------------------------------------

class Scorer(tf.Module):
    def __init__(self):
        super().__init__()
        self.table = tf.Variable(kernel(10, 4))
        self.layers = [tf.Variable(kernel(3, 3, 2, 4), name="kernel"), tf.Variable(f32([1, -1, 0.5, 2]), name="bias")]
        self.dense = tf.Variable(kernel(8, 3), name="kernel")  # two of one name
        self.twice = tf.Variable(2.0)

    @tf.function(input_signature=[tf.TensorSpec([None, 5, 5, 2], tf.float32, "image"), tf.TensorSpec([None], tf.int64, "ids")])
    def score(self, image, ids):
        y = self.pooled(image)
        return {"scores": tf.matmul(tf.concat([y, tf.gather(self.table, ids)], -1), self.dense)}

    @tf.function
    def pooled(self, image):
        return tf.reduce_mean(tf.nn.relu(tf.nn.conv2d(image, self.layers[0], 1, "SAME") + self.layers[1]), [1, 2])

    @tf.function(input_signature=[tf.TensorSpec([3], tf.float32, "x")])
    def double(self, x):
        return x * self.twice


def saved():
    global rng
    rng = np.random.default_rng(1)
    forget("saved")
    folder, scorer = HERE / "saved", Scorer()
    shutil.rmtree(folder, ignore_errors=True)
    tf.saved_model.save(scorer, str(folder), {"serving_default": scorer.score, "twice": scorer.double})
    (folder / "fingerprint.pb").unlink()
    (folder / "assets").rmdir()
    image, ids = reals(2, 5, 5, 2), np.int64([3, 9])
    for name, array in {"in0": ids, "in1": image, "out0": scorer.score(image, ids)["scores"].numpy()}.items():
        add_constant(f"saved/{name}", array)


def checkpoint():
    """What tf.compat.v1.train.Saver writes while training: PREFIX.meta, PREFIX.index and PREFIX.data-00000-of-00001."""
    global rng
    rng = np.random.default_rng(2)
    forget("checkpoint")
    folder = HERE / "checkpoint"
    shutil.rmtree(folder, ignore_errors=True)
    with tf.Graph().as_default() as graph, v1.Session() as session:
        image = v1.placeholder(tf.float32, [None, 6, 6, 2], "image")
        kernel = v1.get_variable("conv/kernel", initializer=reals(3, 3, 2, 4), use_resource=False)
        weights = v1.get_variable("dense/kernel", initializer=reals(4, 3), use_resource=True)
        pooled = tf.reduce_mean(tf.nn.relu(tf.nn.conv2d(image, kernel, 2, "SAME")), [1, 2])
        scores = tf.identity(pooled @ weights, "scores")
        v1.train.GradientDescentOptimizer(0.1).minimize(tf.reduce_sum(scores ** 2), name="train")
        session.run(v1.global_variables_initializer())
        value = reals(2, 6, 6, 2)
        add_constant("checkpoint/in0", value)
        add_constant("checkpoint/out0", session.run(scores, {image: value}))
        v1.train.Saver().save(session, str(folder / "model"), strip_default_attrs=True, save_debug_info=False)
    (folder / "checkpoint").unlink()


wanted = sys.argv[1:]
if wanted:
    all_cases.ParseFromString((HERE / "cases.pb").read_bytes())
for family in (elementwise, windows, products, shapes, quantization, boxes, networks, control_flow, lists, recurrent, saved, checkpoint):
    if not wanted or family.__name__ in wanted:
        family()
(HERE / "cases.pb").write_bytes(all_cases.SerializeToString(deterministic=True))
print(len({n.name.split("/")[0] for n in all_cases.node}), "cases,", (HERE / "cases.pb").stat().st_size, "bytes")
