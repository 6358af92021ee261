"""Jobs: the one calling convention of all kernels, and how a job is run.

A CPU kernel is `kernel(job, first, last)`. Its job is a named record, declared once as a NamedTuple beside the kernel: addresses of
arrays, whole numbers, flags, and records inside it such as a `Window`. `first, last` is the share of the kernel's outputs that a
call may write; results have the same bits however the outputs are cut, because every output is computed by one call alone.

    @kernel(MaxPool)                    # the job: a NamedTuple with the fields x: Floats, y: Floats and window: Window
    def _max_pool(job, first, last):    # compiled; reads job.x, job.y, job.window by name
        ...

    run(MaxPool(x, y, window), even_shares(planes, threads))

In memory a job is a row of int64 (`to_words`): a word for each number and address, those of records inside it in their place. What
`run` hands to the kernel is what a compiled step keeps in its table, so one parallel region is compiled for all array functions.
"""

from __future__ import annotations

import functools
import itertools
import struct
from collections.abc import Callable
from types import FunctionType
from typing import Annotated, Any, NamedTuple, get_args, get_type_hints

import numba
import numpy as np
from llvmlite import ir
from numba import prange
from numba.core.typing.templates import AttributeTemplate, infer_getattr
from numba.extending import lower_getattr_generic, models, register_model

from tinyticket.kernels.cpu.packing import address_of
from tinyticket.kernels.cpu.threads import is_forked, limited, usable_cores
from tinyticket.kernels.cpu.vector.jit import compile_by_address, compile_entry
from tinyticket.kernels.cpu.vector.simd import I64, floats, intrinsic, pointer

_config: Any = numba.config  # whose annotations know no settings
types: Any = numba.types  # whose annotations do not know that types of tuples can be iterated

numbers = types.CPointer(types.int64)

Floats = Annotated[Any, floats]
Numbers = Annotated[Any, numbers]
Offsets = Annotated[Any, types.CPointer(types.uint32)]
Halves = Annotated[Any, types.CPointer(types.uint16)]
Bytes = Annotated[Any, types.CPointer(types.uint8)]
Doubles = Annotated[Any, types.CPointer(types.float64)]
"""Fields that hold the address of float32, int64, uint32, uint16, uint8 and float64."""


class RowOf(NamedTuple):
    """Marks a field that holds the address of another job's row: `Annotated[Any, RowOf(Feed)]`."""

    job: type


class JobType(types.Type):
    """Numba's type of a job: the address of its row."""

    def __init__(self, job: type):
        self.job = job
        super().__init__(name=f"Job({job.__module__}.{job.__qualname__})")


@register_model(JobType)
class _JobModel(models.PrimitiveModel):
    def __init__(self, manager, fe_type):
        super().__init__(manager, fe_type, I64.as_pointer())


@functools.cache
def kinds(job: type) -> dict[str, Any]:
    """Return the Numba type of every field of a job, or of a record inside one."""
    found = {}
    for name, hint in get_type_hints(job, include_extras=True).items():
        if marks := get_args(hint)[1:]:
            found[name] = JobType(marks[0].job) if isinstance(marks[0], RowOf) else marks[0]
        elif hint in (int, bool, float):
            found[name] = {int: types.int64, bool: types.boolean, float: types.float64}[hint]
        else:
            found[name] = types.NamedTuple(tuple(kinds(hint).values()), hint)
    return found


def _width(kind: Any) -> int:
    """Count the words of a field."""
    return sum(map(_width, kind)) if isinstance(kind, types.BaseTuple) else 1


@functools.cache
def places(job: type) -> dict[str, int]:
    """Return where the first word of every field of a job stands in its row."""
    ends = itertools.accumulate(map(_width, kinds(job).values()), initial=0)
    return dict(zip(kinds(job), ends, strict=False))


# -- in Python


@functools.cache
def _fields(job: type) -> tuple[Any, ...]:
    """Return for every field of a job how its words are made: `float`, the class of a record inside it, `RowOf`, or None."""
    made = {types.Float: float, JobType: RowOf}
    return tuple(getattr(kind, "instance_class", made.get(type(kind))) for kind in kinds(job).values())


def _add_words(job: Any, words: list[int], kept: list[np.ndarray]) -> None:
    for value, kind in zip(job, _fields(job.__class__), strict=True):
        if kind is float:
            words.append(struct.unpack("q", struct.pack("d", value))[0])
        elif kind is None or type(value) is int:
            words.append(address_of(value) if isinstance(value, np.ndarray) else int(value))
        elif kind is RowOf:  # an array that is a row, or a job of which a row is made
            if not isinstance(value, np.ndarray):
                value = to_words(value, kept)
                kept.append(value)
            words.append(address_of(value))
        elif type(value) is not kind:
            raise TypeError(f"a {kind.__name__} was expected in a {type(job).__name__}, not {value!r}")
        else:
            _add_words(value, words, kept)


def to_words(job: Any, kept: list[np.ndarray]) -> np.ndarray:
    """Return the row of a job, int64, to be kept with the job, for its arrays, and with the rows of jobs inside it, in `kept`."""
    words: list[int] = []
    _add_words(job, words, kept)
    return np.array(words, np.int64)


# -- in compiled code


def _read(context, builder, kind, row, place):
    """Emit the loads of a field whose first word is row[place]; return its value and the place behind it."""
    if isinstance(kind, types.BaseTuple):
        parts = []
        for each in kind:
            value, place = _read(context, builder, each, row, place)
            parts.append(value)
        return context.make_tuple(builder, kind, parts), place
    # Nobody writes a row while a kernel reads it, so that LLVM may take loads out of loops that store elsewhere.
    word = builder.load(builder.gep(row, [I64(place)]))
    word.set_metadata("invariant.load", builder.module.add_metadata([]))
    if isinstance(kind, types.CPointer | JobType):
        word = builder.inttoptr(word, context.get_value_type(kind))
    elif isinstance(kind, types.Boolean):
        word = builder.icmp_signed("!=", word, ir.Constant(I64, 0))
    elif isinstance(kind, types.Float):
        word = builder.bitcast(word, ir.DoubleType())
    return word, place + 1


@infer_getattr
class _JobAttributes(AttributeTemplate):
    key = JobType

    def generic_resolve(self, job, name):  # type: ignore[override]  # a method, where Numba annotates a constant
        return kinds(job.job).get(name)


@lower_getattr_generic(JobType)
def _job_attribute(context, builder, typ, value, name):
    return _read(context, builder, kinds(typ.job)[name], value, places(typ.job)[name])[0]


@intrinsic
def call(typing, address, row, first, last):
    """Call the kernel at an address with the job whose row is given and the share from `first` to `last`."""

    def codegen(context, builder, sig, args):
        result = ir.IntType(8).as_pointer()  # what Numba gives a function that returns nothing
        function = ir.FunctionType(result, [I64.as_pointer(), I64, I64])
        builder.call(builder.inttoptr(args[0], function.as_pointer()), args[1:])
        return context.get_dummy_value()

    return types.void(types.int64, numbers, types.int64, types.int64), codegen


def reader(job: type) -> Any:
    """Return what gives compiled code the job whose row begins at an address."""

    @intrinsic
    def read(typing, row):
        return JobType(job)(numbers), lambda context, builder, sig, args: args[0]

    return read


# -- kernels


class Kernel:
    """A compiled function of a job and a share; made by `kernel`.

    Its name is the operation's in `reference`, `cpu` and `cuda`, where steps are lowered and in `explain`.
    """

    def __init__(self, function: Callable, job: type):
        self.name, self.job = function.__name__.lstrip("_"), job
        self.function = function

    def __repr__(self) -> str:
        return f"<kernel {self.name}>"

    @functools.cached_property
    def address(self) -> int:
        """Where the machine code is: compiled, or loaded from the cache, when it is first asked for."""
        return compile_by_address(self.function, types.void(JobType(self.job), types.int64, types.int64))


KERNELS: dict[str, Kernel] = {}
_BY_JOB: dict[type, Kernel] = {}


def kernel(job: type) -> Callable[[Callable], Kernel]:
    """Declare a kernel of such jobs; it is compiled when it is first run."""

    def declare(function: Callable) -> Kernel:
        made = Kernel(function, job)
        assert made.name not in KERNELS, f"two kernels are called {made.name}"
        assert job not in _BY_JOB, f"{job.__name__} is the job of two kernels"
        KERNELS[made.name] = _BY_JOB[job] = made
        return made

    return declare


def specialised(function: Callable, name: str, **values: Any) -> Any:
    """Return a copy of a function under another name, with values in the place of globals that only stand for them.

    Kernels that differ by a constant or by a compiled helper are written once so. Numba leaves out branches that such a constant
    rules out, and caches the machine code, as it does not for a function that closes over a compiled one.
    """
    made = FunctionType(function.__code__, {**function.__globals__, **values}, name)
    made.__qualname__ = name
    return made


def kernel_of(job: Any) -> Kernel:
    """Return the kernel that does a job."""
    return _BY_JOB[type(job)]


@compile_entry
def _run(words, serial):
    """Do a job in shares, in parallel unless `serial`; the words are kernel, number of shares, their bounds, and the job's row."""
    shares = words[1]
    if serial or shares == 1:
        for share in range(shares):
            call(words[0], pointer(words, shares + 3), words[2 + share], words[3 + share])
    else:
        for share in prange(shares):
            call(words[0], pointer(words, words[1] + 3), words[2 + share], words[3 + share])


class Prepared:
    """A kernel's call that is ready to be run again and again: its arrays were checked once, and stay.

    What is written into the arrays between two runs is seen by the next; `results` are the same arrays every time.
    """

    def __init__(self, job: Any, bounds: np.ndarray, results: Any):
        self.results = results
        self._job = job  # keeps the arrays, of which the row has the addresses
        self._kept: list[np.ndarray] = []
        self._shares = bounds.size - 1
        self._crowded = self._shares > 1 and usable_cores() < _config.NUMBA_NUM_THREADS
        head = [kernel_of(job).address, self._shares]
        self._words = np.concatenate([np.array(head, np.int64), bounds, to_words(job, self._kept)])

    def __reduce__(self):
        raise TypeError("a prepared call holds the addresses of its arrays: prepare another one for copies of them")

    def __call__(self) -> Any:
        """Run the kernel once more and return its results."""
        if self._crowded:
            with limited(self._shares):
                _run(self._words, is_forked())
        else:
            _run(self._words, is_forked())
        return self.results


def run(job: Any, bounds: np.ndarray) -> None:
    """Do a job, whose arrays are contiguous and checked, in parallel shares; `bounds` say where they begin and the last ends."""
    Prepared(job, bounds, None)()
