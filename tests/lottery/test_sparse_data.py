"""Experiments on sparse matrices: those of the dense arrays to the bit, which files record, replay and verify."""

import numpy as np
import pytest
from scipy import sparse

from tests.lottery.experiments import equal_bytes, every_round, find
from tinyticket.data import from_arrays
from tinyticket.errors import InputError
from tinyticket.lottery import Experiment
from tinyticket.lottery.inputs import remark_on_scale
from tinyticket.lottery.replay.replay import replay
from tinyticket.lottery.replay.verify import verify

RNG = np.random.default_rng(0)
X = np.where(RNG.random((260, 12)) < 0.2, RNG.poisson(2, (260, 12)), 0).astype(np.float32)
Y = X[:, :3].argmax(axis=1)
ARRAYS = X[:200], Y[:200], X[200:], Y[200:]
SPARSE = sparse.csr_array(X[:200]), Y[:200], sparse.coo_array(X[200:]), Y[200:]


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return find(data=SPARSE, out=tmp_path_factory.mktemp("sparse") / "found.h5")


RIGL = {"method": "rigl", "rounds": None, "one_shot": [0.5], "update_every": 5}


@pytest.mark.parametrize("settings", [{}, {"eager": True}, RIGL], ids=["compiled", "eager", "rigl"])
def test_results_have_the_bits_of_dense_arrays(settings, found):
    ours, dense = find(data=SPARSE, **settings) if settings else found, find(data=ARRAYS, **settings)
    assert "sparse" not in dense.data
    for (_, one), (_, other) in zip(every_round(ours), every_round(dense), strict=True):
        assert equal_bytes(one.trained, other.trained)
        assert one.history.tobytes() == other.history.tobytes()
        assert one.controls.keys() == other.controls.keys()
        assert all(equal_bytes(one.controls[name].trained, other.controls[name].trained) for name in one.controls)


def test_criteria_that_see_a_batch():
    settings = {"criterion": "snip", "one_shot": (0.5,), "rounds": None, "controls": ()}
    ours, dense = find(data=SPARSE, **settings), find(data=ARRAYS, **settings)
    assert equal_bytes(ours.trials[0].rounds[1].masks, dense.trials[0].rounds[1].masks)


def test_files_say_that_data_are_sparse_and_are_replayed_and_verified(found, tmp_path):
    assert found.data["sparse"] is True
    path = tmp_path / "words.npz"
    parts = {"x_train": SPARSE[0], "x_test": SPARSE[2].tocsr()}
    np.savez(
        path,
        y_train=Y[:200],
        y_test=Y[200:],
        **{
            f"{name}.{part}": getattr(x, part)
            for name, x in parts.items()
            for part in ("data", "indices", "indptr", "shape")
        },
    )
    assert replay(found, round=1, data=path).agrees
    assert [check.failures for check in verify(found, retrain=1, data=path) if check.failures] == []
    other = SPARSE[0].copy()
    other.data[0] += 1
    with pytest.raises(InputError, match="fingerprints"):
        replay(found, data=(other, *SPARSE[1:]))


def test_a_sparse_matrix_is_not_augmented():
    with pytest.raises(InputError, match="wants images"):
        find(data=SPARSE, augment="flip-crop")


def test_large_counts_are_remarked_on_as_they_are_of_arrays():
    many = X.copy()
    many[0, 0] = 500
    for x in (many, sparse.csr_array(many)):
        assert "examples reach 500" in remark_on_scale(from_arrays(x, Y, x, Y))
    assert remark_on_scale(from_arrays(sparse.csr_array((4, 3)), Y[:4])) == ""


def test_the_training_part_stays_sparse():
    experiment = Experiment("mlp-12-16-8-3", SPARSE, rounds=1, iterations=20, batch_size=20, validation=40, trials=1)
    for part in ("train", "validation", "test"):
        assert type(getattr(experiment.examples, part)[0]).__name__ == "SparseInputs"
