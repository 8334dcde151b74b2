#!/usr/bin/env python3
"""ONNX Runtime on the same cases, for the column beside ours in docs/conformance.md:

    build/venv/bin/python3 tests/conformance/run_onnxruntime.py build/conformance

writes tests/conformance/onnxruntime.txt: what does not pass, in the format of expected.txt. Run by hand when requirements.txt pins another
onnx or onnxruntime. Compared as onnx.backend.test.runner does. Element types that the Python API cannot carry (bfloat16, 8-, 4- and
2-bit ones) pass through one exact Cast at the model's inputs and outputs.
"""
import multiprocessing
import pathlib
import sys

import ml_dtypes
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HERE = pathlib.Path(__file__).resolve().parent
EXOTIC = {np.dtype(t) for t in (
    ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e4m3fnuz, ml_dtypes.float8_e5m2, ml_dtypes.float8_e5m2fnuz,
    ml_dtypes.float8_e8m0fnu, ml_dtypes.float4_e2m1fn, ml_dtypes.int4, ml_dtypes.uint4, ml_dtypes.int2, ml_dtypes.uint2)}
SECONDS = 120


def read_value(path, info):
    kind = info.type.WhichOneof("value")
    if kind == "sequence_type":
        return numpy_helper.to_list(onnx.SequenceProto.FromString(path.read_bytes()))
    if kind == "optional_type":
        proto = onnx.OptionalProto.FromString(path.read_bytes())
        return numpy_helper.to_optional(proto) if proto.elem_type else None
    return numpy_helper.to_array(TensorProto.FromString(path.read_bytes()))


def read_set(folder, what, infos):
    count = len(list(folder.glob(f"{what}_*.pb")))
    return [read_value(folder / f"{what}_{i}.pb", infos[i]) for i in range(count)]


def is_exotic(value):
    return isinstance(value, np.ndarray) and value.dtype in EXOTIC


def renamed(graph, old, new):
    for node in graph.node:
        node.input[:] = [new if n == old else n for n in node.input]
        node.output[:] = [new if n == old else n for n in node.output]
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                renamed(attribute.g, old, new)


def with_casts(model, inputs, outputs):
    """The model with a float32 and a Cast in the place of the named inputs and outputs."""
    graph, casts = model.graph, []
    for value in [v for v in [*graph.input, *graph.output] if v.name in inputs | outputs]:
        inner = value.name + "__inner"
        renamed(graph, value.name, inner)
        fed = value.name in inputs
        to = value.type.tensor_type.elem_type if fed else TensorProto.FLOAT
        ends = ([value.name], [inner]) if fed else ([inner], [value.name])
        casts.append((fed, helper.make_node("Cast", *ends, to=to)))
        value.type.tensor_type.elem_type = TensorProto.FLOAT
    nodes = [c for fed, c in casts if fed] + list(graph.node) + [c for fed, c in casts if not fed]
    del graph.node[:]
    graph.node.extend(nodes)
    return model


def difference(got, want, rtol, atol):
    if isinstance(want, list):
        if not isinstance(got, list) or len(got) != len(want):
            return "another sequence"
        return next((text for g, w in zip(got, want) if (text := difference(g, w, rtol, atol))), "")
    if want is None or got is None:
        return "" if want is got else f"{got} instead of {want}"
    got, want = np.asarray(got), np.asarray(want)
    if got.shape != want.shape:
        return f"shape {list(got.shape)}, wanted {list(want.shape)}"
    if want.dtype.kind in "OUS":
        return "" if np.array_equal(got.astype(str), want.astype(str)) else "other strings"
    if want.dtype in EXOTIC:
        rtol = max(rtol, 2**-6) if want.dtype == ml_dtypes.bfloat16 else rtol
        want = want.astype(np.float32)
    if got.dtype != want.dtype:
        return f"{got.dtype}, wanted {want.dtype}"
    with np.errstate(all="ignore"):
        return "" if np.allclose(got, want, rtol=rtol, atol=atol, equal_nan=True) else "other numbers"


def run_case(case):
    import onnxruntime
    folder, rtol, atol = case
    model = onnx.load(folder / "model.onnx")
    initialized = {i.name for i in model.graph.initializer}
    infos = [i for i in model.graph.input if i.name not in initialized]
    outputs = list(model.graph.output)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    for data in sorted(folder.glob("set*")):
        fed, want = read_set(data, "input", infos), read_set(data, "output", outputs)
        ins = {i.name for i, v in zip(infos, fed) if is_exotic(v)}
        outs = {o.name for o, v in zip(outputs, want) if is_exotic(v)}
        carried = with_casts(onnx.load(folder / "model.onnx"), ins, outs)
        feeds = {i.name: v.astype(np.float32) if is_exotic(v) else v for i, v in zip(infos, fed)}
        try:
            session = onnxruntime.InferenceSession(carried.SerializeToString(), options, providers=["CPUExecutionProvider"])
            got = session.run([o.name for o in outputs], feeds)
        except Exception as refusal:  # whatever it throws is how it refuses
            return "refused: " + " ".join(str(refusal).split())[:160]
        for g, w in zip(got, want):
            if text := difference(g, w, rtol, atol):
                return "wrong: " + text
    return "pass"


def worker(pipe):
    while case := pipe.recv():
        pipe.send(run_case(case))


class Worker:
    """A process that is replaced when a case ends it."""

    def __init__(self):
        self.pipe, theirs = multiprocessing.Pipe()
        self.process = multiprocessing.Process(target=worker, args=(theirs,), daemon=True)
        self.process.start()
        theirs.close()

    def run(self, case):
        self.pipe.send(case)
        try:
            return self.pipe.recv() if self.pipe.poll(SECONDS) else f"crash: no result after {SECONDS} s"
        except EOFError:
            self.process.join()
            return f"crash: exit code {self.process.exitcode}"


def main():
    root = pathlib.Path(sys.argv[1])
    lines, runner = [], Worker()
    for line in (root / "cases.txt").read_text().splitlines():
        kind, name, rtol, atol = line.split(" ")[:4]
        outcome = runner.run((root / kind / name, float(rtol), float(atol)))
        if outcome != "pass":
            lines.append(f"{kind}/{name}  onnxruntime  {outcome}\n")
        if outcome.startswith("crash"):
            runner.process.kill()
            runner = Worker()
    import onnxruntime
    header = f"# What of ONNX's cases ONNX Runtime {onnxruntime.__version__} does not pass (tests/conformance/run_onnxruntime.py)\n"
    (HERE / "onnxruntime.txt").write_text(header + "".join(lines))


if __name__ == "__main__":
    main()
