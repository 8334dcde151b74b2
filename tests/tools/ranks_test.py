"""`lapis tune` as several ranks: processes that find each other by the environment that `mpirun` gives them, and mpirun itself where it is installed."""
import itertools
import json
import os
import shutil
import signal
import subprocess
import time
import unittest

from cli import DATA, LAPIS, MODEL, OK, USAGE, Cli, main

os.environ.pop("LAPIS_VERIFY_CODE", None)  # that code is the same when it is made again is shown elsewhere
CONFIG = """model: {{path: {model}}}
quantization:
  calibration: {{samples: 20}}
  candidates:
    - default: {{range: {{method: minmax}}}}
    - default: {{range: {{method: percentile}}, correct_bias: false}}
tuning:
  strategy: {strategy}
  accuracy_criterion: {{{criterion}}}
  objective: model_size
  exit_policy: {{max_trials: {trials}}}
  sensitivity_samples: 4
  workspace: {{path: {workspace}}}
evaluation:
  accuracy: {{data: {data}, samples: 160}}
  performance: {{rounds: 1, round_seconds: 0.001}}
"""
THOROUGH = "LAPIS_KILLS" in os.environ  # ./dev reports
jobs = itertools.count()


class Ranks(Cli):
    def config(self, workspace, **values):
        defaults = {"model": MODEL, "data": DATA, "strategy": "pareto", "criterion": "relative: 0.02", "trials": 5}
        return self.write(workspace + ".yaml", CONFIG.format(workspace=workspace, **(defaults | values)))

    def start(self, config, rank, size, job, *flags):
        environment = os.environ | {"OMPI_COMM_WORLD_RANK": str(rank), "OMPI_COMM_WORLD_SIZE": str(size), "PMIX_NAMESPACE": str(job)}
        return subprocess.Popen([LAPIS, "tune", config, "--json", *flags], cwd=self.folder, env=environment, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def together(self, configs, *flags, code=OK):
        job = f"job {os.getpid()} {next(jobs)}"
        ranks = [self.start(c, r, len(configs), job, *flags) for r, c in enumerate(configs)]
        ends = [rank.communicate(timeout=300) for rank in ranks]
        for rank, (_, stderr) in zip(ranks, ends):
            self.assertEqual(rank.returncode, code, stderr)
        return ends

    def history(self, workspace):
        history = json.loads((self.folder / workspace / "history.json").read_text())
        for trial in history["trials"] + history["on_all_samples"]:
            del trial["milliseconds"], trial["seconds"]
        del history["attribution"]["seconds"]
        for unit in history["attribution"]["units"]:
            del unit["milliseconds"]
        return history

    def same(self, a, b):
        self.assertEqual(self.history(a), self.history(b))
        for name in ("best.onnx", "best.yaml"):
            self.assertEqual((self.folder / a / name).read_bytes(), (self.folder / b / name).read_bytes())
        self.assertEqual(*(sorted(p.name for p in (self.folder / w / "front").iterdir()) for w in (a, b)))
        self.assertFalse((self.folder / b / "ranks").exists(), "what they shared is gone")

    def alone(self, workspace, **values):
        run = self.lapis("tune", self.config(workspace, **values))
        self.assertEqual(run.returncode, OK, run.stderr)

    def test_two_ranks_find_what_one_finds(self):
        for strategy in ("pareto", "random", "basic") if THOROUGH else ("pareto",):
            with self.subTest(strategy):
                self.alone("one_" + strategy, strategy=strategy)
                config = self.config("two_" + strategy, strategy=strategy)
                ends = self.together([config, config])
                self.assertEqual(sorted(bool(stdout) for stdout, _ in ends), [False, True], "one of them speaks")
                self.same("one_" + strategy, "two_" + strategy)

    def test_the_run_completes_without_a_rank_that_died(self):
        values = {"strategy": "random", "trials": 8}
        self.alone("one", **values)
        config = self.config("killed", **values)
        for victim in range(2) if THOROUGH else (0,):
            job = f"killed {os.getpid()} {victim}"
            ranks = [self.start(config, r, 2, job, "--restart") for r in range(2)]
            history = self.folder / "killed/history.json"
            begin = time.time()
            while time.time() < begin + 120 and not (history.exists() and history.stat().st_mtime > begin):
                time.sleep(0.01)
            ranks[victim].send_signal(signal.SIGKILL)
            ends = [rank.communicate(timeout=300) for rank in ranks]
            self.assertEqual(ranks[1 - victim].returncode, OK, ends[1 - victim][1])
            if ranks[victim].returncode == -signal.SIGKILL:
                self.assertTrue(json.loads(ends[1 - victim][0])["met"], "the one that is left speaks")
            shutil.rmtree(self.folder / "killed/ranks", ignore_errors=True)  # the dead one never left
            self.same("one", "killed")

    def test_ranks_that_do_not_fit_are_told(self):
        a, b = self.config("w"), self.write("other.yaml", self.config("w").read_text().replace("max_trials: 5", "max_trials: 5}\n  random_seed: 7 #"))
        job = f"unlike {os.getpid()}"
        ranks = [self.start(c, r, 2, job) for r, c in enumerate((a, b))]
        ends = [rank.communicate(timeout=300) for rank in ranks]
        self.assertEqual(sorted(rank.returncode for rank in ranks), [OK, USAGE], ends)
        self.assertIn("another rank tunes another model", "".join(stderr for _, stderr in ends))
        environment = os.environ | {"OMPI_COMM_WORLD_RANK": "0", "OMPI_COMM_WORLD_SIZE": "2"}
        environment.pop("PMIX_NAMESPACE", None)
        run = subprocess.run([LAPIS, "tune", a, "--restart"], cwd=self.folder, env=environment, capture_output=True, text=True)
        self.assertEqual(run.returncode, USAGE, run.stderr)
        self.assertIn("mpirun", run.stderr)

    @unittest.skipUnless(shutil.which("mpirun"), "mpirun is missing (./dev reports installs openmpi-bin)")
    def test_mpirun(self):
        self.alone("one")
        command = ["mpirun", "--allow-run-as-root", "--oversubscribe", "-n", "2", LAPIS, "tune", self.config("two"), "--json"]
        run = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=300)
        self.assertEqual(run.returncode, OK, run.stderr)
        self.assertTrue(json.loads(run.stdout)["met"], "one report, not one of each rank")
        self.same("one", "two")


if __name__ == "__main__":
    main()
