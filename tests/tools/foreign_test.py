"""Files that are no models we read are named for what they are, with advice that works: by content, under a name that says nothing."""
import gzip
import io
import json
import pickle
import struct
import unittest
import zipfile

from cli import *  # noqa: F403


def archive(*names):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as z:
        for name in names:
            z.writestr(name, "x" * 100)
    return data.getvalue()


def field(number, content):
    """A field of a protocol buffer: a number, text, or a message."""
    def varint(value):
        out = b""
        while value > 127:
            out, value = out + bytes([value & 127 | 128]), value >> 7
        return out + bytes([value])

    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    content = content.encode() if isinstance(content, str) else content
    return varint(number << 3 | 2) + varint(len(content)) + content


NODE = field(1, field(1, "input") + field(2, "Placeholder") + field(5, field(1, "dtype")))
SAVED_MODEL = field(1, 1) + field(2, field(1, field(4, "serve")) + field(2, NODE))
FILES = {
    ".ort": b"\x1c\0\0\0ORTM" + bytes(50),
    "GGUF": b"GGUF\3\0\0\0" + bytes(50),
    "safetensors": struct.pack("<Q", 60) + json.dumps({"w": {"dtype": "F32", "shape": [1]}}).ljust(60).encode() + bytes(4),
    "pickle": pickle.dumps({"weight": [1.0] * 10}),
    "PyTorch checkpoint": archive("archive/data.pkl", "archive/version", "archive/data/0"),
    "zip archive": archive("readme.txt"),
    "zip archive with an ONNX": archive("model.onnx"),
    "gzip": gzip.compress(b"x" * 100),
    "xz": b"\xfd7zXZ\0" + bytes(50),
    "tar": bytes(257) + b"ustar" + bytes(300),
    "HTML": b"<!DOCTYPE html>\n<html><body>404</body></html>",
    "git-lfs": b"version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 12345\n",
    "OpenVINO": b'<?xml version="1.0"?>\n<net name="m" version="11"><layers></layers></net>',
    "TensorFlow.js": b'{"format": "graph-model", "modelTopology": {}}',
    "Hugging Face": b'{"architectures": ["BertModel"], "model_type": "bert"}',
    "SavedModel": SAVED_MODEL,
    "PaddlePaddle": field(1, field(1, 0) + field(2, 2**64 - 1) + field(3, field(1, "x"))) + field(4, field(1, 0)),
    "Core ML": field(1, 5) + field(2, field(1, field(1, "image"))) + field(500, field(1, field(1, "conv"))),
    "Caffe model": field(1, "LeNet") + field(100, field(1, "conv1") + field(2, "Convolution")),
    "Caffe network": b'name: "LeNet"\nlayer {\n  name: "data"\n  type: "Input"\n}\n',
    "numpy": b"\x93NUMPY\1\0" + bytes(50),
    "picture": b"\x89PNG\r\n\x1a\n" + bytes(50),
    "ONNX text": RELU.encode(),
    "text file": b"hello world\n" * 20,
}


class Foreign(Cli):
    def refused(self, file, *says, verb=("inspect",)):
        return self.fails(INPUT, verb[0], file, *verb[1:], says=["not a model that Lapis reads but", *says])

    def test_files(self):
        for what, content in FILES.items():
            self.refused(self.write("some_file.onnx", content), what, "some_file.onnx")
        for verb in (["compile", "-o", "out"], ["run"], ["verify"], ["quantize", "--calibration", DATA, "-o", "q.onnx"]):
            self.refused(self.write("some_file.onnx", FILES["GGUF"]), "GGUF", "optimum-cli", verb=[verb[0], *verb[1:]])

    def test_damaged_ones(self):
        """Cut anywhere, they are still refused, and never taken for something that can be read."""
        for content in FILES.values():
            for size in {1, 2, 9, len(content) // 2, len(content) - 1}:
                self.assertEqual(self.lapis("inspect", self.write("cut.onnx", content[:size])).returncode, INPUT)

    def test_artifact(self):
        self.passes("compile", self.write("m.onnxtxt", RELU), "-o", "m.lapis")
        for verb in (["convert", "-o", "o"], ["opt"], ["compile", "-o", "o"], ["quantize", "--calibration", DATA, "-o", "q"]):
            self.refused("m.lapis", "artifact", verb=[verb[0], *verb[1:]])

    def test_folders(self):
        for what, files in {
            "SavedModel": ["saved_model.pbtxt", "keras_metadata.pb"],
            "PaddlePaddle": ["inference.pdmodel", "inference.pdiparams"],
            "Core ML": ["Manifest.json", "Data"],
            "Hugging Face": ["config.json", "model.safetensors"],
            "best.onnx": ["best.onnx", "labels.txt"],
            "a folder": ["labels.txt"],
        }.items():
            folder = self.folder / "model"
            folder.mkdir()
            for name in files:
                (folder / name).write_bytes(b"x")
            self.refused(folder, what, str(folder))
            for name in files:
                (folder / name).unlink()
            folder.rmdir()


if __name__ == "__main__":
    main()
