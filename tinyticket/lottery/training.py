"""Step 2 of the algorithm: train for j iterations, evaluating on the way."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np

from tinyticket.compiler import CompiledStep, EagerStep
from tinyticket.compiler.choose import choose
from tinyticket.compiler.eager import Pair
from tinyticket.data import batches
from tinyticket.data.augmentation import augment, by_name
from tinyticket.errors import DivergenceError, InputError
from tinyticket.lottery import checkpoints
from tinyticket.lottery.algorithm import Masks
from tinyticket.lottery.dropping import draws_a_step, dropouts, pass_over
from tinyticket.lottery.settings import Settings
from tinyticket.lottery.start import Revision, Start
from tinyticket.nn import Module, own_class
from tinyticket.nn.losses import CrossEntropy, Loss
from tinyticket.nn.sources import Frozen, Sourced
from tinyticket.optim import SGD, Adam, AdamW, Optimizer
from tinyticket.store import HISTORY, Run

Step = CompiledStep | EagerStep
Watch = Callable[[dict[str, Any]], None]
Batch = tuple[np.ndarray, np.ndarray | None]  # indices of its examples, and the draws of `data.augmentation`
ADAMS = {"adam": Adam, "adamw": AdamW}
STEPS_A_CALL = 25  # enough to make entering compiled code cheap, and few enough that Ctrl-C is heard at once


@dataclass(frozen=True)
class Examples:
    """The three parts of the data: training trains, validation chooses the early-stopping iteration, test only reports."""

    train: Pair
    validation: Pair
    test: Pair


class Trainer:
    """Trains one network over and over, from one start after another, each of which overwrites its masks and weights.

    Models with classes of your own are trained eagerly. `plan` says how a training of before was executed (`Run.plan`), to execute
    this one in the same way; results do not depend on `threads`.
    """

    _plan: Mapping[str, Any] | None = None
    _draws_a_step: int | None = None  # of dropout, once somebody starts late
    _lowest: float  # validation loss of a training so far

    def __init__(
        self,
        model: Module,
        settings: Settings,
        examples: Examples,
        threads: int = 1,
        plan: Mapping[str, Any] | None = None,
        loss: Loss | None = None,
    ):
        self.model, self.settings, self.examples, loss = model, settings, examples, loss or CrossEntropy()
        self.optimizer = make_optimizer(model, settings)
        self.step: Step
        self._plan, plan = plan, plan or {}
        if settings.eager or plan.get("mode") == "eager":
            self.step = EagerStep(model, self.optimizer, threads, loss=loss)
        elif own := own_class(model):  # whose forward() may do more than one look at the tape can tell
            if settings.device != "cpu":
                compiled = f"device {settings.device} runs compiled networks only"
                raise InputError(f"{compiled}, and {own} is a class of your own, which trains through the autograd")
            self.step = EagerStep(model, self.optimizer, threads, f"{own} is a class of your own", loss)
        elif examples.train[1].dtype.names:
            if settings.device != "cpu":
                raise InputError(
                    f"device {settings.device} trains examples that count the same; leave their weights out"
                )
            self.step = EagerStep(model, self.optimizer, threads, "examples have weights", loss)
        else:
            self.step = choose(
                model,
                loss,
                self.optimizer,
                settings.batch_size,
                threads=threads,
                kernels=plan.get("kernels"),
                turns=plan.get("turns", "batch") if plan else None,
                input_shape=examples.train[0].shape[1:],
                device=settings.device,
            )

    def train(
        self,
        start: Start,
        order: np.random.Generator,
        dropout: np.random.Generator,
        watch: Watch = lambda row: None,
        keep_at: int = 0,
        augment: np.random.Generator | None = None,
    ) -> Run:
        """Train from `start` to the last iteration and return what came of it.

        Parameters
        ----------
        start : Start
        order, dropout, augment
            Streams of the batches' order, of dropout, and of shifts and mirrorings if the settings ask for any. A ticket and its
            controls get equal ones; a start at a later iteration takes the draws of the iterations from there on.
        watch
            Called with every row of the history.
        keep_at : int
            The iteration after which to keep a checkpoint to rewind to; 0 for none.

        Raises
        ------
        DivergenceError
            If a loss is not a finite number.
        """
        self._begin(start, dropout)
        step, last = self._step_of(start), self.settings.iterations if start.trains else start.iteration
        settings, revision, checkpoint = self.settings, start.revision or Revision(), None
        indices = batches(len(self.examples.train[0]), settings.batch_size, order)
        feed: Iterator[Batch] = zip(indices, self._draws(augment), strict=False)
        feed = itertools.islice(feed, start.iteration, None)  # the batches of the iterations before are passed over
        cuts = (keep_at, *revision.iterations, *(change - revision.gradients for change in revision.iterations))
        began, plans = time.perf_counter(), list[dict[str, Any]]()
        masks = self._revised(revision, start.iteration, start.masks)
        rows, losses = [self._row(step, start.iteration, np.array([math.nan]), watch)], []
        most = STEPS_A_CALL if settings.device == "cpu" else settings.iterations  # a device's host waits once a call
        for iterations in _calls(start.iteration, last, settings.evaluate_every, cuts, most):
            steps = self._shown if _is_shown(revision, iterations.stop) else self._steps
            losses.append(steps(step, iterations, feed, start))
            if iterations.stop in revision.iterations:
                plans.append({**step.plan(), "until": iterations.stop})
            masks = self._revised(revision, iterations.stop, masks)
            if iterations.stop == keep_at:
                checkpoint = checkpoints.take(self.model, self.optimizer, keep_at)
            if iterations.stop % settings.evaluate_every == 0 or iterations.stop == settings.iterations:
                rows.append(self._row(step, iterations.stop, np.concatenate(losses), watch))
                losses = []
        seconds = time.perf_counter() - began
        history, plan, settled = np.array(rows, HISTORY), _executed(plans, step.plan()), revision.settled
        begun = start.masks if start.revision and isinstance(start.origin["mask"], dict) else None  # drawn
        state, origin = self.model.state_dict(), start.record()
        more: dict[str, Any] = {"frozen": start.frozen, "metric": step.loss.metric}
        return Run(masks, state, history, origin, plan, seconds, checkpoint, settled, begun, **more)

    def _step_of(self, start: Start) -> Step:
        """Return the step to train with: where pruned weights are not zero, kernels that skip them are of no use."""
        if not start.frozen:
            return self.step
        prunable = self.model.prunable()
        sources = {name: Frozen(prunable[name], value) for name, value in start.frozen.items()}
        network, reason = Sourced(self.model, sources), "pruned weights are frozen, not zero"
        return EagerStep(network, self.optimizer, reason=reason, loss=self.step.loss)

    def _revised(self, revision: Revision, iteration: int, masks: Masks) -> Masks:
        """Change the masks after an iteration if that is due."""
        if iteration not in revision.iterations:
            return masks
        weights, others = self.step.weights(), dict(self.model.named_parameters()) if revision.reads else {}
        weights |= {name: others[name].data for name in revision.reads}
        revised = revision(iteration, weights, masks)
        if revised is masks:
            return masks
        self._lowest = math.inf  # from now on it is another network
        self._follow(iteration)
        self.step.change_masks(revised)
        self._penalise(revision.penalties)
        if values := revision.fresh():
            for name, weight in self.model.prunable().items():
                grown = revised[name] & ~masks[name]
                weight.data[grown] = values[name][grown]
        return revised

    def _draws(self, augment: np.random.Generator | None) -> Iterator[np.ndarray | None]:
        """Return what happens to the images of batch after batch."""
        augmentation = by_name(self.settings.augment)
        if augmentation is None:
            return itertools.repeat(None)
        return augmentation.draws(np.random.default_rng(augment), self.settings.batch_size)

    def _shown(self, step: Step, iterations: range, feed: Iterator[Batch], start: Start) -> np.ndarray:
        """Train for some iterations before masks change, showing their dense gradients; return their losses."""
        losses, revision = [], start.revision
        assert revision is not None
        for i in iterations:
            batch, draws = next(feed)
            x, y = (part[batch] for part in self.examples.train)
            loss, gradients = step.backward(x if draws is None else augment(x, draws), y)
            if not math.isfinite(loss):
                _raise_diverged("training loss", np.array([loss]), i + 1, self.settings)
            revision.see(gradients)
            if revision.takes_step and i + 1 in revision.iterations:
                losses.append(np.array([loss]))
            else:
                losses.append(self._steps(step, range(i, i + 1), iter([(batch, draws)]), start))
        return np.concatenate(losses)

    def _steps(self, step: Step, iterations: range, feed: Iterator[Batch], start: Start) -> np.ndarray:
        """Train for some iterations, and return their losses."""
        settings = self.settings
        moments = [settings.iterations - 1] * len(iterations) if start.last_rate else iterations
        rates = [settings.lr * settings.schedule(moment) for moment in moments]
        indices, draws = zip(*(next(feed) for _ in rates), strict=True)
        augmented = None if draws[0] is None else np.array(draws)
        losses = step.run(self.examples.train, np.array(indices), rates, augmented)
        if not np.isfinite(losses).all():
            _raise_diverged("training loss", losses, iterations.start + 1, settings)
        return losses

    def _row(self, step: Step, iteration: int, losses: np.ndarray, watch: Watch) -> tuple:
        """Evaluate, and return a row of the history.

        Where that is enough, the test set is read at new minima of the validation loss, where verdicts may look, and at the end.
        """
        validation, test = step.evaluate(self.examples.validation), (math.nan, math.nan)
        lowest = validation[0] < self._lowest
        if lowest or iteration == self.settings.iterations or self.settings.test_at == "all":
            test = step.evaluate(self.examples.test)
        self._lowest = validation[0] if lowest else self._lowest
        row = (iteration, losses.mean(), *validation, *test)
        watch(dict(zip(HISTORY.names or (), row, strict=True)))
        if not math.isfinite(validation[0]):
            _raise_diverged("validation loss", np.array([validation[0]]), iteration, self.settings)
        return row

    def _follow(self, iteration: int) -> None:
        """Choose kernels for the masks of the iterations to come as the plan says, if there is one."""
        if self._plan and isinstance(self.step, CompiledStep):
            phases = [phase for phase in self._plan.get("before", ()) if iteration < phase["until"]]
            self.step.follow(phases[0] if phases else self._plan)

    def _begin(self, start: Start, dropout: np.random.Generator) -> None:
        self._follow(start.iteration)
        self._pass_over(dropout, start.iteration)
        self._lowest = math.inf
        self.optimizer.reset()
        for name, parameter in self.model.named_parameters():
            parameter.mask = start.masks.get(name)
        self.model.load_state_dict(start.weights)
        if start.optimizer:
            checkpoints.restore_optimizer(self.model, self.optimizer, start.optimizer)
        for layer in dropouts(self.model):
            layer.rng = dropout
        self._penalise((start.revision or Revision()).penalties)

    def _penalise(self, penalties: Mapping[str, float]) -> None:
        """Have the optimizer penalise parameters by name, and no others."""
        for name, parameter in self.model.named_parameters():
            if parameter.requires_grad:  # weights under a mask that is learned are none of the optimizer's
                self.optimizer.penalise([parameter], penalties.get(name, 0.0))

    def _pass_over(self, dropout: np.random.Generator, iterations: int) -> None:
        """Pass over what dropout draws in so many iterations."""
        if not iterations or not dropouts(self.model):
            return
        if self._draws_a_step is None:
            self._draws_a_step = draws_a_step(self.model, self.examples.train[0][: self.settings.batch_size])
        pass_over(dropout, iterations * self._draws_a_step)


def _is_shown(revision: Revision, iteration: int) -> bool:
    """Whether the steps up to an iteration, of a call that begins within no window, are among those before a change."""
    return any(change - revision.gradients < iteration <= change for change in revision.iterations)


def _calls(first: int, last: int, evaluate_every: int, others: tuple[int, ...], most: int) -> Iterator[range]:
    """Cut the iterations into calls of at most so many steps, with a cut wherever something is to be done in between."""
    cuts = {last, *range(evaluate_every, last, evaluate_every), *others}
    for until in sorted(cut for cut in cuts if first < cut <= last):
        yield from (range(begin, min(begin + most, until)) for begin in range(first, until, most))
        first = until


def _executed(plans: list[dict[str, Any]], last: dict[str, Any]) -> dict[str, Any]:
    """Return the last plan of a training, and "before" it those of earlier masks that were others, each "until" an iteration."""
    pairs = itertools.pairwise([*plans, last])
    before = [plan for plan, after in pairs if plan != {**after, "until": plan["until"]}]
    return {**last, **({"before": before} if before else {})}


def make_optimizer(model: Module, settings: Settings) -> Optimizer:
    """Return the optimizer that the settings name."""
    if settings.optimizer in ADAMS:
        return ADAMS[settings.optimizer](model.parameters(), settings.lr, weight_decay=settings.weight_decay)
    momentum, nesterov = 0.0 if settings.optimizer == "sgd" else 0.9, settings.optimizer == "nesterov"
    return SGD(model.parameters(), settings.lr, momentum, settings.weight_decay, nesterov)


def _raise_diverged(what: str, losses: np.ndarray, first: int, settings: Settings) -> NoReturn:
    bad = int(np.argmin(np.isfinite(losses)))
    raise DivergenceError(
        f"the {what} is {losses[bad]} at iteration {first + bad}; try a learning rate below {settings.lr:g}"
        + (", or a longer warm-up" if settings.optimizer not in ADAMS else "")
    )
