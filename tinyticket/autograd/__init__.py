"""A small reverse-mode autograd on NumPy arrays.

Read it in this order: `tape` (what is recorded, and the walk back), `value` and `tensor` (what users hold), `operation` (how a
function on arrays becomes an operation on tensors), then the operations: `elementwise`, `reductions`, `shapes`, `products`, and
`einsum` if you wish. `dispatch` says what NumPy's own functions do with tensors, `gradcheck` proves a gradient, `draw` shows a
graph. Layers' own operations stand in `tinyticket.nn.functional`.
"""

from tinyticket.autograd.draw import Drawing, draw
from tinyticket.autograd.einsum import einsum
from tinyticket.autograd.elementwise import maximum, minimum, where
from tinyticket.autograd.gradcheck import gradcheck
from tinyticket.autograd.operation import operation
from tinyticket.autograd.shapes import concatenate, stack
from tinyticket.autograd.tape import no_grad
from tinyticket.autograd.tensor import Tensor  # first: tensor and operations complete each other's import

__all__ = [
    "Drawing",
    "Tensor",
    "concatenate",
    "draw",
    "einsum",
    "gradcheck",
    "maximum",
    "minimum",
    "no_grad",
    "operation",
    "stack",
    "where",
]
