"""CIFAR-10 and CIFAR-100 (Krizhevsky 2009), in either of the versions that they were published in.

The binary version is records, one an image: its label, one byte (CIFAR-100: two, the coarse and the fine one), and then its
red, green and blue plane of 32 x 32 bytes each. The Python version holds the same as pickled dictionaries. Both are described
on https://www.cs.toronto.edu/~kriz/cifar.html.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tinyticket.data.archive import read_members
from tinyticket.data.dataset import Dataset
from tinyticket.data.folders import Folder
from tinyticket.data.pixels import Pixels
from tinyticket.data.published import Publication, PublishedArchive, Version
from tinyticket.data.restricted_pickle import read_pickle
from tinyticket.errors import InputError

SHAPE = (3, 32, 32)
SIZE = 3 * 32 * 32  # bytes of an image
MOST = 60_000 * 3200  # bytes of all images with their labels and, in the Python version, names, and some more
MIRRORS = ("https://www.cs.toronto.edu/~kriz/",)

# The last file of a version is the test part. Sizes and SHA-256 digests: TensorFlow Datasets,
# tensorflow_datasets/url_checksums/cifar10.txt and cifar100.txt.
CIFAR10_FILES = PublishedArchive(
    "cifar-10-binary.tar.gz",
    170052171,
    "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    versions=(
        Version(
            "cifar-10-binary.tar.gz",
            "cifar-10-batches-bin",
            (*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"),
        ),
        Version(
            "cifar-10-python.tar.gz",
            "cifar-10-batches-py",
            (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"),
        ),
    ),
)
CIFAR100_FILES = PublishedArchive(
    "cifar-100-binary.tar.gz",
    168513733,
    "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
    versions=(
        Version("cifar-100-binary.tar.gz", "cifar-100-binary", ("train.bin", "test.bin")),
        Version("cifar-100-python.tar.gz", "cifar-100-python", ("train", "test")),
    ),
)


class Labels(NamedTuple):
    """Which of an image's labels to take: its place among the bytes before the image, its key in the Python version."""

    place: int
    before: int
    key: str
    classes: int


class Cifar(NamedTuple):
    """A data set: its name, where its files lie, its labels, mean and standard deviation of its training pixels / 255."""

    name: str
    folder: str
    archive: PublishedArchive
    labels: Labels
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    @property
    def publication(self) -> Publication:
        """Its files as `fetch` and the catalogue want them."""
        return Publication(self.folder, (self.archive,), MIRRORS)


CIFAR10 = Cifar(
    "cifar10",
    "cifar10",
    CIFAR10_FILES,
    Labels(0, 1, "labels", 10),
    mean=(0.4914, 0.4822, 0.4465),
    std=(0.2470, 0.2435, 0.2616),
)
CIFAR100 = Cifar(
    "cifar100",
    "cifar100",
    CIFAR100_FILES,
    Labels(1, 2, "fine_labels", 100),
    mean=(0.5071, 0.4865, 0.4409),
    std=(0.2673, 0.2564, 0.2762),
)
CIFAR100_COARSE = CIFAR100._replace(name="cifar100-coarse", labels=Labels(0, 2, "coarse_labels", 20))


def load_cifar(cifar: Cifar, folder: Folder = None) -> Dataset:
    """Read CIFAR from its published files, archived or unpacked, the binary version first.

    Parameters
    ----------
    cifar : Cifar
        `CIFAR10`, `CIFAR100` or `CIFAR100_COARSE`.
    folder : path-like, optional
        Look for FOLDER/NAME here alone; by default in the places of `search_folders`.

    Returns
    -------
    Dataset
        Images of shape (N, 3, 32, 32) as `Pixels`, normalised to mean 0 and standard deviation 1 by channel; 50,000 for
        training and 10,000 for testing.

    Raises
    ------
    InputError
        If a file is missing, truncated or damaged, has another layout, or holds labels out of range.
    """
    (path,) = cifar.publication.paths(folder)
    version = cifar.archive.version_of(path)
    read = _read_records if version.files[0].endswith(".bin") else _read_pickled
    found = {}
    for name, content in read_members(path, version.files, MOST):
        where = str(path / name) if path.is_dir() else f"{name} in {path}"
        found[name] = read(content, where, cifar.labels)
    parts = [found[name] for name in version.files]
    return Dataset(
        cifar.name,
        Pixels(np.concatenate([images for images, _ in parts[:-1]]), cifar.mean, cifar.std),
        np.concatenate([labels for _, labels in parts[:-1]]),
        Pixels(parts[-1][0], cifar.mean, cifar.std),
        parts[-1][1],
        cifar.labels.classes,
    )


def _read_records(content: bytes, where: str, labels: Labels) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return the images and labels of a file of the binary version."""
    length = labels.before + SIZE
    if not content or len(content) % length:
        raise InputError(
            f"{where} has {len(content)} bytes; expected a whole number of records of {length} (a truncated file?)"
        )
    records = np.frombuffer(content, np.uint8).reshape(-1, length)
    return _checked(records[:, labels.before :], records[:, labels.place], where, labels)


def _read_pickled(content: bytes, where: str, labels: Labels) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return the images and labels of a file of the Python version."""
    batch = read_pickle(content, where)
    data, numbers = _get(batch, "data", where), _get(batch, labels.key, where)
    if not (isinstance(data, np.ndarray) and data.dtype == np.uint8 and data.ndim == 2 and data.shape[1] == SIZE):
        found = f"{data.dtype} {data.shape}" if isinstance(data, np.ndarray) else type(data).__name__
        raise InputError(f"{where} holds images as {found}; expected uint8 (N, {SIZE})")
    if not isinstance(numbers, np.ndarray):  # and no lists of lists, which may hold each other 2^60 times
        flat = isinstance(numbers, list | tuple) and all(type(number) is int for number in numbers)
        numbers = np.asarray(numbers if flat else [])
    if numbers.dtype.kind not in "ui" or numbers.shape != (len(data),) or not len(data):
        raise InputError(f"{where} has {len(data)} images, but its {labels.key} are not as many whole numbers")
    return _checked(data, numbers, where, labels)


def _get(batch: Any, key: str, where: str) -> Any:
    """Return an entry of a pickled batch, whose keys are bytes if Python 2 wrote them."""
    if isinstance(batch, dict):
        for known in (key.encode(), key):
            if known in batch:
                return batch[known]
    raise InputError(f"{where} holds no {key}; expected a dictionary with data and {key}")


def _checked(
    images: NDArray[np.uint8], numbers: NDArray, where: str, labels: Labels
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    wrong = (numbers < 0) | (numbers >= labels.classes)
    if wrong.any():
        place = int(wrong.argmax())
        raise InputError(f"{where} has the label {numbers[place]} at image {place}; expected 0 to {labels.classes - 1}")
    return np.ascontiguousarray(images).reshape(-1, *SHAPE), numbers.astype(np.int64)
