#!/usr/bin/env python3
"""Top-1 accuracy of an .onnx file in ONNX Runtime, on the full test set and on the committed part of it.

    python evaluate.py [MODEL.onnx] [--data DIR]

Needs onnxruntime and numpy; without the Debian package dataset-fashion-mnist only the committed images are measured.
"""
import argparse
import pathlib

import numpy as np
import onnxruntime

import dataset

HERE = pathlib.Path(__file__).resolve().parent


def top1(session, images, labels, batch=500):
    parts = [dataset.normalize(images[k:k + batch]) for k in range(0, len(images), batch)]
    answers = np.concatenate([session.run(["logits"], {"image": part})[0].argmax(1) for part in parts])
    return float((answers == labels).mean())


def main():
    parser = argparse.ArgumentParser(description="Top-1 accuracy of the Fashion-MNIST example in ONNX Runtime.")
    parser.add_argument("model", nargs="?", type=pathlib.Path, default=HERE / "fashion_mnist.onnx")
    parser.add_argument("--data", type=pathlib.Path, default=dataset.DEBIAN_FOLDER, help="folder with the idx.gz files")
    args = parser.parse_args()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(args.model), options, providers=["CPUExecutionProvider"])
    committed = np.load(HERE / "test_images.npy"), np.load(HERE / "test_labels.npy")
    print(f"{len(committed[1])} committed test images: top1 {top1(session, *committed):.4f}")
    if args.data.exists():
        full = dataset.load(args.data, "t10k")
        print(f"{len(full[1])} test images: top1 {top1(session, *full):.4f}")
    else:
        print(f"{args.data} not found: the full test set was not measured")


if __name__ == "__main__":
    main()
