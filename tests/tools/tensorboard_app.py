"""The real TensorBoard on the event files of `lapis tune`, asked through its HTTP API. Run by `./dev reports`, which installs it; the interpreter
that runs this has the package.

    LAPIS_BINARY_DIR=build build/reports/bin/python3 tests/tools/tensorboard_app.py
"""
import json
import re
import subprocess
import sys
import urllib.parse
import urllib.request

from cli import DATA, MODEL, OK, Cli, main
from tune_test import CONFIG


class TensorBoard(Cli):
    def start(self):
        command = [sys.executable, "-m", "tensorboard.main", "--logdir", self.folder / "logs", "--host", "127.0.0.1", "--port", "0"]
        self.server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self.addCleanup(self.server.wait)
        self.addCleanup(self.server.terminate)
        for line in self.server.stderr:
            if found := re.search(r"http://[^ ]*:(\d+)/", line):
                self.port = found.group(1)
                return
        self.fail("TensorBoard gave no address")

    def get(self, path, **query):
        address = f"http://127.0.0.1:{self.port}/data/{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(address, timeout=30) as answer:
            return answer.read().decode()

    def json(self, path, **query):
        return json.loads(self.get(path, **query))

    def test_it_shows_scalars_histograms_and_the_graph(self):
        config = CONFIG.format(model=MODEL, data=DATA, strategy="pareto", criterion="relative: 0.02", objective="latency", trials=4,
                               workspace="tuned", samples=100)
        run = self.lapis("tune", self.write("tune.yaml", config), "--tensorboard", "logs")
        self.assertEqual(run.returncode, OK, run.stderr)
        history = json.loads((self.folder / "tuned/history.json").read_text())
        best = f"trial_{history['best']:03d}"
        self.start()
        for _ in range(100):  # it reads in the background
            if {"trials", "fp32", best} <= set(self.json("runs")) and best in self.json("plugin/histograms/tags"):
                break
        self.assertLessEqual({"trials", "fp32", best}, set(self.json("runs")))
        self.check_scalars(history)
        self.check_histograms(best)
        self.check_graphs(best)

    def check_scalars(self, history):
        self.assertIn("accuracy/top1", self.json("plugin/scalars/tags")["trials"])
        points = self.json("plugin/scalars/scalars", run="trials", tag="accuracy/top1")
        self.assertEqual([p[1] for p in points], [t["number"] for t in history["trials"]])
        for point, trial in zip(points, history["trials"]):
            self.assertAlmostEqual(point[2], trial["accuracy"], places=5)

    def check_histograms(self, best):
        tags = self.json("plugin/histograms/tags")
        self.assertEqual(set(tags["fp32"]), set(tags[best]))
        self.assertTrue(any(t.startswith("values/") for t in tags["fp32"]) and any(t.startswith("weights/") for t in tags["fp32"]))
        for run in ("fp32", best):
            for tag in tags[run]:
                ((_, _, buckets),) = self.json("plugin/histograms/histograms", run=run, tag=tag)
                self.assertGreater(sum(count for _, _, count in buckets), 0, tag)

    def check_graphs(self, best):
        info = self.json("plugin/graphs/info")
        for run in ("fp32", best):
            self.assertTrue(info[run]["run_graph"])
            text = self.get("plugin/graphs/graph", run=run)
            self.assertIn('op: "Conv"', text)
            self.assertEqual('op: "QuantizeLinear"' in text, run == best)
            self.assertIn("_output_shapes", text)


if __name__ == "__main__":
    main()
