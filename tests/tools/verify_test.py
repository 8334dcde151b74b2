"""`lapis verify` as a judge: what it must see. A wrong pass or kernel is played by an artifact that was compiled from another model than the
one that --source names. The tests with ONNX Runtime skip where the package is missing.
"""
import itertools
import os
import struct
import subprocess
import unittest

from cli import *  # noqa: F403

PYTHON = os.environ.get("LAPIS_PYTHON") or next(
    (str(p) for p in (LAPIS.parents[1] / "venv/bin/python", SOURCE / "build/venv/bin/python") if p.exists()), "python3")


def has_onnxruntime():
    return subprocess.run([PYTHON, "-c", "import onnxruntime"], capture_output=True).returncode == 0


class Verify(Cli):
    def model(self, name, body, types="float[4] x", result="float[4] y", constants=""):
        constants = f"<{constants}>" if constants else ""
        return self.write(name, HEAD + f"g ({types}) => ({result}) {constants} {{ {body} }}")

    def judge(self, code, compiled, wanted, *args, types="float[4] x", result="float[4] y", constants=""):
        """Verifies the code of `compiled` against the model `wanted`."""
        self.passes("compile", self.model("compiled.onnxtxt", compiled, types, result, constants), "-o", "code.lapis")
        source = self.model("wanted.onnxtxt", wanted, types, result, constants)
        return self.json("verify", "code.lapis", "--source", source, *args, code=code)["outputs"]


class Forms(Verify):
    def test_an_artifact_has_its_shapes(self):
        """A dimension that is 1 unless something else is said: the source is bound to what the code was made for."""
        model = self.model("m.onnxtxt", "y = Relu(x)", "float[N,4] x", "float[N,4] y")
        self.passes("compile", model, "--dim", "N=3", "-o", "m.lapis")
        line, = self.json("verify", "m.lapis", "--source", model)["outputs"]
        self.assertEqual(line["bytes"], 3 * 4 * 4)

    def test_floats_that_are_quantized_again(self):
        """A sum of floats may lie beside a tie: a step of the scale is no wrong byte, unless bytes are asked for."""
        weights = "int8[4,2] w = {1, 2, 3, 4, 5, 6, 7, 8}, float s = {0.5}, float t = {0.1}, uint8 z = {128}, int8 zw = {0}"
        tail = "q = QuantizeLinear(f, t, z)  d = DequantizeLinear(q, t, z)  v = DequantizeLinear(w, s, zw)  y = MatMul(d, v)"
        for front, wanted in (("f = Exp(x)", 0.05), ("f = Relu(x)", 1e-4)):
            model = self.model("m.onnxtxt", front + "  " + tail, "float[1,4] x", "float[1,2] y", weights)
            for flags, tolerance in (([], wanted), (["--tolerance", "0"], 0)):
                line = self.json("verify", model, *flags)["outputs"][-1]
                self.assertEqual((line["stage"], line["tolerance"]), ("integer form", tolerance), front)


class Values(Verify):
    def test_bytes_of_64_bits(self):
        """Doubles do not tell 2^53 from 2^53 + 1."""
        npy(self.folder / "x.npy", "<i8", [4], struct.pack("<4q", 2**53, -(2**53), 2**62, 0))
        int64 = {"types": "int64[4] x", "result": "int64[4] y", "constants": "int64 one = {1}"}
        for tolerance in ("0", "1e-4"):
            for code, body in ((OK, "y = Add(x, one)"), (CHECK_FAILED, "y = Identity(x)")):
                line, = self.judge(code, body, "y = Add(x, one)", "--input", "x=@x.npy", "--tolerance", tolerance, **int64)
                self.assertEqual(line["largest_error"], 0 if code == OK else 1)

    def test_signs_of_zero(self):
        """They differ in bytes only."""
        floats(self.folder / "x.npy", [4], [0.0, 1.0, -1.0, 0.0])
        args = ("y = Neg(x)", "y = Sub(zero, x)", "--input", "x=@x.npy")
        line, = self.judge(CHECK_FAILED, *args, "--tolerance", "0", constants="float zero = {0}")
        self.assertEqual((line["differing_bytes"], line["largest_error"]), (2, 0))
        self.judge(OK, *args, constants="float zero = {0}")

    def test_nan(self):
        """It equals itself and nothing else, however large the tolerance."""
        floats(self.folder / "x.npy", [4], [0.0, 1.0, 2.0, float("inf")])
        nan = "y = Div(x, x)"
        for tolerance in ("0", "1e-4", "1e30"):
            flags = ("--input", "x=@x.npy", "--tolerance", tolerance)
            self.judge(OK, nan, nan, *flags)
            self.judge(CHECK_FAILED, "y = Identity(x)", nan, *flags)
            self.judge(CHECK_FAILED, nan, "y = Identity(x)", *flags)

    def test_infinities(self):
        floats(self.folder / "x.npy", [4], [float("inf"), float("-inf"), 1.0, 2.0])
        self.judge(OK, "y = Identity(x)", "y = Identity(x)", "--input", "x=@x.npy")
        self.judge(CHECK_FAILED, "y = Neg(x)", "y = Identity(x)", "--input", "x=@x.npy", "--tolerance", "1e30")

    def test_integers_and_booleans_are_exact(self):
        int32 = {"types": "int32[4] x", "result": "int32[4] y", "constants": "int32 one = {1}"}
        npy(self.folder / "x.npy", "<i4", [4], struct.pack("<4i", 2**30, 1, 2, 3))
        self.judge(CHECK_FAILED, "y = Add(x, one)", "y = Identity(x)", "--input", "x=@x.npy", "--tolerance", "0.5", **int32)

    def test_shapes_and_types(self):
        """Another shape or type than the model says is a difference, not an error of usage."""
        self.passes("compile", self.model("a.onnxtxt", "y = Relu(x)"), "-o", "code.lapis")
        source = self.model("b.onnxtxt", "y = ReduceSum<keepdims = 0>(x)", result="float y")
        line, = self.json("verify", "code.lapis", "--source", source, code=CHECK_FAILED)["outputs"]
        self.assertEqual((line["got"].split()[0], line["wanted"].split()[0]), ("float[4]", "float[]"))


class Inputs(Verify):
    """Without --input a wrong operator must show for every type."""

    def test_every_type_means_something(self):
        for dtype in ("float", "double", "float16", "bfloat16", "int8", "int16", "int32", "int64"):
            kind = {"types": f"{dtype}[64] x", "result": f"{dtype}[64] y"}
            self.judge(CHECK_FAILED, "y = Identity(x)", "y = Neg(x)", **kind)
            self.judge(OK, "y = Neg(x)", "y = Neg(x)", "--tolerance", "0", **kind)
        self.judge(CHECK_FAILED, "y = Identity(x)", "y = Not(x)", types="bool[64] x", result="bool[64] y")
        for dtype in ("uint8", "uint16", "uint32", "uint64"):
            kind = {"types": f"{dtype}[64] x", "result": f"{dtype}[64] y", "constants": f"{dtype} c = {{3}}"}
            self.judge(CHECK_FAILED, "y = Identity(x)", "y = Max(x, c)", **kind)

    def test_integers_use_their_width(self):
        """A limit that only large values cross."""
        for dtype, limit in (("int8", 100), ("int32", 2**20), ("int64", 2**40), ("uint64", 2**40), ("uint8", 200)):
            kind = {"types": f"{dtype}[256] x", "result": f"{dtype}[256] y", "constants": f"{dtype} c = {{{limit}}}"}
            self.judge(CHECK_FAILED, "y = Identity(x)", "y = Min(x, c)", **kind)

    def test_indices_reach_every_row_and_no_other(self):
        kind = {"types": "int64[64] x", "result": "float[64] y", "constants": "float[5] a = {0, 1, 2, 3, 4}, float[5] b = {0, 1, 2, 3, 9}"}
        self.judge(OK, "y = Gather(a, x)", "y = Gather(a, x)", "--tolerance", "0", "--seed", "1,2,3", **kind)
        self.judge(CHECK_FAILED, "y = Gather(a, x)", "y = Gather(b, x)", **kind)
        changed = {**kind, "constants": kind["constants"] + ", int64 four = {3}"}
        self.judge(OK, "i = Add(x, four) y = Gather(a, i)", "i = Add(x, four) y = Gather(a, i)", **changed)

    def test_seeds(self):
        lines = self.judge(CHECK_FAILED, "y = Identity(x)", "y = Neg(x)", "--seed", "1,2,3")
        self.assertEqual([line["stage"] for line in lines], ["seed 1: model", "seed 2: model", "seed 3: model"])
        self.assertEqual(len({line["largest_error"] for line in lines}), 3, "every seed gives other values")
        again = self.judge(CHECK_FAILED, "y = Identity(x)", "y = Neg(x)", "--seed", "2")
        self.assertEqual(again[0]["largest_error"], lines[1]["largest_error"])

    def test_strings_are_refused(self):
        model = self.model("s.onnxtxt", "y = Identity(x)", "string[2] x", "string[2] y")
        self.fails(UNSUPPORTED, "verify", model, says=["s.onnxtxt", "string[2]"])

    def test_seed_or_input(self):
        floats(self.folder / "x.npy", [4])
        self.fails(USAGE, "verify", self.write("m.onnxtxt", RELU), "--input", "x=@x.npy", "--seed", "2", says="--seed")


class IntegerForm(Verify):
    """A Q/DQ model is asked twice: against itself as imported, and byte for byte against its integer form."""

    QDQ = ("q = QuantizeLinear(x, s, z) d = DequantizeLinear(q, s, z) wd = DequantizeLinear(w, ws, wz) h = MatMul(d, wd) "
           "r = Relu(h) rq = QuantizeLinear(r, s, z) y = DequantizeLinear(rq, s, z)")

    def constants(self, weight):
        weights = ", ".join(str(weight if i == 5 else i % 7 - 3) for i in range(64))
        return f"float s = {{0.005}}, uint8 z = {{128}}, float ws = {{0.02}}, int8 wz = {{0}}, int8[8,8] w = {{{weights}}}"

    def verify(self, code, weight, *args):
        shape = {"types": "float[64,8] x", "result": "float[64,8] y"}
        self.passes("compile", self.model("c.onnxtxt", self.QDQ, constants=self.constants(weight), **shape), "-o", "code.lapis")
        source = self.model("m.onnxtxt", self.QDQ, constants=self.constants(2), **shape)
        return self.json("verify", "code.lapis", "--source", source, *args, code=code)["outputs"]

    def test_right(self):
        for tolerance in ("0", "1e-4"):
            model, integer = self.verify(OK, 2, "--tolerance", tolerance, "--seed", "7")
            self.assertEqual((model["stage"], integer["stage"]), ("seed 7: model"[8:], "integer form"))
            self.assertEqual(integer["differing_bytes"], 0)
            self.assertGreater(model["tolerance"], float(tolerance))

    def test_a_step_of_a_coarse_scale_is_rounding(self):
        """On an exact tie the integer form and the model may take different neighbours; two steps are 10 % of this output."""
        coarse = self.constants(2).replace("{0.005}", "{0.05}")
        shape = {"types": "float[64,8] x", "result": "float[64,8] y"}
        model = self.model("m.onnxtxt", self.QDQ, constants=coarse, **shape)
        self.json("verify", model, "--seed", ",".join(map(str, range(1, 30))))

    def test_wrong_weight(self):
        model, integer = self.verify(CHECK_FAILED, 100)
        self.assertFalse(model["ok"] or integer["ok"])

    def test_wrong_by_one_step(self):
        """Rounding for the model, but not for its integer form."""
        self.assertFalse(self.verify(CHECK_FAILED, 4, "--tolerance", "0", "--requantization-tolerance", "0.2")[1]["ok"])

    def test_every_pass(self):
        lines = self.verify(OK, 2, "--each-pass", "--tolerance", "0")
        self.assertEqual([l["stage"] for l in lines],
                         ["01-simplify", "02-expand", "03-integer", "04-simplify", "05-hoist-invariants", "model", "integer form"])


@unittest.skipUnless(has_onnxruntime(), f"{PYTHON} has no package onnxruntime")
class OnnxRuntime(Verify):
    def agrees(self, *args, **kind):
        model = self.model("m.onnxtxt", *args, **kind)
        self.passes("convert", model, "-o", "m.onnx")
        for file in (model, "m.onnx"):
            for line in self.json("verify", file, "--against", "onnxruntime", "--tolerance", "0")["outputs"]:
                self.assertTrue(line["ok"], line)

    def test_scalars(self):
        self.agrees("y = ReduceMax<keepdims = 0>(x)", result="float y")

    def test_types_that_numpy_lacks(self):
        self.agrees("y = Cast<to = 1>(x)", types="bfloat16[8] x", result="float[8] y")
        self.agrees("y = Cast<to = 16>(x)", types="float[8] x", result="bfloat16[8] y")

    def test_other_types(self):
        for dtype in ("float", "double", "int32", "int64", "uint8"):
            self.agrees("y = Add(x, x)", types=f"{dtype}[8] x", result=f"{dtype}[8] y")

    def test_every_pass(self):
        report = self.json("verify", MODEL, "--against", "onnxruntime", "--each-pass")
        self.assertEqual(len(report["outputs"]), 7)

    def test_the_current_folder_is_no_package(self):
        for name in ("numpy.py", "onnxruntime.py", "json.py"):
            self.write(name, "raise SystemExit(9)")
        self.agrees("y = Relu(x)")


if __name__ == "__main__":
    main()
