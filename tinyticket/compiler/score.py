"""What a network does on some examples."""

from typing import NamedTuple


class Score(NamedTuple):
    """Loss and hits of an evaluation."""

    loss: float  # the mean
    correct: int
    examples: int
