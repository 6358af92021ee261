"""A training that is interrupted goes on to the bits of one that is not; what cannot be used of it is ignored with a remark."""

import contextlib
import itertools
import json
import os
import random
import signal
from concurrent.futures import ThreadPoolExecutor

import h5py
import numpy as np
import pytest

import tinyticket as tt
from tests.lottery.experiments import DATA, SMALL, InterruptAt, Recorder, contents, differing, find
from tests.lottery.networks import Counting
from tinyticket import nn
from tinyticket.data import from_arrays
from tinyticket.errors import InputError
from tinyticket.lottery import calls, keeper
from tinyticket.lottery.keeper import EVERY, VARIABLE, FileKeeper
from tinyticket.lottery.start import Start

PIXELS = np.random.default_rng(1).integers(0, 256, (260, 3, 8, 8)).astype(np.float32) / 255
IMAGES = from_arrays(PIXELS[:200], DATA.y_train, PIXELS[200:], DATA.y_test, name="images")


def dropping(rng):
    """A network of images with dropout between its layers."""
    layers = (
        nn.Conv2d(3, 4, 3, padding=1, rng=rng),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.5, rng=rng),
    )
    return nn.Sequential(
        *layers, nn.Linear(64, 12, rng=rng), nn.ReLU(), nn.Dropout(0.3, rng=rng), nn.Linear(12, 3, rng=rng)
    )


ONCE = {"rounds": None, "controls": "none"}
WAYS = {
    "mlp": {"controls": "reinit", "test_at": "minima"},
    "dropout": {"model": dropping, "data": IMAGES, "rounds": 1},
    "resnet": {"model": "resnet-8", "data": IMAGES, "optimizer": "momentum", "augment": "flip-crop", "rounds": 1},
    "late": {"rewind_to": 13, "rounds": 1, "optimizer": "nesterov", "weight_decay": 1e-3},
    "eager": {"model": lambda rng: Counting(rng), "rounds": 1},
    "frozen": {"mask_0": "freeze", "rounds": 1, "controls": "none"},
    "continue": {"rewind_to": 5, "strategy": "continue", "controls": "none"},
    "rigl": {**ONCE, "method": "rigl", "one_shot": [0.3], "update_every": 4, "controls": "static"},
    "rigl, images": {**ONCE, "method": "rigl", "one_shot": [0.3], "update_every": 4, "model": dropping, "data": IMAGES},
    "rigl-original": {
        **ONCE,
        "method": "rigl-original",
        "one_shot": [0.3],
        "update_every": 4,
        "model": dropping,
        "data": IMAGES,
    },
    "snfs": {**ONCE, "method": "snfs", "one_shot": [0.3], "update_every": 10, "model": dropping, "data": IMAGES},
    "set-original": {**ONCE, "method": "set-original", "one_shot": [0.3]},
    "rigl-sampled": {
        **ONCE,
        "method": "rigl-sampled",
        "one_shot": [1],
        "update_every": 4,
        "model": "sparse-mlp-12-16-8-3@0.4",
    },
    "gradual": {**ONCE, "gradual": "3,17,2", "one_shot": [0.2], "criterion": "random"},
    "gradual, images": {**ONCE, "gradual": "3,17,2", "one_shot": [0.1], "model": dropping, "data": IMAGES},
    "early-bird": {**ONCE, "method": "early-bird", "one_shot": [0.5], "iterations": 64},
}
SETTINGS = {"controls": "none", "iterations": 30, "evaluate_every": 6}


def run(name, **more):
    return find(**{**SETTINGS, **WAYS[name], **more})


class Pause(KeyboardInterrupt):
    """Stands for Ctrl-C between two calls."""


@pytest.fixture
def at_once(monkeypatch):
    """Trainings are written after every call, and calls are short."""
    monkeypatch.setenv(VARIABLE, "0")
    monkeypatch.setattr(calls, "STEPS_A_CALL", 3)


@pytest.fixture
def interrupt(monkeypatch):
    """A function (n) after which the n-th look from then on is interrupted instead."""
    left = []

    def look(self):
        left[0] -= 1
        if not left[0]:
            raise Pause

    def interrupt(after):
        left[:] = [after]

    monkeypatch.setattr(FileKeeper, "look", look)
    return interrupt


def kept(out):
    return sorted(name for name in os.listdir(out.parent) if ".training-" in name)


@pytest.mark.parametrize("name", WAYS)
def test_a_training_interrupted_again_and_again_comes_to_the_same_bits(name, at_once, interrupt, out, tmp_path, caplog):
    dice, interrupt_at = random.Random(name), interrupt
    whole = contents(run(name), tmp_path)
    for times in itertools.count():
        interrupt_at(dice.randint(2, 11))
        try:
            result = run(name, out=out)
            break
        except Pause:
            assert times < 30
            assert kept(out)
    assert times
    assert not [record for record in caplog.records if "keeps" in record.getMessage() or "kept" in record.getMessage()]
    assert differing(contents(result.path), whole) == []
    assert kept(out) == []


@pytest.mark.parametrize(("looks", "is_held"), [(4, False), (16, True)])
def test_connections_are_kept_once_they_have_moved(looks, is_held, at_once, interrupt, out):
    interrupt(looks)  # in the dense training, or in the one whose connections move
    with pytest.raises(Pause):
        run("rigl-sampled", out=out)
    with h5py.File(out.parent / kept(out)[-1]) as file:
        assert "fc1.weight" in file["network"]
        assert ("fc1.columns" in file["network"]) == is_held


def test_whoever_watches_is_told_the_whole_training(at_once, interrupt, out):
    whole, told = Recorder(), Recorder()
    find(rounds=0, callbacks=whole)
    interrupt(4)
    with pytest.raises(Pause):
        find(rounds=0, out=out)
    find(rounds=0, out=out, callbacks=told)
    assert str(told.of("evaluated")) == str(whole.of("evaluated"))  # nan is not equal to itself


def test_seconds_are_those_of_all_parts(at_once, interrupt, out, monkeypatch):
    interrupt(3)
    with pytest.raises(Pause):
        find(rounds=0, out=out)
    (name,) = kept(out)
    with h5py.File(out.parent / name) as file:
        before = file.attrs["seconds"]
    assert find(rounds=0, out=out).trials[0].rounds[0].seconds > before > 0


def test_what_has_ended_is_kept_until_its_round_is_in_the_file(at_once, interrupt, out):
    """A ticket is not trained again because its control was interrupted."""
    interrupt(1000)
    find(rounds=0, controls="reinit", out=out)
    interrupt(12)
    with pytest.raises(Pause):
        find(rounds=1, controls="reinit", out=out)
    assert kept(out) == [".ticket.h5.training-0-1-reinit", ".ticket.h5.training-0-1-ticket"]
    with h5py.File(out.parent / ".ticket.h5.training-0-1-ticket") as file:
        assert file["network"].attrs["iteration"] == SMALL["iterations"]


# -- what is of no use


def interrupted(interrupt, out, after=6, **changes):
    """Leave a training that was interrupted; return its file."""
    interrupt(after)
    with pytest.raises(Pause):
        find(rounds=0, out=out, **changes)
    interrupt(1000)
    return out.parent / ".ticket.h5.training-0-0-dense"


def flip(path):
    with h5py.File(path, "r+") as file:
        file["network/fc1.weight"][0, 0] += 1e-7


def cut(path):
    os.truncate(path, path.stat().st_size // 2)


def no_file_at_all(path):
    path.write_bytes(b"")


def without(name):
    def without_it(path):
        with h5py.File(path, "r+") as file:
            del file[name]

    return without_it


def far(path):
    with h5py.File(path, "r+") as file:
        file["network"].attrs["iteration"] = 10**9


@pytest.mark.parametrize("damage", [flip, cut, no_file_at_all, without("mask"), without("network/fc1.bias:mean"), far])
def test_a_damaged_one_is_ignored_with_one_remark(damage, at_once, interrupt, out, caplog):
    whole = contents(find(rounds=0), out.parent)
    damage(interrupted(interrupt, out))
    result = find(rounds=0, out=out)
    (remark,) = caplog.messages
    assert remark.startswith(f"trial 0, round 0 begins anew, for what was kept of it cannot be used: {out.parent}")
    assert differing(contents(result.path), whole) == []


OTHERS = {
    "lr": 0.02,
    "seed": 1,
    "iterations": 25,
    "data": tt.data.Dataset(
        "clusters", *(np.roll(part, 1, 0) for part in (DATA.x_train, DATA.y_train, DATA.x_test, DATA.y_test)), classes=3
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_another_trainings_is_ignored_with_one_remark(name, at_once, interrupt, out, caplog):
    change = {name: OTHERS[name]}
    path = interrupted(interrupt, out)
    result = find(rounds=0, out=out, **change)
    assert caplog.messages == [
        f"trial 0, round 0 begins anew, for what was kept of it cannot be used: {path} is of another training"
    ]
    assert differing(contents(result.path), contents(find(rounds=0, **change), out.parent)) == []


def test_more_rounds_and_trials_are_the_same_training(at_once, interrupt, out, caplog):
    interrupted(interrupt, out)
    find(rounds=1, trials=2, out=out)
    assert not caplog.messages


def test_what_a_strangers_generator_is_does_no_harm(at_once, interrupt, out, caplog, monkeypatch):
    """Its digest is right, for anybody can compute it."""
    path = interrupted(interrupt, out)
    monkeypatch.setattr("tinyticket.store.progress._check_whole", lambda root, progress: None)
    for value in ({"bit_generator": "MT19937"}, {"bit_generator": "PCG64", "state": {"state": -1, "inc": 3}}, {}):
        with h5py.File(path, "r+") as file:
            file.attrs["dropout"] = json.dumps(value)
        caplog.clear()
        monkeypatch.setattr(keeper, "remove", lambda *_, **__: None)
        monkeypatch.setattr(keeper, "forget", lambda *_: None)
        out.unlink(missing_ok=True)
        content = path.read_bytes()
        find(rounds=0, out=out)
        path.write_bytes(content)
        assert "lacks something" in caplog.text


def test_a_disk_without_room_for_it_is_one_remark(at_once, out, caplog, monkeypatch):
    def full(path, key, progress):
        raise InputError(f"{path} cannot be written: No space left on device; what it held before is untouched")

    monkeypatch.setattr(keeper, "write_progress", full)
    result = find(rounds=0, out=out)
    (remark,) = caplog.messages
    assert remark.startswith(f"trial 0, round 0 goes on without being kept: {out.parent}")
    assert differing(contents(result.path), contents(find(rounds=0), out.parent)) == []


# -- when


@pytest.fixture
def clock(monkeypatch):
    """The seconds that a keeper sees, in a list of one."""
    now = [0.0]
    monkeypatch.setattr(keeper.time, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def watched(clock, monkeypatch, tmp_path):
    """A keeper of a training that takes a second to be written, and the times at which it was."""
    written = []

    def write(path, key, progress, structure):
        clock[0] += 1
        written.append(clock[0])

    monkeypatch.setattr(keeper, "write_progress", write)
    return FileKeeper(tmp_path / "kept", "trial 0", lambda: "key"), written


def test_it_is_written_now_and_then_and_costs_a_hundredth_at_most(watched, clock):
    one, written = watched
    with one.keeping(lambda: None):
        for _ in range(2000):
            clock[0] += 1
            with one.undisturbed():
                pass
            one.look()
        assert written[0] == EVERY + 1
        assert {after - before for before, after in itertools.pairwise(written)} == {EVERY + 1}
        assert (len(written) / clock[0]) < 0.01


@pytest.mark.parametrize(
    ("error", "seconds", "is_kept"),
    [(KeyboardInterrupt, 9, False), (KeyboardInterrupt, 11, True), (None, 9, False), (None, 11, True)],
)
def test_the_end_and_ctrl_c_are_reason_enough_after_some_seconds(seconds, is_kept, error, watched, clock):
    one, written = watched

    with contextlib.suppress(KeyboardInterrupt), one.keeping(lambda: None):
        clock[0] += seconds
        with one.undisturbed():
            pass
        if error:
            raise error
    assert bool(written) == is_kept


@pytest.mark.parametrize(("error", "is_kept"), [(KeyboardInterrupt, True), (None, False)])
def test_what_takes_long_to_write_is_written_at_once_only_when_it_would_be_lost(error, is_kept, watched, clock):
    one, written = watched
    one.found(Start({}, {"fc": np.broadcast_to(np.float32(0), (10**4, 10**4))}, {}), 10)  # 1.2 GB
    with contextlib.suppress(KeyboardInterrupt), one.keeping(lambda: None):
        clock[0] += 200
        with one.undisturbed():
            pass
        one.look()
        if error:
            raise error
    assert bool(written) == is_kept


def test_nothing_is_written_of_an_error_or_within_steps(watched, clock):
    one, written = watched
    for error, where in ((ZeroDivisionError, "between"), (KeyboardInterrupt, "within")):
        with contextlib.suppress(error), one.keeping(lambda: None):
            clock[0] += 50
            with one.undisturbed():
                if where == "within":
                    raise error
            raise error
    assert not written


@pytest.fixture
def heard():
    """Ctrl-C as a terminal's program hears it; a shell's background jobs, and so their tests, ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heard")
def test_a_signal_waits_for_the_steps_to_end(watched, clock):
    one, written = watched
    done = []
    with contextlib.suppress(KeyboardInterrupt), one.keeping(lambda: done.append("taken")):
        clock[0] += 50
        with one.undisturbed():
            signal.raise_signal(signal.SIGINT)
            done.append("stepped")
        done.append("not interrupted")
    assert done == ["stepped", "taken"]
    assert len(written) == 1


@pytest.mark.parametrize("text", ["soon", "-1", "nan"])
def test_the_variable_is_a_number_of_seconds(text, monkeypatch, out):
    monkeypatch.setenv(VARIABLE, text)
    with pytest.raises(InputError, match=f"{VARIABLE} is a number of seconds from 0 on, not '{text}'"):
        find(rounds=0, out=out)


def test_without_a_file_and_where_nothing_can_be_kept_nothing_is(at_once, out, tmp_path, monkeypatch):
    monkeypatch.setattr(keeper, "write_progress", lambda path, *_: written.append(path.name))
    written = []
    find(rounds=0)
    find(method="supermask", rounds=None, controls="none", out=out, iterations=6)
    assert {*written} == {".ticket.h5.training-0-0-dense"}


def test_a_link_is_not_followed(at_once, interrupt, out, caplog):
    path = interrupted(interrupt, out)
    path.rename(elsewhere := out.with_name("elsewhere"))
    path.symlink_to(elsewhere)
    before = elsewhere.read_bytes()
    find(rounds=0, out=out)
    assert ["is a link" in message for message in caplog.messages] == [True]
    assert elsewhere.read_bytes() == before


def test_others_files_stay(out):
    mine = [".ticket.h5.training-0-0-dense", "..ticket.h5.training-0-0-dense.0123456789abcdef.partial"]
    others = [".ticket.h5.training-notes", ".ticket.h5x.training-0-0-dense", "ticket.h5.training-0-0-dense"]
    for name in (*mine, *others):
        (out.parent / name).touch()
    find(rounds=0, out=out)
    assert sorted(os.listdir(out.parent)) == sorted([*others, out.name])


def test_workers_write_down_what_they_train_when_a_run_is_stopped(monkeypatch, out):
    monkeypatch.setattr(keeper, "WORTH", 0.0)
    long = {"iterations": 3000, "evaluate_every": 100, "trials": 2, "rounds": 0}
    with ThreadPoolExecutor(2) as executor, pytest.raises(KeyboardInterrupt):
        find(out=out, executor=executor, workers=2, callbacks=InterruptAt("evaluated", 4, KeyboardInterrupt), **long)
    assert kept(out) == [".ticket.h5.training-0-0-dense", ".ticket.h5.training-1-0-dense"]
    assert differing(contents(find(out=out, **long).path), contents(find(**long), out.parent)) == []
