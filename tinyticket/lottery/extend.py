"""Going on with a file by its own settings, and with more trials, rounds or controls than it has.

What comes to a file is what it would have had from the start, to the bit: trials, rounds and controls draw from streams of their
own, and start from weights that are in the file. Only controls that are missing are trained, beside tickets that are there.
"""

from __future__ import annotations

import dataclasses
import os
from typing import Any

from tinyticket.errors import InputError
from tinyticket.lottery.controls import parse_controls
from tinyticket.lottery.experiment import Experiment
from tinyticket.lottery.foreign import open_tickets
from tinyticket.lottery.replay.again import data_of, other_bits
from tinyticket.lottery.settings import Settings
from tinyticket.lottery.settings.table import SETTINGS
from tinyticket.lottery.transfer import Network
from tinyticket.results.result import Result, load


def resume(file: str | os.PathLike, **options: Any) -> Result:
    """Go on with an experiment by the settings in its file, and return its result.

    Parameters
    ----------
    file : path-like
    data, data_folder
        The data set, if its name in the file does not say where it is.
    model
        The network, if it is one of your own: a Module or a function, as `find` got it.
    masks_from
        The file whose masks it trains, if it does that.
    **running
        threads, workers, executor and callbacks, as `find` takes them.

    Raises
    ------
    InputError
        If the file does not hold what is needed to go on.
    """
    return continued(file, **options).run()


def extend(
    file: str | os.PathLike, *, trials: int | None = None, rounds: int | None = None, controls: Any = (), **options: Any
) -> Result:
    """Train what a file lacks of more trials, rounds or controls, and return its result.

    Parameters
    ----------
    file : path-like
    trials, rounds
        How many there are then.
    controls : str or list
        Those that come to the ones that it has.
    **options
        As of `resume`.

    Raises
    ------
    InputError
        If the file has more trials or rounds already, or `resume` would raise it.
    """
    return extended(file, trials=trials, rounds=rounds, controls=controls, **options).run()


def extended(
    file: str | os.PathLike, *, trials: int | None = None, rounds: int | None = None, controls: Any = (), **options: Any
) -> Experiment:
    """Return the experiment that `extend` runs."""
    before = Settings.from_plain(load(file).config)
    given = {"trials": trials, "rounds": rounds}
    asked: dict[str, Any] = {name: SETTINGS[name].read(value) for name, value in given.items() if value is not None}
    for name, value in asked.items():
        if (held := getattr(before, name)) > value:
            raise InputError(f"{file} is of {held} {name}, and nothing is taken away: extend it to more than that")
    if before.one_shot and asked.get("rounds", before.rounds) != before.rounds:
        raise InputError(f"{file} prunes once to each of its densities, which are its rounds: there are no more")
    added = tuple(name for name in parse_controls(controls) if name not in before.controls)
    settings = dataclasses.replace(before, **asked, controls=(*before.controls, *added))
    experiment = continued(file, settings=settings, **options)
    experiment.added = added
    return experiment


def continued(
    file: str | os.PathLike,
    *,
    settings: Settings | None = None,
    data: Any = None,
    data_folder: Any = None,
    model: Any = None,
    masks_from: Any = None,
    **running: Any,
) -> Experiment:
    """Return the experiment that `resume` runs, or with other settings than the file's."""
    result = load(file)
    settings = settings or Settings.from_plain(result.config)
    if (masks_from is None) != (settings.masks_from == "none"):
        where = f"{file} prunes by itself" if masks_from else f"the masks of {file} are those of {settings.masks_from}"
        raise InputError(f"{where}: {'leave masks-from out' if masks_from else 'say where that is (masks-from)'}")
    if masks_from is not None and (given := open_tickets(masks_from).adopt({})["masks_from"]) != settings.masks_from:
        raise InputError(
            f"the masks of {file} are those of {settings.masks_from}, and {masks_from} has those of {given}"
        )
    experiment = Experiment(
        Network(result) if model is None else model,
        data_of(result, data, data_folder),
        settings=settings,
        masks_from=masks_from,
        out=file,
        **running,
    )
    trial = result.trials[0].number
    if other_bits(experiment.draw_initial(trial), result.init(trial)):  # more trials would be of another experiment
        raise InputError(
            f"{result.archive.name} drew its initial weights by a function of its own, which is not in the file: give the model "
            "that the experiment was given (--model FILE.py:FUNCTION)"
        )
    return experiment
