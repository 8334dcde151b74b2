#!/usr/bin/env python3
"""Times Lapis, ONNX Runtime and OpenVINO in turn, pinned to one core, on every model that is at hand.

    ./dev bench [--models resnet50,efficientnet-lite0] [--rounds 15] [--threads 1] [--out build/bench]

For each model: float32 (the same file for all) and int8 (each runtime on the static int8 it makes of the model itself;
OpenVINO on ONNX Runtime's QDQ file). Prints the ratio of medians, round by round, and the fraction of the measured peak;
writes results.json and results.md. Models: EfficientNet-Lite0 and ResNet-20 from ../shared/zoo, resnet50 and mobilenet_v2
with random weights from benchmarks/export/networks.py (kept in OUT/models).
"""
import argparse
import json
import os
import pathlib
import platform
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
ZOO = ROOT.parent / "shared" / "zoo"
RANDOM_WEIGHTS = ("resnet50", "mobilenet_v2")
FLOORS = json.loads((ROOT / "benchmarks" / "targets.json").read_text(encoding="utf-8"))


def run(*command, **options):
    return subprocess.run([str(c) for c in command], check=True, text=True, **options)


def random_network(name, models):
    file = models / f"{name}.onnx"
    if not file.exists():
        run(sys.executable, ROOT / "benchmarks/export/networks.py", models, name)
    return file


def random_samples(file):
    import numpy as np
    if not file.exists():
        np.save(file, np.random.default_rng(0).standard_normal((8, 3, 224, 224)).astype("float32"))
    return file


def model_files(name, work):
    """(model, calibration for lapis, calibration .npy for peers) or the reason why there is none."""
    if name in RANDOM_WEIGHTS:
        samples = random_samples(work / "random_samples.npy")
        return (random_network(name, work / "models"), samples, samples), None
    model = next(iter(sorted((ZOO / name).glob("*.onnx"))), None)
    if not model:
        return None, f"{ZOO / name} holds no model"
    samples = work / f"{name}_samples.npy"
    if not samples.exists():
        samples_for(name, samples)
    return (model, ROOT / "benchmarks/zoo" / f"{name}.yaml", samples), None


def samples_for(name, file):
    """Preprocessed calibration samples for the peers, as the dataset file describes them."""
    import numpy as np
    if name == "efficientnet-lite0":
        run(sys.executable, ROOT / "benchmarks/export/image_samples.py", ZOO / "data-imagenet500/images", file)
        return
    images = np.load(ZOO / "data-cifar10/images_u8.npy")[::20].astype("float32") / 255
    mean, std = np.array([.485, .456, .406], "float32"), np.array([.229, .224, .225], "float32")
    np.save(file, ((images - mean) / std).transpose(0, 3, 1, 2).copy())


def int8_files(lapis, name, model, calibration, samples, work):
    own, peer = work / f"{name}_lapis_int8.onnx", work / f"{name}_ort_int8.onnx"
    if not own.exists():
        run(lapis, "quantize", model, "--calibration", calibration, "-o", own, stdout=subprocess.DEVNULL)
    if not peer.exists():
        run(sys.executable, ROOT / "benchmarks/peers.py", "quantize-static", model, peer, "--input-npy", f"input={samples}", stdout=subprocess.DEVNULL)
    return own, peer


def measure(lapis, model, peer, args):
    environment = {**os.environ, "LAPIS_PYTHON": sys.executable, "LAPIS_PEERS": str(ROOT / "benchmarks/peers.py")}
    output = run(lapis, "bench", model, "--against", "onnxruntime,openvino", "--peer-model", f"{peer},{peer}", "--rounds", args.rounds,
                 "--threads", args.threads, *(["--cpu", args.cpu] if args.cpu is not None else []), "--json", stdout=subprocess.PIPE, env=environment)
    return json.loads(output.stdout)


def measured(name, precision, args):
    """(report of lapis bench, None), or (None, why there is none). What failed has said more on stderr."""
    try:
        files, reason = model_files(name, args.out)
        if reason:
            return None, reason
        model, calibration, samples = files
        own, peer = (model, model) if precision == "fp32" else int8_files(args.lapis, name, model, calibration, samples, args.out)
        return measure(args.lapis, own, peer, args), None
    except ImportError as missing:
        return None, f"{missing}; `./dev setup bench` installs what this needs"
    except OSError as failed:
        return None, str(failed)
    except subprocess.CalledProcessError as failed:
        command = pathlib.Path(failed.cmd[1 if failed.cmd[0] == sys.executable else 0]).name
        return None, f"{command} failed ({failed.returncode})"


def row(name, precision, report):
    own, ort, openvino = report["runtimes"]
    floor = FLOORS.get(f"{name} {precision}", {}).get("onnxruntime")
    verdict = "" if floor is None else f"floor {floor}: " + ("met" if ort["ratio"] >= floor else "MISSED")
    return (f"| {name} {precision} | {own['p50_ms']:.2f} | {ort['p50_ms']:.2f} | {openvino['p50_ms']:.2f} | {ort['ratio']:.2f} | {openvino['ratio']:.2f} "
            f"| {100 * report['fraction_of_peak']:.0f} % | {verdict} |")


def cpu_name():
    lines = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="resnet50,mobilenet_v2,efficientnet-lite0,resnet20-cifar10")
    parser.add_argument("--precisions", default="fp32,int8")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cpu", type=int)
    parser.add_argument("--lapis", type=pathlib.Path, default=ROOT / "build/bin/lapis")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "build/bench")
    args = parser.parse_args()
    (args.out / "models").mkdir(parents=True, exist_ok=True)
    results, rows = {}, []
    for name in args.models.split(","):
        for precision in args.precisions.split(","):
            report, reason = measured(name, precision, args)
            if reason:
                print(f"skipped {name} {precision}: {reason}", file=sys.stderr)
                continue
            results[f"{name} {precision}"] = report
            rows.append(row(name, precision, report))
            print(rows[-1], file=sys.stderr, flush=True)
    table = "\n".join([f"{cpu_name()}, {args.threads} thread, batch 1; ratio = time of the peer / time of Lapis, median over rounds", "",
                       "| model | Lapis ms | ONNX Runtime ms | OpenVINO ms | ratio ORT | ratio OpenVINO | of peak | |", "|---|---|---|---|---|---|---|---|", *rows, ""])
    (args.out / "results.json").write_text(json.dumps(results, indent=2), encoding="utf-8")
    (args.out / "results.md").write_text(table, encoding="utf-8")
    print(table)
    if not results:
        sys.exit("nothing was measured; the lines above say why")


if __name__ == "__main__":
    main()
