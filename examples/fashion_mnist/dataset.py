"""Fashion-MNIST from the idx.gz files of the Debian package dataset-fashion-mnist."""
import gzip
import pathlib
import sys

import numpy as np

DEBIAN_FOLDER = pathlib.Path("/usr/share/datasets/fashion-mnist")
MEAN, STD = 0.2860, 0.3530  # of the training pixels after division by 255


def read_idx(path):
    """Reads an idx file of bytes: magic 0x0000080D (D dimensions), D big-endian int32 extents, then the data."""
    with gzip.open(path) as file:
        raw = file.read()
    if raw[:3] != b"\0\0\x08":
        sys.exit(f"{path}: not an idx file of unsigned bytes")
    rank = raw[3]
    shape = np.frombuffer(raw, ">i4", count=rank, offset=4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * rank).reshape(shape)


def load(folder, split):
    """The images, uint8 [N,28,28], and labels, uint8 [N], of the split "train" or "t10k"."""
    files = [pathlib.Path(folder) / f"{split}-{kind}-ubyte.gz" for kind in ("images-idx3", "labels-idx1")]
    missing = [str(file) for file in files if not file.exists()]
    if missing:
        sys.exit(f"missing {', '.join(missing)}\nhint: apt-get install dataset-fashion-mnist, or pass --data DIR")
    return tuple(read_idx(file) for file in files)


def normalize(images):
    """uint8 [N,28,28] -> float32 [N,1,28,28]: (u8/255 - mean)/std."""
    return ((images[:, None].astype(np.float32) / 255 - MEAN) / STD).astype(np.float32)
