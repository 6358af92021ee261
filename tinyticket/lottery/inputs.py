"""What `find` accepts, turned into what an experiment works with: data into examples, a model into a way to draw it."""

from __future__ import annotations

import copy
import functools
import inspect
import json
import os
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tinyticket.autograd import Tensor, no_grad
from tinyticket.data import Dataset, Pixels, SparseInputs, from_arrays, load, split_validation
from tinyticket.data.noise import noisy_labels
from tinyticket.data.pixels import select
from tinyticket.data.tables import from_frame, is_frame
from tinyticket.errors import InputError
from tinyticket.lottery.algorithm import State
from tinyticket.lottery.losses import CROSS_ENTROPY, MSE
from tinyticket.lottery.settings import Settings
from tinyticket.lottery.settings.readers import refuse
from tinyticket.lottery.streams import stream
from tinyticket.lottery.training import Examples
from tinyticket.nn import Module, describe, models
from tinyticket.results.result import Result
from tinyticket.store.reading import LONGEST_TEXT

LARGE = 100.0
"""Up to which numbers of examples are as a training copes with them."""

Factory = Callable[[np.random.Generator], Module]


def catalogued(result: Result) -> str:
    """Return the name in the catalogue of the data that a result was trained on; digits were split otherwise once."""
    name = result.data["name"]
    split_before = name == "digits" and result.data["examples"]["test"] == 360
    return "digits-360" if split_before else name


def split(dataset: Dataset, settings: Settings) -> Examples:
    """Split the validation examples off the training set, the same ones for every trial of a seed.

    With label noise, labels of the rest are wrong, the same ones for every trial too.
    """
    rng = stream(settings.seed, 0, "validation")
    train_part, validation_part = split_validation(len(dataset.x_train), settings.validation, rng)
    if settings.batch_size > len(train_part):
        raise InputError(
            f"a batch of {settings.batch_size} is larger than the {len(train_part)} training examples that are left "
            f"after {settings.validation} were set aside for validation"
        )
    if settings.augment != "none" and len(dataset.input_shape) != 3:
        raise InputError(
            f"the augmentation {settings.augment} wants images (channels, height, width), but examples of {dataset.name} have "
            f"the shape {dataset.input_shape}"
        )
    labels = dataset.y_train[train_part]
    if settings.label_noise:
        labels = noisy_labels(labels, dataset.classes, settings.label_noise, stream(settings.seed, 0, "label-noise"))
    return Examples(
        train=(select(dataset.x_train, train_part), labels),
        validation=(select(dataset.x_train, validation_part), dataset.y_train[validation_part]),
        test=(dataset.x_test, dataset.y_test),
    )


def load_dataset(data: Any, folder: str | os.PathLike | None, loss: str = CROSS_ENTROPY, target: str = "") -> Dataset:
    """Return the data set that `find` was given, by name, as a data frame or as arrays, with the targets that a loss wants."""
    numbers = loss == MSE
    if isinstance(data, str | os.PathLike) and "\0" not in str(data):
        return load(data, folder, target=target, numbers=numbers)
    if is_frame(data):
        return from_frame(data, target, numbers)
    if target:
        raise InputError(f"the target {target!r} is a column of a CSV file or data frame, which these data are not")
    if isinstance(data, Dataset):
        return data
    if isinstance(data, tuple | list) and len(data) in (2, 4):
        parts = dict(zip(("x_train", "y_train", "x_test", "y_test"), data, strict=False))
        return from_arrays(**parts, numbers=numbers)
    raise refuse(
        "the data are a name, a path, a Dataset, a data frame, or arrays (x_train, y_train, x_test, y_test)", data
    )


def model_factory(
    model: str | Module | Factory, dataset: Dataset, outputs: int, seed: int | None
) -> tuple[str, Factory]:
    """Return how the model is called, and a function from a generator to a freshly drawn one with so many outputs.

    The connections of a network by name are drawn once for an experiment, by its seed, and weights are drawn anew for them.
    """
    if isinstance(model, str) and models.layers_of(model):
        return model, redrawn(lambda: models.create(model, dataset.input_shape, outputs, connections_of(seed)))
    if isinstance(model, str):
        return model, lambda rng: models.create(model, dataset.input_shape, outputs, rng)
    if isinstance(model, Module):
        return type(model).__name__, redrawn(lambda: model)
    if callable(model) and not isinstance(model, type):
        check_takes(model, "the model's function", "rng")
        return getattr(model, "__name__", type(model).__name__), model
    raise refuse("the model is a name, a Module, or a function from a generator to a Module", model)


def redrawn(make: Callable[[], Module]) -> Factory:
    """Return a function from a generator to a copy, with weights of its own, of a network that is made when it is first called."""
    made = functools.cache(make)

    def redraw(rng: np.random.Generator) -> Module:
        twin = copy.deepcopy(made())
        twin.reset_parameters(rng)
        return twin

    return redraw


def connections_of(seed: int | None) -> np.random.Generator:
    """Return the generator that draws the connections of a network by name."""
    return stream(seed or 0, 0, "connections")


def check_connections(model: Module, state: Mapping[str, np.ndarray], where: str) -> None:
    """Raise InputError unless the sparse layers of a model have the connections of a state."""
    for name, own in model.structure().items():
        if name not in state or not np.array_equal(own, state[name]):
            raise InputError(f"the model has other connections ({name}) than the network of {where}")


def check_takes(function: Callable, name: str, *given: str) -> None:
    """Raise InputError unless a function can be called with what it will be given; what goes wrong inside it is its own matter."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # of some that are written in C
        return
    try:
        signature.bind(*given)
    except TypeError:
        raise InputError(f"{name} is called with ({', '.join(given)}), but takes {signature}") from None


def check_model(model: Module, dataset: Dataset, outputs: int) -> None:
    """Raise InputError unless the model maps examples to so many outputs, one per class or number."""
    if not isinstance(model, Module):
        raise InputError(f"the model's function returned {type(model).__name__}, not a Module")
    if (long := len(json.dumps(describe(model)))) > LONGEST_TEXT:
        raise InputError(
            f"the model's description takes {long:,} characters, of which a result file holds {LONGEST_TEXT:,}: give its layers "
            "shorter names of inputs and outputs, or none"
        )
    few = dataset.x_train[:2]
    try:
        with no_grad():
            shape = model.eval()(Tensor(few)).shape
    except ValueError as error:
        raise InputError(f"the model cannot take examples of shape {dataset.input_shape}: {error}") from error
    if shape != (len(few), outputs):
        of = f"{dataset.classes} classes" if dataset.classes else f"{outputs} numbers"
        raise InputError(
            f"the model gives outputs of shape {shape} for {len(few)} examples of {of}; expected ({len(few)}, {outputs})"
        )


def remark_on_scale(dataset: Dataset) -> str:
    """Return what there is to say of examples whose numbers are so large that a training on them diverges."""
    x = dataset.x_train
    numbers = x.values if isinstance(x, SparseInputs) else x
    largest = 0.0 if isinstance(numbers, Pixels) else float(np.abs(numbers).max(initial=0))
    return "" if largest <= LARGE else f"; examples reach {largest:g}: scale them to about 1"


def check_draws(draw: Callable[[np.random.Generator], State], model: Module, settings: Settings) -> None:
    """Raise InputError if the initial weights are the same whatever generator they are drawn with."""
    one, other = (draw(stream(settings.seed, 0, purpose)) for purpose in ("init", "another init"))
    if all(np.array_equal(one[name], other[name]) for name in model.prunable()):
        raise InputError(
            f"the model {settings.model!r} draws the same initial weights whatever its rng is: trials and "
            "re-initialised controls would all be equal; pass the rng on to its layers"
        )
    for name in model.structure():
        if not np.array_equal(one[name], other[name]):
            raise InputError(
                f"the model {settings.model!r} draws other connections ({name}) each time, so that masks of one network would "
                "not fit the next: draw them once, outside of the function"
            )


def usable_threads(threads: int | None) -> int:
    """Return the number of threads asked for, or of the cores that this process may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return threads or cores or 1


def usable_workers(workers: int | None, threads: int, device: str) -> int:
    """Return the number of processes asked for, or of the threads that they would share; one where they would share a device."""
    return workers or (threads if device == "cpu" else 1)
