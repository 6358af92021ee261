"""A kernel finds every field of its job by name, as it was filled in, and does the shares of its outputs that it is called for."""

from typing import Annotated, Any, NamedTuple

import numba
import numpy as np
import pytest

from tinyticket.kernels.cpu.job import (
    KERNELS,
    Bytes,
    Doubles,
    Floats,
    Numbers,
    Offsets,
    Prepared,
    RowOf,
    kernel,
    kernel_of,
    run,
    to_words,
)
from tinyticket.kernels.cpu.vector.simd import at
from tinyticket.kernels.cpu.vector.transpose import put


class Pair(NamedTuple):
    left: int
    right: bool


class Inner(NamedTuple):
    values: Floats
    pair: Pair
    turned: bool


class Other(NamedTuple):
    scale: float
    pair: Pair
    numbers: Numbers


class Everything(NamedTuple):
    first: int
    inner: Inner
    floats: Floats
    doubles: Doubles
    numbers: Numbers
    offsets: Offsets
    octets: Bytes
    flag: bool
    ratio: float
    other: Annotated[Any, RowOf(Other)]
    last: int
    found: Numbers  # written
    results: Doubles  # written


@kernel(Everything)
def _read_everything(job, first, last):
    found, results, inner, other = job.found, job.results, job.inner, job.other
    for place in range(first, last):
        put(found, 10 * place, job.first)
        put(found, 10 * place + 1, job.last)
        put(found, 10 * place + 2, inner.pair.left)
        put(found, 10 * place + 3, (4 if inner.pair.right else 0) + (2 if inner.turned else 0) + (1 if job.flag else 0))
        put(found, 10 * place + 4, at(job.numbers, place))
        put(found, 10 * place + 5, at(job.offsets, place))
        put(found, 10 * place + 6, at(job.octets, place))
        put(found, 10 * place + 7, other.pair.left)
        put(found, 10 * place + 8, 1 if other.pair.right else 0)
        put(found, 10 * place + 9, at(other.numbers, place))
        put(results, 5 * place, at(inner.values, place) + 0.0)
        put(results, 5 * place + 1, at(job.floats, place) + 0.0)
        put(results, 5 * place + 2, at(job.doubles, place))
        put(results, 5 * place + 3, job.ratio)
        put(results, 5 * place + 4, other.scale)


SIZE = 7
FIELDS = {
    "first": 1,
    "inner": Inner(np.arange(SIZE, dtype=np.float32) / 3, Pair(2, True), False),
    "floats": np.arange(SIZE, dtype=np.float32) / 7,
    "doubles": np.arange(SIZE) / 3,
    "numbers": -(2**40) - np.arange(SIZE),
    "offsets": (2**32 - 1 - np.arange(SIZE)).astype(np.uint32),
    "octets": (255 - np.arange(SIZE)).astype(np.uint8),
    "flag": True,
    "ratio": 1 / 3,
    "other": Other(np.float32(0.1), Pair(-3, False), np.arange(SIZE) ** 9),
    "last": 4,
}


def job_of(**changed):
    """Return a job whose fields are told apart by their values."""
    room = {"found": np.zeros(10 * SIZE, np.int64), "results": np.zeros(5 * SIZE)}
    return Everything(**(FIELDS | room | changed))


def expected(job, other):
    """Return what the kernel writes, in Python."""
    flags = 4 * job.inner.pair.right + 2 * job.inner.turned + job.flag
    found = [
        (job.first, job.last, job.inner.pair.left, flags, *map(int, each), other.pair.left, other.pair.right, n)
        for *each, n in zip(job.numbers, job.offsets, job.octets, other.numbers, strict=True)
    ]
    results = [
        (*each, job.ratio, float(other.scale)) for each in zip(job.inner.values, job.floats, job.doubles, strict=True)
    ]
    return np.array(found), np.array(results)


def check(job, other, places=slice(None)):
    for result, wanted in zip((job.found, job.results), expected(job, other), strict=True):
        np.testing.assert_array_equal(result.reshape(SIZE, -1)[places], wanted[places])


@pytest.mark.parametrize(
    "flags", [(False, False, False), (True, False, False), (False, True, False), (False, False, True)]
)
@pytest.mark.parametrize("number", [-(2**63), -1, 0, 2**63 - 1])
def test_every_kind_of_field_arrives(flags, number):
    values = FIELDS["inner"].values
    job = job_of(first=number, last=-1 - number, inner=Inner(values, Pair(number, flags[0]), flags[1]), flag=flags[2])
    run(job, np.array([0, SIZE]))
    check(job, job.other)


@pytest.mark.parametrize("ratio", [0.0, -0.0, 1e-300, -np.inf, np.nan, np.float32(0.1), 3.0])
def test_floats_arrive_bit_for_bit(ratio):
    job = job_of(ratio=ratio)
    run(job, np.array([0, 1]))
    assert np.float64(ratio).tobytes() == job.results[3].tobytes()


def test_a_job_inside_a_job_may_be_a_row_that_changes():
    kept = []
    row = to_words(FIELDS["other"], kept)
    job = job_of(other=row)
    call = Prepared(job, np.array([0, SIZE]), None)
    call()
    check(job, FIELDS["other"])
    changed = Other(-7.5, Pair(9, True), np.arange(SIZE))
    row[:] = to_words(changed, kept)
    call()
    check(job, changed)


def test_arrays_are_shared_not_copied():
    job = job_of(numbers=np.arange(SIZE), floats=np.zeros(SIZE, np.float32))
    call = Prepared(job, np.array([0, SIZE]), None)
    job.numbers[1], job.floats[1] = 77, 0.5
    call()
    check(job, job.other)


def test_read_only_arrays_are_read():
    numbers = np.arange(SIZE)
    numbers.flags.writeable = False
    job = job_of(numbers=numbers)
    run(job, np.array([0, SIZE]))
    check(job, job.other)


@pytest.mark.parametrize("bounds", [[0, SIZE], [0, 3, SIZE], [0, 0, 2, 2, SIZE, SIZE], [*range(SIZE + 1)]])
def test_every_share_is_done_once_wherever_outputs_are_cut(bounds):
    job = job_of()
    run(job, np.array(bounds))
    check(job, job.other)


def test_nothing_is_done_outside_the_shares():
    job = job_of()
    run(job, np.array([2, 4, 5]))
    check(job, job.other, slice(2, 5))
    job.found.reshape(SIZE, -1)[2:5] = 0
    assert not job.found.any()


def test_a_record_with_another_number_of_fields_is_refused():
    with pytest.raises(TypeError):
        Everything(*job_of()[:-1])
    with pytest.raises(TypeError, match="was expected"):
        run(job_of(inner=(FIELDS["inner"].values, Pair(2, True))), np.array([0, SIZE]))


def test_a_field_that_the_job_lacks_does_not_compile():
    class Little(NamedTuple):
        here: int

    @kernel(Little)
    def _read_what_is_not_there(job, first, last):
        job.there  # noqa: B018

    with pytest.raises(numba.TypingError, match="there"):
        run(Little(1), np.array([0, 1]))


def test_kernels_are_found_by_name_and_by_job():
    found = KERNELS["read_everything"]
    assert kernel_of(job_of()) is found
    assert (found.name, found.job) == ("read_everything", Everything)
    assert repr(found) == "<kernel read_everything>"
    with pytest.raises(AssertionError, match="two kernels are called read_everything"):

        @kernel(Pair)
        def _read_everything(job, first, last):
            pass

    with pytest.raises(AssertionError, match="Everything is the job of two kernels"):

        @kernel(Everything)
        def _read_everything_again(job, first, last):
            pass
