"""
1. An autograd from nothing
===========================

What an autograd is, built from nothing, and tinyticket's own beside it: ``python examples/1_autograd_from_nothing.py``.

Each number remembers which numbers it was made from, and how much it changes when they do (the local derivatives). Walking
back from the result and multiplying along the way gives the derivative with respect to everything: the chain rule.
"""

import math

import tinyticket as tt


class Number:
    """A number that remembers its past."""

    def __init__(self, value, made_from=()):
        self.value, self.made_from, self.grad = value, made_from, 0.0

    def __add__(self, other):
        return Number(self.value + other.value, [(self, 1.0), (other, 1.0)])

    def __mul__(self, other):
        return Number(self.value * other.value, [(self, other.value), (other, self.value)])

    def tanh(self):
        t = math.tanh(self.value)
        return Number(t, [(self, 1 - t * t)])

    def backward(self):
        # Later numbers first: a number passes its gradient on only when all of it has arrived.
        order, seen = [], set()

        def visit(number):
            if id(number) not in seen:
                seen.add(id(number))
                for earlier, _ in number.made_from:
                    visit(earlier)
                order.append(number)

        visit(self)
        self.grad = 1.0
        for number in reversed(order):
            for earlier, derivative in number.made_from:
                earlier.grad += derivative * number.grad


# %%
# One formula, computed with both kinds of numbers
# ------------------------------------------------


def neuron(x, w, b):
    """One neuron; it runs on both kinds of numbers."""
    return (x * w + b * w).tanh() * x


ours = [Number(0.5), Number(-1.5), Number(2.0)]
neuron(*ours).backward()

theirs = [tt.Tensor(number.value, requires_grad=True) for number in ours]
output = neuron(*theirs)
print(tt.draw(output))  # the same graph as Graphviz text; .svg holds a picture
output.backward()

print("            from nothing   tinyticket")
for name, number, tensor in zip("xwb", ours, theirs, strict=True):
    print(f"d out / d {name}  {number.grad:12.8f} {tensor.grad:12.8f}")
    assert math.isclose(number.grad, tensor.grad, rel_tol=1e-12)

# %%
# Arrays
# ------
# The library's version works on whole arrays, needs no recursion, and proves its gradients against finite differences:
assert tt.gradcheck(lambda x, w: ((x @ w).tanh() ** 2).mean(), [[[1.0, 2.0]], [[0.3], [-0.2]]])
