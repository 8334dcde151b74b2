#!/usr/bin/env python3
"""Writes ONNX's own node test cases where tests/ir/onnx_cases_test.cpp finds them.

    python3 -m venv venv && venv/bin/pip install onnx==1.23.2
    venv/bin/python tests/tools/dump_onnx_cases.py BUILD_FOLDER/onnx_cases

Every case becomes a folder with model.onnx, input_<i>.pb and output_<i>.pb (TensorProto with raw data). Cases whose
inputs or outputs are not tensors (sequences, optionals, maps) are left out and counted.
"""
import pathlib
import sys

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.test.loader import load_model_tests


def as_tensor(value):
    """The value as a TensorProto with raw data, or None if it is not a numeric tensor."""
    if isinstance(value, onnx.TensorProto):
        tensor = value
    elif isinstance(value, (np.ndarray, np.generic)) and np.asarray(value).dtype.kind not in "OUS":
        tensor = numpy_helper.from_array(np.asarray(value))
    else:
        return None
    if tensor.data_type == onnx.TensorProto.STRING:
        return None
    if not tensor.HasField("raw_data"):
        tensor = numpy_helper.from_array(numpy_helper.to_array(tensor))
    return tensor


def read_case(case):
    """(inputs, outputs) of the case's first data set, None among them if one is not a tensor."""
    if case.data_sets:
        inputs, outputs = case.data_sets[0]
        return [as_tensor(v) for v in inputs], [as_tensor(v) for v in outputs]
    folder = pathlib.Path(case.model_dir) / "test_data_set_0"

    def read(kind):
        tensors = []
        for index in range(len(list(folder.glob(f"{kind}_*.pb")))):
            tensor = onnx.TensorProto()
            tensor.ParseFromString((folder / f"{kind}_{index}.pb").read_bytes())
            tensors.append(as_tensor(tensor) if tensor.data_type else None)
        return tensors

    return read("input"), read("output")


def model_bytes(case):
    if case.model is not None:
        return case.model.SerializeToString()
    return (pathlib.Path(case.model_dir) / "model.onnx").read_bytes()


def is_tensor_model(data):
    graph = onnx.load_from_string(data).graph
    return all(value.type.HasField("tensor_type") for value in [*graph.input, *graph.output])


def main():
    target = pathlib.Path(sys.argv[1])
    written = skipped = 0
    for case in load_model_tests(kind="node"):
        model = model_bytes(case)
        inputs, outputs = read_case(case) if is_tensor_model(model) else ([None], [])
        if None in inputs or None in outputs:
            skipped += 1
            continue
        folder = target / case.name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "model.onnx").write_bytes(model)
        for kind, tensors in (("input", inputs), ("output", outputs)):
            for index, tensor in enumerate(tensors):
                (folder / f"{kind}_{index}.pb").write_bytes(tensor.SerializeToString())
        written += 1
    print(f"{written} cases written to {target}, {skipped} left out (not all tensors)")


if __name__ == "__main__":
    main()
