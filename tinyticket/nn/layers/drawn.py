"""What layers share whose weight is drawn from a distribution by name, and whose bias starts at zero."""

from __future__ import annotations

from typing import Any

from tinyticket.nn.init import INITIALISERS, zeros
from tinyticket.nn.module import Prunable
from tinyticket.nn.parameter import Parameter


class Drawn(Prunable):
    """A prunable layer with a weight, perhaps a bias, and the name of the weight's distribution, a function of `nn.init`."""

    bias: Parameter | None
    init: str

    def reset_parameters(self, rng: Any) -> None:
        """Draw the weight anew; the bias starts at zero."""
        self.weight.data = INITIALISERS[self.init](self.weight.shape, rng)
        if self.bias is not None:
            self.bias.data = zeros(self.bias.shape)
