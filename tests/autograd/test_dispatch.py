"""NumPy's functions on tensors: a right gradient, or a result that has none by nature, or an InputError."""

import types

import numpy as np
import pytest

import tinyticket as tt
from tinyticket.autograd.dispatch import OPERATIONS, PLAIN

POINT = np.array([[1.3, 0.4], [0.7, 2.2]])
POINT.flags.writeable = False

NAMESPACES = {"np": np, "np.linalg": np.linalg, "np.fft": np.fft, "np.emath": np.emath}
FUNCTIONS = {
    f"{home}.{name}": getattr(module, name)
    for home, module in NAMESPACES.items()
    for name in sorted(module.__all__)
    if callable(getattr(module, name)) and not isinstance(getattr(module, name), type)
}

WAYS = [
    lambda f, t: f(t),
    lambda f, t: f(t, t),
    lambda f, t: f(t, t, t),
    lambda f, t: f(t, 1),
    lambda f, t: f(t, 1, 0),
    lambda f, t: f(t, (4,)),
    lambda f, t: f(np.ones_like(t), t),
    lambda f, t: f(np.ones_like(t)[0], t),
    lambda f, t: f(t > 1, t),
]
"""Ways to call a function of arrays, of which at least one makes sense for each; in the others, arguments do not fit."""

WAYS_OF = {
    "where": [lambda f, t: f(t > 1, t, 2), lambda f, t: f(t > 1, np.ones_like(t), t), lambda f, t: f(t > 1, t, 2 * t)],
    "einsum": [lambda f, t: f("ij,jk", t, t), lambda f, t: f("ij,ij->", np.ones_like(t), t)],
    "select": [lambda f, t: f([t > 1], [t])],
    "piecewise": [lambda f, t: f(t, [t > 1], [np.sum, 0])],
    "apply_along_axis": [lambda f, t: f(np.sum, 0, t)],
    "apply_over_axes": [lambda f, t: f(np.sum, t, 0)],
    "put": [lambda f, t: f(np.ones_like(t), 0, t)],
    "place": [lambda f, t: f(np.ones_like(t), t > 1, t)],
    "putmask": [lambda f, t: f(np.ones_like(t), t > 1, t)],
    "put_along_axis": [lambda f, t: f(np.ones_like(t), np.zeros((1, 2), int), t, 0)],
    "insert": [lambda f, t: f(np.ones_like(t), 0, t, 0), lambda f, t: f(t, 0, 1)],
    "full_like": [lambda f, t: f(np.ones_like(t), t), lambda f, t: f(t, 1)],
    "real_if_close": [lambda f, t: f(t)],
    "can_cast": [lambda f, t: f(t, np.float64)],
    "take": [lambda f, t: f(t, [0, 1])],
    "searchsorted": [lambda f, t: f(t[0], t), lambda f, t: f(np.ones_like(t)[0], t)],
}
"""Functions with ways of their own to be called."""

SEQUENCES = {
    *("concatenate", "stack", "hstack", "vstack", "dstack", "column_stack", "block", "multi_dot", "lexsort"),
}
"""What wants arrays in a list. To other functions, as to `np.asarray`, a list of tensors is an array of their numbers."""


def ways_to_call(function):
    name = function.__name__
    if name in SEQUENCES:
        return [lambda f, t: f([t, t]), lambda f, t: f([np.ones_like(t), t])]
    return WAYS_OF.get(name, WAYS)


NUMBERS = {
    *("array", "asarray", "asanyarray", "asarray_chkfinite", "ascontiguousarray", "asfortranarray", "asmatrix"),
    *("require", "fromiter", "full"),
}
"""What turns anything into an array of its numbers; documented to do so for tensors."""

NO_ARRAYS = {
    *("arange", "broadcast_shapes", "ones", "zeros", "empty", "identity", "eye", "tri", "indices", "fromfunction"),
    *("bartlett", "blackman", "hamming", "hanning", "kaiser", "base_repr", "binary_repr", "isscalar", "iterable"),
    *("fromfile", "fromregex", "fromstring", "frombuffer", "from_dlpack", "genfromtxt", "load", "loadtxt"),
    *("mask_indices", "tril_indices", "triu_indices", "diag_indices", "ix_", "bmat", "fftfreq", "rfftfreq"),
    *("get_include", "info", "show_config", "show_runtime", "test", "typename", "get_printoptions"),
    *("set_printoptions", "printoptions", "geterr", "seterr", "geterrcall", "seterrcall", "errstate", "getbufsize"),
    *("setbufsize", "format_float_positional", "format_float_scientific", "isdtype", "issubdtype", "promote_types"),
    *("mintypecode", "frompyfunc", "save", "savez", "savez_compressed", "savetxt", "is_busday", "busday_count"),
    *("busday_offset", "isfortran", "datetime_as_string", "datetime_data", "isnat", "nested_iters"),
}
"""What takes no arrays of numbers, or writes text or files."""


def takes_arrays(name):
    last = name.rpartition(".")[2]
    return not last.startswith("_") and last not in NO_ARRAYS | NUMBERS


def floats_in(result):
    """Yield every floating array or number in what a function returned."""
    if isinstance(result, list | tuple | types.GeneratorType):
        for part in result:
            yield from floats_in(part)
    elif not isinstance(result, str | type | None) and np.asarray(result).dtype.kind in "fc":
        yield result


@pytest.mark.filterwarnings("ignore")  # of divisions by zero and the like, which are not the point
@pytest.mark.parametrize("name", [*filter(takes_arrays, FUNCTIONS)])
def test_no_function_of_numpy_loses_a_gradient(name):
    function, answered = FUNCTIONS[name], 0
    for way in ways_to_call(function):
        tensor = tt.Tensor(POINT, requires_grad=True)
        try:
            result, plain = way(function, tensor), way(function, POINT)
        except tt.InputError:
            answered += 1
            continue
        except (TypeError, ValueError, IndexError, AttributeError):  # the arguments do not fit
            continue
        answered += 1
        assert function not in PLAIN or not isinstance(result, tt.Tensor)
        if function not in PLAIN and next(floats_in(result), None) is not None:
            assert isinstance(result, tt.Tensor), f"{name} gave {result!r}"
            assert result.requires_grad
            tt.gradcheck(lambda t, way=way: way(function, t), [POINT])
            np.testing.assert_allclose(result.data, plain, rtol=1e-12)
    assert answered, (
        f"{name} was called in no way that makes sense: give it one in WAYS_OF, or say that it takes no arrays"
    )


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("function", OPERATIONS, ids=lambda f: f.__name__)
def test_the_operation_in_its_place_keeps_the_dtype(function, dtype):
    for way in ways_to_call(function):
        try:
            result = way(function, tt.Tensor(POINT.astype(dtype)))
        except (TypeError, ValueError, IndexError):
            continue
        assert result.dtype == dtype


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda t: np.sort(t), r"np\.sort of a tensor is no operation.*write np\.sort\(tensor\.data\) for the numbers"),
        (lambda t: np.linalg.inv(t), r"write np\.linalg\.inv\(tensor\.data\)"),
        (lambda t: np.add.reduce(t), r"np\.add\.reduce of a tensor is no operation"),
        (lambda t: np.sum(t, dtype=np.float32), r"np\.sum of a tensor got an unexpected keyword argument 'dtype'"),
        (lambda t: np.sum(t, 0, np.float32), r"np\.sum of a tensor got an unexpected keyword argument 'dtype'"),
        (lambda t: np.exp(t, where=t > 1), r"np\.exp of a tensor got an unexpected keyword argument 'where'"),
        (lambda t: np.pad(t, 1, "reflect"), r"knows the mode 'constant' alone, not 'reflect'"),
        (lambda t: np.copyto(np.zeros((2, 2)), t), r"np\.copyto of a tensor"),
        (lambda t: np.full_like(np.zeros((2, 2)), t), r"np\.copyto of a tensor"),
        (lambda t: np.ones(2) // t, r"np\.floor_divide of a tensor"),
        (lambda t: np.dot(t, np.ones((2, 2, 2))), r"dot wants at most two axes on the right.*write a @ b"),
    ],
)
def test_a_refusal_says_what_to_write(call, words):
    with pytest.raises(tt.InputError, match=words):
        call(tt.Tensor(POINT, requires_grad=True))


def test_nothing_is_written_in_place():
    tensor, array = tt.Tensor(POINT, requires_grad=True), np.zeros((2, 2))
    for write in (lambda: np.add(array, tensor, out=array), lambda: np.sum(array, axis=0, out=tensor)):
        with pytest.raises(TypeError, match="write a = a \\+ b instead of a \\+= b or out=a"):
            write()
    assert not array.any()


def test_arguments_are_numpys_in_any_spelling():
    tensor = tt.Tensor(POINT)
    for ours, plain in (
        (np.sum(tensor, 0), np.sum(POINT, 0)),
        (np.sum(a=tensor, axis=(0, 1), keepdims=True), np.sum(POINT, keepdims=True)),
        (np.var(tensor, axis=1, ddof=1), np.var(POINT, axis=1, ddof=1)),
        (np.reshape(tensor, (1, 4)), POINT.reshape(1, 4)),
        (np.transpose(tensor), POINT.T),
        (np.clip(tensor, 0.5, None), np.clip(POINT, 0.5, None)),
        (np.clip(tensor, a_min=None, a_max=1), np.clip(POINT, None, 1)),
        (np.concatenate([POINT, tensor], axis=1), np.concatenate([POINT, POINT], axis=1)),
        (np.where(POINT > 1, tensor, 0), np.where(POINT > 1, POINT, 0)),
        (np.pad(tensor, ((1, 0), (0, 2)), constant_values=7), np.pad(POINT, ((1, 0), (0, 2)), constant_values=7)),
        (np.einsum("ij->j", tensor), POINT.sum(axis=0)),
    ):
        assert isinstance(ours, tt.Tensor)
        np.testing.assert_allclose(ours.data, plain, rtol=1e-15)


def test_what_is_plain_is_numpys(tmp_path):
    tensor = tt.Tensor(POINT, requires_grad=True)
    assert np.shape(tensor) == (2, 2)
    assert np.allclose(tensor, POINT)
    assert np.argsort(tensor, axis=None).tolist() == [1, 2, 0, 3]
    assert np.isnan(tensor).tolist() == [[False, False], [False, False]]
    assert np.array_str(tensor) == np.array_str(POINT)
    np.savez(tmp_path / "numbers.npz", a=tensor)
    with np.load(tmp_path / "numbers.npz") as numbers:
        np.testing.assert_array_equal(numbers["a"], POINT)
