"""One training step and the evaluation of a data set, through the eager autograd."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from tinyticket.autograd import Tensor, no_grad
from tinyticket.nn import Module, functional
from tinyticket.optim import Optimizer

CHUNK = 500  # examples evaluated at once: a fixed size, so that results do not depend on the number of threads

QUIETLY = np.errstate(
    over="ignore", invalid="ignore", divide="ignore"
)  # a loss that is no number is reported by training


class EagerStep:
    """Calls are training steps: forward, backward, update.

    Parameters
    ----------
    model, optimizer
        What is trained, and how.
    threads : int
        Threads that evaluate chunks of a data set side by side; a training step uses one.
    """

    def __init__(self, model: Module, optimizer: Optimizer, threads: int = 1):
        self.model, self.optimizer, self.threads = model, optimizer, threads

    @QUIETLY
    def __call__(self, x: np.ndarray, y: np.ndarray) -> float:
        """Train on one batch and return its loss before the update."""
        self.model.train()
        self.optimizer.zero_grad()
        loss = functional.cross_entropy(self.model(Tensor(x)), y)
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def evaluate(self, x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
        """Return the mean cross-entropy and the accuracy (a fraction) over a data set."""
        self.model.eval()
        chunks = [slice(start, start + CHUNK) for start in range(0, len(x), CHUNK)]
        if self.threads == 1 or len(chunks) == 1:
            sums = [self._chunk(x[chunk], y[chunk]) for chunk in chunks]
        else:
            with ThreadPoolExecutor(self.threads) as pool:
                sums = list(pool.map(lambda chunk: self._chunk(x[chunk], y[chunk]), chunks))
        losses, hits = zip(*sums, strict=True)
        return sum(losses) / len(x), sum(hits) / len(x)

    @QUIETLY
    def _chunk(self, x: np.ndarray, y: np.ndarray) -> tuple[float, int]:
        with no_grad():
            logits = self.model(Tensor(x))
            losses = functional.cross_entropy(logits, y, reduction="none").data
        return float(losses.sum(dtype=np.float64)), int((logits.argmax(axis=1) == y).sum())
