#!/usr/bin/env python3
"""Measures every model of ../shared/zoo that has labels with `lapis eval`, and prints what was recorded beside it.

    ./dev accuracy [--models silero-vad,magika] [--backend reference] [--threads 2] [--samples N] [--int8]
    ./dev accuracy --peers [--models resnet20-cifar10] [--nncf-python VENV/bin/python] [--fresh]

--peers prints another table and writes docs/accuracy.md: int8 by `lapis quantize` and `lapis tune`, by ONNX Runtime and by NNCF (accuracy_table.py). What is measured is kept in
build/accuracy.json after every cell, so that the command goes on where it was stopped, model by model; --fresh measures again. NNCF wants a Python of its own
(pip install nncf onnx onnxruntime pyyaml pillow), which then runs ONNX Runtime's tools too.

Nothing here computes a metric: benchmarks/zoo/NAME.yaml describes data and metric, `lapis eval` measures, and the zoo's own zoo.yaml
has the numbers of its reference runtime. --int8 also measures what `lapis quantize` makes with its default options of the first --calibration samples.
Models that zoo/get.sh fetches are looked for in the folder LAPIS_ZOO_EXTRA. Ends with 1 if a metric of a float model is not the recorded one.
"""
import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import yaml

import accuracy_table

ROOT = pathlib.Path(__file__).resolve().parent.parent
ZOO = ROOT.parent / "shared" / "zoo"
HALF_A_DIGIT = 0.5001e-4  # four digits are recorded

# Dataset file -> model file, and the key of the zoo's record for each of its metrics; None: it has no record.
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
    "ncf-gmf": ("ncf-movielens/gmf.onnx", [None, "GMF_HR10", "GMF_NDCG10"]),
    "ncf-mlp": ("ncf-movielens/mlp.onnx", [None, "MLP_HR10", "MLP_NDCG10"]),
    "basic-pitch-onnx": ("basic-pitch/nmp.onnx", ["note_frame_F1_at_0.3"]),
    "basic-pitch-tflite": ("basic-pitch/nmp.tflite", ["note_frame_F1_at_0.3"]),
    "magika": ("magika/model.onnx", ["accuracy"]),
}
NOT_FLOAT = {"resnet8-int8"}  # nothing is left to quantize


def model_file(path):
    """Where the model is, or None."""
    folders = [ZOO, *([pathlib.Path(os.environ["LAPIS_ZOO_EXTRA"])] if "LAPIS_ZOO_EXTRA" in os.environ else [])]
    return next((f / path for f in folders if (f / path).exists()), None)


def evaluated(args, model, name):
    flags = ["--backend", args.backend, "--threads", args.threads, *(["--samples", args.samples] if args.samples else [])]
    report, problem = accuracy_table.lapis(args.lapis, "eval", model, "--data", ROOT / "benchmarks/zoo" / f"{name}.yaml", *flags)
    return (report["metrics"] if report else None), problem


def int8_metrics(args, model, name, folder):
    quantized = folder / f"{name}.onnx"
    _, problem = accuracy_table.lapis(args.lapis, "quantize", model, "--calibration", ROOT / "benchmarks/zoo" / f"{name}.yaml",
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
        equal = args.samples or key is None or abs(metric["value"] - recorded[key]) <= HALF_A_DIGIT
        good &= bool(equal)
        int8 = f"{quantized[i]['value']:.4f}" if quantized else problem or ""
        cells.append([name, metric["metric"], f"{metric['value']:.4f}", f"{recorded[key]:.4f}" if key else "", int8, seconds if equal else "DIFFERS"])
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
    parser.add_argument("--columns", nargs="+", choices=accuracy_table.COLUMNS, default=accuracy_table.COLUMNS, help="of that table, to measure now")
    parser.add_argument("--nncf-python", help="a Python that has nncf, onnx, onnxruntime, pyyaml and pillow")
    parser.add_argument("--timeout", type=int, default=1200, help="seconds that another tool may take for a model")
    parser.add_argument("--trials", type=int, default=40, help="of `lapis tune`")
    parser.add_argument("--fresh", action="store_true", help="measure again what is measured already")
    parser.add_argument("--state", type=pathlib.Path, default=ROOT / "build/accuracy.json", help="where cells of the table are kept")
    parser.add_argument("--page", type=pathlib.Path, default=ROOT / "docs/accuracy.md", help="where the table goes")
    parser.add_argument("--lapis", type=pathlib.Path, default=ROOT / "build/bin/lapis")
    args = parser.parse_args()
    unknown = set(args.models.split(",")) - set(ENTRIES)
    if unknown:
        parser.error(f"unknown models: {', '.join(sorted(unknown))}; known are {', '.join(ENTRIES)}")
    if args.peers:
        models = {n: model_file(path) for n, (path, _) in ENTRIES.items() if n not in NOT_FLOAT}
        return accuracy_table.Table(args, models).run(args.models.split(","))
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
