"""Step 2 of the algorithm: train for j iterations, evaluating on the way."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NoReturn

import numpy as np

from tinyticket.compiler import EagerStep
from tinyticket.compiler.eager import Pair
from tinyticket.data import batches
from tinyticket.data.augmentation import augment, by_name
from tinyticket.errors import DivergenceError, InputError
from tinyticket.lottery import checkpoints
from tinyticket.lottery.calls import calls
from tinyticket.lottery.dropping import draws_a_step, dropouts, pass_over
from tinyticket.lottery.keeper import Keeper
from tinyticket.lottery.revision import Revision
from tinyticket.lottery.settings import Settings
from tinyticket.lottery.start import Start
from tinyticket.lottery.step import ADAMS, Step, executed, make_optimizer, make_step
from tinyticket.nn import Connections, Module, Parameter, sparse_layers
from tinyticket.nn.losses import CrossEntropy, Loss
from tinyticket.nn.sources import Frozen, Source, Sourced, interpolated_norms
from tinyticket.store import HISTORY, Course, Progress, Run, by_column

Watch = Callable[[dict[str, Any]], None]
Batch = tuple[np.ndarray, np.ndarray | None]  # indices of its examples, and the draws of `data.augmentation`


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
        self.step: Step = make_step(model, loss, self.optimizer, settings, examples.train, threads, plan)
        self._plan = plan

    @cached_property
    def _parameters(self) -> dict[str, Parameter]:
        return dict(self.model.named_parameters())

    def train(
        self,
        start: Start,
        order: np.random.Generator,
        dropout: np.random.Generator,
        watch: Watch = lambda row: None,
        keep_at: int = 0,
        augment: np.random.Generator | None = None,
        keeper: Keeper | None = None,
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
        keeper
            Keeps how far the training has come, and knows how far it had come before it was interrupted.

        Raises
        ------
        DivergenceError
            If a loss is not a finite number.
        """
        self._begin(start, dropout)
        step, last = self._step_of(start, dropout), self.settings.iterations if start.trains else start.iteration
        settings, revision, keeper = self.settings, start.revision or Revision(), keeper or Keeper()
        course = self._resumed(start, step, dropout, keeper)
        if course is None:
            course = Course(start.masks, start.iteration)
            self._revise(revision, start.iteration, course)
        for row in course.rows:
            watch(by_column(row))
        indices = batches(len(self.examples.train[0]), settings.batch_size, order)
        feed: Iterator[Batch] = zip(indices, self._draws(augment), strict=False)
        feed = itertools.islice(feed, course.iteration, None)  # the batches of the iterations before are passed over
        cuts = (keep_at, *revision.iterations, *(change - revision.gradients for change in revision.iterations))
        began = time.perf_counter() - course.seconds

        def take() -> Progress:
            course.seconds = time.perf_counter() - began
            return checkpoints.take_progress(self.model, self.optimizer, step, course, revision, dropout)

        with keeper.keeping(take if revision.state() else None):
            self._evaluate(step, course, start.iteration, watch)
            for iterations in calls(course.iteration, last, settings.evaluate_every, cuts, settings.device):
                with keeper.undisturbed():
                    steps = self._shown if revision.sees(iterations.stop) else self._steps
                    course.losses.append(steps(step, iterations, feed, start))
                    if iterations.stop in revision.iterations:
                        course.plans.append({**step.plan(), "until": iterations.stop})
                    self._revise(revision, iterations.stop, course)
                    if iterations.stop == keep_at:
                        course.checkpoint = checkpoints.take(self.model, self.optimizer, keep_at)
                    course.iteration = iterations.stop
                self._evaluate(step, course, start.iteration, watch)
                keeper.look()
        seconds = time.perf_counter() - began
        plan, settled = executed(course.plans, step.plan()), revision.settled
        state, history, origin = self.model.state_dict(), np.array(course.rows, HISTORY), start.record()
        more: dict[str, Any] = {"frozen": start.frozen, "metric": step.loss.metric}
        return Run(
            course.masks, state, history, origin, plan, seconds, course.checkpoint, settled, start.hidden_masks, **more
        )

    def _step_of(self, start: Start, dropout: np.random.Generator) -> Step:
        """Return the step to train with: an eager one where parameters come from elsewhere than the optimizer alone."""
        prunable, reasons = self.model.prunable(), []
        sources: dict[str, Source] = {name: Frozen(prunable[name], value) for name, value in start.frozen.items()}
        if sources:
            reasons.append("pruned weights are frozen, not zero")
        if self.settings.interpolate_norms:
            sources |= interpolated_norms(self.model, dropout)
            reasons.append(self.step.explain())
        if not sources:
            return self.step
        return EagerStep(Sourced(self.model, sources), self.optimizer, reason="; ".join(reasons), loss=self.step.loss)

    def _resumed(self, start: Start, step: Step, dropout: np.random.Generator, keeper: Keeper) -> Course | None:
        """Return the course of a training that was interrupted, with the network, its masks and its streams as they were."""
        revision, found = start.revision or Revision(), keeper.found(start, self.settings.iterations)
        if found is None:
            return None
        try:
            checkpoints.restore_progress(found, self.model, self.optimizer, revision, dropout)
        except InputError as error:
            keeper.ignore(error)
            return None
        self._penalise(revision.penalties)
        step.follow(found.plan)
        step.hold(found.newest)
        return found.course

    def _revise(self, revision: Revision, iteration: int, course: Course) -> None:
        """Change masks and connections after an iteration if that is due."""
        if iteration not in revision.iterations:
            return
        weights = self.step.weights() | {name: self._parameters[name].data for name in revision.reads}
        if moves := revision.moves(iteration, weights, self._connections()):
            course.since = len(course.rows)  # from now on it is another network
            self.step.change_connections(moves)
        masks, revised = course.masks, revision(iteration, weights, course.masks)
        if revised is masks:
            return
        course.masks, course.since = revised, len(course.rows)
        self._follow(iteration)
        self.step.change_masks(revised)
        self._penalise(revision.penalties)
        if values := revision.fresh():
            for name, weight in self.model.prunable().items():
                grown = revised[name] & ~masks[name]
                weight.data[grown] = values[name][grown]

    def _connections(self) -> dict[str, Connections]:
        return {name: layer.connections for name, layer in sparse_layers(self.model).items()}

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
            candidates = revision.candidates(self._connections())
            loss, gradients = step.backward(x if draws is None else augment(x, draws), y, candidates)
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

    def _evaluate(self, step: Step, course: Course, first: int, watch: Watch) -> None:
        """Evaluate if that is due, and add a row to the history.

        Where that is enough, the test set is read at new minima of the validation loss, where verdicts may look, and at the end.
        """
        iteration, settings = course.iteration, self.settings
        due = iteration in (first, settings.iterations) or iteration % settings.evaluate_every == 0
        if not due or (course.rows and course.rows[-1][0] == iteration):
            return
        validation, test = step.evaluate(self.examples.validation), (math.nan, math.nan)
        lowest = validation[0] < min((row[2] for row in course.rows[course.since :]), default=math.inf)
        if lowest or iteration == settings.iterations or settings.test_at == "all":
            test = step.evaluate(self.examples.test)
        loss = float(np.concatenate(course.losses).mean()) if course.losses else math.nan
        row = (iteration, loss, *validation, *test)
        watch(by_column(row))
        if not math.isfinite(validation[0]):
            _raise_diverged("validation loss", np.array([validation[0]]), iteration, settings)
        course.rows.append(row)
        course.losses = []

    def _follow(self, iteration: int) -> None:
        """Choose kernels for the masks of the iterations to come as the plan says, or if there is none those that are faster."""
        phases = [phase for phase in (self._plan or {}).get("before", ()) if iteration < phase["until"]]
        self.step.follow(phases[0] if phases else self._plan)

    def _begin(self, start: Start, dropout: np.random.Generator) -> None:
        self._follow(start.iteration)
        self._pass_over(dropout, start.iteration)
        self.optimizer.reset()
        for name, parameter in self._parameters.items():
            parameter.mask = start.masks.get(name)
        self.model.load_state_dict(start.weights)
        if start.optimizer:
            checkpoints.restore_optimizer(self.model, self.optimizer, start.optimizer)
        for layer in dropouts(self.model):
            layer.rng = dropout
        self._penalise((start.revision or Revision()).penalties)

    def _penalise(self, penalties: Mapping[str, float]) -> None:
        """Have the optimizer penalise parameters by name, and no others."""
        for name, parameter in self._parameters.items():
            if parameter.requires_grad:  # weights under a mask that is learned are none of the optimizer's
                self.optimizer.penalise([parameter], penalties.get(name, 0.0))

    def _pass_over(self, dropout: np.random.Generator, iterations: int) -> None:
        """Pass over what dropout and interpolated normalisation draw in so many iterations."""
        interpolates = self.settings.interpolate_norms
        if not iterations or not (dropouts(self.model) or interpolates):
            return
        if self._draws_a_step is None:
            batch = self.examples.train[0][: self.settings.batch_size]
            self._draws_a_step = draws_a_step(self.model, batch) + interpolates
        pass_over(dropout, iterations * self._draws_a_step)


def _raise_diverged(what: str, losses: np.ndarray, first: int, settings: Settings) -> NoReturn:
    """Raise a DivergenceError about the first of some losses that is not finite; the first of all is of iteration `first`."""
    bad = int(np.argmin(np.isfinite(losses)))
    raise DivergenceError(f"the {what} is {losses[bad]} at iteration {first + bad}; try {_advice(settings)}")


def _advice(settings: Settings) -> str:
    """Return what may keep a training from diverging."""
    adaptive = settings.optimizer in ADAMS
    if not adaptive and settings.lr * settings.weight_decay >= 1:  # every step would grow the weights
        return f"a weight decay below {1 / settings.lr:g}, one over the learning rate"
    return f"a learning rate below {settings.lr:g}{'' if adaptive else ', or a longer warm-up'}"
