"""The programs of a step on the CPU, and the arena in which all their blocks lie."""

from __future__ import annotations

from collections.abc import Mapping

from tinyticket.compiler import lower
from tinyticket.compiler.cpu.arena import Arena
from tinyticket.compiler.cpu.program import Program, Threads
from tinyticket.compiler.layout import SMALL, Layout, Values
from tinyticket.compiler.op import Block
from tinyticket.compiler.places import Places
from tinyticket.compiler.schedule import held, place
from tinyticket.errors import InputError
from tinyticket.kernels.geometry import LANES
from tinyticket.nn import Parameter

APART = 1 << 20
"""Weights up to which evaluations and predictions take turns apart, a turn a thread: they stay in a second-level cache, where the
next turn finds them. More are read once for several tiles by threads that do a batch together."""

NEAR, FEW = 2 * 1024 * 1024, 1 << 16
"""Bytes of values and gradients of a tile, and weights times tiles, up to which training takes the tiles of a batch apart, from the
first layer to the loss and back. The values are in a second-level cache then, which saves more than it costs to read weights and to
add up gradients once for each tile. Batch normalisation needs whole batches."""


class Programs:
    """What is done in a step's calls.

    Parameters
    ----------
    layout : Layout
    batch_size : int
    rule : int
        The optimizer's, of `kernels.cpu.update.RULES`.
    threads : int
        All that may run at once.
    gradients : bool
        Whether there is to be a program for the gradients of all weights.
    penalties : mapping of Parameter to float
    turns : {"batch", "tiles"}, optional
        Whether a training step takes its batch at once, or tile by tile; what is expected to be faster if not given.

    Attributes
    ----------
    training : Program
        A training step, or a tile's way through it, after which `updating` takes the parts of the gradients.
    updating, gradients : Program, optional
    evaluation, prediction : Program
    few : Program
        A prediction of no more examples than a tile of images has lanes.
    refresh : Program
        Brings weights that were written from outside into the orders that passes read.
    """

    def __init__(
        self,
        layout: Layout,
        batch_size: int,
        rule: int,
        threads: int,
        gradients: bool,
        penalties: Mapping[Parameter, float],
        turns: str | None,
    ):
        self._layout, self._threads, work = layout, Threads(threads), layout.work() / SMALL
        self.turns = _choose_turns(layout, turns, bool(penalties))
        apart = layout.is_mlp or _weights(layout) <= APART
        together = Values(layout, layout.tiles, private=False)
        # Losses are added up in the order of the data, within a turn first: turns are those of every version of the library.
        tiles, samples = (1, layout.lanes) if layout.is_mlp else (layout.tiles, batch_size)
        evaluated = Values(layout, tiles, private=True) if apart else together
        self.updating: Program | None = None
        if self.turns == "tiles":
            layout.cut_gradients()
            forth_and_back, update = lower.training_apart(layout, Values(layout, 1, private=True), rule)
            self.training = self._program(forth_and_back, LANES, True, 3 * work)
            self.updating = self._program(update, 1)
        else:
            self.training = self._program(lower.training(layout, together, rule, penalties), batch_size)
        self.gradients = self._program(lower.gradients(layout, together), batch_size) if gradients else None
        self.evaluation = self._program(lower.evaluation(layout, evaluated), samples, apart, work * tiles)
        size, classes = layout.graph.start.size, layout.graph.output.channels
        ahead = {"examples": 4 * size, "pixels": size, "logits": 4 * classes}
        self.prediction = self._program(lower.prediction(layout, evaluated), samples, apart, work * tiles, ahead)
        self.few = self.prediction
        if layout.tiles > 1 and not layout.is_mlp:
            predicted = Values(layout, 1, private=apart)
            self.few = self._program(lower.prediction(layout, predicted), LANES, apart, work, ahead)
        self.refresh = self._program(lower.refresh(layout), 1)
        self.arena = self._placed()

    @property
    def all(self) -> list[Program]:
        """All programs that there are."""
        found = self.training, self.updating, self.gradients, self.evaluation, self.prediction, self.few, self.refresh
        return list(dict.fromkeys(program for program in found if program is not None))

    def _program(
        self,
        lowered: lower.Program,
        samples: int,
        apart: bool = False,
        work: float = 1.0,
        strides: dict[str, int] | None = None,
    ) -> Program:
        strides = strides or {"indices": 8, "draws": 24}
        return Program(lowered, samples, self._threads, apart=apart, work=work, strides=strides)

    def _placed(self) -> Arena:
        places, blocks, weights = Places(), dict[Block, None](), self._layout.weights.values()
        for each in weights:
            held(each.slot_blocks, places)
        for program in self.all:
            place(places, program.ops)
            blocks |= dict.fromkeys(block for op in program.ops for block in op.blocks)
        for each in weights:
            held([each.mask_bytes, *each.pattern_blocks], places)
        held(self._layout.buffers.values(), places)
        arena = Arena(places, blocks)
        for program in self.all:
            program.place_in(arena)
        return arena


def _weights(layout: Layout) -> int:
    """Count the numbers of all parameters, survivors where a weight runs sparse."""
    return sum(each.count for each in layout.weights.values())


def _choose_turns(layout: Layout, asked: str | None, penalised: bool) -> str:
    """Return whether a training step takes its "batch" at once or its "tiles" one by one."""
    apart = not (layout.is_mlp or penalised or any(o.kind == "batch_norm" for o in layout.graph.operations))
    if asked == "tiles" and not apart:
        raise InputError("tiles of a batch are taken one by one in networks of images without batch normalisation only")
    if asked is not None:
        return asked
    near = layout.tiles > 1 and layout.tiles * _weights(layout) <= FEW and layout.tile_bytes() <= NEAR
    return "tiles" if apart and near else "batch"
