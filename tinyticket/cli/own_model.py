"""A network of the user's own, from FILE.py:FUNCTION."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tinyticket.data import Dataset
from tinyticket.errors import InputError


def load_model(name: str, dataset: Dataset) -> Callable[[Any], Any]:
    """Return a function from a generator to a Module, made of the user's function (input_shape, classes, rng).

    Raises
    ------
    InputError
        If there is no such file or function. An error inside the user's code stays as it is, with its traceback.
    """
    file, _, function = name.rpartition(":")
    path = Path(file)
    if path.suffix != ".py" or not path.is_file():
        raise InputError(f"the model {name!r} names no Python file: {file} does not exist or does not end in .py")
    spec = importlib.util.spec_from_file_location(f"_own_model_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # as an import would: dataclasses look their module up
    spec.loader.exec_module(module)
    make = getattr(module, function, None)
    if not callable(make):
        raise InputError(f"{file} has no function {function!r}")

    def own_model(rng: Any) -> Any:
        return make(dataset.input_shape, dataset.classes, rng)

    own_model.__name__ = f"{path.name}:{function}"
    return own_model
