"""Small inputs that once went wrong, each a folder beside this file, on the command line a user has.

A folder holds model.onnx or model.onnxtxt, in_NAME.npy, expected_NAME.npy, and case.json where something else than these values
must happen; EXPECTATIONS below lists what "expect" may say. Every case that runs does so in the reference evaluator and as code
for each target that this host can run.

    LAPIS_BINARY_DIR=build python3 tests/cases/cases_test.py [-k NAME]
"""
import json
import os
import pathlib
import re
import resource
import subprocess
import tempfile
import unittest

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
LAPIS = pathlib.Path(os.environ.get("LAPIS_BINARY_DIR", HERE.parents[1] / "build")) / "bin/lapis"
TARGETS = ["host", "x86-64+avx2", "x86-64+avx512"]
SANITIZED = bool(os.environ.get("LAPIS_SANITIZE"))  # cmake/targets.cmake
REFUSALS, UNSUPPORTED, TARGET = range(2, 8), 4, 6
GIGABYTE = 1 << 30


def lapis(*words, seconds=120, gigabytes=None):
    """(exit code, stderr) of one call; a signal or a timeout fails the test. Sanitizers have a limit of their own."""
    def limit():
        if gigabytes and not SANITIZED:
            resource.setrlimit(resource.RLIMIT_AS, (gigabytes * GIGABYTE,) * 2)

    done = subprocess.run([LAPIS, *words], capture_output=True, text=True, errors="replace", timeout=seconds, preexec_fn=limit)
    if done.returncode < 0:
        raise AssertionError(f"lapis {words[0]} died of signal {-done.returncode}: {done.stderr[:400]}")
    return done.returncode, done.stderr


def file_name(output):
    return re.sub(r"[/:\\]", "_", output)


def difference(got, want, case):
    """What differs, or None. Integers and booleans are exact; floats within the case's tolerances; NaN equals NaN."""
    if (got.shape, got.dtype) != (want.shape, want.dtype):
        return f"is {got.dtype}{list(got.shape)}, wanted {want.dtype}{list(want.shape)}"
    equal = got == want
    if want.dtype.kind == "f":
        with np.errstate(all="ignore"):
            g, w = got.astype("f8"), want.astype("f8")
            close = np.abs(g - w) <= case.get("atol", 1e-6) + case.get("rtol", 1e-5) * np.abs(w)
        equal = equal | (np.isnan(g) & np.isnan(w)) | (close & np.isfinite(g) & np.isfinite(w))
        if case.get("signs"):
            equal &= (w != 0) | (np.signbit(g) == np.signbit(w))
    if equal.all():
        return None
    at = tuple(np.argwhere(~equal)[0])
    return f"{(~equal).sum()} of {equal.size} wrong, at {list(map(int, at))} got {got[at]}, wanted {want[at]}"


class Cases(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.out = pathlib.Path(folder.name)

    def use(self, folder):
        self.model = next(f for f in (folder / "model.onnx", folder / "model.onnxtxt") if f.exists())
        file = folder / "case.json"
        self.case = json.loads(file.read_text()) if file.exists() else {}
        self.feeds = [word for f in sorted(folder.glob("in_*.npy")) for word in ("--input", f"{f.stem[3:]}=@{f}")]
        self.expected = {file_name(f.stem[9:]): np.load(f) for f in folder.glob("expected_*.npy")}
        EXPECTATIONS[self.case.get("expect", "value")](self)

    # ---- running in every way ----------------------------------------------------------------------------------------

    def runs(self):
        """(way, exit code, stderr, outputs) of the reference and of each target that this host is."""
        for way in ["reference", *TARGETS]:
            flags = ["--backend=reference"] if way == "reference" else [f"--target={way}"]
            with tempfile.TemporaryDirectory() as out:
                code, text = lapis("run", self.model, *self.feeds, *flags, "--output", out)
                if code != TARGET:
                    yield way, code, text, {f.stem: np.load(f) for f in pathlib.Path(out).glob("*.npy")}

    def value(self):
        for way, code, text, got in self.runs():
            with self.subTest(way=way):
                if code == UNSUPPORTED and way != "reference" and not self.case.get("compiles"):
                    continue  # an operator without code is refused by name
                self.assertEqual(code, 0, text)
                for name, want in self.expected.items():
                    self.assertIn(name, got)
                    self.assertIsNone(difference(got[name], want, self.case), name)

    def files(self):
        for way, code, text, got in self.runs():
            with self.subTest(way=way):
                self.assertEqual(code, 0, text)
                self.assertGreaterEqual(len(got), self.case["count"])

    def agree(self):
        """Every way gives the same bytes (any NaN for a NaN), or every way refuses."""
        seen = {}
        for way, code, _, got in self.runs():
            if code == UNSUPPORTED and way != "reference":
                continue
            bits = {k: np.where(np.isnan(v), np.nan, v).tobytes() if v.dtype.kind == "f" else v.tobytes() for k, v in got.items()}
            seen[way] = "refused" if code else bits
        for way, result in seen.items():
            self.assertEqual(result, seen["reference"], way)

    def refused(self):
        for way, code, text, _ in self.runs():
            with self.subTest(way=way):
                self.assertIn(code, REFUSALS)
                self.assertIn("error", text)

    # ---- other verbs -------------------------------------------------------------------------------------------------

    def compile(self, **limits):
        return lapis("compile", self.model, "-o", self.out / "o.lapis", **limits)

    def compiles(self):
        code, text = self.compile()
        self.assertEqual(code, 0, text)

    def compiles_under(self):
        self.compiles()
        self.assertLessEqual((self.out / "o.lapis").stat().st_size, self.case["bytes"])

    def compile_refused(self):
        code, text = self.compile(seconds=20, gigabytes=3)
        self.assertIn(code, REFUSALS, text)
        self.assertIn("error", text)
        self.assertEqual(list(self.out.iterdir()), [])

    def lists(self):
        code, text = self.compile()
        if code != 0:
            for name in self.case["names"]:
                self.assertIn(name, text)

    def no_crash(self):
        verbs = [("inspect",), ("inspect", "--json"), ("compile", "-o", self.out / "o.lapis"), ("run", "--backend=reference"), ("verify",)]
        for verb, *flags in verbs:
            with self.subTest(verb=verb):
                code, text = lapis(verb, self.model, *flags, seconds=20, gigabytes=3)
                self.assertIn(code, range(8), text)

    def valid_opt(self):
        import onnx
        written = self.out / "o.onnx"
        code, text = lapis("opt", self.model, "--passes", "simplify", "-o", written)
        self.assertEqual(code, 0, text)
        onnx.checker.check_model(str(written), full_check=True)

    def verify_ort(self):
        code, text = lapis("verify", self.model, "--against", "onnxruntime")
        self.assertEqual(code, 0, text)


EXPECTATIONS = {
    "value": Cases.value,
    "files": Cases.files,
    "agree": Cases.agree,
    "refused": Cases.refused,
    "compiles": Cases.compiles,
    "compiles-under": Cases.compiles_under,
    "compile-refused": Cases.compile_refused,
    "lists": Cases.lists,
    "no-crash": Cases.no_crash,
    "valid-opt": Cases.valid_opt,
    "verify-ort": Cases.verify_ort,
}

for folder in sorted(p for p in HERE.iterdir() if p.is_dir() and p.name[0].isdigit()):
    setattr(Cases, f"test_{folder.name}", lambda self, folder=folder: self.use(folder))

if __name__ == "__main__":
    unittest.main()
