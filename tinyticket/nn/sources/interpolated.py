"""Normalisation on the way back to its start: a p_0 + (1 - a) p, with a new share a in every training step.

AWS (Oh, Baik and Lee 2025, "Find a winning sign", arXiv 2504.05357) trains so, to make a network whose mask and signs suffice: it
must do well whatever scales and shifts between the initial and the trained ones its normalisation has.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyticket.autograd import Tensor
from tinyticket.nn.layers import BatchNorm1d, BatchNorm2d, LayerNorm
from tinyticket.nn.module import Module
from tinyticket.nn.parameter import Parameter
from tinyticket.nn.sources.sourced import Source


class Share:
    """The share of the initial values in a training step, the same for all parameters of a network.

    Parameters
    ----------
    rng : Generator
        Where each step's share comes from, a float32 from 0 up to, not including, 1.
    """

    def __init__(self, rng: np.random.Generator):
        self._rng, self.value = rng, np.float32(0)

    def draw(self) -> None:
        """Draw the next step's share."""
        self.value = np.float32(self._rng.random(dtype=np.float32))


class Interpolated(Source):
    """A parameter that training meets on its way back to its initial value, and evaluation as it is.

    Parameters
    ----------
    parameter : Parameter
        p, which is trained: its gradient is 1 - a times that of what the network meets.
    initial : float
        p_0.
    share : Share
        a.
    draws : bool
        Whether each training step's share is drawn when this parameter is asked for: one of a network's does it, the first.
    """

    def __init__(self, parameter: Parameter, initial: float, share: Share, draws: bool = False):
        self.parameter, self._initial, self._share, self._draws = parameter, initial, share, draws

    def forward(self) -> Tensor:
        """Return a p_0 + (1 - a) p in training, p in evaluation."""
        if not self.training:
            return self.parameter
        if self._draws:
            self._share.draw()
        share = self.parameter.dtype.type(self._share.value)
        return self.parameter * (1 - share) + share * self.parameter.dtype.type(self._initial)


def interpolated_norms(model: Module, rng: Any) -> dict[str, Interpolated]:
    """Return the sources of all scales and shifts of a model's normalisation, by the parameters' names; {} if it has none."""
    norms = [
        (at, layer) for at, layer in model.named_modules() if isinstance(layer, BatchNorm1d | BatchNorm2d | LayerNorm)
    ]
    share, sources = Share(rng), dict[str, Interpolated]()
    for at, layer in norms:
        for name, initial in (("weight", 1), ("bias", 0)):
            parameter = getattr(layer, name)
            if parameter is not None:
                sources[f"{at}.{name}" if at else name] = Interpolated(parameter, initial, share, draws=not sources)
    return sources
