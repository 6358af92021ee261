"""The data sets that have a name, in one table. A new one is one more entry."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from os import PathLike
from pathlib import Path
from typing import NamedTuple

from tinyticket.data.cifar import CIFAR10, CIFAR100, CIFAR100_COARSE, Cifar, load_cifar
from tinyticket.data.dataset import Dataset
from tinyticket.data.digits import load_digits, locate_digits
from tinyticket.data.folders import Folder
from tinyticket.data.mnist import FASHION_MNIST, MNIST, load_mnist
from tinyticket.data.npz import load_npz
from tinyticket.data.published import Publication
from tinyticket.data.tables import load_csv
from tinyticket.errors import InputError, near

NPZ, CSV = (".npz",), (".csv", ".csv.gz")


@dataclass(frozen=True)
class Entry:
    """What to know about a named data set.

    Parameters
    ----------
    description : str
        One line for people.
    load : callable
        Takes a folder to look in, or None for the usual places, and returns the `Dataset`.
    locate : callable
        Takes the same and returns where the data lie; raises `InputError` if they are not there.
    publication : Publication, optional
        What `fetch` downloads; None if there is nothing to download.
    """

    description: str
    load: Callable[[Folder], Dataset]
    locate: Callable[[Folder], Path]
    publication: Publication | None = None


def _published(description: str, load: Callable[[Folder], Dataset], publication: Publication) -> Entry:
    return Entry(description, load, publication.locate, publication)


def _cifar(description: str, cifar: Cifar) -> Entry:
    return _published(description, partial(load_cifar, cifar), cifar.publication)


CATALOGUE = {
    "digits": Entry(
        "handwritten digits, 1,797 images of 8 x 8, shipped with scikit-learn",
        lambda folder: load_digits(),
        lambda folder: locate_digits(),
    ),
    "digits-360": Entry(
        "the same with 360 instead of 599 test images, as files have it that were begun before",
        lambda folder: load_digits(test_every=5),
        lambda folder: locate_digits(),
    ),
    "mnist": _published("handwritten digits, 70,000 images of 28 x 28", partial(load_mnist, MNIST), MNIST),
    "fashion-mnist": _published(
        "pieces of clothing in 10 classes, 70,000 images of 28 x 28", partial(load_mnist, FASHION_MNIST), FASHION_MNIST
    ),
    "cifar10": _cifar("photographs of 10 kinds of things, 60,000 images of 32 x 32 in colour", CIFAR10),
    "cifar100": _cifar("photographs of 100 kinds of things, 60,000 images of 32 x 32 in colour", CIFAR100),
    "cifar100-coarse": _cifar("cifar100 with the labels of its 20 groups of kinds", CIFAR100_COARSE),
}


class Listing(NamedTuple):
    """A line of `describe`: a data set's name, what it is, and where it lies (None if it is not on this machine)."""

    name: str
    description: str
    path: Path | None


def names() -> list[str]:
    """Return the names that `load` knows."""
    return list(CATALOGUE)


def load(name: str | PathLike[str], folder: Folder = None, *, target: str = "", numbers: bool = False) -> Dataset:
    """Load a data set.

    Parameters
    ----------
    name : str or path-like
        One of `names`, or the path of an .npz file (see `tinyticket.data.npz.load_npz`) or a .csv or .csv.gz file (see
        `tinyticket.data.tables.load_csv`).
    folder : path-like, optional
        Look for published files in FOLDER/NAME alone; by default in $TINYTICKET_DATA/NAME and then in the user's cache
        folder. Digits and files of your own lie elsewhere.
    target : str, optional
        Of a CSV file, the column to predict; by default the last one.
    numbers : bool, optional
        Whether the targets of a file are numbers to predict, instead of labels.

    Returns
    -------
    Dataset

    Raises
    ------
    InputError
        If the name is unknown, or a file is missing, truncated, damaged, too large or holds what cannot be trained on.
    """
    if not isinstance(name, str | PathLike):
        raise InputError(f"a data set has a name or the path of an .npz file, not {name!r:.60}")
    try:
        if _ends(name, CSV):
            return load_csv(name, target, numbers)
        if target:
            raise InputError(f"the target {target!r} is a column of a CSV file or data frame, which {name} is not")
        return load_npz(name, numbers) if _ends(name, NPZ) else look_up(name).load(folder)
    except MemoryError:
        raise InputError(f"{name} is larger than the memory that there is") from None


def path(name: str | PathLike[str], folder: Folder = None) -> Path:
    """Return where a data set lies, with the parameters of `load`.

    Raises
    ------
    InputError
        If the name is unknown or the data are not on this machine.
    """
    if not _ends(name, NPZ + CSV):
        return look_up(name).locate(folder)
    if not os.path.isfile(name):
        raise InputError(f"{name} does not exist; expected a file of your own")
    return Path(name)


def describe(folder: Folder = None) -> list[Listing]:
    """Return what there is to load and where it lies, looking in the places of `load`."""
    return [Listing(name, entry.description, _find(entry, folder)) for name, entry in CATALOGUE.items()]


def look_up(name: str | PathLike[str]) -> Entry:
    """Return a name's entry in the table.

    Raises
    ------
    InputError
        If there is none; the sentence suggests the nearest name.
    """
    try:
        return CATALOGUE[str(name)]
    except KeyError:
        hint = near(str(name).lower(), CATALOGUE)
        raise InputError(f"unknown data set {str(name)!r}{hint}; a file of your own ends in .npz or .csv") from None


def _ends(name: str | PathLike[str], endings: tuple[str, ...]) -> bool:
    return str(name).lower().endswith(endings)


def _find(entry: Entry, folder: Folder) -> Path | None:
    try:
        return entry.locate(folder)
    except InputError:
        return None
