"""`--device cuda` where there is no device: one clear sentence, exit code 2, and no file."""

import numpy as np
import pytest

from tests import simulator
from tests.cli.commands import ENVIRONMENT, call, find_arguments, one_sentence
from tests.conftest import DEVICE
from tests.lottery.test_device import EXAMPLES, LABELS

simulator.install()
pytestmark = pytest.mark.skipif(DEVICE, reason="there is a device here")
WITHOUT = {name: value for name, value in ENVIRONMENT.items() if name != "NUMBA_ENABLE_CUDASIM"}
SMALL = {"model": "mlp-3-4-2", "rounds": 0, "iterations": 1, "batch_size": 5, "validation": 5, "device": "cuda"}


@pytest.fixture
def tiny(tmp_path):
    path = tmp_path / "tiny.npz"
    np.savez(path, x_train=EXAMPLES[:20], y_train=LABELS[:20], x_test=EXAMPLES[20:], y_test=LABELS[20:])
    return path


def test_without_a_device_nothing_is_touched(tiny, out):
    sentence = one_sentence(call(find_arguments(tiny, out, **SMALL), env=WITHOUT))
    assert sentence.startswith("device 'cuda' needs")
    assert not out.exists()


def test_a_file_of_a_device_is_shown_anywhere_and_repeated_on_one(command, tiny, out):
    outcome = command(*find_arguments(tiny, out, "--quiet", **SMALL))
    assert outcome.code == 0, outcome.err
    assert command("replay", out, "--data", tiny, "--quiet").out == "trial 0, round 0, dense: all bits agree\n"
    assert "needs" in one_sentence(call(["replay", out, "--data", tiny], env=WITHOUT))
    assert call(["show", out], env=WITHOUT).code == 0
    verified = call(["verify", out, "--data", tiny], env=WITHOUT)
    assert verified.code == 0
    assert "not checked, the final accuracies are those of the networks: device 'cuda' needs" in verified.out
