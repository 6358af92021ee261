"""What functions of arrays accept: their annotations say it, and `checked` refuses anything else before a kernel sees it.

An annotation is the kind of an argument: an array of numbers, `Images`, a whole number from 0 on, a flag. `Written[...]` marks what
a function writes into, which may share memory with no other argument. Shapes that have to fit each other are checked by the
functions, which know them (`arguments`).
"""

from __future__ import annotations

import functools
import inspect
import itertools
import operator
from collections.abc import Callable, Iterator, Mapping
from numbers import Real
from types import NoneType, UnionType
from typing import Annotated, Any, NamedTuple, ParamSpec, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np

from tinyticket.errors import InputError

_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")
_Kind = TypeVar("_Kind")

WRITTEN = "written"
Written = Annotated[_Kind, WRITTEN]
"""An argument, an array or images, that a function writes into."""


# -- kinds: how a function takes a value; TypeError, ValueError or OverflowError where it cannot


def _numbers(value: Any) -> np.ndarray:
    """Return real numbers as an array: the one that is given, if it is one."""
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{array.dtype} is no kind of number")
    return array


def _whole(value: Any) -> int:
    """Return a whole number from 0 to what 64 bits hold."""
    number = operator.index(value)
    if isinstance(value, bool) or not 0 <= number < 2**63:
        raise ValueError(f"{value} is out of range")
    return number


def _instance(kind: Any, value: Any) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"{value} is no {kind}")
    return value


def _each(takes: list[Callable], endless: bool, value: Any) -> tuple[Any, ...]:
    takes = takes * len(_instance((tuple, list), value)) if endless else takes
    return tuple(take(part) for take, part in zip(takes, value, strict=True))


def _either(takes: list[Callable], value: Any) -> Any:
    for take in takes[:-1]:
        try:
            return take(value)
        except (TypeError, ValueError):
            continue
    return takes[-1](value)


_KINDS: dict[Any, tuple[str, Callable]] = {
    Any: ("anything", lambda value: value),
    np.ndarray: ("an array of numbers", _numbers),
    int: ("a whole number from 0 on", _whole),
    float: ("a number", lambda value: float(_instance(Real, value))),
    bool: ("True or False", lambda value: bool(_instance((bool, np.bool_), value))),
    NoneType: ("None", functools.partial(_instance, NoneType)),
}
"""By annotation: the kind in words, and what takes a value."""


def _kind_of(hint: Any) -> tuple[str, Callable]:
    origin, parts = get_origin(hint), get_args(hint)
    if hint in _KINDS:
        return _KINDS[hint]
    if origin is Annotated:  # what is written into is the caller's own
        return f"{parts[0].__name__} to write into", functools.partial(_instance, parts[0])
    if parts:
        words, takes = zip(*(_kind_of(part) for part in parts if part is not ...), strict=True)
        if origin in (Union, UnionType):
            return " or ".join(words), functools.partial(_either, takes)
        return f"a tuple of {', '.join(words)}", functools.partial(_each, [*takes], ... in parts)
    return hint.__name__, functools.partial(_instance, hint)


def _is_written(hint: Any) -> bool:
    return WRITTEN in getattr(hint, "__metadata__", ()) or any(map(_is_written, get_args(hint)))


# -- functions


class _Argument(NamedTuple):
    name: str
    words: str
    take: Callable
    written: bool

    def taken(self, where: str, value: Any) -> Any:
        try:
            return self.take(value)
        except (TypeError, ValueError, OverflowError):
            raise InputError(f"{where}: {self.name} must be {self.words}, not {_short(value)}") from None


@functools.cache
def arguments_of(function: Any) -> dict[str, _Argument]:
    """Return the arguments of a function, or those that make a dataclass, by name."""
    hints: dict[str, Any] = {}
    for name, parameter in inspect.signature(function, eval_str=True).parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:  # Unpack[...] of a TypedDict
            hints |= get_type_hints(get_args(parameter.annotation)[0], include_extras=True)
        else:
            hints[name] = parameter.annotation
    return {name: _Argument(name, *_kind_of(hint), _is_written(hint)) for name, hint in hints.items()}


@functools.cache
def _written_by(function: Any) -> frozenset[str]:
    return frozenset(name for name, argument in arguments_of(function).items() if argument.written)


def checked(function: Callable[_Given, _Result]) -> Callable[_Given, _Result]:
    """Return a function that raises InputError where an argument is not what the annotations of the given one ask for.

    A class, which checks what it is made of, is returned as it is.
    """
    if isinstance(function, type):
        return function
    where = function.__name__

    @functools.wraps(function)
    def call(*given: Any, **options: Any) -> Any:
        arguments = arguments_of(function)
        if len(given) <= len(arguments) and options.keys() <= arguments.keys():  # else Python says what is wrong
            given = tuple([a.taken(where, value) for a, value in zip(arguments.values(), given, strict=False)])
            options = {name: arguments[name].taken(where, value) for name, value in options.items()}
            named = {**dict(zip(arguments, given, strict=False)), **options}
            if not _written_by(function).isdisjoint(named):
                _check_apart(where, _written_by(function), named)
        return function(*given, **options)

    call.__module__ = __package__  # where pickle finds it
    return call


def check_fields(instance: Any) -> None:
    """Take what a frozen dataclass was given by the annotations of its fields, as `checked` takes arguments."""
    kind: Any = type(instance)
    for name, argument in arguments_of(kind).items():
        vars(instance)[name] = argument.taken(kind.__name__, vars(instance)[name])


def _check_apart(function: str, written: frozenset[str], given: Mapping[str, Any]) -> None:
    """Raise InputError if something that is written into shares memory with another argument."""
    arrays = [(name, array) for name, value in given.items() for array in _arrays_of(value)]
    for (one, array), (other, beside) in itertools.combinations(arrays, 2):
        if (one in written or other in written) and np.may_share_memory(array, beside):
            raise InputError(f"{function}: {one} and {other} share memory, but a result is written into it")


def _arrays_of(value: Any) -> Iterator[np.ndarray]:
    if isinstance(value, tuple):
        for part in value:
            yield from _arrays_of(part)
    array = getattr(value, "array", value)  # of images
    if isinstance(array, np.ndarray):
        yield array


def _short(value: Any) -> str:
    return f"{value.dtype} of shape {value.shape}" if isinstance(value, np.ndarray) else f"{value!r:.60}"
