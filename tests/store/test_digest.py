"""Digests of what a file holds: defined so that anybody can compute them, and the same however a result came about."""

import errno
import hashlib
import json
import os

import h5py
import numpy as np
import pytest

import tinyticket as tt
from tests.lottery.experiments import DATA, MODEL, SMALL, Interrupt, InterruptAt, find
from tinyticket.errors import DivergenceError, InputError
from tinyticket.lottery.experiment import Experiment
from tinyticket.lottery.extend import extended
from tinyticket.lottery.record import Record
from tinyticket.lottery.replay.verify import verify
from tinyticket.store.contents import Contents
from tinyticket.store.digest import FILE, digest, remove

# -- by docs/format.md, with h5py and hashlib alone


def sha256(document):
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def value_of(attribute):
    if isinstance(attribute, bytes | str):
        text = attribute.decode() if isinstance(attribute, bytes) else attribute
        return json.loads(text) if text.startswith("{") else text
    return attribute.tolist()


def digest_of(group, covered):
    """Return the digest of a group of the file, given those that it covers."""
    arrays, attributes = {}, {}

    def note(path, found):
        inside = {name: value_of(value) for name, value in found.attrs.items()}
        if not path:
            inside = {name: value for name, value in inside.items() if name not in ("digest", "seconds", "cpu")}
            for plan in (inside.get("plan", {}), *inside.get("plan", {}).get("before", [])):
                plan.pop("subnormals", None)
        if inside:
            attributes[path] = inside
        if isinstance(found, h5py.Dataset):
            dtype = found.dtype.descr if found.dtype.names else found.dtype.str
            content = hashlib.sha256(found[()].tobytes()).hexdigest()
            arrays[path] = {"dtype": dtype, "shape": found.shape, "sha256": content}

    def skipping(path, found):
        if path.split("/")[0] not in ("controls", "continued"):
            note(path, found)

    note("", group)
    group.visititems(skipping)
    return sha256({"place": group.name[1:], "arrays": arrays, "attributes": attributes, "digests": covered})


def by_hand(path):
    """Return the digests of a file by place, "/" for that of the whole."""
    found, last = {}, {}
    with h5py.File(path) as file:
        shared = {name: value_of(file.attrs[name]) for name in ("config", "model", "data", "networks", "seed")}
        asked = {name: shared["config"].pop(name) for name in ("rounds", "trials")}
        shared["config"].pop("first_trial", None)
        if "diverged" in file.attrs:
            asked["diverged"] = value_of(file.attrs["diverged"])
        experiment = sha256({"place": "", "arrays": {}, "attributes": {"": shared}, "digests": {}})
        for trial in file["trials"]:
            before = experiment
            rounds = [f"rounds/{name}" for name in sorted(file[f"trials/{trial}/rounds"], key=int)]
            for name in ("init", "rewind", *rounds):
                place, covered = f"trials/{trial}/{name}", {"before": before}
                if place not in file:
                    continue
                controls = [f"controls/{name}" for name in file[place].get("controls", ())]
                for control in (*controls, *(["continued"] if "continued" in file[place] else [])):
                    found[f"{place}/{control}"] = digest_of(file[f"{place}/{control}"], {"before": before})
                    covered[control] = found[f"{place}/{control}"]
                before = found[place] = digest_of(file[place], covered)
            last[f"trials/{trial}"] = before
        covered = {"experiment": experiment, **last}
        found["/"] = sha256({"place": "/", "arrays": {}, "attributes": {"": asked}, "digests": covered})
    return found


MODES = {
    "late": {"rewind_to": 7, "trials": 2, "rounds": 1},
    "continued": {"strategy": "continue", "controls": "none", "rounds": 1},
    "popup": {"rounds": None, "one_shot": [0.5], "method": "edge-popup", "controls": "none"},
    "moving": {"rounds": None, "one_shot": [0.5], "method": "rigl", "update_every": 4},
}


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
def test_digests_are_computed_with_h5py_and_hashlib_alone(mode, path):
    result = find(out=path, **mode)
    digests = result.digests
    assert digests.recorded == digests.expected == by_hand(path)
    assert digests.found.items() >= digests.recorded.items()
    assert result.digest == digests.recorded[FILE]


def test_equal_results_have_equal_digests_however_they_came_about(path, written):
    options = {"trials": 2, "controls": ["reinit", "random", "reinit-2"]}
    with pytest.raises(Interrupt):
        find(out=path, **options, rounds=1, callbacks=InterruptAt("committed", 2))
    find(out=path, **options, rounds=1)  # and further than was asked for at first
    find(out=path, **options)
    with h5py.File(path, "r+") as file:  # written elsewhere, at another time
        for name in ("versions", "machine"):
            file.attrs[name] = "{}"
        file["trials/0/rounds/01"].attrs["seconds"] = 99.0
        file["trials/0/rounds/01"].attrs["cpu"] = b"another"
        for name, found in list(file["trials"].items()):  # and laid out otherwise
            file.copy(found, f"trials/x{name}")
            del file[f"trials/{name}"]
            file.move(f"trials/x{name}", f"trials/{name}")
    assert tt.load(path).digests == tt.load(written).digests
    assert by_hand(path)["/"] == tt.load(written).digest


def consistent(result):
    return result.digests.recorded == result.digests.expected


def test_they_are_of_what_came_to_the_disk(path, monkeypatch):
    def refuse(file):
        raise OSError(errno.ENOSPC, "No space left on device")

    source = find(trials=2, rounds=0)
    record = Record(Experiment(MODEL, DATA, **{**SMALL, "trials": 2, "rounds": 0}, out=path))

    def commit(trial):
        record.commit(trial, 0, source.init(trial), {None: source.round(trial, 0).run()})

    with monkeypatch.context() as full:
        full.setattr(os, "fsync", refuse)
        with pytest.raises(InputError, match="No space left"):
            commit(1)
    commit(0)
    assert consistent(tt.load(path))


def test_a_trial_that_others_overtake_is_not_taken_for_deleted(path):
    held = find(trials=2, rounds=0)
    record = Record(Experiment(MODEL, DATA, **{**SMALL, "trials": 2, "rounds": 0}, out=path))
    record.commit(1, 0, held.init(1), {None: held.round(1, 0).run()})
    result = tt.load(path)
    assert result.unfinished == [0]
    assert {check.standing for check in verify(result, data=DATA)} <= {"passed", "not checked"}
    record.commit(0, 0, held.init(0), {None: held.round(0, 0).run()})
    result = tt.load(path)
    assert (result.unfinished, result.digest) == ([], held.digest)


@pytest.mark.parametrize("says", [[], [0, 1]])
def test_a_file_that_does_not_say_so_has_lost_a_trial(path, says):
    find(trials=2, rounds=0, controls="none", out=path)
    with h5py.File(path, "r+") as file:
        del file["trials/0"]
        if says:
            file.attrs["unfinished"] = json.dumps({"trials": says})
    numbered, *_ = verify(tt.load(path))
    assert numbered.standing == "failed"


def test_a_control_that_came_and_diverged_leaves_them(path):
    find(rounds=1, controls="random", out=path)
    experiment = extended(path, controls="reinit", data=DATA)
    record = Record(experiment, experiment.added)
    record.note_diverged([DivergenceError("trial 0, round 1 (control reinit): the training loss is inf")])
    record.seal()
    result = tt.load(path)
    assert consistent(result)
    assert result.diverged == {"0": 1}
    numbered, *_ = verify(result)
    assert numbered.standing == "passed"


def test_another_result_has_another_digest():
    changes = {}, {"seed": 1}, {"lr": 0.02}, {"trials": 2}, {"rounds": 1}
    assert len({find(**{"rounds": 0, "controls": "none", **change}).digest for change in changes}) == len(changes)


def test_a_file_of_before_has_the_same_digest_and_gets_its_digests_when_it_goes_on(path):
    find(out=path, rounds=1)
    whole, short = find(), tt.load(path).digest
    without_digests(path)
    old = tt.load(path)
    assert old.digest == short
    assert not any(old.digests.recorded.values())
    find(out=path)
    assert tt.load(path).digests == whole.digests


def without_digests(path):
    with h5py.File(path, "r+") as file:
        file.visititems(lambda _, found: found.attrs.pop("digest", None) and None)
        del file.attrs["digest"]


def test_every_bit_name_and_place_counts():
    """Zeros have signs, and no-numbers bits, that comparisons of values do not see."""
    bits = np.array([[0], [0x80000000], [0x7FC00000], [0x7FC00001]], np.uint32).view(np.float32)
    states = [("t", {"a": value}, {}) for value in (*bits, bits[0].view(np.int32), bits[:1])]
    states += [("t", {"b": bits[0]}, {}), ("u", {"a": bits[0]}, {}), ("t", {"a": bits[0]}, {"before": "00"})]
    states += [("t", {}, {}), ("t", {"a": np.zeros((0, 2))}, {}), ("t", {"a": np.zeros((2, 0))}, {})]
    assert len({digest(place, Contents(state, {}), covered) for place, state, covered in states}) == len(states)
    numbers = [1, 1.0, True, -0.0, 0.0, float("nan"), "1", [1], {"x": 1}]
    assert len({digest("t", Contents({}, {"": {"a": number}}), {}) for number in numbers}) == len(numbers)


def test_digests_are_removed_wherever_they_are_and_whatever_a_stranger_wrote(tmp_path):
    with h5py.File(tmp_path / "forged.h5", "w") as file:
        array = file.create_dataset("trials/0/init/fc1.weight", data=1.0)
        for place in (file, file["trials/0/init"]):
            place.attrs["digest"] = "ab"
        unknown = h5py.h5t.UNIX_D32LE  # to NumPy
        h5py.h5a.create(array.id, b"digest", unknown, h5py.h5s.create(h5py.h5s.SCALAR))
        remove(file)
        assert not any("digest" in place.attrs for place in (file, file["trials/0/init"], array))
