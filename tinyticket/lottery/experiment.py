"""The whole experiment: every trial's tickets and controls, committed round by round to one file."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from tinyticket.compiler.eager import ASKED
from tinyticket.data import Dataset
from tinyticket.errors import DeviceMemoryError, DivergenceError, WorkerError
from tinyticket.lottery import dense, inputs, keeper, recipes
from tinyticket.lottery.algorithm import State
from tinyticket.lottery.callbacks import in_order
from tinyticket.lottery.controls import check_controls
from tinyticket.lottery.foreign import open_tickets
from tinyticket.lottery.jobs.executors import run_trials
from tinyticket.lottery.jobs.job import Job, Workshop
from tinyticket.lottery.jobs.submission import Jobs
from tinyticket.lottery.losses import CROSS_ENTROPY, outputs_for
from tinyticket.lottery.methods import method_of
from tinyticket.lottery.plan import Plan
from tinyticket.lottery.record import Record, reached
from tinyticket.lottery.settings import Settings, resolve
from tinyticket.lottery.settings.defaults import read, separate
from tinyticket.lottery.settings.document import takes_settings
from tinyticket.lottery.size import bytes_each, check_fits
from tinyticket.lottery.streams import stream
from tinyticket.lottery.training import Trainer
from tinyticket.lottery.trial import Memory, TrialRun
from tinyticket.results.result import Result
from tinyticket.store import Archive, Run

SLOWER = "several times as long"

log = logging.getLogger(__name__)


@takes_settings
def find(model: Any = None, data: Any = None, **options: Any) -> Result:
    """Find winning tickets: train, prune, reset, and again, with controls beside every ticket (Frankle and Carbin 2019).

    Parameters
    ----------
    {settings}

    Returns
    -------
    Result

    Raises
    ------
    InputError
        If anything given cannot be used; nothing has been trained then.
    DivergenceError
        If a loss stops being a number; finished rounds are in the file.

    Notes
    -----
    Where something is None, its default holds. Data are large from 10,000 training examples on.

    Examples
    --------
    >>> import tinyticket as tt
    >>> result = tt.lottery.find("mlp-64-20-10", "digits", rounds=2, trials=1, iterations=100)
    >>> [f"{ticket.density:.0%}" for ticket in result.trials[0].rounds]
    ['100%', '81%', '66%']
    """
    return Experiment(model, data, **options).run()


@takes_settings
class Experiment:
    """An experiment that has been checked and planned, and can be run.

    Parameters
    ----------
    {settings}
    settings : Settings, optional
        Settings that have been resolved before, instead of all that decide a result.
    load_model : callable, optional
        (name, Dataset) -> the model of a name with a colon.

    Attributes
    ----------
    name : str
        How a sweep calls it; empty elsewhere.
    added : tuple of str
        Controls that come to a file without them.
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
        model: Any = None,
        data: Any = None,
        *,
        settings: Settings | None = None,
        load_model: Callable[[str, Dataset], Any] | None = None,
        **options: Any,
    ):
        running, options = separate(options)
        self.name, self.callback = "", in_order(running.callbacks or ())
        self.added: tuple[str, ...] = ()
        self.archive, self.dense, self.executor = Archive(running.out), running.dense_from, running.executor
        self.threads = inputs.usable_threads(running.threads)
        masks_from = options.pop("masks_from", None)
        self.source = None if masks_from is None else open_tickets(masks_from)
        options = {"model": model, "data": data, **read(options)}
        if self.source:
            options = self.source.adopt(options)
        options = recipes.fill(options.get("recipe"), options)
        loss = settings.loss if settings else options.get("loss", CROSS_ENTROPY)
        self.dataset = inputs.load_dataset(options.pop("data"), running.data_folder, loss, options.get("target", ""))
        if self.source:
            self.source.check_data(self.dataset)
        self.factory = options.pop("model")
        if load_model and isinstance(self.factory, str) and ":" in self.factory:
            self.factory = load_model(self.factory, self.dataset)
        outputs = outputs_for(loss, self.dataset)
        seed = settings.seed if settings else options.get("seed")
        model_name, make = inputs.model_factory(self.factory, self.dataset, outputs, seed)
        if self.source:
            options |= self.source.decided(lambda: make(np.random.default_rng(0)))
        self.settings: Settings = settings or resolve(
            data=self.dataset.name, model=model_name, training_examples=len(self.dataset.x_train), **options
        )
        if isinstance(self.factory, str):
            check_fits(self.factory, bytes_each(self.settings.controls, self.settings.method))
        self.workers_given = running.workers is not None
        self.workers = inputs.usable_workers(running.workers, self.threads, self.settings.device)
        self.workshop = Workshop(self.factory, self.dataset, self.settings)
        self.model, self.examples = self.workshop.model, self.workshop.examples
        inputs.check_model(self.model, self.dataset, outputs)
        inputs.check_draws(self.workshop.draw, self.model, self.settings)
        self.method = method_of(self.settings)
        check_controls(self.settings.controls, self.model)
        self.method.check_model(self.settings, self.model)
        self.plan: Plan = self.method.plan(self.model, self.settings)
        if self.source:
            self.source.check_model(self.model, self.settings)
            self.plan = self.source.planned(self.plan)
        self.method.check_length(self.settings, len(self.examples.train[0]) // self.settings.batch_size)
        self.workshop.trainer()  # says what cannot be compiled

    @property
    def trainer(self) -> Trainer:
        """What trains the network in this process."""
        return self.workshop.trainer()

    @property
    def eager_because(self) -> str:
        """Why trainings are eager although nobody has asked for that; empty if they are not."""
        reason = getattr(self.trainer.step, "reason", ASKED)
        return "" if reason == ASKED else reason

    def run(self, jobs: Jobs | None = None) -> Result:
        """Train what the file does not hold yet and return the result; `jobs` are given where experiments share workers."""
        # BLAS may round otherwise with more threads; masks are chosen in this process, whoever trains.
        with self.archive.locked(), threadpool_limits(1, user_api="blas"), keeper.tidied(self.archive.path):
            record, settings = Record(self, self.added), self.settings
            if self.dense and dense.copy(self.dense, self, record):
                record = Record(self)
            done = sum(reached(record.held(trial)) for trial in settings.trial_numbers)
            self.callback.run_begun(settings.trials * self.method.trainings(settings), settings.iterations, done)
            unfinished = [t for t in settings.trial_numbers if len(record.rounds(t)) < settings.rounds + 1]
            if unfinished and self.eager_because:
                log.warning("training runs eagerly, which takes %s: %s", SLOWER, self.eager_because)
            try:
                diverged = run_trials(self, record, unfinished, jobs)
                record.note_diverged(diverged)
                record.seal()
            except (DeviceMemoryError, WorkerError) as error:
                raise type(error)(f"{error}; {record.kept()}".rstrip(".")) from None
            finally:
                record.close()
                self.callback.run_ended()
        if diverged:
            also = "".join(f"; {str(error).partition(':')[0]} diverged too" for error in diverged[1:])
            also += inputs.remark_on_scale(self.dataset)
            raise DivergenceError(f"{diverged[0]}{also}; {record.kept()}".rstrip("."))
        return Result(self.archive)

    def draw_initial(self, trial: int) -> State:
        """Return theta_0 of a trial, before anything of it was trained."""

        def draw(trial: int) -> State:
            return self.workshop.draw(stream(self.settings.seed, trial, "init"))

        return self.source.initial(trial, draw) if self.source else draw(trial)

    def trial(
        self,
        trial: int,
        memory: Memory,
        submit: Callable[[Job], Future[Run]],
        initial: State | None = None,
        rounds: int | None = None,
    ) -> TrialRun:
        """Return a trial that can be run; theta_0 is drawn unless given, and it stops after so many rounds."""
        return TrialRun(self, trial, memory, submit, self.draw_initial(trial) if initial is None else initial, rounds)
