"""Where lowering writes its operations, and what the passes of a network's operations share: updates, and who writes a gradient."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tinyticket.compiler.graph import Graph, Operation, Value
from tinyticket.compiler.layout import Layout, Values, window_of
from tinyticket.compiler.op import FEED, Block, Op, Shares, even
from tinyticket.compiler.weights import Weights
from tinyticket.kernels.cpu.convolution import PackConv2d, PackWinograd, pack_conv2d_shares, pack_winograd_shares
from tinyticket.kernels.cpu.sparse_linear import ReorderSurvivors
from tinyticket.kernels.cpu.update import L1Gradient, StorePart, Update
from tinyticket.kernels.geometry import LANES
from tinyticket.nn import Parameter


@dataclass(eq=False)
class Program:
    """What is done in a turn."""

    ops: list[Op] = field(default_factory=list)
    # Operations that change weights, and what follows from that: `schedule` puts them where no thread waits for them.
    chains: list[list[Op]] = field(default_factory=list)
    # Dropouts, and where their masks begin among the bytes of a turn; how many bytes these are.
    kept: dict[Operation, int] = field(default_factory=dict)
    kept_size: int = 0
    # Where the gradients of all weights of a parameter are, if that is not where its survivors' are.
    whole: dict[Parameter, Block] = field(default_factory=dict)


@dataclass(eq=False, kw_only=True)
class Lowering(Program):
    """A program as it comes into being."""

    layout: Layout
    values: Values
    training: bool  # else batch normalisation uses running statistics, and dropout keeps everything
    rule: int = 0  # the optimizer's, of `kernels.cpu.update.RULES`
    penalties: Mapping[Parameter, float] = field(default_factory=dict)  # strengths of L1 penalties
    updates: bool = True  # whether weights are updated, or gradients are all that is wanted
    single: bool = False  # whether a turn is one sample, which has layers of its own
    apart: bool = False  # whether threads take the tiles of a step apart, each of which leaves a part of the gradients
    layer: Operation | None = None  # what is being written down
    # The inputs of dense linear layers sample by sample, as their weight gradients read them.
    turned: dict[Operation, Block] = field(default_factory=dict)
    # Values, and gradients, of few samples beside each other: what layers of some connections make and read, or of one sample.
    narrow_values: dict[Value, Block] = field(default_factory=dict)
    narrow_gradients: dict[Value, Block] = field(default_factory=dict)
    # What batch normalisations leave for their backward pass.
    statistics: dict[Operation, tuple[Block, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._own: dict[Weights, Block] = {}
        self._begun: set[Value] = set()
        self._writers = _writers(self.layout.graph)

    def emit(
        self,
        job: Any,
        shares: Shares,
        reads: list[Block],
        writes: list[Block],
        own: list[Block] | None = None,
        may_overwrite: list[tuple[Block, Block]] | None = None,
        chain: list[Op] | None = None,
    ) -> None:
        """Write down the next operation, of the program or of a chain of its."""
        over = [] if self.layout.plain else may_overwrite or []
        op = Op(job, shares, reads, writes, own or [], over, self.layer)
        (self.ops if chain is None else chain).append(op)

    def begin(self, value: Value) -> tuple[bool, bool]:
        """Note that an operation writes a value's gradient; return whether it adds and whether it applies a ReLU's gradient.

        Gradients of a value that several operations read add up: the first to write starts it, the others add, and the last one
        applies the gradient of the ReLU that the value came out of.
        """
        root = value.root
        add = root in self._begun
        self._begun.add(root)
        self._writers[root] -= 1
        return add, root.is_relu_output and self._writers[root] == 0

    def chain(self) -> list[Op]:
        """Begin a chain of operations."""
        self.chains.append([])
        return self.chains[-1]

    def weights(self, operation: Operation) -> Weights:
        """Return the blocks of a layer's weight."""
        return self.layout.weights[operation.parameters["weight"]]

    def gradient(self, weights: Weights) -> Block:
        """Return where a turn leaves the gradient of a parameter."""
        if not self.apart:
            return weights.gradient
        if weights not in self._own:
            self._own[weights] = Block(weights.count, private=True)
        return self._own[weights]

    def update(self, operation: Operation, name: str, shares: Shares) -> None:
        """Write down the update of a parameter of a layer, whose gradient has been cut into such shares of its numbers."""
        if not self.updates:
            return
        parameter = operation.parameters[name]
        weights, chain = self.layout.weights[parameter], self.chain()
        gradient, blocks = weights.gradient, weights.slot_blocks
        if self.apart:
            own = self.gradient(weights)
            self.emit(StorePart(own, gradient, weights.count, FEED), even(weights.count, LANES), [own], [gradient])
        if penalty := self.penalties.get(parameter, 0.0):
            reads = [gradient, weights.master]
            self.emit(L1Gradient(weights.master, gradient, penalty), shares, reads, [gradient], reads, chain=chain)
        job = Update(gradient, weights.state, self.rule, weights.count, FEED)
        self.emit(job, shares, [gradient, *blocks], blocks, [gradient, *blocks], chain=chain)
        if name == "weight":
            chain += refreshed(weights, operation)

    def planes(self, value: Value) -> Shares:
        """Cut the channels of all tiles into equal shares."""
        return even(self.values.tiles * self.values.image(value).channels)


def refreshed(weights: Weights, operation: Operation) -> list[Op]:
    """Return what brings a layer's weights into the orders that its passes read, after the optimizer has changed them."""
    if weights.by_column:
        job = ReorderSurvivors(weights.master, weights.values, weights.to_column)
        shares, master, values = weights.survivor_shares(by_column=False), [weights.master], [weights.values]
        return [Op(job, shares, master, values, values, [], operation)]
    if weights.packed is not weights.master:
        packed, back, window = weights.packed, weights.packed_back, window_of(operation, 1)
        direct, transformed = (PackConv2d, pack_conv2d_shares), (PackWinograd, pack_winograd_shares)
        kind, count = transformed if weights.winograd else direct
        pack = kind(weights.master, packed, back, window)
        return [Op(pack, even(count(window)), [weights.master], [packed, back], [], [], operation)]
    return []


def _writers(graph: Graph) -> Counter[Value]:
    """Count for every value that is no view the operations that will write its gradient."""
    counts = Counter([graph.output.root])
    for operation in graph.operations:
        skips = operation.kind in ("conv2d", "linear")
        for value in operation.inputs:
            if operation.output.needs_gradient and (value.needs_gradient or not skips):
                counts[value.root] += 1
    return counts


def filled(job: type, known: Mapping[str, Any], **others: Any) -> Any:
    """Return a job of what is known by the names of its fields."""
    return job(*((others if name in others else known)[name] for name in job._fields))  # type: ignore[attr-defined]
