"""Where blocks lie: together while only one is needed, apart where both are."""

from tinyticket.compiler.network.arena import place_blocks
from tinyticket.compiler.network.program import Block, Row
from tinyticket.compiler.places import Places


def row(reads, writes, over=()):
    return Row("copy", [*reads, *writes], lambda threads: None, reads, writes, list(over))


def placed(*rows):
    places = Places(4)
    place_blocks(places, list(rows))
    return places.size


def blocks(count, kind=("image",)):
    return [Block(16, kind=kind) for _ in range(count)]


def test_a_block_takes_the_place_of_one_that_is_done_with():
    a, b, c = blocks(3)
    assert placed(row([], [a]), row([a], [b]), row([b], [c])) == 32
    assert a.place == c.place != b.place


def test_a_block_is_written_over_what_its_row_reads_last():
    a, b = blocks(2)
    assert placed(row([], [a]), row([a], [b], [(a, b)]), row([b], [])) == 16
    assert a.place == b.place


def test_what_is_read_later_or_lies_otherwise_is_not_written_over():
    a, b = blocks(2)
    placed(row([], [a]), row([a], [b], [(a, b)]), row([a], []))
    assert a.place != b.place
    (a,), (b,) = blocks(1), blocks(1, kind=("wider",))
    placed(row([], [a]), row([a], [b], [(a, b)]))
    assert a.place != b.place
    (a,), (b,) = blocks(1, kind=None), blocks(1, kind=None)
    placed(row([], [a]), row([a], [b], [(a, b)]))
    assert a.place != b.place


def test_a_block_is_written_over_one_other_alone():
    a, b, c, d = blocks(4)
    assert placed(row([], [a, b]), row([a, b], [c], [(a, c), (b, c)]), row([c], [d])) == 32
    assert c.place == a.place
    assert d.place == b.place


def test_only_one_block_is_written_over_another_and_its_place_is_free_after_it():
    a, b, c, d = blocks(4)
    over = [(a, b), (a, c)]
    placed(row([], [a]), row([a], [b, c], over), row([b, c], []), row([], [d]))
    assert a.place == b.place != c.place
    assert d.place in (b.place, c.place)
