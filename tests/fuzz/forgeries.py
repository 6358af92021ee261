"""Forged result files: a lie drawn at random, told anywhere in a file, and made to look right by who knows the format."""

import io
import math
import random

import h5py
import numpy as np

from tests.fuzz.lies import KINDS, Nowhere, read_json, trainings, write_json
from tests.lottery.experiments import DATA, SMALL
from tinyticket.errors import InputError
from tinyticket.lottery import find
from tinyticket.results import load
from tinyticket.store import summary
from tinyticket.store.digest import FILE, examine, record

EXPERIMENTS = {
    "tickets": {"controls": "reinit,random", "trials": 2},
    "rewound": {"controls": "reinit", "rewind_to": 5},
    "continued": {"controls": "random", "strategy": "continue", "eager": True},
    "moving": {"controls": "static", "rounds": None, "one_shot": [0.5, 0.3], "method": "rigl", "update_every": 4},
    "popup": {"controls": "none", "rounds": None, "one_shot": [0.5, 0.3], "method": "edge-popup"},
}


def honest(path):
    """Return the content of a file of each experiment; `path` is where one may lie."""
    contents = {}
    for name, settings in EXPERIMENTS.items():
        path.unlink(missing_ok=True)
        find("mlp-12-8-3", DATA, **{**SMALL, **settings}, threads=1, out=path)
        contents[name] = path.read_bytes()
    path.unlink()
    return contents


def forge(content: bytes, dice: random.Random) -> tuple[str, str, bytes]:
    """Return the kind of a lie, where or about what it is told, and the file that tells it."""
    while True:
        kind, tell = dice.choice(list(KINDS.items()))
        buffer = io.BytesIO(content)
        with h5py.File(buffer, "r+") as file:
            try:
                how = tell(file, dice)
            except Nowhere:
                continue
        return kind, how, buffer.getvalue()


def made_consistent(forged: bytes, path, published: str) -> bytes:
    """Return a forged file with the scalars, counts and digests that its contents imply, as far as they imply any.

    A lie that is in such a number alone would be undone: the file is left as it is.
    """
    buffer = io.BytesIO(forged)
    with h5py.File(buffer, "r+") as file:
        for place in trainings(file):
            _count(file[place])
        config = read_json(file, "config")
        if config.get("seed") != file.attrs["seed"]:
            changed = config["seed"] if config["seed"] != 0 else int(file.attrs["seed"])
            file.attrs["seed"] = changed
            write_json(file, "config", {**config, "seed": changed})
    path.write_bytes(buffer.getvalue())
    try:
        result = load(path)
        with result.archive.read() as root:
            examined = examine(root, result.header)
    except InputError:
        return buffer.getvalue()
    if examined.found[FILE] == published:
        return forged
    with h5py.File(buffer, "r+") as file:
        for place in examined.recorded:
            record(file[place], examined.found[place])
    return buffer.getvalue()


def _count(training):
    """Bring the numbers of a training in line with its history and its masks."""
    try:
        table, masks = training["history"][()], training["mask"]
        rows = table[table["iteration"] >= read_json(training, "start").get("drawn", 0)]
        for name, value in summary(rows).items():
            training.attrs[name] = value
        sizes = [math.prod(mask.attrs["shape"]) for mask in masks.values()]
        bits = [np.unpackbits(mask[()])[:size] for mask, size in zip(masks.values(), sizes, strict=True)]
        left = int(sum(np.count_nonzero(one) for one in bits))
        training.attrs["weights_left"], training.attrs["density"] = left, left / sum(sizes)
    except (KeyError, ValueError):
        return  # something is missing
