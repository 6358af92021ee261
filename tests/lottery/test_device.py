"""Experiments on a device, simulated where there is none: few and tiny, since a step takes a second there."""

import numpy as np
import pytest

import tinyticket as tt
from tests import simulator
from tests.lottery.experiments import contents, find
from tinyticket.compiler.cuda import step as cuda_step
from tinyticket.compiler.step import CompiledStep
from tinyticket.data import from_arrays
from tinyticket.errors import DeviceMemoryError, InputError
from tinyticket.lottery.settings import Settings
from tinyticket.nn import Linear, Module

simulator.install()
RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 2, 26)
EXAMPLES = (RNG.standard_normal((26, 3)) + LABELS[:, None]).astype(np.float32)
TINY = from_arrays(EXAMPLES[:20], LABELS[:20], EXAMPLES[20:], LABELS[20:], name="tiny")
SETTINGS = {
    "model": "mlp-3-4-2",
    "data": TINY,
    "device": "cuda",
    "rounds": 1,
    "iterations": 2,
    "evaluate_every": 2,
    "batch_size": 7,
    "validation": 6,
    "controls": "none",
    "prune": 0.5,
}


def own(rng):
    """Return a network with a class that is not the library's."""
    return Wrapped(Linear(3, 2, rng=rng))


class Wrapped(Module):
    def __init__(self, inner):
        self.inner = inner

    def forward(self, x):
        return self.inner(x)


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    return find(**SETTINGS, out=tmp_path_factory.mktemp("device") / "ticket.h5")


def test_an_experiment_is_that_of_the_cpu_to_rounding_and_says_where_it_ran(result):
    assert result.config["device"] == "cuda"
    cpu = find(**{**SETTINGS, "device": "cpu", "eager": True})
    assert "device" not in cpu.config, "files of the CPU are what they were"
    for there, here in zip(result.trials[0].rounds, cpu.trials[0].rounds, strict=True):
        assert there.plan["device"] == "cuda"
        assert there.history["iteration"].tolist() == [0, 2]
        for column in ("train_loss", "validation_loss", "test_loss"):
            np.testing.assert_allclose(there.history[column], here.history[column], rtol=1e-4)
        for name, mask in here.masks.items():
            assert np.array_equal(there.masks[name], mask)
            assert not there.trained[name][~mask].view(np.uint32).any()
            np.testing.assert_allclose(there.trained[name], here.trained[name], atol=1e-5)


def test_the_same_seed_gives_the_same_bits(result, tmp_path):
    assert contents(find(**SETTINGS), tmp_path) == contents(result.path)


def test_calls_are_as_long_as_the_way_to_the_next_evaluation(monkeypatch):
    lengths, run = [], CompiledStep.run
    monkeypatch.setattr(CompiledStep, "run", lambda self, *given: lengths.append(len(given[1])) or run(self, *given))
    find(**{**SETTINGS, "rounds": 0, "iterations": 3})
    assert lengths == [2, 1]


def test_exhausted_memory_leaves_the_rounds_so_far_in_the_file(monkeypatch, tmp_path):
    arena, made = cuda_step.Arena, []

    def exhausted(*given):
        made.append(given)
        if len(made) > 1:
            raise RuntimeError("Call to cuMemAlloc results in CUDA_ERROR_OUT_OF_MEMORY")
        return arena(*given)

    monkeypatch.setattr(cuda_step, "Arena", exhausted)
    path = tmp_path / "half.h5"
    with pytest.raises(
        DeviceMemoryError, match=r"no room for a training step; .*; the finished rounds are in .*half\.h5$"
    ):
        find(**SETTINGS, out=path)
    assert [round.number for round in tt.load(path).trials[0].rounds] == [0]
    monkeypatch.undo()
    assert len(find(**SETTINGS, out=path).trials[0].rounds) == 2


def test_another_device_is_another_experiment(result):
    with pytest.raises(InputError, match="device was cuda and is now cpu"):
        find(**{**SETTINGS, "device": "cpu"}, out=result.path)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"eager": True}, "device cuda and eager exclude each other"),
        ({"mask_0": "freeze"}, "device cuda and mask-0 freeze exclude each other"),
        ({"method": "supermask", "rounds": None, "prune": None}, "device cuda and method supermask exclude each other"),
        ({"device": "gpu"}, r"no device is called 'gpu' \(did you mean 'cpu'"),
        ({"model": "mlp-3-4-2-srelu"}, r"srelu1 \(SReLU\): there is no kernel there for S-shaped ReLUs"),
        ({"model": own}, "a class of your own, which trains through the autograd"),
    ],
)
def test_what_does_not_run_there_is_said_before_anything_is_trained(changes, words, tmp_path):
    with pytest.raises(InputError, match=words):
        find(**{**SETTINGS, **changes}, out=tmp_path / "none.h5")
    assert not (tmp_path / "none.h5").exists()


def test_settings_of_a_file_need_no_device(result):
    assert Settings.from_plain(result.config).device == "cuda"
