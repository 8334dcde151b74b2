"""Operators of ONNX Runtime, and those of ONNX without a record, that are read as other operators of ONNX: compiled code against ONNX Runtime on the file as it is. Skips where the packages are
missing."""
import json
import unittest

from cli import *  # noqa: F403

try:
    import numpy as np
    import onnx
    import onnxruntime as ort
except ImportError:
    onnx = None

X = "float[2,3,8] x"
HEADS = "float[2,3,8] q, float[2,4,8] k, float[2,4,6] v"
PROJECTED = "float[8,24] w, float[24] b"
BYTES = "uint8[2,4,5,6] x"
PAIR = "uint8[2,3] a, uint8[3] b"
SCALES = "float sa = {0.02}, uint8 za = {100}, float sb = {0.03}, uint8 zb = {7}, float sc = {0.05}, uint8 zc = {10}"


def numbers(count, first=0):
    return ",".join(str(first + i * 37 % 256) for i in range(count))


INT8_8x5 = f"int8[8,5] w = {{{numbers(40, -128)}}}, int8 zw = {{3}}"
UINT8_6x4x9 = f"uint8[6,4,3,3] w = {{{numbers(216)}}}, uint8 zw = {{128}}, float sy = {{2.0}}"
ROUNDED = 1  # of a quantizer: ONNX Runtime adds and multiplies in another order

# inputs, constants, body, results, largest difference
CASES = {
    "BiasGelu": [(f"{X}, float[8] b", "", "y = OP(x, b)", "float y")],
    "FastGelu": [(X, "", "y = OP(x)", "float y"), (f"{X}, float[8] b", "", "y = OP(x, b)", "float y")],
    "Gelu": [(X, "", "y = OP(x)", "float y")],
    "QuickGelu": [(X, "", "y = OP(x)", "float y"), (X, "", "y = OP<alpha: float = -0.5>(x)", "float y")],
    "FusedMatMul": [
        ("float[2,3,4] a, float[2,3,5] b", "", "y = OP<transA = 1, alpha: float = 0.5>(a, b)", "float y"),
        ("float[3,4,5] a, float[2,3,6,5] b", "", "y = OP<transB = 1>(a, b)", "float y"),
        ("float[4,2,3,5] a, float[2,3,5,6] b", "", "y = OP<transBatchA = 1>(a, b)", "float y"),
        ("float[5,2,3,4] a, float[6,2,3,5] b", "", "y = OP<transBatchA = 1, transA = 1, transBatchB = 1, transB = 1>(a, b)", "float y"),
        ("float[4] a, float[4,5] b", "", "y = OP<transA = 1>(a, b)", "float y")],
    "TransposeMatMul": [("float[4,3] a, float[5,4] b", "", "y = OP<transA = 1, transB = 1>(a, b)", "float y")],
    "FusedGemm": [
        ("float[3,4] a, float[5,4] b, float[5] c", "", f"y = OP<transB = 1, alpha: float = 0.5, beta: float = 2.0, {act}>(a, b, c)", "float y")
        for act in ('activation = "Relu"', 'activation = "LeakyRelu", activation_alpha: float = 0.3',
                    'activation = "HardSigmoid", activation_alpha: float = 0.3, activation_beta: float = 0.4')],
    "FusedConv": [
        ("float[1,2,5,5] x, float[4,2,3,3] w, float[4] b", "", f"y = OP<pads = [1,1,1,1], {act}>(x, w, b)", "float y")
        for act in ('activation = "Tanh"', 'activation = "LeakyRelu", activation_params: floats = [0.3]',
                    'activation = "Clip", activation_params: floats = [-0.5, 0.5]')
    ] + [("float[1,2,5,5] x, float[4,2,3,3] w, float[1,4,3,3] z", "", 'y = OP<activation = "Relu">(x, w, "", z)', "float y")],
    "SkipLayerNormalization": [
        (f"{X}, float[2,3,8] s, float[8] g, float[8] b", "", "y = OP<epsilon: float = 0.001>(x, s, g, b)", "float y"),
        (f"{X}, float[1,3,8] s, float[8] g, float[8] b", "", 'y, "", "", t = OP(x, s, g, "", b)', "float y, float t")],
    "SkipSimplifiedLayerNormalization": [
        (f"{X}, float[2,3,8] s, float[8] g, float[8] b", "", 'y, "", "", t = OP(x, s, g, b)', "float y, float t")],
    "SimplifiedLayerNormalization": [(f"{X}, float[8] s", "", "y = OP<axis = -1, epsilon: float = 0.01>(x, s)", "float y")],
    "LayerNormalization": [(f"{X}, float[8] s, float[8] b", "", "y = OP<axis = -1>(x, s, b)", "float y")],
    "EmbedLayerNormalization": [
        ("float[9,8] word, float[7,8] place, float[8] g, float[8] b", "int32[2,3] ids = {1,8,2,0,4,4}, int32[2,3] mask = {1,1,0,1,0,0}",
         'y, m, sum = OP(ids, "", word, place, "", g, b, mask)', "float y, int32 m, float sum"),
        ("float[9,8] word, float[7,8] place, float[2,8] part, float[8] g, float[8] b",
         "int32[2,3] ids = {1,8,2,0,4,4}, int32[2,3] parts = {0,0,1,0,1,1}, int32[2,3] at = {6,5,4,0,1,0}",
         'y, m = OP(ids, parts, word, place, part, g, b, "", at)', "float y, int32 m")],
    "Attention": [
        (f"{X}, {PROJECTED}", constants, f"y = OP<num_heads = 2{more}>({operands})", "float y")
        for constants, more, operands in (
            ("", "", "x, w, b"),
            ("", ", scale: float = 0.3, unidirectional = 1", "x, w, b"),
            ("int32[2] m = {2, 3}", "", "x, w, b, m"),
            ("int32[4] m = {2, 3, 0, 1}", "", "x, w, b, m"),
            ("int32[2,3] m = {0,1,1,1,1,0}", ", unidirectional = 1", "x, w, b, m"),
            ("int32[2,3] m = {0,0,0,1,1,0}", ", mask_filter_value: float = -1.5", "x, w, b, m"),
            ("int32[2,3,3] m = {0,1,1,1,1,0,0,0,1,1,1,1,1,1,1,1,1,0}", "", "x, w, b, m"))
    ] + [
        (f"{X}, float[8,20] w, float[20] b", "", "y = OP<num_heads = 2, qkv_hidden_sizes = [8, 8, 4]>(x, w, b)", "float y"),
        (f"{X}, {PROJECTED}, float[2,2,2,5,4] past", "", 'y, now = OP<num_heads = 2, unidirectional = 1>(x, w, b, "", past)', "float y, float now"),
        (f"{X}, {PROJECTED}, float[1,2,3,3] bias", "", 'y = OP<num_heads = 2>(x, w, b, "", "", bias)', "float y")],
    "MultiHeadAttention": [
        (HEADS, "", "y = OP<num_heads = 2>(q, k, v)", "float y"),
        (f"{HEADS}, float[22] b", "int32[2] m = {3, 4}", "y, keys, values = OP<num_heads = 2>(q, k, v, b, m)", "float y, float keys, float values"),
        (f"{HEADS}, float[1,2,3,4] bias", "int32[2,4] m = {1,1,0,1,0,1,1,1}", 'y = OP<num_heads = 2, scale: float = 0.2>(q, k, v, "", m, bias)', "float y"),
        ("float[2,3,8] q, float[2,2,4,4] k, float[2,2,4,4] v", "", "y = OP<num_heads = 2>(q, k, v)", "float y"),
        ("float[2,3,8] q, float[2,3,8] k, float[2,3,8] v, float[2,2,5,4] pk, float[2,2,5,4] pv", "",
         'y, keys, values = OP<num_heads = 2, unidirectional = 1>(q, k, v, "", "", "", pk, pv)', "float y, float keys, float values")],
    "RotaryEmbedding": [
        ("float[2,3,16] x, float[9,4] c, float[9,4] s", "int64[2,3] at = {0,8,2,3,3,5}", "y = OP<interleaved = 1>(x, at, c, s)", "float y"),
        ("float[2,2,3,8] x, float[9,4] c, float[9,4] s", "int64[1] at = {5}", "y = OP(x, at, c, s)", "float y"),
        ("float[2,3,16] x, float[9,2] c, float[9,2] s", "int64[1] at = {5}", "y = OP<num_heads = 2, rotary_embedding_dim = 4>(x, at, c, s)", "float y")],
    "Trilu": [("float[3,4] x", "int64 k = {1}", "y = OP<upper = 0>(x, k)", "float y")],
    "GatherND": [("float[3,4] x", "int32[2,1] i = {2, 0}", "y = OP(x, i)", "float y")],
    "QuantizeLinear": [
        ("float[2,3] x", "float s = {0.1}, uint16 z = {30000}", "y = OP(x, s, z)", "uint16 y"),
        ("float[2,3] x", "float[2] s = {0.1, 0.2}, int16[2] z = {5, -7}", "y = OP<axis = 0>(x, s, z)", "int16 y"),
        ("float[2,3] x", "float[3] s = {0.1, 0.2, 0.3}, int8[3] z = {5, -7, 0}", "y = OP(x, s, z)", "int8 y"),
        ("float16[2,3] x", "float s = {0.1}, uint8 z = {3}", "t = Cast<to = 10>(s) y = OP(x, t, z)", "uint8 y")],
    "DequantizeLinear": [
        ("uint16[2,3] x", "float s = {0.1}, uint16 z = {30000}", "y = OP(x, s, z)", "float y"),
        ("int16[2,3] x", "float[2] s = {0.1, 0.2}, int16[2] z = {5, -7}", "y = OP<axis = 0>(x, s, z)", "float y"),
        ("int32[2,3] x", "float s = {0.1}", "y = OP(x, s)", "float y")],
    "QLinearAdd": [(PAIR, SCALES, "y = OP(a, sa, za, b, sb, zb, sc, zc)", "uint8 y")],
    "QLinearMul": [(PAIR, SCALES, "y = OP(a, sa, za, b, sb, zb, sc, zc)", "uint8 y")],
    "QLinearWhere": [(f"bool[2,3] c, {PAIR}", SCALES, "y = OP(c, a, sa, za, b, sb, zb, sc, zc)", "uint8 y")],
    "QLinearConcat": [("uint8[2,3] a, uint8[2,4] b", SCALES, "y = OP<axis = 1>(sc, zc, a, sa, za, b, sb, zb)", "uint8 y")],
    "QLinearSigmoid": [("int8[2,3] x", "float s = {0.03}, int8 z = {5}, float t = {0.00390625}, int8 u = {-128}", "y = OP(x, s, z, t, u)", "int8 y")],
    "QLinearLeakyRelu": [(BYTES, SCALES, "y = OP<alpha: float = 0.2>(x, sa, za, sb, zb)", "uint8 y")],
    "QLinearSoftmax": [
        (BYTES, f"{SCALES}, float st = {{0.00390625}}, uint8 zt = {{0}}", f"y = OP<axis = 2, opset = {opset}>(x, sa, za, st, zt)", "uint8 y", ROUNDED)
        for opset in (11, 13)],
    "QLinearAveragePool": [
        (BYTES, SCALES, f"y = OP<kernel_shape = [2,3], channels_last = {last}, {more}>(x, sa, za, sb, zb)", "uint8 y", ROUNDED)
        for last, more in ((0, "pads = [1,1,0,1]"), (1, "pads = [1,1,0,1], count_include_pad = 1"), (1, "strides = [2,2], ceil_mode = 1"))],
    "QLinearGlobalAveragePool": [(BYTES, SCALES, f"y = OP<channels_last = {last}>(x, sa, za, sb, zb)", "uint8 y", ROUNDED) for last in (0, 1)],
    "NhwcMaxPool": [(BYTES, "", "y = OP<kernel_shape = [2,3], strides = [2,1], pads = [1,0,0,1]>(x)", "uint8 y")],
    "QLinearConv": [
        (f"uint8[{shape}] x", f"{SCALES}, {UINT8_6x4x9}, int32[6] b = {{1,2,300,4000,-5,6}}",
         f"y = OP<channels_last = {last}, pads = [1,1,1,1]>(x, sa, za, w, sb, zw, sy, zc, b)", "uint8 y", ROUNDED)
        for last, shape in ((0, "1,4,5,6"), (1, "1,5,6,4"))],
    "QGemm": [
        ("uint8[3,8] a", f"{SCALES}, {INT8_8x5}, float sy = {{2.0}}, int32[5] c = {{1,2,300,4000,-5}}",
         "y = OP<alpha: float = 0.5>(a, sa, za, w, sb, zw, c, sy, zc)", "uint8 y", ROUNDED),
        ("uint8[8,3] a", f"{SCALES}, {INT8_8x5.replace('8,5', '5,8').replace('int8 zw = {3}', 'int8[5] zw = {3,0,-1,9,127}')}, float[5] sw = {{0.1,0.2,0.3,0.4,0.5}}",
         "y = OP<transA = 1, transB = 1>(a, sa, za, w, sw, zw)", "float y")],
    "MatMulIntegerToFloat": [("uint8[2,3,8] a, float[5] c", f"{SCALES}, {INT8_8x5}", "y = OP(a, w, sa, sb, za, zw, c)", "float y")],
    "DynamicQuantizeMatMul": [("float[2,3,8] a, float[5] c", f"{SCALES}, {INT8_8x5}", f"y = OP({operands})", "float y")
                              for operands in ("a, w, sb, zw, c", 'a, w, sb, "", c', "a, w, sb")],
    "QAttention": [
        ("uint8[2,3,8] x, int8[8,24] w, float[24] b", f"{SCALES}, int8 zw = {{3}}, int32[2] m = {{2, 3}}",
         "y = OP<num_heads = 2, unidirectional = 1>(x, w, b, sa, sb, m, za, zw)", "float y"),
        ("uint8[2,3,8] x, int8[8,24] w, float[24] b, float[2,2,2,5,4] past", f"{SCALES}, int8 zw = {{3}}",
         'y, now = OP<num_heads = 2>(x, w, b, sa, sb, "", za, zw, past)', "float y, float now")],
    "MatMulNBits": [
        ("float[2,24] x", f"float[6] s = {{0.1,0.2,0.3,0.4,0.5,0.6}}, uint8[3,2,{2 * bits}] w = {{{numbers(12 * bits)}}}, uint8[3,{zeros}] z = {{{numbers(3 * zeros)}}}",
         f"y = OP<K = 24, N = 3, bits = {bits}, block_size = 16>({operands})", "float y")
        for bits, zeros in ((2, 1), (4, 1), (8, 2)) for operands in ("x, w, s", "x, w, s, z")],
    "GlobalLpPool": [("float[2,3,4,5] x", "", f"y = OP<p = {p}>(x)", "float y") for p in (1, 2, 3)],
    "GridSample": [(f"float[2,3,4,5] x, float[2,3,6,2] g", "", f'y = OP<mode = "{mode}", padding_mode = "{padding}", align_corners = {aligned}>(x, g)', "float y")
                   for mode in ("nearest", "linear", "cubic") for padding in ("zeros", "border", "reflection") for aligned in (0, 1)] + [
        (f"float[2,3,4,5,3] x, float[2,3,2,4,3] g", "", f'y = OP<mode = "{mode}", padding_mode = "{padding}", align_corners = {aligned}>(x, g)', "float y")
        for mode in ("nearest", "linear") for padding in ("zeros", "border", "reflection") for aligned in (0, 1)],
    "RoiAlign": [
        ("float[2,3,9,11] x", "float[4,4] b = {1,2,15,17,0,0,3,3,-4,5,9,30,7,7,7,7}, int64[4] n = {0,1,1,0}",
         f'y = OP<output_height = 3, output_width = 2, spatial_scale: float = 0.5, {more}>(x, b, n)', "float y")
        for more in [f'sampling_ratio = {ratio}, mode = "{mode}", coordinate_transformation_mode = "{coordinates}"'
                     for ratio in (0, 2) for mode in ("avg", "max") for coordinates in ("half_pixel", "output_half_pixel")]],
    "Hardmax": [("float[2,3,4] x", "", f"y = OP<axis = {axis}>(x)", "float y") for axis in (0, 1, -1, -2)] + [
        ("", "float[2,3] x = {1,3,3,-1,-1,-1}", "y = OP(x)", "float y")],
    "LpNormalization": [("float[2,3,4] x", "", f"y = OP<axis = {axis}, p = {p}>(x)", "float y") for axis in (0, 1, -1) for p in (1, 2)] + [
        ("", "float[2,2] x = {0,0,-3,4}", "y = OP(x)", "float y")],
    "LpPool": [("float[2,3,6,7] x", "", f"y = OP<kernel_shape = [3,2], p = {p}, {more}>(x)", "float y") for p in (1, 2, 3) for more in (
        "strides = [2,1]", "pads = [1,0,2,1]", "dilations = [2,3]", 'auto_pad = "SAME_UPPER"', 'auto_pad = "SAME_LOWER", strides = [2,2]')],
    "Shrink": [(f"{dtype}[2,3,8] x", "", f"y = OP<{more}>(x)", f"{dtype} y") for dtype in ("float", "uint8", "int8", "int32", "int64") for more in (
        "lambd = 0.25", "lambd = 1.5, bias = 0.5", "lambd = 20.0, bias = 3.0")],
    "SoftmaxCrossEntropyLoss": [
        ("float[3,4] x, float[4] w", "int64[3] l = {2,0,3}", f'y, z = OP<reduction = "{reduction}", {more}>(x, l, w)', "float y, float z")
        for reduction in ("none", "sum", "mean") for more in ("ignore_index = 0", "ignore_index = -1")] + [
        ("float[2,3,2,2] x", "int64[2,2,2] l = {2,0,1,1,0,2,2,1}", "y = OP(x, l)", "float y")],
    "ReverseSequence": [
        ("float[4,3,2] x", f"int64[{n}] n = {{{lengths}}}", f"y = OP<{axes}>(x, n)", "float y") for n, lengths, axes in (
            (3, "4,1,3", "time_axis = 0"), (4, "1,2,3,2", "batch_axis = 0, time_axis = 1"))] + [
        ("int64[2,3] x", "int64[3] n = {2,1,2}", "y = OP(x, n)", "int64 y")],
}
# Those of ONNX's own domain, with the opset they are tried at.
IN_ONNX_DOMAIN = {"LayerNormalization": 15, "SimplifiedLayerNormalization": 15, "GlobalLpPool": 17, "Hardmax": 17, "LpNormalization": 17,
                  "LpPool": 18, "ReverseSequence": 17, "GridSample": 20, "RoiAlign": 16, "Shrink": 17,
                  "SoftmaxCrossEntropyLoss": 17}


def model_of(op, inputs, constants, body, results):
    opset = IN_ONNX_DOMAIN.get(op, 17)
    name = op if op in IN_ONNX_DOMAIN else f"com.microsoft.{op}"
    model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : {opset}, "com.microsoft" : 1]>\n'
                                    f"g ({inputs}) => ({results}) <{constants}> {{ {body.replace('OP', name)} }}")
    for output in model.graph.output:
        output.type.tensor_type.ClearField("shape")
    return model


def feeds_of(model):
    generator = np.random.default_rng(7)
    feeds = {}
    for value in model.graph.input:
        tensor = value.type.tensor_type
        dtype, shape = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type), [d.dim_value for d in tensor.shape.dim]
        integers = generator.integers(0, 2 if dtype == bool else 256, shape)
        feeds[value.name] = generator.standard_normal(shape).astype(dtype) if dtype.kind == "f" else integers.astype(dtype)
    return feeds


@unittest.skipUnless(onnx, "the packages numpy, onnx and onnxruntime are missing")
class ReadByTheirDefinitions(Cli):
    def by_onnxruntime(self, model, feeds):
        options = ort.SessionOptions()
        options.log_severity_level = 3
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return session.run([o.name for o in model.graph.output], feeds)

    def by_lapis(self, model, feeds):
        onnx.save(model, self.folder / "m.onnx")
        flags = []
        for name, value in feeds.items():
            np.save(self.folder / f"in_{name}.npy", value)
            flags += ["--input", f"{name}=@in_{name}.npy"]
        run = self.lapis("run", "m.onnx", *flags, "--output", "out")
        self.assertEqual(run.returncode, OK, run.stderr)
        return [np.load(self.folder / "out" / f"{o.name}.npy") for o in model.graph.output]

    def test_agree_with_onnxruntime(self):
        for op, cases in CASES.items():
            for *text, rounding in ((*case, 0)[:5] for case in cases):
                with self.subTest(op=op, text=text):
                    model = model_of(op, *text)
                    feeds = feeds_of(model)
                    for got, wanted in zip(self.by_lapis(model, feeds), self.by_onnxruntime(model, feeds), strict=True):
                        self.assertEqual(got.dtype, wanted.dtype)
                        largest = rounding if got.dtype.kind in "iu" else 1e-5 + 1e-4 * float(np.abs(wanted).max())
                        np.testing.assert_allclose(got.astype("f8"), wanted.astype("f8"), rtol=0, atol=largest)

    def test_every_operator_that_is_read_is_tried(self):
        read = [o["name"] for o in json.loads(self.lapis("ops", "--json").stdout)["onnx"]]
        prefix = "com.microsoft."
        self.assertEqual({o.removeprefix(prefix) for o in read if o.startswith(prefix)}, set(CASES) - set(IN_ONNX_DOMAIN))


if __name__ == "__main__":
    main()
