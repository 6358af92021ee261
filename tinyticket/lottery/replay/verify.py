"""Check without training anything whether what a result file says of itself is true."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from tinyticket.errors import InputError
from tinyticket.lottery.controls import KINDS, known
from tinyticket.lottery.methods import method_of
from tinyticket.lottery.pruning import AT_INIT, Pruner
from tinyticket.lottery.replay.again import Again
from tinyticket.lottery.settings import Settings
from tinyticket.nn import Module
from tinyticket.results.naming import kind_of
from tinyticket.results.result import Result, Round, fill
from tinyticket.store import layout, summary

ROUNDING = 1e-3  # of accuracies and losses that other kernels or another machine recompute


@dataclass(frozen=True)
class Check:
    """One thing that was looked at everywhere in the file."""

    what: str  # the claim, in words
    checked: int  # in how many trainings; 0 if it could not be
    failures: list[str]  # where it is false, and how
    reason: str = ""  # why it could not be checked

    @property
    def standing(self) -> str:
        """Whether it "passed", "failed" or was "not checked"."""
        return "failed" if self.failures else "passed" if self.checked else "not checked"


@dataclass(frozen=True)
class _Training:
    """One training of the file, and the ticket beside which it ran if it is a control."""

    where: str
    trial: int
    run: Round
    control: str | None = None
    ticket: Round | None = None


Claim = Callable[[_Training], str | None]


def verify(result: Result, **options: Any) -> list[Check]:
    """Check everything in a result that can be checked without training.

    The options are those of `Again`. Without the data set at hand, what needs it stays unchecked.
    """
    settings = Settings.from_plain(result.config)
    runs = list(_trainings(result))
    checks = [
        _check("masks and weights are complete, and survivors finite", runs, partial(_complete, result)),
        _check("density and weights left are those of the masks", runs, _counts),
        _check("the history goes from the start to the last iteration", runs, partial(_history, settings)),
        _check("early stop and accuracies follow from the history", runs, _scalars),
    ]
    tickets = [found for found in runs if found.control is None and found.run.number]
    controls = [found for found in runs if found.ticket is not None and kind_of(found.control or "") in KINDS]
    model, what = None, "every round has as many weights as planned"
    try:
        model, method = _model(result, options), method_of(settings)
        planned = partial(_as_planned, method.plan(model, settings).weights_left)
        checks.append(_check(what, tickets if method.is_planned(settings) else [], planned, "training decides it"))
    except InputError as error:
        model = None
        checks.append(Check(what, 0, [], str(error)))
    nested = [] if settings.one_shot else tickets
    reason = "each round was pruned from the dense network"
    what = "a ticket's weights are among those of the round before"
    checks.append(_check(what, nested, partial(_nested, result), reason))
    checks.append(_follows(result, settings, model, tickets))
    checks.append(_check("controls differ from their tickets in what they claim", controls, _differs, "no controls"))
    checks.append(_evaluated(result, runs, options))
    return checks


def _trainings(result: Result) -> Iterator[_Training]:
    for trial in result.trials:
        for round in trial.rounds:
            where = f"trial {trial.number}, round {round.number}"
            yield _Training(where, trial.number, round)
            for name, run in round.beside.items():
                yield _Training(f"{where}, {name}", trial.number, run, name, round)


def _check(what: str, runs: list[_Training], claim: Claim, reason: str = "nothing to check") -> Check:
    failures = []
    for found in runs:
        try:
            wrong = claim(found)
        except (KeyError, ValueError, TypeError, OSError, RuntimeError, IndexError) as error:
            wrong = f"damaged: {(str(error) or type(error).__name__).splitlines()[0]}"
        if wrong:
            failures.append(f"{found.where}: {wrong}")
    return Check(what, len(runs), failures, "" if runs else reason)


def _model(result: Result, options: dict[str, Any]) -> Module:
    found = options.get("model") or result.network()
    return found if isinstance(found, Module) else found(np.random.default_rng(0))


def _complete(result: Result, found: _Training) -> str | None:
    if found.control is None and found.run.number:
        missing = set(result.config["controls"]) - set(found.run.controls)
        if missing:
            return f"its controls {', '.join(sorted(missing))} are missing"
    initial, masks = result.init(found.trial), found.run.masks
    trained = found.run.trained  # raises if there are not as many survivors as ones in a mask
    if trained.keys() != initial.keys():
        return f"trained {sorted(trained.keys() ^ initial.keys())} is there or missing"
    for name, value in trained.items():
        if value.shape != initial[name].shape or value.dtype != initial[name].dtype:
            return f"{name} has another shape or dtype than theta_0"
        if not np.isfinite(value).all():
            return f"{name} has values that are no numbers"
        if name in masks and value[~masks[name]].any():
            return f"{name} has pruned weights that are not 0"
    return None


def _counts(found: _Training) -> str | None:
    run = found.run
    left = sum(int(np.count_nonzero(mask)) for mask in run.masks.values())
    size = sum(mask.size for mask in run.masks.values())
    if left != run.weights_left or run.density != left / size:
        return f"{run.weights_left} weights left, density {run.density:.6f}, but the masks have {left} of {size}"
    return None


def _history(settings: Settings, found: _Training) -> str | None:
    history, first = found.run.history, found.run.origin.get("iteration", 0)
    evaluated_only = found.run.origin.get("training") == "none"
    every, last = settings.evaluate_every, first if evaluated_only else settings.iterations
    expected = sorted({first, last, *(i for i in range(every, last, every) if i > first)})
    if history["iteration"].tolist() != expected:
        return f"it has the iterations {history['iteration'].tolist()[:4]}..., not {expected[:4]}..."
    losses = history["validation_loss"]
    tested = np.ones(len(losses), bool)
    if settings.test_at != "all":  # but at new minima and at the end
        lowest_before = np.minimum.accumulate(np.concatenate([[np.inf], losses[:-1]]))
        tested = (losses < lowest_before) | (np.arange(len(losses)) == len(losses) - 1)
    for column, rows in (("validation_accuracy", history), ("test_accuracy", history[tested])):
        if not ((rows[column] >= 0) & (rows[column] <= 1)).all():
            return f"{column} is not between 0 and 1"
    return None


def _scalars(found: _Training) -> str | None:
    run, history = found.run, found.run.history
    # Where masks changed on the way, what came before the last change does not count.
    changes = run.origin.get("mask") not in layout.MASK_STAYS and found.control is None
    since = history[history["iteration"] >= run.early_stop_iteration] if changes else history
    for name, value in summary(since).items():
        if getattr(run, name) != value:
            return f"{name} is {getattr(run, name)}, but {value} by the history"
    return None


def _as_planned(weights_left: list[int], found: _Training) -> str | None:
    planned = weights_left[found.run.number]
    return None if found.run.weights_left == planned else f"{found.run.weights_left} weights, planned {planned}"


def _nested(result: Result, found: _Training) -> str | None:
    before = result.round(found.trial, found.run.number - 1).masks
    revived = sum(int(np.count_nonzero(mask & ~before[name])) for name, mask in found.run.masks.items())
    return f"{revived} weights were pruned before" if revived else None


def _follows(result: Result, settings: Settings, model: Module | None, tickets: list[_Training]) -> Check:
    """Prune again from the weights that the file holds of the round before."""
    what = "masks follow from the weights before them"
    tickets = [found for found in tickets if found.run.origin.get("mask") == "ticket"]
    if model is None or settings.criterion in AT_INIT or settings.masks_from != "none" or not tickets:
        reason = "they were given, chosen by examples or in training, or the network is not in the file"
        return Check(what, 0, [], reason)
    plan, nothing = method_of(settings).plan(model, settings), np.zeros(0, np.float32)

    def claim(found: _Training) -> str | None:
        before = result.round(found.trial, 0 if settings.one_shot else found.run.number - 1)
        source = before.continued or before
        pruner = Pruner(settings, plan, found.trial, result.init(found.trial), model, (nothing, nothing))
        trained = source.trained
        masks = pruner.prune(found.run.number, {name: trained[name] for name in plan.sizes}, source.masks)
        others = sum(int(np.count_nonzero(masks[name] != mask)) for name, mask in found.run.masks.items())
        return f"{others} places differ" if others else None

    return _check(what, tickets, claim)


def _differs(found: _Training) -> str | None:
    assert found.ticket is not None
    claim = known(found.control or "").claim
    pairs = [(mask, found.ticket.masks[name]) for name, mask in found.run.masks.items()]
    places = sum(int(np.count_nonzero(own != ticket)) for own, ticket in pairs)
    recorded = found.run.origin.get("differs", {"mask": places, "weights": 1})
    if places != recorded["mask"]:
        return f"its mask differs in {places} places, by the file in {recorded['mask']}"
    if bool(places) > claim.other_mask:
        return "it has another mask"
    if sum(int(own.sum()) for own, _ in pairs) != found.ticket.weights_left:
        return "it has another number of weights"
    if not ((claim.other_mask and places) or (claim.other_weights and recorded["weights"])):
        return "it is the ticket again"
    trained, ticket = found.run.trained, found.ticket.trained
    return "it ended in the ticket's weights" if all(np.array_equal(trained[n], ticket[n]) for n in trained) else None


def _evaluated(result: Result, runs: list[_Training], options: dict[str, Any]) -> Check:
    """Evaluate every network on the test set once more."""
    what = "the final test accuracies are those of the networks"
    try:
        workshop = Again(result, **options).workshop
    except InputError as error:
        return Check(what, 0, [], str(error))

    def claim(found: _Training) -> str | None:
        step = workshop.trainer(found.run.plan).step
        fill(workshop.model, found.run.masks, found.run.trained, found.run.frozen)
        loss, accuracy = step.evaluate(workshop.examples.test)
        last = found.run.history[-1]
        if abs(accuracy - last["test_accuracy"]) > ROUNDING or abs(loss / last["test_loss"] - 1) > ROUNDING:
            return f"test accuracy {accuracy:.4f}, loss {loss:.5f}; recorded {last['test_accuracy']:.4f}, {last['test_loss']:.5f}"
        return None

    with threadpool_limits(1, user_api="blas"):
        return _check(what, runs, claim)
