"""Writes the TFLite models of this folder's families/, one for each family of operators, and records what TFLite computes from them.

    pip install ai-edge-litert==2.3.0 flatbuffers==25.12.19 numpy && python tests/frontends/tflite/families.py [NAME ...]

NAME.npz beside NAME.tflite holds the inputs in_X and the outputs out0, out1, ...; each output is named after what it is a case of. Models are written by
TFLite's own schema, so that slots and numbers are not ours. cases/ (generate.py) has the models of single operators and those that are refused.
"""
import sys

import numpy as np

from writer import HERE, NONE, RELU, RELU6, RELU_N1_TO_1, S, SAME, VALID, Model, f32, i32, i64

rng = np.random.default_rng(9)
def reals(*shape): return rng.standard_normal(shape).astype(f32)
def whole(*shape, low=-9, high=10, dtype=i32): return rng.integers(low, high, shape).astype(dtype)


# ---- families ------------------------------------------------------------------------------------------------------------------------

def unary(m):
    g, x = m.main, m.feed(reals(2, 3, 4) * f32(2))
    positive = m.feed((rng.random((2, 3, 4)) + 0.1).astype(f32))
    for op in "ABS CEIL COS ELU EXP FLOOR HARD_SWISH LOGISTIC NEG RELU RELU6 RELU_N1_TO_1 RELU_0_TO_1 ROUND SIGN SIN SQUARE TANH ZEROS_LIKE LOG_SOFTMAX".split():
        g.op(op, [x])
    for op in "LOG RSQRT SQRT".split():
        g.op(op, [positive])
    for approximate in (False, True):
        g.op("GELU", [x], "GeluOptions", approximate=approximate)
    g.op("LEAKY_RELU", [x], "LeakyReluOptions", alpha=0.3)
    g.op("LEAKY_RELU", [x], "LeakyReluOptions")
    g.op("L2_NORMALIZATION", [x], "L2NormOptions")
    g.op("SOFTMAX", [x], "SoftmaxOptions", beta=1.0)
    g.op("CAST", [x], dtype="int32")
    g.op("CAST", [x], dtype="bool")
    g.op("BUCKETIZE", [x], "BucketizeOptions", dtype="int32", boundaries=[-1.0, 0.0, 0.5, 2.0])
    g.op("FAKE_QUANT", [x], "FakeQuantOptions", min=-1.0, max=2.0, numBits=8, narrowRange=False)


def binary(m):
    g, x, y = m.main, m.feed(reals(2, 3, 4)), m.feed(reals(3, 4) + f32(0.1))
    row = g.const(reals(4))
    for op, options in [("ADD", "AddOptions"), ("SUB", "SubOptions"), ("MUL", "MulOptions"), ("DIV", "DivOptions")]:
        g.op(op, [x, y], options, fusedActivationFunction=RELU)
        g.op(op, [row, x], options)
    for op in "MAXIMUM MINIMUM SQUARED_DIFFERENCE FLOOR_DIV FLOOR_MOD".split():
        g.op(op, [x, y])
    for op in "EQUAL NOT_EQUAL GREATER GREATER_EQUAL LESS LESS_EQUAL".split():
        g.op(op, [x, y], dtype="bool")
    g.op("POW", [g.op("ABS", [x], output=False), row])
    g.op("ATAN2", [x, g.op("MUL", [x, g.const(f32([1, -1, 0, 2]))], "MulOptions", output=False)])
    g.op("PRELU", [x, g.const(reals(1, 1, 4))])
    g.op("ADD_N", [x, x, x])
    flag = g.op("GREATER", [x, y], dtype="bool", output=False)
    other = g.op("LESS", [x, row], dtype="bool", output=False)
    g.op("LOGICAL_AND", [flag, other])
    g.op("LOGICAL_OR", [flag, other])
    g.op("LOGICAL_NOT", [flag])
    g.op("SELECT_V2", [flag, x, row], dtype="float32")
    g.op("SELECT", [g.const(np.array([True, False])), x, g.op("NEG", [x], output=False)], dtype="float32")


def integers(m):
    g, x, y = m.main, m.feed(whole(2, 6)), m.feed(whole(2, 6, low=1))
    for op in "ADD SUB MUL DIV".split():
        g.op(op, [x, y], op.capitalize() + "Options")
    g.op("ADD", [x, y], "AddOptions", fusedActivationFunction=RELU6)
    for op in "FLOOR_DIV FLOOR_MOD BITWISE_XOR MAXIMUM MINIMUM".split():
        g.op(op, [x, y])
    g.op("RIGHT_SHIFT", [x, g.const(i32([[0, 1, 2, 3, 31, 4]] * 2))])
    g.op("CAST", [x], dtype="float32")
    g.op("CAST", [x], dtype="int64")
    g.op("NEG", [x])
    g.op("ABS", [x])
    g.op("SUM", [x, g.const(i32([1]))], "ReducerOptions")
    g.op("EQUAL", [x, y], dtype="bool")
    g.op("CUMSUM", [x, g.const(i32(1))], "CumsumOptions")
    g.op("RANGE", [g.const(i32(1)), g.const(i32(9)), g.const(i32(3))])
    g.op("TILE", [x, g.const(i32([1, 2]))])


def reductions(m):
    g, x = m.main, m.feed(reals(2, 3, 4, 5))
    for op in "MEAN SUM REDUCE_PROD REDUCE_MAX REDUCE_MIN".split():
        g.op(op, [x, g.const(i32([1, -1]))], "ReducerOptions", keepDims=False)
        g.op(op, [x, g.const(i32(2))], "ReducerOptions", keepDims=True)
    flags = g.op("GREATER", [x, g.const(f32(0.5))], dtype="bool", output=False)
    g.op("REDUCE_ANY", [flags, g.const(i32([0, 1]))], "ReducerOptions")
    g.op("REDUCE_ALL", [g.op("LOGICAL_NOT", [flags], output=False), g.const(i32([3]))], "ReducerOptions", keepDims=True)
    g.op("ARG_MAX", [x, g.const(i32(-1))], "ArgMaxOptions", dtype="int32", outputType=S.TensorType.INT32)
    g.op("ARG_MIN", [x, g.const(i32(1))], "ArgMinOptions", dtype="int64", outputType=S.TensorType.INT64)
    g.op("CUMSUM", [x, g.const(i32(2))], "CumsumOptions", exclusive=True, reverse=True)
    g.op("TOPK_V2", [x, g.const(i32(3))], "TopKV2Options", dtype=["float32", "int32"], results=2)


def shapes(m):
    g, x = m.main, m.feed(reals(2, 1, 3, 4))
    g.op("RESHAPE", [x, g.const(i32([3, -1]))], "ReshapeOptions", newShape=[3, -1])
    g.op("SQUEEZE", [x], "SqueezeOptions", squeezeDims=[1])
    g.op("EXPAND_DIMS", [x, g.const(i32(-1))], "ExpandDimsOptions")
    g.op("TRANSPOSE", [x, g.const(i32([3, 0, 2, 1]))], "TransposeOptions")
    shape = g.op("SHAPE", [x], "ShapeOptions", dtype="int32", outType=S.TensorType.INT32)
    last = g.op("STRIDED_SLICE", [shape, g.const(i32([2])), g.const(i32([4])), g.const(i32([1]))], "StridedSliceOptions", dtype="int32", output=False)
    g.op("RESHAPE", [x, g.op("CONCATENATION", [g.const(i32([-1])), last], "ConcatenationOptions", output=False)])
    g.op("RANK", [x], "RankOptions", dtype="int32")
    g.op("FILL", [shape, g.const(f32(0.5))], "FillOptions", dtype="float32")
    g.op("BROADCAST_TO", [x, g.const(i32([2, 2, 3, 4]))], "BroadcastToOptions", version=2)
    g.op("BROADCAST_ARGS", [g.const(i32([3, 1, 1])), shape])
    g.op("TILE", [x, g.const(i32([1, 3, 1, 2]))], "TileOptions")
    g.op("ZEROS_LIKE", [shape])


def slices(m):
    g, x, n = m.main, m.feed(reals(2, 3, 4)), m.feed(i32([[2, 0], [1, 1]]))
    g.op("CONCATENATION", [x, x, g.const(reals(2, 3, 1))], "ConcatenationOptions", axis=-1)
    g.op("SPLIT", [g.const(i32(2)), x], "SplitOptions", dtype="float32", results=2, numSplits=2)
    g.op("SPLIT_V", [x, g.const(i32([1, -1])), g.const(i32(1))], "SplitVOptions", results=2, numSplits=2)
    g.op("SLICE", [x, g.const(i32([0, 1, 2])), g.const(i32([2, -1, 1]))], "SliceOptions")
    def strided(begin, end, strides, **masks):
        g.op("STRIDED_SLICE", [x, g.const(i32(begin)), g.const(i32(end)), g.const(i32(strides))], "StridedSliceOptions", **masks)
    strided([0, 1, 0], [0, 3, 4], [1, 1, 2], beginMask=1, endMask=1)
    strided([1, -1, 3], [2, 0, 0], [1, 1, -2], shrinkAxisMask=2, endMask=4)
    strided([0, 0, 0], [0, 0, 0], [1, 1, 1], ellipsisMask=1, newAxisMask=2, shrinkAxisMask=4)
    g.op("GATHER", [x, n], "GatherOptions", axis=1)
    g.op("GATHER", [x, n], "GatherOptions", axis=1, batchDims=1)
    g.op("GATHER_ND", [x, g.const(i32([[1, 2], [0, 0]]))], "GatherNdOptions")
    g.op("PACK", [x, x], "PackOptions", valuesCount=2, axis=1)
    g.op("UNPACK", [x], "UnpackOptions", results=3, num=3, axis=1)
    g.op("PAD", [x, g.const(i32([[0, 1], [2, 0], [0, 0]]))], "PadOptions")
    g.op("PADV2", [x, g.const(i32([[1, 0], [0, 1], [0, 0]])), g.const(f32(7))], "PadV2Options")
    for mode in (0, 1):
        g.op("MIRROR_PAD", [x, g.const(i32([[1, 0], [0, 2], [2, 2]]))], "MirrorPadOptions", mode=mode)
    g.op("ONE_HOT", [n, g.const(i32(3)), g.const(f32(5)), g.const(f32(-1))], "OneHotOptions", dtype="float32", axis=-1)
    g.op("REVERSE_V2", [x, g.const(i32([1]))], "ReverseV2Options")
    g.op("REVERSE_SEQUENCE", [x, g.const(i32([2, 3]))], "ReverseSequenceOptions", seqDim=1, batchDim=0)
    g.op("EMBEDDING_LOOKUP", [g.const(i32([2, 0, 1])), g.const(reals(3, 4))], dtype="float32")
    g.op("MATRIX_DIAG", [x], "MatrixDiagOptions")
    g.op("MATRIX_SET_DIAG", [x, g.const(reals(2, 3))], "MatrixSetDiagOptions")


def lists(m):
    """As long as values say: evaluated, not compiled."""
    g, x = m.main, m.feed(reals(2, 3, 4))
    g.op("WHERE", [g.op("GREATER", [x, g.const(f32(0))], dtype="bool", output=False)], dtype="int64")


def scatter(m):
    g, x, ids = m.main, m.feed(reals(4, 3)), m.feed(i32([2, 0, 2, -1]), "ids")
    g.op("SCATTER_ND", [g.const(i32([[1], [3], [1], [0]])), x, g.const(i32([5, 3]))], "ScatterNdOptions", dtype="float32")
    g.op("DYNAMIC_UPDATE_SLICE", [x, g.const(reals(2, 2)), g.const(i32([3, 1]))], "DynamicUpdateSliceOptions")
    g.op("SEGMENT_SUM", [x, g.const(i32([0, 0, 1, 1]))], "SegmentSumOptions")
    for op in "SUM PROD MAX MIN".split():
        g.op("UNSORTED_SEGMENT_" + op, [x, ids, g.const(i32(4))], f"UnsortedSegment{op.capitalize()}Options")
    g.op("SPARSE_TO_DENSE", [g.const(i32([[0, 1], [2, 0]])), g.const(i32([3, 2])), g.const(f32([5, 6])), g.const(f32(-1))], "SparseToDenseOptions", dtype="float32")
    g.op("SPARSE_TO_DENSE", [g.const(i32([1, 3])), g.const(i32([5])), g.const(f32(2)), g.const(f32(0))], "SparseToDenseOptions", dtype="float32")


def windows(m):
    g, x = m.main, m.feed(reals(1, 4, 6, 4))
    g.op("L2_POOL_2D", [x], "Pool2DOptions", padding=SAME, strideW=2, strideH=2, filterWidth=2, filterHeight=3)
    sizes = g.const(i32([1, 8, 11, 3]))
    g.op("TRANSPOSE_CONV", [sizes, g.const(reals(3, 3, 3, 4)), x], "TransposeConvOptions", dtype="float32", padding=SAME, strideW=2, strideH=2)
    g.op("TRANSPOSE_CONV", [g.const(i32([1, 6, 8, 2])), g.const(reals(2, 3, 3, 4)), x, g.const(reals(2))], "TransposeConvOptions", dtype="float32", padding=VALID,
         strideW=1, strideH=1, fusedActivationFunction=RELU)
    for corners, half in ((False, False), (True, False), (False, True)):
        for op, options in (("RESIZE_BILINEAR", "ResizeBilinearOptions"), ("RESIZE_NEAREST_NEIGHBOR", "ResizeNearestNeighborOptions")):
            g.op(op, [x, g.const(i32([7, 9]))], options, alignCorners=corners, halfPixelCenters=half)
    g.op("SPACE_TO_DEPTH", [x], "SpaceToDepthOptions", blockSize=2)
    g.op("DEPTH_TO_SPACE", [x], "DepthToSpaceOptions", blockSize=2)
    g.op("SPACE_TO_BATCH_ND", [x, g.const(i32([2, 3])), g.const(i32([[1, 1], [0, 0]]))], "SpaceToBatchNDOptions")
    batches = m.feed(reals(6, 2, 3, 2), "batches")
    g.op("BATCH_TO_SPACE_ND", [batches, g.const(i32([2, 3])), g.const(i32([[1, 0], [0, 2]]))], "BatchToSpaceNDOptions")
    g.op("LOCAL_RESPONSE_NORMALIZATION", [x], "LocalResponseNormalizationOptions", radius=1, bias=1.0, alpha=0.5, beta=0.75)
    g.op("MIRROR_PAD", [x, g.const(i32([[0, 0], [1, 2], [0, 1], [0, 0]]))], "MirrorPadOptions", mode=1)
    g.op("CONCATENATION", [x, g.op("TANH", [x], output=False)], "ConcatenationOptions", axis=3)
    g.op("ARG_MAX", [x, g.const(i32(3))], "ArgMaxOptions", dtype="int32", outputType=S.TensorType.INT32)
    g.op("L2_NORMALIZATION", [x], "L2NormOptions")
    volume = m.feed(reals(1, 3, 4, 4, 2), "volume")
    g.op("CONV_3D", [volume, g.const(reals(2, 3, 3, 2, 3)), g.const(reals(3))], "Conv3DOptions", padding=SAME, strideD=1, strideW=2, strideH=1,
         fusedActivationFunction=RELU)
    g.op("CONV_3D_TRANSPOSE", [g.const(i32([1, 3, 8, 8, 3])), g.const(reals(1, 3, 3, 3, 2)), volume], "Conv3DOptions", dtype="float32", padding=SAME,
         strideD=1, strideW=2, strideH=2)


def products(m):
    g, a, b = m.main, m.feed(reals(2, 3, 4)), m.feed(reals(2, 4, 5))
    g.op("BATCH_MATMUL", [a, b], "BatchMatMulOptions")
    g.op("BATCH_MATMUL", [b, a], "BatchMatMulOptions", adjX=True, adjY=True)
    g.op("BATCH_MATMUL", [a, g.const(reals(4, 6))], "BatchMatMulOptions")


def csr(dense):
    """A matrix of one dense and one sparse level, and its elements."""
    p, segments, places = S.SparsityParametersT(), [0], []
    for row in dense:
        places += list(np.nonzero(row)[0])
        segments.append(len(places))
    p.traversalOrder, p.blockMap, p.dimMetadata = [0, 1], [], [S.DimensionMetadataT(), S.DimensionMetadataT()]
    p.dimMetadata[0].format, p.dimMetadata[0].denseSize = S.DimensionType.DENSE, dense.shape[0]
    level = p.dimMetadata[1]
    level.format = S.DimensionType.SPARSE_CSR
    level.arraySegmentsType, level.arraySegments = S.SparseIndexVector.Uint8Vector, S.Uint8VectorT()
    level.arrayIndicesType, level.arrayIndices = S.SparseIndexVector.Uint8Vector, S.Uint8VectorT()
    level.arraySegments.values, level.arrayIndices.values = np.uint8(segments), np.uint8(places)
    return p, dense[dense != 0]


def blocks(dense, size):
    """Blocks of [1, size] columns: dense rows, sparse columns of blocks, dense within."""
    count = dense.shape[1] // size
    tiles = dense.reshape(dense.shape[0], count, size)
    p, segments, places, data = S.SparsityParametersT(), [0], [], []
    for row in tiles:
        for i, tile in enumerate(row):
            if tile.any():
                places.append(i)
                data.append(tile)
        segments.append(len(places))
    p.traversalOrder, p.blockMap, p.dimMetadata = [0, 1, 2], [1], [S.DimensionMetadataT() for _ in range(3)]
    p.dimMetadata[0].format, p.dimMetadata[0].denseSize = S.DimensionType.DENSE, dense.shape[0]
    p.dimMetadata[2].format, p.dimMetadata[2].denseSize = S.DimensionType.DENSE, size
    level = p.dimMetadata[1]
    level.format = S.DimensionType.SPARSE_CSR
    level.arraySegmentsType, level.arraySegments = S.SparseIndexVector.Int32Vector, S.Int32VectorT()
    level.arrayIndicesType, level.arrayIndices = S.SparseIndexVector.Uint16Vector, S.Uint16VectorT()
    level.arraySegments.values, level.arrayIndices.values = i32(segments), np.uint16(places)
    return p, np.array(data)


def weights(m):
    """In fewer bits, and sparse; all of it dense floats where it is used."""
    g, x = m.main, m.feed(reals(2, 8))
    def dense(w, name):
        g.op("FULLY_CONNECTED", [x, w, -1], "FullyConnectedOptions", name=name)
    table = np.where(rng.random((4, 8)) < 0.4, reals(4, 8), 0).astype(f32)
    sparsity, data = csr(table)
    dense(g.op("DENSIFY", [g.const(table, data=data, sparsity=sparsity)], output=False), "sparse")
    blocked = np.repeat(rng.random((4, 2)) < 0.5, 4, axis=1) * reals(4, 8)
    sparsity, data = blocks(blocked.astype(f32), 4)
    dense(g.op("DENSIFY", [g.const(blocked.astype(f32), data=data.astype(f32), sparsity=sparsity)], output=False), "blocked")
    dense(g.op("DEQUANTIZE", [g.const(reals(4, 8).astype(np.float16))], dtype="float32", output=False), "half")
    integers = whole(4, 8, low=-127, high=128, dtype=np.int8)
    dense(g.op("DEQUANTIZE", [g.const(integers, q=(0.01, 0))], dtype="float32", output=False), "integers")


def trained(m):
    """Weights of 4 bits beside data of 8, as one scale a row."""
    g = m.main
    x = m.feed(whole(2, 8, low=-128, high=128, dtype=np.int8), q=(0.05, 3))
    halves = whole(4, 8, low=-7, high=8, dtype=np.int8)
    packed = ((halves.reshape(-1, 2)[:, 0] & 15) | (halves.reshape(-1, 2)[:, 1] << 4)).astype(np.uint8)
    w = g.const(halves, dtype="int4", data=packed.tobytes(), q=([0.02, 0.03, 0.01, 0.05], [0] * 4, 0))
    g.op("FULLY_CONNECTED", [x, w, -1], "FullyConnectedOptions", name="int4", q=(0.1, -5), dtype="int8")


def quantized_as(m, dtype, zero, scale):
    g, info = m.main, np.iinfo(dtype)
    q = (scale, zero)
    x = m.feed(whole(1, 4, 4, 4, low=info.min, high=info.max + 1, dtype=dtype), q=q)
    y = m.feed(whole(1, 4, 4, 4, low=info.min, high=info.max + 1, dtype=dtype), q=(scale * 0.5, 0 if dtype == np.int16 else zero + 5))
    wide, fixed = (scale * 2, zero), {np.int8: (1 / 256, -128), np.uint8: (1 / 256, 0), np.int16: (1 / 32768, 0)}[dtype]
    half = {np.int8: (1 / 128, 0), np.uint8: (1 / 128, 128), np.int16: (1 / 32768, 0)}[dtype]
    g.op("LOGISTIC", [x], q=fixed)
    g.op("TANH", [x], q=half)
    for op in "ADD SUB MUL".split():
        g.op(op, [x, y], op.capitalize() + "Options", q=wide)
    for op in "RELU RELU6".split():
        g.op(op, [x], q=q)
    g.op("LEAKY_RELU", [x], "LeakyReluOptions", q=wide, alpha=0.25)
    pads = g.const(i32([[0, 0], [1, 0], [0, 1], [0, 0]]))
    g.op("PAD", [x, pads])
    if dtype != np.int16:
        g.op("HARD_SWISH", [x], q=wide)
        g.op("PRELU", [x, g.const(whole(1, 1, 4, low=info.min, high=info.max, dtype=dtype), q=(0.01, zero))], q=wide)
        g.op("RESIZE_NEAREST_NEIGHBOR", [x, g.const(i32([6, 8]))], "ResizeNearestNeighborOptions")
        g.op("L2_NORMALIZATION", [x], "L2NormOptions", q=half)
    if dtype == np.int8:
        g.op("ELU", [x], q=wide)
        g.op("GELU", [x], "GeluOptions", q=wide, approximate=False)
        g.op("ABS", [x], q=q)
        g.op("RSQRT", [g.op("RELU", [x], q=(scale, -128), output=False)], q=(0.1, -128))
    g.op("MEAN", [x, g.const(i32([1, 2]))], "ReducerOptions", q=q)
    g.op("REDUCE_MAX", [x, g.const(i32([1, 2]))], "ReducerOptions", keepDims=True)
    g.op("SUM", [x, g.const(i32([3]))], "ReducerOptions", q=(scale * 4, zero))
    g.op("CONCATENATION", [x, x], "ConcatenationOptions", axis=3)
    for op in "MAXIMUM MINIMUM".split():
        g.op(op, [x, x])
    g.op("SOFTMAX", [x], "SoftmaxOptions", q=fixed, beta=1.0)
    g.op("RESIZE_BILINEAR", [x, g.const(i32([6, 8]))], "ResizeBilinearOptions", halfPixelCenters=True)
    g.op("TRANSPOSE", [x, g.const(i32([0, 3, 1, 2]))])
    g.op("SLICE", [x, g.const(i32([0, 1, 0, 2])), g.const(i32([1, 2, -1, 2]))])
    g.op("STRIDED_SLICE", [x, g.const(i32([0, 0, 0, 0])), g.const(i32([1, 4, 4, 3])), g.const(i32([1, 2, 2, 1]))], "StridedSliceOptions")
    g.op("PACK", [x, x], "PackOptions", valuesCount=2, axis=1)
    g.op("SPLIT", [g.const(i32(3)), x], "SplitOptions", dtype=np.dtype(dtype).name, q=q, results=2, numSplits=2)
    if dtype != np.int16:
        g.op("GREATER", [x, y], dtype="bool")
        g.op("ARG_MAX", [x, g.const(i32(3))], "ArgMaxOptions", dtype="int32", outputType=S.TensorType.INT32)
    g.op("DEQUANTIZE", [x], dtype="float32")
    return x, q


def quantized_int8(m):
    x, q = quantized_as(m, np.int8, -6, 0.04)
    g = m.main
    scales = f32([0.01, 0.02, 0.015])
    bias = g.const(whole(3, low=-400, high=400), q=(scales * f32(q[0]), [0] * 3, 0))
    g.op("TRANSPOSE_CONV", [g.const(i32([1, 8, 8, 3])), g.const(whole(3, 3, 3, 4, low=-127, high=128, dtype=np.int8), q=(scales, [0] * 3, 0)), x, bias],
         "TransposeConvOptions", dtype="int8", q=(0.1, 2), padding=SAME, strideW=2, strideH=2)
    g.op("BATCH_MATMUL", [x, g.op("TRANSPOSE", [x, g.const(i32([0, 2, 1, 3]))], output=False)], "BatchMatMulOptions", q=(0.3, 0), adjY=True)
    g.op("SPACE_TO_DEPTH", [x], "SpaceToDepthOptions", blockSize=2)
    g.op("DEPTH_TO_SPACE", [x], "DepthToSpaceOptions", blockSize=2)
    g.op("GATHER", [x, g.const(i32([1, 0]))], "GatherOptions", axis=1)
    g.op("PADV2", [x, g.const(i32([[0, 0], [1, 0], [0, 1], [0, 0]])), g.const(np.int8(-100), q=q)], "PadV2Options")
    g.op("MIRROR_PAD", [x, g.const(i32([[0, 0], [1, 1], [2, 0], [0, 0]]))], "MirrorPadOptions", mode=0)
    g.op("SQUARED_DIFFERENCE", [x, g.const(np.int8([3, -5, 7, 9]), q=q)], q=(0.5, -128))


def quantized_uint8(m):
    quantized_as(m, np.uint8, 120, 0.04)


def quantized_int16(m):
    x, q = quantized_as(m, np.int16, 0, 0.0005)
    g = m.main
    scales = f32([0.01, 0.02])
    bias = g.const(whole(2, low=-40000, high=40000, dtype=i64), q=(scales * f32(q[0]), [0, 0], 0))
    w = g.const(whole(2, 3, 3, 4, low=-127, high=128, dtype=np.int8), q=(scales, [0, 0], 0))
    g.op("CONV_2D", [x, w, bias], "Conv2DOptions", q=(0.004, 0), padding=SAME, strideW=1, strideH=1, fusedActivationFunction=RELU)


def hybrid(m):
    """Integer weights for real data, which TFLite quantizes on the fly."""
    g, x = m.main, m.feed(reals(1, 5, 5, 4))
    def integers(*shape, axis=0):
        return g.const(whole(*shape, low=-127, high=128, dtype=np.int8), q=(rng.random(shape[axis]).astype(f32) * f32(0.01) + f32(0.005), [0] * shape[axis], axis))
    g.op("CONV_2D", [x, integers(3, 3, 3, 4), g.const(reals(3))], "Conv2DOptions", padding=SAME, strideW=1, strideH=1)
    g.op("DEPTHWISE_CONV_2D", [x, integers(1, 3, 3, 4, axis=3), g.const(reals(4))], "DepthwiseConv2DOptions", padding=SAME, strideW=1, strideH=1, depthMultiplier=1)
    g.op("EMBEDDING_LOOKUP", [g.const(i32([1, 0])), g.const(whole(3, 4, low=-127, high=128, dtype=np.int8), q=(0.02, 0))], dtype="float32", q=None)


def control(m):
    g, x, n = m.main, m.feed(reals(2, 3)), m.feed(i32(3), "n")
    def graph(name, build):
        s = m.graph(name)
        build(s)
        return len(m.graphs) - 1
    def condition(s):
        i, v = s.input([], "int32"), s.input([2, 3])
        s.op("LESS", [i, s.const(i32(5))], dtype="bool")
    def body(s):
        i, v = s.input([], "int32"), s.input([2, 3])
        s.op("ADD", [i, s.const(i32(1))], "AddOptions")
        s.op("TANH", [s.op("MUL", [v, s.const(f32(1.5))], "MulOptions", output=False)])
    def rows_left(s):
        i, v, rows = s.input([], "int32"), s.input([2, 3]), s.input([4, 2, 3])
        s.op("LESS", [i, s.const(i32(4))], dtype="bool")
    def next_row(s):
        i, v, rows = s.input([], "int32"), s.input([2, 3]), s.input([4, 2, 3])
        def at(position, rest):
            one = s.op("RESHAPE", [position, s.const(i32([1]))], "ReshapeOptions", output=False, newShape=[1])
            return s.op("CONCATENATION", [one, s.const(i32([rest, rest]))], "ConcatenationOptions", output=False)
        last = s.op("ADD", [i, s.const(i32(1))], "AddOptions")
        y = s.op("TANH", [v])
        row = s.op("EXPAND_DIMS", [y, s.const(i32(0))], "ExpandDimsOptions", output=False)
        s.t.tensors[row].shape = [1, 2, 3]
        before = s.op("SLICE", [rows, s.const(i32([0, 0, 0])), at(i, -1)], "SliceOptions", output=False)
        behind = s.op("SLICE", [rows, at(last, 0), s.const(i32([-1, -1, -1]))], "SliceOptions", output=False)
        s.op("CONCATENATION", [before, row, behind], "ConcatenationOptions", axis=0)
    def double(s):
        v = s.input([2, 3])
        s.op("MUL", [v, s.const(f32(2))], "MulOptions")
    def itself(s):
        s.t.outputs.append(s.input([2, 3]))
    g.op("WHILE", [n, x], "WhileOptions", dtype=["int32", "float32"], results=2, condSubgraphIndex=graph("condition", condition), bodySubgraphIndex=graph("body", body))
    g.op("WHILE", [g.const(i32(0)), x, g.const(np.zeros((4, 2, 3), f32))], "WhileOptions", dtype=["int32", "float32", "float32"], results=3,
         condSubgraphIndex=graph("rows_left", rows_left), bodySubgraphIndex=graph("next_row", next_row))
    twice, same = graph("double", double), graph("itself", itself)
    for bound in (2, 7):
        c = g.op("GREATER", [n, g.const(i32(bound))], dtype="bool", output=False)
        g.op("IF", [c, x], "IfOptions", dtype="float32", thenSubgraphIndex=twice, elseSubgraphIndex=same)
    def prepare(s):
        h = s.op("VAR_HANDLE", [], "VarHandleOptions", dtype="resource", output=False, container="", sharedName="table")
        s.op("ASSIGN_VARIABLE", [h, s.const(f32([[1, 2, 3], [4, 5, 6]]))], dtype=[], output=False)
    g.op("CALL_ONCE", [], "CallOnceOptions", dtype=[], output=False, initSubgraphIndex=graph("prepare", prepare))
    h = g.op("VAR_HANDLE", [], "VarHandleOptions", dtype="resource", output=False, container="", sharedName="table")
    table = g.op("READ_VARIABLE", [h], dtype="float32", output=False)
    g.op("ADD", [x, table], "AddOptions")


def called(m):
    """TFLite has no kernel for CALL itself: its converter inlines it, and so do we."""
    g, x = m.main, m.feed(reals(2, 3))
    s = m.graph("double")
    s.op("MUL", [s.input([2, 3]), s.const(f32(2))], "MulOptions")
    g.op("TANH", [g.op("CALL", [g.op("CALL", [x], "CallOptions", output=False, subgraph=1)], "CallOptions", output=False, subgraph=1)])


def signature(m):
    g, x = m.main, m.feed(reals(2, 3))
    g.op("NEG", [x])
    s = m.graph("twice")
    i = s.input([2, 3], name="serving_twice_x:0")
    y = s.op("MUL", [i, s.const(f32(2))], "MulOptions", name="StatefulPartitionedCall:0")
    for key, graph, names in (("negative", 0, (x, g.t.outputs[0])), ("twice", 1, (i, y))):
        d = S.SignatureDefT()
        d.signatureKey, d.subgraphIndex, d.inputs, d.outputs = key, graph, [S.TensorMapT()], [S.TensorMapT()]
        (d.inputs[0].name, d.inputs[0].tensorIndex), (d.outputs[0].name, d.outputs[0].tensorIndex) = ("x", names[0]), ("y", names[1])
        m.signatures.append(d)


def sequences(m):
    g, x = m.main, m.feed(reals(2, 5, 3))
    def lstm(x, time_major, peepholes=False, cell_clip=0.0, coupled=False):
        w = lambda *shape: g.const(reals(*shape) * f32(0.5))
        inputs = [x] + [-1 if coupled else w(4, 3)] + [w(4, 3) for _ in range(3)] + [-1 if coupled else w(4, 4)] + [w(4, 4) for _ in range(3)]
        inputs += [-1 if coupled or not peepholes else w(4)] + ([w(4), w(4)] if peepholes else [-1, -1])
        inputs += [-1 if coupled else w(4)] + [w(4) for _ in range(3)] + [-1, -1]
        batch = 5 if time_major else 2
        inputs += [g.tensor(f"state{len(g.t.tensors)}", [batch, 4], "float32", variable=True) for _ in range(2)] + [-1] * 4
        g.op("UNIDIRECTIONAL_SEQUENCE_LSTM", inputs, "UnidirectionalSequenceLSTMOptions", fusedActivationFunction=4, timeMajor=time_major, cellClip=cell_clip)
    lstm(x, False)
    lstm(x, True, peepholes=True)
    lstm(x, False, cell_clip=0.3)
    lstm(x, False, peepholes=True, coupled=True)
    for time_major, batch in ((False, 2), (True, 5)):
        state = g.tensor(f"hidden{batch}", [batch, 4], "float32", variable=True)
        g.op("UNIDIRECTIONAL_SEQUENCE_RNN", [x, g.const(reals(4, 3)), g.const(reals(4, 4) * f32(0.5)), g.const(reals(4)), state], "SequenceRNNOptions",
             timeMajor=time_major, fusedActivationFunction=4)


def both_directions(m):
    """One sequence where they stand first: TFLite's kernel begins the second one from memory that nothing has written."""
    g, steps_first, sequence_first = m.main, m.feed(reals(2, 5, 3)), m.feed(reals(1, 5, 3))
    data = lambda time_major: (steps_first, 5) if time_major else (sequence_first, 1)
    w = lambda *shape: g.const(reals(*shape) * f32(0.5))
    state = lambda batch, cells: g.tensor(f"state{len(g.t.tensors)}", [batch, cells], "float32", variable=True)
    def lstm(merged, time_major, peepholes=False, cell_clip=0.0):
        def way():
            return [w(4, 3) for _ in range(4)] + [w(4, 4) for _ in range(4)] + [w(4) if peepholes else -1 for _ in range(3)] + [w(4) for _ in range(4)] + [-1, -1]
        x, batch = data(time_major)
        inputs = [x] + way() + way() + [state(batch, 4) for _ in range(4)] + [-1] * 9
        g.op("BIDIRECTIONAL_SEQUENCE_LSTM", inputs, "BidirectionalSequenceLSTMOptions", results=1 if merged else 2, fusedActivationFunction=4, timeMajor=time_major,
             mergeOutputs=merged, cellClip=cell_clip)
    lstm(True, False)
    lstm(False, True, peepholes=True)
    lstm(True, False, peepholes=True, cell_clip=0.3)
    for merged, time_major in ((True, False), (False, True)):
        x, batch = data(time_major)
        ways = [i for cells in (4, 2) for i in (w(cells, 3), w(cells, cells), w(cells), state(batch, cells))]
        g.op("BIDIRECTIONAL_SEQUENCE_RNN", [x] + ways + [-1] * 3, "BidirectionalSequenceRNNOptions", results=1 if merged else 2, timeMajor=time_major,
             mergeOutputs=merged, fusedActivationFunction=4)


def integer_lstm(m):
    """As TFLite's converter writes it: data and outputs in 8 bits, cells in 16 with a power of two as their scale; the second one runs against their ends."""
    g, scale = m.main, 0.02
    x = m.feed(whole(2, 7, 3, low=-128, high=128, dtype=np.int8), q=(scale, 3))
    def lstm(weights_scale, out, cell_scale, name):
        w = lambda *shape: g.const(whole(*shape, low=-127, high=128, dtype=np.int8), q=(weights_scale, 0))
        bias = lambda: g.const(whole(4, low=-1500, high=1500), q=(weights_scale * scale, 0))
        states = [g.tensor(f"{name}_h", [2, 4], "int8", q=out, variable=True), g.tensor(f"{name}_c", [2, 4], "int16", q=(cell_scale, 0), variable=True)]
        inputs = [x] + [w(4, 3) for _ in range(4)] + [w(4, 4) for _ in range(4)] + [-1] * 3 + [bias() for _ in range(4)] + [-1, -1] + states + [-1] * 4
        g.op("UNIDIRECTIONAL_SEQUENCE_LSTM", inputs, "UnidirectionalSequenceLSTMOptions", q=out, name=name, fusedActivationFunction=4)
        inner = [g.tensor(f"{name}_inner{i}", [], "float32") for i in range(4)] + [g.tensor(f"{name}_hidden", [], "int8", q=out)]
        g.t.operators[-1].intermediates = inner
    lstm(0.008, (1 / 128, 0), 2 ** -12, "plain")
    lstm(0.02, (0.006, -7), 2 ** -15, "saturated")


def boxes(m):
    """Boxes over each other, some as far as the threshold says exactly, corners in any order, fewer than asked for and more. None is empty:
    TFLite would choose such a box again and again."""
    g = m.main
    corners = f32([[0, 0, 2, 2], [0, 0, 2, 2.5], [0, 0, 2, 1], [5, 5, 3, 3], [3, 3, 5, 5.25], [8, 8, 9, 9], [8, 8, 8.5, 9], [1, 0, 3, 2], [6, 0, 7, 4], [6, 4, 7, 0]])
    x, s = m.feed(corners), m.feed(f32([0.5, 0.75, 0.9, 0.6, 0.55, 0.05, 0.7, 0.4, 0.3, 0.35]))
    for most, overlap, least in ((4, 0.5, 0.1), (12, 0.5, 0.1), (10, 0.3, 0.0), (3, 0.9, 0.8)):
        limits = [g.const(i32(most)), g.const(f32(overlap)), g.const(f32(least))]
        g.op("NON_MAX_SUPPRESSION_V4", [x, s] + limits, "NonMaxSuppressionV4Options", dtype=["int32", "int32"], results=2)
        g.op("NON_MAX_SUPPRESSION_V5", [x, s] + limits + [g.const(f32(0))], "NonMaxSuppressionV5Options", dtype=["int32", "float32", "int32"], results=3)


def lowered_boxes(m):
    """Overlaps lower scores, and end a box beyond the limit. Without an area a box is chosen again and again, beyond a limit of 1 any is, with its own score lowered."""
    g = m.main
    corners = f32([[0, 0, 2, 2], [0, 0, 2, 2.5], [0, 0, 2, 1], [5, 5, 3, 3], [3, 3, 5, 5.25], [8, 8, 9, 9], [8, 8, 8.5, 9], [1, 0, 3, 2], [6, 0, 7, 4], [6, 4, 7, 0]])
    x, s = m.feed(corners), m.feed(f32([0.5, 0.75, 0.9, 0.6, 0.55, 0.05, 0.7, 0.4, -0.3, np.nan]))
    empty, t = m.feed(f32([[0, 0, 2, 2], [1, 1, 1, 3], [0, 0, 2, 1.5], [7, 7, 7, 7]])), m.feed(f32([0.5, 0.4, 0.75, 0.25]))
    for boxes, scores, most, overlap, least, sigma in ((x, s, 6, 0.5, 0.1, 0.5), (x, s, 12, 0.9, 0.1, 0.1), (x, s, 10, 1.5, 0.2, 0.5), (x, s, 3, 0.9, 2, 0.5), (x, s, 10, 0.9, -1, 0.5),
                                                       (empty, t, 6, 0.5, 0.1, 0), (empty, t, 3, 0.9, 0.1, 0.5)):
        limits = [g.const(i32(most)), g.const(f32(overlap)), g.const(f32(least)), g.const(f32(sigma))]
        g.op("NON_MAX_SUPPRESSION_V5", [boxes, scores] + limits, "NonMaxSuppressionV5Options", dtype=["int32", "float32", "int32"], results=3)


def detection(m):
    """What TFLite writes: behind the boxes that it found the fast form leaves what its memory held."""
    g, boxes, classes = m.main, 12, 3
    x, anchors = m.feed(reals(1, boxes, 4)), m.feed((rng.random((boxes, 4)) * [3, 3, 1.5, 1.5]).astype(f32))
    anchors_of_no_height = g.const((rng.random((boxes, 4)) * [[3, 3, i > 3, 1] for i in range(boxes)]).astype(f32))
    s = m.feed((rng.permutation(boxes * (classes + 1)).reshape(1, boxes, classes + 1) / 48).astype(f32))
    options = dict(max_classes_per_detection=1, nms_score_threshold=0.3, nms_iou_threshold=0.2, num_classes=classes, y_scale=10.0, x_scale=10.0, h_scale=5.0, w_scale=5.0)
    def detect(operands, written, **more):
        o = dict(options, **more)
        results = g.custom("TFLite_Detection_PostProcess", operands, o, 4)
        places = o["max_detections"] * o["max_classes_per_detection"]
        for i, y in enumerate(results[:3]):
            rest = [4] if i == 0 else []
            g.op("SLICE", [y, g.const(i32([0, 0] + [0] * len(rest))), g.const(i32([1, min(places, written)] + rest))], "SliceOptions", dtype="float32")
        g.t.outputs.append(results[3])
    detect([x, s, anchors], 4, max_detections=4)
    detect([x, s, anchors], 6, max_detections=3, max_classes_per_detection=2)
    detect([x, s, anchors_of_no_height], 3, max_detections=20, nms_score_threshold=0.8)
    detect([x, s, anchors], 0, max_detections=5, nms_score_threshold=2.0)
    detect([x, s, anchors], 30, max_detections=30, use_regular_nms=True)
    detect([x, s, anchors], 5, max_detections=5, use_regular_nms=True, detections_per_class=2)
    without_background = g.op("SLICE", [s, g.const(i32([0, 0, 0])), g.const(i32([1, boxes, classes]))], "SliceOptions", dtype="float32", output=False)
    detect([x, without_background, anchors], 10, max_detections=10, use_regular_nms=True, nms_score_threshold=-1.0, nms_iou_threshold=1.0)
    q = m.feed(whole(1, 6, 4, low=0, high=256, dtype=np.uint8), q=(0.1, 120)), m.feed((40 * np.arange(6)).reshape(1, 6, 1).astype(np.uint8), q=(1 / 256, 0)), m.feed(whole(6, 4, low=0, high=100, dtype=np.uint8), q=(0.02, 0))
    detect(q, 2, max_detections=2, num_classes=1)


def svdf(m):
    """Reals with and without a bias and a memory, and integers, whose kernel leaves the activation out."""
    g, x = m.main, m.feed(reals(2, 3))
    def real(filters, memory, rank, activation, bias=True):
        biases = g.const(reals(filters // rank)) if bias else -1
        g.op("SVDF", [x, g.const(reals(filters, 3)), g.const(reals(filters, memory)), biases, g.state(reals(2, filters * memory))], "SVDFOptions", rank=rank,
             fusedActivationFunction=activation)
    real(6, 4, 2, RELU)
    real(3, 1, 1, NONE, bias=False)
    real(4, 3, 4, RELU6)
    q, scales = m.feed(whole(2, 5, low=-128, high=128, dtype=np.int8), q=(0.03, 4)), (0.02, 1 / 4096, 1 / 8192)
    inputs = [q, g.const(whole(6, 5, low=-127, high=128, dtype=np.int8), q=(scales[0], 0)), g.const(whole(6, 7, low=-9000, high=9000, dtype=np.int16), q=(scales[2], 0)),
              g.const(whole(3, low=-99999, high=99999), q=(scales[1] * scales[2], 0)), g.state(whole(2, 42, low=-9000, high=9000, dtype=np.int16), q=(scales[1], 0))]
    g.op("SVDF", inputs, "SVDFOptions", q=(0.05, -20), rank=2, fusedActivationFunction=RELU, version=3)


def main():
    HERE.mkdir(exist_ok=True)
    for family in (unary, binary, integers, reductions, shapes, slices, lists, scatter, windows, products, weights, trained, quantized_int8, quantized_uint8,
                   quantized_int16, hybrid, control, called, signature, sequences, both_directions, integer_lstm, boxes, lowered_boxes, detection, svdf):
        global rng
        rng = np.random.default_rng(len(family.__name__))
        if sys.argv[1:] and family.__name__ not in sys.argv[1:]:
            continue
        model = Model()
        family(model)
        if family is called:
            x = model.feeds["x0"]
            model.write("called", [np.tanh(4 * x)])
        else:
            model.record(family.__name__)


if __name__ == "__main__":
    main()
