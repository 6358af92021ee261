"""When operations come, where threads meet, and where blocks lie."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.compiler.cpu.plain_walk import backward, walking
from tests.compiler.cpu.steps import cpu_step, rewind, streams, values
from tests.compiler.networks import OPTIMIZERS, architectures, examples
from tinyticket.compiler.cpu import program
from tinyticket.compiler.op import Block, Op, even
from tinyticket.compiler.schedule import Interval, Places, meetings, order, place

LINE = 16  # numbers: one line stays free in front of everything


def op(reads, writes, over=(), own=(), shares=None):
    return Op((), shares or even(8), list(reads), list(writes), list(own), list(over))


def blocks(count, kind=("image",), **given):
    return [Block(16, kind=kind, **given) for _ in range(count)]


# -- places


def room(*ops):
    """Return how many numbers a program takes."""
    places = Places()
    place(places, list(ops))
    return places.sizes[np.float32, False] - LINE


def test_a_block_takes_the_place_of_one_that_is_done_with():
    a, b, c = blocks(3)
    assert room(op([], [a]), op([a], [b]), op([b], [c])) == 32
    assert a.place == c.place != b.place


def test_a_block_is_written_over_what_its_operation_reads_last():
    a, b = blocks(2)
    assert room(op([], [a]), op([a], [b], [(a, b)]), op([b], [])) == 16
    assert a.place == b.place


def test_what_is_read_later_or_lies_otherwise_is_not_written_over():
    a, b = blocks(2)
    room(op([], [a]), op([a], [b], [(a, b)]), op([a], []))
    assert a.place != b.place
    (a,), (b,) = blocks(1), blocks(1, kind=("wider",))
    room(op([], [a]), op([a], [b], [(a, b)]))
    assert a.place != b.place
    (a,), (b,) = blocks(1, kind=None), blocks(1, kind=None)
    room(op([], [a]), op([a], [b], [(a, b)]))
    assert a.place != b.place


def test_a_block_is_written_over_one_other_alone():
    a, b, c, d = blocks(4)
    assert room(op([], [a, b]), op([a, b], [c], [(a, c), (b, c)]), op([c], [d])) == 32
    assert c.place == a.place
    assert d.place == b.place


def test_only_one_block_is_written_over_another_and_its_place_is_free_after_it():
    a, b, c, d = blocks(4)
    over = [(a, b), (a, c)]
    room(op([], [a]), op([a], [b, c], over), op([b, c], []), op([], [d]))
    assert a.place == b.place != c.place
    assert d.place in (b.place, c.place)


def test_blocks_of_other_numbers_and_those_of_a_thread_lie_in_arenas_of_their_own():
    (a,), (b,), (c,) = blocks(1), blocks(1, dtype=np.uint8), blocks(1, private=True)
    places = Places()
    place(places, [op([], [a, b, c])])
    assert {arena: size > 0 for arena, size in places.sizes.items()} == {
        (np.float32, False): True,
        (np.uint8, False): True,
        (np.float32, True): True,
    }


def test_a_block_that_has_a_place_keeps_it():
    a, b = blocks(2)
    places = Places()
    place(places, [op([], [a]), op([a], [b])])
    before = a.place, b.place
    place(places, [op([b], [a]), op([a], [])])
    assert (a.place, b.place) == before


# -- meetings


def meet(*ops):
    """Return before which operations threads meet, after giving blocks their places."""
    place(Places(), list(ops))
    return meetings(list(ops))


def test_threads_meet_between_a_write_and_what_reads_it_and_before_it_is_written_again():
    a, b = blocks(2, kind=None)
    assert meet(op([], [a]), op([a], [b]), op([b], [])) == [False, True, True]
    assert meet(op([], [a]), op([a], []), op([a], [])) == [True, True, False]


def test_threads_do_not_meet_between_operations_that_have_nothing_to_do_with_each_other():
    a, b = blocks(2, kind=None)
    assert meet(op([], [a]), op([], [b]), op([a], []), op([b], [])) == [True, False, True, False]


def test_threads_do_not_meet_where_each_goes_on_with_its_own_part_cut_in_the_same_way():
    (a,) = blocks(1, kind=None)
    first, second = op([], [a], own=[a]), op([a], [a], own=[a])
    assert meet(first, second) == [False, False]
    assert meet(op([], [a], own=[a]), op([a], [a], own=[a], shares=even(8, 4))) == [True, True]
    assert meet(op([], [a], own=[a]), op([a], [a])) == [True, True]


def test_threads_do_not_meet_for_what_each_has_for_itself():
    (a,) = blocks(1, kind=None, private=True)
    assert meet(op([], [a]), op([a], [a]), op([a], [])) == [False, False, False]


def test_threads_meet_before_one_writes_its_part_of_what_every_thread_has_read_for_itself():
    (weight,), (logits,) = blocks(1, kind=None), blocks(1, kind=None, private=True)
    assert meet(op([weight], [logits], own=[weight]), op([weight], [weight], own=[weight])) == [True, True]


def test_threads_meet_before_a_block_is_written_in_the_place_of_another():
    a, b = blocks(2)
    assert meet(op([], [a]), op([a], []), op([], [b]), op([b], [])) == [True, True, True, True]
    assert a.place == b.place


# -- order


def behind_all(ops, chains):
    """Return all operations as if none might come early."""
    return [*ops, *itertools.chain(*chains)]


def conflict(one, other):
    """Return whether two operations must stay in their order."""
    touched = {*other.reads, *other.writes}
    return bool({*one.writes} & touched or {*one.reads} & {*other.writes})


@settings(max_examples=60, deadline=None)
@given(
    main=st.lists(st.tuples(st.sets(st.integers(0, 5)), st.sets(st.integers(0, 5), max_size=2)), max_size=8),
    chains=st.lists(
        st.lists(st.tuples(st.sets(st.integers(0, 5), min_size=1, max_size=3), st.booleans()), min_size=1, max_size=3),
        max_size=3,
    ),
)
def test_chains_come_early_in_an_order_that_no_operation_can_tell_from_the_given_one(main, chains):
    shared, own = blocks(6, kind=None), [blocks(1, kind=None)[0] for _ in chains]
    ops = [op([shared[i] for i in reads], [shared[i] for i in writes]) for reads, writes in main]
    # Chains have nothing to do with each other: each writes a block of its own, which the others do not touch.
    made = [
        [op([shared[i] for i in reads], [block] if writes else []) for reads, writes in chain]
        for chain, block in zip(chains, own, strict=True)
    ]
    given_order = behind_all(ops, made)
    found = order(ops, made)
    assert sorted(map(id, found)) == sorted(map(id, given_order))
    now = {each: place for place, each in enumerate(found)}
    for line in (ops, *made):
        assert [now[each] for each in line] == sorted(now[each] for each in line)
    for one, other in itertools.combinations(given_order, 2):
        if conflict(one, other):
            assert now[one] < now[other]


def test_a_chain_comes_as_soon_as_nothing_that_follows_touches_it():
    a, b, c, weight = blocks(4, kind=None)
    forward, loss, back = op([weight], [a]), op([a], [b]), op([weight, b], [c])
    update = op([c], [weight], own=[weight])
    last = op([c], [])
    assert order([forward, loss, back, last], [[update]]) == [forward, loss, back, last, update]
    independent = op([b], [])
    assert order([forward, loss, op([b], []), back], [[independent]]).index(independent) < 4


def intervals(ops):
    """Count the meetings of a program that is done once."""
    interval, count = Interval(placed=False), 0
    for each in ops:
        if not interval.admits(each):
            interval.clear()
            count += 1
        interval.add(each)
    return count


@settings(max_examples=15, deadline=None)
@given(
    architecture=architectures(ends=("layers", "global")),
    kernels=st.sampled_from(["dense", "sparse", "mixed"]),
    make=st.sampled_from(sorted(OPTIMIZERS)),
    seed=st.integers(0, 99),
)
def test_chains_that_come_early_change_no_bit_of_a_step(architecture, kernels, make, seed):
    model, shape = architecture
    generators, data = streams(model), examples(shape, seed=seed)
    results = []
    for ordered, threads in ((order, 1), (behind_all, 1), (order, 3), (behind_all, 3)):
        rewind(generators)
        with walking(backward, threads), pytest.MonkeyPatch.context() as patch:
            patch.setattr(program, "order", ordered)
            step = cpu_step(model, shape, make, kernels)
            losses = step.run(step.bind(*data), np.arange(48).reshape(3, 16), [0.1, 0.05, 0.2])
        results.append([losses.tolist(), *values(step, model)])
    assert results[0] == results[1] == results[2] == results[3]


@settings(max_examples=10, deadline=None)
@given(architectures())
def test_chains_make_no_thread_wait_more_often(architecture):
    model, shape = architecture
    counts = []

    def counted(ops, chains):
        counts.append((intervals(order(ops, chains)), intervals(behind_all(ops, chains))))
        return order(ops, chains)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(program, "order", counted)
        cpu_step(model, shape, kernels="mixed")
    assert counts
    for early, late in counts:
        assert early <= late
