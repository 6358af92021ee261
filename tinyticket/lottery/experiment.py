"""The whole experiment: every trial's tickets and controls, committed round by round to one file."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor, Future
from typing import Any

from threadpoolctl import threadpool_limits

from tinyticket.compiler.choose import NO_NUMBA
from tinyticket.data import Dataset
from tinyticket.errors import DeviceMemoryError, DivergenceError, WorkerError
from tinyticket.lottery import dense, recipes, transfer
from tinyticket.lottery.algorithm import State
from tinyticket.lottery.callbacks import Callback, in_order
from tinyticket.lottery.inputs import (
    Factory,
    check_draws,
    check_model,
    load_dataset,
    model_factory,
    usable_threads,
    usable_workers,
)
from tinyticket.lottery.jobs.executors import run_trials
from tinyticket.lottery.jobs.job import Job, Workshop
from tinyticket.lottery.jobs.submission import Jobs
from tinyticket.lottery.methods import method_of
from tinyticket.lottery.plan import Plan
from tinyticket.lottery.pruning import Pruner
from tinyticket.lottery.record import Record
from tinyticket.lottery.settings import Settings, resolve
from tinyticket.lottery.training import Examples, Trainer
from tinyticket.lottery.trial import Memory, TrialRun, reached
from tinyticket.nn import Module
from tinyticket.optim import Schedule
from tinyticket.results.result import Result
from tinyticket.store import Archive, Run

log = logging.getLogger(__name__)


def find(
    model: str | Module | Factory | None = None,
    data: str | Dataset | tuple | None = None,
    *,
    recipe: str | None = None,
    rounds: int | None = None,
    iterations: int | None = None,
    batch_size: int | None = None,
    lr: float | None = None,
    optimizer: str | None = None,
    weight_decay: float | None = None,
    schedule: Schedule | str | None = None,
    augment: str | None = None,
    prune: float | str | Mapping[str, float] | None = None,
    one_shot: float | Iterable[float] | None = None,
    criterion: str = "magnitude",
    scope: str | None = None,
    trials: int | None = None,
    controls: str | Iterable[str] | None = None,
    seed: int = 0,
    rewind: str = "weights",
    rewind_to: int = 0,
    strategy: str = "reset",
    gradual: str | Iterable[int] | None = None,
    masks_from: Result | str | os.PathLike | None = None,
    dense_from: Result | str | os.PathLike | None = None,
    mask_0: str = "zero",
    method: str = "tickets",
    update_every: int | None = None,
    drop: float = 0.3,
    signed_constant: bool = False,
    rescale: bool = False,
    score_lr: float | None = None,
    early_bird_by: str = "weights",
    scale_penalty: float | None = None,
    validation: int | None = None,
    evaluate_every: int | None = None,
    threads: int | None = None,
    workers: int | None = 1,
    eager: bool = False,
    device: str = "cpu",
    margin: float | None = None,
    data_folder: str | os.PathLike | None = None,
    out: str | os.PathLike | None = None,
    callbacks: Callback | Iterable[Callback] = (),
    executor: Executor | str | None = None,
) -> Result:
    """Find winning tickets: train, prune, reset, and again, with controls beside every ticket (Frankle and Carbin 2019).

    Parameters
    ----------
    model
        A name (`tt.models.create`), a Module of your own, whose initial weights every trial draws anew by `reset_parameters(rng)`,
        or a function from a generator to a Module. "lenet-300-100" if not given.
    data
        A name or an .npz file (`tt.data.load`), a Dataset, or a tuple of arrays (x_train, y_train, x_test, y_test).
        "digits" if not given.
    recipe
        A published experiment (`tinyticket.lottery.recipes`), such as "frankle-carbin/conv-2", whose settings hold wherever none is
        given here.
    rounds
        How many times to prune after the dense training.
    iterations, batch_size, evaluate_every
        Length of every training, examples in a batch, iterations between evaluations.
    lr, optimizer, weight_decay, schedule
        Optimizers are "adam" (the default, at 1.2e-3), "sgd", "momentum" and "nesterov"; schedules are in `tt.optim`, or text such
        as "step:20000,25000" or "warmup:10000".
    augment : {"none", "flip-crop"}
        Whether training images are shifted by up to four pixels and mirrored at random, in a ticket and its controls alike.
    prune
        Fraction of the survivors removed every round, 0.2 if not given; the output layer loses half of it in layer scope. Or
        one per group of layers: {"conv": 0.1, "fc": 0.2, "output": 0.1}.
    one_shot
        Densities to prune the dense network to, each in one shot, instead of `rounds` and `prune`.
    criterion
        What makes a weight worth keeping: "magnitude", another of `tt.prune.CRITERIA`, or "random"; or, with `one_shot`, "snip",
        "grasp", "synflow" and "magnitude-init", which prune theta_0 before it is trained.
    scope : {"layer", "global", "uniform", "erk"}
        Whether scores are compared in each layer (the default) or over all of them (the default of criteria before training).
        With `one_shot` also: every layer has the same density, or the densities of an Erdos-Renyi kernel.
    trials, seed
        Independent repetitions, and the number that all randomness comes from.
    controls
        Beside every ticket: "reinit" (same mask, new initial weights), "random" (same weights, random mask of the same counts);
        others are in `tinyticket.lottery.controls.KINDS`. "reinit-2" is a second one. "none" for none; reinit and
        random if not given, for methods that find their mask in training "static" or "random".
    rewind : {"weights", "lr", "finetune"}
        What goes back before a pruned network is trained: weights, buffers, optimizer and learning rate; the learning rate
        alone; or nothing, so that training goes on at the last learning rate.
    rewind_to
        The iteration of the dense training to go back to. Every retraining lasts `iterations - rewind_to`, whatever goes back.
    strategy : {"reset", "continue"}
        Whether a round prunes the ticket trained in the round before, or a network beside it that keeps its weights from round to
        round, while the tickets are rewound as ever (the paper's strategies 1 and 2).
    gradual : (begin, end, every)
        With `one_shot`: prune in the course of one training from theta_0, at iteration begin, every so many, until end, fast
        at first and then ever slower (Zhu and Gupta 2017). Controls get the masks that come of it.
    masks_from
        A result or its file whose masks and initial weights are taken, trial by trial and round by round, instead of pruning:
        its tickets on other data. Rounds, trials and model are the file's unless given.
    dense_from
        A result or its file that differs from this experiment only in what follows the dense training, which is then copied instead
        of done again; only what this machine would make again bit for bit is.
    mask_0 : {"zero", "freeze", "freeze-away"}
        What pruned weights are: 0, their initial value, or that only where they had moved away from zero (Zhou et al. 2019).
        What is frozen is trained eagerly.
    method
        "tickets", or with `one_shot` a method that finds its mask in the course of one training from theta_0: "set", "rigl",
        "snfs" and variants (`tinyticket.lottery.methods.METHODS`), with the default scope "erk", or "early-bird", with "global".
        "supermask", one round, and "edge-popup", with `one_shot`, learn a mask and leave the weights at theta_0; their controls are
        evaluated untrained too.
    update_every, drop
        Of dynamic sparse training: iterations between updates of the mask (100), and the first fraction of a layer that is dropped.
    signed_constant
        With the last two: the sign of every weight times the deviation of its layer (supermask) or sqrt(2 / fan_in) (edge-popup).
    rescale
        With "supermask": whether the weights of a layer are multiplied by size / sum of its mask.
    score_lr
        With them: the learning rate of the mask's scores, 100 for supermasks and 0.1 for edge-popup if not given.
    early_bird_by : {"weights", "channels"}
        Whether an early bird's masks are of single weights, or of channels by the scales of their batch normalisation; densities
        are then shares of all channels.
    scale_penalty
        With "channels": the strength of an L1 penalty on these scales while masks are drawn, 1e-4 if not given.
    validation, margin
        Examples split off the training set, which choose the early-stopping iteration; the accuracy by which a ticket may be below
        dense and still match it, 0.002 (0.2 points) if not given, for small data 0.005.
    threads
        Results do not depend on it. Default: the cores this process may use.
    workers
        In how many processes trainings run side by side, which share the threads; None for as many as there are threads, if there
        is work for some seconds. Results do not depend on it. Models of classes or functions of the script that calls this
        cannot be sent to another process.
    eager
        Train through the autograd instead of compiled kernels, whose float32 rounding is another.
    device : {"cpu", "cuda"}
        "cuda" trains on an NVIDIA GPU, which rounds differently again (docs/cuda.md).
    data_folder
        Where to look for data sets.
    out
        The result file. If it holds rounds of the same experiment, the run goes on after them. None keeps the result in memory.
    callbacks : Callback or iterable of Callback
        Told what happens, in this order: `ProgressBar()`, `CSVLog(path)`, `TensorBoard(folder)`, or your own.
    executor
        A `concurrent.futures.Executor` whose workers train, instead of processes of its own: they see this machine's temporary
        folder, where the data lie, and `workers` says how many there are. Or the address of a Dask scheduler, such as
        "tcp://10.0.0.1:8786", to whose workers data and model are sent.

    Returns
    -------
    Result

    Raises
    ------
    InputError
        If anything given cannot be used; nothing has been trained then.
    DivergenceError
        If a loss stops being a number; finished rounds are in the file.
    """
    experiment = Experiment(
        model, data, data_folder=data_folder, out=out, threads=threads, workers=workers, callbacks=callbacks, executor=executor,
        rounds=rounds, iterations=iterations, batch_size=batch_size, lr=lr, optimizer=optimizer, weight_decay=weight_decay,
        schedule=schedule, prune=prune, one_shot=one_shot, criterion=criterion, scope=scope, trials=trials,
        controls=controls, seed=seed, validation=validation, evaluate_every=evaluate_every, eager=eager, masks_from=masks_from,
        dense_from=dense_from, rewind=rewind, rewind_to=rewind_to, strategy=strategy, gradual=gradual, mask_0=mask_0,
        method=method, update_every=update_every, drop=drop, signed_constant=signed_constant, rescale=rescale, score_lr=score_lr,
        early_bird_by=early_bird_by, scale_penalty=scale_penalty, recipe=recipe, augment=augment, device=device, margin=margin,
    )  # fmt: skip
    return experiment.run()


class Experiment:
    """An experiment that has been checked and planned, and can be run.

    Takes the arguments of `find`; or instead of those that decide a result `settings` that have been resolved before.
    `name` is what a sweep calls it.

    Attributes
    ----------
    settings : Settings
    dataset : Dataset
    examples : Examples
    model : Module
        The network that is trained over and over.
    method : Method
    plan : Plan
    """

    def __init__(
        self,
        model: str | Module | Factory | None = None,
        data: str | Dataset | tuple | None = None,
        *,
        recipe: str | None = None,
        masks_from: Result | str | os.PathLike | None = None,
        dense_from: Result | str | os.PathLike | None = None,
        data_folder: str | os.PathLike | None = None,
        out: str | os.PathLike | None = None,
        threads: int | None = None,
        workers: int | None = 1,
        callbacks: Callback | Iterable[Callback] = (),
        executor: Executor | str | None = None,
        settings: Settings | None = None,
        name: str = "",
        **options: Any,
    ):
        self.archive, self.name = Archive(out), name
        self.callback = in_order(callbacks)
        self.threads = usable_threads(threads)
        self.source, self.dense = transfer.opened(masks_from), transfer.opened(dense_from)
        options = {"model": model, "data": data, **options}
        if self.source:
            options = transfer.adopt(self.source, options)
        options = recipes.fill(recipe, options)
        self.dataset = load_dataset(options.pop("data"), data_folder)
        if self.source:
            transfer.check_data(self.source, self.dataset)
        self.factory = options.pop("model")
        model_name, _ = model_factory(self.factory, self.dataset)
        self.settings: Settings = settings or resolve(
            data=self.dataset.name, model=model_name, training_examples=len(self.dataset.x_train), **options
        )
        self.executor = executor
        self.workers = usable_workers(workers, self.threads, self.settings.device)
        self.workers_given = workers is not None
        self.workshop = Workshop(self.factory, self.dataset, self.settings)
        check_model(self.model, self.dataset)
        check_draws(self.workshop.draw, self.model, self.settings)
        self.method = method_of(self.settings)
        self.plan: Plan = self.method.plan(self.model, self.settings)
        if self.source:
            transfer.check_model(self.source, self.model, self.settings)
            self.plan = transfer.planned(self.source, self.plan)
        self.method.check_length(self.settings, len(self.examples.train[0]) // self.settings.batch_size)
        self.workshop.trainer()  # says what cannot be compiled

    @property
    def model(self) -> Module:
        """The network that is trained over and over."""
        return self.workshop.model

    @property
    def examples(self) -> Examples:
        """The parts of the data."""
        return self.workshop.examples

    @property
    def trainer(self) -> Trainer:
        """What trains the network in this process."""
        return self.workshop.trainer()

    def run(self, jobs: Jobs | None = None) -> Result:
        """Train what the file does not hold yet and return the result; `jobs` are given where experiments share workers."""
        if getattr(self.trainer.step, "reason", None) == NO_NUMBA:
            log.warning("training runs eagerly, which takes many times as long: %s", NO_NUMBA)
        # BLAS may round otherwise with more threads; masks are chosen in this process, whoever trains.
        with self.archive.locked(), threadpool_limits(1, user_api="blas"):
            record, settings = Record(self), self.settings
            if self.dense and dense.copy(self.dense, self, record):
                record = Record(self)
            done = sum(reached(record.rounds(trial)) for trial in range(settings.trials))
            self.callback.run_begun(settings.trials * self.method.trainings(settings), settings.iterations, done)
            unfinished = [t for t in range(settings.trials) if len(record.rounds(t)) < settings.rounds + 1]
            try:
                diverged = run_trials(self, record, unfinished, jobs)
            except (DeviceMemoryError, WorkerError) as error:
                raise type(error)(f"{error}; {record.kept()}".rstrip(".")) from None
            finally:
                self.callback.run_ended()
        if diverged:
            also = "".join(f"; {str(error).partition(':')[0]} diverged too" for error in diverged[1:])
            raise DivergenceError(f"{diverged[0]}{also}; {record.kept()}".rstrip("."))
        return Result(self.archive)

    def trial(
        self,
        trial: int,
        memory: Memory,
        submit: Callable[[Job], Future[Run]],
        initial: State | None = None,
        rounds: int | None = None,
    ) -> TrialRun:
        """Return a trial that can be run; theta_0 is drawn unless given, and it stops after so many rounds."""

        def pruner(initial: State) -> Pruner:
            if self.source:
                return transfer.Given(self.source, trial)
            return Pruner(self.settings, self.plan, trial, initial, self.model, self.examples.train)

        if initial is None and self.source:
            initial = self.source.init(trial)
        draw = self.workshop.draw
        return TrialRun(trial, self.settings, self.plan, pruner, draw, submit, memory, initial, rounds, self.name)
