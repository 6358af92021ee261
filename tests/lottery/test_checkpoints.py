"""A checkpoint is the whole of a training at an iteration: going on from it is as if nothing had been in between."""

import numpy as np
import pytest

from tests.lottery.experiments import DATA, MODEL, SMALL, equal_bytes
from tests.lottery.networks import Counting
from tinyticket.lottery import checkpoints, reset, stream
from tinyticket.lottery.inputs import split
from tinyticket.lottery.settings import resolve
from tinyticket.lottery.start import Start
from tinyticket.lottery.training import Trainer
from tinyticket.nn import models
from tinyticket.optim import Cosine, MultiStep, Warmup

K = 7  # within an interval of evaluation, and within an epoch of 8 batches


def trainer(model=None, **changes):
    settings = resolve(data="d", model=MODEL, training_examples=200, **{**SMALL, **changes})
    return Trainer(model or models.create(MODEL, (12,), 3, 0), settings, split(DATA, settings))


def train(trainer, start, keep_at=0):
    return trainer.train(start, stream(0, 0, "batches"), stream(0, 0, "dropout"), keep_at=keep_at)


def dense(model):
    return Start({name: np.ones(p.shape, bool) for name, p in model.prunable().items()}, model.state_dict(), {})


WAYS = [
    {"optimizer": optimizer, "eager": eager}
    for optimizer in ("adam", "sgd", "momentum", "nesterov")
    for eager in (False, True)
] + [
    {"schedule": Warmup(10, Cosine(20)), "weight_decay": 0.01},
    {"schedule": MultiStep((5, 12), 0.3), "optimizer": "momentum"},
]


@pytest.mark.parametrize("changes", WAYS, ids=str)
def test_it_is_the_training_cut_off_there_weights_and_slots_byte_for_byte(changes):
    whole, cut = trainer(**changes), trainer(**{**changes, "iterations": K})
    checkpoint = train(whole, dense(whole.model), keep_at=K).checkpoint
    trained = train(cut, dense(cut.model)).trained
    assert checkpoint.iteration == K
    assert equal_bytes(checkpoint.state, trained)
    for i, (name, _) in enumerate(cut.model.named_parameters()):
        slots = dict(zip(cut.optimizer.SLOTS, cut.optimizer.slots(i), strict=False))
        assert equal_bytes(checkpoint.slots[name], slots)
        assert checkpoint.steps[name] == cut.optimizer.steps[i] == K
    assert len(cut.optimizer.slots(0)) == {"adam": 2, "sgd": 0}.get(changes.get("optimizer", "adam"), 1)


@pytest.mark.parametrize("changes", WAYS, ids=str)
def test_keeping_one_changes_no_bit_and_going_on_from_it_is_the_same_training(changes):
    one = trainer(**changes)
    begin = dense(one.model)
    kept, plain = train(one, begin, keep_at=K), train(one, begin)
    assert equal_bytes(kept.trained, plain.trained)
    assert kept.history.tobytes() == plain.history.tobytes()
    again = Start(begin.masks, kept.checkpoint.state, {}, K, optimizer=kept.checkpoint)
    resumed = train(trainer(**changes), again)
    assert equal_bytes(resumed.trained, plain.trained)
    assert resumed.history["iteration"].tolist() == [7, 10, 15, 20]
    assert resumed.history[2:].tobytes() == plain.history[3:].tobytes()  # the rows from 15 on


@pytest.mark.parametrize("model", [Counting(rng=3)])
def test_buffers_and_models_that_run_eagerly_too(model):
    begin = dense(model)
    checkpoint = train(trainer(model), begin, keep_at=K).checkpoint
    assert checkpoint.state["steps"].tolist() == [K]
    resumed = train(trainer(model), Start(begin.masks, checkpoint.state, {}, K, optimizer=checkpoint))
    assert equal_bytes(resumed.trained, train(trainer(model), begin).trained)


@pytest.mark.parametrize("eager", [False, True])
def test_what_is_remembered_of_pruned_weights_becomes_plus_zero(eager):
    one = trainer(eager=eager)
    begin = dense(one.model)
    checkpoint = train(one, begin, keep_at=K).checkpoint
    masks = {name: np.random.default_rng(1).random(mask.shape) < 0.1 for name, mask in begin.masks.items()}
    one._begin(Start(masks, reset(checkpoint.state, masks), {}, K, optimizer=checkpoint), stream(0, 0, "dropout"))
    back = checkpoints.take(one.model, one.optimizer, K)
    for name, mask in masks.items():
        for slot, value in back.slots[name].items():
            assert value.tobytes() == np.where(mask, checkpoint.slots[name][slot], np.float32(0)).tobytes()


def test_a_checkpoint_is_a_copy():
    one = trainer(eager=True)
    begin = dense(one.model)
    checkpoint = train(one, begin, keep_at=K).checkpoint
    before = {name: slots["mean"].tobytes() for name, slots in checkpoint.slots.items()}
    train(one, begin)
    assert {name: slots["mean"].tobytes() for name, slots in checkpoint.slots.items()} == before
