"""Every verb takes a TFLite model, told by its content, and code for the int8 ResNet-8 gives TFLite's bytes: run, artifact and object."""
import shutil
import struct
import subprocess
import unittest

from cli import *  # noqa: F403

TFLITE = SOURCE / "tests/frontends/tflite"
IMAGE, CLASSES = 32 * 32 * 3, 10
MAIN = """
#include <stdio.h>
#include <stdlib.h>
#include "net.h"

int main(void) {
  static signed char image[3072], scores[10];
  void* arena = aligned_alloc(NET_ARENA_ALIGNMENT, (NET_ARENA_BYTES + NET_ARENA_ALIGNMENT - 1) / NET_ARENA_ALIGNMENT * NET_ARENA_ALIGNMENT);
  const net_inputs inputs = {.input_1_int8 = image};
  const net_outputs outputs = {.Identity_int8 = scores};
  while (fread(image, 1, sizeof image, stdin) == sizeof image) {
    if (net_run(&inputs, &outputs, arena) != 0) return 1;
    fwrite(scores, 1, sizeof scores, stdout);
  }
  return 0;
}
"""


def payload(name):
    """The elements of a .npy file."""
    data = (TFLITE / name).read_bytes()
    return data[10 + struct.unpack("<H", data[8:10])[0]:]


class Tflite(Cli):
    def setUp(self):
        super().setUp()
        self.model = "model.onnx"  # whatever it is called
        shutil.copy(TFLITE / "resnet8_int8.tflite", self.folder / self.model)
        self.images, self.scores = payload("resnet8_int8.in0.npy"), payload("resnet8_int8.out.npy")

    def one(self, file, *args):
        npy(self.folder / "x.npy", "|i1", [1, 32, 32, 3], self.images[:IMAGE])
        self.passes("run", file, "--input", "input_1_int8=@x.npy", "--output", "out", *args)
        self.assertEqual((self.folder / "out/Identity_int8.npy").read_bytes()[-CLASSES:], self.scores[:CLASSES])

    def test_run_and_artifact(self):
        self.one(self.model)
        self.one(self.model, "--backend", "reference-after-passes")
        self.passes("compile", self.model, "-o", "net.lapis")
        self.one("net.lapis")

    def test_object(self):
        self.passes("compile", self.model, "--emit", "object", "-o", "net")
        self.write("main.c", MAIN)
        subprocess.run(["cc", "-std=c11", "main.c", "net.o", "-o", "main"], cwd=self.folder, check=True)
        run = subprocess.run(["./main"], cwd=self.folder, input=self.images, capture_output=True, check=True)
        self.assertEqual(run.stdout, self.scores)

    def test_every_verb(self):
        self.assertEqual(self.json("inspect", self.model)["kind"], "tflite")
        self.passes("convert", self.model, "-o", "converted.onnx")
        self.assertEqual(self.json("inspect", "converted.onnx")["kind"], "onnx")
        self.passes("opt", self.model, "--passes", "simplify,integer,simplify", "-o", "integer.onnx")
        self.assertTrue(all(line["ok"] for line in self.json("verify", self.model)["outputs"]))
        self.passes("explain", self.model)
        self.passes("bench", self.model, "--rounds", "1", "--round-seconds", "0.01")
        self.fails(USAGE, "bench", self.model, "--against", "onnxruntime", says="onnxruntime reads ONNX, not TFLite")
        self.fails(UNSUPPORTED, "compile", TFLITE / "cases/unsupported_operators.tflite", "-o", "net.lapis",
                   says=["operator LSTM is not supported: it keeps a state from one run to the next (2 nodes)", "operator CUSTOM MyOperator is not supported (1 node)"])


if __name__ == "__main__":
    main()
