#!/usr/bin/env python3
"""Makes the MXNet models of this folder and records what MXNet computes: generate.py. Needs mxnet==1.9.1 and numpy==1.23.5.

A model is NAME-symbol.json, NAME-0000.params and NAME.npz with arrays in_NAME and out0, out1, ... Each has many operators, an output for each, so
that there are few files. REFUSED has models that cannot be imported, with what the message must say. quantized/ has those on integers."""
import json
import pathlib

import mxnet as mx
import numpy as np

HERE = pathlib.Path(__file__).parent
QUANTIZED = HERE / "quantized"
S = mx.sym
random = np.random.default_rng(7)
x, y = S.Variable("x"), S.Variable("y")


def array(*shape, low=-2.0, high=2.0):
    return random.uniform(low, high, shape).astype(np.float32)


def weights(symbol, shapes):
    """Random values for everything that is not fed."""
    args, _, aux = symbol.infer_shape_partial(**shapes)  # loops do not tell all that is in them
    made = {}
    for name, shape in zip(symbol.list_arguments(), args):
        if name not in shapes:
            made["arg:" + name] = mx.nd.array(array(*shape))
    for name, shape in zip(symbol.list_auxiliary_states(), aux):
        made["aux:" + name] = mx.nd.array(array(*shape, low=0.5, high=1.5))
    return made


def record(name, outputs, inputs, values=None):
    symbol = S.Group(outputs)
    params = weights(symbol, {k: v.shape for k, v in inputs.items()}) | (values or {})
    symbol.save(str(HERE / f"{name}-symbol.json"))
    mx.nd.save(str(HERE / f"{name}-0000.params"), params)
    feeds = {k: mx.nd.array(v) for k, v in inputs.items()} | {k[4:]: v for k, v in params.items() if k.startswith("arg:")}
    states = {k[4:]: v for k, v in params.items() if k.startswith("aux:")}
    results = symbol.bind(mx.cpu(), feeds, aux_states=states, grad_req="null").forward(is_train=False)
    recorded = {"in_" + k: v for k, v in inputs.items()} | {f"out{i}": r.asnumpy() for i, r in enumerate(results)}
    np.savez_compressed(HERE / f"{name}.npz", **recorded)


def of_shape(name, *shape):
    return S.Variable(name, shape=shape)


def elementwise():
    a, b = of_shape("a", 2, 3, 4), of_shape("b", 2, 3, 4)
    unary = ["relu", "sigmoid", "tanh", "exp", "abs", "negative", "floor", "ceil", "sign", "erf", "sin", "cos", "square", "trunc", "fix", "softsign",
             "zeros_like", "ones_like", "logical_not", "expm1", "arctan", "sinh", "cosh", "arcsinh", "identity", "stop_gradient", "make_loss"]
    positive = ["log", "sqrt", "rsqrt", "reciprocal", "log1p"]
    small = ["tan", "arcsin", "arccos", "arctanh"]
    outputs = [getattr(S, op)(a) for op in unary] + [getattr(S, op)(S.abs(a) + 0.5) for op in positive]
    outputs += [getattr(S, op)(a * 0.4) for op in small] + [S.arccosh(S.abs(a) + 1.5)]
    outputs += [a + b, a - b, a * b, a / (S.abs(b) + 1), S.abs(a) ** b, S.maximum(a, b), S.minimum(a, b), a > b, a >= b, a < b, a <= b, a == b, a != b]
    outputs += [a + 2, a - 2, 2 - a, a * 2, a / 2, 2 / (S.abs(a) + 1), S.abs(a) ** 2, 2**a, S.maximum(a, 0.5), S.minimum(a, 0.5)]
    outputs += [a > 0.5, a >= 0.5, a < 0.5, a <= 0.5, a == 0.5, a != 0.5]
    row = of_shape("row", 1, 3, 1)
    outputs += [getattr(S, "broadcast_" + op)(a, row) for op in
                ("add", "sub", "mul", "maximum", "minimum", "equal", "not_equal", "greater", "greater_equal", "lesser", "lesser_equal",
                 "logical_and", "logical_or", "logical_xor")] + [S._internal._logical_and(a, b), S._internal._logical_or(a, b), S._internal._logical_xor(a, b)]
    outputs += [S.broadcast_div(a, S.abs(row) + 1), S.broadcast_power(S.abs(a), row)]
    outputs += [S.add_n(a, b, a), S.clip(a, a_min=-1, a_max=0.5), S.hard_sigmoid(a), S.where(a > 0, a, b), S.Cast(a, dtype="int32"), S.softmax(a),
                S.softmax(a, axis=1, temperature=2.0), S.log_softmax(a), S.contrib.div_sqrt_dim(a)]
    outputs += [S.Activation(a, act_type=t) for t in ("relu", "sigmoid", "tanh", "softrelu", "softsign")]
    outputs += [S.LeakyReLU(a, act_type=t) for t in ("leaky", "elu", "selu", "gelu")] + [S.Dropout(a, p=0.5), S.amp_cast(a, dtype="float32")]
    record("elementwise", outputs, {"a": array(2, 3, 4), "b": array(2, 3, 4), "row": array(1, 3, 1)})


def shapes():
    a, like, other = of_shape("a", 2, 6, 4), of_shape("like", 1, 3, 2), of_shape("other", 6, 8)
    outputs = [S.Flatten(a), S.Reshape(a, shape=(0, -1)), S.Reshape(a, shape=(-2, 1)), S.Reshape(a, shape=(-3, 0)), S.Reshape(a, shape=(0, -4, 2, -1, 0)),
               S.Reshape(a, shape=(4, 12)), S.transpose(a), S.transpose(a, axes=(0, 2, 1)), S.swapaxes(a, dim1=0, dim2=2), S.expand_dims(a, axis=1),
               S.squeeze(S.expand_dims(a, axis=1)), S.squeeze(S.expand_dims(a, axis=1), axis=1), S.concat(a, a, dim=2), S.stack(a, a, axis=1)]
    parts = S.SliceChannel(a, num_outputs=3, axis=1)
    outputs += [parts[0], parts[2], S.split(a, num_outputs=2, axis=0, squeeze_axis=True)[1],
                S.split_v2(a, 3, axis=1)[1], S.slice(a, begin=(0, 1, None), end=(2, 5, 3)),
                S.slice(a, begin=(None, None, 3), end=(None, None, 0), step=(None, None, -1)), S.slice_axis(a, axis=1, begin=1, end=4),
                S.slice_axis(a, axis=2, begin=-2, end=None), S.slice_like(a, like),
                S.slice_like(a, like, axes=(1,)), S.reshape_like(a, other), S.tile(a, reps=(2, 1, 2)),
                S.tile(a, reps=(2, 1, 1, 1)), S.broadcast_to(S.slice_axis(a, axis=1, begin=0, end=1), shape=(0, 6, 0)),
                S.broadcast_axis(S.slice_axis(a, axis=1, begin=0, end=1), axis=1, size=5), S.shape_array(a)]
    image = of_shape("image", 1, 2, 4, 5)
    outputs += [S.Pad(image, mode="constant", pad_width=(0, 0, 0, 0, 1, 2, 3, 0), constant_value=1.5),
                S.Pad(image, mode="edge", pad_width=(0, 0, 0, 0, 1, 2, 3, 0)), S.Pad(image, mode="reflect", pad_width=(0, 0, 0, 0, 1, 2, 3, 0))]
    outputs += [S.zeros(shape=(2, 3)), S.ones(shape=(3,)), S.arange(5), S.arange(start=1, stop=7, step=2)]
    record("shapes", outputs, {"a": array(2, 6, 4), "like": array(1, 3, 2), "other": array(6, 8), "image": array(1, 2, 4, 5)})


def reductions():
    a = of_shape("a", 2, 3, 4)
    outputs = []
    for op in (S.sum, S.mean, S.max, S.min, S.prod):
        outputs += [op(a), op(a, axis=1), op(a, axis=(0, 2), keepdims=True), op(a, axis=1, exclude=True)]
    outputs += [S.norm(a), S.norm(a, ord=1, axis=1), S.argmax(a, axis=1), S.argmin(a, axis=2, keepdims=True), S.argmax(a)]
    outputs += [S.topk(a, k=2), S.topk(a, k=2, axis=1, ret_typ="value", is_ascend=True), S.topk(a, k=1, ret_typ="both")[1]]
    record("reductions", outputs, {"a": array(2, 3, 4)})


def windows():
    image = of_shape("image", 1, 4, 9, 8)
    outputs = [S.Convolution(image, kernel=(3, 3), num_filter=3, name="plain"),
               S.Convolution(image, kernel=(3, 2), num_filter=4, num_group=2, stride=(2, 1), pad=(1, 0), dilate=(1, 2), no_bias=True, name="grouped"),
               S.Deconvolution(image, kernel=(3, 3), num_filter=2, stride=(2, 2), pad=(1, 1), adj=(1, 1), name="up"),
               S.Deconvolution(image, kernel=(2, 2), num_filter=4, num_group=2, no_bias=False, name="up_grouped")]
    for kind in ("max", "avg", "sum"):
        outputs += [S.Pooling(image, kernel=(2, 3), stride=(2, 2), pad=(1, 1), pool_type=kind), S.Pooling(image, kernel=(1, 1), global_pool=True, pool_type=kind)]
    outputs += [S.Pooling(image, kernel=(2, 2), stride=(2, 2), pool_type="max", pooling_convention="full"),
                S.Pooling(image, kernel=(3, 3), stride=(2, 2), pad=(1, 1), pool_type="max", pooling_convention="full"),
                S.Pooling(image, kernel=(2, 2), stride=(2, 2), pool_type="avg", count_include_pad=False, pad=(1, 1)), S.Pooling(image, kernel=(2, 2), pool_type="max"),
                S.UpSampling(image, scale=2, sample_type="nearest"), S.contrib.BilinearResize2D(image, height=5, width=11),
                S.contrib.AdaptiveAvgPooling2D(image, output_size=(3, 4)), S.contrib.AdaptiveAvgPooling2D(image)]
    outputs += [S.LeakyReLU(image, act_type="prelu", name="prelu"), S.SoftmaxActivation(image, mode="channel"), S.LRN(image, nsize=3),
                S.BatchNorm(image, name="bn"), S.BatchNorm(image, fix_gamma=False, eps=0.01, name="bn_free"), S.InstanceNorm(image, name="in"), S.GroupNorm(image, num_groups=2, name="gn"),
                S.L2Normalization(image), S.L2Normalization(image, mode="channel"), S.L2Normalization(image, mode="spatial")]
    line = of_shape("line", 2, 3, 7)
    outputs += [S.Convolution(line, kernel=(3,), num_filter=2, pad=(1,), name="line_conv"), S.Pooling(line, kernel=(2,), stride=(2,), pool_type="max")]
    record("windows", outputs, {"image": array(1, 4, 9, 8), "line": array(2, 3, 7)})


def products():
    a, b, batch = of_shape("a", 3, 4), of_shape("b", 4, 5), of_shape("batch", 2, 3, 4)
    label, tokens = S.Variable("softmax_label"), S.Variable("tokens", shape=(2, 3))
    fc = S.FullyConnected(batch, num_hidden=3, name="flat")
    outputs = [fc, S.FullyConnected(batch, num_hidden=3, flatten=False, name="last"), S.FullyConnected(a, num_hidden=2, no_bias=True, name="bare"), S.dot(a, b),
               S.dot(a, a, transpose_b=True), S.dot(batch, b), S.batch_dot(batch, batch, transpose_b=True), S.linalg_gemm2(batch, batch, transpose_a=True, alpha=0.5),
               S.LayerNorm(batch, name="ln"), S.LayerNorm(batch, eps=0.1, name="ln2"), S.SoftmaxOutput(fc, label, name="softmax"),
               S.Embedding(tokens, input_dim=7, output_dim=4, name="table"), S.take(a, tokens),
               S.one_hot(tokens, depth=7)]
    numbers = random.integers(0, 7, (2, 3)).astype(np.float32)
    target = S.Variable("target")
    outputs += [S.LinearRegressionOutput(fc, target), S.LogisticRegressionOutput(fc, target), S.MAERegressionOutput(fc, target)]
    values = {"arg:softmax_label": mx.nd.zeros((2,)), "arg:target": mx.nd.zeros((2, 3))}
    record("products", outputs, {"a": array(3, 4), "b": array(4, 5), "batch": array(2, 3, 4), "tokens": numbers}, values)


def gluon():
    """A network as Gluon exports it: names with a prefix, and an input whose shape follows from what reads it."""
    net = mx.gluon.nn.HybridSequential(prefix="net_")
    with net.name_scope():
        net.add(mx.gluon.nn.Conv2D(4, 3, padding=1), mx.gluon.nn.BatchNorm(), mx.gluon.nn.Activation("relu"), mx.gluon.nn.MaxPool2D(),
                mx.gluon.nn.GlobalAvgPool2D(), mx.gluon.nn.Flatten(), mx.gluon.nn.Dense(5))
    net.initialize(mx.init.Normal(0.5))
    net.hybridize()
    image = array(2, 3, 8, 8)
    result = net(mx.nd.array(image))
    net.export(str(HERE / "gluon"), epoch=0)
    np.savez_compressed(HERE / "gluon.npz", in_data=image, out0=result.asnumpy())


def recurrent():
    steps = of_shape("steps", 5, 2, 3)
    states = {"one": (1, 2, 4), "two": (2, 2, 4), "four": (4, 2, 4), "cells": (4, 2, 4)}
    one, two, four, cells = (of_shape(name, *shape) for name, shape in states.items())
    outputs = [*S.RNN(steps, state=four, state_cell=cells, mode="lstm", state_size=4, num_layers=2, bidirectional=True, state_outputs=True, name="lstm"),
               *S.RNN(steps, state=two, mode="gru", state_size=4, num_layers=2, state_outputs=True, name="gru"),
               S.RNN(steps, state=two, mode="rnn_tanh", state_size=4, num_layers=1, bidirectional=True, name="tanh"),
               S.RNN(steps, state=one, mode="rnn_relu", state_size=4, num_layers=1, p=0.5, name="relu")]
    record("recurrent", outputs, {"steps": array(5, 2, 3)} | {name: array(*shape) for name, shape in states.items()})


def gluon_sequence():
    """A network of one LSTM as Gluon exports it: its states are inputs, and the vector of parameters is made of those of the layer."""
    net = mx.gluon.rnn.LSTM(4, layout="NTC", prefix="lstm_")
    net.initialize(mx.init.Normal(0.5))
    net.hybridize()
    data, states = array(2, 5, 3), [array(1, 2, 4), array(1, 2, 4)]
    result, last = net(mx.nd.array(data), [mx.nd.array(s) for s in states])
    net.export(str(HERE / "gluon_sequence"), epoch=0)
    recorded = {f"out{i}": r.asnumpy() for i, r in enumerate([result, *last])}
    np.savez_compressed(HERE / "gluon_sequence.npz", in_data0=data, in_data1=states[0], in_data2=states[1], **recorded)


def boxes():
    """What detectors end with. Boxes overlap by shares that no rounding moves across the thresholds, and no two scores are the same."""
    count = 24
    corner = array(2, count, 2, low=0.0, high=0.7)
    found = np.concatenate([random.integers(-1, 3, (2, count, 1)), random.permutation(2 * count).reshape(2, count, 1) / 50.0,
                            corner, corner + array(2, count, 2, low=0.1, high=0.4)], axis=2).astype(np.float32)
    rows = of_shape("rows", 2, count, 6)
    nms = S.contrib.box_nms
    outputs = [nms(rows), nms(rows, id_index=0, overlap_thresh=0.3), nms(rows, id_index=0, background_id=1, valid_thresh=0.2, force_suppress=True, overlap_thresh=0.2),
               nms(rows, topk=7, overlap_thresh=0.3), nms(rows, topk=100, id_index=0, out_format="center"), nms(rows, topk=5, in_format="center", out_format="corner"),
               nms(rows, valid_thresh=5), nms(rows, topk=0), nms(S.Reshape(rows, shape=(-3, 0))), nms(S.Reshape(rows, shape=(1, 2, count, 6)), overlap_thresh=0.1)]
    anchors = S.Variable("anchors", shape=(1, count, 4))
    anchor_corner = array(1, count, 2, low=0.0, high=0.7)
    anchor_boxes = np.concatenate([anchor_corner, anchor_corner + array(1, count, 2, low=0.1, high=0.4)], axis=2)
    offsets = S.slice_axis(rows, axis=2, begin=1, end=5)
    outputs += [S.contrib.box_decode(offsets, anchors, 0.1, 0.1, 0.2, 0.2, format="corner"), S.contrib.box_decode(offsets, anchors, clip=0.5, format="center")]
    classes, predicted = of_shape("classes", 2, 4, count), of_shape("predicted", 2, 4 * count)
    detection = S.contrib.MultiBoxDetection
    outputs += [detection(classes, predicted, anchors), detection(classes, predicted, anchors, force_suppress=True, nms_threshold=0.3, threshold=0.6, clip=False, variances=(0.2, 0.1, 0.1, 0.3)),
                detection(classes, predicted, anchors, nms_topk=6), detection(classes, predicted, anchors, nms_threshold=-1, threshold=0.5), detection(classes, predicted, anchors, threshold=2)]
    probabilities = random.permutation(2 * 4 * count).reshape(2, 4, count).astype(np.float32) / (8 * count)
    image = of_shape("image", 2, 3, 6, 8)
    prior = S.contrib.MultiBoxPrior
    outputs += [prior(image), prior(image, sizes=(0.5, 0.25), ratios=(2, 1, 0.5)), prior(image, sizes=(0.5,), ratios=(1,), clip=True, steps=(0.3, 0.1), offsets=(0.2, 0.7))]
    regions = of_shape("regions", 4, 5)
    align = S.contrib.ROIAlign
    outputs += [align(image, regions, pooled_size=(2, 3), spatial_scale=0.5, sample_ratio=2), align(image, regions, pooled_size=(3, 3), spatial_scale=1.0, sample_ratio=1, aligned=True)]
    regions_in = np.array([[0, 1, 2, 9, 8], [1, -6, -5, 30, 20], [1, 3, 3, 3.5, 3.2], [0, 0.3, 0.7, 15, 11]], np.float32)
    inputs = {"rows": found, "classes": probabilities, "predicted": array(2, 4 * count, low=-0.5, high=0.5), "image": array(2, 3, 6, 8), "regions": regions_in, "anchors": anchor_boxes}
    record("boxes", outputs, inputs)


def quantized_operators():
    """Operators on integers one by one, of int8 and uint8, with ranges that are known and that the data has."""
    image, flat, tokens = of_shape("image", 1, 2, 6, 6), of_shape("flat", 2, 4), of_shape("tokens", 2, 3)
    values = {}

    def given(name, numbers, dtype="float32"):
        values["arg:" + name] = mx.nd.array(numbers, dtype=dtype)
        return S.Variable(name, shape=np.shape(numbers), dtype=dtype)

    def integers(name, *shape, high=1.0):
        return given(name, random.integers(-127, 128, shape), "int8"), given(name + "_low", [-high]), given(name + "_high", [high * 0.5])

    def operands(*ranged):
        return [x for x, _, _ in ranged] + [end for _, low, high in ranged for end in (low, high)]

    def bare(data, weight):
        """By name, as there is no bias."""
        names = ["data", "weight", "min_data", "max_data", "min_weight", "max_weight"]
        return dict(zip(names, operands(data, weight)), no_bias=True)

    Q = S.contrib
    unsigned = Q.quantize_v2(S.abs(image), out_type="auto", min_calib_range=0.0, max_calib_range=1.5)
    signed = Q.quantize_v2(image, out_type="auto", min_calib_range=-1.0, max_calib_range=1.5)
    dynamic, dynamic_unsigned = Q.quantize_v2(image), Q.quantize_v2(S.abs(image), out_type="uint8")
    dense_data = Q.quantize_v2(flat, out_type="int8", min_calib_range=-2.0, max_calib_range=2.0)
    low, high = given("low", [-1.0]), given("high", [2.0])
    results = [unsigned, signed, dynamic, dynamic_unsigned, Q.quantize(image, low, high, out_type="int8"), Q.quantize(image, low, high),
               Q.quantize_v2(flat * 0), Q.quantize_v2(flat, min_calib_range=0, max_calib_range=0)]
    filters, bias = integers("filters", 3, 2, 3, 3), integers("bias", 3, high=0.4)
    rows, row_bias = integers("rows", 3, 4, high=0.7), integers("row_bias", 3, high=0.3)
    convolved = Q.quantized_conv(*operands(unsigned, filters, bias), kernel=(3, 3), num_filter=3)
    strided = Q.quantized_conv(**bare(dynamic_unsigned, filters), kernel=(3, 3), num_filter=3, pad=(1, 1), stride=(2, 2))
    dense = [Q.quantized_fully_connected(*operands(dense_data, rows, row_bias), num_hidden=3), Q.quantized_fully_connected(**bare(Q.quantize_v2(flat), rows), num_hidden=3),
             Q.quantized_fully_connected(*operands(Q.quantize_v2(S.abs(flat), out_type="uint8"), rows, row_bias), num_hidden=3)]
    sums = [convolved, strided, *dense, Q.quantized_elemwise_add(*operands(signed, dynamic)), Q.quantized_elemwise_add(*operands(unsigned, dynamic_unsigned)), Q.quantized_elemwise_mul(*operands(signed, dynamic))]
    results += [Q.requantize(*s) for s in sums] + [Q.requantize(*convolved, out_type="uint8"), Q.requantize(*convolved, min_calib_range=-2, max_calib_range=1), Q.requantize(*strided, out_type="auto", min_calib_range=0, max_calib_range=2)]
    for kind in ("max", "avg"):
        results += [Q.quantized_pooling(*signed, kernel=(3, 3), stride=(2, 2), pad=(1, 1), pool_type=kind), Q.quantized_pooling(*unsigned, kernel=(1, 1), global_pool=True, pool_type=kind)]
    results += [Q.quantized_pooling(*dynamic, kernel=(3, 3), stride=(2, 2), pooling_convention="full", pool_type="max"), Q.quantized_act(*signed, act_type="relu"), Q.quantized_flatten(*dynamic)]
    results += [Q.quantized_concat(*operands(signed, dynamic), num_args=2), Q.quantized_concat(*operands(unsigned, signed), num_args=2), Q.quantized_concat(*operands(unsigned, dynamic_unsigned), num_args=2, dim=2)]
    known = {"min_calib_range": -2.0, "max_calib_range": 2.5}
    results += [Q.quantized_elemwise_add(*operands(signed, unsigned), **known), Q.quantized_elemwise_add(*operands(unsigned, unsigned), **known), Q.quantized_elemwise_mul(*operands(signed, dynamic), min_calib_range=-4.0, max_calib_range=4.0)]
    statistics = [given("gamma", [0.5, -1.2]), given("beta", [0.1, 0.3]), S.Variable("mean", shape=(2,)), S.Variable("var", shape=(2,))]
    values["aux:mean"], values["aux:var"] = mx.nd.array([0.2, -0.1]), mx.nd.array([1.5, 0.5])
    results.append(Q.quantized_batch_norm(signed[0], *statistics, signed[1], signed[2], fix_gamma=False, eps=1e-3, min_calib_range=-2.0, max_calib_range=1.5))
    results.append(Q.quantized_embedding(tokens, *integers("table", 5, 3), input_dim=5, output_dim=3))
    outputs = [Q.dequantize(*r) for r in results] + [signed[0], signed[1], dynamic[2], Q.quantized_elemwise_mul(*operands(signed, dynamic), enable_float_output=True)]
    inputs = {"image": array(1, 2, 6, 6, low=-1.0, high=1.5), "flat": array(2, 4), "tokens": random.integers(0, 5, (2, 3)).astype(np.float32)}
    record("quantized/operators", outputs, inputs, values)


def quantized_networks():
    """What mxnet.contrib.quantization makes of a network of convolutions and a sum: operators that oneDNN fuses, with ranges from calibration and without. In `dynamic` one of them stays fused and float."""
    from mxnet.contrib.quantization import quantize_model_mkldnn

    def normalized(x, name, **window):
        return S.BatchNorm(S.Convolution(x, **({"kernel": (3, 3), "num_filter": 4, "pad": (1, 1), "name": name} | window)), name=name + "_norm", fix_gamma=False)

    data = S.Variable("data")
    first = S.Pooling(S.Activation(normalized(data, "conv1"), act_type="relu"), kernel=(2, 2), stride=(2, 2), pool_type="max", name="pool1")
    same = S.Activation(S.elemwise_add(normalized(first, "conv2", no_bias=True), first, name="add1"), act_type="relu")
    other = S.Activation(S.elemwise_add(normalized(same, "conv3"), normalized(same, "conv4", kernel=(1, 1), pad=(0, 0)), name="add2"), act_type="relu")
    leaky = S.LeakyReLU(S.Convolution(other, kernel=(3, 3), num_filter=4, num_group=4, pad=(1, 1), name="conv5"), act_type="leaky", slope=0.1)
    joined = S.Flatten(S.Pooling(S.concat(leaky, other, dim=1, name="cat1"), kernel=(2, 2), stride=(2, 2), pool_type="avg", name="pool2"), name="flat")
    hidden = S.Activation(S.FullyConnected(joined, num_hidden=6, name="fc1"), act_type="relu")
    network = S.FullyConnected(hidden, num_hidden=5, name="fc2")
    image = array(2, 3, 8, 8, low=-1.0, high=1.0)
    params = {k: v * 0.25 if k.startswith("arg:") else v for k, v in weights(network, {"data": image.shape}).items()}
    args, aux = ({k[4:]: v for k, v in params.items() if k.startswith(kind)} for kind in ("arg:", "aux:"))
    calibrated = {"calib_mode": "naive", "num_calib_examples": 2, "quantized_dtype": "auto"}
    for name, how in {"calibrated": calibrated, "channels": calibrated | {"quantize_granularity": "channel-wise"},
                      "dynamic": {"calib_mode": "none", "quantized_dtype": "int8", "excluded_sym_names": ["sg_mkldnn_fully_connected_eltwise_0"]}}.items():
        samples = mx.io.NDArrayIter(image, batch_size=2)
        symbol, arg, other = quantize_model_mkldnn(network, args, aux, ctx=mx.cpu(), logger=None, calib_data=samples, **how)
        result = symbol.bind(mx.cpu(), {"data": mx.nd.array(image)} | arg, aux_states=other, grad_req="null").forward(is_train=False)[0]
        symbol.save(str(QUANTIZED / f"{name}-symbol.json"))
        mx.nd.save(str(QUANTIZED / f"{name}-0000.params"), {"arg:" + k: v for k, v in arg.items()} | {"aux:" + k: v for k, v in other.items()})
        np.savez_compressed(QUANTIZED / f"{name}.npz", in_data=image, out0=result.asnumpy())


def quantized_curves():
    """Functions that convolutions apply to integers: in steps of the result, or to sums, where bounds are left out."""
    from mxnet.contrib.quantization import quantize_model_mkldnn
    curve = S.LeakyReLU(S.Convolution(S.Variable("data"), kernel=(3, 3), num_filter=4, name="conv1"), act_type="gelu")
    network = S.Convolution(S.clip(S.Convolution(curve, kernel=(1, 1), num_filter=3, name="conv2"), a_min=0.0, a_max=0.5), kernel=(2, 2), num_filter=2, name="conv3")
    image = array(2, 3, 6, 6, low=-1.0, high=1.0)
    args = {k[4:]: v * 0.25 for k, v in weights(network, {"data": image.shape}).items()}
    for name, how in {"curves": {"calib_mode": "naive", "num_calib_examples": 2, "quantized_dtype": "auto"}, "curves_dynamic": {"calib_mode": "none", "quantized_dtype": "int8"}}.items():
        symbol, arg, _ = quantize_model_mkldnn(network, args, {}, ctx=mx.cpu(), logger=None, calib_data=mx.io.NDArrayIter(image, batch_size=2), **how)
        result = symbol.bind(mx.cpu(), {"data": mx.nd.array(image)} | arg, grad_req="null").forward(is_train=False)[0]
        symbol.save(str(QUANTIZED / f"{name}-symbol.json"))
        mx.nd.save(str(QUANTIZED / f"{name}-0000.params"), {"arg:" + k: v for k, v in arg.items()})
        np.savez_compressed(QUANTIZED / f"{name}.npz", in_data=image, out0=result.asnumpy())


def refused_quantized():
    """What MXNet itself computes otherwise than it means to."""
    from mxnet.contrib.quantization import quantize_model_mkldnn
    data = S.Variable("data")
    curve = S.LeakyReLU(S.FullyConnected(data, num_hidden=2, no_bias=True, name="dense"), act_type="gelu")
    symbol, args, _ = quantize_model_mkldnn(curve, {"dense_weight": mx.nd.array(array(2, 3))}, {}, ctx=mx.cpu(), logger=None, calib_mode="none", quantized_dtype="int8")
    symbol.save(str(HERE / "curve-symbol.json"))
    mx.nd.save(str(HERE / "curve-0000.params"), {"arg:" + k: v for k, v in args.items()})
    (HERE / "curve.error").write_text("node 'quantized_sg_mkldnn_fully_connected_eltwise_0' (_sg_mkldnn_fully_connected): error: MXNet applies its LeakyReLU to integers, not to the reals that they mean\n"
                                      "hint: quantize the model again without this layer (excluded_sym_names)\n")


signed_x = S.contrib.quantize_v2(of_shape("x", 2, 3))
REFUSED = {
    "sums": ([S.contrib.quantized_elemwise_add(signed_x[0], signed_x[0], signed_x[1], signed_x[2], signed_x[1], signed_x[2], name="twice")[0]],
             "the list of outputs: error: reads the sums of 'twice' as integers of 32 bits, which Lapis keeps as reals\nhint: put a requantize in between"),
    "unsigned_relu": ([S.contrib.quantized_act(*S.contrib.quantize_v2(of_shape("x", 2, 3), out_type="uint8"), act_type="relu")[0]],
                      "operator _contrib_quantized_act is not supported: a relu of uint8, which MXNet takes for int8 (1 node)"),
    "unsupported": ([S.contrib.MultiBoxTarget(*(S.Variable(n, shape=s) for n, s in (("anchor", (1, 2, 4)), ("label", (1, 1, 5)), ("cls", (1, 2, 2)))))[0], S.Pooling(x, kernel=(2, 2), pool_type="lp", p_value=2), S.Pooling(x, kernel=(1, 1), stride=(2, 2), pooling_convention="full"),
                     S.round(x)],
                    "operator _contrib_MultiBoxTarget is not supported: Lapis does not translate the choice of boxes (1 node)\noperator Pooling is not supported: the pool type lp (1 node)\n"
                    "operator Pooling is not supported: the pooling convention full with windows that may lie in the padding (1 node)\n"
                    "operator round is not supported (1 node)"),
    "unknown_rank": ([x + y], "variable 'x': error: neither the symbol nor what reads it tells how many axes it has"),
    "missing": ([S.Convolution(x, kernel=(3, 3), num_filter=2, name="conv")],
                "node 'conv' (Convolution): error: the parameter 'conv_weight' is not in the file of parameters\nthe parameter 'conv_bias'"),
}


def refused():
    for name, (outputs, says) in REFUSED.items():
        S.Group(outputs).save(str(HERE / f"{name}-symbol.json"))
        mx.nd.save(str(HERE / f"{name}-0000.params"), {"arg:nothing": mx.nd.zeros((1,))})
        (HERE / f"{name}.error").write_text(says + "\n")


def control():
    """Loops and branches: several states, what does not change, results that nobody reads, within each other. Each loop fills its results, as MXNet leaves the other rows as they were."""
    steps, first, second, line, number = of_shape("steps", 5, 2, 3), of_shape("first", 2, 3), of_shape("second", 2, 3), of_shape("line", 3), of_shape("number", 1)
    loops = S.contrib

    def cell(step, states):
        dense = S.FullyConnected(step, weight=of_shape("control_weight", 3, 3), num_hidden=3, no_bias=True, name="dense")
        made = S.Activation(dense + states[0] + second, act_type="tanh")
        return [made, step * 2], [made, states[1]]

    results, states = loops.foreach(cell, steps, [first, second * 2])
    outputs = [results[0], *states]
    results, state = loops.foreach(lambda pair, state: (pair[0] * pair[1] + state, pair[1]), [steps, S.square(steps)], first)
    outputs += [results, state, loops.foreach(lambda step, _: (step + first, []), steps, [])[0]]
    outputs += loops.foreach(lambda step, state: loops.foreach(lambda row, inner: (row * 2 + inner, inner + row), step, state), steps, line)
    results, states = loops.while_loop(lambda i, x: i < 4, lambda i, x: ([x + second, i], [i + 1, x * first]), (number, first), max_iterations=4)
    outputs += [*results, *states]
    outputs += loops.while_loop(lambda i, x: S.broadcast_lesser(i, S.sum(second * 0 + 0.5)), lambda i, x: ([x], [i + 1, x - second]), (number, first), max_iterations=9)[1]
    for sign in (1, -1):
        outputs += loops.cond(S.sum(S.abs(first)) * sign < 0, lambda: [first + second, second], lambda: [first * 2, second * 3])
        outputs.append(loops.cond(S.sum(S.abs(first)) * sign < 0, lambda: loops.foreach(lambda row, state: (row + state, state), first, line)[0], lambda: second))
    record("control", outputs, {"steps": array(5, 2, 3), "first": array(2, 3), "second": array(2, 3), "line": array(3), "number": np.zeros(1, np.float32)})


def smaller():
    """Attributes that say nothing."""
    for file in HERE.rglob("*-symbol.json"):
        symbol = json.loads(file.read_text())
        for node in symbol["nodes"]:
            for attribute in ("__init__", "__storage_type__"):
                node.get("attrs", {}).pop(attribute, None)
        file.write_text(json.dumps(symbol, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    for make in (elementwise, shapes, reductions, windows, products, gluon, recurrent, gluon_sequence, boxes, quantized_operators, quantized_networks, refused, refused_quantized, control, quantized_curves, smaller):
        make()
