"""What exercises there are, a file with holes for each, and the check of a file in which they have been filled."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import re
import traceback
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from tinyticket.errors import InputError


class Exercise(NamedTuple):
    """An exercise, and the lesson that explains its subject."""

    name: str
    title: str
    lesson: str

    def solution(self) -> str:
        """Return the text of the solved file."""
        return resources.files("tinyticket.learn.solutions").joinpath(f"{self.name}.py").read_text("utf-8")

    def began(self, path: Path) -> bool:
        """Whether a file is of this exercise, as its first line says: others of its name are not to be run."""
        first = self.solution().partition("\n")[0]
        return path.is_file() and path.read_text("utf-8", errors="replace").startswith(first)

    def checks(self) -> list[Callable[[ModuleType], None]]:
        """Return what is checked, in the order of the file."""
        checks = importlib.import_module(f"tinyticket.learn.checks.{self.name}")
        return [found for name, found in vars(checks).items() if name.startswith("check_")]


EXERCISES = (
    Exercise("autograd", "numbers that know their derivatives", "1. An autograd from nothing"),
    Exercise("ticket", "prune, reset, and find a ticket", "3. A winning ticket by hand"),
    Exercise("sparse", "a sparse layer, samples innermost", "6. Why a sparse kernel can beat BLAS"),
    Exercise("protocol", "what the test set must not decide", "7. Bring your own data and network"),
    Exercise("exchange", "a ticket in another program", "8. From a ticket to PyTorch and back"),
    Exercise("claim", "a verdict from six trials", "9. Settle a claim"),
)


def exercise(name: str) -> Exercise:
    """Return an exercise by its name; InputError if there is none."""
    found = next((each for each in EXERCISES if each.name == name), None)
    if found is None:
        raise InputError(f"there is no exercise {name!r}; there are {', '.join(each.name for each in EXERCISES)}")
    return found


HOLE = re.compile(r"^( *)# hole: (.*)\n(?:.*\n)*?\1# end\n", re.MULTILINE)


def with_holes(solution: str) -> str:
    """Return the file that learners get: where something is to be written, an error says what."""
    return HOLE.sub(lambda hole: f'{hole[1]}raise NotImplementedError("{hole[2]}")\n', solution)


class Outcome(NamedTuple):
    """What came of one check."""

    what: str  # was checked, in words
    right: bool
    words: str = ""  # what is missing or wrong


def check(exercise: Exercise, path: Path) -> Iterator[Outcome]:
    """Run the file of a learner and check it; InputError if it cannot be run at all."""
    module = _load(path)
    for each in exercise.checks():
        what = inspect.getdoc(each) or each.__name__
        try:
            each(module)
        except NotImplementedError as hole:
            yield Outcome(what, False, f"to do: {hole}")
        except AssertionError as wrong:
            yield Outcome(what, False, f"not yet: {wrong}")
        except Exception as error:
            yield Outcome(what, False, _words(error, path))
        else:
            yield Outcome(what, True)


def _load(path: Path) -> ModuleType:
    if not path.is_file():
        raise InputError(f"{path} does not exist; `tinyticket learn open {path.stem}` makes the file of an exercise")
    spec = importlib.util.spec_from_file_location(f"_exercise_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise InputError(f"{path} is no Python file; its name would end in .py")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise InputError(f"{path} cannot be run: {_words(error, path)}") from error
    return module


def _words(error: BaseException, path: Path) -> str:
    """Return an error in one line, with the last line of the learner's file that it came through."""
    whole = path.absolute()  # as modules have it
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) == whole]
    line = getattr(error, "lineno", None) or (lines[-1] if lines else None)
    return f"{type(error).__name__}{f' in line {line}' if line else ''}: {error}"
