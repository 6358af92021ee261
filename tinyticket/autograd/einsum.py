"""Sums of products over named axes, `einsum("ij,jk->ik", a, b)`, and why their gradients are such sums too.

The gradient of an operand is the sum of products of the result's gradient with all other operands, over the axes that the operand
does not have. Two things are particular: along an axis that nothing else has, every element gets the same gradient; and an operand
that names an axis twice was read on its diagonal alone, so only the diagonal gets one.
"""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_letters
from typing import Any

import numpy as np

from tinyticket.autograd.operation import operation
from tinyticket.autograd.tensor import Tensor
from tinyticket.errors import InputError


def einsum(subscripts: str, *operands: Any) -> Tensor:
    """Sum products of elements over the axes that the result does not name, as `np.einsum` does.

    Parameters
    ----------
    subscripts : str
        A letter for each axis of each operand and, behind "->", of the result; "..." stands for any further axes. Without "->" the
        result has the letters that appear once, in alphabetical order.
    *operands : Tensor or ndarray
        As many as `subscripts` names.

    Raises
    ------
    InputError
        If the subscripts do not fit the operands.
    """
    if not isinstance(subscripts, str):
        raise InputError('einsum wants its subscripts first, as one string such as "ij,jk->ik"')
    *inputs, result = _spelled_out(subscripts, [np.ndim(operand) for operand in operands])
    return _einsum(*operands, inputs=tuple(inputs), result=result)


@operation
def _einsum(*arrays, inputs, result):
    try:
        total = np.einsum(f"{','.join(inputs)}->{result}", *arrays, optimize=True)
    except ValueError as error:
        raise InputError(f"einsum of shapes {', '.join(str(array.shape) for array in arrays)}: {error}") from None
    sizes: dict[str, int] = {}
    for letters, array in zip(inputs, arrays, strict=True):
        sizes |= {letter: size for letter, size in zip(letters, array.shape, strict=True) if sizes.get(letter, 1) == 1}

    def gradient_of(i):
        others, letters = [*inputs[:i], *inputs[i + 1 :]], set(inputs[i])
        shared = "".join(sorted(letters & set(result + "".join(others))))
        alone = "".join(sorted(letters - set(shared)))

        def gradient(g):
            product = np.einsum(
                f"{','.join([result, *others])}->{shared}", g, *arrays[:i], *arrays[i + 1 :], optimize=True
            )
            if not letters:
                return product
            filled = np.zeros([sizes[letter] for letter in inputs[i]], g.dtype)
            diagonal = np.einsum(
                f"{inputs[i]}->{alone}{shared}", filled
            )  # a view; all of it where no axis is named twice
            diagonal[...] = product
            return filled

        return gradient

    return total, tuple(gradient_of(i) for i in range(len(arrays)))


def _spelled_out(subscripts: str, dimensions: Sequence[int]) -> list[str]:
    """Return the letters of each operand and, last, of the result, with letters in place of "..."."""
    before, arrow, after = subscripts.replace(" ", "").partition("->")
    inputs = before.split(",")
    if len(inputs) != len(dimensions):
        raise InputError(f"einsum: {subscripts!r} names {len(inputs)} operands, but there are {len(dimensions)}")
    if not arrow:
        named = before.replace(",", "").replace(".", "")
        after = "..." + "".join(sorted(letter for letter in named if named.count(letter) == 1))
    hidden = [ndim - len(part) + 3 if "..." in part else 0 for part, ndim in zip(inputs, dimensions, strict=True)]
    free = "".join(letter for letter in ascii_letters if letter not in subscripts)[: max(hidden, default=0)]
    # What "..." stands for fits from the last axis on, as shapes do when they are broadcast.
    spelled = [part.replace("...", free[len(free) - count :]) for part, count in zip(inputs, hidden, strict=True)]
    return [*spelled, after.replace("...", free)]
