"""The verbs that make models smaller or faster as they are, and those that say what came of it: prune, optimize, diff, explain."""
import json
import signal
import struct
import subprocess
import time
import unittest

from cli import *  # noqa: F403

AVX2 = "x86-64+avx2"
HAS_BF16 = "x86-64+avx512bf16"


class Prune(Cli):
    def test_sparsity_by_tensor(self):
        report = self.json("prune", MODEL, "--sparsity", 0.3, "-o", "p.onnx")
        self.assertAlmostEqual(report["sparsity"], 0.3, delta=0.01)
        self.assertTrue(all(abs(w["zeros"] / w["elements"] - 0.3) < 0.05 for w in report["weights"] if w["elements"] > 100))
        self.assertNotIn("damage", report)
        self.passes("run", "p.onnx", "--backend", "reference", "--input", f"image=@{self.image()}")
        self.assertRegex(self.passes("prune", MODEL, "--sparsity", 0.3, "-o", "p.onnx"), r"(?m)^unstructured +\d+ +100.0 % +30\.\d % +Conv ")

    def image(self):
        floats(self.folder / "image.npy", [1, 1, 28, 28])
        return "image.npy"

    def test_patterns_with_and_without_compensation(self):
        damage = {}
        for flags in ([], ["--compensate"]):
            report = self.json("prune", MODEL, "--pattern", "2:4", "--calibration", DATA, "--samples", 32, *flags, "-o", "p.onnx")
            damage[len(flags)] = report["damage"]["outputs"][0]["sqnr"]
        self.assertGreater(damage[1], damage[0] + 2)
        for pattern in ("4x1", "16x4"):
            self.assertGreater(self.json("prune", MODEL, "--sparsity", 0.5, "--pattern", pattern, "-o", "p.onnx")["sparsity"], 0.3)
        self.assertAlmostEqual(self.json("prune", MODEL, "--sparsity", 0.5, "--scope", "global", "-o", "p.onnx")["sparsity"], 0.5, delta=0.01)

    def test_channels_make_the_model_smaller(self):
        report = self.json("prune", MODEL, "--sparsity", 0.5, "--pattern", "channel", "-o", "p.onnx")
        self.assertGreater(report["sparsity"], 0.6)
        self.assertTrue(any("channels" in w["note"] and "left whole" not in w["note"] for w in report["weights"]))
        last = report["weights"][-1]
        self.assertIn("output 'logits' of the model", last["note"])
        self.assertLess((self.folder / "p.onnx").stat().st_size, 0.5 * MODEL.stat().st_size)
        self.passes("verify", "p.onnx")

    def test_products_of_equations_have_weights(self):
        model = self.write("m.onnxtxt", HEAD + "g (float[2,6,4] x) => (float[2,6,3] y) <float[4,3] w = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}>\n"
                                               '{ y = Einsum <equation = "nsc,cd->nsd"> (x, w) }\n')
        self.assertEqual(self.json("prune", model, "--sparsity", 0.5, "-o", "p.onnx")["weights"][0]["zeros"], 6)
        report = self.json("optimize", model, "--precision", "bf16", "--target", HAS_BF16, "-o", "o.onnx")
        self.assertEqual(report["bf16"]["bf16_nodes"], 1)

    def test_a_recipe_prunes_and_quantizes_in_one_run(self):
        recipe = self.write("r.yaml", 'recipe: 1\ndefault:\n  sparsity: {pattern: "2:4", compensate: true}\nrules:\n'
                                      "  - {contraction: last, sparsity: {ratio: 0}}\n")
        command = ["quantize", MODEL, "--calibration", DATA, "--samples", 16]
        report = self.json(*command, "--recipe", recipe, "--save-recipe", "done.yaml", "-o", "q.onnx")
        self.assertGreater(report["pruned"]["sparsity"], 0.2)
        self.assertEqual(report["pruned"]["weights"][-1]["zeros"], 0)
        self.assertGreater(report["quantized_nodes"], 20)
        self.assertGreater(report["damage"]["outputs"][0]["sqnr"], 3)
        self.passes(*command, "--recipe", "done.yaml", "-o", "again.onnx")
        self.assertEqual((self.folder / "q.onnx").read_bytes(), (self.folder / "again.onnx").read_bytes())
        self.passes("prune", MODEL, "--recipe", recipe, "--calibration", DATA, "--samples", 16, "-o", "p.onnx")
        self.fails(USAGE, "quantize", MODEL, "--method", "dynamic", "--recipe", recipe, "-o", "d.onnx", says="`compensate` needs samples")

    def test_nothing_that_is_pruned_is_said(self):
        left = self.passes("prune", MODEL, "--sparsity", 0.3, "--exclude-pattern", ".*", "-o", "p.onnx")
        self.assertIn("nothing is pruned: all nodes are left whole", left)
        relu = self.write("relu.onnxtxt", RELU)
        self.assertIn("nothing is pruned: the model has no Conv", self.passes("prune", relu, "--sparsity", 0.3, "-o", "r.onnx"))

    def test_wrong_use(self):
        prune = ["prune", MODEL, "-o", "p.onnx"]
        for args, says in (
            ([], "nothing says how much is pruned"),
            (["--sparsity", "1"], "--sparsity"),
            (["--sparsity", "nan"], "--sparsity"),
            (["--sparsity", "0"], "nothing is pruned"),
            (["--sparsity", "0.3", "--pattern", "4:2"], "no pattern '4:2'"),
            (["--sparsity", "0.3", "--pattern", "2:4"], "which is another `ratio`"),
            (["--sparsity", "0.3", "--scope", "layer"], "--scope"),
            (["--pattern", "2:4", "--compensate"], "`compensate` needs samples"),
            (["--sparsity", "0.3", "--exclude", "gone"], "'gone'"),
            (["--sparsity", "0.3", "--exclude-type", "Convv"], "did you mean 'Conv'"),
        ):
            self.fails(USAGE, *prune, *args, says=says)
        self.fails(IO, "prune", MODEL, "--sparsity", 0.3, "-o", "nowhere/p.onnx", says="nowhere")
        for text, code, says in (
            ("recipe: 1\ndefault: {sparsity: {ratio: 2}}\n", INPUT, ["r.yaml:2", "`ratio`"]),
            ("recipe: 1\ndefault: {sparsity: {patern: 2x1}}\n", INPUT, ["r.yaml:2", "did you mean 'pattern'"]),
            ("recipe: 1\ndefault: {sparsity: {pattern: 3to4}}\n", INPUT, ["r.yaml:2", "there is no pattern '3to4'"]),
            ("recipe: 1\nrules:\n  - {type: Relu, sparsity: {ratio: 0.3}}\n", USAGE, ["r.yaml:3", "Relu has no weights"]),
        ):
            self.fails(code, *prune, "--recipe", self.write("r.yaml", text), says=says)

    def test_standard_output_and_ctrl_c(self):
        run = subprocess.run([LAPIS, "prune", MODEL, "--sparsity", "0.3", "-o", "-"], capture_output=True)
        self.assertEqual(run.returncode, OK)
        self.assertIn(b"of these weights are 0 or gone", run.stderr)
        self.write("piped.onnx", run.stdout)
        self.passes("inspect", "piped.onnx")
        (self.folder / "piped.onnx").unlink()
        child = subprocess.Popen([LAPIS, "prune", MODEL, "--pattern", "2:4", "--compensate", "--calibration", DATA, "--backend", "reference", "-o", "p.onnx"],
                                 cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        time.sleep(0.5)
        self.assertIsNone(child.poll(), "finished before it could be interrupted")
        child.send_signal(signal.SIGINT)
        _, stderr = child.communicate(timeout=60)
        self.assertEqual(child.returncode, INTERRUPTED, stderr)
        self.assertEqual(self.files(), {})


class Optimize(Cli):
    def test_fp32(self):
        report = self.json("optimize", MODEL, "-o", "o.onnx")
        self.assertLessEqual(report["nodes"], report["nodes_before"])
        self.assertNotIn("bf16", report)
        self.passes("verify", "o.onnx")

    def test_bf16(self):
        report = self.json("optimize", MODEL, "--precision", "bf16", "--target", HAS_BF16, "-o", "o.onnx")
        self.assertGreater(report["bf16"]["bf16_nodes"], 5)
        self.assertTrue(all(n["bf16"] or n["note"] for n in report["bf16"]["nodes"]))
        self.assertEqual([i["dtype"] for i in self.json("inspect", "o.onnx")["inputs"]], ["float"])
        floats(self.folder / "image.npy", [1, 1, 28, 28])
        self.passes("run", "o.onnx", "--backend", "reference", "--input", "image=@image.npy")
        run = self.lapis("explain", "o.onnx", "--target", HAS_BF16, "--runs", 1, "--require", "Conv:bf16", "--json")
        if run.returncode != TARGET:  # this host has it
            self.assertIn(run.returncode, (OK, CHECK_FAILED), run.stderr)
            self.assertIn("bf16", {s["precision"] for s in json.loads(run.stdout)["steps"]})

    def test_bounds_that_nothing_is_held_to(self):
        self.fails(USAGE, "optimize", MODEL, "--min-sqnr", 30, "--calibration", DATA, "-o", "o.onnx", says="nothing is to compute in it")

    def test_bf16_within_a_bound(self):
        command = ["optimize", MODEL, "--precision", "bf16", "--target", HAS_BF16, "--calibration", DATA, "--samples", 2, "--backend", "reference"]
        report = self.json(*command, "--min-sqnr", 60, "-o", "o.onnx")
        self.assertGreaterEqual(report["bf16"]["damage"]["outputs"][0]["sqnr"] if report["bf16"]["bf16_nodes"] else 60, 60)
        loose = self.json(*command, "-o", "o.onnx")
        self.assertLess(report["bf16"]["bf16_nodes"], loose["bf16"]["bf16_nodes"])

    def test_a_recipe_mixes_three_precisions(self):
        recipe = self.write("r.yaml", "recipe: 1\ndefault: {floats: bf16}\nrules:\n  - {contraction: last, precision: bf16}\n")
        report = self.json("quantize", MODEL, "--calibration", DATA, "--samples", 4, "--recipe", recipe, "--target", HAS_BF16, "-o", "q.onnx")
        self.assertGreater(report["quantized_nodes"], 10)
        self.assertGreater(report["bf16"]["bf16_nodes"], 0)
        self.assertIn("Cast", self.json("inspect", "q.onnx")["operators"])

    def test_wrong_use(self):
        command = ["optimize", MODEL, "-o", "o.onnx"]
        for args, says in (
            (["--precision", "fp16"], "--precision"),
            (["--precision", "bf16", "--target", AVX2], ["AVX-512 BF16 is missing", "--target x86-64+avx512bf16"]),
            (["--precision", "bf16", "--target", HAS_BF16, "--min-sqnr", "30"], "needs samples"),
            (["--min-sqnr", "-1"], "--min-sqnr"),
            (["--precision", "bf16", "--target", HAS_BF16, "--exclude", "gone"], "'gone'"),
        ):
            self.fails(USAGE, *command, *args, says=says)
        self.fails(IO, "optimize", MODEL, "-o", "nowhere/o.onnx", says="nowhere")
        self.fails(INPUT, *command, "--recipe", self.write("r.yaml", "recipe: 1\ndefault: {precision: bf16, floats: fp32}\n"), says=["r.yaml:2", "contradict"])


class Explain(Cli):
    def test_why_not_int8_and_what_it_costs(self):
        report = self.json("explain", MODEL, "--runs", 2)
        self.assertTrue(all("not_int8" in s for s in report["steps"]))
        reasons = {r["reason"] for r in report["not_int8"]}
        self.assertIn("nobody has quantized the model; `lapis quantize` would compute it in int8", reasons)
        self.passes("quantize", MODEL, "--calibration", DATA, "--samples", 4, "--exclude-type", "Gemm", "-o", "q.onnx")
        report = self.json("explain", "q.onnx", "--runs", 2, "--ranges")
        gemm = [s for s in report["steps"] if s["precision"] == "fp32" and s["not_int8"]]
        self.assertTrue(any("not dequantized from 8 bits" in s["not_int8"] for s in gemm), gemm)
        self.assertGreater(len(report["ranges"]), 5)
        self.assertTrue(all(r["low"] <= 0 <= r["high"] for r in report["ranges"]))
        recipe = self.write("r.yaml", "recipe: 1\nrules:\n  - {type: Conv, precision: fp32}\n")
        reasons = {r["reason"] for r in self.json("explain", MODEL, "--runs", 1, "--recipe", recipe)["not_int8"]}
        self.assertIn("excluded by operator type", reasons)

    def test_which_node_hurts(self):
        report = self.json("explain", MODEL, "--runs", 1, "--sensitivity", DATA, "--sensitivity-samples", 4)
        found = report["sensitivity"]
        operators = [n["operator"] for n in found["nodes"]]
        self.assertIn("Conv", operators)
        self.assertEqual([n["sqnr_db"] for n in found["nodes"]], sorted(n["sqnr_db"] for n in found["nodes"]))
        self.assertLess(found["all_int8_db"], found["nodes"][-1]["sqnr_db"])
        # The recipe decides which nodes there are.
        recipe = self.write("r.yaml", "recipe: 1\nrules:\n  - {type: Conv, precision: fp32}\n")
        report = self.json("explain", MODEL, "--runs", 1, "--sensitivity", DATA, "--sensitivity-samples", 4, "--recipe", recipe)
        self.assertNotIn("Conv", [n["operator"] for n in report["sensitivity"]["nodes"]])
        self.assertIn("dB alone", self.passes("explain", MODEL, "--runs", 1, "--sensitivity", DATA, "--sensitivity-samples", 1))
        self.passes("quantize", MODEL, "--calibration", DATA, "--samples", 4, "-o", "q.onnx")
        self.fails(USAGE, "explain", "q.onnx", "--runs", 1, "--sensitivity", DATA, says=["quantized already", "lapis diff"])

    def test_why_not_fused(self):
        weights = ", ".join(str(i % 5) for i in range(36))
        head = HEAD + f"g (float[1,1,8,8] x) => (float[1,4,6,6] y, float[1,4,6,6] c) <float[4,1,3,3] w = {{{weights}}}> "
        self.write("two.onnxtxt", head + "{ c = Conv(x, w) y = Relu(c) }\n")
        report = self.json("explain", "two.onnxtxt", "--runs", 2)
        self.assertEqual(["Relu 'y': 'c' is an output of the model too"], [r["reason"] for r in report["not_fused"]])
        self.assertIn("why not fused", self.passes("explain", "two.onnxtxt", "--runs", 1))
        self.assertEqual(self.json("explain", MODEL, "--runs", 1)["not_fused"], [])

    def test_pairs_that_are_not_fused(self):
        weights = ", ".join(str(i) for i in range(16))
        self.write("pair.onnxtxt", HEAD + f"""g (float[1,4] x) => (float[1,4] y)
            <float[4,4] w = {{{weights}}}, float s = {{0.5}}, uint8 zq = {{3}}, int8[4,4] wq = {{{weights}}}, int8 z = {{0}}> {{
              a = QuantizeLinear(x, s, zq)
              p_quantized = QLinearMatMul(a, s, zq, wq, s, z, s, zq)
              p_dequantized = DequantizeLinear(p_quantized, s, zq)
              q = MatMul(p_dequantized, w)
              y = Add(q, p_dequantized) }}""")
        reasons = [r["reason"] for r in self.json("explain", "pair.onnxtxt", "--runs", 1)["not_fused"]]
        self.assertTrue(any(r.startswith("DequantizeLinear: ") for r in reasons), reasons)

    def test_requirements(self):
        self.passes("quantize", MODEL, "--calibration", DATA, "--samples", 4, "-o", "q.onnx")
        self.passes("explain", "q.onnx", "--runs", 1, "--require", "Conv:int8")
        text = self.passes("explain", MODEL, "--runs", 1, "--require", "Conv:int8", code=CHECK_FAILED)
        self.assertRegex(text, r"(?m)^required Conv:int8: '\S+' computes in fp32: nobody has quantized the model")
        report = self.json("explain", MODEL, "--runs", 1, "--require", "Conv:int8", "--require", ".*:fp32", code=CHECK_FAILED)
        self.assertEqual({f["required"] for f in report["failed"]}, {"Conv:int8"})
        for text, says in (("Conv", "names no precision"), ("Conv:int4", "names no precision"), ("[:int8", "regular expression"),
                           ("LSTM:int8", "about no node"), ("nobody:int8", "about no node")):
            self.fails(USAGE, "explain", MODEL, "--runs", 1, "--require", text, says=says)
        self.passes("compile", "q.onnx", "-o", "q.lapis")
        self.fails(USAGE, "explain", "q.lapis", "--runs", 1, "--require", "Conv:int8", says="an artifact does not say")
        self.passes("explain", "q.lapis", "--runs", 1)


class InputsThatAreAlwaysTheSameNumber(Cli):
    """A model for several rates, of which a data set has one: what stands in branches of an If is quantized only when it is known which."""

    def setUp(self):
        super().setUp()
        def branch(name, factor):
            return (f"{name} () => (float[N,3] {name}_y) <float[4,3] {name}_w = {{{', '.join(str(factor * (i % 5 - 2)) for i in range(12))}}}>"
                    f" {{ {name}_y = MatMul(x, {name}_w) }}")
        self.write("m.onnxtxt", HEAD + "g (float[N,4] x, int64 rate) => (float[N,3] y) <int64 low = {8000}> {\n c = Equal(rate, low)\n"
                   f" y = If (c) <then_branch = {branch('a', 1)}, else_branch = {branch('b', -1)}>\n}}\n")
        floats(self.folder / "x.npy", (6, 4))
        npy(self.folder / "y.npy", "<f4", (6, 3), b"\0" * 72)
        self.data = self.write("d.yaml", "inputs: [{name: x, npy: x.npy}, {name: rate, constant: {value: 8000, dtype: int64}, batch: false}]\n"
                               "labels: {npy: y.npy}\nmetric: {name: mae}\n")

    def test_they_decide_what_is_quantized(self):
        report = self.json("quantize", "m.onnxtxt", "--calibration", self.data, "-o", "q.onnx")
        self.assertEqual(report["quantized_nodes"], 1)
        self.assertIn("'rate' is 8000 in every sample", report["about_inputs"][0])
        self.assertGreater(report["damage"]["outputs"][0]["sqnr"], 20)
        # Neither is an obstacle that the model has no such input any more, nor that the one it is compared with has it.
        report = self.json("eval", "q.onnx", "--data", self.data, "--against", "m.onnxtxt")
        self.assertAlmostEqual(report["value"], report["against"]["value"], delta=0.1)
        nodes = self.json("explain", "m.onnxtxt", "--dim", "N=1", "--runs", 1, "--sensitivity", self.data)["sensitivity"]["nodes"]
        self.assertEqual([n["operator"] for n in nodes], ["MatMul"])

    def test_what_is_missing_is_said(self):
        npy(self.folder / "rate.npy", "<i8", (6,), struct.pack("<6q", *[8000, 16000] * 3))
        several = self.write("s.yaml", self.data.read_text().replace("constant: {value: 8000, dtype: int64}", "npy: rate.npy"))
        report = self.json("quantize", "m.onnxtxt", "--calibration", several, "-o", "q.onnx")
        self.assertEqual(report["quantized_nodes"], 0)
        self.assertRegex(report["about_inputs"][0], "2 of its products stand in branches of the If '.*', which are not quantized: 'rate' decides; --value")
        self.fails(MISMATCH, "eval", "q.onnx", "--data", self.write("e.yaml", "inputs: [{name: x, npy: x.npy}]\nlabels: {npy: y.npy}\n"
                                                                    "metric: {name: mae}\n"), says="'rate' is missing")


class Diff(Cli):
    def setUp(self):
        super().setUp()
        self.passes("quantize", MODEL, "--calibration", DATA, "--samples", 4, "-o", "q.onnx", "--save-recipe", "a.yaml")

    def test_models(self):
        report = self.json("diff", MODEL, "q.onnx", "--runs", 2, "--data", DATA)
        convolutions = [n for n in report["nodes"] if n["a"]["precision"] == "fp32" and n["b"]["precision"] == "int8" and n["a"]["bytes"]]
        self.assertGreater(len(convolutions), 4)
        self.assertTrue(all(n["a"]["bytes"] > 1.5 * n["b"]["bytes"] > 0 for n in convolutions), convolutions)
        self.assertTrue(all(10 < n["sqnr"] < 80 for n in convolutions if "sqnr" in n))
        self.assertGreater(sum("sqnr" in n for n in convolutions), 4)
        self.assertEqual([o["output"] for o in report["damage"]["outputs"]], ["logits"])
        self.assertGreater(report["total"]["a"]["microseconds"], 0)
        text = self.passes("diff", MODEL, "q.onnx", "--runs", 1)
        self.assertRegex(text, r"(?m)^a us +b us +a type +b type +b to a +a bytes +b bytes +nodes")
        self.assertRegex(text, r"(?m)^output 'logits': \d+\.\d dB")

    def test_the_same_model(self):
        report = self.json("diff", "q.onnx", "q.onnx", "--runs", 1)
        self.assertEqual({n["sqnr"] for n in report["nodes"] if "sqnr" in n}, {"exact"})
        self.assertTrue(all(n["a"]["precision"] == n["b"]["precision"] and n["a"]["bytes"] == n["b"]["bytes"] for n in report["nodes"]))

    def test_sizes_that_are_computed_from_constants(self):
        model = self.write("m.onnxtxt", HEAD + "g (float[1,1,4,4] x) => (float[1,1,h,w] y)\n"
                                               "<int64[4,2] ends = {0,0, 0,0, 0,1, 0,1}, int64[1] flat = {-1}, float[1,1,2,2] k = {1,2,3,4}> {\n"
                                               "  turned = Transpose<perm = [1,0]>(ends)\n  amounts = Reshape(turned, flat)\n"
                                               "  padded = Pad(x, amounts)\n  y = Conv(padded, k)\n}\n")
        self.passes("prune", model, "--sparsity", 0.5, "-o", "p.onnx")
        report = self.json("diff", model, "p.onnx", "--runs", 1)
        self.assertTrue(3 < report["damage"]["outputs"][0]["sqnr"] < 20, report["damage"])

    def test_artifacts(self):
        self.passes("compile", "q.onnx", "-o", "q.lapis")
        report = self.json("diff", MODEL, "q.lapis", "--runs", 1)
        self.assertIn("int8", {n["b"]["precision"] for n in report["nodes"]})
        self.assertFalse(any("sqnr" in n for n in report["nodes"]))

    def test_recipes(self):
        other = self.write("b.yaml", 'recipe: 1\ndefault: {range: {method: minmax}}\nrules:\n  - {type: Conv, sparsity: {pattern: "2:4"}}\n')
        report = self.json("diff", "a.yaml", other, "--model", MODEL)
        self.assertTrue(any("50.0 % pruned, 2:4" in n["b"] for n in report["nodes"]))
        self.assertEqual(self.json("diff", "a.yaml", "a.yaml", "--model", MODEL)["nodes"], [])
        self.fails(USAGE, "diff", "a.yaml", other, says="--model M.onnx")
        self.fails(USAGE, "diff", "a.yaml", MODEL, says="one is a recipe")
        self.fails(USAGE, "diff", MODEL, MODEL, "--model", MODEL, says="--model is for two recipes")

    def test_strangers(self):
        self.fails(MISMATCH, "diff", MODEL, self.write("m.onnxtxt", RELU), says="one network")
        self.fails(USAGE, "diff", MODEL, says="other")
        self.fails(USAGE, "diff", MODEL, "q.onnx", "--runs", 0, says="--runs")
        self.fails(INPUT, "diff", MODEL, "gone.onnx", says="gone.onnx")


if __name__ == "__main__":
    main()
