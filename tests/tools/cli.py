"""What the tests of the command line share: running `lapis` in a temporary folder, and writing models and arrays by hand."""
import json
import os
import pathlib
import re
import struct
import subprocess
import sys
import tempfile
import unittest

SOURCE = pathlib.Path(os.environ.get("LAPIS_SOURCE_DIR", pathlib.Path(__file__).parents[2]))
LAPIS = pathlib.Path(os.environ.get("LAPIS_BINARY_DIR", SOURCE / "build")) / "bin/lapis"
SANITIZED = bool(os.environ.get("LAPIS_SANITIZE"))  # cmake/targets.cmake
EXAMPLE = SOURCE / "examples/fashion_mnist"
MODEL, DATA = EXAMPLE / "fashion_mnist.onnx", EXAMPLE / "eval.yaml"

OK, CHECK_FAILED, USAGE, INPUT, UNSUPPORTED, MISMATCH, TARGET, IO, INTERRUPTED = 0, 1, 2, 3, 4, 5, 6, 7, 130
HEAD = '<ir_version: 10, opset_import: ["" : 21, "my.ops" : 1]>\n'
RELU = HEAD + "g (float[4] x) => (float[4] y) { y = Relu(x) }\n"

# The verbs that take a model, and what each needs beside it.
VERBS = {
    "convert": ["-o", "out.onnx"],
    "inspect": [],
    "opt": ["-o", "out.onnx"],
    "optimize": ["-o", "out.onnx"],
    "prune": ["--sparsity", "0.3", "-o", "out.onnx"],
    "quantize": ["--calibration", DATA, "-o", "out.onnx"],
    "compile": ["-o", "out.lapis"],
    "run": [],
    "eval": ["--data", DATA, "--samples", "1"],
    "bench": [],
    "verify": [],
    "explain": [],
}


def npy(path, descriptor, shape, data):
    header = f"{{'descr': '{descriptor}', 'fortran_order': False, 'shape': {tuple(shape)!r}, }}".encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data)


def floats(path, shape, values=None):
    count = 1
    for extent in shape:
        count *= extent
    npy(path, "<f4", shape, struct.pack(f"<{count}f", *(values or [i % 7 - 3 for i in range(count)])))


def read_floats(path):
    data = path.read_bytes()
    offset = 10 + struct.unpack("<H", data[8:10])[0]
    return struct.unpack(f"<{(len(data) - offset) // 4}f", data[offset:])


class Cli(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="lapis_cli_")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def write(self, name, content):
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def files(self):
        return {str(p.relative_to(self.folder)): p.stat().st_mtime_ns for p in self.folder.rglob("*")}

    def lapis(self, *args):
        command = [LAPIS, *map(str, args)]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=300)

    def fails(self, code, *args, says=()):
        """The documented exit code, a message with a hint on stderr, nothing on stdout, and no file touched."""
        before = self.files()
        run = self.lapis(*args)
        with self.subTest(args=" ".join(map(str, args))):
            self.assertEqual(run.returncode, code, run.stderr)
            self.assertEqual(run.stdout, "")
            errors = re.findall(r"^(?:.*: )?error: \S.*$", run.stderr, re.MULTILINE)
            self.assertGreater(len(errors), 0, run.stderr)
            self.assertEqual(len(errors), len(set(errors)), "a finding is repeated: " + run.stderr)
            self.assertRegex(run.stderr, r"(?m)^  hint: \S")
            for text in (says,) if isinstance(says, str) else says:
                self.assertIn(text, run.stderr)
            self.assertEqual(self.files(), before, "no file may appear or change")
        return run.stderr

    def passes(self, *args, code=OK):
        run = self.lapis(*args)
        self.assertEqual(run.returncode, code, run.stderr)
        self.assertEqual(run.stderr, "")
        return run.stdout

    def json(self, *args, code=OK):
        return json.loads(self.passes(*args, "--json", code=code))


def main():
    if not LAPIS.exists():
        sys.exit(f"{LAPIS} is not built")
    unittest.main(module="__main__", verbosity=2)
