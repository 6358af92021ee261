"""What a setting names: criteria, methods, controls and recipes, those of tinyticket and a user's own."""

from __future__ import annotations

import functools
import inspect
from collections import UserDict
from collections.abc import Callable
from importlib import metadata
from typing import Any

from tinyticket.errors import InputError, near


class Registry(UserDict):
    """A table from names to what they stand for.

    To it belong also what `register` has added in this process, and what installed packages offer as entry points of the group
    `tinyticket.<kind>`; those are imported when their name is asked for. Nothing may take the names of tinyticket's `own`; `fits`
    says whether something can be used as one of a user's own, and `expected` what that is, in words.
    """

    def __init__(self, kind: str, own: dict[str, Any], fits: Callable[[Any], bool], expected: str):
        super().__init__(own)
        self.kind, self._own, self._fits, self._expected = kind, frozenset(own), fits, expected

    def register(self, thing: Any, name: str | None = None) -> str:
        """Add something, by its attribute `name` or `__name__` if no name is given, and return its name.

        InputError says that it cannot be used so, has no name, or one that tinyticket uses itself.
        """
        self._check(thing)
        name = name or getattr(thing, "name", None) or getattr(thing, "__name__", None)
        if not isinstance(name, str) or not name.replace("-", "").replace("_", "").replace("/", "").isalnum():
            raise InputError(
                f"a {self.kind} of your own has a name of letters, digits, - and _; this one has {name!r:.60}"
            )
        if name in self._own and self.data[name] is not thing:
            raise InputError(f"the {self.kind} {name!r} is one of tinyticket's: give yours another name")
        self.data[name] = thing
        return name

    def name_of(self, given: Any) -> str:
        """Return the name of what a setting was given: a name, or the thing itself, which is registered."""
        if not isinstance(given, str):
            return self.register(given)
        if given not in self:
            raise InputError(f"no {self.kind} is called {given!r}{near(given, self)}")
        return given

    def __contains__(self, name: object) -> bool:
        return name in self.data or name in _installed(self.kind)

    def __missing__(self, name: str) -> Any:
        if name not in _installed(self.kind):
            raise InputError(f"no {self.kind} is called {name!r}{near(name, self)}")
        thing = _installed(self.kind)[name].load()
        self._check(thing)
        self.data[name] = thing
        return thing

    def _check(self, thing: Any) -> None:
        if not self._fits(thing):
            raise InputError(f"the {self.kind} is a name or {self._expected}, not {thing!r:.60}")

    def __iter__(self):
        return iter({**self.data, **_installed(self.kind)})


@functools.cache
def _installed(kind: str) -> dict[str, metadata.EntryPoint]:
    return {point.name: point for point in metadata.entry_points(group=f"tinyticket.{kind}")}


def takes(arguments: int) -> Callable[[Any], bool]:
    """Return whether something is a function of so many positional arguments."""

    def fits(thing: Any) -> bool:
        try:
            inspect.signature(thing).bind(*range(arguments))
        except (TypeError, ValueError):
            return False
        return not isinstance(thing, type)

    return fits
