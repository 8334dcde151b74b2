#!/usr/bin/env python3
"""An ONNX model that takes pictures of one size, as one that takes squares of any: height and width of its inputs become the symbol S.

    free_sizes.py MODEL.onnx OUT.onnx

What exporters wrote about shapes within the model goes; whoever reads it infers them. Only for models that work at other sizes: those that pool
before they flatten.
"""
import sys

import onnx


def free_sizes(model):
    constants = {tensor.name for tensor in model.graph.initializer}
    for value in model.graph.input:
        dims = value.type.tensor_type.shape.dim
        if value.name not in constants and len(dims) == 4:
            for axis in (2, 3):
                dims[axis].dim_param = "S"
    del model.graph.value_info[:]
    return model


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    onnx.save(free_sizes(onnx.load(sys.argv[1])), sys.argv[2])
