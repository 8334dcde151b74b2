#!/usr/bin/env python3
"""Times ONNX Runtime and OpenVINO on a model, one inference at a time, on demand; and quantizes with ONNX Runtime.

    peers.py MODEL.onnx --runtime onnxruntime|openvino [--dims N=1,S=64] [--threads 1] [--cpu 0] [--input name=file.npy]
             [--shape name=1x64] [--repeat R] [--json]

The session is built once, with every symbolic dimension bound. Then one line on stdin asks for one line on stdout, so
that a benchmark can alternate between this process and others on a machine whose speed drifts:

    run [K]    time K inferences (R without K)   {"latencies_ms": [K numbers]}
    info       what is being measured            {"runtime": "onnxruntime 1.32.0", "build_ms": 93.1, ...}
    save DIR   write every output as DIR/name.npy    {"outputs": {"name": "DIR/name.npy"}}
    quit       end (as does the end of stdin)

By hand: `echo run | peers.py MODEL.onnx --runtime onnxruntime --cpu 0 --repeat 30`. A latency is that of the runtime's
own call with inputs already in its tensors; the Python call itself costs a few microseconds. Both runtimes compute in
float32 where the model is float (OpenVINO would choose bfloat16 by itself). Errors go to stderr with exit code 1.

    peers.py quantize-static MODEL.onnx OUT.onnx [--input-npy name=file.npy] [--samples N] [--dims N=1]

writes ONNX Runtime's static int8 of the model as the baseline for ours: QDQ, u8 activations, s8 weights per channel,
MinMax. The .npy holds samples along its first axis, already preprocessed; each is run alone. An input without a file
gets random numbers: enough for a model with random weights.
"""
import argparse
import json
import os
import pathlib
import sys
import tempfile
import time

import numpy as np


class Failure(Exception):
    """An error caused by the input: shown without a traceback."""


# ---- the model's inputs ----

def parse_dims(text):
    """"N=1,S=64" -> {"N": 1, "S": 64}"""
    return {name: int(size) for name, size in (item.split("=") for item in text.split(",") if item)}


def parse_shapes(items):
    """["x=1x64"] -> {"x": [1, 64]}"""
    return {name: [int(size) for size in sizes.split("x")] for name, sizes in (item.split("=", 1) for item in items)}


def parse_files(items):
    """["name=file.npy"] -> {"name": "file.npy"}"""
    for item in items:
        if "=" not in item:
            raise Failure(f"'{item}' is not of the form name=file.npy")
    return dict(item.split("=", 1) for item in items)


def bind(dim, dims, name):
    if not dim.dim_param:
        return dim.dim_value
    if dim.dim_param not in dims:
        raise Failure(f"input '{name}' has the symbolic dimension '{dim.dim_param}': give its size with "
                      f"--dims {dim.dim_param}=1")
    return dims[dim.dim_param]


def dims_of_shapes(inputs, shapes):
    """What the shapes say of the symbolic dimensions, of other inputs too."""
    dims = {}
    for value in inputs:
        given, axes = shapes.get(value.name), value.type.tensor_type.shape.dim
        if given is not None and len(given) != len(axes):
            raise Failure(f"input '{value.name}' has {len(axes)} axes, not {len(given)}")
        dims.update({axis.dim_param: size for axis, size in zip(axes, given or []) if axis.dim_param})
    return dims


def input_specs(path, dims, shapes={}):
    """{name: (shape, numpy dtype)} of the inputs that are not initializers. `dims` gets what the shapes say."""
    import onnx
    graph = onnx.load(path, load_external_data=False).graph
    constants = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in constants]
    dims.update(dims_of_shapes(inputs, shapes))
    specs = {}
    for value in inputs:
        tensor = value.type.tensor_type
        shape = shapes.get(value.name) or [bind(dim, dims, value.name) for dim in tensor.shape.dim]
        specs[value.name] = (shape, np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)))
    return specs


def random_input(shape, dtype, seed):
    """The same on every run. Integers are 0 or 1: valid as token ids, as indices and as masks."""
    generator = np.random.default_rng(seed)
    if dtype.kind in "iub":
        return generator.integers(0, 2, shape).astype(dtype)
    return generator.standard_normal(shape, np.float32).astype(dtype)


def reject_unknown(files, specs):
    unknown = sorted(set(files) - set(specs))
    if unknown:
        raise Failure(f"the model has no input {', '.join(unknown)}; its inputs are {', '.join(specs)}")


def make_inputs(specs, files):
    reject_unknown(files, specs)
    inputs = {}
    for seed, (name, (shape, dtype)) in enumerate(specs.items()):
        value = np.load(files[name]) if name in files else random_input(shape, dtype, seed)
        if list(value.shape) != shape or value.dtype != dtype:
            raise Failure(f"input '{name}' must be {dtype}{shape}, "
                          f"but {files[name]} is {value.dtype}{list(value.shape)}")
        inputs[name] = np.ascontiguousarray(value)
    return inputs


# ---- the runtimes: each has run(), which is timed, and outputs() of the last run ----

class OnnxRuntime:
    def __init__(self, path, inputs, dims, threads):
        import onnxruntime
        self.version = f"onnxruntime {onnxruntime.__version__}"
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        for name, size in dims.items():
            options.add_free_dimension_override_by_name(name, size)
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.binding = self.session.io_binding()
        for name, value in inputs.items():
            self.binding.bind_cpu_input(name, value)
        for output in self.session.get_outputs():
            self.binding.bind_output(output.name, "cpu")

    def run(self):
        self.session.run_with_iobinding(self.binding)

    def outputs(self):
        names = [output.name for output in self.session.get_outputs()]
        return dict(zip(names, self.binding.copy_outputs_to_cpu()))


class OpenVino:
    def __init__(self, path, inputs, dims, threads):
        import openvino
        self.version = f"openvino {openvino.__version__.split('-')[0]}"
        core = openvino.Core()
        model = core.read_model(path)
        model.reshape({name: list(value.shape) for name, value in inputs.items()})
        self.compiled = core.compile_model(model, "CPU", {
            "PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": "1", "INFERENCE_NUM_THREADS": str(threads),
            "INFERENCE_PRECISION_HINT": "f32", "ENABLE_CPU_PINNING": "NO"})  # the affinity is set by us
        self.request = self.compiled.create_infer_request()
        for name, value in inputs.items():
            self.request.set_tensor(name, openvino.Tensor(value))

    def run(self):
        self.request.infer(share_outputs=True)

    def outputs(self):
        return {port.any_name: self.request.get_tensor(port).data.copy() for port in self.compiled.outputs}


RUNTIMES = {"onnxruntime": OnnxRuntime, "openvino": OpenVino}


# ---- timing on demand ----

def measure(peer, count):
    latencies = []
    for _ in range(count):
        start = time.perf_counter_ns()
        peer.run()
        latencies.append((time.perf_counter_ns() - start) / 1e6)
    return latencies


def save(peer, folder):
    os.makedirs(folder, exist_ok=True)
    peer.run()
    files = {}
    for name, value in peer.outputs().items():
        files[name] = os.path.join(folder, name.replace("/", "_").replace(":", "_") + ".npy")
        np.save(files[name], value)
    return files


def answer(line, peer, info, args):
    """The reply to one request, as a dictionary."""
    verb, _, rest = line.partition(" ")
    if verb == "run":
        return {"latencies_ms": measure(peer, int(rest or args.repeat))}
    if verb == "info":
        return info
    if verb == "save" and rest:
        return {"outputs": save(peer, rest)}
    raise Failure(f"unknown request '{line}': expected run [K], info, save DIR or quit")


def as_text(reply):
    if "latencies_ms" not in reply:
        return "\n".join(f"{key}: {value}" for key, value in reply.items())
    times = np.array(reply["latencies_ms"])
    p10, median, p90 = np.percentile(times, [10, 50, 90])
    return f"{len(times)} runs: median {median:.3f} ms, p10 {p10:.3f}, p90 {p90:.3f}, min {times.min():.3f}"


def serve(args):
    if args.cpu:
        os.sched_setaffinity(0, {int(cpu) for cpu in args.cpu.split(",")})  # before any thread of the runtime starts
    dims = parse_dims(args.dims)
    inputs = make_inputs(input_specs(args.model, dims, parse_shapes(args.shape)), parse_files(args.input))
    start = time.perf_counter()
    peer = RUNTIMES[args.runtime](args.model, inputs, dims, args.threads)
    build_ms = (time.perf_counter() - start) * 1e3
    measure(peer, args.warmup)
    info = {"runtime": peer.version, "model": args.model, "threads": args.threads, "build_ms": build_ms,
            "cpus": sorted(os.sched_getaffinity(0)),
            "inputs": {name: f"{value.dtype}{list(value.shape)}" for name, value in inputs.items()}}
    for line in iter(sys.stdin.readline, ""):
        if line.strip() == "quit":
            break
        reply = answer(line.strip(), peer, info, args)
        print(json.dumps(reply) if args.json else as_text(reply), flush=True)


# ---- ONNX Runtime's static quantization ----

def calibration_samples(args):
    """Yields {input name: array} for every sample: rows of the files, random numbers for inputs without a file."""
    specs, files = input_specs(args.model, parse_dims(args.dims)), parse_files(args.input_npy)
    reject_unknown(files, specs)
    arrays = {name: np.load(file, mmap_mode="r") for name, file in files.items()}
    count = min([args.samples] + [len(array) for array in arrays.values()])
    for k in range(count):
        yield {name: np.ascontiguousarray(arrays[name][k:k + 1]) if name in arrays
               else random_input(shape, dtype, [seed, k]) for seed, (name, (shape, dtype)) in enumerate(specs.items())}


def reader_of(samples):
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):
        def get_next(self):
            return next(samples, None)

    return Reader()


def quantize_static(args):
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process
    reader = reader_of(calibration_samples(args))
    with tempfile.TemporaryDirectory() as folder:
        prepared, quantized = os.path.join(folder, "prepared.onnx"), os.path.join(folder, "quantized.onnx")
        quant_pre_process(args.model, prepared, skip_symbolic_shape=True)  # folds BatchNormalization, infers shapes
        quantization.quantize_static(
            prepared, quantized, reader, quant_format=quantization.QuantFormat.QDQ, per_channel=True,
            activation_type=quantization.QuantType.QUInt8, weight_type=quantization.QuantType.QInt8,
            calibrate_method=quantization.CalibrationMethod.MinMax)
        pathlib.Path(args.out).write_bytes(pathlib.Path(quantized).read_bytes())


# ---- command line ----

def serve_parser():
    parser = argparse.ArgumentParser(prog="peers.py", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--runtime", required=True, choices=list(RUNTIMES))
    parser.add_argument("--dims", default="N=1", help="sizes of the symbolic dimensions (default: N=1)")
    parser.add_argument("--shape", action="append", default=[], metavar="NAME=1x64", help="shape of an input")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cpu", default="", help="pin the process to these CPUs, as in 0 or 0,1 (default: do not pin)")
    parser.add_argument("--input", action="append", default=[], metavar="NAME=FILE", help="default: random numbers")
    parser.add_argument("--repeat", type=int, default=30, help="inferences of a 'run' without a number (default: 30)")
    parser.add_argument("--warmup", type=int, default=3, help="inferences before the first request (default: 3)")
    parser.add_argument("--json", action="store_true", help="replies as JSON, one line each")
    parser.set_defaults(function=serve)
    return parser


def quantize_parser():
    parser = argparse.ArgumentParser(prog="peers.py quantize-static", description="Quantize with ONNX Runtime.")
    parser.add_argument("model")
    parser.add_argument("out")
    parser.add_argument("--input-npy", action="append", default=[], metavar="NAME=FILE", help="default: random numbers")
    parser.add_argument("--samples", type=int, default=100, help="use at most so many samples (default: 100)")
    parser.add_argument("--dims", default="N=1", help="sizes of the symbolic dimensions (default: N=1)")
    parser.set_defaults(function=quantize_static)
    return parser


def main():
    words = sys.argv[1:]
    quantize = words[:1] == ["quantize-static"]
    args = quantize_parser().parse_args(words[1:]) if quantize else serve_parser().parse_args(words)
    try:
        args.function(args)
    except Exception as error:  # the runtimes have no common exception type
        sys.exit(f"peers.py: error: {'' if isinstance(error, Failure) else type(error).__name__ + ': '}{error}")


if __name__ == "__main__":
    main()
