"""Patterns: the two orders of a mask's survivors, against loops over the mask."""

import copy
import dataclasses
import itertools
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyticket.errors import InputError
from tinyticket.kernels.read_only import frozen
from tinyticket.sparse import Blocks, Pattern, Slices
from tinyticket.sparse import pattern as patterns

sizes = st.integers(1, 12)


def order(pattern, are_many):
    """Let a pattern's orders be made, by several threads if its survivors are to be taken for many."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(patterns, "MANY", 1 if are_many else patterns.MANY)
        _ = pattern.rows, pattern.columns


@settings(deadline=None)
@given(sizes, sizes, st.sampled_from([0.0, 0.3, 1.0]), st.sampled_from([None, 1, 4]), st.booleans(), st.integers(0, 99))
def test_both_orders_list_every_survivor_once(outputs, inputs, density, blocks, are_many, seed):
    mask = np.random.default_rng(seed).random((outputs, inputs)) < density
    pattern = Pattern.from_mask(mask, 32, row_blocks=blocks, column_blocks=blocks)
    order(pattern, are_many)
    in_rows = [(r, c) for r in range(outputs) for c in range(inputs) if mask[r, c]]
    in_columns = [(r, c) for c in range(inputs) for r in range(outputs) if mask[r, c]]
    assert [32 * c for _, c in in_rows] == pattern.rows.offsets.tolist()
    assert [32 * r for r, _ in in_columns] == pattern.columns.offsets.tolist()
    assert [in_columns.index(place) for place in in_rows] == pattern.to_column.tolist()
    assert pattern.count == mask.sum()
    starts = pattern.rows.starts[:: pattern.rows.blocks]
    np.testing.assert_array_equal(np.diff(starts.astype(int)), mask.sum(axis=1))
    np.testing.assert_array_equal(pattern.mask(), mask)


def test_values_there_and_back():
    rng = np.random.default_rng(0)
    mask = rng.random((20, 30)) < 0.2
    weight = np.where(mask, rng.standard_normal(mask.shape), 0).astype(np.float32)
    pattern = Pattern.from_mask(mask, 16)
    values = pattern.values(weight)
    np.testing.assert_array_equal(values, weight[mask])
    np.testing.assert_array_equal(pattern.by_column(values), weight.T[mask.T])
    np.testing.assert_array_equal(pattern.by_row(pattern.by_column(values)), values)
    dense = pattern.dense(values)
    np.testing.assert_array_equal(dense, weight)
    assert not dense[~mask].view(np.uint32).any()


@given(st.integers(1, 40), st.integers(1, 6), st.floats(0, 1))
def test_chunks_cover_all_lines_evenly(outputs, chunks, density):
    mask = np.random.default_rng(outputs).random((outputs, 50)) < density
    pattern = Pattern.from_mask(mask, 16)
    bounds = pattern.row_bounds(chunks)
    assert bounds[0] == 0
    assert bounds[-1] == outputs
    assert bounds.size == chunks + 1
    assert (np.diff(bounds) >= 0).all()
    heaviest = max(mask[a:b].sum() for a, b in itertools.pairwise(bounds))
    assert heaviest <= mask.sum() / chunks + 2 * mask.sum(axis=1).max() + 4 * outputs / chunks


def test_dense_lines_are_cut_into_blocks_and_thin_ones_are_not():
    assert Pattern.from_mask(np.ones((30, 784), bool), 64).rows.blocks > 4
    assert Pattern.from_mask(np.eye(784, dtype=bool), 64).rows.blocks == 1


@pytest.mark.parametrize(
    ("mask", "lanes", "words"),
    [
        (np.ones(3, bool), 16, "bool mask"),
        (np.ones((2, 2)), 16, "bool mask"),
        (np.ones((0, 2), bool), 16, "bool mask"),
        (np.ones((2, 2), bool), 24, "multiple of 16"),
        (np.ones((2, 2), bool), 2**31, "beyond 32 bits"),
    ],
)
def test_what_no_pattern_can_be_built_from(mask, lanes, words):
    with pytest.raises(InputError, match=words):
        Pattern.from_mask(mask, lanes)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"positions": [0, 5, 16]}, "ascend, from 0 to 15"),
        ({"positions": [0, 5, 5]}, "ascend"),
        ({"positions": [-1, 5]}, "ascend"),
        ({"positions": [0.0, 5.0]}, "whole numbers"),
        ({"positions": [[0, 5]]}, "ascend"),
        ({"shape": (4, 4, 1)}, "outputs, inputs"),
        ({"shape": (0, 4), "positions": np.zeros(0, int)}, "whole numbers"),
        ({"shape": "44"}, "shape must be a tuple"),
        ({"lanes": 24}, "multiple of 16"),
        ({"lanes": 16.0}, "lanes must be a whole number"),
    ],
)
def test_a_pattern_that_is_no_masks_cannot_be_made(change, words):
    pattern = Pattern.from_mask(np.eye(4, dtype=bool), 16)
    with pytest.raises(InputError, match=words):
        dataclasses.replace(pattern, **change)


def test_rows_and_columns_follow_from_the_positions_and_cannot_be_given():
    pattern = Pattern.from_mask(np.eye(4, dtype=bool), 16)
    assert dataclasses.replace(pattern, lanes=32).rows.offsets.tolist() == [0, 32, 64, 96]
    beyond = pattern.rows._replace(offsets=pattern.rows.offsets + np.uint32(16))
    with pytest.raises(TypeError, match="rows"):
        dataclasses.replace(pattern, rows=beyond)


@pytest.mark.parametrize(
    "copied", [lambda one: one, copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))]
)
def test_what_kernels_read_cannot_be_written(copied):
    pattern, in_rows = copied(Pattern.from_mask(np.eye(4, dtype=bool), 16, row_blocks=2)), (np.arange(5), np.arange(4))
    assert pattern.rows.blocks == 2
    arrays = [*pattern.rows[:2], *pattern.columns[:2], pattern.to_column, pattern.positions, pattern.row_bounds(2)]
    for one, names in (
        (Blocks((4, 4), *in_rows, 2), ("row_starts", "row_columns", "bounds", "tiles", "starts", "columns", "rows")),
        (Slices((4, 4), *in_rows), ("rows", "starts", "counts", "columns")),
    ):
        _ = [getattr(one, name) for name in names]
        arrays += [getattr(copied(one), name) for name in names]
    for array in arrays:
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


def test_positions_that_can_be_written_through_another_array_are_copied():
    positions = np.array([1, 6, 11])
    view = positions[:]
    view.flags.writeable = False
    pattern = Pattern((4, 4), view, 16)
    positions[:] = 10**9
    assert pattern.positions.tolist() == [1, 6, 11]
    for one in (np.flatnonzero(np.eye(4, dtype=bool)), np.arange(3)):  # a view of an array of pairs, and an array
        assert Pattern((4, 4), frozen(one), 16).positions is one


@pytest.mark.parametrize(("quick", "blocks"), [(True, (3, 1)), (False, (3, 8))])
def test_columns_stay_whole_where_the_second_level_cache_is_quick(quick, blocks, monkeypatch):
    monkeypatch.setattr("tinyticket.sparse.pattern.QUICK", quick)
    pattern = Pattern.from_mask(np.ones((1024, 300), bool), 64)
    assert (pattern.rows.blocks, pattern.columns.blocks) == blocks


@pytest.mark.parametrize("outputs", [100, 4000])
def test_rows_are_cut_less_where_the_cache_is_quick_and_least_where_there_are_many(outputs, monkeypatch):
    pattern = Pattern.from_mask(np.arange(outputs * 1000).reshape(outputs, 1000) % 5 == 0, 64)  # 200 survivors a row
    monkeypatch.setattr("tinyticket.sparse.pattern.QUICK", True)
    assert dataclasses.replace(pattern).rows.blocks == {100: 4, 4000: 1}[outputs]
    monkeypatch.setattr("tinyticket.sparse.pattern.QUICK", False)
    assert dataclasses.replace(pattern).rows.blocks == 8


@pytest.mark.parametrize(("per_line", "blocks"), [(100, 4), (16, 2), (7, 1)])
def test_lines_over_more_than_the_second_level_cache_holds_are_cut_for_it(per_line, blocks):
    mask = np.zeros((16, 16384), bool)
    mask[:, :: 16384 // per_line] = True
    assert Pattern.from_mask(mask, 64).rows.blocks == blocks
    assert Pattern.from_mask(np.ascontiguousarray(mask.T), 64).columns.blocks == blocks


@settings(deadline=None)
@given(sizes, sizes, st.sampled_from([0.0, 0.3, 1.0]), st.integers(2, 4), st.booleans(), st.integers(0, 99))
def test_survivors_may_lie_block_after_block(outputs, inputs, density, blocks, are_many, seed):
    mask = np.random.default_rng(seed).random((outputs, inputs)) < density
    pattern = Pattern.from_mask(mask, 32, row_blocks=blocks, column_blocks=blocks, by_block=True)
    order(pattern, are_many)
    places = np.argwhere(mask).tolist()
    in_rows = sorted(places, key=lambda place: (place[1] * pattern.rows.blocks // inputs, *place))
    in_columns = sorted(places, key=lambda place: (place[0] * pattern.columns.blocks // outputs, *place[::-1]))
    assert [32 * c for _, c in in_rows] == pattern.rows.offsets.tolist()
    assert [32 * r for r, _ in in_columns] == pattern.columns.offsets.tolist()
    assert [in_columns.index(place) for place in in_rows] == pattern.to_column.tolist()
    for lines, ordered, axis, length in (pattern.rows, in_rows, 0, inputs), (pattern.columns, in_columns, 1, outputs):
        for place in places:
            piece = place[axis] * lines.step + place[1 - axis] * lines.blocks // length * lines.stride
            assert place in ordered[lines.starts[piece] : lines.starts[piece + 1]]
    weight = np.where(mask, 1 + np.arange(mask.size).reshape(mask.shape), 0)
    values = pattern.values(weight)
    assert values.tolist() == [weight[r, c] for r, c in in_rows]
    np.testing.assert_array_equal(pattern.dense(values), weight)
    np.testing.assert_array_equal(pattern.by_row(pattern.by_column(values)), values)
    others = mask & (np.random.default_rng(seed + 1).random(mask.shape) < 0.5)
    fewer = pattern.of(others)
    assert fewer.cut == pattern.cut
    moved = fewer.moved(pattern.by_column(values), pattern, by_column=True)
    np.testing.assert_array_equal(fewer.dense(fewer.by_row(moved)), weight * others)
    bounds = pattern.column_bounds(3)
    assert (bounds[0], bounds[-1]) == (0, inputs)


def test_lines_in_blocks_follow_each_other_unless_asked_for_otherwise():
    mask = np.ones((30, 784), bool)
    cut = [Pattern.from_mask(mask, lanes, row_blocks=4, by_block=by_block).rows[2:] for lanes, by_block in
           ((64, False), (64, True), (16, True))]  # fmt: skip
    assert cut == [(4, 4, 1), (4, 1, 30), (4, 4, 1)]


def test_a_matrix_may_have_more_positions_than_32_bits_count():
    shape, places = (70_000, 100_000), [(0, 3), (43_000, 99_999), (69_999, 0), (69_999, 3)]
    positions = np.array([r * shape[1] + c for r, c in places])
    pattern = Pattern(shape, positions, 32, row_blocks=1, column_blocks=2)
    assert pattern.rows.offsets.tolist() == [32 * c for _, c in places]
    by_column = sorted(places, key=lambda place: place[::-1])
    assert pattern.columns.offsets.tolist() == [32 * r for r, _ in by_column]
    assert [by_column[i] for i in pattern.to_column] == places
    ends = pattern.columns.starts[1:].reshape(-1, 2)
    assert ends[[0, 3, 99_999]].tolist() == [[0, 1], [2, 3], [3, 4]]


def test_values_move_to_a_pattern_of_other_places():
    before, after = Pattern((3, 4), np.array([1, 5, 11]), 16), Pattern((3, 4), np.array([0, 5, 6, 11]), 16)
    values = np.array([7, 8, 9], np.float32)
    assert after.moved(values, before, by_column=False).tolist() == [0, 8, 0, 9]
    moved = after.moved(before.by_column(values), before, by_column=True)
    assert after.by_row(moved).tolist() == [0, 8, 0, 9]
    assert after.moved(values[:0], Pattern((3, 4), np.zeros(0, int), 16), by_column=False).tolist() == [0] * 4
