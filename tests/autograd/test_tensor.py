"""Tensor: what it holds, how it meets arrays and numbers, and what it refuses in words."""

import operator

import numpy as np
import pytest

import tinyticket as tt

ARITHMETIC = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "**": operator.pow,
}
COMPARISONS = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def by_name(table):
    return pytest.mark.parametrize("f", table.values(), ids=table.keys())


# -- what it holds


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_floating_data_are_kept_and_not_copied(dtype):
    data = np.arange(3, dtype=dtype)
    tensor = tt.Tensor(data)
    assert tensor.data is data
    assert tensor.numpy() is data
    assert (tensor.dtype, tensor.shape, tensor.ndim, tensor.size) == (dtype, (3,), 1, 3)


@pytest.mark.parametrize("data", [3, True, [1, 2], np.array([1, 2], np.uint8), np.array([True, False])])
def test_integers_and_booleans_become_float64(data):
    assert tt.Tensor(data).dtype == np.float64
    np.testing.assert_array_equal(tt.Tensor(data).data, data)


@pytest.mark.parametrize(
    "data",
    [1j, np.float16(1), np.longdouble(1), "1.5", ["a"], None, object()],
    ids=["complex", "float16", "longdouble", "string", "strings", "None", "object"],
)
def test_data_of_other_kinds_are_refused(data):
    with pytest.raises(TypeError, match="holds float32 or float64, not"):
        tt.Tensor(data)


def test_a_tensor_of_a_tensor_is_refused_and_detach_suggested():
    with pytest.raises(TypeError, match=r"write tensor\.detach\(\)"):
        tt.Tensor(tt.Tensor([1.0]))


def test_new_data_keep_shape_and_dtype():
    tensor = tt.Tensor(np.zeros((2, 3), np.float32))
    tensor.data = np.ones((2, 3), np.float64)
    assert tensor.dtype == np.float32
    with pytest.raises(ValueError, match=r"\(3, 2\).*\(2, 3\)"):
        tensor.data = np.ones((3, 2))
    np.testing.assert_array_equal(tensor.data, np.ones((2, 3)))


def test_item_float_bool_len_and_iteration_are_an_arrays():
    assert type(tt.Tensor(np.float32(2.5)).item()) is float
    assert float(tt.Tensor(2.5)) == 2.5
    assert bool(tt.Tensor(0.0)) is False
    assert [row.data.tolist() for row in tt.Tensor([[1, 2], [3, 4]])] == [[1, 2], [3, 4]]
    assert len(tt.Tensor(np.zeros((4, 2)))) == 4
    with pytest.raises(ValueError, match="ambiguous"):
        bool(tt.Tensor([1.0, 2.0]))


def test_rows_taken_by_iteration_carry_gradients():
    tensor = tt.Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    first, second = tensor
    (first * 2 + second * 3).sum().backward()
    assert tensor.grad.tolist() == [[2, 2], [3, 3]]


def test_numpy_reads_it_as_an_array():
    tensor = tt.Tensor(np.arange(3, dtype=np.float32))
    assert np.asarray(tensor).dtype == np.float32
    assert np.asarray(tensor, dtype=np.float64).tolist() == [0, 1, 2]
    assert np.shares_memory(np.asarray(tensor), tensor.data)
    assert not np.shares_memory(np.array(tensor), tensor.data)


def test_repr_tells_numbers_dtype_and_origin():
    leaf = tt.Tensor(np.array([1, 2], np.float32), requires_grad=True)
    assert repr(leaf) == "Tensor([1., 2.], float32, requires_grad=True)"
    assert repr(leaf * 2) == "Tensor([2., 4.], float32, from=multiply)"
    assert repr(leaf.detach()) == "Tensor([1., 2.], float32)"


def test_tensors_can_be_keys():
    a, b = tt.Tensor([1.0]), tt.Tensor([1.0])
    assert {a: "a", b: "b"}[a] == "a"


@pytest.mark.parametrize(("axis", "keepdims"), [(None, False), (0, False), (1, True), (-1, False)])
def test_argmax_is_numpys_and_an_integer_array(axis, keepdims):
    data = np.array([[1, 5, 2], [5, 0, 7]], np.float32)
    ours = tt.Tensor(data).argmax(axis=axis, keepdims=keepdims)
    np.testing.assert_array_equal(ours, data.argmax(axis=axis, keepdims=keepdims))
    assert not isinstance(ours, tt.Tensor)
    assert ours.dtype.kind == "i"


# -- beside arrays and numbers

LEFT = np.array([[1.0, 2.0, 3.0], [4.0, 1.5, 2.5]])
RIGHT = np.array([2.0, 2.0, 0.5])


@by_name(ARITHMETIC)
def test_an_array_on_either_side_of_an_operator_gives_a_tensor(f):
    for result in (f(tt.Tensor(LEFT), RIGHT), f(LEFT, tt.Tensor(RIGHT)), f(tt.Tensor(LEFT), tt.Tensor(RIGHT))):
        assert isinstance(result, tt.Tensor)
        np.testing.assert_array_equal(result.data, f(LEFT, RIGHT))


def test_an_array_on_either_side_of_matmul_gives_a_tensor():
    for result in (tt.Tensor(LEFT) @ RIGHT, LEFT @ tt.Tensor(RIGHT)):
        assert isinstance(result, tt.Tensor)
        np.testing.assert_array_equal(result.data, LEFT @ RIGHT)


@by_name(ARITHMETIC)
def test_the_tensor_beside_an_array_gets_its_gradient(f):
    tt.gradcheck(lambda a: f(a, RIGHT), [LEFT])
    tt.gradcheck(lambda b: f(LEFT, b), [RIGHT])


@by_name(COMPARISONS)
def test_comparison_gives_numpys_boolean_array_on_either_side(f):
    expected = f(LEFT, RIGHT)
    for result in (f(tt.Tensor(LEFT), RIGHT), f(LEFT, tt.Tensor(RIGHT)), f(tt.Tensor(LEFT), tt.Tensor(RIGHT))):
        assert type(result) is np.ndarray
        assert result.dtype == bool
        np.testing.assert_array_equal(result, expected)


@by_name(COMPARISONS)
@pytest.mark.parametrize("number", [2, 2.0, np.float64(2), np.float32(2), np.int64(2)], ids=lambda n: type(n).__name__)
def test_comparison_with_a_number_works_on_either_side(f, number):
    np.testing.assert_array_equal(f(tt.Tensor(LEFT), number), f(LEFT, 2.0))
    np.testing.assert_array_equal(f(number, tt.Tensor(LEFT)), f(2.0, LEFT))


def test_python_sum_and_abs_work():
    a, b = tt.Tensor([1.0, -2.0], requires_grad=True), tt.Tensor([3.0, 4.0])
    abs(sum([a, b])).sum().backward()
    assert a.grad.tolist() == [1, 1]


NOT_NUMBERS = {"complex": 1j, "string": "3", "strings": np.array(["1", "2"]), "None": None, "object": object()}


@pytest.mark.parametrize("other", NOT_NUMBERS.values(), ids=NOT_NUMBERS.keys())
@by_name(ARITHMETIC)
def test_an_operand_that_is_no_real_number_is_refused_on_either_side(f, other):
    tensor = tt.Tensor(np.array([1.0, 2.0], np.float32))
    with pytest.raises(TypeError):
        f(tensor, other)
    with pytest.raises(TypeError):
        f(other, tensor)


# -- dtypes

WEAK = {
    "int": 2,
    "float": 2.0,
    "bool": True,
    "np.float64": np.float64(2),
    "np.float32": np.float32(2),
    "np.int64": np.int64(2),
    "0-d array": np.array(2.0),
    "0-d array of the other dtype": np.array(2.0, np.float32),
    "0-d integer array": np.array(2),
    "integer array": np.array([1, 2, 3]),
    "boolean array": np.array([True, True, False]),
    "0-d float64 tensor": tt.Tensor(np.float64(2)),
    "0-d float32 tensor": tt.Tensor(np.float32(2)),
}
BINARY = {
    **ARITHMETIC,
    "maximum": tt.maximum,
    "minimum": tt.minimum,
    "where": lambda a, b: tt.where([True, False, True], a, b),
}
FLOATS = pytest.mark.parametrize("dtype", [np.float32, np.float64])


@FLOATS
@pytest.mark.parametrize("other", WEAK.values(), ids=WEAK.keys())
@by_name(BINARY)
def test_numbers_and_integer_arrays_never_change_the_dtype(f, other, dtype):
    leaf = tt.Tensor(np.array([1, 2, 3], dtype), requires_grad=True)
    with np.errstate(divide="ignore"):  # False as a divisor
        for result in (f(leaf, other), f(other, leaf)):
            assert result.dtype == dtype
            leaf.grad = None
            result.sum().backward()
            assert leaf.grad.dtype == dtype


@FLOATS
@pytest.mark.parametrize("other", [2, 2.0, True, np.float64(2), np.float32(2), np.array(2.0), np.array(2)], ids=repr)
@by_name(ARITHMETIC)
def test_numbers_never_change_the_dtype_of_a_zero_dimensional_tensor(f, other, dtype):
    leaf = tt.Tensor(np.array(3, dtype), requires_grad=True)
    assert f(leaf, other).dtype == f(other, leaf).dtype == dtype


SETTINGS = {
    "clip": lambda a, number: a.clip(number(0), number(1)),
    "clip from below": lambda a, number: a.clip(min=number(0)),
    "leaky_relu": lambda a, number: tt.nn.functional.leaky_relu(a, negative_slope=number(0.1)),
    "dropout": lambda a, number: tt.nn.functional.dropout(a, number(0.5), rng=0),
    "var": lambda a, number: a.var(ddof=number(1)),
}


@FLOATS
@pytest.mark.parametrize("number", [float, np.float64, np.float32, np.array])
@by_name(SETTINGS)
def test_a_setting_never_changes_the_dtype(f, number, dtype):
    leaf = tt.Tensor(np.array([-1, 0.5, 3], dtype), requires_grad=True)
    result = f(leaf, number)
    assert result.dtype == dtype
    result.sum().backward()
    assert leaf.grad.dtype == dtype


def test_float32_and_float64_arrays_together_give_float64_and_each_its_own_gradient():
    single = tt.Tensor(np.ones(2, np.float32), requires_grad=True)
    double = tt.Tensor(np.ones(2, np.float64), requires_grad=True)
    result = single * double
    assert result.dtype == np.float64
    result.sum().backward()
    assert (single.grad.dtype, double.grad.dtype) == (np.float32, np.float64)


def test_concatenating_and_stacking_follow_the_same_rule():
    single, double = tt.Tensor(np.ones(2, np.float32)), tt.Tensor(np.ones(2))
    assert tt.concatenate([single, np.array([1, 2])]).dtype == np.float32
    assert tt.stack([single, single]).dtype == np.float32
    assert tt.stack([single, double]).dtype == np.float64


# -- refusals


def test_writing_an_element_is_refused_with_what_to_write_instead():
    tensor = tt.Tensor([1.0, 2.0])
    with pytest.raises(TypeError, match=r"tt\.where\(mask, a, b\).*tensor\.data\[\.\.\.\]"):
        tensor[0] = 5
    assert tensor.data.tolist() == [1, 2]


IN_PLACE = {
    "+=": operator.iadd,
    "-=": operator.isub,
    "*=": operator.imul,
    "/=": operator.itruediv,
    "**=": operator.ipow,
    "@=": operator.imatmul,
    "//=": operator.ifloordiv,
    "%=": operator.imod,
}


@by_name(IN_PLACE)
def test_an_in_place_operator_is_refused_with_what_to_write_instead(f):
    tensor = tt.Tensor([[1.0, 2.0], [3.0, 4.0]])
    with pytest.raises(TypeError, match=r"write a = a \+ b instead of a \+= b"):
        f(tensor, tensor)
    assert tensor.data.tolist() == [[1, 2], [3, 4]]


def test_an_array_does_not_take_a_tensor_in_place():
    array = np.ones(2)
    with pytest.raises(TypeError):
        array += tt.Tensor([1.0, 2.0])


def test_a_tensor_as_index_is_refused():
    with pytest.raises(TypeError, match="a tensor is no index"):
        tt.Tensor([1.0, 2.0])[tt.Tensor([0.0])]


MISFITS = {
    **{name: (f, (2, 3), (4, 3)) for name, f in ARITHMETIC.items()},
    "maximum": (tt.maximum, (2, 3), (4,)),
    "where": (lambda a, b: tt.where(True, a, b), (2, 3), (4,)),
    "matmul": (operator.matmul, (2, 3), (4, 5)),
    "matmul with a vector": (operator.matmul, (2, 3), (4,)),
    "concatenate": (lambda a, b: tt.concatenate([a, b]), (2, 3), (2, 4)),
    "stack": (lambda a, b: tt.stack([a, b]), (2,), (3,)),
}


@pytest.mark.parametrize(("f", "first", "second"), MISFITS.values(), ids=MISFITS.keys())
def test_shapes_that_do_not_fit_give_an_error_that_names_both(f, first, second):
    with pytest.raises(ValueError, match=r"\(") as caught:
        f(tt.Tensor(np.ones(first)), tt.Tensor(np.ones(second)))
    message = without_spaces(caught.value)
    assert without_spaces(first) in message
    assert without_spaces(second) in message


def without_spaces(thing) -> str:
    return str(thing).replace(" ", "")


def test_a_reshape_that_does_not_fit_names_size_and_shape():
    with pytest.raises(ValueError, match=r"size 6 into shape \(4,\)"):
        tt.Tensor(np.ones((2, 3))).reshape(4)
