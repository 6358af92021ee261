"""Many experiments at once: a grid or a list of settings, one result file each, on the same workers.

Experiments that begin with the same dense training, to the bit, share it: it is done once.
"""

from __future__ import annotations

import functools
import itertools
import os
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from threadpoolctl import threadpool_limits

from tinyticket.data import Dataset
from tinyticket.errors import InputError, WorkerError, about
from tinyticket.lottery import dense, recipes
from tinyticket.lottery.callbacks import Callback, in_order
from tinyticket.lottery.experiment import Experiment
from tinyticket.lottery.inputs import load_dataset, usable_threads, usable_workers
from tinyticket.lottery.jobs.executors import WORTH, open_jobs, tended, work
from tinyticket.lottery.jobs.job import Job, Workshop
from tinyticket.lottery.jobs.submission import Jobs, Submit, UnshareableError
from tinyticket.lottery.record import Record, reached
from tinyticket.lottery.rewinding import kept_iteration
from tinyticket.lottery.settings.defaults import Options
from tinyticket.lottery.settings.table import Running
from tinyticket.nn import describe
from tinyticket.results import Result, load
from tinyticket.store import Run

SHARED = ("threads", "workers", "executor", "data_folder", "callbacks")


class Planned(NamedTuple):
    """An experiment of a sweep that has been checked."""

    name: str
    options: Options  # as `Experiment` takes them
    dense: tuple  # what decides its dense trainings
    trials: int
    trainings: int  # in all
    iterations: int  # of each training
    done: int  # trainings that are in its file
    work: float  # how much there is to do (`executors.work`)
    donor: str | None = None  # another file of the folder that holds its dense trainings, if its own does not


class Sweep:
    """Experiments whose settings have been checked, and which can be run.

    Parameters
    ----------
    folder
        For the result files, NAME.h5 each; experiments that are there are gone on with.
    settings : dict
        Options of `find` that all experiments share.
    grid : dict of lists
        Options of which every combination is an experiment.
    experiments : list of dicts
        Options of single experiments instead, each beside the grid's; `name` names its file.
    load_model : callable, optional
        (name, Dataset) -> a model, for names that contain a colon.
    **running
        threads, workers, executor, data_folder and callbacks, as `find` takes them.

    Raises
    ------
    InputError
        If there is nothing to do, or an experiment cannot be done; it is named.
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        settings: Mapping[str, Any] | None = None,
        grid: Mapping[str, Sequence] | None = None,
        experiments: Iterable[Mapping[str, Any]] = (),
        *,
        load_model: Callable[[str, Dataset], Any] | None = None,
        **running: Any,
    ):
        if refused := running.keys() - {*SHARED}:
            raise InputError(
                f"a sweep is run with {', '.join(SHARED)}; {sorted(refused)[0]} belongs to its experiments"
            )
        how = Running(**running)
        self.folder, self.executor, self.callback = Path(folder), how.executor, in_order(how.callbacks or ())
        self.threads = usable_threads(how.threads)
        self._load_model, self._data_folder = load_model, how.data_folder
        self._loaded = functools.cache(functools.partial(load_dataset, folder=how.data_folder))
        self.planned = [self._plan(*named) for named in combinations(settings or {}, grid or {}, experiments)]
        files = [(plan.dense, self._file(plan.name)) for plan in self.planned if plan.done]
        held = {key: file for key, file in files if dense.made_here(load(file))}
        worth = how.workers is not None or sum(plan.work for plan in self.planned) >= WORTH
        self.workers = usable_workers(how.workers, self.threads, "cpu") if worth else 1
        self.planned = [plan if plan.done else plan._replace(donor=held.get(plan.dense)) for plan in self.planned]

    @property
    def shared(self) -> int:
        """How many dense trainings need not be done, for another experiment does or has done them."""
        owners = Counter(plan.dense for plan in self.planned if not plan.done and not plan.donor)
        trials = {plan.dense: plan.trials for plan in self.planned}
        donated = sum(plan.trials for plan in self.planned if plan.donor)
        return donated + sum((count - 1) * trials[key] for key, count in owners.items())

    def run(self) -> dict[str, Result]:
        """Run what the files do not hold yet, and return all results by name.

        InputError says at the end that an experiment could not be finished; the others are.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        done = sum(plan.done for plan in self.planned) + self.shared
        iterations = max(plan.iterations for plan in self.planned)
        self.callback.run_begun(sum(plan.trainings for plan in self.planned), iterations, done)
        workers = open_jobs(self.executor, self.callback, self.threads, self.workers)
        try:
            with threadpool_limits(1, user_api="blas"), workers as jobs:
                failed = tended(jobs, lambda: self._run_all(SharedDense(jobs, self.planned)))
        finally:
            self.callback.run_ended()
        if failed:
            said = "; ".join(f"{name}: {str(error).rstrip('.')}" for name, error in failed.items())
            kind = WorkerError if any(isinstance(error, WorkerError) for error in failed.values()) else InputError
            raise kind(f"{len(failed)} of {len(self.planned)} experiments could not be finished: {said}")
        return {plan.name: load(self._file(plan.name)) for plan in self.planned}

    def _run_all(self, jobs: SharedDense) -> dict[str, Exception]:
        """Run all experiments, so many at a time as there are workers; return the errors of those that ended with one."""
        if jobs.workers == 1:
            errors = {plan.name: self._run(plan, jobs) for plan in self.planned}
        else:
            threads = ThreadPoolExecutor(jobs.workers)
            running = {plan.name: threads.submit(self._run, plan, jobs) for plan in self.planned}
            try:
                errors = {name: future.result() for name, future in running.items()}
            finally:
                threads.shutdown(cancel_futures=True)
        return {name: error for name, error in errors.items() if error}

    def _run(self, plan: Planned, jobs: SharedDense) -> Exception | None:
        try:
            dense_from = plan.donor or plan.options.get("dense_from")
            self._experiment(plan.name, {**plan.options, "dense_from": dense_from}).run(jobs)
        except (InputError, WorkerError) as error:
            return error
        except UnshareableError as error:
            return InputError(f"{error}: run the sweep with one worker")
        return None

    def _plan(self, name: str, options: Options) -> Planned:
        with about(f"experiment {name}"):
            experiment = self._experiment(name, options)
            record = Record(experiment)
        trials = experiment.settings.trial_numbers
        done = sum(reached(record.rounds(trial)) for trial in trials)
        trainings, key = experiment.method.trainings(experiment.settings), _dense_key(experiment.workshop)
        count, iterations = len(trials), experiment.settings.iterations
        return Planned(name, options, key, count, count * trainings, iterations, done, work(experiment, count))

    def _experiment(self, name: str, options: Options) -> Experiment:
        data = recipes.fill(options.get("recipe"), options)["data"]
        running = {"data_folder": self._data_folder, "threads": self.threads, "load_model": self._load_model}
        given = {**options, **running, "data": self._loaded(data) if isinstance(data, str) else data}
        experiment = Experiment(**given, out=self._file(name), callbacks=_Part(self.callback))
        experiment.name = name
        return experiment

    def _file(self, name: str) -> str:
        return str(self.folder / f"{name}.h5")


def sweep(folder: str | os.PathLike, *arguments: Any, **options: Any) -> dict[str, Result]:
    """Run many experiments, and return their results by name; arguments as of `Sweep`.

    For example ``sweep("seeds", {"data": "digits"}, {"criterion": ["magnitude", "random"], "seed": [0, 1, 2]})``.
    """
    return Sweep(folder, *arguments, **options).run()


def combinations(
    settings: Mapping[str, Any], grid: Mapping[str, Sequence], experiments: Iterable[Mapping[str, Any]]
) -> list[tuple[str, Options]]:
    """Return the options of every experiment with the name of its file, made of those in which it differs from others."""
    named = []
    if not isinstance(settings, Mapping) or not isinstance(grid, Mapping):
        raise InputError("settings map names to values, and a grid names to lists of values")
    for name, values in grid.items():
        if isinstance(values, str) or not isinstance(values, Sequence) or not values:
            raise InputError(f"the grid's {name} is a list of values to combine, not {values!r:.60}")
    lists = [[(key, value) for value in values] for key, values in grid.items()]
    own: list[Mapping[str, Any]] = [dict(chosen) for chosen in itertools.product(*lists)] if grid else []
    for each in (*own, *experiments):
        options = {key: value for key, value in each.items() if key != "name"}
        named.append((str(each.get("name") or _name(options)), {**settings, **options}))
    if not named:
        raise InputError("a sweep has no experiments: give a grid of settings, or a list of experiments")
    for name, count in Counter(name for name, _ in named).items():
        if count > 1:
            raise InputError(f"{count} experiments of the sweep would be called {name!r}: give each a name of its own")
        if not name or name != _clean(name) or name.startswith("."):
            raise InputError(f"an experiment's name is that of its file: letters, digits and =,+_.-, not {name!r}")
    return named


class SharedDense(Jobs):
    """Has the jobs of several experiments done, dense trainings that are the same to the bit once; who opened `jobs` tends them."""

    def __init__(self, jobs: Jobs, planned: Sequence[Planned]):
        self.jobs, self.workers = jobs, jobs.workers
        self._left = {plan.dense: Counter[tuple]() for plan in planned}
        self._sharers = Counter(plan.dense for plan in planned if not plan.done)
        self._runs, self._lock = dict[tuple, Future[Run]](), threading.Lock()

    def of(self, workshop: Workshop) -> Submit:
        submit, key = self.jobs.of(workshop), _dense_key(workshop)

        def shared(job: Job) -> Future[Run]:
            if job.training.round or job.training.control:
                return submit(job)
            which = key, job.training.trial
            with self._lock:
                run = self._runs.get(which) or submit(job)
                self._left[key][which] += 1
                self._runs[which] = run
                if self._left[key][which] >= self._sharers[key]:  # nobody else will ask for it
                    del self._runs[which]
            return run

        return shared


class _Part(Callback):
    """Tells of an experiment's rounds what the callbacks of a sweep want to know; its trainings tell it themselves."""

    def __init__(self, callback: Callback):
        self._callback = callback

    def committed(self, trial: int, round: int) -> None:
        self._callback.committed(trial, round)


def _dense_key(workshop: Workshop) -> tuple:
    """Return what decides an experiment's dense trainings, the checkpoint that is kept of them included."""
    decided = dense.decides(workshop.settings, describe(workshop.model), workshop.fingerprints)
    return kept_iteration(workshop.settings), *map(repr, decided.values())


def _name(options: Options) -> str:
    """Return "criterion=magnitude,seed=0"."""
    return _clean(",".join(f"{key.replace('_', '-')}={_short(value)}" for key, value in options.items()))


def _short(value: Any) -> str:
    if isinstance(value, Mapping):
        return "+".join(f"{key}.{_short(part)}" for key, part in value.items())
    if isinstance(value, list | tuple):
        return "+".join(map(_short, value))
    if not isinstance(value, str):
        value = getattr(value, "__name__", None) or getattr(value, "name", None) or str(value)
    return Path(value).name if os.sep in value else value


def _clean(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9=,+_.-]+", "-", text)[:200]
