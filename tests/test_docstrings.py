"""The examples in docstrings do what they show."""

import doctest
import importlib

import pytest

MODULES = [
    "autograd.gradcheck",
    "autograd.tensor",
    "compiler.choose",
    "data.arrays",
    "lottery.callbacks.callback",
    "lottery.experiment",
    "nn.models",
    "prune.initial",
    "prune.magnitude",
    "sklearn.classifier",
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_do_what_they_show(name):
    done = doctest.testmod(importlib.import_module(f"tinyticket.{name}"), optionflags=doctest.ELLIPSIS)
    assert done.attempted
    assert not done.failed
