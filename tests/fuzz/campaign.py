"""A campaign of hostile calls: `python -m tests.fuzz.campaign CALLS SEED` prints each before it is made, and counts at the end.

The arguments of a call are right, then some are made something else. It may be refused by an InputError, and then has written
nothing, or give right results, by `specification`, and write into nothing else. All memory lies between guards of NaNs: they show
in results where something is read beyond an array, and are looked at after each call, in case something was written there.
"""

import collections
import copy
import faulthandler
import inspect
import sys
from types import SimpleNamespace

import numpy as np

from tinyticket.kernels.cpu import packing

GUARD = 1024
_guarded = []


def guarded(*shape, dtype=np.float32):
    """Allocate an array between guards, on a cache line."""
    size = int(np.prod(shape, dtype=object)) * np.dtype(dtype).itemsize
    raw = _empty(GUARD + size + GUARD, dtype=np.uint8)
    raw[:GUARD] = raw[GUARD + size :] = 255
    _guarded.append((raw, size))
    return np.ndarray(shape, dtype, raw, GUARD)


_empty, packing.empty = packing.empty, guarded  # before the kernels import it

from tests.fuzz.draws import Draw, images, rows  # noqa: E402
from tests.fuzz.specification import KERNELS  # noqa: E402
from tinyticket import kernels  # noqa: E402
from tinyticket.errors import InputError  # noqa: E402
from tinyticket.kernels.cpu.checked import arguments_of  # noqa: E402
from tinyticket.kernels.cpu.job import Prepared  # noqa: E402


def _overrun():
    return any((raw[:GUARD] != 255).any() or (raw[GUARD + size :] != 255).any() for raw, size in _guarded)


def _between_guards(value):
    if isinstance(value, tuple) and not hasattr(value, "_fields"):
        return tuple(map(_between_guards, value))
    if isinstance(value, kernels.Images):
        return kernels.Images(_between_guards(value.array), value.border)
    if not isinstance(value, np.ndarray):
        return value
    held = guarded(*value.shape, dtype=value.dtype)
    held[...] = value
    return held


class Strange(np.ndarray):
    """An array of a class of somebody's own."""


def _unaligned(array):
    raw = np.empty(array.nbytes + 1, np.uint8)
    moved = np.ndarray(array.shape, array.dtype, raw, 1)
    moved[...] = array
    return moved


def _strided(array):
    wide = np.zeros((*array.shape[:-1], 2 * array.shape[-1]), array.dtype)
    wide[..., ::2] = array
    return wide[..., ::2]


def _read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


ARRAYS = [
    np.asfortranarray,
    _strided,
    _unaligned,
    _read_only,
    lambda a: a[::-1].copy()[::-1],
    lambda a: a.view(Strange),
    lambda a: a.tolist(),
    *(lambda a, kind=kind: a.astype(kind) for kind in (">f4", "f8", "f2", "i8", "u1", "i4", ">i8", bool, "u8")),
    *(lambda a, kind=kind: a.astype(kind) for kind in (complex, object, str, "M8[s]")),
    lambda a: a[:-1],
    lambda a: a[..., :-1],
    lambda a: a[:, ::-1] if a.ndim > 1 else a[::-1],
    lambda a: np.concatenate([a, a[:1]]),
    lambda a: np.ascontiguousarray(a.T),
    lambda a: a.reshape(-1),
    lambda a: a[None],
    lambda a: a[..., :8],
    lambda a: np.repeat(a, 2, axis=-1),
    lambda a: a[:0],
    lambda a: a[..., :0],
    lambda a: a.reshape(-1)[:1].reshape(()),
    lambda a: a + a.dtype.type(1) if a.dtype.kind in "iuf" else ~a,
    lambda a: -a if a.dtype.kind in "if" else a,
    lambda a: a * 1e12,
    lambda a: a.astype("i8") * 2**40,
]
ANYTHING = [
    None,
    "x",
    b"x",
    3,
    -1,
    1.5,
    1j,
    [],
    (),
    {},
    [[1], [1, 2]],
    object(),
    np.float32(2),
    np.zeros((2, 2)),
    type,
    True,
]
WHOLE = [-1, 0, 1, 2, 3, 8, 16, 17, 24, 48, 10**6, 2**31, 2**63, -(2**63), 10**30, 1.0, 2.5, np.int8(2), np.uint64(3)]
WHOLE += [np.array(2), np.nan, True, (1, 2), (2, 2, 2), (1.0, 2.0), [2, 1], (0, 1), (-1, 1), (10**6, 1), "2"]
REAL = [0, 1, -1.0, np.nan, np.inf, 1e300, np.float32(0.5), np.float64(0.3), 10**400, True, "1", 1j, np.array(0.5)]
FLAGS = [True, False, np.True_, 0, 1, 2, "yes", np.array(True)]


def _of_pattern(pattern, draw):
    other = Draw(draw.rng)
    twin = SimpleNamespace(**{name: getattr(pattern, name) for name in dir(pattern) if not name.startswith("__")})
    return draw.pick(other.pattern, other.convolution()[3], copy.deepcopy(pattern), twin, type(pattern))


def _of_images(given, draw):
    array, border = given.array, given.border
    return draw.pick(
        lambda: array,
        lambda: draw.images(),
        lambda: draw.images(given.geometry.channels, given.geometry[1:3]),
        lambda: kernels.Images(array[:, :, :-1], 0),
        lambda: kernels.Images(array, border),  # the same memory
        lambda: kernels.Images(np.concatenate([array, array]), border),
        lambda: kernels.Images(_read_only(array), border),
        lambda: kernels.Images(array[:, :, ::-1], border),
    )()


def _worse(value, given, draw):
    """Return something else for an argument of a call."""
    others = [other for other in given.values() if type(other) is type(value)]
    if draw.rng.random() < 0.1:
        return draw.pick(*ANYTHING)
    if draw.rng.random() < 0.15:  # another argument, or memory of one
        other = others[draw.rng.integers(len(others))]
        return other[:] if isinstance(other, np.ndarray) and other.ndim else other
    if isinstance(value, np.ndarray):
        with np.errstate(all="ignore"):
            return ARRAYS[draw.rng.integers(len(ARRAYS))](value)
    if isinstance(value, kernels.Images):
        return _of_images(value, draw)
    if isinstance(value, kernels.Pattern | kernels.ConvPattern):
        return _of_pattern(value, draw)
    if hasattr(value, "_replace"):
        return value._replace(**{draw.pick(*value._fields): draw.pick(*WHOLE)})
    if isinstance(value, tuple) and value and isinstance(value[0], np.ndarray):
        return draw.pick(value[:-1], value * 2, [*value], (_worse(value[0], given, draw), *value[1:]))
    if isinstance(value, bool):
        return draw.pick(*FLAGS)
    if isinstance(value, str):
        return draw.pick("sgd", "momentum", "nesterov", "adam", "adan", "", None)
    return draw.pick(*(REAL if isinstance(value, float) else WHOLE))


def _read(result):
    """Return results as a list of plain numbers."""
    if isinstance(result, Prepared):
        first = _read(result())
        return _read(result()) if first else first
    if isinstance(result, tuple):
        return [part for each in result for part in _read(each)]
    if isinstance(result, kernels.Images):
        return [images(result)]
    if isinstance(result, kernels.Pattern | kernels.ConvPattern):
        return [result.mask()]
    if isinstance(result, np.ndarray):
        return [rows(result)] if result.ndim == 3 else [np.asarray(result)]
    return [] if result is None else [np.asarray(result)]


def _bytes(value):
    """Return what an argument holds, as bytes, to see whether it has been written into."""
    if isinstance(value, tuple):
        return [_bytes(part) for part in value]
    array = getattr(value, "array", value)
    return array.tobytes() if isinstance(array, np.ndarray) and array.dtype != object else None


def _arrays(value):
    return [array for part in value for array in _arrays(part)] if isinstance(value, tuple | list) else [value]


def judge(name, given, written, expect):
    """Make a call and return "refused" or "right"; "unspecified" where nothing says what is right. Anything else is an error."""
    function = kernels
    for part in name.split("."):
        function = getattr(function, part)
    before = {key: _bytes(value) for key, value in given.items()}
    copies = copy.deepcopy({key: value for key, value in given.items() if not isinstance(value, SimpleNamespace)})
    try:
        result = function(**given)
    except InputError:
        assert {key: _bytes(value) for key, value in given.items()} == before, "a refused call has written"
        assert not _overrun(), "a refused call has written beyond an array"
        return "refused"
    found = _read(result)
    assert not _overrun(), "something was written beyond an array"
    defaults = {key: argument.default for key, argument in inspect.signature(function).parameters.items()}
    more = {"add_to": None, "x_is_relu_output": False, "border": 0}
    expected = expect(SimpleNamespace(**(more | defaults | copies)))
    if expected is None:
        return "unspecified"
    changed = {key for key in given if _bytes(given[key]) != before[key]}
    assert changed <= written, f"{changed - written} were written into"
    found += [array for key in WRITTEN_ALONE.get(name, ()) for array in _arrays(given.get(key)) if array is not None]
    expected = expected[: len(found)]
    for one, other in zip(found, expected, strict=True):
        other = np.where(np.isnan(other := np.asarray(other, float)), np.asarray(one, float), other)
        np.testing.assert_allclose(
            one, other, rtol=2e-3, atol=2e-3 * np.abs(other).max(initial=1, where=np.isfinite(other))
        )
    return "right"


WRITTEN_ALONE = {
    "batch_norm": ("running_mean", "running_variance"),
    "linear_update": ("weight", "slots"),
    "optimizer_step": ("weights", "slots"),
    "l1_gradient": ("gradient",),
    "scalars_of": ("out",),
}
"""What a function writes into besides its results, in this order."""


def case(number, seed):
    """Return a call: name, arguments, those that may be written into, and its specification."""
    rng = np.random.default_rng((seed, number))
    name = sorted(KERNELS)[number % len(KERNELS)]
    make, expect = KERNELS[name]
    draw = Draw(rng)
    given = {key: _between_guards(value) for key, value in make(draw).items()}
    function = getattr(kernels, name.split(".")[0]) if "." not in name else None
    written = set()
    if function is not None and not isinstance(function, type):
        arguments = arguments_of(function.__wrapped__)
        written = {key for key, argument in arguments.items() if argument.written}
        if rng.random() < 0.3 and "threads" in arguments:
            given["threads"] = draw.pick(1, 2, None, *WHOLE)
    for _ in range(draw.pick(0, 1, 1, 1, 2, 3)):
        key = draw.pick(*given)
        try:
            given[key] = _worse(given[key], given, draw)
        except (ValueError, TypeError, OverflowError, IndexError):  # there is no such array
            continue
    return name, given, written, expect


def _shown(value):
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{value.shape}"
    return f"Images{value.geometry}x{value.tiles}" if isinstance(value, kernels.Images) else f"{value!r:.80}"


def main(calls, seed, first=0):
    """Make so many calls and print what came of them."""
    counts = collections.Counter()
    for number in range(first, first + calls):
        _guarded.clear()
        name, given, written, expect = case(number, seed)
        shown = f"{number} {name} { ({key: _shown(value) for key, value in given.items()}) }"
        print(shown, flush=True)
        try:
            with np.errstate(all="ignore"):
                counts[judge(name, given, written, expect)] += 1
        except Exception as error:
            counts["wrong"] += 1
            print("WRONG", shown, f"{type(error).__name__} {error}".replace("\n", " ")[:500], flush=True)
    print("counts", *(f"{outcome}={count}" for outcome, count in counts.items()), flush=True)


if __name__ == "__main__":
    faulthandler.enable()
    main(*map(int, sys.argv[1:]))
