"""Writes TensorFlow models of one or a few operators and what TensorFlow computes of them.

    pip install tensorflow-cpu==2.21.0 && python tests/frontends/tensorflow/generate.py [FAMILY ...]

With names of families (functions below, and in control_flow.py) the cases of all others stay as they are.
cases.pb is one graph that holds all cases: CASE/y0, CASE/y1, ... are computed from the placeholders CASE/x0, CASE/x1, ..., whose recorded values
are the constants CASE/in0, ..., and the results CASE/out0, .... What TensorFlow makes of the operators below is in the graph as it is; nothing is
optimized. pad_and_conv.pbtxt is one of the cases as text. saved is a SavedModel with variables, a table of them, and two signatures; saved/in0, saved/in1
and saved/out0 of cases.pb are what its first one was called with and gave. checkpoint is what a session of TensorFlow 1 saves while it trains.
"""
import shutil
import sys

import numpy as np

from control_flow import control_flow, lists, recurrent
from recording import HERE, add_constant, all_cases, binary, case, f32, forget, i32, kernel, positive, raw, reals, rng, seed, tf, unary, v1, whole


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
    case("einsum_alone", lambda x: [raw.Einsum(inputs=[x], equation=e) for e in ("abb->ba", "abc->c", "...b->b...")], lambda: [reals(2, 3, 3)])
    case("einsum_of_open", lambda x, y: [raw.Einsum(inputs=[x, y], equation=e) for e in ("bfnh,btnh->bnft", "...fnh,...tnh->...nft")], lambda: [reals(2, 3, 2, 4), reals(2, 5, 2, 4)], open_axes=2)
    case("einsum_of_elements", lambda x, y: [raw.Einsum(inputs=[x, y], equation=e) for e in ("abc,cb->bca", "aab,bc->abc")], lambda: [reals(3, 3, 2), reals(2, 3)])
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
    seed(1)
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
    seed(2)
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
