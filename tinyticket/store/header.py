"""What a file says of its experiment as a whole, checked: every setting, size and name that a reader goes by has the type it needs.

Lengths are limited too, since what is only a number in a text may become the length of a loop or an array.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from tinyticket.store.reading import Group

LARGEST = 10**9
LARGEST_EXAMPLE = 10**7
MOST_STOPS = 2 * 10**6
"""How often a training may be evaluated or its mask be moved: such iterations are listed in memory."""

Check = Callable[[Any], bool]


def read_header(root: Group) -> dict[str, Any]:
    """Return config, model, data, versions, machine, networks (empty in the first files), diverged, unfinished, earlier and seed.

    InputError says which of them is missing or is not what it should be.
    """
    header: dict[str, Any] = {name: root.json(name) for name in ("config", "model", "data", "versions", "machine")}
    _check(root, "config", header["config"], CONFIG, LATER)
    _check(
        root, "data", header["data"], DATA, {"outputs": _count(1), **dict.fromkeys(("weighted", "sparse"), _is_true)}
    )
    _check(root, "data", header["data"]["examples"], dict.fromkeys(("train", "validation", "test"), _count(1)))
    _check_lengths(root, header["config"], header["data"])
    networks = root.json("networks") if root.has("networks") else {}
    if networks:
        _check(root, "networks", networks, NETWORKS)
        networks = {name: networks[name] for name in NETWORKS}
    diverged = root.json("diverged") if root.has("diverged") else {}
    if not all(trial.isdecimal() and _count(0)(round) for trial, round in diverged.items()):
        raise root.damage(f"it cannot be {diverged!r:.60}", "diverged")
    earlier = root.json("earlier").get("runs") if root.has("earlier") else []
    if not (isinstance(earlier, list) and all(map(_mapping(_mapping(_anything)), earlier))):
        raise root.damage(f"it cannot be {earlier!r:.60}", "earlier")
    for run in earlier:
        _check(root, "earlier", run, EARLIER)
    unfinished = root.json("unfinished").get("trials") if root.has("unfinished") else []
    if not _list(_count(0))(unfinished):
        raise root.damage(f"it cannot be {unfinished!r:.60}", "unfinished")
    more = {"networks": networks, "diverged": diverged, "unfinished": unfinished, "earlier": earlier}
    return {**header, **more, "seed": root.number("seed", int)}


def _check(
    root: Group, where: str, found: Mapping, needed: Mapping[str, Check], later: Mapping[str, Check] | None = None
) -> None:
    for name, holds in needed.items():
        if name not in found:
            raise root.damage(f"{name} is missing", where)
        if not holds(found[name]):
            raise root.damage(f"{name} cannot be {found[name]!r:.60}", where)
    for name, holds in (later or {}).items():
        if name in found and not holds(found[name]):
            raise root.damage(f"{name} cannot be {found[name]!r:.60}", where)


def _check_lengths(root: Group, config: Mapping, data: Mapping) -> None:
    steps = {"evaluate_every": config["evaluate_every"]}
    if config.get("method", "tickets") != "tickets":
        epoch = max(1, data["examples"]["train"] // config["batch_size"])
        steps |= {"update_every": config.get("update_every", 100), "batch_size": epoch}
    if config.get("gradual"):
        steps["gradual"] = config["gradual"][2]
    for name, step in steps.items():
        if config["iterations"] // step > MOST_STOPS:
            raise root.damage(f"{name} cannot be {config.get(name)!r} in {config['iterations']} iterations", "config")


def _anything(value: Any) -> bool:
    return True


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _count(least: int, most: int = LARGEST) -> Check:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _list(of: Check, lengths: tuple[int, ...] | range = range(LARGEST)) -> Check:
    return lambda value: isinstance(value, list) and len(value) in lengths and all(map(of, value))


def _mapping(of: Check) -> Check:
    return lambda value: isinstance(value, dict) and all(map(of, value.values()))


def _is_true(value: Any) -> bool:
    return value is True


def _shape(value: Any) -> bool:
    return _list(_count(1), range(1, 9))(value) and math.prod(value) <= LARGEST_EXAMPLE


CONFIG: dict[str, Check] = {
    **dict.fromkeys(("data", "model", "optimizer", "scope"), _text),
    **dict.fromkeys(("iterations", "batch_size", "trials", "validation", "evaluate_every"), _count(1)),
    **dict.fromkeys(("lr", "weight_decay"), _number),
    "rounds": _count(0),
    "seed": lambda value: _count(0, 2**64)(value),
    "schedule": lambda value: isinstance(value, dict),
    "prune": _mapping(_number),
    "one_shot": _list(_number),
    "controls": _list(_text),
    "eager": lambda value: isinstance(value, bool),
}
LATER: dict[str, Check] = {
    **dict.fromkeys(("rewind", "method", "loss", "target"), _text),
    "margin": _number,
    "update_every": _count(1),
    "gradual": lambda value: _list(_count(0), (0, 3))(value) and all(value[2:]),
}
"""Of the settings that the first files did not have, those that are read without `Settings`, which checks all."""

NETWORKS: dict[str, Check] = {
    **dict.fromkeys(("label", "sought", "how"), _text),
    **dict.fromkeys(("timed", "trained"), lambda value: isinstance(value, bool)),
}
EARLIER: dict[str, Check] = {
    **dict.fromkeys(("versions", "machine"), _mapping(_anything)),
    "rounds": _mapping(_count(0)),
}
DATA: dict[str, Check] = {
    "name": _text,
    "classes": _count(0),
    "input_shape": _shape,
    "examples": _mapping(_count(0)),
    "fingerprints": _mapping(_text),
}
