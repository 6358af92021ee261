"""Many experiments at once."""

import json

import pytest

import tinyticket as tt
from tests.lottery.experiments import DATA, MODEL, SMALL, Interrupt, InterruptAt, Recorder, contents, differing, find
from tests.lottery.networks import plain
from tinyticket.errors import InputError
from tinyticket.lottery.sweep import Sweep, combinations, sweep

SETTINGS = {**SMALL, "model": MODEL, "data": DATA, "rounds": 1}
GRID = {"criterion": ["magnitude", "random"], "controls": ["none", "reinit"]}
NAMES = [
    f"criterion={criterion},controls={controls}" for criterion in GRID["criterion"] for controls in GRID["controls"]
]


@pytest.mark.parametrize("workers", [1, 2])
def test_every_combination_is_the_experiment_that_find_makes(workers, tmp_path):
    progress = Recorder()
    results = sweep(tmp_path / "sweep", SETTINGS, GRID, workers=workers, callbacks=progress)
    assert list(results) == NAMES
    for name, result in results.items():
        chosen = dict(part.split("=") for part in name.split(","))
        alone = find(rounds=1, out=tmp_path / "alone.h5", **chosen)
        assert differing(contents(result.path), contents(alone.path)) == []
        (tmp_path / "alone.h5").unlink()
    dense = [which for which in progress.of("training_begun") if which[1] == 0]
    assert len(dense) == 1  # one for all
    assert progress.of("run_begun") == [(2 * 2 + 2 * 3, 20, 3)]
    assert len(progress.of("training_begun")) == 10 - 3
    assert {which[4] for which in progress.of("training_begun")} == set(NAMES)
    assert sorted(path.name for path in (tmp_path / "sweep").iterdir()) == sorted(f"{name}.h5" for name in NAMES)


def test_a_sweep_that_was_interrupted_goes_on_and_an_experiment_that_is_added_shares_what_is_there(tmp_path):
    with pytest.raises(Interrupt):
        sweep(tmp_path, SETTINGS, GRID, callbacks=InterruptAt("committed", after=4))
    progress = Recorder()
    sweep(tmp_path, SETTINGS, GRID, [{"criterion": "movement"}], callbacks=progress)
    assert not [which for which in progress.of("training_begun") if which[1] == 0]
    assert (
        differing(
            contents(tmp_path / "criterion=movement.h5"), contents(find(rounds=1, criterion="movement"), tmp_path)
        )
        == []
    )
    progress = Recorder()
    sweep(tmp_path, SETTINGS, GRID, [{"criterion": "movement"}], callbacks=progress)
    assert not progress.of("training_begun")


def test_other_dense_trainings_are_not_shared(tmp_path):
    found = Sweep(tmp_path, SETTINGS, {"seed": [0, 1], "lr": [0.01, 0.02], "rewind_to": [0, 5]})
    assert found.shared == 0
    assert Sweep(tmp_path, SETTINGS, {"prune": [0.2, 0.3], "scope": ["layer", "global"]}).shared == 3


@pytest.mark.parametrize("workers", [1, 2])
def test_an_experiment_that_ends_badly_does_not_keep_the_others_from_their_end(workers, tmp_path):
    with pytest.raises(
        InputError, match=r"^1 of 2 experiments could not be finished: lr=1e\+30: trial 0, round 0: the"
    ):
        sweep(tmp_path, SETTINGS, {"lr": [1e30, 0.01]}, workers=workers)
    assert len(tt.load(tmp_path / "lr=0.01.h5").trials[0].rounds) == 2


def test_a_model_that_cannot_be_sent_takes_one_worker(tmp_path):
    options = {**SETTINGS, "model": lambda rng: plain(rng), "controls": "none"}
    with pytest.raises(InputError, match=r"cannot be sent to another process .*: run the sweep with one worker"):
        sweep(tmp_path, options, {"seed": [0, 1]}, workers=2)
    assert len(sweep(tmp_path, options, {"seed": [0, 1]})) == 2


@pytest.mark.parametrize(
    ("grid", "experiments", "words"),
    [
        ({}, [], "no experiments"),
        ({"seed": 3}, [], "the grid's seed is a list of values"),
        ({"criterion": "magnitude"}, [], "the grid's criterion is a list of values"),
        ({"seed": []}, [], "the grid's seed is a list of values"),
        ({"seed": [0, 0]}, [], "2 experiments of the sweep would be called 'seed=0'"),
        ({}, [{"name": "a/b", "seed": 1}], "an experiment's name is that of its file"),
        ({}, [{"name": "odd", "criterion": "magnitud"}], "experiment odd: no criterion is called 'magnitud'"),
        ({"batch_size": [10, 10_000]}, [], "experiment batch-size=10000: a batch of 10000 is larger"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_trained(grid, experiments, words, tmp_path):
    with pytest.raises(InputError, match=words):
        sweep(tmp_path / "sweep", SETTINGS, grid, experiments)
    assert not (tmp_path / "sweep").exists()


@pytest.mark.parametrize(
    ("option", "words"), [({"threads": 0}, "threads are at least 1"), ({"out": "a.h5"}, "out belongs to")]
)
def test_how_it_is_run_is_checked_too(option, words, tmp_path):
    with pytest.raises(InputError, match=words):
        sweep(tmp_path, SETTINGS, GRID, **option)


def test_names_are_made_of_what_differs():
    grid = {"one_shot": [[0.5, 0.1], 0.2], "prune": [{"conv": 0.1, "fc": 0.2}], "data": ["some/where/mine.npz"]}
    names = [name for name, _ in combinations({"seed": 1}, grid, [{"name": "own", "seed": 2}])]
    assert names == [
        "one-shot=0.5+0.1,prune=conv.0.1+fc.0.2,data=mine.npz",
        "one-shot=0.2,prune=conv.0.1+fc.0.2,data=mine.npz",
        "own",
    ]
    assert json.dumps(combinations({"seed": 1}, {}, [{"name": "own", "seed": 2}])) == '[["own", {"seed": 2}]]'
