"""Dense or sparse: the cost model, and where a machine's own rates are kept."""

import logging

import pytest

from tinyticket.sparse import choice


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    choice.current.cache_clear()
    yield
    choice.current.cache_clear()


def test_sparse_wins_at_low_density_and_never_at_full():
    for shape in ((300, 784), (100, 300), (1024, 1024)):
        for first in (True, False):
            assert choice.sparse_is_faster(shape, 0.05, first)
            assert not choice.sparse_is_faster(shape, 1.0, first)


def test_a_small_output_layer_runs_sparse_once_few_weights_survive():
    assert choice.sparse_is_faster((10, 100), 0.05, first=False)
    assert not choice.sparse_is_faster((10, 100), 0.5, first=False)


def test_a_first_layer_opens_its_rows_twice_and_others_rows_and_columns():
    line = choice.default().line
    assert choice.expected((300, 784), 0.0, True, sparse=True) == pytest.approx(600 * line)
    assert choice.expected((300, 784), 0.0, False, sparse=True) == pytest.approx(1084 * line)


@pytest.mark.parametrize("rates", choice.MEASURED.values(), ids=choice.MEASURED)
def test_break_even_lies_where_whole_steps_were_measured_equal(rates):
    choice.remember(rates)
    for shape, first in (((1024, 1024), False), ((300, 784), True), ((100, 300), False)):
        assert choice.sparse_is_faster(shape, 0.5, first)
    assert not choice.sparse_is_faster((1024, 1024), 0.61, first=False)
    assert not choice.sparse_is_faster((300, 784), 0.8, first=True)


def test_a_wide_layer_breaks_even_earlier_than_a_narrow_one():
    rates = choice.Rates(dense=4.0, sparse=4.0, dense_first=1.0, sparse_first=1.0, line=0.0, sparse_doubling=1.0)
    choice.remember(rates)
    for side, rate in ((100, 4.0), (256, 4.0), (512, 5.0), (1024, 6.0)):
        assert choice.expected((side, side), 0.5, False, sparse=True) == pytest.approx(rate * side**2 / 2)
        assert choice.expected((side, side), 0.5, False, sparse=False) == pytest.approx(4.0 * side**2)


def test_an_unknown_cpu_gets_the_rates_by_which_sparse_layers_pay_off_latest(monkeypatch):
    monkeypatch.setattr("tinyticket.kernels.cpu.vector.machine.target", lambda: ("fictitious", ""))
    careful = choice.default()
    for rates in choice.MEASURED.values():
        assert rates.sparse / rates.dense <= careful.sparse / careful.dense
        assert rates.sparse_first / rates.dense_first <= careful.sparse_first / careful.dense_first


def test_measured_rates_are_remembered_and_used():
    never = choice.Rates(dense=1.0, sparse=1000.0, dense_first=1.0, sparse_first=1000.0, line=0.0)
    assert choice.remember(never) == choice.calibration_file()
    assert choice.current() == never
    assert not choice.sparse_is_faster((300, 784), 0.05, first=True)


def test_damaged_rates_are_named_and_not_used(caplog):
    choice.remember(choice.default())
    choice.calibration_file().write_text("{")
    choice.current.cache_clear()
    with caplog.at_level(logging.WARNING):
        assert choice.current() == choice.default()
    assert "bench --calibrate" in caplog.text


def test_convolutions_run_whole_unless_sparse_ones_are_clearly_faster():
    for shape in ((64, 3, 3, 3), (16, 16, 3, 3), (64, 64, 3, 3), (256, 256, 3, 3)):
        for first in (True, False):
            assert choice.fastest_convolution(shape, 0.4, (16, 16), first, winograd=False) == "sparse"
            assert choice.fastest_convolution(shape, 0.02, (16, 16), first, winograd=True) == "sparse"
            assert choice.fastest_convolution(shape, 1.0, (16, 16), first, winograd=False) == "dense"


def test_winograds_algorithm_is_for_many_channels_and_pays_off_where_sparse_layers_did():
    kernels = {
        channels: choice.fastest_convolution((channels, channels, 3, 3), 1.0, (16, 16), False, winograd=True)
        for channels in (4, 64, 256)
    }
    assert kernels == {4: "dense", 64: "winograd", 256: "winograd"}
    on_small_images = choice.fastest_convolution((16, 16, 3, 3), 1.0, (5, 5), False, winograd=True)
    assert on_small_images == "dense", "64 pixels of patches for 25"
    assert choice.fastest_convolution((256, 256, 3, 3), 0.5, (16, 16), False, winograd=True) == "winograd"
    on_small_images = choice.fastest_convolution((512, 512, 3, 3), 0.3, (4, 4), False, winograd=True)
    assert on_small_images == "sparse", "many weights are transformed for few pixels"


def test_a_pruned_weight_of_a_convolution_still_costs_something():
    left = [
        choice.expected_convolution((64, 64, 3, 3), density, (16, 16), False, "sparse") for density in (0.2, 0.1, 0.0)
    ]
    assert left[0] - left[1] == pytest.approx(left[1] - left[2])
    assert left[2] > 0
