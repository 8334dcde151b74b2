#!/usr/bin/env python3
"""Whole architectures with random weights, saved by their frameworks, read and compiled by Lapis, compared with what the framework computed.

    benchmarks/architectures.py --pytorch-python A/bin/python --tensorflow-python B/bin/python --mxnet-python C/bin/python [--only resnet50] [--fresh]

writes the table in docs/frontends.md. Each framework has an environment of its own: architectures/with_*.py say what it needs. What has been
compared is kept in build/architectures.json, so that the command goes on where it was stopped; --fresh compares again. Ends with 1 if a result is further off than 1e-4 of the
largest value, or if a model is not read.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
MAKERS = ROOT / "benchmarks/architectures"
PAGE, RESULTS = ROOT / "docs/frontends.md", ROOT / "build/architectures.json"
BEGIN, END = "<!-- benchmarks/architectures.py writes from here", "<!-- to here -->"
TOLERANCE = 1e-4
PATIENCE = 900  # seconds


def run(command):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False, timeout=PATIENCE)
    if done.returncode != 0:
        errors = [line for line in done.stderr.splitlines() if "rror" in line] or done.stderr.splitlines() or [f"exit code {done.returncode}"]
        raise RuntimeError(errors[-1] if "Traceback" in done.stderr else errors[0])
    return done.stdout


def compared(lapis, folder, model, made):
    """How far the outputs are off, and the operators of the graph."""
    about = json.loads(run([lapis, "inspect", model, "--json"]))
    given = [f"{about['inputs'][i]['name']}=@{folder}/in{i}.npy" for i in range(made["inputs"])]
    report = json.loads(run([lapis, "run", model, *[word for value in given for word in ("--input", value)], "--output", folder / "results", "--json"]))
    worst = 0.0
    for i in range(made["outputs"]):
        got, wanted = np.load(report["outputs"][about["outputs"][i]["name"]]["file"]), np.load(folder / f"out{i}.npy")
        if got.shape != wanted.shape:
            raise RuntimeError(f"the shape {got.shape} for {wanted.shape}")
        worst = max(worst, float(np.abs(got - wanted).max() / max(np.abs(wanted).max(), 1e-30)))
    return worst, about["operators"]


def measure(lapis, python, script, name):
    """Format -> {"error", "operators"} or {"problem"}."""
    with tempfile.TemporaryDirectory() as made_in:
        folder = pathlib.Path(made_in)
        run([python, MAKERS / script, "make", name, folder])
        made = json.loads((folder / "made.json").read_text())
        found = {}
        for kind, file in made["models"].items():
            try:
                error, operators = compared(lapis, folder, folder / file, made)
                found[kind] = {"error": error, "operators": operators}
            except (RuntimeError, subprocess.TimeoutExpired) as problem:
                found[kind] = {"problem": str(problem)}
        return found


def row(name, found):
    cells = [f"{found[k]['error']:.0e}" if "error" in found[k] else found[k]["problem"] for k in found]
    counts = [k["operators"] for k in found.values() if "operators" in k]
    nodes = " / ".join(str(sum(c.values())) for c in counts)
    most = sorted(counts[0].items(), key=lambda item: (-item[1], item[0])) if counts else []
    return f"| {name.removeprefix('tflite ')} | {', '.join(found)} | {' / '.join(cells)} | {nodes} | {', '.join(f'{n} {op}' for op, n in most[:6])} |"


def page(results):
    lines = [f"{BEGIN}; it says what it needs -->"]
    for family, models in results["families"].items():
        lines += ["", f"**{family}** ({results['frameworks'][family]})", "", "| architecture | read from | error | nodes | most of them |", "|---|---|---|---|---|"]
        lines += [row(name, found) for name, found in models.items()]
    text = PAGE.read_text()
    before, rest = text.split(BEGIN)
    PAGE.write_text(before + "\n".join(lines) + "\n\n" + END + rest.split(END)[1])


def is_good(found):
    return all("error" in f and f["error"] <= TOLERANCE for f in found.values())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lapis", default=ROOT / "build/bin/lapis")
    for framework in ("pytorch", "tensorflow", "mxnet"):
        parser.add_argument(f"--{framework}-python", help="a Python that has the framework")
    parser.add_argument("--only", help="one architecture")
    parser.add_argument("--fresh", action="store_true")
    args = parser.parse_args()
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"frameworks": {}, "families": {}}
    bad = 0
    for framework in ("pytorch", "tensorflow", "mxnet"):
        python = getattr(args, f"{framework}_python")
        if not python:
            continue
        about = json.loads(run([python, MAKERS / f"with_{framework}.py", "list"]))
        for family, names in about["families"].items():
            models = results["families"].setdefault(family, {})
            results["frameworks"][family] = about["framework"]
            for name in names:
                if (args.only and args.only != name) or (name in models and is_good(models[name]) and not args.fresh):
                    continue
                try:
                    models[name] = measure(args.lapis, python, f"with_{framework}.py", name)
                except (RuntimeError, subprocess.TimeoutExpired) as problem:
                    models[name] = {"its framework": {"problem": str(problem)}}
                print(row(name, models[name]), flush=True)
                bad += not is_good(models[name])
                RESULTS.write_text(json.dumps(results, indent=1))
    page(results)
    return 1 if bad else 0


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
