"""A TFLite model as TFLite's own schema writes it, and what TFLite computes from it: what families.py makes its cases with."""
import pathlib

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as S
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from flatbuffers import flexbuffers

HERE = pathlib.Path(__file__).parent / "families"
f32, i32, i64 = np.float32, np.int32, np.int64
TYPES = {"float32": S.TensorType.FLOAT32, "float16": S.TensorType.FLOAT16, "int32": S.TensorType.INT32, "uint8": S.TensorType.UINT8, "uint32": S.TensorType.UINT32,
         "int64": S.TensorType.INT64, "bool": S.TensorType.BOOL, "int16": S.TensorType.INT16, "int8": S.TensorType.INT8, "int4": S.TensorType.INT4,
         "resource": S.TensorType.RESOURCE}
SAME, VALID = 0, 1
NONE, RELU, RELU_N1_TO_1, RELU6 = range(4)


class Graph:
    """A subgraph: tensors are numbers."""

    def __init__(self, model, name):
        self.model, self.t = model, S.SubGraphT()
        self.t.name, self.t.tensors, self.t.operators, self.t.inputs, self.t.outputs = name, [], [], [], []

    def tensor(self, name, shape, dtype, data=None, q=None, variable=False, sparsity=None, signature=None):
        t = S.TensorT()
        t.name, t.shape, t.type, t.buffer, t.isVariable, t.hasRank = name, list(shape), TYPES[dtype], 0, variable, False
        t.sparsity, t.shapeSignature = sparsity, signature
        if data is not None:
            b = S.BufferT()
            b.data = np.frombuffer(data if isinstance(data, bytes) else np.ascontiguousarray(data).tobytes(), np.uint8)
            t.buffer = len(self.model.buffers)
            self.model.buffers.append(b)
        if q is not None:
            t.quantization = S.QuantizationParametersT()
            t.quantization.scale = list(np.atleast_1d(f32(q[0])))
            t.quantization.zeroPoint = list(np.broadcast_to(i64(q[1]), len(t.quantization.scale)))
            t.quantization.quantizedDimension = q[2] if len(q) > 2 else 0
        self.t.tensors.append(t)
        return len(self.t.tensors) - 1

    def input(self, shape, dtype="float32", name=None, q=None):
        i = self.tensor(name or f"x{len(self.t.inputs)}", shape, dtype, q=q)
        self.t.inputs.append(i)
        return i

    def const(self, array, dtype=None, q=None, **more):
        array = np.asarray(array)
        return self.tensor(f"c{len(self.t.tensors)}", more.pop("shape", array.shape), dtype or array.dtype.name, more.pop("data", array), q, **more)

    def custom(self, name, inputs, options, results):
        """An operator of its own name, with options in a FlexBuffer."""
        code = S.OperatorCodeT()
        code.builtinCode, code.deprecatedBuiltinCode, code.version, code.customCode = S.BuiltinOperator.CUSTOM, S.BuiltinOperator.CUSTOM, 1, name
        self.model.codes.append(code)
        o = S.OperatorT()
        o.opcodeIndex, o.inputs, o.customOptions = len(self.model.codes) - 1, list(inputs), np.frombuffer(bytes(flexbuffers.Dumps(options)), np.uint8)
        o.outputs = [self.tensor(f"{name}_{len(self.t.operators)}_{i}", [], "float32") for i in range(results)]
        self.t.operators.append(o)
        return o.outputs

    def state(self, array, q=None):
        """A variable that lives from one run to the next: what it holds before the recorded run, and behind it as an output that the file does not have."""
        i = self.tensor(f"state{len(self.t.tensors)}", array.shape, array.dtype.name, q=q, variable=True)
        self.model.states[i] = array
        return i

    def op(self, op, inputs, options=None, dtype=None, q=None, results=1, name=None, output=True, version=1, **fields):
        """Outputs have the type and scale of operand 0 unless said; they are outputs of the graph unless not."""
        code = S.OperatorCodeT()
        code.builtinCode = getattr(S.BuiltinOperator, op)
        code.deprecatedBuiltinCode, code.version = min(code.builtinCode, 127), version
        self.model.codes.append(code)
        o = S.OperatorT()
        o.opcodeIndex, o.inputs = len(self.model.codes) - 1, list(inputs)
        if options:
            o.builtinOptionsType, o.builtinOptions = getattr(S.BuiltinOptions, options), getattr(S, options + "T")()
            for key, value in fields.items():
                assert hasattr(o.builtinOptions, key), key
                setattr(o.builtinOptions, key, value)
        first = self.t.tensors[inputs[0]] if inputs else None
        dtypes = dtype if isinstance(dtype, list) else [dtype or next(k for k, v in TYPES.items() if v == first.type)] * results
        label = name or f"{op.lower()}_{len(self.t.operators)}"
        if q is None and first is not None and dtype is None and first.quantization is not None:
            q = (first.quantization.scale[0], first.quantization.zeroPoint[0])
        o.outputs = [self.tensor(label + (f"_{i}" if i else ""), [], d, q=q if d not in ("int32", "int64", "bool") else None) for i, d in enumerate(dtypes)]
        self.t.operators.append(o)
        if output:
            self.t.outputs += o.outputs
        return o.outputs if len(o.outputs) != 1 else o.outputs[0]


class Model:
    def __init__(self):
        self.buffers, self.codes, self.graphs, self.signatures = [S.BufferT()], [], [], []
        self.main = self.graph("main")
        self.feeds, self.states = {}, {}

    def graph(self, name):
        self.graphs.append(Graph(self, name))
        return self.graphs[-1]

    def feed(self, array, name=None, q=None):
        array = np.asarray(array)
        i = self.main.input(array.shape, array.dtype.name, name, q)
        self.feeds[self.main.t.tensors[i].name] = array
        return i

    def bytes(self):
        m = S.ModelT()
        m.version, m.operatorCodes, m.buffers, m.subgraphs = 3, self.codes, self.buffers, [g.t for g in self.graphs]
        m.signatureDefs, m.description = self.signatures, "Lapis"
        builder = flatbuffers.Builder(1024)
        builder.Finish(m.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    def interpreter(self, kernels):
        it = Interpreter(model_content=self.bytes(), num_threads=1, experimental_op_resolver_type=kernels,
                         experimental_preserve_all_tensors=True)
        it.allocate_tensors()
        for d in it.get_input_details():
            it.set_tensor(d["index"], self.feeds[d["name"]])
        for i, array in self.states.items():
            it.set_tensor(i, array)
        it.invoke()
        return it

    def shaped(self):
        """The shapes that TFLite finds become those that the file declares."""
        it = self.interpreter(OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
        inner = {i for o in self.main.t.operators for i in (o.intermediates if o.intermediates is not None else [])}
        for i, t in enumerate(self.main.t.tensors):
            if i not in inner and i not in self.main.t.inputs and t.buffer == 0 and t.type != S.TensorType.RESOURCE:
                t.shape, t.hasRank = [int(s) for s in it.get_tensor(i).shape], True

    def record(self, name):
        self.shaped()
        try:
            it = self.interpreter(OpResolverType.AUTO)
        except RuntimeError:  # XNNPACK takes some models for its own and then fails
            it = self.interpreter(OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
        self.write(name, [it.get_tensor(i) for i in self.main.t.outputs + list(self.states)])

    def write(self, name, outputs):
        (HERE / f"{name}.tflite").write_bytes(self.bytes())
        states = {self.main.t.tensors[i].name: array for i, array in self.states.items()}
        np.savez_compressed(HERE / f"{name}.npz", **{f"in_{k}": v for k, v in (self.feeds | states).items()}, **{f"out{i}": y for i, y in enumerate(outputs)})
        print(name, len(outputs), "outputs", (HERE / f"{name}.tflite").stat().st_size, "bytes")
