"""Files on the command line: nothing that exists is lost or broken, nothing half-written is left, and no code is run that was not asked for.

Needs only the built `lapis`.
"""
import json
import os
import pathlib
import pty
import resource
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
import unittest

from cli import *  # noqa: F403


# Protobuf by hand, for models that the text syntax cannot say.
def varint(value):
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def field_head(number, size):
    return bytes([number << 3 | 2]) + varint(size)


def field(number, payload):
    return field_head(number, len(payload)) + payload


def value_info(label):
    shape = field(2, field(1, b"\x08\x01"))
    return field(1, label.encode()) + field(2, field(1, b"\x08\x01" + shape))


ONNX_HEAD = b"\x08\x0a" + field(8, field(1, b"") + b"\x10\x15")


class Files(Cli):
    def setUp(self):
        super().setUp()
        self.model = self.write("m.onnxtxt", RELU)

    def names(self):
        return {str(p.relative_to(self.folder)) for p in self.folder.rglob("*")}

    # The verbs that write one file, each with what it needs.
    def writers(self, output):
        yield "convert", self.model, "-o", output
        yield "opt", self.model, "-o", output
        yield "compile", self.model, "-o", output
        yield "quantize", MODEL, "--calibration", DATA, "--samples", 1, "-o", output


class Outputs(Files):
    def test_links_stay(self):
        (self.folder / "sub").mkdir()
        self.write("sub/real", "old")
        (self.folder / "link").symlink_to("sub/real")
        for args in self.writers("link"):
            self.write("sub/real", "old")
            self.passes(*args)
            self.assertTrue((self.folder / "link").is_symlink())
            self.assertGreater((self.folder / "sub/real").stat().st_size, 10)

    def test_modes_are_kept(self):
        target = self.write("out.onnx", "old")
        for mode in (0o600, 0o664):
            target.chmod(mode)
            self.passes("convert", self.model, "-o", target)
            self.assertEqual(stat.S_IMODE(target.stat().st_mode), mode)

    def test_devices_and_pipes_are_refused(self):
        os.mkfifo(self.folder / "pipe")
        (self.folder / "null").symlink_to("/dev/null")
        (self.folder / "folder").mkdir()
        for output, what in (("pipe", "pipe"), ("null", "device"), ("/dev/null", "device"), ("folder", "folder")):
            for args in self.writers(output):
                self.fails(IO, *args, says=what)
        self.assertTrue(stat.S_ISCHR(os.stat("/dev/null").st_mode))
        os.mkfifo(self.folder / "net.h")
        self.fails(IO, "compile", self.model, "--emit", "object", "-o", "net", says="pipe")

    def test_standard_output(self):
        for args in self.writers("-"):
            named = [a if a != "-" else "named" for a in args]
            self.passes(*named)
            piped = subprocess.run([LAPIS, *map(str, args)], cwd=self.folder, capture_output=True, timeout=300)
            self.assertEqual(piped.returncode, OK, piped.stderr)
            self.assertEqual(piped.stdout, (self.folder / "named").read_bytes(), args)
            self.assertIn(b":" if args[0] != "opt" else b"pass", piped.stderr)
        piped = subprocess.run([LAPIS, "convert", self.model, "-o", "-", "--json"], capture_output=True, timeout=60)
        self.assertEqual(json.loads(piped.stderr)["nodes"], 1)
        self.fails(USAGE, "compile", self.model, "--emit", "object", "-o", "-", says="two files")

    def test_terminals_get_no_binary(self):
        master, slave = pty.openpty()
        run = subprocess.run([LAPIS, "convert", self.model, "-o", "-"], stdout=slave, stderr=subprocess.PIPE, text=True)
        os.close(slave)
        os.close(master)
        self.assertEqual(run.returncode, USAGE)
        self.assertIn("terminal", run.stderr)

    def test_full_disks_and_closed_pipes(self):
        self.write("precious", "old")
        before = self.files()
        for output in ("precious", "new"):
            for args in list(self.writers(output)) + [("compile", self.model, "--emit", "object", "-o", output)]:
                run = subprocess.run([LAPIS, *map(str, args)], cwd=self.folder, capture_output=True, text=True,
                                     preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10)))
                self.assertEqual(run.returncode, IO, run.stderr)
                self.assertIn("hint:", run.stderr)
                self.assertEqual(self.files(), before)
        for args in (("inspect", self.model, "--text"), ("opt", "--list"), ("convert", self.model, "-o", "-"), ("--help",), ("run", "--help"), ("--version",)):
            with open("/dev/full", "wb") as full:
                run = subprocess.run([LAPIS, *args], stdout=full, stderr=subprocess.PIPE, text=True)
            self.assertEqual(run.returncode, IO, args)
            self.assertIn("No space left", run.stderr)
            reader, writer = os.pipe()
            os.close(reader)
            run = subprocess.run([LAPIS, *args], stdout=writer, stderr=subprocess.PIPE, text=True)
            os.close(writer)
            self.assertEqual(run.returncode, IO, args)
            self.assertIn("Broken pipe", run.stderr)

    def test_closed_streams_are_no_files(self):
        """Without standard output, the report must not end up in the file that is opened next."""
        self.passes("convert", self.model, "-o", "wanted.onnx")
        wanted = (self.folder / "wanted.onnx").read_bytes()
        run = subprocess.run(f"{LAPIS} convert {self.model} -o out.onnx >&- 2>&- <&-", shell=True, cwd=self.folder)
        self.assertEqual(run.returncode, IO)
        self.assertEqual((self.folder / "out.onnx").read_bytes(), wanted)

    def test_pairs_appear_together(self):
        (self.folder / "net.h").mkdir()
        self.fails(IO, "compile", self.model, "--emit", "object", "-o", "net", says="net.h")
        self.assertEqual(self.names(), {"m.onnxtxt", "net.h"})
        (self.folder / "net.h").rmdir()
        self.write("net.o", "old")
        (self.folder / "net.h").symlink_to("net.o")
        self.fails(IO, "compile", self.model, "--emit", "object", "-o", "net", says="same file")

    def test_the_place_is_checked_before_the_work(self):
        start = time.monotonic()
        self.fails(IO, "quantize", MODEL, "--calibration", DATA, "--backend", "reference", "-o", "no/q.onnx", says="no/q.onnx")
        self.assertLess(time.monotonic() - start, 5)

    def test_a_model_may_be_replaced_by_its_result(self):
        self.passes("convert", self.model, "-o", "m.onnx")
        for _ in range(2):
            self.passes("opt", "m.onnx", "-o", "m.onnx")
        self.assertIn("Relu", self.passes("inspect", "m.onnx"))

    def test_weights_of_the_model_are_not_replaced(self):
        self.write("w.bin", b"\0\0\x80?" * 4)
        body = 'g (float[4] x) => (float[4] y) <float[4] w = ["location": "w.bin", "offset": "0", "length": "16"]> { y = Add(x, w) }'
        model = self.write("e.onnxtxt", HEAD + body + "\n")
        for args in (("convert", model), ("opt", model), ("compile", model)):
            self.fails(IO, *args, "-o", "w.bin", says=["w.bin", "weights"])
        floats(self.folder / "samples.npy", [2, 1, 28, 28])
        self.fails(IO, "quantize", MODEL, "--calibration", "samples.npy", "-o", "samples.npy", says="samples")

    def test_results_beside_the_model_are_files_of_their_own(self):
        data = [MODEL, "--calibration", DATA, "--samples", 1]
        for recipe, output in (("q.onnx", "q.onnx"), ("./q.onnx", "q.onnx"), ("q.onnx.data", "q.onnx"), ("-", "-")):
            self.fails(USAGE, "quantize", *data, "-o", output, "--save-recipe", recipe, says="two results")
        self.fails(USAGE, "compile", self.model, "-o", "m.lapis", "--save-schedules", "m.lapis", says="two results")
        self.fails(USAGE, "compile", self.model, "--emit", "object", "-o", "m", "--save-schedules", "m.h", says="two results")
        self.assertEqual(self.names(), {"m.onnxtxt"})

    def test_results_beside_the_model_replace_nothing_that_was_read(self):
        floats(self.folder / "samples.npy", [2, 1, 28, 28])
        floats(self.folder / "y.npy", [4])
        shutil.copy(MODEL, self.folder / "net.o")
        before = self.files()
        data = ["net.o", "--calibration", "samples.npy", "--samples", 1]
        for recipe in ("net.o", "samples.npy"):
            self.fails(IO, "quantize", *data, "-o", "q.onnx", "--save-recipe", recipe, says=[recipe, "made from"])
        self.fails(IO, "compile", "net.o", "-o", "q.onnx", "--save-schedules", "net.o", says="made from")
        self.fails(IO, "compile", "net.o", "--emit", "object", "-o", "net", says="made from")
        self.fails(IO, "schedule", "net.o", "--rounds", 1, "-o", "net.o", says="made from")
        self.fails(IO, "run", self.model, "--input", "x=@y.npy", "--output", ".", says=["y.npy", "made from"])
        self.assertEqual(self.files(), before)

    def test_outputs_with_like_names_have_files_of_their_own(self):
        names = ["a/b", "a:b", "a_b"]
        self.write_onnx("names.onnx", names)
        floats(self.folder / "x.npy", [1])
        report = self.json("run", "names.onnx", "--input", "x=@x.npy", "--output", "results")
        files = [report["outputs"][name]["file"] for name in names]
        self.assertEqual(len(set(files)), 3)
        self.assertTrue(all((self.folder / f).exists() for f in files))

    def write_onnx(self, name, outputs):
        """A model whose outputs have names that the text syntax cannot say: written as protobuf by hand."""
        nodes = b"".join(field(1, field(1, b"x") + field(2, o.encode()) + field(4, op))
                         for o, op in zip(outputs, (b"Neg", b"Abs", b"Exp")))
        graph = nodes + field(2, b"g") + field(11, value_info("x")) + b"".join(field(12, value_info(o)) for o in outputs)
        return self.write(name, ONNX_HEAD + field(7, graph))


class Interruptions(Files):
    def test_nothing_temporary_stays(self):
        """At any moment: before, while and after a file is written."""
        for delay in (0.0, 0.02, 0.05, 0.1, 0.2, 0.3):
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                child = subprocess.Popen([LAPIS, "opt", MODEL, "--dump-each", "stages", "-o", "o.onnx"], cwd=self.folder,
                                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                time.sleep(delay)
                child.send_signal(number)
                _, stderr = child.communicate(timeout=60)
                self.assertIn(child.returncode, (OK, INTERRUPTED, -number), stderr)  # the last before it was ready
                if child.returncode == INTERRUPTED:
                    self.assertRegex(stderr, "interrupted; (nothing was written|written before: .*00-input.onnx)")
                self.assertEqual([n for n in self.names() if "tmp" in n], [])

    def test_says_what_was_written(self):
        child = subprocess.Popen([LAPIS, "opt", MODEL, "--dump-each", "stages", "--passes",
                                  ",".join(["simplify"] * 400), "-o", "o.onnx"], cwd=self.folder,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        while not (self.folder / "stages/01-simplify.onnx").exists() and child.poll() is None:
            time.sleep(0.01)
        child.send_signal(signal.SIGTERM)
        _, stderr = child.communicate(timeout=60)
        self.assertEqual(child.returncode, INTERRUPTED, stderr)
        self.assertIn("written before:", stderr)
        self.assertIn("-simplify.onnx", stderr)
        self.assertFalse((self.folder / "o.onnx").exists())


class Artifacts(Files):
    RUNNERS = (["run"], ["bench"], ["explain"], ["verify"], ["eval", "--data", DATA])

    def setUp(self):
        super().setUp()
        self.passes("compile", MODEL, "-o", "net.lapis")
        shutil.copy(self.folder / "net.lapis", self.folder / "net.onnx")
        floats(self.folder / "image.npy", [1, 1, 28, 28])

    def test_machine_code_is_run_only_by_its_name(self):
        for verb, *rest in self.RUNNERS:
            self.fails(INPUT, verb, "net.onnx", *rest, says=["net.onnx", "artifact", "--artifact"])
        self.fails(INPUT, "eval", MODEL, "--data", DATA, "--samples", 1, "--against", "net.onnx", says="--artifact")
        for verb in ("convert", "opt", "compile"):
            self.fails(INPUT, verb, "net.onnx", "-o", "out")
        run = ["--input", "image=@image.npy"]
        wanted = self.passes("run", "net.lapis", *run)
        self.assertEqual(self.passes("run", "net.onnx", "--artifact", *run), wanted)
        self.passes("run", MODEL, "--artifact", *run)  # allows, does not demand
        self.passes("inspect", "net.onnx")  # runs nothing
        self.passes("verify", "net.onnx", "--artifact", "--source", MODEL)
        self.write("model.lapis", MODEL.read_bytes())
        self.fails(INPUT, "run", "model.lapis", *run, says="not a Lapis artifact")

    def test_check_finds_every_damage(self):
        self.assertTrue(self.json("inspect", "net.lapis", "--check")["checked"])
        whole = (self.folder / "net.lapis").read_bytes()
        step = len(whole) // 97
        for at in list(range(0, len(whole), step)) + [len(whole) - 1]:
            damaged = bytearray(whole)
            damaged[at] ^= 1 << at % 8
            self.write("net.lapis", bytes(damaged))
            self.fails(INPUT, "inspect", "net.lapis", "--check", says="net.lapis")
            self.fails(INPUT, "run", "net.lapis", "--input", "image=@image.npy", says="net.lapis")
        self.fails(INPUT, "inspect", self.model, "--check", says="artifact")

    def test_pipes_are_not_waited_for(self):
        os.mkfifo(self.folder / "pipe.onnx")
        os.mkfifo(self.folder / "pipe.lapis")
        for name in ("pipe.onnx", "pipe.lapis"):
            self.fails(INPUT, "run", name, says=name)


class Peers(Files):
    """Code that lies in the current folder is never run, and peers.py is found where it was installed."""

    def setUp(self):
        super().setUp()
        trap = "import pathlib\npathlib.Path('trapped').write_text('x')\n"
        (self.folder / "benchmarks").mkdir()
        for name in ("benchmarks/peers.py", "peers.py", "numpy.py", "onnxruntime.py", "openvino.py", "sitecustomize.py",
                     "usercustomize.py", "site.py", "os.py"):
            self.write(name, trap)

    def bench(self, lapis, **environment):
        return subprocess.run([lapis, "bench", self.model, "--against", "onnxruntime", "--rounds", "1", "--round-seconds", "0.01"],
                              cwd=self.folder, capture_output=True, text=True, timeout=300,
                              env={**os.environ, "PYTHONPATH": ".", **environment})

    def test_current_folder(self):
        for command in (["verify", self.model, "--against", "onnxruntime"], ["verify", self.model, "--each-pass"]):
            subprocess.run([LAPIS, *command], cwd=self.folder, capture_output=True, timeout=300,
                           env={**os.environ, "PYTHONPATH": "."})
        self.bench(LAPIS)
        self.assertFalse((self.folder / "trapped").exists())

    def test_installed(self):
        prefix = self.folder / "prefix"
        (prefix / "bin").mkdir(parents=True)
        shutil.copy(LAPIS, prefix / "bin/lapis")
        run = self.bench(prefix / "bin/lapis")
        self.assertEqual(run.returncode, IO, run.stderr)
        self.assertIn("LAPIS_PEERS", run.stderr)
        self.assertFalse((self.folder / "trapped").exists())
        (prefix / "share/lapis").mkdir(parents=True)
        answer = 'import sys\nfor line in sys.stdin:\n    print(\'{"latencies_ms": [1.0, 2.0, 3.0]}\', flush=True)\n'
        self.write("prefix/share/lapis/peers.py", answer)
        run = self.bench(prefix / "bin/lapis")
        self.assertEqual(run.returncode, OK, run.stderr)
        self.assertIn("onnxruntime", run.stdout)


@unittest.skipIf(SANITIZED, "sanitizers need unlimited address space")
class Limits(Files):
    """Memory and threads that cannot be had are failures with a message."""

    def limited(self, limit, value, *args):
        return subprocess.run([LAPIS, *map(str, args)], cwd=self.folder, capture_output=True, text=True, timeout=300,
                              preexec_fn=lambda: resource.setrlimit(limit, (value, value)))

    def test_memory(self):
        model = self.write("huge.onnxtxt", HEAD + "g (float[200000,20000] x) => (float[200000,20000] y) "
                           "{ a = Relu(x) b = Transpose(a) c = Softmax(b) y = Transpose(c) }\n")
        for verb in ("explain", "bench"):
            run = self.limited(resource.RLIMIT_AS, 4 << 30, verb, model)
            self.assertEqual(run.returncode, IO, run.stderr)
            self.assertRegex(run.stderr, "memory|allocate")
            self.assertIn("hint:", run.stderr)

    def peak(self, *args):
        """The most bytes that a run had in memory, pages of files included."""
        process = subprocess.Popen([LAPIS, *map(str, args)], cwd=self.folder, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.assertEqual(process.returncode, OK)
        return usage.ru_maxrss * 1024

    def write_unused_weights(self, name, size):
        """A model with weights that nothing needs, as a hole of its file."""
        graph = (field(1, field(1, b"x") + field(2, b"y") + field(4, b"Neg")) + field(2, b"g") +
                 field(11, value_info("x")) + field(12, value_info("y")))
        tensor = b"\x08" + varint(size) + b"\x10\x03" + field(8, b"w") + field_head(9, size)
        weights = field_head(5, len(tensor) + size) + tensor
        path = self.write(name, ONNX_HEAD + field_head(7, len(graph) + len(weights) + size) + graph + weights)
        os.truncate(path, path.stat().st_size + size)
        return path

    @unittest.skipIf(SANITIZED, "sanitizers have memory of their own")
    def test_files_are_not_held_in_memory(self):
        size = 256 << 20
        small = self.peak("compile", self.model, "-o", "small.lapis")
        large = self.peak("compile", self.write_unused_weights("w.onnx", size), "-o", "large.lapis")
        self.assertLess(large, small + size // 4)

    def test_threads(self):
        run = self.limited(resource.RLIMIT_AS, 1 << 30, "explain", self.model, "--threads", 1024)
        self.assertEqual(run.returncode, IO, run.stderr)
        self.assertIn("1024 threads", run.stderr)


if __name__ == "__main__":
    if not LAPIS.exists():
        sys.exit(f"{LAPIS} is not built")
    unittest.main(verbosity=2)
