"""The table of int8 models of the zoo: by `lapis quantize` and `lapis tune`, beside what other tools make of the same samples (`./dev accuracy --peers`).

Every model is measured by `lapis eval`, which gives Q/DQ pairs their exact meaning: the metric, its difference to the float model with a paired 95 % interval where the
metric has scores for samples, and the signal to quantization noise against the float model (the least of the outputs that the metric reads). A cell that could not be made
says why. Cells are kept in a file as they are measured.
"""
import json
import math
import os
import pathlib
import platform
import subprocess
import sys
import tempfile
import time

import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent
PEERS = {"ORT static": ["onnxruntime-static"], "ORT static, products": ["onnxruntime-static", "--products-only"],
         "ORT dynamic": ["onnxruntime-dynamic"], "NNCF": ["nncf"]}
LAPIS = ["quantize", "tune"]
COLUMNS = ["fp32", *LAPIS, *PEERS]
ALLOWED_LOSS = 0.01  # relative
ALLOWED_NOISE = 0.5  # dB below the best peer

PAGE = """# Accuracy beside other tools

int8 models of the zoo's float models: by `lapis quantize` with its default options, by `lapis tune` with the target of losing at most {allowed:.0%} relative, by ONNX Runtime {ort} (static: QDQ,
u8 data, s8 weights a channel, MinMax, of all operators and of Conv, Gemm and MatMul alone; dynamic: s8 weights) and by NNCF {nncf} with its default preset. Each is calibrated on the same {calibration} samples and measured on {evaluated}
by `lapis eval`, whoever made it. A cell has the metric, what that is less or more than fp32's, with the 95 % interval of paired samples where the metric has scores for samples, and the SQNR of the outputs
against fp32; `tune` also has how many times faster than fp32 the model is, both timed in turn, and how many trials were made of those that were allowed (no more begin after {timeout} s). That factor is of this run, on a machine that may have had
other work beside it; [benchmarks](benchmarks.md) are measured alone. A cell without numbers has the reason. No model has settings of its own. The interval between two int8 models is made
of those of both.

    ./dev accuracy --peers --nncf-python VENV/bin/python

writes this page. It goes on where it was stopped, model by model (`--models`), and `--fresh` measures again.

Machine: {machine}.

{table}

| data | `tune` beside fp32 and the best peer | measured |
|---|---|---|
{verdicts}

{missing}"""


def lapis(binary, *command):
    """(report, None), or (None, what went wrong). A check that failed (exit code 1) has a report."""
    done = subprocess.run([str(c) for c in (binary, *command, "--json")], capture_output=True, text=True, check=False)
    if done.returncode in (0, 1) and done.stdout.startswith("{"):
        return json.loads(done.stdout), None
    errors = [line for line in done.stderr.splitlines() if "error" in line]
    return None, (errors or done.stderr.splitlines() or [f"exit code {done.returncode}"])[0]


def absolute(value, folder):
    """A dataset file as one that may stand anywhere."""
    if isinstance(value, list):
        return [absolute(v, folder) for v in value]
    if isinstance(value, dict):
        return {k: absolute(v, folder) for k, v in value.items()}
    return str((folder / value).resolve()) if isinstance(value, str) and value.startswith("../") else value


def shortened(reason):
    return reason.split(": ", 1)[-1][:70]


def machine():
    names = [line.split(":", 1)[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
             if line.startswith("model name")] if pathlib.Path("/proc/cpuinfo").exists() else []
    return f"{names[0] if names else platform.machine()}, {os.cpu_count()} cores, {platform.system()}"


def now(binary):
    done = subprocess.run([binary, "--version"], capture_output=True, text=True, check=False)
    return f"{done.stdout.split(chr(10))[0]}, {time.strftime('%Y-%m-%d')}"


class Model:
    """One model of the table: its float form and data, in a folder of its own."""

    def __init__(self, args, name, source, folder):
        self.args, self.name, self.folder, self.float_model = args, name, folder, source
        self.problem = None
        if source.suffix != ".onnx":
            self.float_model = folder / "float.onnx"
            _, self.problem = lapis(args.lapis, "convert", source, "-o", self.float_model)
        file = ROOT / "benchmarks/zoo" / f"{name}.yaml"
        data = absolute(yaml.safe_load(file.read_text(encoding="utf-8")), file.parent)
        metrics = data["metric"] if isinstance(data["metric"], list) else [data["metric"]]
        self.task = self.dataset("task", data | {"metric": metrics[0]})
        noise = {"name": "sqnr"} | ({"output": metrics[0]["output"]} if "output" in metrics[0] else {})
        self.data = self.dataset("data", data | {"metric": [metrics[0], noise], "reference": str(self.float_model)})

    def dataset(self, name, content):
        file = self.folder / f"{name}.yaml"
        file.write_text(yaml.safe_dump(content), encoding="utf-8")
        return file

    def cell(self, column):
        if self.problem:
            return {"problem": shortened(self.problem)}
        if column == "fp32":
            return self.measured(self.float_model)
        made, output = {}, self.folder / "int8.onnx"
        output.unlink(missing_ok=True)
        if column == "quantize":
            _, problem = lapis(self.args.lapis, "quantize", self.float_model, "--calibration", self.task, "--samples", self.args.calibration, "-o", output)
        elif column == "tune":
            output, made, problem = self.tuned()
        else:
            problem = self.made_by(column, output)
        return {"problem": shortened(problem)} if problem else made | self.measured(output)

    def measured(self, model):
        flags = ["--threads", self.args.threads, *(["--samples", self.args.samples] if self.args.samples else [])]
        against = [] if model == self.float_model else ["--against", self.float_model]
        report, problem = lapis(self.args.lapis, "eval", model, "--data", self.data, *against, *flags)
        if problem:
            return {"problem": shortened(problem)}
        metric, noise = report["metrics"][0], report["metrics"][-1]
        cell = {"metric": metric["metric"], "value": metric["value"], "higher_is_better": metric["higher_is_better"], "sqnr": noise["value"]}
        return cell | {key: report[key] for key in ("difference", "difference_ci95") if key in report}

    def tuned(self):
        samples = {"samples": self.args.samples} if self.args.samples else {}
        config = {"model": {"path": str(self.float_model)},
                  "quantization": {"calibration": {"data": str(self.task), "samples": self.args.calibration}},
                  "tuning": {"accuracy_criterion": {"relative": ALLOWED_LOSS}, "workspace": {"path": str(self.folder / "tuning")},
                             "exit_policy": {"max_trials": self.args.trials, "timeout": self.args.timeout}},
                  "evaluation": {"accuracy": {"data": str(self.task)} | samples}}
        report, problem = lapis(self.args.lapis, "tune", self.dataset("tune", config), "--restart", "--quiet")
        if problem:
            return None, {}, problem
        return report["best_model"], {"times_faster": report["best"]["improvement"], "trials": report["trials"], "met": report["met"]}, None

    def made_by(self, peer, output):
        """None, or why the other tool made no model."""
        python = self.args.nncf_python or (None if peer == "NNCF" else sys.executable)
        if not python:
            return "no --nncf-python"
        command = [python, ROOT / "benchmarks/accuracy_peers.py", PEERS[peer][0], self.float_model, self.task, output, "--samples", self.args.calibration, *PEERS[peer][1:]]
        try:
            done = subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False, timeout=self.args.timeout)
        except subprocess.TimeoutExpired:
            return f"more than {self.args.timeout} s"
        return None if done.returncode == 0 else (done.stderr.splitlines() or ["failed"])[-1]


def text(cell):
    if "problem" in cell:
        return cell["problem"].replace("|", "/")
    parts = [f"{cell['value']:.4f}"]
    if "difference" in cell:
        low_high = cell.get("difference_ci95")
        parts[0] += f" ({cell['difference']:+.4f}" + (f", {low_high[0]:+.4f} to {low_high[1]:+.4f})" if low_high else ")")
        parts.append(f"{cell['sqnr']:.1f} dB")
    if "times_faster" in cell:
        parts.append(f"{cell['times_faster']:.2f}x after {cell['trials']} of {cell['of'].rsplit(', ', 1)[-1]}")
    return ", ".join(parts)


def interval_between(a, b):
    """Half of the 95 % interval of the difference of two models, from those of each to fp32, as if these were independent."""
    if "difference_ci95" not in a or "difference_ci95" not in b:
        return None
    return math.hypot(*((c["difference_ci95"][1] - c["difference_ci95"][0]) / 2 for c in (a, b)))


def beside(own, best, fp32, sign):
    """How a model stands to the best peer, and if it falls short, whether the float model does as well: a peer may be right by luck."""
    ahead, half = sign * (own["value"] - best["value"]), interval_between(own, best)
    said = f"{ahead:+.4f} beside the best peer"
    if ahead >= 0:
        return said
    if half is not None and ahead >= -half:
        return said + ", inside the interval"
    as_fp32 = ", as is fp32" if sign * (fp32["value"] - best["value"]) < -(half or 0) else ""
    return said + (", no interval" if half is None else ", **beyond the interval**") + as_fp32


def verdict(row):
    """What is asked for: within the loss that is allowed, no less than the best peer, no more noise."""
    own, fp32 = row.get("tune", {}), row.get("fp32", {})
    peers = [row[p] for p in PEERS if "value" in row.get(p, {})]
    if "value" not in own or "value" not in fp32:
        return "not measured"
    sign = 1 if fp32["higher_is_better"] else -1
    loss = sign * (fp32["value"] - own["value"]) / max(abs(fp32["value"]), 1e-12)
    said = [f"loses {max(loss, 0):.2%}" + ("" if loss <= ALLOWED_LOSS else ", **more than is allowed**")]
    if peers:
        said.append(beside(own, max(peers, key=lambda p: sign * p["value"]), fp32, sign))
        noise = own["sqnr"] - max(p["sqnr"] for p in peers)
        said.append(f"SQNR {noise:+.1f} dB" + ("" if noise >= -ALLOWED_NOISE else ", **below**"))
    return "; ".join(said)


class Table:
    """`models`: name -> file, or None where it is not here."""

    def __init__(self, args, models):
        self.args, self.models = args, models
        self.rows = json.loads(args.state.read_text(encoding="utf-8")) if args.state.exists() else {}

    def settings(self, column):
        trials = f", {self.args.trials} trials" if column == "tune" else ""
        return f"{self.args.calibration} to calibrate, {self.args.samples or 'all'} to evaluate{trials}"

    def is_done(self, name, column):
        cell = self.rows.get(name, {}).get(column)
        if not cell or self.args.fresh or cell.get("of") != self.settings(column):
            return False
        return not (column == "NNCF" and "problem" in cell and self.args.nncf_python)

    def run(self, names):
        print("| data | " + " | ".join(COLUMNS) + " |\n|" + "---|" * (len(COLUMNS) + 1), flush=True)
        for name in (n for n in names if n in self.models):
            if self.models[name]:
                self.measure(name, self.models[name], [c for c in self.args.columns if not self.is_done(name, c)])
            if name in self.rows:
                print(self.line(name), flush=True)
            self.write()
        return 0

    def measure(self, name, source, columns):
        if not columns:
            return
        with tempfile.TemporaryDirectory(prefix="lapis_accuracy_") as folder:
            model = Model(self.args, name, source, pathlib.Path(folder))
            for column in columns:
                start = time.monotonic()
                row = self.rows.setdefault(name, {})
                row[column] = model.cell(column) | {"of": self.settings(column)}
                row["measured"] = now(self.args.lapis)
                self.save()
                print(f"{name}, {column}: {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)

    def save(self):
        new = self.args.state.with_suffix(".new")
        new.write_text(json.dumps(self.rows, indent=1), encoding="utf-8")
        new.replace(self.args.state)

    def line(self, name):
        return "| " + " | ".join([name, *(text(self.rows[name].get(c, {"problem": ""})) for c in COLUMNS)]) + " |"

    def write(self):
        done = [n for n in self.models if n in self.rows]
        missing = [n for n in self.models if n not in self.rows]
        metric = lambda n: self.rows[n].get("fp32", {}).get("metric", "")
        table = ["| data, metric | " + " | ".join(f"`{c}`" if c in LAPIS else c for c in COLUMNS) + " |", "|" + "---|" * (len(COLUMNS) + 1)]
        table += [self.line(n).replace(f"| {n} |", f"| {n}, {metric(n)} |", 1) for n in done]
        self.args.page.write_text(PAGE.format(
            allowed=ALLOWED_LOSS, timeout=self.args.timeout, ort=version(self.args.nncf_python or sys.executable, "onnxruntime"), nncf=version(self.args.nncf_python, "nncf"),
            calibration=self.args.calibration, evaluated=f"{self.args.samples} samples" if self.args.samples else "all that have labels", machine=machine(),
            table="\n".join(table), verdicts="\n".join(f"| {n} | {verdict(self.rows[n])} | {self.rows[n]['measured']} |" for n in done),
            missing=f"Not measured yet: {', '.join(missing)}.\n" if missing else ""), encoding="utf-8")


def version(python, package):
    if not python:
        return "(not here)"
    done = subprocess.run([python, "-c", f"import importlib.metadata as m; print(m.version('{package}'))"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "(not here)"
