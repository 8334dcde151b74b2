#!/usr/bin/env python3
"""docs/operators.md from what `lapis ops --json` says: operators_page.py LAPIS.

Fails if the page is not what the translators' tables say; with LAPIS_BLESS=1 writes it.
"""
import json
import os
import pathlib
import subprocess
import sys

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs/operators.md"
TITLES = {"onnx": "ONNX", "tflite": "TFLite", "tensorflow": "TensorFlow", "keras": "Keras", "mxnet": "MXNet", "pytorch": "PyTorch"}

INTRO = """# Operators of each framework

Generated from the tables of the translators, as `lapis ops` prints them: `LAPIS_BLESS=1 ./dev test -R operators.page` writes this page, and CI fails where it is not what they say.
An operator of ONNX behind an arrow is what the operator becomes; without one it becomes several, or one that depends on its options. How far each operator goes (options,
layouts, types) stands in the page of its format: [frontends.md](frontends.md). An operator that is in no list is reported when a model has it.
"""


def counts(tables):
    lines = ["| framework | translated | resolved while reading | refused by name |", "|---|---|---|---|"]
    for framework, operators in tables.items():
        numbers = [str(sum(o["support"] == kind for o in operators)) for kind in ("translated", "resolved", "refused")]
        lines.append(f"| [{TITLES[framework]}](#{framework}) | " + " | ".join(numbers) + " |")
    return lines


def translated(operators):
    """One paragraph; what an operator becomes is said where that is another name."""
    names = [f"`{o['name']}`" + (f" → {o['becomes']}" if o["becomes"] and o["becomes"] != o["name"] else "")
             for o in operators if o["support"] == "translated"]
    return ", ".join(names) + "."


def grouped(operators, kind, key):
    """| operators | key |, the operators of one reason together."""
    groups = {}
    for o in operators:
        if o["support"] == kind:
            groups.setdefault(o[key], []).append(f"`{o['name']}`")
    return [f"| {', '.join(names)} | {what} |" for what, names in sorted(groups.items(), key=lambda group: group[1])]


def section(framework, operators):
    lines = [f"## {TITLES[framework]}", "", translated(operators), ""]
    for kind, key, heading in (("resolved", "becomes", "what the reader makes of it"), ("refused", "reason", "why it is refused")):
        if rows := grouped(operators, kind, key):
            lines += [f"| operator | {heading} |", "|---|---|", *rows, ""]
    return lines


def main():
    said = subprocess.run([sys.argv[1], "ops", "--json"], check=True, capture_output=True, text=True).stdout
    tables = json.loads(said)
    text = "\n".join([INTRO, *counts(tables), "", *(line for f, operators in tables.items() for line in section(f, operators))])
    if os.environ.get("LAPIS_BLESS"):
        PAGE.write_text(text, encoding="utf-8")
    elif text != (PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""):
        sys.exit("docs/operators.md is not what the translators' tables say: LAPIS_BLESS=1 ./dev test -R operators.page")


if __name__ == "__main__":
    main()
