"""Networks of one's own, as users write them."""

import numpy as np

from tinyticket import nn
from tinyticket.autograd import Tensor


class Counting(nn.Module):
    """A network of a class of its own, with a buffer that every training step changes."""

    def __init__(self, rng=None, hidden=8):
        self.hidden = nn.Linear(12, hidden, rng=rng)
        self.relu = nn.ReLU()
        self.output = nn.Linear(hidden, 3, rng=rng)
        self.steps = nn.Buffer(np.zeros(1))

    def forward(self, x):
        if self.training:
            self.steps.data[...] += 1
        return self.output(self.relu(self.hidden(x)))


class Drawn(nn.Module):
    """A network that owns a parameter besides its layers' and says how it is drawn."""

    def __init__(self, rng=None):
        self.scale = nn.Parameter(np.ones(12, np.float32))
        self.layer = nn.Linear(12, 3)
        if rng is not None:
            self.reset_parameters(rng)

    def reset_parameters(self, rng):
        rng = np.random.default_rng(rng)
        self.scale.data[...] = rng.uniform(0.5, 1.5, 12)
        self.layer.reset_parameters(rng)

    def forward(self, x):
        return self.layer(x * self.scale)


class Silent(nn.Module):
    """A network that owns a parameter and does not say how it is drawn."""

    def __init__(self):
        self.scale = nn.Parameter(np.ones(12, np.float32))
        self.layer = nn.Linear(12, 3)

    def forward(self, x):
        return self.layer(x * self.scale)


class Watching(nn.Module):
    """Notes every batch that it is trained on in a list that all copies share, and gives NaN for one of them if told to."""

    def __init__(self, seen: list, rng=None, nan_at: int | None = None):
        self.layers = plain(rng)
        self._note, self._nan_at = seen.append, nan_at

    def forward(self, x: Tensor):
        logits = self.layers(x)
        if self.training:
            self._note(x.data.tobytes())
            if len(self._note.__self__) == self._nan_at:
                return logits * np.float32(np.nan)
        return logits


def plain(rng=None):
    return nn.Sequential(nn.Linear(12, 8, rng=rng), nn.ReLU(), nn.Linear(8, 3, rng=rng))
