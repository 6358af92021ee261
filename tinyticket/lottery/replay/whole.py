"""What must hold of a file as a whole: functions that say what is wrong, or None."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from tinyticket.lottery.inputs import split
from tinyticket.lottery.replay.file import File
from tinyticket.nn import describe
from tinyticket.results.naming import METHODS
from tinyticket.store import Group
from tinyticket.store.facts import SCALARS

TRAINING = r"trials/\d+/rounds/\d+(/controls/[^/]+|/continued)?"
PLACES = {
    "": {"format", "format_version", "seed", "config", "model", "data", "networks", "versions", "machine"}
    | {"digest", "diverged", "unfinished", "earlier"},
    r"trials(/\d+(/rounds(/\d+/controls)?)?)?": set(),
    r"trials/\d+/init": {"digest"},
    r"trials/\d+/init/[^/]+": set(),
    r"trials/\d+/rewind": {"iteration", "digest"},
    r"trials/\d+/rewind/[^/]+": {"steps"},
    TRAINING: {*SCALARS, "start", "plan", "cpu", "metric", "digest"},
    rf"{TRAINING}/(mask|start_mask|trained|frozen|scores|history)": set(),
    rf"{TRAINING}/(mask|start_mask)/[^/]+": {"shape"},
    rf"{TRAINING}/(trained|frozen|scores)/[^/]+": set(),
    r"analyses(/instability(/\d+(/\d+/curve)?)?)?": set(),
    r"analyses/instability/\d+/\d+": {"barrier", "start", "streams"},
}
"""All that may be in a file (docs/format.md), and its attributes."""


def specified(file: File) -> str | None:
    """The file holds what its format has and nothing else."""
    with file.result.archive.read() as root:
        if (version := root.number("format_version", int)) < 1:
            return f"its format_version is {version}, and the first was 1"
        unknown = [place for place, attributes in _everything(root) if not _is_specified(place, attributes)]
    return f"{', '.join(unknown[:3])}: there is no such thing, or it has another attribute" if unknown else None


def _everything(group: Group, path: str = "") -> Iterator[tuple[str, set[str]]]:
    yield path, set(group.attributes())
    for name in group.names():
        place = f"{path}/{name}" if path else name
        if group.is_group(name):
            yield from _everything(group.group(name), place)
        else:
            yield place, set(group.attributes(name))


def _is_specified(place: str, attributes: set[str]) -> bool:
    return any(re.fullmatch(known, place) and attributes <= allowed for known, allowed in PLACES.items())


def consistent(file: File) -> str | None:
    """Seed and words are those of the settings."""
    result, settings = file.result, file.settings
    if result.seed != settings.seed:
        return f"its seed is {result.seed}, and in its settings {settings.seed}"
    if result.data["name"] != settings.data:
        return f"its data are {result.data['name']}, and in its settings {settings.data}"
    if settings.one_shot and settings.rounds != len(settings.one_shot):
        return f"it was to prune {settings.rounds} times, to {len(settings.one_shot)} densities"
    library = settings.method in ("tickets", *METHODS)  # the words of others are their own
    if library and result.networks != (words := file.method.networks(settings)):
        return f"it calls its networks {result.networks.found()!r} and not {words.found()!r}"
    return None


def named(file: File) -> str | None:
    """The architecture is that of the network of this name, and its connections are those that the seed draws."""
    named = file.named
    if describe(named) != file.result.model_description:
        return f"{file.settings.model} has another architecture"
    if file.settings.masks_from == "none":  # else they are those of the file from which the masks are
        for trial in file.result.trials:
            for name, own in named.structure().items():
                if not np.array_equal(own, trial.structure[name]):
                    return (
                        f"{name} of trial {trial.number} are not the connections that seed {file.settings.seed} draws"
                    )
    return None


def described(file: File) -> str | None:
    """The data at hand are those that the file describes: not their contents alone, but also in what shape and how many."""
    data, recorded, examples = file.data, file.result.data, split(file.data, file.settings)
    counts = {part: len(getattr(examples, part)[1]) for part in ("train", "validation", "test")}
    now = {"classes": data.classes, "input_shape": list(data.input_shape), "examples": counts}
    different = [name for name in now if now[name] != recorded[name]]
    missing = data.fingerprints().keys() - recorded["fingerprints"].keys()
    return f"{', '.join([*different, *sorted(missing)])} of the data are others" if different or missing else None
