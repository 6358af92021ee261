"""What an experiment tells whoever watches it. The library itself prints nothing; the command line draws bars from this."""

from __future__ import annotations

from typing import Any


class Progress:
    """Receives what happens; this one ignores it. Subclass it to show bars, or to stop by raising."""

    def begin(self, trainings: int, iterations: int, done: int) -> None:
        """Start of the run: `trainings` of `iterations` each, of which `done` are in the file already."""

    def of_trial(self, trial: int) -> Progress:
        """Return who is told about one trial, where several may run at once; the very same unless told apart here."""
        return self

    def training(self, trial: int, round: int, control: str | None, density: float) -> None:
        """Start of one training; `control` is None for the ticket itself."""

    def evaluated(self, row: dict[str, Any]) -> None:
        """A new row of the history of the training under way."""

    def trained(self, scalars: dict[str, Any]) -> None:
        """End of the training under way, with the numbers that stand in the file."""

    def untrained(self, trial: int, round: int, control: str | None, density: float, scalars: dict[str, Any]) -> None:
        """A network has been evaluated as it is, which is no training; with the numbers that stand in the file."""

    def committed(self, trial: int, round: int) -> None:
        """A round with its controls is safe in the file."""

    def end(self) -> None:
        """End of the run, also after an error."""
