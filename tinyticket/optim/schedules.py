"""Learning-rate schedules: small values that say by which factor the learning rate is multiplied at an iteration (from 0)."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from tinyticket.errors import InputError, near


@dataclass(frozen=True)
class Constant:
    """The learning rate as given, always."""

    def __call__(self, iteration: int) -> float:
        return 1.0


@dataclass(frozen=True)
class MultiStep:
    """Multiply by `gamma` from each milestone on."""

    milestones: tuple[int, ...]
    gamma: float = 0.1

    def __post_init__(self):
        object.__setattr__(self, "milestones", tuple(self.milestones))  # a list, as JSON gives it, is the same schedule

    def __call__(self, iteration: int) -> float:
        return self.gamma ** sum(iteration >= milestone for milestone in self.milestones)


@dataclass(frozen=True)
class Cosine:
    """Half a cosine from 1 down to 0 over `iterations`."""

    iterations: int

    def __post_init__(self):
        _check_length(self.iterations)

    def __call__(self, iteration: int) -> float:
        return 0.5 * (1 + math.cos(math.pi * min(iteration, self.iterations) / self.iterations))


@dataclass(frozen=True)
class Linear:
    """A line from 1 down to `end` over `iterations`, after which it stays there."""

    iterations: int
    end: float = 0.0

    def __post_init__(self):
        _check_length(self.iterations)
        if not 0 <= self.end <= 1:
            raise InputError(f"a linear schedule ends at a factor from 0 to 1, not {self.end}")

    def __call__(self, iteration: int) -> float:
        return 1 - (1 - self.end) * min(iteration, self.iterations) / self.iterations


@dataclass(frozen=True)
class Warmup:
    """Rise in a line from 0 to 1 over the first `iterations`, on top of another schedule."""

    iterations: int
    then: Constant | MultiStep | Cosine | Linear = Constant()

    def __post_init__(self):
        _check_length(self.iterations)

    def __call__(self, iteration: int) -> float:
        return min(1.0, iteration / self.iterations) * self.then(iteration)


def _check_length(iterations: int) -> None:
    if iterations < 1:
        raise InputError(f"a schedule runs over at least one iteration, not {iterations}")


Schedule = Constant | MultiStep | Cosine | Linear | Warmup
KINDS: dict[str, type] = {kind.__name__.lower(): kind for kind in (Constant, MultiStep, Cosine, Linear, Warmup)}


def to_plain(schedule: Schedule) -> dict[str, Any]:
    """Return a schedule as JSON values, such as {"kind": "multistep", "milestones": [...], "gamma": 0.1}."""
    plain: dict[str, Any] = {"kind": type(schedule).__name__.lower()}
    for field in dataclasses.fields(schedule):
        value = getattr(schedule, field.name)
        plain[field.name] = to_plain(value) if isinstance(value, Schedule) else value
    return plain


def from_plain(plain: dict[str, Any]) -> Schedule:
    """Return the schedule that `to_plain` described."""
    fields = dict(plain)
    kind = fields.pop("kind", "")
    if kind not in KINDS:
        raise InputError(f"no schedule is called {kind!r}{near(kind, KINDS)}")
    if "then" in fields:
        fields["then"] = from_plain(fields["then"])
    return KINDS[kind](**fields)


def parse(text: str) -> Schedule:
    """Return the schedule that a short text describes.

    Parameters
    ----------
    text
        "constant"; "step:20000,25000" for a tenth of the learning rate from each of these iterations on, "step:20000,25000:0.2"
        for another factor; "cosine:30000"; "linear:30000", a line down to 0, or "linear:30000:0.01", to a hundredth;
        "warmup:10000", after which the learning rate stays, or with what comes on top of it, "warmup:10000+step:20000,25000".

    Raises
    ------
    InputError
        If it describes none.
    """
    first, plus, rest = text.partition("+")
    kind, _, arguments = first.strip().partition(":")
    if kind not in FORMS:
        raise InputError(f"no schedule is called {kind!r}{near(kind, FORMS)}")
    try:
        if kind == "warmup":
            then = parse(rest) if plus else Constant()
            if isinstance(then, Warmup):
                raise InputError(f"the schedule {text!r} warms up twice")
            return Warmup(int(arguments), then)
        if not plus:
            return FORMS[kind](arguments)
    except InputError:
        raise
    except ValueError:
        pass
    raise InputError(
        f"{text!r} is no schedule; write constant, step:20000,25000 (or step:20000,25000:0.1), cosine:30000, linear:30000 (or "
        "linear:30000:0.01), warmup:10000 or warmup:10000+step:20000,25000, in iterations"
    )


def _steps(arguments: str) -> MultiStep:
    milestones, colon, gamma = arguments.partition(":")
    places = tuple(int(number) for number in milestones.split(","))
    factor = float(gamma) if colon else 0.1
    if list(places) != sorted(set(places)) or places[0] < 1 or not 0 < factor < math.inf:
        raise ValueError("iterations ascend from 1, the factor is above 0")
    return MultiStep(places, factor)


def _line(arguments: str) -> Linear:
    iterations, colon, end = arguments.partition(":")
    return Linear(int(iterations), float(end) if colon else 0.0)


def _nothing(arguments: str) -> Constant:
    if arguments:
        raise ValueError("a constant schedule has no numbers")
    return Constant()


FORMS: dict[str, Any] = {
    "constant": _nothing,
    "step": _steps,
    "cosine": lambda arguments: Cosine(int(arguments)),
    "linear": _line,
    "warmup": None,  # may contain another
}
