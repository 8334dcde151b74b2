"""Names that models bring along, as file names and in JSON; types as data; tables and progress that fit a terminal."""
import fcntl
import os
import pty
import struct
import subprocess
import termios
import unittest

from cli import *  # noqa: F403


def two_outputs(first, second):
    return HEAD + f'g (float[2] x) => (float[2] "{first}", float[2] "{second}") {{ "{first}" = Neg(x) "{second}" = Abs(x) }}'


class Names(Cli):
    def test_no_two_outputs_become_one_file(self):
        floats(self.folder / "x.npy", [2], [1.0, 2.0])
        for first, second in (("o:0", "o_0"), ("o_0", "o:0"), ("a/b", "a:b"), ("a/b", "a_b_2"), ("n" * 300, "n" * 299),
                              ("..", "."), ("a b", "a_b")):
            report = self.json("run", self.write("m.onnxtxt", two_outputs(first, second)), "--input", "x=@x.npy", "--output", "out")
            files = [self.folder / report["outputs"][name]["file"] for name in (first, second)]
            self.assertEqual([read_floats(f) for f in files], [(-1.0, -2.0), (1.0, 2.0)], (first, second))
            self.assertEqual(len(set(files)), 2)

    def test_no_name_leaves_the_folder(self):
        floats(self.folder / "x.npy", [2])
        model = self.write("m.onnxtxt", two_outputs("../../escaped", "/tmp/escaped"))
        report = self.json("run", model, "--input", "x=@x.npy", "--output", "in/side")
        for output in report["outputs"].values():
            self.assertEqual((self.folder / output["file"]).resolve().parent, (self.folder / "in/side").resolve())
        self.assertEqual({p.name for p in self.folder.iterdir()}, {"x.npy", "m.onnxtxt", "in"})

    def test_text_lists_the_files(self):
        floats(self.folder / "x.npy", [2])
        text = self.passes("run", self.write("m.onnxtxt", two_outputs("o:0", "o_0")), "--input", "x=@x.npy", "--output", "out")
        self.assertIn("o:0 -> out/o_0_2.npy\n", text)
        self.assertIn("o_0 -> out/o_0.npy\n", text)

    def test_json_is_utf8(self):
        """Whatever the names: here bytes that are no text, written where the model has AAAA."""
        self.passes("convert", self.write("m.onnxtxt", HEAD + "AAAA (float[2] AAAA) => (float[2] y) { y = Relu(AAAA) }"), "-o", "m.onnx")
        for name in (b"\xff\xfe\x80\x81", b"a\x00b\n", "\u202eab"[:2].encode()[:4]):
            model = self.write("n.onnx", (self.folder / "m.onnx").read_bytes().replace(b"AAAA", name))
            for verb in (["inspect"], ["inspect", "--shapes"], ["inspect", "--text"], ["explain", "--runs", "1"], ["verify"], ["run"]):
                run = subprocess.run([LAPIS, *verb, model, "--json"], capture_output=True, cwd=self.folder)
                self.assertIn(run.returncode, (OK, INPUT, MISMATCH), (verb, run.stderr))
                for text in (run.stdout, run.stderr):
                    text.decode()
                    self.assertNotRegex(text, b"[\x00-\x09\x0b-\x1f\x7f]", "nothing moves the cursor")
                if run.returncode == OK:
                    json.loads(run.stdout)


    def test_names_of_files_do_not_move_the_cursor(self):
        name = b"a\x1b[31m\nb\xff"
        model = os.fsencode(self.folder) + b"/m" + name
        os.rename(self.write("m.onnxtxt", RELU), model)
        floats(self.folder / "x.npy", [2, 4])
        data = self.write("d.yaml", "inputs: {x: x.npy}\nmetric: sqnr\n")
        commands = [[verb, model, *more, "-o", b"out" + name] for verb, *more in (
            ("convert",), ("optimize",), ("compile",), ("opt",), ("init",), ("schedule", "--rounds", "1"),
            ("quantize", "--method", "dynamic"), ("prune", "--sparsity", "0.5"))]
        commands += [["eval", model, "--against", model, "--data", data, "--dim", "N=1"], ["verify", model], ["explain", model]]
        for command in commands:
            run = subprocess.run([LAPIS, *command], capture_output=True, cwd=self.folder)
            for text in (run.stdout, run.stderr):
                text.decode()
                self.assertNotRegex(text, b"[\x00-\x09\x0b-\x1f\x7f]", command)
                self.assertNotRegex(text, b"(?m)^b", command)


class Types(Cli):
    def test_types_are_data(self):
        body = "g (float[N,3] x, int64 s, seq(float16[2]) q) => (int64[2,r] y) { y = NonZero(x) }"
        report = self.json("inspect", self.write("m.onnxtxt", HEAD + body), "--shapes")
        x, s, q = report["inputs"]
        self.assertEqual(x, {"name": "x", "dtype": "float", "dims": ["N", 3]})
        self.assertEqual(s, {"name": "s", "dtype": "int64", "dims": []})
        self.assertEqual(q, {"name": "q", "kind": "sequence", "element": {"dtype": "float16", "dims": [2]}})
        value, = report["values"]
        self.assertEqual((value["name"], value["operator"], value["dtype"]), ("y", "NonZero", "int64"))
        self.assertEqual(value["dims"][0], 2)
        self.assertIsInstance(value["dims"][1], (str, type(None)), "nobody knows how many")

    def test_artifacts_too(self):
        self.passes("compile", self.write("m.onnxtxt", RELU), "-o", "m.lapis")
        self.assertEqual(self.json("inspect", "m.lapis")["inputs"], [{"name": "x", "dtype": "float", "dims": [4]}])


class Width(Cli):
    def test_explain_fits_100_columns(self):
        text = self.passes("explain", MODEL, "--runs", "1")
        lines = text.splitlines()
        self.assertLessEqual(max(map(len, lines)), 100)
        self.assertEqual(lines[0].split()[:3], ["us", "%", "kernel"])
        self.assertGreater(max(map(len, self.passes("explain", MODEL, "--runs", "1", "--wide").splitlines())), 100)

    def in_terminal(self, columns, *args):
        """What a terminal of so many columns receives on stderr."""
        leader, follower = pty.openpty()
        fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        child = subprocess.Popen([LAPIS, *map(str, args)], cwd=self.folder, stdout=subprocess.DEVNULL, stderr=follower)
        os.close(follower)
        received = b""
        try:
            while chunk := os.read(leader, 65536):
                received += chunk
        except OSError:  # the other side is closed
            pass
        os.close(leader)
        self.assertEqual(child.wait(), OK)
        return received.decode()

    def test_progress_stays_on_its_line(self):
        long = self.folder / ("a_long_name_" * 9 + ".onnx")
        long.write_bytes(MODEL.read_bytes())
        for columns in (10, 40, 80, 200):
            text = self.in_terminal(columns, "eval", long, "--data", DATA, "--samples", "150", "--backend", "reference")
            drawn = [line for line in re.split(r"\r|\x1b\[K", text) if line]
            self.assertGreater(len(drawn), 0, "the progress is shown")
            self.assertNotIn("\n", text)
            self.assertLess(max(map(len, drawn)), columns)
            self.assertTrue(text.endswith("\r\x1b[K"), "and erased at the end")

    def test_no_progress_in_files(self):
        self.assertEqual(self.lapis("eval", MODEL, "--data", DATA, "--samples", "50").stderr, "")


if __name__ == "__main__":
    main()
