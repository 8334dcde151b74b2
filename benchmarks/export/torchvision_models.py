#!/usr/bin/env python3
"""Exports torchvision classifiers with random weights to ONNX.

    python benchmarks/export/torchvision_models.py OUT_DIR [resnet50 mobilenet_v2 ...]

Needs torch, torchvision and onnx. Speed and numerical agreement do not depend on trained weights, so nothing is
downloaded. The weights are random but the activations keep a sane scale: BatchNorm statistics are estimated on random
images, and its scales and shifts are drawn at random so that folding them is not a no-op. BatchNormalization nodes stay
in the file.

Input "input" float32 [N,3,224,224], output "output" float32 [N,1000], opset 17, one file without external data.
"""
import argparse
import pathlib
import warnings

import onnx
import torch
import torchvision

DEFAULT_MODELS = ["resnet50", "mobilenet_v2"]
OPSET = 17


def batch_norms(model):
    return [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)]


def estimate_statistics(model, batches=4, batch_size=8):
    """Sets every BatchNorm's running mean and variance to the average over a few batches of random images."""
    for norm in batch_norms(model):
        torch.nn.init.uniform_(norm.weight, 0.5, 1.5)
        torch.nn.init.normal_(norm.bias, 0.0, 0.25)
        norm.reset_running_stats()
        norm.momentum = None  # cumulative average instead of an exponential one
    model.train()
    with torch.no_grad():
        for _ in range(batches):
            model(torch.randn(batch_size, 3, 224, 224))
    return model.eval()


def random_model(name, seed=0):
    torch.manual_seed(seed)
    return estimate_statistics(torchvision.models.get_model(name, weights=None))


def export(model, path):
    # The tracing exporter with PRESERVE keeps Conv and BatchNormalization apart; EVAL would fold them.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model, (torch.randn(1, 3, 224, 224),), str(path), dynamo=False, opset_version=OPSET,
            training=torch.onnx.TrainingMode.PRESERVE, input_names=["input"], output_names=["output"],
            dynamic_axes={"input": {0: "N"}, "output": {0: "N"}})
    onnx.checker.check_model(str(path), full_check=True)


def summary(model, path):
    with torch.no_grad():
        out = model(torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(1)))
    nodes = onnx.load(str(path)).graph.node
    norms = sum(node.op_type == "BatchNormalization" for node in nodes)
    return (f"{path}: {path.stat().st_size / 2**20:.1f} MiB, {len(nodes)} nodes, {norms} BatchNormalization, "
            f"output mean {out.mean():.3g}, standard deviation {out.std():.3g}")


def main():
    parser = argparse.ArgumentParser(description="Export torchvision classifiers with random weights to ONNX.")
    parser.add_argument("out_dir", type=pathlib.Path)
    parser.add_argument("models", nargs="*", default=DEFAULT_MODELS, help=f"default: {' '.join(DEFAULT_MODELS)}")
    args = parser.parse_args()
    args.out_dir.mkdir(parents=True, exist_ok=True)
    for name in args.models:
        path = args.out_dir / f"{name}.onnx"
        model = random_model(name)
        export(model, path)
        print(summary(model, path), flush=True)


if __name__ == "__main__":
    main()
