"""Networks of one's own, as users write them."""

import os
import signal

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


class Fragile(nn.Module):
    """A network that gives NaN in training if a number drawn with its weights is below a limit."""

    def __init__(self, limit: float, rng=None):
        rng = np.random.default_rng(rng)
        self.layers = plain(rng)
        self.flag = nn.Buffer(rng.random(1))
        self._limit = limit

    def forward(self, x: Tensor):
        logits = self.layers(x)
        return logits * np.float32(np.nan) if self.training and self.flag.data[0] < self._limit else logits


class Dying(nn.Module):
    """A network that kills its process in the training step that the environment names, or fails if that is negative."""

    steps = 0

    def __init__(self, rng=None):
        self.layers = plain(rng)

    def forward(self, x: Tensor):
        if self.training:
            Dying.steps += 1
            if Dying.steps == abs(int(os.environ.get("DIES_AT", 0))):
                os.kill(os.getpid(), signal.SIGKILL) if int(os.environ["DIES_AT"]) > 0 else 1 // 0
        return self.layers(x)


def dying(rng=None):
    return Dying(rng)
