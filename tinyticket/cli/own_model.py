"""A network of the user's own, from FILE.py:FUNCTION, and what else commands need that go on from a result file."""

from __future__ import annotations

import functools
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from tinyticket.cli.common import takes
from tinyticket.data import Dataset
from tinyticket.errors import InputError


class OwnModel:
    """A function from a generator to a Module, made of the user's function (input_shape, classes, rng).

    In another process the file is loaded again: that is how it is sent. An error inside the user's code stays as it is, with its
    traceback.
    """

    def __init__(self, name: str, input_shape: tuple[int, ...], classes: int):
        file, _, function = name.rpartition(":")
        path = Path(file)
        if path.suffix != ".py" or not path.is_file():
            raise InputError(f"the model {name!r} names no Python file: {file} does not exist or does not end in .py")
        self._given = (f"{path.resolve()}:{function}", input_shape, classes)
        self._make = _load(path, function)
        from tinyticket.lottery.inputs import check_takes

        check_takes(self._make, name, "input_shape", "classes", "rng")
        self.__name__ = f"{path.name}:{function}"

    def __call__(self, rng: Any) -> Any:
        _, input_shape, classes = self._given
        return self._make(input_shape, classes, rng)

    def __reduce__(self) -> tuple:
        return OwnModel, self._given


def load_model(name: str, dataset: Dataset) -> OwnModel:
    """Return the function that FILE.py:FUNCTION names, for a data set; of numbers to predict their count stands for classes."""
    return OwnModel(name, dataset.input_shape, dataset.outputs)


def _load(path: Path, function: str) -> Callable[..., Any]:
    spec = importlib.util.spec_from_file_location(f"_own_model_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # as an import would: dataclasses look their module up
    spec.loader.exec_module(module)
    make = getattr(module, function, None)
    if not callable(make):
        raise InputError(f"{path} has no function {function!r}")
    return make


def from_file(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --data, --data-folder, --model and --threads to a command about a file that trains or evaluates.

    It receives `data`, `data_folder`, `model` and `threads`, as `lottery.replay.again.Again` takes them.
    """

    @functools.wraps(command)
    def with_model(*args: Any, data: Any, data_folder: str | None, model: Any, **options: Any) -> Any:
        if model is not None:
            from tinyticket import load
            from tinyticket.lottery.replay.again import data_of

            data = data_of(load(options["file"]), data, data_folder)
            model = load_model(model, data)
        return command(*args, data=data, data_folder=data_folder, model=model, **options)

    model = click.option("--model", metavar="FILE.py:FUNCTION", help="The network, if it has a class of your own.")
    data = click.option("--data", help="The data set, if its name in the file does not say where it is.")
    return data(takes("data-folder")(model(takes("threads")(with_model))))
