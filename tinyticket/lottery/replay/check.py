"""What came of looking at one claim."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """One thing that was looked at everywhere in the file."""

    what: str  # the claim, in words
    checked: int  # in how many places, mostly trainings; 0 if it could not be
    failures: list[str]  # where it is false, and how
    reason: str = ""  # why it could not be checked

    @property
    def standing(self) -> str:
        """Whether it "passed", "failed" or was "not checked"."""
        return "failed" if self.failures else "passed" if self.checked else "not checked"
