"""Every command that README and docs name runs: the indented lines and the console blocks, in their order, in a folder where the
files that they speak of exist.

    LAPIS_BINARY_DIR=build python3 tests/tools/docs_test.py
"""
import importlib.util
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest

SOURCE = pathlib.Path(os.environ.get("LAPIS_SOURCE_DIR", pathlib.Path(__file__).parents[2]))
LAPIS = pathlib.Path(os.environ.get("LAPIS_BINARY_DIR", SOURCE / "build")).resolve() / "bin/lapis"
EXAMPLE = SOURCE / "examples/fashion_mnist"
PAGES = [SOURCE / "README.md", SOURCE / "CONTRIBUTING.md", *sorted((SOURCE / "docs").glob("*.md"))]
SANITIZED = bool(os.environ.get("LAPIS_SANITIZE"))  # cmake/targets.cmake
# Commands about what only a failure leaves behind; they are checked as far as --help goes.
NEEDS_A_FINDING = "findings/"
COMMAND = re.compile(r"^(?:    |\$ )((?:lapis|\./dev|python3|LAPIS_\w+=\S+ (?:\./dev|lapis)) .*)$")

NOT_RUN = {
    "lapis reduce M.onnx -o small.onnx": "the example network has no fault to keep",
    "lapis reduce M.onnx -o small.onnx --with 'my_check.sh {}'": "the script is the reader's",
}


def commands(page):
    """(line number, command) without comments, optional parts in brackets, and what answers the command."""
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        if match := COMMAND.match(line):
            yield number, re.sub(r"\s+#.*|\s*\[[^\]]*\]", "", match[1]).strip()


def prepare(folder):
    """The files that commands take for granted: M.onnx, its int8 form, its data set, a recipe, one input, and others' names for them."""
    for file in EXAMPLE.iterdir():
        shutil.copy(file, folder)
    shutil.copy(SOURCE / "tests/frontends/tflite/resnet8_int8.tflite", folder / "M.tflite")
    shutil.copy(SOURCE / "tests/frontends/tensorflow/cases.pb", folder / "M.pb")
    shutil.copytree(SOURCE / "tests/frontends/tensorflow/saved", folder / "saved")
    for file, name in {"mxnet/gluon-symbol.json": "M-symbol.json", "mxnet/gluon-0000.params": "M-0000.params", "pytorch/net.pt2": "M.pt2",
                       "keras/k2_sequential.h5": "M.h5", "keras/k2_sequential_archive.keras": "M.keras"}.items():
        shutil.copy(SOURCE / "tests/frontends" / file, folder / name)
    (folder / "examples").symlink_to(SOURCE / "examples")
    (folder / "benchmarks").symlink_to(SOURCE / "benchmarks")
    (folder / "build").mkdir()
    subprocess.run([LAPIS, "quantize", EXAMPLE / "fashion_mnist.onnx", "--calibration", "eval.yaml", "--samples", "16", "-o", "Q.onnx"],
                   cwd=folder, check=True, capture_output=True)
    (folder / "in.yaml").write_text("recipe: 1\nrules:\n  - {contraction: first, precision: fp32}\n")
    for name in ("M.onnx", "M", "model.onnx", "old.onnx"):
        shutil.copy(EXAMPLE / "fashion_mnist.onnx", folder / name)
    for name in ("int8.onnx", "Q_ort.onnx", "trained.onnx"):
        shutil.copy(folder / "Q.onnx", folder / name)
    arrays = {"image": (1, 1, 28, 28), "picture": (1, 8, 8, 3), "pictures": (4, 8, 8, 3)}
    subprocess.run([sys.executable, "-c", f"import numpy as np\nfor n, s in {arrays}.items(): np.save(n + '.npy', np.ones(s, 'float32'))"],
                   cwd=folder, check=True)


def within_patience(command):
    """Where everything takes ten times as long, searches are short."""
    return re.sub(r"(--max-trials) \d+", r"\1 1", command) if SANITIZED else command


def without_missing_peers(command):
    """OpenVINO is installed by `./dev setup bench` only."""
    if importlib.util.find_spec("openvino"):
        return command
    return command.replace("onnxruntime,openvino", "onnxruntime").replace("Q_ort.onnx,Q_ort.onnx", "Q_ort.onnx")


class Docs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="lapis_docs_")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        prepare(cls.folder)

    def check_dev(self, command):
        """./dev builds and installs: here only that it knows the command and describes it."""
        verb = command.split("./dev ")[1].split()[0]
        usage = subprocess.run([SOURCE / "dev", "--help"], capture_output=True, text=True, check=True).stdout
        self.assertRegex(usage, rf"(?m)^  {re.escape(verb)}\b" if verb != "--help" else "", command)

    def check_help(self, command):
        """The verb knows every flag of the command."""
        words = shlex.split(command)
        help_text = subprocess.run([LAPIS, words[1], "--help"], capture_output=True, text=True, check=True).stdout
        for flag in (w for w in words[2:] if re.fullmatch(r"--?[a-z][a-z-]*", w)):
            self.assertRegex(help_text, rf"(?<![\w-]){re.escape(flag)}\b", command)

    def run_here(self, command):
        words = [str(LAPIS) if w == "lapis" else sys.executable if w == "python3" else w for w in shlex.split(within_patience(without_missing_peers(command)))]
        environment = {**os.environ, "LAPIS_PYTHON": sys.executable, "LAPIS_PEERS": str(SOURCE / "benchmarks/peers.py")}
        done = subprocess.run(words, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, 0, f"{command}\n{done.stdout[-1000:]}\n{done.stderr[-2000:]}")

    def test_commands_run(self):
        for page in PAGES:
            for number, command in commands(page):
                if command in NOT_RUN:
                    continue
                with self.subTest(f"{page.relative_to(SOURCE)}:{number}: {command}"):
                    check = self.check_dev if "./dev" in command else self.check_help if NEEDS_A_FINDING in command else self.run_here
                    check(command)

    def test_list_is_not_stale(self):
        self.assertEqual(set(NOT_RUN) - {command for page in PAGES for _, command in commands(page)}, set())

    def test_flags_exist(self):
        """Every `lapis VERB ... --flag` in the text too, where it is part of a sentence."""
        for page in PAGES:
            for text in re.findall(r"`(lapis [a-z]+ [^`]*--[^`]*)`", page.read_text(encoding="utf-8")):
                verb = text.split()[1]
                usage = subprocess.run([LAPIS, verb, "--help"], capture_output=True, text=True, check=True).stdout
                for flag in re.findall(r"(?<!\S)--[a-z][a-z-]*", text):
                    self.assertRegex(usage, rf"(?<![\w-]){re.escape(flag)}(?![\w-])", f"{page.name}: {text}")

    def test_commands_are_found(self):
        found = [c for page in PAGES for _, c in commands(page)]
        self.assertGreater(len(found), 40)
        for verb in ("convert", "inspect", "opt", "quantize", "compile", "run", "eval", "bench", "verify", "explain"):
            self.assertTrue(any(c.startswith(f"lapis {verb} ") for c in found), verb)


if __name__ == "__main__":
    unittest.main()
