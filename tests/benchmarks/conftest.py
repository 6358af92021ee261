"""A discipline of two calls a block, and a step that computes what the compiled one computes, in plain NumPy."""

import pytest

import tinyticket as tt
from benchmarks import problems
from benchmarks.timing import Discipline

TINY = Discipline(blocks=2, calls=2, seconds=0, longest=0.01, settle_calls=1, settle_seconds=0, rest=0)


class EagerCompiled:
    """Stands in for what tt.compile returns."""

    compiled = False

    def __init__(self, model, loss, optimizer, batch_size):
        self.model, self.loss, self.optimizer = model, loss, optimizer

    def __call__(self, dataset, indices):
        self.optimizer.zero_grad()
        loss = self.loss(self.model(tt.Tensor(dataset.x_train[indices])), dataset.y_train[indices])
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def evaluate(self, part):
        x, y = part
        logits = self.model(tt.Tensor(x))
        return self.loss(logits, y).item(), float((logits.argmax(axis=1) == y).mean())

    def explain(self):
        return "eager: nothing compiles here"


@pytest.fixture
def tiny():
    return TINY


@pytest.fixture
def few_examples(monkeypatch):
    monkeypatch.setattr(problems, "EXAMPLES", {"train": 300, "validation": 50, "test": 100})


@pytest.fixture
def eager_step(monkeypatch, few_examples):
    monkeypatch.setitem(vars(tt), "compile", EagerCompiled)
