#!/usr/bin/env python3
"""Trains the Fashion-MNIST example and writes fashion_mnist.onnx and the committed .npy files beside this script.

    python train.py [--data DIR] [--epochs N] [--bfloat16] [--out DIR]

Needs torch, onnx and numpy. The test set is used once, after the last epoch.
"""
import argparse
import pathlib
import time
import warnings

import numpy as np
import onnx
import torch
from torch.nn import functional

import dataset
from network import Network

HERE = pathlib.Path(__file__).resolve().parent
CALIBRATION_IMAGES = 256
TEST_IMAGES = 2000
MAX_SHIFT = 2


def augment(images, generator):
    """Flips half of the images and shifts each by up to MAX_SHIFT pixels in both directions (uint8 [B,28,28])."""
    count, size = images.shape[0], images.shape[-1]
    flip = torch.rand(count, generator=generator) < 0.5
    images = torch.where(flip[:, None, None], images.flip(-1), images)
    padded = functional.pad(images, [MAX_SHIFT] * 4)
    start = torch.randint(0, 2 * MAX_SHIFT + 1, (2, count, 1), generator=generator)
    rows, columns = start + torch.arange(size)
    return padded[torch.arange(count)[:, None, None], rows[:, :, None], columns[:, None, :]]


def to_input(images):
    """The tensor twin of dataset.normalize()."""
    values = (images[:, None].float() / 255 - dataset.MEAN) / dataset.STD
    return values.contiguous(memory_format=torch.channels_last)


def decay_groups(model, weight_decay):
    """Biases and BatchNorm parameters are not decayed."""
    decayed = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]


def train(model, images, labels, args):
    images, labels = torch.from_numpy(images.copy()), torch.from_numpy(labels.astype(np.int64))
    generator = torch.Generator().manual_seed(args.seed)
    steps = len(images) // args.batch_size
    optimizer = torch.optim.AdamW(decay_groups(model, args.weight_decay), lr=args.learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, args.learning_rate, epochs=args.epochs,
                                                   steps_per_epoch=steps, pct_start=0.2)
    model.train()
    for epoch in range(args.epochs):
        start, total = time.monotonic(), 0.0
        order = torch.randperm(len(images), generator=generator)[: steps * args.batch_size]
        for index in order.split(args.batch_size):
            batch = to_input(augment(images[index], generator))
            with torch.autocast("cpu", torch.bfloat16, enabled=args.bfloat16):
                logits = model(batch)
            loss = functional.cross_entropy(logits.float(), labels[index], label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        seconds = time.monotonic() - start
        print(f"epoch {epoch + 1}/{args.epochs}: loss {total / steps:.4f}, {seconds:.0f} s", flush=True)
    return model.eval()


def accuracy(model, images, labels):
    with torch.no_grad():
        answers = [model(to_input(part)).argmax(1) for part in torch.from_numpy(images.copy()).split(500)]
    return float((torch.cat(answers).numpy() == labels).mean())


def export(model, path):
    # The tracing exporter with PRESERVE leaves BatchNormalization in the file: folding it is the compiler's work.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model, (torch.zeros(1, 1, 28, 28),), str(path), dynamo=False, opset_version=17,
            training=torch.onnx.TrainingMode.PRESERVE, input_names=["image"], output_names=["logits"],
            dynamic_axes={"image": {0: "N"}, "logits": {0: "N"}})
    onnx.checker.check_model(str(path), full_check=True)


def write_data(folder, train_set, test_set):
    parts = [("calibration", train_set, CALIBRATION_IMAGES), ("test", test_set, TEST_IMAGES)]
    for name, (images, labels), count in parts:
        np.save(folder / f"{name}_images.npy", images[:count])
        np.save(folder / f"{name}_labels.npy", labels[:count])


def parse_arguments():
    parser = argparse.ArgumentParser(description="Train the Fashion-MNIST example network.")
    parser.add_argument("--data", type=pathlib.Path, default=dataset.DEBIAN_FOLDER, help="folder with the idx.gz files")
    parser.add_argument("--out", type=pathlib.Path, default=HERE, help="where to write the .onnx and .npy files")
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--learning-rate", type=float, default=5e-3, help="peak of the one-cycle schedule")
    parser.add_argument("--weight-decay", type=float, default=0.02)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--bfloat16", action="store_true",
                        help="train in mixed precision: faster with AVX-512 BF16 or AMX")
    return parser.parse_args()


def main():
    args = parse_arguments()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    train_set, test_set = dataset.load(args.data, "train"), dataset.load(args.data, "t10k")
    model = train(Network().to(memory_format=torch.channels_last), *train_set, args)
    print(f"test accuracy on {len(test_set[1])} images: {accuracy(model, *test_set):.4f}")
    args.out.mkdir(parents=True, exist_ok=True)
    export(model.to(memory_format=torch.contiguous_format), args.out / "fashion_mnist.onnx")
    write_data(args.out, train_set, test_set)


if __name__ == "__main__":
    main()
