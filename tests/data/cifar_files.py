"""A whole small CIFAR in every version: as bytes of files, pickles and archives."""

import io
import pickle
import tarfile

import numpy as np

SIZE = 3 * 32 * 32


def batch(count, seed, classes=10):
    """Return images (count, 3072) with every pixel value among them, fine labels, and coarse ones."""
    images = np.random.default_rng(seed).integers(0, 256, (count, SIZE), dtype=np.uint8)
    fine = (np.arange(count) + seed) % classes
    return images, fine, fine // 5


def binary(folder, count=4):
    """Return the files of the binary version by name."""
    if folder == "cifar-10-batches-bin":
        names = [f"data_batch_{number}.bin" for number in range(1, 6)] + ["test_batch.bin"]
        parts = [batch(count, seed) for seed in range(6)]
        return {name: np.c_[y, x].astype(np.uint8).tobytes() for name, (x, y, _) in zip(names, parts, strict=True)}
    parts = [batch(count, seed, 100) for seed in (98, 50)]
    records = [np.c_[coarse, fine, x].astype(np.uint8).tobytes() for x, fine, coarse in parts]
    return dict(zip(("train.bin", "test.bin"), records, strict=True))


def pickled(folder, count=4):
    """Return the files of the Python version by name, with the same contents."""
    if folder == "cifar-10-batches-py":
        names = [f"data_batch_{number}" for number in range(1, 6)] + ["test_batch"]
        parts = [(name, *batch(count, seed)) for seed, name in enumerate(names)]
        return {name: like_python_2({b"data": x, b"labels": y.tolist()}) for name, x, y, _ in parts}
    parts = [(name, *batch(count, seed, 100)) for name, seed in (("train", 98), ("test", 50))]
    return {
        name: like_python_2({b"data": x, b"fine_labels": fine.tolist(), b"coarse_labels": coarse.tolist()})
        for name, x, fine, coarse in parts
    }


def like_python_2(values):
    """Return a pickle as Python 2 and the NumPy of its time wrote them: texts are bytes, and arrays lie in numpy.core."""
    return pickle.dumps(values, protocol=2).replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")


def tar_gz(folder, files):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def write_folder(place, folder, files):
    (place / folder).mkdir(parents=True)
    for name, content in files.items():
        (place / folder / name).write_bytes(content)
    return place / folder


def write_archive(place, name, folder, files):
    place.mkdir(parents=True, exist_ok=True)
    (place / name).write_bytes(tar_gz(folder, files))
    return place / name
