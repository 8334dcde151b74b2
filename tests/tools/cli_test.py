"""The command line as scripts and people meet it: exit codes, messages, JSON, and what is left on disk afterwards.

Needs only the built `lapis`: models are ONNX text or the example network, arrays are written by hand.
"""
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time

from cli import *  # noqa: F403


class Interrupted(Cli):
    def interrupt(self, signal_number):
        command = [LAPIS, "quantize", MODEL, "--calibration", DATA, "--backend", "reference", "-o", "q.onnx"]
        child = subprocess.Popen(command, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        time.sleep(0.7)  # calibrating with the reference takes several seconds
        self.assertIsNone(child.poll(), "finished before it could be interrupted")
        child.send_signal(signal_number)
        stdout, stderr = child.communicate(timeout=60)
        self.assertEqual(child.returncode, INTERRUPTED, stderr)
        self.assertEqual(stdout, "")
        self.assertIn("interrupted", stderr)
        self.assertEqual(self.files(), {})

    def test_control_c(self):
        self.interrupt(signal.SIGINT)

    def test_terminate(self):
        self.interrupt(signal.SIGTERM)


class Works(Cli):
    """Every verb on the example network, and the fields that scripts rely on."""

    @classmethod
    def setUpClass(cls):
        cls.shared = tempfile.TemporaryDirectory(prefix="lapis_cli_")
        cls.addClassCleanup(cls.shared.cleanup)
        cls.quantized = pathlib.Path(cls.shared.name) / "q.onnx"
        command = [LAPIS, "quantize", MODEL, "--calibration", DATA, "--samples", "20", "-o", cls.quantized, "--json"]
        cls.quantize_report = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)

    def test_help_and_version(self):
        self.assertIn("quantize", self.passes("--help"))
        self.assertRegex(self.passes("--version"), r"^lapis \d+\.\d+\.\d+\n$")
        for verb in VERBS:
            self.assertIn("--json", self.passes(verb, "--help"))

    def test_quantize(self):
        report = self.quantize_report
        self.assertEqual(sum(n["quantized"] for n in report["nodes"]), report["quantized_nodes"])
        self.assertGreater(report["quantized_nodes"], 20)
        self.assertTrue(all(v["low"] <= v["high"] for v in report["values"]))
        damage = report["damage"]
        self.assertGreater(damage["samples"], 9)
        self.assertEqual([o["output"] for o in damage["outputs"]], ["logits"])
        self.assertGreater(damage["outputs"][0]["sqnr"], 25)
        self.assertEqual(len(damage["worst"]), 5)
        self.assertNotIn("warnings", report)

    def test_quantize_says_how_far_it_is_from_the_float_model(self):
        command = ["quantize", MODEL, "--calibration", DATA, "--samples", 4, "-o", "q.onnx"]
        self.assertRegex(self.passes(*command), r"against the float model, on 4 samples:\n  output 'logits': \d+\.\d dB\n  \w+ '")
        self.assertNotIn("against the float model", self.passes(*command, "--damage-samples", 0))
        bad = self.passes(*command, "--method", "percentile", "--percentile", 60)
        self.assertRegex(bad, r"output 'logits': warning: -?\d+\.\d dB of signal to quantization noise: far from the float model; most of the noise arises at '")
        self.assertIn("hint: keep '", bad)
        for method in ("moving_average", "entropy", "mse"):
            damage = self.json(*command, "--method", method)["damage"]
            self.assertGreater(damage["outputs"][0]["sqnr"], 3, method)

    def test_quantize_without_data(self):
        report = self.json("quantize", MODEL, "--method", "dynamic", "-o", "q.onnx")
        self.assertGreater(report["quantized_nodes"], 2)
        self.assertIn("DynamicQuantizeLinear", self.json("inspect", "q.onnx")["operators"])
        self.fails(USAGE, "quantize", MODEL, "-o", "q.onnx", says=["--calibration", "method: dynamic"])
        report = self.json("quantize", MODEL, "--method", "dynamic", "--calibration", DATA, "--samples", 2, "-o", "q.onnx")
        self.assertGreater(report["damage"]["outputs"][0]["sqnr"], 25)

    def test_a_saved_recipe_names_nodes_that_dynamic_ranges_replace(self):
        self.passes("quantize", MODEL, "--method", "dynamic", "-o", "q.onnx", "--save-recipe", "done.yaml")
        self.passes("quantize", MODEL, "--recipe", "done.yaml", "-o", "again.onnx")
        self.assertEqual((self.folder / "again.onnx").read_bytes(), (self.folder / "q.onnx").read_bytes())

    def test_quantize_keeps_the_scales_that_a_model_has(self):
        """What quantization-aware training wrote needs no data, and becomes int8 with its own ranges."""
        self.passes("quantize", MODEL, "--calibration", DATA, "--samples", 2, "-o", "q.onnx")
        report = self.json("quantize", "q.onnx", "-o", "qq.onnx")
        self.assertGreater(report["quantized_nodes"], 20)
        self.assertNotIn("values", report, "nothing is calibrated")
        self.passes("quantize", "qq.onnx", "-o", "qqq.onnx")
        self.assertEqual((self.folder / "qq.onnx").read_bytes(), (self.folder / "qqq.onnx").read_bytes())
        body = ("<float sx = {0.1}, uint8 zx = {128}, float[4,2] w = {1, 2, 3, 4, -1, 0.5, 0.25, 7}, float[2] sw = {0.03125, 0.0625}, int8[2] zw = {0, 0}, "
                "float[2,2] v = {1, 2, 3, 4}> { xq = QuantizeLinear(x, sx, zx) xf = DequantizeLinear(xq, sx, zx) wq = QuantizeLinear<axis = 1>(w, sw, zw) "
                "wf = DequantizeLinear<axis = 1>(wq, sw, zw) h = MatMul(xf, wf) t = Tanh(h) y = MatMul(t, v) }")
        model = self.write("qat.onnxtxt", HEAD + f"g (float[1,4] x) => (float[1,2] y) {body}")
        report = self.json("quantize", model, "-o", "int8.onnx", "--save-recipe", "done.yaml")
        self.assertEqual({n["node"]: n["quantized"] for n in report["nodes"] if n["operator"] == "MatMul"}, {"h": True, "y": False})
        self.assertIn("give --calibration", [n["note"] for n in report["nodes"]][-1])
        self.passes("quantize", model, "-o", "again.onnx", "--recipe", "done.yaml")
        self.assertEqual((self.folder / "int8.onnx").read_bytes(), (self.folder / "again.onnx").read_bytes())

    def test_quantize_takes_what_run_takes(self):
        """Sizes that the samples give, also where operators compute with them."""
        floats(self.folder / "x.npy", [3, 5, 8])
        weights = ", ".join(str((i % 7 - 3) / 10) for i in range(64))
        constants = (f"<float[8,8] w = {{{weights}}}, int64 zero = {{0}}, int64 one = {{1}}, int64[1] first = {{0}}, int64[1] last = {{1}}, "
                     "int64[2] heads = {2, 4}, float half = {0.5}>")
        for body, result in {
            "h = MatMul(x, w) y = Relu(h)": "N,S,8",
            "h = MatMul(x, w) r = Relu(h) s = Shape<end = 2>(x) t = Concat<axis = 0>(s, heads) q = Reshape(r, t) y = Transpose<perm = [0, 2, 1, 3]>(q)": "N,2,S,4",
            "h = MatMul(x, w) s = Shape(x) n = Gather(s, one) r = Range(zero, n, one) f = Cast<to = 1>(r) u = Unsqueeze(f, last) a = Add(h, u) q = MatMul(a, w) y = Relu(q)": "N,S,8",
            "h = MatMul(x, w) s = Shape(x) e = Expand(half, s) a = Add(h, e) q = MatMul(a, w) y = Relu(q)": "N,S,8",
        }.items():
            model = self.write("m.onnxtxt", HEAD + f"g (float[N,S,8] x) => (float[{result}] y) {constants} {{ {body} }}")
            self.passes("run", model, "--input", "x=@x.npy")
            for backend in ("jit", "reference"):
                report = self.json("quantize", model, "--calibration", "x.npy", "-o", "q.onnx", "--backend", backend)
                self.assertGreater(report["quantized_nodes"], 0, body)
                self.passes("run", "q.onnx", "--input", "x=@x.npy")
            self.assertIn("N", self.json("inspect", "q.onnx")["inputs"][0]["dims"], "the result is as flexible as the model")

    def test_quantize_keeps_what_it_is_told(self):
        self.json("convert", MODEL, "-o", "m.onnx")
        self.json("quantize", MODEL, "--calibration", DATA, "--samples", "2", "--exclude-type", "Conv", "-o", "q.onnx")
        convolutions = [n for n in self.json("explain", "q.onnx", "--runs", 1)["steps"] if "Conv" in n["op"]]
        self.assertGreater(len(convolutions), 0)
        self.assertEqual({c["precision"] for c in convolutions}, {"fp32"})

    def test_quantize_by_a_recipe(self):
        command = ["quantize", MODEL, "--calibration", DATA, "--samples", 2]
        recipe = self.write("in.yaml", "recipe: 1\nrules:\n  - {contraction: last, precision: fp32}\n"
                                       "  - {type: Conv, weights: {granularity: tensor}}\n")
        self.passes(*command, "--recipe", recipe, "--save-recipe", "out.yaml", "-o", "q.onnx")
        saved = (self.folder / "out.yaml").read_text()
        self.assertRegex(saved, r"node: .*precision: fp32}  # Gemm: it is the last contraction")
        self.assertIn("precision: int8}  # Conv: int8\n", saved)
        self.passes(*command, "--recipe", "out.yaml", "-o", "again.onnx")
        self.assertEqual((self.folder / "q.onnx").read_bytes(), (self.folder / "again.onnx").read_bytes())
        self.passes("opt", MODEL, "--passes", "simplify,quantize", "--calibration", DATA, "--recipe", "out.yaml", "-o", "opt.onnx")
        self.assertEqual(self.json("inspect", "opt.onnx")["operators"], self.json("inspect", "q.onnx")["operators"])
        self.fails(USAGE, "opt", MODEL, "--passes", "quantize", "-o", "x.onnx", says="samples to calibrate with")
        self.fails(USAGE, "opt", MODEL, "--passes", "simplify{grwth=1}", "-o", "x.onnx", says="did you mean 'growth'")
        for text, code, says in (
            ("recipe: 1\nrules:\n  - {node: gone, precision: fp32}\n", USAGE, ["in.yaml:3", "'gone'"]),
            ("recipe: 1\nrules:\n  - {type: Conv, data: {type: int16}}\n", USAGE, ["in.yaml:3", "int16", "it has: data in uint8"]),
            ("recipe: 1\ndefault: {precision: fp16}\n", INPUT, ["in.yaml:2", "'fp16'", "known are fp32, int8, bf16"]),
            ("recipe: 1\nrule: []\n", INPUT, ["in.yaml:2", "did you mean 'rules'"]),
        ):
            self.fails(code, *command, "--recipe", self.write("in.yaml", text), "-o", "x.onnx", says=says)
        self.fails(INPUT, *command, "--recipe", "none.yaml", "-o", "x.onnx", says="none.yaml")

    def test_convert_and_inspect(self):
        report = self.json("convert", MODEL, "-o", "bound.onnx", "--dim", "N=2")
        self.assertEqual(report["output"], "bound.onnx")
        inspected = self.json("inspect", "bound.onnx", "--shapes")
        self.assertEqual(inspected["inputs"], [{"name": "image", "dtype": "float", "dims": [2, 1, 28, 28]}])
        self.assertEqual(sum(inspected["operators"].values()), report["nodes"])
        self.assertTrue(all(v["dims"][0] == 2 for v in inspected["values"]))
        self.write("again.onnxtxt", self.passes("inspect", "bound.onnx", "--text"))
        self.assertEqual(self.json("inspect", "again.onnxtxt")["operators"], inspected["operators"])

    def test_opt(self):
        report = self.json("opt", MODEL, "--passes", "simplify", "-o", "o.onnx", "--dump-each", "stages")
        self.assertTrue(report)
        self.assertNotIn("BatchNormalization", self.json("inspect", "o.onnx")["operators"])
        self.assertEqual({p.name for p in (self.folder / "stages").iterdir()}, {"00-input.onnx", "01-simplify.onnx"})
        self.assertIn("simplify", self.passes("opt", "--list"))

    def test_run_is_the_same_everywhere(self):
        floats(self.folder / "image.npy", [1, 1, 28, 28])
        self.passes("compile", self.quantized, "-o", "q.lapis")
        self.passes("compile", self.quantized, "-o", "q2.lapis", "--target", "x86-64+avx2")
        wanted = None
        for name, args in {
            "reference": [self.quantized, "--backend", "reference-after-passes"],
            "jit": [self.quantized],
            "threads": [self.quantized, "--threads", 3],
            "avx2": [self.quantized, "--target", "x86-64+avx2"],
            "artifact": ["q.lapis"],
            "avx2_artifact": ["q2.lapis", "--threads", 2],
        }.items():
            report = self.json("run", *args, "--input", "image=@image.npy", "--output", name)
            self.assertEqual(report["outputs"]["logits"]["shape"], [1, 10])
            outputs = read_floats(self.folder / report["outputs"]["logits"]["file"])
            wanted = wanted or outputs
            self.assertEqual(outputs, wanted, name)

    def test_run_binds_the_batch_to_the_input(self):
        floats(self.folder / "images.npy", [3, 1, 28, 28])
        report = self.json("run", MODEL, "--input", "image=@images.npy")
        self.assertEqual(report["outputs"]["logits"]["shape"], [3, 10])
        self.assertIn("logits: float[3,10] {", self.passes("run", MODEL, "--input", "image=images.npy"))

    def test_eval(self):
        report = self.json("eval", self.quantized, "--data", DATA, "--samples", "200", "--against", MODEL)
        self.assertEqual((report["metric"], report["samples"]), ("top1", 200))
        self.assertGreater(report["value"], 0.85)
        self.assertAlmostEqual(report["difference"], report["value"] - report["against"]["value"])
        low, high = report["difference_ci95"]
        self.assertTrue(low <= report["difference"] <= high)
        self.assertLessEqual(report["p50_ms"], report["p99_ms"])

    def test_a_model_that_knows_nothing(self):
        """NaN in every output is no accuracy."""
        body = "r = ReduceMax<keepdims = 0>(image) z = Sub(r, r) n = Div(z, z) y = Add(zeros, n)"
        model = self.write("nan.onnxtxt", HEAD + "g (float[1,1,28,28] image) => (float[1,10] y) <float[1,10] zeros = "
                           f"{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0}}> {{ {body} }}")
        report = self.json("eval", model, "--data", DATA, "--samples", "20")
        self.assertEqual((report["value"], report["nan_samples"]), (0, 20))
        self.assertIn("NaN in 20 of them", self.passes("eval", model, "--data", DATA, "--samples", "20"))

    def test_verify(self):
        self.assertIn("logits", self.passes("verify", self.quantized, "--tolerance", "0"))
        self.json("verify", MODEL)
        self.json("verify", MODEL, "--tolerance", "0", "--threads", "2", code=CHECK_FAILED)

    def test_bench_gives_sizes_to_other_runtimes(self):
        model = self.write("free.onnxtxt", HEAD + "g (float[N,S] x) => (float[N,S] y) { y = Relu(x) }")
        self.passes("convert", model, "-o", "free.onnx")
        peer = self.write("peer.py", "import sys\nopen('arguments', 'w').write(' '.join(sys.argv))\n"
                                     "for line in sys.stdin: print('{\"latencies_ms\": [1.0]}', flush=True)\n")
        environment = {**os.environ, "LAPIS_PEERS": str(peer)}
        command = [LAPIS, "bench", "free.onnx", "--shape", "x=2x64", "--against", "onnxruntime", "--rounds", "1", "--round-seconds", "0.01"]
        subprocess.run(command, cwd=self.folder, env=environment, check=True, capture_output=True)
        self.assertIn("--shape x=2x64", (self.folder / "arguments").read_text())

    def test_peers_take_shapes(self):
        python = os.environ.get("LAPIS_PYTHON") or SOURCE / "build/venv/bin/python"
        if subprocess.run([python, "-c", "import onnx, onnxruntime"], capture_output=True).returncode != 0:
            self.skipTest("onnxruntime is not installed")
        body = "g (float[N,S] x, float[S] v) => (float[N,S] y) { y = Add(x, v) }"
        self.passes("convert", self.write("free.onnxtxt", HEAD + body), "-o", "free.onnx")
        command = [python, SOURCE / "benchmarks/peers.py", "free.onnx", "--runtime", "onnxruntime", "--shape", "x=2x64", "--json"]
        done = subprocess.run(command, cwd=self.folder, input="info\n", check=True, capture_output=True, text=True)
        self.assertEqual(json.loads(done.stdout)["inputs"], {"x": "float32[2, 64]", "v": "float32[64]"})

    def test_bench_and_explain(self):
        report = self.json("bench", self.quantized, "--rounds", "1", "--round-seconds", "0.01")
        self.assertTrue(report)
        explained = self.json("explain", self.quantized, "--runs", "2")
        self.assertIn("int8", {step["precision"] for step in explained["steps"]})
        self.assertGreater(explained["total_microseconds"], 0)

    def test_compile_object(self):
        report = self.json("compile", self.quantized, "-o", "net.o", "--emit", "object")
        self.assertEqual(set(self.files()), {"net.o", "net.h"})
        self.assertGreater(report["code_bytes"], 0)

    def test_compile_with_schedules(self):
        self.passes("compile", self.quantized, "-o", "a.lapis", "--save-schedules", "all.txt")
        self.passes("compile", self.quantized, "-o", "b.lapis", "--schedules", "all.txt")
        self.assertEqual((self.folder / "a.lapis").read_bytes(), (self.folder / "b.lapis").read_bytes())
        schedules = (self.folder / "all.txt").read_text()
        row, rest = schedules.split(" ", 1)
        self.write("wrong.txt", row + "x " + rest)
        self.fails(USAGE, "compile", self.quantized, "-o", "c.lapis", "--schedules", "wrong.txt", says=["wrong.txt:1", row])
        self.write("tile.txt", schedules.replace(rest.split(" ")[0], "31x4"))
        self.fails(UNSUPPORTED, "compile", self.quantized, "-o", "c.lapis", "--schedules", "tile.txt", says="31x4")
        self.fails(USAGE, "compile", self.quantized, "-o", "c.lapis", "--schedules", "all.txt", "--target", "host,x86-64+avx2", says="one machine")

    def test_schedule(self):
        report = self.json("schedule", MODEL, "-o", "all.txt", "--rounds", "2")
        self.assertEqual(len(report["contractions"]), len((self.folder / "all.txt").read_text().splitlines()))
        for contraction in report["contractions"]:
            tried = {t["schedule"]: t["microseconds"] for t in contraction["tried"]}
            self.assertIn(contraction["chosen"], tried)
            self.assertGreater(min(tried.values()), 0)
        for verb in (("verify",), ("explain", "--runs", "1"), ("bench", "--rounds", "1", "--round-seconds", "0.01")):
            self.passes(verb[0], MODEL, "--schedules", "all.txt", *verb[1:])
        self.passes("schedule", MODEL, "-o", "code.txt", "--rounds", "1", "--code-only")
        self.assertNotIn("onednn", (self.folder / "code.txt").read_text())
        self.passes("compile", MODEL, "-o", "a.lapis", "--schedules", "code.txt")
        self.fails(USAGE, "bench", "a.lapis", "--schedules", "code.txt", says="--schedules does nothing for an artifact")

    def test_library_rows_are_in_no_file(self):
        self.passes("compile", MODEL, "-o", "a.lapis", "--save-schedules", "all.txt")
        lines = [line.split(" : ")[1] for line in (self.folder / "all.txt").read_text().splitlines()]
        self.write("library.txt", f"onednn_f32 : {lines[-1]}\n")
        for form, name in (("artifact", "b.lapis"), ("object", "b")):
            self.fails(UNSUPPORTED, "compile", MODEL, "-o", name, "--emit", form, "--schedules", "library.txt", says="onednn")
        self.passes("compile", self.quantized, "-o", "a.lapis", "--save-schedules", "bytes.txt")
        line = (self.folder / "bytes.txt").read_text().splitlines()[0]
        self.write("bytes.txt", f"onednn_f32 : {line.split(' : ')[1]}\n")
        self.fails(UNSUPPORTED, "explain", self.quantized, "--schedules", "bytes.txt", says="onednn_f32 multiplies float by float, not uint8 by int8")

    def test_code_cache(self):
        floats(self.folder / "image.npy", [1, 1, 28, 28])
        run_it = ["run", self.quantized, "--input", "image=@image.npy"]
        plain = self.passes(*run_it)
        for _ in range(2):
            self.assertEqual(self.passes(*run_it, "--code-cache", "kept.code"), plain)
            kept = self.files()["kept.code"]
        self.passes("compile", self.quantized, "-o", "a.lapis", "--code-cache", "kept.code")
        self.passes("compile", self.quantized, "-o", "b.lapis")
        self.assertEqual((self.folder / "a.lapis").read_bytes(), (self.folder / "b.lapis").read_bytes())
        self.assertEqual(self.files()["kept.code"], kept, "nothing was new")
        for useless in (self.write("other", "something else"), self.folder, "no/such/folder/kept.code"):
            run = self.lapis(*run_it, "--code-cache", useless)
            self.assertEqual((run.returncode, run.stdout), (OK, plain), run.stderr)
            self.assertIn("warning", run.stderr)
        self.assertEqual((self.folder / "other").read_text(), "something else")
        self.fails(USAGE, "run", "a.lapis", "--code-cache", "kept.code", says="--code-cache")

    def test_compile_is_deterministic(self):
        for name in ("a.lapis", "b.lapis"):
            self.passes("compile", self.quantized, "-o", name)
        self.assertEqual((self.folder / "a.lapis").read_bytes(), (self.folder / "b.lapis").read_bytes())


if __name__ == "__main__":
    main()
