"""Models, inputs and flags that are wrong: what the command line says of them, by which exit code, and that nothing is left on disk."""
import os
import pathlib
import struct
import unittest

from cli import *  # noqa: F403


class BadModels(Cli):
    """Every verb that takes a model refuses a bad one in the same way."""

    def all_fail(self, code, model, says=(), verbs=tuple(VERBS)):
        for verb in verbs:
            self.fails(code, verb, model, *VERBS[verb], says=says)

    def test_missing(self):
        self.all_fail(INPUT, "missing.onnx", "missing.onnx")

    def test_folder(self):
        self.all_fail(INPUT, self.folder, str(self.folder))

    def test_empty(self):
        self.all_fail(INPUT, self.write("empty.onnx", ""), "empty")

    def test_truncated(self):
        model = MODEL.read_bytes()
        self.all_fail(INPUT, self.write("cut.onnx", model[: len(model) // 2]), "truncated")
        for size in (1, 2, 10, 100, 4096, 500_000, len(model) - 1):
            self.fails(INPUT, "compile", self.write("cut.onnx", model[:size]), "-o", "out.lapis", says="cut.onnx")

    def test_not_onnx(self):
        png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256)) * 8
        self.all_fail(INPUT, self.write("picture.onnx", png), "picture.onnx")
        page, text = "<!DOCTYPE html><html><body>Not found</body></html>", "hello world\n" * 50
        others = {"html": page, "text": text, "zip": "PK\3\4" + text, "zeros": b"\0" * 5000, "onnxtxt": "g (float[4] x"}
        for suffix, content in others.items():
            name = "other.onnxtxt" if suffix == "onnxtxt" else f"{suffix}.onnx"
            self.fails(INPUT, "compile", self.write(name, content), "-o", "out.lapis", says=name)

    @unittest.skipIf(os.geteuid() == 0, "root may read every file")
    def test_unreadable(self):
        model = self.write("secret.onnx", RELU)
        model.chmod(0)
        self.all_fail(INPUT, model, "secret.onnx")

    def test_unsupported_operators_are_listed_at_once(self):
        body = "[one] a = my.ops.Magic(x) [two] b = my.ops.Magic(a) [three] c = my.ops.Other(b) y = Relu(c)"
        model = self.write("custom.onnxtxt", HEAD + f"g (float[4] x) => (float[4] y) {{ {body} }}")
        listed = ["my.ops::Magic", "(2 nodes)", "'one'", "'two'", "my.ops::Other", "(1 node)", "'three'"]
        self.all_fail(UNSUPPORTED, model, listed)

    def test_free_dimension(self):
        model = self.write("free.onnxtxt", HEAD + "g (float[N,S] x) => (float[N,S] y) { y = Relu(x) }")
        self.all_fail(USAGE, model, ["'S'", "--dim S="], ["compile", "verify", "explain", "bench"])
        self.assertIn("[1,3]", self.passes("compile", model, "-o", "out.lapis", "--dim", "S=3")
                      + self.passes("inspect", "out.lapis"))

    def test_dim_beside_shape(self):
        model = self.write("both.onnxtxt", HEAD + "g (float[N,S] x) => (float[N,S] y) { y = Relu(x) }")
        self.passes("convert", model, "-o", "same.onnx", "--shape", "x=2x3", "--dim", "S=3")
        self.fails(MISMATCH, "convert", model, "-o", "no.onnx", "--shape", "x=2x3", "--dim", "S=4", says=["[2,3]", "float[N,4]"])

    def test_damaged_artifacts(self):
        self.passes("compile", MODEL, "-o", "whole.lapis")
        whole = (self.folder / "whole.lapis").read_bytes()
        damaged = bytearray(whole)
        damaged[5000] ^= 4  # in the manifest
        for name, content in {"short": whole[:-1], "tiny": whole[:20], "flipped": bytes(damaged)}.items():
            artifact = self.write(f"{name}.lapis", content)
            for verb in ("run", "inspect", "explain", "bench"):
                self.fails(INPUT, verb, artifact, says=f"{name}.lapis")
        version = bytearray(whole)
        version[8] += 1
        self.fails(INPUT, "run", self.write("newer.lapis", bytes(version)), says="version")


class BadInputs(Cli):
    def test_run(self):
        image = self.folder / "image.npy"
        floats(image, [1, 1, 28, 28])
        floats(self.folder / "flat.npy", [1, 784])
        npy(self.folder / "bytes.npy", "|u1", [1, 1, 28, 28], bytes(784))
        npy(self.folder / "objects.npy", "|O", [1], b"x" * 8)
        npy(self.folder / "short.npy", "<f4", [1, 1, 28, 28], bytes(100))
        self.write("text.npy", "1 2 3\n" * 20)
        self.passes("compile", MODEL, "-o", "model.lapis")
        for model in (MODEL, "model.lapis"):
            for code, inputs, says in (
                (MISMATCH, [], [f"{pathlib.Path(model).name}: error: input 'image' is missing", "float[1,1,28,28]"]),
                (MISMATCH, ["image=@flat.npy"], ["'image'", "[1,784]"]),
                (MISMATCH, ["image=@bytes.npy"], ["'image'", "uint8[1,1,28,28]"]),
                (MISMATCH, ["picture=@image.npy"], ["'picture'", "'image'"]),
                (MISMATCH, ["image=@image.npy", "extra=@image.npy"], ["'extra'", "'image'"]),
                (INPUT, ["image=@missing.npy"], "missing.npy"),
                (INPUT, ["image=@text.npy"], "text.npy"),
                (INPUT, ["image=@short.npy"], "truncated"),
                (INPUT, ["image=@objects.npy"], "|O"),
                (USAGE, ["image"], "--input"),
                (USAGE, ["=@image.npy"], "--input"),
            ):
                arguments = [a for i in inputs for a in ("--input", i)]
                self.fails(code, "run", model, *arguments, "--output", "results", says=says)

    def test_index_out_of_range(self):
        body = "<float[3] table = {1, 2, 3}> { y = Gather(table, i) }"
        model = self.write("gather.onnxtxt", HEAD + f"g (int64[2] i) => (float[2] y) {body}")
        npy(self.folder / "i.npy", "<i8", [2], struct.pack("<2q", 0, 7))
        self.fails(MISMATCH, "run", model, "--input", "i=@i.npy", says="index")

    def test_calibration_data(self):
        floats(self.folder / "wrong.npy", [4, 1, 20, 20])
        npy(self.folder / "bytes.npy", "|u1", [4, 1, 28, 28], bytes(4 * 784))
        npy(self.folder / "none.npy", "<f4", [0, 1, 28, 28], b"")
        npy(self.folder / "nan.npy", "<f4", [2, 1, 28, 28], struct.pack("<f", float("nan")) * 1568)
        for code, data, says in (
            (MISMATCH, "wrong.npy", "[1,1,20,20]"),
            (MISMATCH, "bytes.npy", "uint8"),
            (INPUT, "none.npy", "none.npy"),
            (MISMATCH, "nan.npy", ""),
            (INPUT, "missing.npy", "missing.npy"),
            (INPUT, EXAMPLE, str(EXAMPLE)),
        ):
            self.fails(code, "quantize", MODEL, "--calibration", data, "-o", "q.onnx", says=says)

    def test_dataset_files(self):
        images = f"images: {{npy: {EXAMPLE}/test_images.npy, layout: NHW}}"
        labels = f"labels: {{npy: {EXAMPLE}/test_labels.npy}}"
        top1 = "metric: {name: top1}"
        floats(self.folder / "numbers.npy", [2000])
        npy(self.folder / "few_labels.npy", "<i8", [3], bytes(24))
        for code, text, says in (
            (INPUT, "", "inputs"),
            (INPUT, "inputs: [", "not a valid dataset file"),
            (INPUT, "[1, 2]", "inputs"),
            (INPUT, "inputs: []", "empty"),
            (INPUT, "inputs: [{npy: x.npy}]", "name"),
            (INPUT, "inputs: [{name: image, npy: gone.npy}]", "gone.npy"),
            (INPUT, "inputs: [{name: image}]", "image"),
            (INPUT, "inputs: [{name: image, images: {folder: gone}}]", "gone"),
            (INPUT, f"inputs: [{{name: image, {images}}}]\nlabels: {{npy: few_labels.npy}}\n{top1}", "3 labels for 2000"),
            (INPUT, f"inputs: [{{name: image, {images}}}]\nlabels: {{npy: numbers.npy}}\n{top1}", "integers"),
            (INPUT, f"inputs: [{{name: image, {images}, scale: red}}]\n{labels}\n{top1}", "not a valid dataset file"),
            (INPUT, f"inputs: [{{name: image, {images}}}]\n{labels}\nmetric: {{name: top7}}", "top7"),
            (INPUT, f"inputs: [{{name: image, {images}}}]\n{top1}", "labels"),
            (INPUT, f"inputs: [{{name: image, {images}}}]\n{labels}", "metric"),
            (MISMATCH, f"inputs: [{{name: photo, {images}}}]\n{labels}\n{top1}", "'photo'"),
            (MISMATCH, f"inputs: [{{name: image, {images}}}]\n{labels}\nmetric: {{name: top1, output: prob}}", "'prob'"),
        ):
            self.fails(code, "eval", MODEL, "--data", self.write("data.yaml", text), says=says)
        self.fails(INPUT, "eval", MODEL, "--data", "gone.yaml", says="gone.yaml")

    def test_a_key_that_is_none(self):
        """It calibrated on the test set."""
        text = DATA.read_text().replace("calibration:", "calibraton:").replace("{npy: ", f"{{npy: {EXAMPLE}/")
        self.fails(INPUT, "quantize", MODEL, "--calibration", self.write("eval.yaml", text), "-o", "q.onnx",
                   says=["eval.yaml:5: ", "`calibraton`", "did you mean 'calibration'?"])


class BadUse(Cli):
    def test_flags(self):
        model = self.write("m.onnxtxt", RELU)
        for args, says in (
            ([], ""),
            (["frobnicate"], "'frobnicate'"),
            (["--frobnicate"], "--frobnicate"),
            (["run"], "model"),
            (["compile", model], "--output"),
            (["run", model, "--frobnicate"], "--frobnicate"),
            (["run", model, "--threads", "-1"], "--threads"),
            (["run", model, "--threads", "many"], "--threads"),
            (["run", model, "--backend", "gpu"], "--backend"),
            (["run", model, "--dim", "N"], "--dim"),
            (["run", model, "--dim", "N=x"], "--dim"),
            (["run", model, "--dim", "N=-1"], "--dim"),
            (["run", model, "--shape", "x=1xx2"], "--shape"),
            (["run", model, "--target", "x86-64+sse9"], "avx2"),
            (["compile", model, "-o", "o", "--target", "riscv"], "riscv"),
            (["compile", model, "-o", "o", "--emit", "assembly"], "--emit"),
            (["opt", model, "--passes", "simplify,frobnicate"], "frobnicate"),
            (["opt", model, "--passes", ""], "--passes names no pass"),
            (["opt", model, "--passes", " "], "lapis opt --list"),
            (["opt", model, "--stop-after", "frobnicate"], "frobnicate"),
            (["verify", model, "--against", "tensorrt"], "--against"),
            (["verify", model, "--tolerance", "nan"], "--tolerance"),
            (["verify", model, "--tolerance", "-1"], "--tolerance"),
            (["verify", model, "--tolerance", "close"], "--tolerance"),
            (["verify", model, "--seed", "-1"], "--seed"),
            (["verify", model, "--seed", "9223372036854775808"], "9223372036854775808 is not an integer from 0"),
            (["verify", model, "--seed", "1,2x"], "--seed"),
            (["bench", model, "--rounds", "0"], "--rounds"),
            (["bench", model, "--round-seconds", "nan"], "--round-seconds"),
            (["bench", model, "--cpu", "100000"], "--cpu"),
            (["bench", model, "--peer-model", "a,b", "--against", "onnxruntime"], "--peer-model"),
            (["explain", model, "--runs", "0"], "--runs"),
            (["eval", model, "--data", DATA, "--samples", "0"], "--samples"),
            (["run", model, "--dim", "N=1", "--dim", "N=2"], "'N' twice"),
            (["run", model, "--input", "x=@x.npy", "--input", "x=@x.npy"], ["'x'", "twice"]),
            (["opt", model, "--disable-rule", "no-ops.identit"], "no-ops.identit"),
            (["quantize", model, "-o", "q.onnx", "--calibraton", "x.yaml"], ["no option '--calibraton'", "did you mean '--calibration'?"]),
            (["run", model, "--thread=2"], ["no option '--thread'", "did you mean '--threads'?"]),
            (["inspect", model, "-q"], ["no option '-q'", "lapis inspect --help"]),
        ):
            if "--input" in args:
                floats(self.folder / "x.npy", [4])
            self.fails(USAGE, *args, says=says)
        quantize = ["quantize", MODEL, "--calibration", DATA, "-o", "q.onnx"]
        for args, says in (
            (["--percentile", "7"], "--percentile"),
            (["--percentile", "200"], "--percentile"),
            (["--percentile", "nan"], "--percentile"),
            (["--method", "mse", "--percentile", "99"], "--percentile is for --method percentile; mse has none"),
            (["--samples", "0"], "--samples"),
            (["--threads", "-1"], "--threads"),
            (["--share-limit", "0"], "--share-limit"),
            (["--share-limit", "nan"], "--share-limit"),
            (["--exclude-type", "Convv"], ["'Convv'", "did you mean 'Conv'"]),
            (["--exclude", "gone"], ["'gone'", "fashion_mnist.onnx"]),
            (["--exclude-pattern", "["], "'['"),
        ):
            self.fails(USAGE, *quantize, *args, says=says)

    def test_all_flags_that_are_wrong_are_named(self):
        model = self.write("free.onnxtxt", HEAD + "g (float[N,4] x, int64 k) => (float[N,4] y, int64 z) { y = Relu(x) z = Identity(k) }")
        for flags, says in (
            (["--dim", "N=x", "--shape", "x=1xx2", "--value", "k=one"], ["--dim 'N=x'", "--shape 'x=1xx2'", "--value 'k=one'"]),
            (["--shape", "z=4", "--dim", "M=2", "--value", "q=1"], ["'z'", "'M'", "'q'"]),
            (["--shape", "z=4", "--shape", "x=1x2x3"], ["--shape: the model has no input 'z'", "'x'"]),
            (["--shape", "z=4", "--value", "k=0.5"], ["--shape: the model has no input 'z'", "input 'k': error: 0.5 is no int64"]),
        ):
            for verb in ("run", "inspect", "verify"):
                self.fails(USAGE, verb, model, *flags, says=says)
            self.fails(USAGE, "convert", model, *flags, "-o", "out.onnx", says=says)

    def test_integers_arrive_exactly(self):
        model = self.write("k.onnxtxt", HEAD + "g (float[1] x, int64 k) => (int64[1] z) { c = Cast<to = 7>(x) z = Add(c, k) }")
        floats(self.folder / "x.npy", [1], [0.0])
        for number in (-(2**63), 2**53 + 1, 2**63 - 1):
            self.passes("run", model, "--input", "x=@x.npy", "--value", f"k={number}", "--output", "out")
            self.assertEqual(struct.unpack("<q", (self.folder / "out/z.npy").read_bytes()[-8:]), (number,))
        for number in (2**63, "1e300", "0.5", "nan"):
            self.fails(USAGE, "inspect", model, "--value", f"k={number}", says=["input 'k'", "is no int64"])

    def test_findings_of_passes_name_the_file(self):
        body = ("g (float[4,3] x) => (y) <float[2] s = {2, 6}, float[5] five = {1, 2, 3, 4, 5}> "
                "{ sizes = Cast<to = 7>(s) a = Reshape(x, sizes) y = Add(a, five) }\n")
        model = self.write("wrong.onnxtxt", HEAD + body)
        for verb in ("opt", "compile", "quantize"):
            refused = self.lapis(verb, model, "-o", "out")
            self.assertEqual(refused.returncode, MISMATCH, verb)
            self.assertIn("wrong.onnxtxt: node 'y' (Add): error: cannot broadcast [5] against [2,6]", refused.stderr)

    def test_flags_that_name_nothing(self):
        """A slip of the pen must not be a setting without effect."""
        fixed = self.write("fixed.onnxtxt", RELU)
        free = self.write("free.onnxtxt", HEAD + "g (float[Batch,Size] x) => (float[Batch,Size] y) { y = Relu(x) }")
        self.passes("compile", fixed, "-o", "fixed.lapis")
        for verb, rest in {"run": [], "compile": ["-o", "out"], "convert": ["-o", "out"], "opt": [], "inspect": [],
                           "verify": [], "explain": [], "bench": []}.items():
            self.fails(USAGE, verb, fixed, *rest, "--dim", "N=2", says=["fixed.onnxtxt", "'N'", "fixed shapes"])
            self.fails(USAGE, verb, free, *rest, "--dim", "Sizes=2", says=["free.onnxtxt", "did you mean 'Size'?"])
            self.fails(USAGE, verb, free, *rest, "--dim", "Size=-2", says=["--dim 'Size=-2'", "not a size"])
            self.fails(USAGE, verb, fixed, *rest, "--shape", "z=4", says=["fixed.onnxtxt", "'z'", "known are x"])
        for flags in (["--dim", "N=2"], ["--shape", "x=4"], ["--target", "x86-64+avx2"]):
            for verb in ("run", "explain", "bench"):
                self.fails(USAGE, verb, "fixed.lapis", *flags, says=["fixed.lapis", flags[0], "artifact"])

    def test_refusals_name_the_file(self):
        """Nobody knows what the graph inside of a file is called."""
        body = "inner_name (float[2,2] x) => (float[2,2] y) <int64[1] k = {2}> { y, i = TopK(x, k) }"
        model = self.write("file.onnxtxt", HEAD + body)
        for verb, rest in {"compile": ["-o", "out"], "run": [], "verify": [], "explain": [], "bench": []}.items():
            run = self.lapis(verb, model, *rest)
            if run.returncode == UNSUPPORTED:
                self.assertRegex(run.stderr, r"(?m)^file\.onnxtxt: ")
            self.assertNotIn("inner_name", run.stderr)
        free = self.write("free.onnxtxt", HEAD + "inner_name (float[N,S] x) => (float[N,S] y) { y = Relu(x) }")
        for verb, rest in {"compile": ["-o", "out"], "verify": [], "explain": [], "bench": []}.items():
            text = self.fails(USAGE, verb, free, *rest, says=["free.onnxtxt: ", "--dim S="])
            self.assertNotIn("inner_name", text)

    def test_refusals_of_a_run_name_the_file_and_the_values(self):
        """What only the data shows."""
        floats(self.folder / "x.npy", [4], [1, 0, 0, 1])
        body = "g (float[4] x) => (float[4] y) { n = NonZero(x) q = Cast<to = 1>(n) s = Squeeze(q) y = Add(s, x) }"
        model = self.write("file.onnxtxt", HEAD + body)
        run = self.lapis("run", model, "--backend", "reference", "--input", "x=@x.npy")
        self.assertEqual(run.returncode, MISMATCH, run.stderr)
        self.assertRegex(run.stderr, r"(?m)^file\.onnxtxt: node 'y' ")
        self.assertIn("'s': float[2], 'x': float[4]", run.stderr)

    def test_nothing_to_compare(self):
        model = self.write("free.onnxtxt", HEAD + "g (float[N,4] x) => (float[N,4] y) { y = Relu(x) }")
        self.fails(USAGE, "verify", model, "--dim", "N=0", says=["free.onnxtxt", "nothing to compare"])
        both = self.write("both.onnxtxt", HEAD + "g (float[N,4] x, float[2] v) => (float[N,4] y, float[2] w) { y = Relu(x) w = Relu(v) }")
        self.assertIn("y: has no elements, nothing is compared\n", self.passes("verify", both, "--dim", "N=0"))

    def test_settings_for_data_that_is_not_there(self):
        self.fails(INPUT, "init", self.write("m.onnxtxt", RELU), "--data", "nosuch.yaml", says=["nosuch.yaml", "leave out --data"])

    def test_reference_of_an_artifact(self):
        self.passes("compile", self.write("m.onnxtxt", RELU), "-o", "m.lapis")
        self.fails(USAGE, "run", "m.lapis", "--backend", "reference", says="reference")

    def test_unwritable_outputs(self):
        model = self.write("m.onnxtxt", RELU)
        floats(self.folder / "x.npy", [4])
        self.write("file", "")
        (self.folder / "taken").mkdir()
        self.write("taken/inside", "")
        for output in ("nowhere/out", "file/out", "taken"):
            self.fails(IO, "convert", model, "-o", output, says=output)
            self.fails(IO, "opt", model, "-o", output, says=output)
            self.fails(IO, "compile", model, "-o", output, says=output)
            self.fails(IO, "quantize", MODEL, "--calibration", DATA, "--samples", 1, "-o", output, says=output)
        self.fails(IO, "compile", model, "-o", "nowhere/out", "--emit", "object", says="nowhere")
        self.fails(IO, "run", model, "--input", "x=@x.npy", "--output", "file/results", says="file/results")

    def test_code_for_other_machines(self):
        host = self.passes("compile", self.write("m.onnxtxt", RELU), "-o", "host.lapis")
        floats(self.folder / "x.npy", [4])
        for target in ("x86-64+amxint8", "x86-64+avxvnni", "x86-64+avx512bf16", "x86-64+avx512"):
            self.passes("compile", "m.onnxtxt", "-o", "other.lapis", "--target", target)
            run = self.lapis("run", "other.lapis", "--input", "x=@x.npy")
            if run.returncode == OK:
                continue
            self.fails(TARGET, "run", "other.lapis", "--input", "x=@x.npy", says=[target, "--target"])
            self.fails(TARGET, "run", "m.onnxtxt", "--input", "x=@x.npy", "--target", target, says=target)
            self.fails(TARGET, "bench", "other.lapis", says=target)
            self.assertIn(target, self.passes("inspect", "other.lapis"))
            return
        self.skipTest(f"this host runs every target: {host}")

    def test_variants_for_several_machines(self):
        floats(self.folder / "x.npy", [4])
        model = self.write("m.onnxtxt", RELU)
        both = self.passes("compile", model, "-o", "both.lapis", "--target", "x86-64+avx2", "--target", "x86-64+avx512,x86-64+amxbf16+avxvnni")
        for target in ("x86-64+avx2", "x86-64+avx512", "x86-64+avxvnni+amxbf16"):
            self.assertIn(f"for {target}", both)
            self.assertIn(target, self.passes("inspect", "both.lapis"))
        self.passes("run", "both.lapis", "--input", "x=@x.npy")
        self.fails(USAGE, "compile", model, "-o", "m", "--emit", "object", "--target", "host,x86-64+avx2", says="one machine")
        self.fails(USAGE, "compile", model, "-o", "m.lapis", "--target", "x86-64+avx2,x86-64+avx2", says="given twice")
        self.passes("compile", model, "-o", "none.lapis", "--target", "x86-64+amxbf16+avxvnni,x86-64+amxint8+avxvnni")
        run = self.lapis("run", "none.lapis", "--input", "x=@x.npy")
        if run.returncode != OK:
            self.assertEqual(run.returncode, TARGET, run.stderr)
            lacks = ["amxint8 ("] + ([] if "avx_vnni" in pathlib.Path("/proc/cpuinfo").read_text() else ["avxvnni (the processor does not have AVX-VNNI)"])
            for part in ("none of the artifact's 2 variants", *lacks):
                self.assertIn(part, run.stderr)


if __name__ == "__main__":
    main()
