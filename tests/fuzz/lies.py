"""Lies that can be told in a result file: each is told at a place drawn at random, and says where; Nowhere if there is none."""

import json
import math
import re

import h5py
import numpy as np

TRAINING = re.compile(r"trials/\d+/rounds/\d+(/controls/[^/]+|/continued)?")
OUTSIDE = {"seconds", "cpu"}
SETTINGS = {
    "seed": (1, 7),
    "lr": (0.02, 0.001),
    "optimizer": ("momentum", "sgd"),
    "weight_decay": (0.01,),
    "batch_size": (10, 40),
    "schedule": ({"kind": "multi_step", "milestones": [5], "factor": 0.1},),
    "margin": (0.002, 0.1),
    "rounds": (1, 3, 9),
    "trials": (1, 3),
    "iterations": (15, 40),
    "evaluate_every": (1, 10),
    "validation": (20, 60),
    "prune": ({"conv": 0.2, "fc": 0.3, "output": 0.1},),
    "scope": ("global", "layer"),
    "controls": ([], ["reinit"], ["reinit", "random", "inverted"]),
    "eager": (True, False),
    "data": ("digits",),
    "model": ("mlp-12-9-8-3", "lenet-300-100"),
    "rewind_to": (0, 10),
    "update_every": (2, 8),
}


class Nowhere(Exception):
    """There is no place in the file for this lie."""


# -- places


def trainings(file):
    places = []
    file.visit(lambda path: places.append(path) if TRAINING.fullmatch(path) and "history" in file[path] else None)
    return places


def datasets(file, within=""):
    places = []
    file.visititems(
        lambda path, found: places.append(path) if isinstance(found, h5py.Dataset) and within in path else None
    )
    return places


def _choose(dice, places):
    if not places:
        raise Nowhere
    return dice.choice(places)


def read_json(group, name):
    return json.loads(group.attrs[name])


def write_json(group, name, value):
    group.attrs[name] = np.bytes_(json.dumps(value))


def _change(dice, value):
    """Return another value of the same kind, a little or much."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return dice.choice([value + 1, value - 1, value + dice.randrange(2, 50), 0 if value else 1])
    if isinstance(value, float):
        return dice.choice([value * 1.01, value + 1e-6, -value or 1.0, value / 2 or 0.5, 0.0 if value else 1.0])
    if isinstance(value, str):
        return dice.choice([f"{value}x", value[:-1], *({"init", "ticket", "sparse", "dense"} - {value})])
    return {"x": 1} if isinstance(value, dict) else [1]


# -- lies


def number(file, dice):
    """One value of theta_0, trained weights or what tickets rewind to."""
    where = file[_choose(dice, [place for place in datasets(file) if file[place].dtype.kind == "f"])]
    values = where[()]
    at = tuple(dice.randrange(size) for size in values.shape)
    changed = values.dtype.type(_change(dice, float(values[at])))
    if changed == values[at]:
        raise Nowhere
    values[at] = changed
    where[...] = values
    return where.name


def bit(file, dice):
    """One bit of any dataset."""
    where = file[_choose(dice, [place for place in datasets(file) if file[place].size])]
    values = bytearray(where[()].tobytes())
    values[dice.randrange(len(values))] ^= 1 << dice.randrange(8)
    where[...] = np.frombuffer(bytes(values), where.dtype).reshape(where.shape)
    return where.name


def _history(file, dice):
    where = file[_choose(dice, datasets(file, "history"))]
    return where, where[()]


def cell(file, dice):
    """One number of a history, made a little better or worse, as an evaluation could give it."""
    where, table = _history(file, dice)
    column, row = dice.choice(table.dtype.names[1:]), dice.randrange(len(table))
    value = float(table[column][row])
    if math.isnan(value):
        raise Nowhere
    if column.endswith("accuracy"):
        examples = 40 if column.startswith("validation") else 60
        changed = min(max(round(value * examples) + dice.choice([-2, -1, 1, 2]), 0), examples) / examples
    else:
        changed = value * dice.choice([0.5, 0.9, 0.999, 1.001, 1.5])
    if changed == value:
        raise Nowhere
    table[column][row] = changed
    where[...] = table
    return f"{column} of row {row} of {where.name}"


def early_stop(file, dice):
    """A row in which the network is better than it ever was."""
    where, table = _history(file, dice)
    row = dice.randrange(1, max(len(table) - 1, 2))
    if row >= len(table):
        raise Nowhere
    for part in ("validation", "test"):
        table[f"{part}_loss"][row] = table["validation_loss"].min() * dice.choice([0.3, 0.9])
        table[f"{part}_accuracy"][row] = 1.0
    where[...] = table
    return where.name


def no_number(file, dice):
    """NaN in the last row."""
    where, table = _history(file, dice)
    column = dice.choice(table.dtype.names[1:])
    table[column][-1] = np.nan
    where[...] = table
    return f"{column} of {where.name}"


def row(file, dice):
    """A row less or more."""
    where, table = _history(file, dice)
    at = dice.randrange(len(table))
    if dice.random() < 0.5:
        table = np.delete(table, at)
    else:
        table = np.insert(table, at, table[at])
        table["iteration"][at] -= dice.choice([0, 1])
    place = where.name
    del file[place]
    file.create_dataset(place, data=table)
    return place


def attribute(file, dice):
    """One attribute of a training, or of what tickets rewind to."""
    places = trainings(file) + [place for place in datasets(file, "rewind") if file[place].attrs]
    where = file[_choose(dice, places)]
    name = _choose(dice, [name for name in where.attrs if name not in OUTSIDE])
    value = where.attrs[name]
    if name == "digest":
        where.attrs[name] = np.bytes_(value[::-1])
    elif isinstance(value, bytes):
        write_json(where, name, _inside(json.loads(value), dice))
    else:
        where.attrs[name] = type(value)(_change(dice, value.item())) if value.ndim == 0 else value + 1
    return f"{name} of {where.name}: {value} -> {where.attrs[name]}"


def _inside(value, dice):
    """Change one value somewhere inside of JSON values."""
    held = json.loads(json.dumps(value))
    inner = held
    while True:
        key = _choose(dice, list(inner) if isinstance(inner, dict) else list(range(len(inner))))
        if isinstance(inner[key], dict | list) and inner[key]:
            inner = inner[key]
            continue
        if isinstance(inner, dict) and dice.random() < 0.1:
            del inner[key]
        else:
            inner[key] = _change(dice, inner[key])
        return held


def setting(file, dice):
    """Another setting."""
    name, config = dice.choice(list(SETTINGS)), read_json(file, "config")
    value = _choose(dice, [value for value in SETTINGS[name] if config.get(name, "absent") != value])
    if name not in config and dice.random() < 0.5:
        raise Nowhere
    write_json(file, "config", {**config, name: value})
    return f"{name}: {config.get(name)} -> {value}"


def header(file, dice):
    """Something else that all trainings share: seed, architecture, data, or the words for networks."""
    name = dice.choice(["seed", "model", "data", "data", "networks"])
    if name == "seed":
        file.attrs["seed"] = 5
    else:
        write_json(file, name, _inside(read_json(file, name), dice))
    return f"{name}: {file.attrs[name]}"


def mask(file, dice):
    """Exchange a survivor and a pruned weight, or set a bit beyond the size."""
    group = file[_choose(dice, trainings(file))]
    packed = group["mask"][dice.choice(list(group["mask"]))]
    size, bits = math.prod(packed.attrs["shape"]), np.unpackbits(packed[()])
    ones, zeros = np.flatnonzero(bits[:size]), np.flatnonzero(bits[:size] == 0)
    if dice.random() < 0.2 and size % 8:
        bits[-1] = 1
    elif len(zeros) and len(ones):
        bits[[dice.choice(ones.tolist()), dice.choice(zeros.tolist())]] = 0, 1
    else:
        raise Nowhere
    packed[...] = np.packbits(bits)
    return packed.name


def theta_0(file, dice):
    """Initial weights that were not drawn."""
    where = file[_choose(dice, datasets(file, "/init/"))]
    values = where[()]
    where[...] = dice.choice([values[::-1], values * np.float32(1.1), values + np.float32(1e-3)])
    if np.array_equal(where[()], values):
        raise Nowhere
    return where.name


def _groups(file):
    """Return places of groups of one kind, to be exchanged, copied and removed."""
    rounds = [place for place in trainings(file) if re.fullmatch(r"trials/\d+/rounds/\d+", place)]
    beside = [place for place in trainings(file) if place not in rounds]
    return [[f"trials/{name}" for name in file["trials"]], rounds, beside]


def exchange(file, dice):
    """Two groups of one kind, or two datasets of one shape, in each other's place."""
    if dice.random() < 0.5:
        among = _choose(dice, [group for group in _groups(file) if len(group) > 1])
    else:
        first = _choose(dice, datasets(file))
        among = [
            place for place in datasets(file) if file[place].shape == file[first].shape and _differ(file, first, place)
        ]
        among = [first, *among] if among else _choose(dice, [])
        among = [first, dice.choice(among[1:])]
    one, other = dice.sample(among, 2)
    if one.startswith(f"{other}/") or other.startswith(f"{one}/"):
        raise Nowhere
    for old, new in ((one, "held"), (other, one), ("held", other)):
        file.move(old, new)
    return f"{one} and {other}"


def _differ(file, one, other):
    return file[one].dtype == file[other].dtype and file[one][()].tobytes() != file[other][()].tobytes()


def copy(file, dice):
    """A group in the place of another one of its kind: a trial twice, a control that is its ticket, a round again."""
    groups = [place for group in _groups(file) for place in group]
    one = _choose(dice, groups)
    same = [place for place in groups if place != one and (place.count("/") > 1) == (one.count("/") > 1)]
    other = _choose(
        dice, [place for place in same if not one.startswith(f"{place}/") and not place.startswith(f"{one}/")]
    )
    kept = {
        name: file[other][name] for name in ("controls", "continued") if name in file[other] and name not in file[one]
    }
    if kept:
        raise Nowhere
    del file[other]
    file.copy(file[one], other)
    return f"{one} to {other}"


def renumber(file, dice):
    """A trial, round or control under another name."""
    place = _choose(dice, [place for group in _groups(file) for place in group])
    parent, _, name = place.rpartition("/")
    new = f"{int(name) + dice.choice([1, 2]):0{len(name)}d}" if name.isdecimal() else f"{name}-2"
    if f"{parent}/{new}" in file:
        raise Nowhere
    file.move(place, f"{parent}/{new}")
    return f"{place} as {new}"


def rename(file, dice):
    """A dataset under another name."""
    place = _choose(dice, datasets(file))
    file.move(place, f"{place}{dice.choice(['x', '2', '.weight'])}")
    return place


def remove(file, dice):
    """A dataset, an attribute, a control, a round or a trial that is gone."""
    if dice.random() < 0.3:
        where, outside = (
            file[_choose(dice, ["/", *datasets(file, "mask"), *trainings(file)])],
            OUTSIDE | {"versions", "machine"},
        )
        name = _choose(dice, [name for name in where.attrs if name not in outside])
        del where.attrs[name]
        return f"{name} of {where.name}"
    place = _choose(dice, [place for group in (*_groups(file), datasets(file)) for place in group])
    del file[place]
    return place


def add(file, dice):
    """Something that no file has."""
    place = _choose(dice, ["/", "trials", *trainings(file), "trials/0/init"])
    if dice.random() < 0.3:
        file[place].attrs["note"] = 1
    else:
        file[place].create_dataset(dice.choice(["extra", "fc9.weight"]), data=np.ones(3, np.float32))
    return place


KINDS = {
    tell.__name__: tell
    for tell in (
        *(number, bit, cell, early_stop, no_number, row, attribute, setting, header, mask, theta_0),
        *(exchange, copy, renumber, rename, remove, add),
    )
}
