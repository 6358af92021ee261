"""The tape: what is recorded, and the walk back along it."""

import threading
import weakref

import numpy as np
import pytest

import tinyticket as tt
from tinyticket.autograd import operation


def leaf(*numbers):
    return tt.Tensor(np.array(numbers), requires_grad=True)


# -- graphs of any form


def test_a_chain_of_100_000_operations():
    x = leaf(2.0)
    y = x
    for _ in range(50_000):
        y = -(y * 1.0)
    y.backward()
    assert x.grad.tolist() == [1.0]


def test_a_chain_of_100_000_operations_can_be_dropped_unused():
    y = leaf(2.0)
    for _ in range(100_000):
        y = -y
    del y  # a recursive destructor would overflow the stack


def test_a_tensor_used_twice_gets_both_gradients():
    x = leaf(3.0, 4.0)
    (x * x + x).sum().backward()
    assert x.grad.tolist() == [7, 9]


def test_an_intermediate_result_used_twice_gets_both_gradients():
    x = leaf(2.0)
    y = x * 3
    (y * y).backward()
    assert x.grad.tolist() == [2 * 9 * 2]


def test_a_ladder_of_diamonds_is_walked_once_per_node():
    """Path by path this would take 2**60 steps."""
    x = leaf(1.0)
    y = x
    for _ in range(60):
        y = y * 0.25 + y * 0.25
    y.backward()
    assert x.grad.tolist() == [0.5**60]


def test_branches_of_unequal_length_are_complete_before_the_walk_passes():
    x = leaf(1.0)
    early = x * 2
    late = early
    for _ in range(5):
        late = late * 1.0
    (early * late).backward()
    assert x.grad.tolist() == [8]


# -- backward()


def test_a_second_backward_is_refused_in_words():
    y = (leaf(1.0, 2.0) * 2).sum()
    y.backward()
    with pytest.raises(
        RuntimeError, match=r"already passed through this graph and freed it; run the forward pass again"
    ):
        y.backward()


def test_a_graph_that_shares_a_part_with_a_used_one_is_refused_and_no_gradient_changes():
    x = leaf(1.0, 2.0)
    shared = x * 2
    first, second = shared.sum(), (shared * x).sum()
    first.backward()
    with pytest.raises(RuntimeError, match="already passed"):
        second.backward()
    assert x.grad.tolist() == [2, 2]


def test_gradients_of_several_graphs_add_up():
    x = leaf(1.0, 2.0)
    (x * 2).sum().backward()
    (x * x).sum().backward()
    assert x.grad.tolist() == [4, 6]


def test_only_leaves_keep_their_gradient():
    x = leaf(1.0, 2.0)
    y = x * 2
    z = y.sum()
    z.backward()
    assert x.grad is not None
    assert y.grad is None
    assert z.grad is None


def test_backward_of_several_elements_needs_a_gradient_of_their_shape():
    x = leaf(1.0, 2.0)
    with pytest.raises(RuntimeError, match=r"shape \(2,\) needs a gradient.*\.sum\(\) or \.mean\(\)"):
        (x * 2).backward()
    with pytest.raises(ValueError, match=r"\(3,\).*\(2,\)"):
        (x * 2).backward(np.ones(3))
    (x * 2).backward([10, 20])
    assert x.grad.tolist() == [20, 40]


@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
def test_backward_of_one_element_starts_from_one(shape):
    x = tt.Tensor(np.full(shape, 3.0), requires_grad=True)
    (x * x).backward()
    np.testing.assert_array_equal(x.grad, np.full(shape, 6.0))


def test_backward_of_a_leaf_is_the_gradient_itself():
    x = leaf(1.0, 2.0)
    x.backward([3, 4])
    assert x.grad.tolist() == [3, 4]


def test_nothing_to_differentiate_is_said_in_words():
    with pytest.raises(RuntimeError, match="nothing to differentiate"):
        (tt.Tensor([1.0]) * 2).backward()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("f", [lambda x: x * x, lambda x: x + 1, lambda x: tt.stack([x, x]).sum()])
def test_the_gradient_of_a_zero_dimensional_leaf_is_an_array(f, dtype):
    x = tt.Tensor(np.array(3, dtype), requires_grad=True)
    f(x).backward()
    assert type(x.grad) is np.ndarray
    assert (x.grad.dtype, x.grad.shape) == (dtype, ())


# -- only what is needed


def counting_product():
    """A product that notes for which of its inputs it computed gradients."""
    calls = []

    @operation
    def product(a, b):
        def to_a(g):
            calls.append("a")
            return g * b

        def to_b(g):
            calls.append("b")
            return g * a

        return a * b, (to_a, to_b)

    return product, calls


@pytest.mark.parametrize(
    ("of_a", "of_b", "expected"), [(True, False, ["a"]), (False, True, ["b"]), (True, True, ["a", "b"])]
)
def test_only_needed_gradients_are_computed(of_a, of_b, expected):
    product, calls = counting_product()
    a, b = tt.Tensor([2.0], requires_grad=of_a), tt.Tensor([3.0], requires_grad=of_b)
    product(a, b).backward()
    assert calls == expected
    assert (a.grad is not None, b.grad is not None) == (of_a, of_b)


def test_no_gradient_passes_an_intermediate_result_that_requires_none_any_more():
    product, calls = counting_product()
    x, weight = leaf(2.0), leaf(5.0)
    frozen = product(x, np.array([3.0]))
    frozen.requires_grad = False
    (frozen * weight).backward()
    assert calls == []
    assert x.grad is None
    assert weight.grad.tolist() == [6]


def test_nothing_is_recorded_where_no_input_requires_a_gradient():
    product, _ = counting_product()
    result = product(tt.Tensor([2.0]), np.array([3.0]))
    assert not result.requires_grad
    assert result.node is None


def test_a_gradient_passes_each_node_once_however_often_its_result_is_used():
    product, calls = counting_product()
    y = product(leaf(2.0), tt.Tensor([3.0]))
    (y + y * y + y.exp()).backward()
    assert calls == ["a"]


# -- memory


def test_the_graph_is_free_after_backward():
    x = leaf(1.0, 2.0)
    y = x.exp()
    intermediate = weakref.ref(y.data)
    z = (y * y).sum()
    del y
    assert intermediate() is not None
    z.backward()
    assert intermediate() is None


def test_arrays_and_gradients_are_freed_on_the_way():
    """When the walk arrives at the first operation, what the later ones needed has gone already."""
    arrays, alive = [], []

    @operation
    def first(a):
        def gradient(g):
            alive.extend(array() is not None for array in arrays)
            return g

        return a * 1.0, (gradient,)

    @operation
    def later(a):
        result = np.exp(a)
        arrays.append(weakref.ref(result))

        def gradient(g):
            arrays.append(weakref.ref(g))
            return g * result

        return result, (gradient,)

    y = later(first(leaf(1.0, 2.0)).exp())
    loss = (y * y).sum()
    del y
    loss.backward()
    assert alive == [False, False]


def test_a_branch_that_nobody_differentiates_is_not_kept_alive():
    x = leaf(1.0, 2.0)
    unused = x.exp()
    array = weakref.ref(unused.data)
    del unused
    assert array() is None


SHARING = {
    "x + y": lambda x, y: x + y,
    "x - y": lambda x, y: x - y,
    "stack": lambda x, y: tt.stack([x, y]),
    "concatenate": lambda x, y: tt.concatenate([x, y]),
    "(x + y) twice": lambda x, y: (x + y) + (x + y),
    "reshaped": lambda x, y: x.reshape(1, 2) + y.reshape(1, 2),
    "transposed": lambda x, y: x.T + y.T,
    "mean": lambda x, y: (x + y).mean(),
}


@pytest.mark.parametrize("f", SHARING.values(), ids=SHARING.keys())
def test_gradients_share_no_memory(f):
    x, y = leaf(1.0, 2.0), leaf(3.0, 4.0)
    result = f(x, y)
    upstream = np.ones(result.shape)
    result.backward(upstream)
    before = y.grad.copy()
    x.grad += 100
    np.testing.assert_array_equal(y.grad, before)
    np.testing.assert_array_equal(upstream, np.ones(result.shape))


def test_gradients_on_their_way_share_no_memory():
    """u and v get one and the same array from u + v; what u gets from elsewhere must not reach v, nor the caller's array."""
    x, y = leaf(1.0, 2.0), leaf(3.0, 4.0)
    u, v = x * 1.0, y * 1.0
    doubled = u * 2
    gradient = np.array([1.0, 10.0])
    ((u + v) + doubled).backward(gradient)
    assert x.grad.tolist() == [3, 30]
    assert y.grad.tolist() == [1, 10]
    assert gradient.tolist() == [1, 10]


def test_the_gradient_given_to_a_leaf_is_copied():
    x, gradient = leaf(1.0, 2.0), np.array([3.0, 4.0])
    x.backward(gradient)
    x.grad += 1
    assert gradient.tolist() == [3, 4]


def test_a_gradient_handed_out_twice_by_one_operation_is_not_shared():
    @operation
    def cached_sum(a, b):
        cache = {}
        return a + b, (lambda g: cache.setdefault("g", g * 1.0), lambda g: cache.setdefault("g", g * 1.0))

    x, y = leaf(1.0, 2.0), leaf(3.0, 4.0)
    cached_sum(x, y).sum().backward()
    x.grad += 100
    assert y.grad.tolist() == [1, 1]


def test_a_gradient_kept_by_the_caller_does_not_change_when_another_is_added():
    x = leaf(1.0, 2.0)
    x.sum().backward()
    kept = x.grad
    x.sum().backward()
    assert kept.tolist() == [1, 1]


# -- no_grad and detach


def test_no_grad_records_nothing_and_ends_with_its_block():
    x = leaf(1.0, 2.0)
    with tt.no_grad():
        assert not (x * 2).requires_grad
        with tt.no_grad():
            assert not (x * 2).requires_grad
        assert not (x * 2).requires_grad
    assert (x * 2).requires_grad


def test_no_grad_covers_the_change_of_dtype_too():
    factor = tt.Tensor(np.float64(2), requires_grad=True)
    with tt.no_grad():
        result = tt.Tensor(np.ones(3, np.float32)) * factor
    assert result.dtype == np.float32
    assert not result.requires_grad


def test_no_grad_ends_when_its_block_raises():
    with pytest.raises(KeyError), tt.no_grad():
        raise KeyError
    assert (leaf(1.0) * 2).requires_grad


def test_no_grad_as_a_decorator_works_at_every_call():
    @tt.no_grad()
    def double(x):
        return x * 2

    for _ in range(2):
        assert not double(leaf(1.0)).requires_grad
    assert (leaf(1.0) * 2).requires_grad


def test_no_grad_in_one_thread_leaves_the_others_recording():
    inside, done = threading.Event(), threading.Event()
    seen = {}

    def evaluate():
        with tt.no_grad():
            seen["in the thread"] = (leaf(1.0) * 2).requires_grad
            inside.set()
            done.wait(10)

    thread = threading.Thread(target=evaluate)
    thread.start()
    assert inside.wait(10)
    seen["meanwhile in the main thread"] = (leaf(1.0) * 2).requires_grad
    done.set()
    thread.join()
    assert seen == {"in the thread": False, "meanwhile in the main thread": True}


def test_a_thread_started_inside_no_grad_records():
    seen = []
    with tt.no_grad():
        thread = threading.Thread(target=lambda: seen.append((leaf(1.0) * 2).requires_grad))
        thread.start()
        thread.join()
    assert seen == [True]


def test_backward_works_inside_no_grad():
    x = leaf(1.0, 2.0)
    y = (x * x).sum()
    with tt.no_grad():
        y.backward()
    assert x.grad.tolist() == [2, 4]


def test_detach_stops_the_gradient_and_shares_the_numbers():
    x = leaf(2.0, 3.0)
    y = x * 2
    constant = y.detach()
    assert constant.node is None
    assert not constant.requires_grad
    assert constant.data is y.data
    (x * constant).sum().backward()
    assert x.grad.tolist() == [4, 6]
