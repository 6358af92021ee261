"""A discipline of two calls a block, and a step that computes what the compiled one computes, in plain NumPy."""

import pytest

import tinyticket as tt
from benchmarks import problems
from benchmarks.timing import Discipline
from tinyticket.lottery.eager import EagerStep

TINY = Discipline(blocks=2, calls=2, seconds=0, longest=0.01, settle_calls=1, settle_seconds=0, rest=0)


class EagerCompiled:
    """Stands in for what tt.compile returns."""

    def __init__(self, model, loss, optimizer, batch_size):
        self.step = EagerStep(model, optimizer)

    def __call__(self, dataset, indices):
        return self.step(dataset.x_train[indices], dataset.y_train[indices])

    def evaluate(self, part):
        return self.step.evaluate(*part)

    def explain(self):
        return "eager"


@pytest.fixture
def tiny():
    return TINY


@pytest.fixture
def few_examples(monkeypatch):
    monkeypatch.setattr(problems, "EXAMPLES", {"train": 300, "validation": 50, "test": 100})


@pytest.fixture
def eager_step(monkeypatch, few_examples):
    monkeypatch.setitem(vars(tt), "compile", EagerCompiled)
