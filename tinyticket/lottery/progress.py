"""What an experiment tells whoever watches it. The library itself prints nothing; the command line draws bars from this."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tinyticket.lottery.jobs.job import Training


class Progress:
    """Receives what happens; this one ignores it. Subclass it to show bars, or to stop by raising.

    Several trainings may be under way at once; each is named by trial, round, control and density.
    """

    def run_begun(self, trainings: int, iterations: int, done: int) -> None:
        """A run has begun: `trainings` of `iterations` each, of which `done` are in the file already."""

    def training_begun(self, training: Training) -> None:
        """A training has begun."""

    def evaluated(self, training: Training, row: dict[str, Any]) -> None:
        """A training has a new row of its history."""

    def training_ended(self, training: Training, scalars: dict[str, Any]) -> None:
        """A training has ended, with the numbers that stand in the file."""

    def untrained(self, training: Training, scalars: dict[str, Any]) -> None:
        """A network has been evaluated as it is, which is no training; with the numbers that stand in the file."""

    def committed(self, trial: int, round: int) -> None:
        """A round with its controls is safe in the file."""

    def run_ended(self) -> None:
        """A run has ended, also by an error."""
