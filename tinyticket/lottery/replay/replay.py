"""Repeat one training from its file alone and compare all that came of it, bit for bit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tinyticket.lottery.jobs.job import cpu
from tinyticket.lottery.replay.again import Again, same_bits
from tinyticket.results.result import Result
from tinyticket.store import Checkpoint, Run, layout
from tinyticket.store.checkpoint import contents_of


@dataclass(frozen=True)
class Difference:
    """One thing that came out otherwise."""

    what: str  # such as "trained fc1.weight", "mask fc1.weight" or "history test_loss"
    places: int  # in how many values
    largest: float  # the largest absolute difference; 1 for masks and whatever is no number


@dataclass(frozen=True)
class Replay:
    """What repeating a training showed."""

    title: str  # which training
    differences: list[Difference]  # empty if all bits agree
    remarks: list[str]  # why bits may differ without anybody's fault: other versions, another machine

    @property
    def agrees(self) -> bool:
        """Whether weights, masks and history came out the same, bit for bit."""
        return not self.differences


def replay(result: Result, trial: int = 0, round: int = 0, control: str | None = None, **options: Any) -> Replay:
    """Train one network of a result again and compare it with what the file holds.

    It starts from the file's theta_0, masks are chosen again from the weights that the file holds of the round before, the batches
    come from the streams that the settings name, and every layer runs on the kernel that the file names.

    Parameters
    ----------
    result
    trial, round
        Which training.
    control
        A control of that round, or "continued"; None for the ticket, or in round 0 the dense network.
    **options
        Those of `Again`: data, data_folder, model, threads, callbacks.

    Raises
    ------
    InputError
        If there is no such training, or data or network cannot be had any more.
    """
    return repeat(Again(result, **options), trial, round, control)


def repeat(again: Again, trial: int, round: int, control: str | None) -> Replay:
    """Do what `replay` does, in an experiment that has been made again."""
    recorded, job = again.result.round(trial, round, control), again.job(trial, round, control)
    again.callback.run_begun(1, again.settings.iterations, 0)
    try:
        run = again.do(job)
    finally:
        again.callback.run_ended()
    title = f"trial {trial}, round {round}, {job.training.network}"
    found = remarks(again.result, trial, round)
    if recorded.cpu and recorded.cpu != cpu():
        found.append(f"it was trained on a CPU of the kind {recorded.cpu}, and this is {cpu()}, whose bits may differ")
    kept = again.result.rewind(trial) if run.checkpoint else None
    return Replay(title, compare(run, recorded.run(), kept), found)


def compare(run: Run, recorded: Run, kept: Checkpoint | None = None) -> list[Difference]:
    """Return in what a training differs from a recorded one, of which `kept` is what tickets rewind to."""
    found: list[Difference] = []
    pairs = [(f"mask {name}", mask, run.masks[name]) for name, mask in recorded.masks.items()]
    pairs += [(f"trained {name}", value, run.trained[name]) for name, value in recorded.trained.items()]
    for which, now, before in (("frozen", run.frozen, recorded.frozen), ("scores", run.scores, recorded.scores)):
        pairs += [(f"{which} {name}", before[name], now[name]) for name in before.keys() & now.keys()]
    if run.checkpoint and kept:
        held, made = contents_of(kept).arrays, contents_of(run.checkpoint).arrays
        found += [Difference(f"rewind {name}", 1, 1.0) for name in held.keys() ^ made.keys()]
        pairs += [(f"rewind {name}", held[name], made[name]) for name in held.keys() & made.keys()]
    names = recorded.history.dtype.names or ()
    if len(run.history) == len(recorded.history):
        pairs += [(f"history {name}", recorded.history[name], run.history[name]) for name in names]
    else:
        found.append(Difference("history", abs(len(run.history) - len(recorded.history)), 1.0))
    found += [_difference(what, *arrays) for what, *arrays in pairs if not same_bits(*arrays)]
    for what, now, before in (("start", run.origin, recorded.origin), ("execution", run.plan, recorded.plan)):
        changed = [key for key in {**before, **now} if key in before and now.get(key) != before[key]]
        found += [Difference(f"{what} {key}", 1, 1.0) for key in changed]
    return found


def remarks(result: Result, trial: int, round: int) -> list[str]:
    """Return in what this program and machine differ from those that trained a round, if at all."""
    now, (before, machine) = layout.versions(), result.trained_by(trial, round)
    changed = [name for name in now if before.get(name, now[name]) != now[name]]
    other = [f"{name} was {before[name]} and is {now[name]}" for name in changed]
    found = [f"it was trained by other versions, whose bits may differ: {', '.join(other)}"] if other else []
    processor = machine.get("processor")
    if processor != layout.machine()["processor"]:
        found.append(f"it was trained on another machine ({processor}), whose bits may differ")
    return found


def _difference(what: str, before: np.ndarray, now: np.ndarray) -> Difference:
    if before.shape != now.shape:
        return Difference(what, max(before.size, now.size), 1.0)
    bits = np.frombuffer(before.tobytes(), np.uint8) != np.frombuffer(now.tobytes(), np.uint8)
    places = int(bits.reshape(before.size, -1).any(axis=1).sum())
    return Difference(what, places, float(np.nanmax(np.abs(before.astype(float) - now.astype(float)), initial=0.0)))
