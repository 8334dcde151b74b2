"""`lapis tune` and `lapis init` as a user has them: what they print and leave behind, also when they are killed.

    LAPIS_BINARY_DIR=build python3 tests/tools/tune_test.py
"""
import json
import os
import random
import signal
import struct
import subprocess
import time

import events
from cli import CHECK_FAILED, DATA, HEAD, INPUT, INTERRUPTED, LAPIS, MISMATCH, MODEL, OK, SANITIZED, UNSUPPORTED, USAGE, Cli, floats, main, npy

# `./dev reports` kills twenty times; in between code that was made twice to be compared would be most of the time.
KILLS = int(os.environ.get("LAPIS_KILLS", 2 if SANITIZED else 6))
os.environ.pop("LAPIS_VERIFY_CODE", None)
CONFIG = """model: {{path: {model}}}
quantization: {{calibration: {{samples: 20}}}}
tuning:
  strategy: {strategy}
  accuracy_criterion: {{{criterion}}}
  objective: {objective}
  exit_policy: {{max_trials: {trials}}}
  sensitivity_samples: 4
  workspace: {{path: {workspace}}}
evaluation:
  accuracy: {{data: {data}, samples: {samples}}}
  performance: {{rounds: 1, round_seconds: 0.001}}
"""


class Tune(Cli):
    def config(self, name="tune.yaml", **values):
        defaults = {"model": MODEL, "data": DATA, "strategy": "pareto", "criterion": "relative: 0.02", "objective": "latency",
                    "trials": 4, "workspace": "tuned", "samples": 100}
        return self.write(name, CONFIG.format(**(defaults | values)))

    def tune(self, *args, code=OK):
        run = self.lapis("tune", *args)
        self.assertEqual(run.returncode, code, run.stderr)
        return run

    def history(self, workspace="tuned"):
        return json.loads((self.folder / workspace / "history.json").read_text())

    def test_the_example(self):
        run = self.tune(self.config(), "--json", "--tensorboard", "logs")
        report, history = json.loads(run.stdout), self.history()
        self.assertTrue(report["met"])
        self.assertEqual(report["trials"], len(history["trials"]) - 1)
        self.assertLessEqual(report["trials"], 4)
        self.assertGreater(report["best"]["precisions"]["Conv"]["int8"], 0)
        self.assertIn("int8+fp32: ", run.stderr)
        self.assertEqual(history["best"], report["best"]["trial"])
        self.passes("run", self.folder / "tuned/best.onnx", "--input", "image=@" + str(self.image()))
        for trial in history["front"]:
            for kind in ("onnx", "yaml"):
                self.assertTrue((self.folder / f"tuned/front/{trial:03d}.{kind}").exists())
        self.assertEqual(len(list((self.folder / "tuned/front").iterdir())), 2 * len(history["front"]))
        # The recipe beside it makes the same model.
        self.passes("quantize", MODEL, "--calibration", DATA, "--samples", "20", "--recipe", "tuned/best.yaml", "-o", "again.onnx")
        self.assertEqual((self.folder / "again.onnx").read_bytes(), (self.folder / "tuned/best.onnx").read_bytes())
        self.check_report((self.folder / "tuned/report.html").read_text())
        self.check_events(history)

    def test_samples_of_many_rows(self):
        weights = ", ".join(str(i % 5 - 2) for i in range(12))
        self.write("m.onnxtxt", HEAD + f"g (float[N,4] x) => (float[N,3] y) <float[4,3] w = {{{weights}}}> {{ y = MatMul(x, w) }}\n")
        floats(self.folder / "x.npy", (6, 5, 4))
        self.write("d.yaml", "inputs: [{name: x, npy: x.npy, batch: false}]\nmetric: [{name: sqnr}]\n")
        config = self.config(model="m.onnxtxt", data="d.yaml", criterion="absolute: 400", objective="model_size", samples=6)
        self.assertEqual(json.loads(self.tune(config, "--json").stdout)["best"]["precisions"]["MatMul"]["int8"], 1)

    def test_an_input_that_is_always_the_same_number(self):
        weights = ", ".join(str(i % 5 - 2) for i in range(12))
        branches = [f"{n} () => (float[N,3] {n}_y) <float[4,3] {n}_w = {{{weights}}}> {{ {n}_y = MatMul(x, {n}_w) }}" for n in "ab"]
        self.write("m.onnxtxt", HEAD + "g (float[N,4] x, int64 rate) => (float[N,3] y) <int64 low = {8000}> { c = Equal(rate, low) "
                   f"y = If (c) <then_branch = {branches[0]}, else_branch = {branches[1]}> }}\n")
        floats(self.folder / "x.npy", (6, 4))
        npy(self.folder / "rate.npy", "<i8", (6,), struct.pack("<6q", *[8000, 16000] * 3))
        data = "inputs: [{name: x, npy: x.npy}, {name: rate, %s, batch: false}]\nmetric: [{name: sqnr}]\n"
        self.write("d.yaml", data % "constant: {value: 8000, dtype: int64}")
        self.write("several.yaml", data % "npy: rate.npy")
        settings = {"model": "m.onnxtxt", "criterion": "absolute: 400", "objective": "model_size", "samples": 6}
        run = self.tune(self.config(data="d.yaml", **settings), "--json")
        self.assertIn("'rate' is 8000 in every sample", run.stderr)
        self.assertEqual(json.loads(run.stdout)["best"]["precisions"]["MatMul"]["int8"], 1)
        self.fails(UNSUPPORTED, "tune", self.config(data="several.yaml", workspace="other", **settings), says=["branches", "model.values"])

    def test_a_diagnosis_of_the_best_model(self):
        config = self.config(trials=2)
        config.write_text(config.read_text().replace("tuning:\n", "tuning:\n  diagnosis: true\n"))
        report = json.loads(self.tune(config, "--json").stdout)["diagnosis"]
        self.assertEqual(report, json.loads((self.folder / "tuned/diagnosis.json").read_text()))
        self.assertGreater(report["outputs"][0]["sqnr_db"], 15)
        convolutions = [u for u in report["units"] if u["operator"] == "Conv" and u["precision"] == "int8"]
        self.assertGreater(len(convolutions), 3)
        for unit in convolutions:
            self.assertGreater(unit["values"]["max"], unit["values"]["min"])
            self.assertGreater(unit["weights"]["deviation"], 0)
            self.assertGreater(unit["sqnr_db"], 10)
            self.assertGreater(unit["fp32_ms"], 0)
        self.assertTrue(any("precision: fp32" in u["advice"] for u in report["units"]))
        self.assertIn("<h2>Diagnosis</h2>", (self.folder / "tuned/report.html").read_text())
        config.write_text(config.read_text().replace("diagnosis: true", f"diagnosis: {{nodes: [\"{convolutions[0]['node']}\"]}}"))
        run = self.tune(config, "--restart")
        self.assertRegex(run.stdout, f"(?m)^ *[0-9.]+ dB +[0-9.]+ dB +int8 +Conv +{convolutions[0]['node']}$")
        self.assertNotIn("diagnosis", self.history("tuned"))

    def test_ranges_that_were_trained(self):
        self.passes("quantize", MODEL, "--calibration", DATA, "--samples", 8, "--exclude-type", "Gemm", "-o", "trained.onnx")
        def trained(**values):
            config = self.config(**values)
            config.write_text(config.read_text().replace("quantization: {", "quantization: {approach: qat, "))
            return config
        run = self.tune(trained(model="trained.onnx", objective="model_size"), "--json")
        self.assertGreater(json.loads(run.stdout)["best"]["precisions"]["Gemm"]["int8"], 0)
        self.fails(MISMATCH, "tune", trained(workspace="other"), says=["no QuantizeLinear/DequantizeLinear pairs", "train it", "approach: static"])

    def check_report(self, html):
        for heading in ("Pareto front", "What int8 disturbs", "Time by node", "Values in fp32 and int8", "Trials"):
            self.assertIn(f"<h2>{heading}</h2>", html)
        self.assertGreater(html.count("<polyline class='trial'"), 2)
        self.assertNotIn("cannot be looked into", html)

    def check_events(self, history):
        logs = self.folder / "logs"
        trials = events.Run(logs / "trials")
        for tag, key in (("accuracy/top1", "accuracy"), ("cost/milliseconds", "milliseconds"), ("search/improvement", "improvement")):
            self.assertEqual(list(trials.scalars[tag]), [t["number"] for t in history["trials"]])
            for trial in history["trials"]:
                self.assertAlmostEqual(trials.scalars[tag][trial["number"]], trial[key], delta=1e-5 * (1 + trial[key]))
        models = sorted(p.name for p in logs.iterdir() if p.name.startswith("trial_"))
        self.assertIn(f"trial_{history['best']:03d}", models)
        fp32, best = events.Run(logs / "fp32"), events.Run(logs / f"trial_{history['best']:03d}")
        self.assertEqual(set(fp32.histograms), set(best.histograms))
        units = [u["unit"] for u in history["attribution"]["units"]]
        self.assertGreaterEqual({f"values/{u}" for u in units}, {t for t in fp32.histograms if t.startswith("values/")})
        self.assertGreater(len([t for t in fp32.histograms if t.startswith("weights/")]), 2)
        for run in (fp32, best):
            for tag, steps in run.histograms.items():
                self.check_histogram(tag, *steps.values())
            self.check_graph(run.graph)
        self.assertEqual({n.device for n in fp32.graph} - {""}, {"fp32"})
        self.assertIn("int8", {n.device for n in best.graph})
        self.assertIn("QuantizeLinear", {n.op for n in best.graph})
        self.assertEqual(len([n for n in fp32.graph if n.op == "Conv"]), len([n for n in best.graph if n.op == "Conv"]))

    def check_histogram(self, tag, h):
        self.assertEqual(sum(h.counts), h.count, tag)
        self.assertEqual(len(h.limits), len(h.counts))
        self.assertEqual(h.limits, sorted(set(h.limits)))
        self.assertLessEqual(h.max, h.limits[-1])
        self.assertLessEqual(len(h.counts), 64)
        self.assertTrue(h.min <= h.sum / h.count <= h.max, tag)
        self.assertGreaterEqual(h.squares * h.count * (1 + 1e-9), h.sum ** 2)

    def check_graph(self, nodes):
        names = [n.name for n in nodes]
        self.assertEqual(len(names), len(set(names)))
        for node in nodes:
            self.assertLessEqual({i.split(":")[0] for i in node.inputs}, set(names))
        self.assertIn([1, 28, 28], [s[-3:] for n in nodes if n.op == "Placeholder" for s in n.shapes])

    def image(self):
        npy(self.folder / "image.npy", "<f4", [1, 1, 28, 28], struct.pack("<f", 0.5) * 784)
        return self.folder / "image.npy"

    def test_init(self):
        self.passes("init", MODEL, "--data", DATA)
        text = (self.folder / "tune.yaml").read_text()
        self.assertIn("image: float[", text)
        self.fails(USAGE, "init", MODEL, says=["tune.yaml", "there is such a file already"])
        self.write("short.yaml", text.replace("max_trials: 100", "max_trials: 1").replace("samples: 0 ", "samples: 50 "))
        self.tune("short.yaml", "--workspace", "elsewhere", "--quiet")
        self.assertEqual(len(self.history("elsewhere")["trials"]), 2)
        self.assertEqual(self.lapis("init", MODEL, "-o", "-").stdout.count("evaluation:"), 1)

    def test_an_impossible_target(self):
        run = self.tune(self.config(criterion="value: 1.5", trials=2), code=CHECK_FAILED)
        self.assertIn("out of reach", run.stdout)
        self.assertTrue((self.folder / "tuned/best.onnx").exists())
        self.assertGreater(len(self.history()["front"]), 0)
        self.assertFalse(self.history()["met"])

    def test_what_is_wrong_is_said_where_it_is(self):
        for code, text, says in (
            (INPUT, "tunning: {}\n", ["tune.yaml:1: ", "did you mean 'tuning'?"]),
            (INPUT, "model: [", "not a valid tuning configuration"),
            (INPUT, self.config().read_text().replace("max_trials", "max_trial"), ["tune.yaml:7: ", "did you mean 'max_trials'?"]),
            (INPUT, self.config().read_text() + "pruning: {}\n", "tune.yaml:13: "),
            (INPUT, self.config(model="gone.onnx").read_text(), "gone.onnx"),
            (INPUT, self.config(data="gone.yaml").read_text(), "gone.yaml"),
        ):
            self.fails(code, "tune", self.write("tune.yaml", text), says=says)
        self.fails(INPUT, "tune", "nowhere.yaml", says="nowhere.yaml")
        self.fails(USAGE, "tune", self.config(), "--resume", "--restart", says="--re")

    def dataset(self, shape, data, labels):
        npy(self.folder / "x.npy", "<f4", shape, data)
        npy(self.folder / "labels.npy", "<i8", [len(labels)], struct.pack(f"<{len(labels)}q", *labels))
        return self.write("data.yaml", "inputs: [{name: image, npy: x.npy}]\nlabels: {npy: labels.npy}\nmetric: {name: top1}\n")

    def test_data_that_cannot_be_used(self):
        self.fails(INPUT, "tune", self.config(data=self.dataset([0, 1, 28, 28], b"", [])), says="no samples")
        nan = struct.pack("<f", float("nan")) * 784 * 2
        self.fails(MISMATCH, "tune", self.config(data=self.dataset([2, 1, 28, 28], nan, [1, 2])), says="NaN or infinite")
        self.fails(INPUT, "tune", self.config(data=self.dataset([2, 1, 28, 28], bytes(4 * 2 * 784), [1])), says="1 labels for 2 samples")
        self.fails(MISMATCH, "tune", self.config(data=self.dataset([1, 1, 8, 8], bytes(256), [1])), says="[1,1,8,8]")

    def test_a_metric_that_fails(self):
        image = struct.pack("<f", 0.5) * 784 * 3
        data = self.dataset([3, 1, 28, 28], image, [1, 2, 3]).read_text()
        for name, program, says in (("throws", "raise Exception('no')", "ended with code 1"), ("hangs", "import time; time.sleep(1000)", "no answer in 1 seconds"),
                                    ("wrong", "for line in __import__('sys').stdin: print('no JSON', flush=True)", "sample ")):
            self.write("metric.py", program)
            text = data.replace("{name: top1}", "{name: process, seconds: 1, command: [python3, metric.py]}")
            code, stderr = self.refused(self.config(data=self.write("data.yaml", text), trials=1))
            with self.subTest(name):
                self.assertIn(code, (INPUT, MISMATCH), stderr)
                self.assertIn(says, stderr)
                self.assertIn("data.yaml", stderr)
                self.assertRegex(stderr, r"(?m)^  hint: \S")

    def test_trials_that_cannot_be_measured(self):
        self.write("metric.py", "import pathlib, sys\nseen = pathlib.Path('seen')\nagain = seen.exists()\nseen.touch()\n"
                   "for line in sys.stdin: print('{\"error\": \"only once\"}' if again else '{\"score\": 1}', flush=True)\n")
        data = self.dataset([3, 1, 28, 28], struct.pack("<f", 0.5) * 784 * 3, [1, 2, 3]).read_text()
        data = self.write("data.yaml", data.replace("{name: top1}", "{name: process, command: [python3, metric.py]}"))
        run = self.tune(self.config(data=data, trials=2), code=CHECK_FAILED)
        self.assertIn("2 of them could not be measured, trial 1: ", run.stdout)
        self.assertIn("only once", run.stdout)

    def refused(self, config):
        run = self.lapis("tune", config)
        self.assertEqual(run.stdout, "")
        return run.returncode, run.stderr

    def test_a_workspace_is_not_replaced(self):
        self.tune(self.config(trials=1))
        self.fails(USAGE, "tune", self.config(trials=1), says=["history.json", "--resume"])
        self.tune(self.config(trials=1), "--restart")
        self.fails(USAGE, "tune", self.config(trials=1, strategy="random"), "--resume", says="another model, data set or configuration")
        self.write("tuned/history.json", "{}")
        self.fails(INPUT, "tune", self.config(trials=1), "--resume", says="history.json")

    # ---- what a killed run leaves -------------------------------------------------------------------------------------

    def start(self, config, *flags):
        return subprocess.Popen([LAPIS, "tune", config, *flags], cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    @staticmethod
    def without_clocks(history):
        for trial in history["trials"] + history["on_all_samples"]:
            del trial["milliseconds"], trial["seconds"]
        del history["attribution"]["seconds"]
        for unit in history["attribution"]["units"]:
            del unit["milliseconds"]
        return history

    def check_whole(self, workspace):
        """Whatever is there under its own name is complete."""
        folder = self.folder / workspace
        if (folder / "history.json").exists():
            json.loads((folder / "history.json").read_text())
        if (folder / "best.onnx").exists():
            self.passes("inspect", folder / "best.onnx")

    def test_kill_and_resume_give_the_same(self):
        options = {"strategy": "random", "objective": "model_size", "trials": 12}
        self.tune(self.config(workspace="whole", **options))
        config = self.config(workspace="killed", **options)
        draw = random.Random(1)
        killed = 0
        for _ in range(KILLS):
            process = self.start(config, "--resume")
            time.sleep(draw.uniform(0.05, 1.2))
            process.send_signal(signal.SIGKILL)
            process.communicate()
            killed += process.returncode == -signal.SIGKILL
            self.check_whole("killed")
        self.assertGreater(killed, 0)
        self.tune(config, "--resume")
        self.assertEqual(self.without_clocks(self.history("killed")), self.without_clocks(self.history("whole")))
        for name in ("best.onnx", "best.yaml"):
            self.assertEqual((self.folder / "killed" / name).read_bytes(), (self.folder / "whole" / name).read_bytes())
        names = [sorted(p.name for p in (self.folder / w / "front").iterdir() if not p.name.startswith(".")) for w in ("killed", "whole")]
        self.assertEqual(*names)

    def test_what_was_measured_is_not_measured_again(self):
        config = self.config(trials=1)
        self.tune(config)
        before = self.history()
        self.tune(self.config(trials=2), "--resume")
        self.assertEqual(self.history()["trials"][:2], before["trials"])
        self.assertEqual(len(self.history()["trials"]), 3)
        self.assertEqual(self.history()["attribution"], before["attribution"])

    def test_interrupted(self):
        process = self.start(self.config(strategy="random", trials=1000))
        while not (self.folder / "tuned/history.json").exists() and process.poll() is None:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        process.communicate()
        self.assertEqual(process.returncode, INTERRUPTED)
        self.check_whole("tuned")
        self.tune(self.config(strategy="random", trials=len(self.history()["trials"])), "--resume")


if __name__ == "__main__":
    main()
