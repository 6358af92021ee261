"""Ways to damage a result file: bytes, objects and attributes, as chance or malice would."""

import io
import json
import os
import random
from pathlib import Path

import h5py
import numpy as np

STRANGE = (
    *(
        None,
        True,
        0,
        1,
        -1,
        2,
        10**5,
        10**12,
        10**30,
        0.5,
        -0.5,
        1e308,
        float("nan"),
        float("inf"),
        "",
        "x",
        "\x1b[31m",
    ),
    *(
        "[red]",
        r"$\frac$",
        "evil.py:make",
        "/dev/zero",
        "a/b",
        "\ud800",
        [],
        [1],
        [10**6, 10**6],
        ["x"],
        [[]],
        {},
        {"x": 1},
    ),
)
TYPES = ("f2", "f4", "f8", "f16", "c8", "i1", "u1", "i8", "u8", "?", "S3", "V5", ">f4", ">i8", "(2,)f4")
CANNOT = (OSError, ValueError, TypeError, LookupError, RuntimeError, AttributeError, OverflowError, MemoryError)
"""Errors of a way of damage that does not fit the object it was drawn for."""

VALUES = (np.nan, np.inf, -np.inf, 1e300, -1e300, -1, 0, 2, 255)


def damage(content: bytes, dice: random.Random, folder: Path) -> tuple[str, bytes]:
    """Return what was done to a file, and the damaged file; `folder` is where others lie that it may point to."""
    if dice.random() < 0.4:
        return "bytes", _bytes(content, dice)
    buffer = io.BytesIO(content)
    done = []
    with h5py.File(buffer, "r+") as file:
        wanted = dice.choice((1, 1, 1, 2, 4))
        for _ in range(10 * wanted):
            places = ["/"]
            file.visit(places.append)
            place = dice.choice(places)
            way = dice.choice((*OBJECTS, *ATTRIBUTES, *ATTRIBUTES))
            try:
                way(file, place, dice, folder)
            except CANNOT:
                continue
            done.append(f"{way.__name__}:{place}")
            if len(done) == wanted:
                break
    return " ".join(done) or "nothing", buffer.getvalue()


def _bytes(content: bytes, dice: random.Random) -> bytes:
    changed = bytearray(content)
    start = dice.choice((0, 0, dice.randrange(len(changed))))
    within = dice.choice((64, 2048, len(changed)))
    for _ in range(dice.choice((1, 1, 2, 4, 16, 64))):
        place = min(start + dice.randrange(within), len(changed) - 1)
        changed[place] = dice.choice((0, 1, 255, 128, dice.randrange(256), changed[place] ^ (1 << dice.randrange(8))))
    if dice.random() < 0.03:
        del changed[dice.randrange(len(changed)) :]
    return bytes(changed)


def _delete(file, place, dice, folder):
    del file[place]


def _rename(file, place, dice, folder):
    file.move(place, place + dice.choice(("x", "0", "\x1b[31m", "[red]", "/x", "\u0663")))


def _add(file, place, dice, folder):
    name = dice.choice(("x", "99", "mask", "\x1b", "y" * 300, "controls", "start_mask", "frozen", "-1"))
    file[place].create_dataset(name, data=[1.0]) if dice.random() < 0.5 else file[place].create_group(name)


def _soft_link(file, place, dice, folder):
    target = dice.choice(("/", "/trials", "/trials/0/rounds/00", "/nowhere", place))
    del file[place]
    file[place] = h5py.SoftLink(target)


def _external_link(file, place, dice, folder):
    pipe, other = folder / "pipe", folder / "other.h5"
    if not pipe.exists():
        os.mkfifo(pipe)
        with h5py.File(other, "w") as victim:
            victim["secret"] = [1.0]
    del file[place]
    file[place] = h5py.ExternalLink(str(dice.choice((pipe, other, "missing.h5"))), dice.choice(("/", "/secret")))


def _hard_link(file, place, dice, folder):
    places = ["/"]
    file.visit(places.append)
    target = file[dice.choice(places)]
    del file[place]
    file[place] = target


def _swap(file, place, dice, folder):
    places = []
    file.visit(places.append)
    other = dice.choice(places)
    file.move(place, "held")
    file.move(other, place)
    file.move("held", other)


def _retype(file, place, dice, folder):
    _again(file, place, lambda held: held.astype(dice.choice(TYPES)))


def _reshape(file, place, dice, folder):
    ways = (
        np.ravel,
        np.transpose,
        lambda held: held[:-1],
        lambda held: np.concatenate([held, held]),
        lambda held: held[:0],
        lambda held: held[None],
    )
    _again(file, place, dice.choice(ways))


def _values(file, place, dice, folder):
    def changed(held):
        held = held.copy()
        target = held[dice.choice(held.dtype.names)] if held.dtype.names else held
        where = slice(None) if dice.random() < 0.3 else dice.randrange(target.size)
        with np.errstate(all="ignore"):
            target.ravel()[where] = np.array(dice.choice(VALUES)).astype(target.dtype)
        return held

    _again(file, place, changed)


def _storage(file, place, dice, folder):
    held, way = file[place][...], dice.randrange(5)
    attributes = dict(file[place].attrs)
    del file[place]
    if way == 0:
        made = file.create_dataset(place, data=held, chunks=True, compression="gzip")
    elif way == 1:
        made = file.create_dataset(
            place, held.shape, held.dtype, external=[(str(folder / "elsewhere"), 0, held.nbytes)]
        )
    elif way == 2:
        huge = tuple(dice.choice((10**6, 10**9)) for _ in range(max(1, held.ndim)))
        made = file.create_dataset(place, huge, held.dtype)
    elif way == 3:
        made = file.create_dataset(place, (10**10,), held.dtype, chunks=(10**6,), compression="gzip")
    else:
        layout = h5py.VirtualLayout(held.shape, held.dtype, maxshape=(None,) * held.ndim)
        layout[...] = h5py.VirtualSource(
            dice.choice((".", str(folder / "other.h5"))), place, held.shape, maxshape=(None,) * held.ndim
        )
        made = file.create_virtual_dataset(place, layout)
    made.attrs.update(attributes)


def _text_data(file, place, dice, folder):
    _again(file, place, lambda held: np.array(["x"] * max(1, held.size), object), h5py.string_dtype())


def _lose_attribute(file, place, dice, folder):
    del file[place].attrs[_attribute(file, place, dice)]


def _strange_attribute(file, place, dice, folder):
    values = (
        "x",
        b"x",
        1,
        -1,
        10**18,
        0.5,
        np.nan,
        np.inf,
        np.longdouble(0.5),
        np.float16(1),
        1j,
        [1.0, 2.0],
        [],
        [10**9, 10**9],
        h5py.Empty("f8"),
    )
    file[place].attrs[_attribute(file, place, dice)] = dice.choice((*values, "[" * 5000, "\x1b" * 10))


def _reference(file, place, dice, folder):
    file[place].attrs[_attribute(file, place, dice)] = file.ref


def _strange_json(file, place, dice, folder):
    """Replace a value somewhere inside of a JSON text, written as it is now or was before."""
    attributes = file[place].attrs
    name = dice.choice(
        [name for name, value in attributes.items() if isinstance(value, str | bytes) and value[:1] in ("{", b"{")]
    )
    held = json.loads(attributes[name])
    inner = held
    while isinstance(inner, dict | list) and inner:
        key = dice.choice(list(inner) if isinstance(inner, dict) else range(len(inner)))
        if dice.random() < 0.5 or not isinstance(inner[key], dict | list) or not inner[key]:
            if isinstance(inner, dict) and dice.random() < 0.2:
                del inner[key]
            else:
                inner[key] = dice.choice(STRANGE)
            break
        inner = inner[key]
    text = json.dumps(held)
    attributes[name] = np.bytes_(text) if dice.random() < 0.8 else text


def _attribute(file, place, dice):
    return dice.choice(list(file[place].attrs) or ["x"])


def _again(file, place, change, dtype=None):
    """Write a dataset anew."""
    attributes, values = dict(file[place].attrs), change(file[place][...])
    del file[place]
    file.create_dataset(place, data=values, dtype=dtype).attrs.update(attributes)


OBJECTS = (
    *(
        _delete,
        _rename,
        _add,
        _soft_link,
        _external_link,
        _hard_link,
        _swap,
        _retype,
        _retype,
        _reshape,
        _values,
        _values,
    ),
    *(_storage, _storage, _text_data),
)
ATTRIBUTES = (_lose_attribute, _strange_attribute, _strange_json, _strange_json, _strange_json, _reference)
