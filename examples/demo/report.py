#!/usr/bin/env python3
"""report.py DIR: what examples/demo.sh measured in DIR becomes report.json, report.html and a summary on the terminal.

Exit code 1 if the float model is less accurate than it should be, int8 loses too much, or the object file and the JIT
disagree in a single byte.
"""
import json
import pathlib
import statistics
import sys

import numpy as np
import page

LEAST_FP32_ACCURACY = 0.92
MOST_INT8_LOSS = 0.01


def read(work, name):
    return json.loads((work / name).read_text(encoding="utf-8"))


def latency(work, model):
    """Medians over the repeated benchmarks of a model, and the median of each round, in milliseconds."""
    runs = [read(work, f.name)["runtimes"][0] for f in sorted(work.glob(f"bench-{model}-*.json"))]
    return {
        "p50": statistics.median(r["p50_ms"] for r in runs),
        "p99": statistics.median(r["p99_ms"] for r in runs),
        "rounds": [ms for r in runs for ms in r["round_ms"]],
    }


def same_bytes(work):
    jit, aot = np.load(work / "jit" / "logits.npy"), np.fromfile(work / "aot.raw", dtype=np.float32)
    return len(jit), jit.tobytes() == aot.tobytes()


def model_nodes(step):
    """The nodes of the float model that a step computes: without the Q/DQ pairs between them, each once."""
    names = [name for names in step["nodes"] for name in names.split(" + ")]
    of_model = [n for n in names if not n.endswith(("_quantized", "_dequantized"))]
    return list(dict.fromkeys(of_model or names))


def layers(explanations):
    """The steps of the model, each with its median time: a step that was interrupted in one run shows its own in others."""
    result = []
    for runs in zip(*(e["steps"] for e in explanations)):
        step = sorted(runs, key=lambda s: s["microseconds"])[len(runs) // 2]
        kept = {k: step[k] for k in ("op", "precision", "kernel", "microseconds", "gmac_per_second")}
        result.append(kept | {"nodes": model_nodes(step), "note": step["note"]})
    return result


def layer_table(figures):
    total = sum(step["microseconds"] for step in figures["layers"])
    rows = [f"{'us':>8}  {'%':>5}  {'GMAC/s':>6}  precision  {'kernel':<22}operator"]
    for step in page.worth_showing(figures["layers"]):
        gmacs = f"{step['gmac_per_second']:.1f}" if step["gmac_per_second"] else ""
        rows.append(
            f"{step['microseconds']:>8.1f}  {100 * step['microseconds'] / total:>5.1f}  {gmacs:>6}"
            f"  {step['precision']:<9}  {step['kernel']:<22}{page.label(step)}"
        )
    return "\n".join(rows)


def summary(figures, facts):
    low, high = (100 * d for d in figures["difference_ci95"])
    agree = "equal the JIT's byte for byte" if figures["aot_equals_jit"] else "DIFFER from the JIT's"
    accuracy = "   ".join(f"{p} {100 * figures[f'{p}_accuracy']:.2f} %" for p in ("fp32", "int8"))
    latency = "   ".join(
        f"{p} p50 {figures[f'{p}_p50_ms']:.3f} ms, p99 {figures[f'{p}_p99_ms']:.3f} ms" for p in ("fp32", "int8")
    )
    return f"""
Fashion-MNIST, {facts["samples"]} test images, one core, {facts["target"]}

{layer_table(figures)}

accuracy   {accuracy}   difference, 95 % interval [{low:+.2f}, {high:+.2f}] points
latency    {latency}   speed-up {figures["speedup"]:.2f}
C program from model.o: outputs of {facts["compared"]} images {agree}
"""


def failures(figures):
    if figures["fp32_accuracy"] < LEAST_FP32_ACCURACY:
        yield f"fp32 accuracy is below {LEAST_FP32_ACCURACY}"
    if figures["int8_accuracy"] < figures["fp32_accuracy"] - MOST_INT8_LOSS:
        yield f"int8 loses more than {100 * MOST_INT8_LOSS:g} points of accuracy"
    if not figures["aot_equals_jit"]:
        yield "the object file and the JIT disagree"


def main(folder):
    work = pathlib.Path(folder)
    accuracy, int8, fp32 = read(work, "accuracy.json"), latency(work, "int8"), latency(work, "fp32")
    explained = [read(work, f.name) for f in sorted(work.glob("explain-*.json"))]
    compared, equal = same_bytes(work)
    figures = {
        "fp32_accuracy": accuracy["against"]["value"],
        "int8_accuracy": accuracy["value"],
        "difference_ci95": accuracy["difference_ci95"],
        "fp32_p50_ms": fp32["p50"],
        "fp32_p99_ms": fp32["p99"],
        "int8_p50_ms": int8["p50"],
        "int8_p99_ms": int8["p99"],
        "speedup": fp32["p50"] / int8["p50"],
        "aot_equals_jit": equal,
        "layers": layers(explained),
    }
    facts = {
        "samples": accuracy["samples"],
        "compared": compared,
        "target": explained[0]["target"],
        "fp32_rounds": fp32["rounds"],
        "int8_rounds": int8["rounds"],
        "bound": -100 * MOST_INT8_LOSS,
    }
    (work / "report.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    (work / "report.html").write_text(page.render(figures, facts), encoding="utf-8")
    print(summary(figures, facts))
    print(f"report: {work / 'report.html'}  {work / 'report.json'}")
    wrong = list(failures(figures))
    for reason in wrong:
        print(f"demo: {reason}", file=sys.stderr)
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
