"""What every function of arrays refuses by its annotations, and calls that once wrote beyond an array or did not return."""

import inspect
import pickle

import numpy as np
import pytest

from tinyticket import kernels
from tinyticket.errors import InputError
from tinyticket.kernels import cpu
from tinyticket.kernels.cpu.checked import Written, arguments_of, checked
from tinyticket.sparse import ConvPattern, Pattern

DATA = np.ones((9, 5), np.float32)
IMAGES = cpu.pack_images(np.ones((16, 2, 5, 5)))


@checked
def example(
    x: np.ndarray, size: int | tuple[int, int] = 1, *, scale: float = 1.0, out: Written[np.ndarray] | None = None
):
    return x, size, scale, out


@pytest.mark.parametrize(
    ("given", "options", "words"),
    [
        (("abc",), {}, "example: x must be an array of numbers, not 'abc'"),
        ((np.ones(2, complex),), {}, r"x must be an array of numbers, not complex128 of shape \(2,\)"),
        (([[1], [1, 2]],), {}, "x must be an array of numbers"),
        ((DATA, 1.5), {}, "size must be a whole number from 0 on or a tuple of .*, not 1.5"),
        ((DATA, -1), {}, "size must be a whole number from 0 on"),
        ((DATA, True), {}, "size must be a whole number"),
        ((DATA, (1, 2, 3)), {}, "size must be"),
        ((DATA,), {"scale": "1"}, "scale must be a number, not '1'"),
        ((DATA,), {"scale": 10**400}, "scale must be a number"),
        ((DATA,), {"out": DATA.tolist()}, "out must be ndarray to write into or None"),
        ((DATA,), {"out": DATA[::-1]}, "x and out share memory"),
    ],
)
def test_arguments_are_what_the_annotations_say(given, options, words):
    with pytest.raises(InputError, match=words):
        example(*given, **options)


def test_arguments_are_taken_as_the_annotations_say():
    x, size, scale, out = example([1, 2], [np.int64(3), 4], scale=np.float32(0.5), out=None)
    assert isinstance(x, np.ndarray)
    assert (size, scale, out) == ((3, 4), 0.5, None)
    for wrong in ({"y": 1}, {"x": 1}):
        with pytest.raises(TypeError, match="argument"):
            example(DATA, **wrong)


@pytest.mark.parametrize("name", sorted(set(cpu.__all__) - {"Images"}))
def test_every_function_is_checked_and_can_be_pickled(name):
    function = getattr(kernels, name)
    assert function is getattr(cpu, name)
    assert set(inspect.signature(function).parameters) - {"options"} <= arguments_of(function.__wrapped__).keys()
    assert pickle.loads(pickle.dumps(function)) is function


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: cpu.gather(DATA, np.arange(3), lanes=8), "lanes must be a multiple of 16"),
        (lambda: cpu.pack(DATA, 2**31), "lanes must be a multiple of 16 from 16 to 1024"),
        (lambda: cpu.gather_images(np.ones((3, 1, 4, 4)), np.arange(3), border=-1), "border must be a whole number"),
        (lambda: cpu.copy(IMAGES, border=10**7), "GB, which are not to be had"),
        (lambda: cpu.unpack(cpu.pack(DATA), 1000), "1000 samples do not fit"),
        (lambda: cpu.unpack_images(IMAGES, 17), "17 samples do not fit"),
        (lambda: cpu.linear(np.float32(1), np.ones(1), cpu.pack(DATA)), "weight must have the shape"),
        (lambda: cpu.cross_entropy(cpu.pack(DATA), np.full(9, 1.5)), "labels are whole numbers"),
        (lambda: cpu.scalars_of("adam", 0, 0.1), "steps count from 1"),
        (lambda: cpu.scalars_of("adam", 1, 0.1, betas=(0.9, 1.0)), "betas are from 0 to below 1"),
    ],
)
def test_what_once_went_wrong_gets_a_sentence(call, words):
    with pytest.raises(InputError, match=words):
        call()


def test_a_result_cannot_be_written_over_an_input():
    pattern, x = Pattern.from_mask(np.ones((5, 5), bool), 16), cpu.pack(DATA, 16)
    for function in (cpu.sparse_linear, cpu.prepare_sparse_linear):
        with pytest.raises(InputError, match="x and out share memory"):
            function(pattern, np.ones(25, np.float32), np.ones(5, np.float32), x, out=x)


def test_what_is_written_into_may_be_of_any_class_of_arrays():
    class Own(np.ndarray):
        """Somebody's own."""

    gradient = np.zeros(1, np.float32).view(Own)
    cpu.l1_gradient(np.ones(1, np.float32), gradient, 0.5)
    assert gradient[0] == 0.5


def test_a_pattern_is_one_of_its_layer():
    window = cpu.pack_images(np.ones((1, 2, 5, 5))).geometry
    for pattern in (None, object(), ConvPattern, window):
        with pytest.raises(InputError, match="pattern must be LinearPattern"):
            cpu.sparse_linear(pattern, np.ones(25), np.ones(5), cpu.pack(DATA))


def test_a_stride_beyond_the_image_takes_its_first_pixel_and_returns():
    weight, bias = np.ones((3, 2, 1, 1)), np.zeros(3)
    y = cpu.conv2d(weight, bias, IMAGES, stride=10**6)
    assert y.geometry[:3] == (3, 1, 1)
    np.testing.assert_array_equal(y.array, cpu.conv2d(weight, bias, IMAGES, stride=5).array)
    dx = cpu.conv2d_input_gradient(weight, IMAGES, y, stride=10**6)
    np.testing.assert_array_equal(dx.array, cpu.conv2d_input_gradient(weight, IMAGES, y, stride=5).array)


def test_shifts_beyond_an_image_leave_nothing_of_it():
    draws = np.array([[2**40, 0, 0, 0, 0], [0, -(2**32), 1, 0, 0], [0, 2**31, 0, 900, 0], [0, 0, 0, 0, 0]])
    x = cpu.unpack_images(cpu.gather_images(np.ones((4, 1, 3, 20)), np.arange(4), draws=draws), 4)
    assert x.sum(axis=(1, 2, 3)).tolist() == [0, 0, 0, 60]


def test_columns_beyond_the_pixels_of_an_example_are_zero():
    _, by_sample = cpu.gather(np.full((3, 5), 255, np.uint8), np.arange(3), sample_major=True)
    assert by_sample[:3].sum(axis=1).tolist() == [5, 5, 5]
