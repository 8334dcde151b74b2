#!/usr/bin/env python3
"""inputs.py FASHION_MNIST_DIR OUT COUNT: the first test images as the network wants them, OUT.npy for lapis and OUT.raw for C."""
import sys

import numpy as np

MEAN, STD = np.float32(0.2860), np.float32(0.3530)


def main(folder, out, count):
    pixels = np.load(f"{folder}/test_images.npy")[: int(count), None]
    images = (pixels.astype(np.float32) * np.float32(1 / 255) - MEAN) / STD
    np.save(f"{out}.npy", images)
    images.tofile(f"{out}.raw")


if __name__ == "__main__":
    main(*sys.argv[1:])
