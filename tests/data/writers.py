"""What tests need to write: IDX files and a whole small MNIST."""

import gzip

import numpy as np

TYPE_BYTES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


def idx_bytes(array):
    array = np.asarray(array)
    header = bytes([0, 0, TYPE_BYTES[array.dtype.str[1:]], array.ndim])
    sizes = np.array(array.shape, ">u4").tobytes()
    return header + sizes + array.astype(array.dtype.newbyteorder(">")).tobytes()


def small_mnist(train=20, test=10):
    """Return the published names and unpacked contents of a data set in MNIST's shape, every pixel value among them."""
    rng = np.random.default_rng(7)
    images = rng.integers(0, 256, (train + test, 28, 28), dtype=np.uint8)
    labels = np.arange(train + test, dtype=np.uint8) % 10
    return {
        "train-images-idx3-ubyte": idx_bytes(images[:train]),
        "train-labels-idx1-ubyte": idx_bytes(labels[:train]),
        "t10k-images-idx3-ubyte": idx_bytes(images[train:]),
        "t10k-labels-idx1-ubyte": idx_bytes(labels[train:]),
    }


def write_mnist(folder, files=None, gzipped=True, name="mnist"):
    place = folder / name
    place.mkdir(parents=True)
    for file, content in (files or small_mnist()).items():
        if gzipped:
            (place / f"{file}.gz").write_bytes(gzip.compress(content, compresslevel=1))
        else:
            (place / file).write_bytes(content)
    return place
