"""lapis reduce: what is left of a model still has what the command looks for, and little else."""
import json
import os
import pathlib
import subprocess
import tempfile
import unittest

SOURCE = pathlib.Path(os.environ.get("LAPIS_SOURCE_DIR", pathlib.Path(__file__).parents[2]))
LAPIS = pathlib.Path(os.environ.get("LAPIS_BINARY_DIR", SOURCE / "build")) / "bin/lapis"
HEAD = '<ir_version: 10, opset_import: ["" : 21]>\n'
LONG = HEAD + """g (float[2,6,8] x, float[8] b) => (float[2,6,8] y, float[2,6,8] z, float[2,6,1] m)
<float[1] k = {1.5}> {
  a = Add(x, b)
  r = Relu(a)
  e = Exp(r)
  s = Softmax<axis = 2>(e)
  y = Mul(s, k)
  z = Sub(y, x)
  m = ReduceMax<keepdims = 1>(z)
}
"""


class Reduce(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="lapis_reduce_")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.model = self.folder / "long.onnxtxt"
        self.model.write_text(LONG)
        self.small = self.folder / "small.onnx"

    def lapis(self, *args):
        return subprocess.run([LAPIS, *map(str, args)], cwd=self.folder, capture_output=True, text=True, timeout=300)

    def reduce(self, command, *args):
        run = self.lapis("reduce", self.model, "-o", self.small, "--with", command, "--json", *args)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(run.stderr, "", "no progress where stderr is no terminal")
        return json.loads(run.stdout)

    def has(self, *operators):
        """A command that is content while the model has all of these operators."""
        text = f"{LAPIS} inspect --text {{}}"
        return " && ".join(f"{text} | grep -q '{op} *[(<]'" for op in operators)

    def text(self):
        run = self.lapis("inspect", "--text", self.small)
        self.assertEqual(run.returncode, 0, run.stderr)
        return run.stdout

    def test_one_operator_is_left(self):
        report = self.reduce(self.has("Softmax"))
        self.assertEqual((report["nodes_before"], report["nodes_after"]), (7, 1))
        self.assertEqual((report["inputs_after"], report["constants_after"]), (1, 0))
        text = self.text()
        self.assertIn("Softmax", text)
        self.assertNotIn("Exp", text)
        self.assertIn("[1,1,1]", text.replace(" ", ""), "sizes shrink")
        self.assertNotIn("axis", text.split("Softmax")[1].split("(")[0], "attributes that do not matter go")

    def test_two_operators_and_what_joins_them(self):
        report = self.reduce(self.has("Exp", "Sub"))
        self.assertEqual(report["nodes_after"], 2)

    def test_first_operator(self):
        self.assertEqual(self.reduce(self.has("Add"))["nodes_after"], 1)

    def test_sizes_that_matter_stay(self):
        run = self.reduce(f"{LAPIS} inspect --text {{}} | tr -d ' ' | grep -q 'float\\[.*,6,.*\\]'")
        self.assertLessEqual(run["nodes_after"], 1)
        self.assertIn(",6,", self.text().replace(" ", ""))

    def test_without_braces_the_file_comes_last(self):
        script = self.folder / "interesting.sh"
        script.write_text(f'#!/bin/sh\n{LAPIS} inspect --text "$1" | grep -q Relu\n')
        script.chmod(0o755)
        self.assertEqual(self.reduce(script)["nodes_after"], 1)

    def test_crashes_of_the_command_do_not_matter(self):
        command = f"{LAPIS} inspect --text {{}} | grep -q Softmax || kill -SEGV $$"
        self.assertEqual(self.reduce(command)["nodes_after"], 1)

    def test_nothing_to_keep(self):
        for args in (["--with", "false"], []):
            run = self.lapis("reduce", self.model, "-o", self.small, *args)
            self.assertEqual(run.returncode, 2, run.stderr)
            self.assertIn("nothing to keep", run.stderr)
            self.assertIn("hint:", run.stderr)
            self.assertFalse(self.small.exists())

    def test_a_hang_is_no_success(self):
        run = self.lapis("reduce", self.model, "-o", self.small, "--with", "sleep 60", "--timeout", "0.3")
        self.assertEqual(run.returncode, 2, run.stderr)

    def test_best_model_is_kept_when_interrupted(self):
        """Every success is on disk at once: a command that ends the reducer after some attempts leaves a smaller model."""
        counter = self.folder / "count"
        command = (f"echo x >> {counter}; [ $(wc -l < {counter}) -lt 12 ] || kill -INT $PPID; " + self.has("Softmax"))
        run = self.lapis("reduce", self.model, "-o", self.small, "--with", command)
        self.assertNotEqual(run.returncode, 0)
        self.assertIn("Softmax", self.text())
        self.assertNotIn("ReduceMax", self.text())


if __name__ == "__main__":
    unittest.main(verbosity=2)
