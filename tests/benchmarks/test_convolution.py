"""Convolutions of `kernels` on tiny images: every side's results, the rows, and which of a peer's ways counts."""

import importlib.util
import json

import pytest

from benchmarks import convolution
from benchmarks.image_layer import ImageLayer
from benchmarks.own_image_layer import OwnDenseImages, OwnSparseImages
from benchmarks.peer_image_layers import WAYS, able
from benchmarks.program import main
from benchmarks.timing import Timing

PEERS = [
    pytest.param(way, marks=pytest.mark.extra)
    for peer, ways in WAYS.items()
    if importlib.util.find_spec(peer)
    for way in ways.values()
]


@pytest.mark.parametrize("density", [1.0, 0.2])
@pytest.mark.parametrize("side", [OwnDenseImages, OwnSparseImages, *PEERS])
def test_every_side_computes_the_same(side, density):
    layer = ImageLayer(8, 8, 16, density)
    contestant = side(layer)
    contestant.forward()
    contestant.backward()
    assert layer.check("it", contestant.results()) < 1e-5


def rows_of(given, tiny, path, monkeypatch):
    monkeypatch.setattr(convolution, "SIZES", ((8, 6),))
    arguments = ["kernels", "--cases", "convolution", "--batch-size", "16", "--threads", "1", "--json", str(path)]
    assert main([*arguments, *given], tiny) == 0
    return json.loads(path.read_text())


def test_alone_every_density_has_one_row(tiny, tmp_path, monkeypatch):
    rows = rows_of(["--densities", "1,0.1"], tiny, tmp_path / "rows.json", monkeypatch)
    assert [(r["case"], r["density"], r["kernel"], r["peer"]) for r in rows] == [
        ("convolution-8x6x6-b16", 1.0, "dense", None),
        ("convolution-8x6x6-b16", 0.1, "sparse", None),
    ]
    assert rows[1]["seconds"] == rows[1]["sparse_seconds"]
    assert all(r["error"] < 1e-5 and r["dense_seconds"] > 0 for r in rows)


@pytest.mark.usefixtures("torch")
def test_a_peer_counts_with_its_quicker_way_and_a_missing_one_is_named(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.peers._import", lambda package, threads: package == "torch")
    given = ["--densities", "0.3", "--peers", "torch,sparseprop,scipy"]
    there, missing = rows_of(given, tiny, tmp_path / "rows.json", monkeypatch)
    assert (there["peer"], missing["peer"], missing["note"]) == ("torch", "sparseprop", "not installed")
    assert there["peer_way"] in ("nchw", "channels-last")
    assert there["ratio"] > 0


def test_the_quickest_way_is_the_one_with_the_least_median():
    timings = {("a", "x"): Timing(2, 2, 2, 1), ("a", "y"): Timing(1, 1, 1, 1), ("b", "z"): Timing(0.5, 0.5, 0.5, 1)}
    assert convolution._quickest(timings, "a") == ("a", "y")


def test_sparseprop_over_images_needs_eights_of_them():
    assert able("over-images", ImageLayer(2, 4, 16, 1.0))
    assert not able("over-images", ImageLayer(2, 4, 17, 1.0))
    assert able("over-pixels", ImageLayer(2, 4, 17, 1.0))
