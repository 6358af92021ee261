"""The tape: which operation made a tensor from which inputs, and the walk back along it.

Every recorded operation is a `Node`. Nodes are numbered as they are made and an operation can only use tensors that exist
already, so descending numbers are a topological order: nothing needs recursion, however deep the graph.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from tinyticket.autograd.tensor import Tensor
    from tinyticket.autograd.value import Value

Gradient = Callable[[np.ndarray], np.ndarray]

_recording: ContextVar[bool] = ContextVar("recording", default=True)
_numbers = itertools.count()


class Node:
    """One operation on the tape.

    Parameters
    ----------
    name
        The operation's name, such as "matmul".
    inputs
        The tensors it was applied to.
    gradients
        One function per input: from the gradient of the result to the gradient of that input.
    attributes
        Its further arguments, such as the axis of a sum.
    """

    __slots__ = ("attributes", "gradients", "inputs", "name", "number")

    def __init__(
        self, name: str, inputs: tuple[Tensor, ...], gradients: tuple[Gradient, ...], attributes: dict[str, Any]
    ):
        self.name = name
        self.inputs = inputs
        self.gradients: tuple[Gradient, ...] | None = gradients
        self.attributes = attributes
        self.number = next(_numbers)

    def __repr__(self):
        return f"Node({self.name}, {len(self.inputs)} inputs)"

    @property
    def consumed(self) -> bool:
        """Whether backward() has passed here and freed what the gradients needed."""
        return self.gradients is None

    def release(self) -> None:
        """Forget inputs and gradient functions, and with them the arrays they hold."""
        self.gradients = None
        self.inputs = ()
        self.attributes = {}


def recording() -> bool:
    """Return whether operations are being recorded in this thread."""
    return _recording.get()


@contextlib.contextmanager
def no_grad() -> Iterator[None]:
    """Record nothing inside this block: results require no gradient. Works as a decorator too."""
    before = _recording.set(False)
    try:
        yield
    finally:
        _recording.reset(before)


def nodes_before(last: Node | None) -> list[Node]:
    """Return the nodes that `last` was computed from, itself included, latest first."""
    found: dict[int, Node] = {}
    stack = [last]
    while stack:
        node = stack.pop()
        if node is not None and node.number not in found:
            found[node.number] = node
            stack += [tensor.node for tensor in node.inputs]
    return [found[number] for number in sorted(found, reverse=True)]


def unbroadcast(gradient: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Sum a gradient over the axes along which its input was broadcast, so that it has the input's shape again."""
    if gradient.shape == shape:
        return gradient
    leading = gradient.ndim - len(shape)
    stretched = [leading + axis for axis, size in enumerate(shape) if size == 1 and gradient.shape[leading + axis] != 1]
    return gradient.sum(axis=(*range(leading), *stretched), keepdims=True).reshape(shape)


def backward(output: Value, gradient: np.ndarray) -> None:
    """Add to the `.grad` of every leaf below `output` its share of `gradient`, freeing the graph on the way.

    Inner gradients live in a local table and go as soon as they are used; only leaves keep theirs.
    """
    if output.node is None:
        _accumulate(output, gradient, shared=True)
        return
    order = nodes_before(output.node)
    if any(node.consumed for node in order):
        raise RuntimeError(
            "backward() has already passed through this graph and freed it; run the forward pass again, "
            "or add the losses up and call backward() once"
        )
    pending = {output.node: gradient}
    for node in order:
        if node not in pending:  # reached only through inputs that need no gradient
            node.release()
            continue
        upstream = pending.pop(node)
        handed_out = [upstream]
        for tensor, rule in zip(node.inputs, node.gradients or (), strict=True):
            if not tensor.requires_grad:
                continue
            share = unbroadcast(np.asarray(rule(upstream), tensor.dtype), tensor.shape)
            if tensor.node is None:
                _accumulate(tensor, share, shared=any(share is other for other in handed_out))
            elif tensor.node in pending:
                pending[tensor.node] = np.asarray(pending[tensor.node] + share)
            else:
                pending[tensor.node] = share
            handed_out.append(share)
        node.release()


def _accumulate(leaf: Value, share: np.ndarray, shared: bool) -> None:
    if leaf.grad is not None:
        leaf.grad = np.asarray(leaf.grad + share)
    elif shared or share.base is not None:  # somebody else's memory: a leaf owns its gradient
        leaf.grad = share.copy()
    else:
        leaf.grad = share
