#!/usr/bin/env python3
"""Makes the files of this folder again: pictures as Pillow 13.0.0 resizes them, archives as NumPy 2.4.6 writes them, records as
TensorFlow's message format has them (protobuf encodes it; the checksums are zero, which Lapis does not read).

    pip install pillow==13.0.0 numpy==2.4.6 protobuf && python3 tests/tuning/data/generate.py
"""
import gzip
import pathlib
import struct

import numpy as np
from PIL import Image

HERE = pathlib.Path(__file__).parent
FILTERS = {"nearest": Image.Resampling.NEAREST, "bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


def pictures():
    random = np.random.default_rng(7)
    picture = random.integers(0, 256, (13, 17, 3), dtype=np.uint8)
    picture[:4] = [255, 0, 128]
    np.save(HERE / "picture.npy", picture)
    for name, how in FILTERS.items():
        for height, width in (8, 8), (29, 31), (13, 40), (5, 17):
            small = Image.fromarray(picture).resize((width, height), how)
            np.save(HERE / f"resized_{name}_{height}x{width}.npy", np.asarray(small))
    floats = random.standard_normal((13, 17)).astype(np.float32)
    np.save(HERE / "floats.npy", floats)
    np.save(HERE / "resized_floats_8x8.npy", np.asarray(Image.fromarray(floats).resize((8, 8), FILTERS["bilinear"])))
    Image.fromarray(np.array([[[255, 0, 0], [0, 128, 255]]], np.uint8)).save(HERE / "2x1.png")


def encoded():
    """A file of every kind that is read, and what Pillow makes of it as RGB."""
    random = np.random.default_rng(3)
    small = np.asarray(Image.fromarray(random.integers(0, 256, (4, 5, 3), dtype=np.uint8)).resize((19, 13), FILTERS["bilinear"]))
    picture, depth = Image.fromarray(small), Image.fromarray(small[..., 0].astype(np.uint16) * 257)
    alpha = Image.fromarray(np.concatenate([small, small[..., :1]], axis=2), "RGBA")
    files = {"color.jpg": (picture, {"quality": 90}), "progressive.jpg": (picture, {"progressive": True, "subsampling": 2}),
             "gray.jpg": (picture.convert("L"), {}), "ink.jpg": (picture.convert("CMYK"), {}),
             "palette.png": (picture.quantize(7), {}), "alpha.png": (alpha, {}), "deep.png": (depth, {}), "bits.png": (picture.convert("1"), {}),
             "lossless.webp": (picture, {"lossless": True}), "lossy.webp": (picture, {"quality": 60})}
    for name, (image, options) in files.items():
        image.save(HERE / name, **options)
        wanted = Image.fromarray(small[..., 0]) if name == "deep.png" else Image.open(HERE / name)
        np.save(HERE / f"{name}.npy", np.asarray(wanted.convert("RGB")))


def archives():
    arrays = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "labels": np.array([3, 1])}
    np.savez(HERE / "stored.npz", **arrays)
    np.savez_compressed(HERE / "deflated.npz", **arrays)


def example_class():
    """tf.train.Example, from its published definition."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
    file = descriptor_pb2.FileDescriptorProto(name="example.proto", package="tensorflow", syntax="proto3")
    field = descriptor_pb2.FieldDescriptorProto

    def message(name, *fields, nested=None):
        made = nested.nested_type.add(name=name) if nested is not None else file.message_type.add(name=name)
        for number, (field_name, kind, label, type_name) in enumerate(fields, 1):
            made.field.add(name=field_name, number=number, type=kind, label=label, type_name=type_name)
        return made

    one, many = field.LABEL_OPTIONAL, field.LABEL_REPEATED
    message("BytesList", ("value", field.TYPE_BYTES, many, None))
    message("FloatList", ("value", field.TYPE_FLOAT, many, None))
    message("Int64List", ("value", field.TYPE_INT64, many, None))
    message("Feature", *((f"{n.lower()}_list", field.TYPE_MESSAGE, one, f".tensorflow.{n}List") for n in ("Bytes", "Float", "Int64")))
    features = message("Features", ("feature", field.TYPE_MESSAGE, many, ".tensorflow.Features.FeatureEntry"))
    entry = message("FeatureEntry", ("key", field.TYPE_STRING, one, None), ("value", field.TYPE_MESSAGE, one, ".tensorflow.Feature"), nested=features)
    entry.options.map_entry = True
    message("Example", ("features", field.TYPE_MESSAGE, one, ".tensorflow.Features"))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("tensorflow.Example"))


def records():
    with open(HERE / "two.tfrecord", "wb") as out:
        for label in 7, -3:
            example = example_class()()
            feature = example.features.feature
            feature["image"].bytes_list.value.append((HERE / "2x1.png").read_bytes())
            feature["raw"].bytes_list.value.append(struct.pack("<hh", 258, -1))
            feature["label"].int64_list.value.append(label)
            feature["values"].float_list.value.extend([.5, -2])
            data = example.SerializeToString(deterministic=True)
            out.write(struct.pack("<QI", len(data), 0) + data + struct.pack("<I", 0))


def digits():
    images = struct.pack(">IIII", 0x803, 2, 1, 2) + bytes([1, 2, 3, 250])
    (HERE / "digits.gz").write_bytes(gzip.compress(images, mtime=0))


if __name__ == "__main__":
    pictures()
    encoded()
    archives()
    records()
    digits()
