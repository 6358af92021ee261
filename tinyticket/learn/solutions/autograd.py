"""Numbers that know their derivatives: fill the holes, and `tinyticket learn check autograd`.

A `Number` keeps its value, and from which numbers it was made together with the derivative by each of them. `backward` walks from
the result to its beginnings and leaves in every number's `grad` the derivative of the result by it.
"""

import math


class Number:
    """A number that remembers its past."""

    def __init__(self, value, made_from=()):
        self.value = value
        self.made_from = list(made_from)  # of (number, derivative of this one by it)
        self.grad = 0.0

    def __add__(self, other):
        # hole: a sum, and the derivative by each of its terms
        return Number(self.value + other.value, [(self, 1.0), (other, 1.0)])
        # end

    def __mul__(self, other):
        # hole: a product, and the derivative by each of its factors
        return Number(self.value * other.value, [(self, other.value), (other, self.value)])
        # end

    def tanh(self):
        """Return the hyperbolic tangent."""
        # hole: tanh of the value, whose derivative is 1 - tanh^2
        t = math.tanh(self.value)
        return Number(t, [(self, 1 - t * t)])
        # end

    def backward(self):
        """Add to the `grad` of every number that this one was made from the derivative of this one by it."""
        # hole: set the own grad to 1, then let each number pass its grad on, after all that it gets has arrived
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
        # end
