#!/usr/bin/env python3
"""Writes the test cases of the pinned onnx package where tests/conformance reads them: generate.py FOLDER.

FOLDER/cases.txt lists them, one a line: `kind name rtol atol`. FOLDER/<kind>/<name> holds model.onnx and for each data set
set<k>/input_<i>.pb and set<k>/output_<i>.pb (TensorProto, SequenceProto or OptionalProto, as the model says). The nine
light real nets come with the onnx package too; only their input is made here, as onnx.backend.test.runner makes it.
What is there already is kept as long as this script and the package are the same.
"""
import hashlib
import pathlib
import shutil
import sys
import warnings

try:
    import ml_dtypes
    import numpy as np
    import onnx
    from onnx import numpy_helper
    from onnx.backend.test import loader
except ImportError as missing:
    sys.exit(f"ONNX's test cases cannot be made: {missing}. Run `./dev setup` (it makes build/venv from requirements.txt), "
             "or install requirements.txt into the python3 that cmake found (LAPIS_PYTHON).")

KINDS = ["node", "simple", "pytorch-converted", "pytorch-operator", "real"]
HERE = pathlib.Path(__file__).resolve().parent


def pinned_version():
    pins = (HERE.parents[1] / "requirements.txt").read_text().split()
    return next(pin.removeprefix("onnx==") for pin in pins if pin.startswith("onnx=="))


def as_proto(value, info):
    """The value as the message that the type of the model's input or output asks for."""
    if isinstance(value, (onnx.TensorProto, onnx.SequenceProto, onnx.OptionalProto)):
        return value
    kind = info.type.WhichOneof("value")
    if kind == "optional_type":
        return numpy_helper.from_optional(value)
    if kind == "sequence_type":
        return numpy_helper.from_list([np.asarray(v) for v in value])
    return numpy_helper.from_array(np.asarray(value))


def write_set(folder, model, inputs, outputs):
    folder.mkdir(parents=True)
    initialized = {i.name for i in model.graph.initializer}
    fed = [i for i in model.graph.input if i.name not in initialized]
    for kind, values, infos in (("input", inputs, fed), ("output", outputs, model.graph.output)):
        for i, value in enumerate(values):
            (folder / f"{kind}_{i}.pb").write_bytes(as_proto(value, infos[i]).SerializeToString())


def ramp(value_info):
    """The input that the expected outputs of the light nets belong to."""
    dims = value_info.type.tensor_type.shape.dim
    shape = tuple(d.dim_value if d.HasField("dim_value") else 1 for d in dims)
    count = int(np.prod(shape))
    return (np.arange(count).reshape(shape) / count).astype(np.float32)


def write_light(case, folder):
    source = pathlib.Path(onnx.__file__).parent.parent / case.url
    model = onnx.load(source)
    initialized = {i.name for i in model.graph.initializer}
    outputs = []
    for i in range(len(model.graph.output)):
        outputs.append(onnx.TensorProto.FromString(source.with_name(f"{source.stem}_output_{i}.pb").read_bytes()))
    write_set(folder / "set0", model, [ramp(x) for x in model.graph.input if x.name not in initialized], outputs)
    shutil.copy(source, folder / "model.onnx")


def write_stored(case, folder):
    source = pathlib.Path(case.model_dir)
    folder.mkdir(parents=True)
    shutil.copy(source / "model.onnx", folder)
    for k, data in enumerate(sorted(source.glob("test_data_set_*"))):
        shutil.copytree(data, folder / f"set{k}")


def write_case(case, folder):
    if case.data_sets is not None:
        for k, (inputs, outputs) in enumerate(case.data_sets):
            write_set(folder / f"set{k}", case.model, inputs, outputs)
        (folder / "model.onnx").write_bytes(case.model.SerializeToString())
    elif case.model_dir is not None:
        write_stored(case, folder)
    else:
        write_light(case, folder)


def write_all(target):
    warnings.simplefilter("ignore")  # the cases overflow and divide by zero on purpose
    lines = []
    for kind in KINDS:
        for case in sorted(loader.load_model_tests(kind=kind), key=lambda c: c.name):
            folder = target / kind / case.name
            write_case(case, folder)
            lines.append(f"{kind} {case.name} {case.rtol} {case.atol}\n")
    (target / "cases.txt").write_text("".join(lines))
    return len(lines)


def main():
    target = pathlib.Path(sys.argv[1])
    if onnx.__version__ != pinned_version():
        sys.exit(f"onnx {onnx.__version__} is installed, requirements.txt says {pinned_version()}: run `./dev setup`")
    made_by = f"{hashlib.sha256(pathlib.Path(__file__).read_bytes()).hexdigest()} onnx {onnx.__version__} " \
              f"numpy {np.__version__} ml_dtypes {ml_dtypes.__version__}\n"
    stamp = target / "made_by.txt"
    if stamp.exists() and stamp.read_text() == made_by:
        return print(f"the cases in {target} are up to date")
    shutil.rmtree(target, ignore_errors=True)
    count = write_all(target)
    stamp.write_text(made_by)
    print(f"{count} cases written to {target}")


if __name__ == "__main__":
    main()
