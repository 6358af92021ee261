"""Whether an autograd is right: beside tinyticket's."""

import math
from types import ModuleType

import tinyticket as tt


def check_sum(module: ModuleType) -> None:
    """A sum passes its gradient on to both terms."""
    a, b = module.Number(2.0), module.Number(3.0)
    total = a + b
    total.backward()
    assert total.value == 5, f"2 + 3 gives {total.value}"
    assert (a.grad, b.grad) == (1, 1), f"the gradients of a + b are {a.grad} and {b.grad} instead of 1 and 1"


def check_product(module: ModuleType) -> None:
    """The derivative by a factor is the other factor."""
    a, b = module.Number(2.0), module.Number(3.0)
    product = a * b
    product.backward()
    assert product.value == 6, f"2 * 3 gives {product.value}"
    assert (a.grad, b.grad) == (3, 2), f"the gradients of 2 * 3 are {a.grad} and {b.grad} instead of 3 and 2"


def check_tanh(module: ModuleType) -> None:
    """The derivative of tanh is 1 - tanh^2."""
    a = module.Number(0.5)
    a.tanh().backward()
    assert math.isclose(a.grad, 1 - math.tanh(0.5) ** 2), f"the gradient of tanh(0.5) is {a.grad}"


def check_shared(module: ModuleType) -> None:
    """What is used several times gets the sum of what comes back."""
    a = module.Number(3.0)
    (a * a + a).backward()
    assert a.grad == 7, f"the derivative of a * a + a at 3 is 7, not {a.grad}"


def check_order(module: ModuleType) -> None:
    """A number passes its gradient on once, after all of it has arrived."""
    x = first = module.Number(1.0)
    for _ in range(40):
        x = x + x
    x.backward()
    assert first.grad == 2.0**40, f"doubled forty times, the derivative is 2^40, not {first.grad}"


def check_beside_tinyticket(module: ModuleType) -> None:
    """A neuron has the gradients that tinyticket finds."""
    values = 0.5, -1.5, 2.0
    ours = [module.Number(value) for value in values]
    theirs = [tt.Tensor(value, requires_grad=True) for value in values]
    for x, w, b in (ours, theirs):
        ((x * w + b * w).tanh() * x).backward()
    for name, number, tensor in zip("xwb", ours, theirs, strict=True):
        assert tensor.grad is not None
        want = float(tensor.grad)
        assert math.isclose(number.grad, want, rel_tol=1e-9), f"d out / d {name} is {number.grad} instead of {want}"
