#!/usr/bin/env python3
"""Writes images of a folder, preprocessed for a network, as one float32 .npy [samples,3,crop,crop].

    python benchmarks/export/image_samples.py FOLDER OUT.npy [--every 10] [--crop 224] [--mean 127] [--std 128]

Takes every n-th file in the order of names, decodes RGB, crops the centre and computes (u8 - mean)/std. The defaults
are the preprocessing of EfficientNet-Lite0. Meant for `peers.py quantize-static --input-npy input=OUT.npy`.
"""
import argparse
import pathlib
import sys

import numpy as np
from PIL import Image


def centre_crop(path, crop):
    pixels = np.asarray(Image.open(path).convert("RGB"))
    top, left = (pixels.shape[0] - crop) // 2, (pixels.shape[1] - crop) // 2
    if top < 0 or left < 0:
        sys.exit(f"{path}: smaller than the crop of {crop} pixels")
    return pixels[top:top + crop, left:left + crop]


def main():
    parser = argparse.ArgumentParser(description="Write preprocessed images of a folder as one .npy file.")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--every", type=int, default=10, help="take every n-th image (default: 10)")
    parser.add_argument("--crop", type=int, default=224)
    parser.add_argument("--mean", type=float, nargs="+", default=[127.0], help="one number, or one a channel")
    parser.add_argument("--std", type=float, nargs="+", default=[128.0], help="one number, or one a channel")
    args = parser.parse_args()
    files = sorted(f for f in args.folder.iterdir() if f.suffix.lower() in (".jpg", ".jpeg", ".png"))[::args.every]
    if not files:
        sys.exit(f"{args.folder}: no .jpg or .png files")
    pixels = np.stack([centre_crop(file, args.crop) for file in files]).astype(np.float32)
    samples = (pixels - np.float32(args.mean)) / np.float32(args.std)
    np.save(args.out, np.ascontiguousarray(samples.transpose(0, 3, 1, 2)))
    print(f"{args.out}: {len(files)} images")


if __name__ == "__main__":
    main()
