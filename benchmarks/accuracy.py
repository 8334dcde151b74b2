#!/usr/bin/env python3
"""Measures every model of ../shared/zoo that has labels with `lapis eval`, and prints what was recorded beside it.

    ./dev accuracy [--models silero-vad,magika] [--backend reference] [--threads 2] [--samples N] [--int8]
    ./dev accuracy --peers [--nncf-python VENV/bin/python] [--write docs/accuracy.md]

--peers prints another table: int8 by Lapis with default options, by ONNX Runtime (static, dynamic) and by NNCF, each calibrated on the same samples, with
the metric and the signal to quantization noise against the float model (the least of the outputs). All are measured by `lapis eval`, which gives QDQ its exact meaning, or where it cannot,
say so. NNCF wants a Python of its own (pip install nncf onnx onnxruntime pyyaml pillow). --write puts the table into a page.

Nothing here computes a metric: benchmarks/zoo/NAME.yaml describes data and metric, `lapis eval` measures, and the zoo's own zoo.yaml
has the numbers of its reference runtime. --int8 also measures what `lapis quantize` makes with its default options of the first --calibration samples.
Models that zoo/get.sh fetches are looked for in the folder LAPIS_ZOO_EXTRA. Ends with 1 if a metric of a float model is not the recorded one.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent
ZOO = ROOT.parent / "shared" / "zoo"
HALF_A_DIGIT = 0.5001e-4  # four digits are recorded

# Dataset file -> model file, and the key of the zoo's record for each of its metrics.
ENTRIES = {
    "efficientnet-lite0": ("efficientnet-lite0/efficientnet-lite0.onnx", ["top1", "top5"]),
    "resnet8-fp32": ("resnet8-mlperf-tiny/resnet8_fp32.tflite", ["top1_fp32_tflite"]),
    "resnet8-int8": ("resnet8-mlperf-tiny/resnet8_int8.tflite", ["top1_int8_tflite"]),
    "resnet20-cifar10": ("resnet20-cifar10/resnet20.onnx", ["top1"]),
    "ppocr-v4-det": ("ppocr-v4-det/det.onnx", ["box_F1_at_IoU_0.5"]),
    "ppocr-v4-rec": ("ppocr-v4-rec/rec.onnx", ["exact_lines", "CER_without_spaces"]),
    "silero-vad": ("silero-vad/silero_vad.onnx", ["AUC", "F1_at_0.5"]),
    "minilm-l3": ("minilm-l3/paraphrase-MiniLM-L3-v2.onnx", ["STS16_pearson", "STS16_spearman"]),
    "minilm-l3-sst2": ("minilm-l3/paraphrase-MiniLM-L3-v2.onnx", ["SST2_probe_accuracy"]),
    "bge-small": ("bge-small/bge-small-en-v1.5.onnx", ["STS16_pearson", "STS16_spearman"]),
    "ncf-gmf": ("ncf-movielens/gmf.onnx", ["GMF_HR10", "GMF_NDCG10"]),
    "ncf-mlp": ("ncf-movielens/mlp.onnx", ["MLP_HR10", "MLP_NDCG10"]),
    "basic-pitch-onnx": ("basic-pitch/nmp.onnx", ["note_frame_F1_at_0.3"]),
    "basic-pitch-tflite": ("basic-pitch/nmp.tflite", ["note_frame_F1_at_0.3"]),
    "magika": ("magika/model.onnx", ["accuracy"]),
}


def model_file(path):
    """Where the model is, or None."""
    folders = [ZOO, *([pathlib.Path(os.environ["LAPIS_ZOO_EXTRA"])] if "LAPIS_ZOO_EXTRA" in os.environ else [])]
    return next((f / path for f in folders if (f / path).exists()), None)


def lapis(args, *command):
    """(report, None), or (None, what went wrong)."""
    done = subprocess.run([str(c) for c in (args.lapis, *command, "--json")], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return json.loads(done.stdout), None
    errors = [line for line in done.stderr.splitlines() if "error" in line]
    return None, (errors or done.stderr.splitlines() or [f"exit code {done.returncode}"])[0]


def evaluated(args, model, name):
    flags = ["--backend", args.backend, "--threads", args.threads, *(["--samples", args.samples] if args.samples else [])]
    report, problem = lapis(args, "eval", model, "--data", ROOT / "benchmarks/zoo" / f"{name}.yaml", *flags)
    return (report["metrics"] if report else None), problem


# ---- beside other tools -----------------------------------------------------------------------------------------------

PEERS = {"ORT static": ["onnxruntime-static"], "ORT static, products": ["onnxruntime-static", "--products-only"],
         "ORT dynamic": ["onnxruntime-dynamic"], "NNCF": ["nncf"]}


def with_sqnr(name, folder, reference):
    """The dataset file of a model, absolute, with the distance to the float model as one more metric for each."""
    source = ROOT / "benchmarks/zoo" / f"{name}.yaml"
    data = yaml.safe_load(source.read_text(encoding="utf-8"))
    absolute = lambda v: ([absolute(x) for x in v] if isinstance(v, list) else {k: absolute(x) for k, x in v.items()} if isinstance(v, dict)
                          else str((source.parent / v).resolve()) if isinstance(v, str) and v.startswith("../") else v)
    data = absolute(data)
    metrics = data["metric"] if isinstance(data["metric"], list) else [data["metric"]]
    output = {"output": metrics[0]["output"]} if "output" in metrics[0] else {}
    data["metric"] = [*metrics, {"name": "sqnr", **output}]
    data["reference"] = str(reference)
    to = folder / f"{name}.yaml"
    to.write_text(yaml.safe_dump(data), encoding="utf-8")
    return to


def measured(args, model, data):
    """(metric, SQNR) as text, and the numbers; or the reason why not."""
    flags = ["--threads", args.threads, *(["--samples", args.samples] if args.samples else [])]
    report, problem = lapis(args, "eval", model, "--data", data, *flags)
    if problem:
        return problem.split(": ")[-1][:60], None
    value, sqnr = report["metrics"][0]["value"], report["metrics"][-1]["value"]
    return f"{value:.4f}, {sqnr:.1f} dB", (value, sqnr)


def made_by(args, peer, model, data, output):
    """None, or why the other tool made no model."""
    python = args.nncf_python if peer == "NNCF" else sys.executable
    if not python:
        return "no --nncf-python"
    command = [python, ROOT / "benchmarks/accuracy_peers.py", PEERS[peer][0], model, data, output, "--samples", args.calibration, *PEERS[peer][1:]]
    try:
        done = subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False, timeout=args.timeout)
    except subprocess.TimeoutExpired:
        return f"more than {args.timeout} s"
    return None if done.returncode == 0 else (done.stderr.splitlines() or ["failed"])[-1][:60]


def peer_row(args, name, folder):
    path, _ = ENTRIES[name]
    model = model_file(path)
    if not model or model.suffix != ".onnx":
        return None
    data = with_sqnr(name, folder, model)
    start = time.monotonic()
    fp32, numbers = measured(args, model, data)
    cells = [name, fp32.split(",")[0]]
    quantized = folder / "lapis.onnx"
    _, problem = lapis(args, "quantize", model, "--calibration", data, "--samples", args.calibration, "-o", quantized)
    cells.append((problem or "")[:60] if problem else measured(args, quantized, data)[0])
    for peer in PEERS:
        output = folder / "peer.onnx"
        cells.append(made_by(args, peer, model, data, output) or measured(args, output, data)[0])
    print(f"{name}: {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
    return cells


PAGE = """# Accuracy beside other tools

Metric, and signal to quantization noise against the float model, of int8 models of the zoo: by `lapis quantize` with its default options, by ONNX Runtime {ort} (static: QDQ, u8 data, s8 weights a channel, MinMax,
of all operators and of Conv, Gemm and MatMul alone; dynamic) and by NNCF with its default preset; each calibrated on the same {calibration} samples, and measured by `lapis eval` on all that have labels.
A cell without numbers has the reason. Made by

    ./dev accuracy --peers --nncf-python VENV/bin/python --write docs/accuracy.md

{table}
"""


def beside_peers(args):
    import onnxruntime
    rows = ["| data | fp32 | Lapis | " + " | ".join(PEERS) + " |", "|" + "---|" * (len(PEERS) + 3)]
    print("\n".join(rows), flush=True)
    for name in args.models.split(","):
        with tempfile.TemporaryDirectory(prefix="lapis_accuracy_") as folder:
            cells = peer_row(args, name, pathlib.Path(folder))
        if cells:
            rows.append("| " + " | ".join(c.replace("|", "/") for c in cells) + " |")
            print(rows[-1], flush=True)
    if args.write:
        text = PAGE.format(ort=onnxruntime.__version__, calibration=args.calibration, table="\n".join(rows))
        args.write.write_text(text, encoding="utf-8")
    return 0


def int8_metrics(args, model, name, folder):
    quantized = folder / f"{name}.onnx"
    _, problem = lapis(args, "quantize", model, "--calibration", ROOT / "benchmarks/zoo" / f"{name}.yaml",
                       "--samples", args.calibration, "-o", quantized)
    return (None, problem) if problem else evaluated(args, quantized, name)


def rows(args, name, folder):
    """(cells of each metric, whether all are as recorded)"""
    path, keys = ENTRIES[name]
    model = model_file(path)
    if not model:
        return [[name, "", "", "", "", "not here"]], True
    recorded = yaml.safe_load((ZOO / path.split("/")[0] / "zoo.yaml").read_text(encoding="utf-8"))["metric"]
    start = time.monotonic()
    metrics, problem = evaluated(args, model, name)
    if problem:
        return [[name, "", "", "", "", problem]], False
    seconds = f"{time.monotonic() - start:.0f} s"
    quantized, problem = int8_metrics(args, model, name, folder) if args.int8 and model.suffix == ".onnx" else (None, None)
    cells, good = [], True
    for i, (metric, key) in enumerate(zip(metrics, keys)):
        equal = args.samples or abs(metric["value"] - recorded[key]) <= HALF_A_DIGIT
        good &= bool(equal)
        int8 = f"{quantized[i]['value']:.4f}" if quantized else problem or ""
        cells.append([name, metric["metric"], f"{metric['value']:.4f}", f"{recorded[key]:.4f}", int8, seconds if equal else "DIFFERS"])
    return cells, good


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default=",".join(ENTRIES))
    parser.add_argument("--backend", default="jit")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--samples", type=int)
    parser.add_argument("--int8", action="store_true")
    parser.add_argument("--calibration", type=int, default=128)
    parser.add_argument("--peers", action="store_true", help="the table of int8 models beside those of other tools")
    parser.add_argument("--nncf-python", help="a Python that has nncf")
    parser.add_argument("--timeout", type=int, default=1200, help="seconds that another tool may take for a model")
    parser.add_argument("--write", type=pathlib.Path, help="the page to write, with --peers")
    parser.add_argument("--lapis", type=pathlib.Path, default=ROOT / "build/bin/lapis")
    args = parser.parse_args()
    unknown = set(args.models.split(",")) - set(ENTRIES)
    if unknown:
        parser.error(f"unknown models: {', '.join(sorted(unknown))}; known are {', '.join(ENTRIES)}")
    if args.peers:
        return beside_peers(args)
    print("| data | metric | fp32 | recorded | int8 | |\n|---|---|---|---|---|---|", flush=True)
    all_good = True
    with tempfile.TemporaryDirectory(prefix="lapis_accuracy_") as folder:
        for name in args.models.split(","):
            cells, good = rows(args, name, pathlib.Path(folder))
            all_good &= good
            for row in cells:
                print("| " + " | ".join(row) + " |", flush=True)
    return 0 if all_good else 1


if __name__ == "__main__":
    sys.exit(main())
