"""The programs of a step on the CPU, and the arena in which all their blocks lie."""

from __future__ import annotations

from collections.abc import Mapping

from tinyticket.compiler import lower
from tinyticket.compiler.cpu.arena import Arena
from tinyticket.compiler.cpu.program import Program, Threads
from tinyticket.compiler.layout import SMALL, Layout, Values
from tinyticket.compiler.network import SINGLES
from tinyticket.compiler.op import Block
from tinyticket.compiler.schedule import Places, held, place
from tinyticket.errors import InputError
from tinyticket.kernels.geometry import DRAWN, LANES
from tinyticket.nn import Parameter

APART = 1 << 20
"""Weights up to which evaluations and predictions take turns apart, a turn a thread: they stay in a second-level cache, where the
next turn finds them. More are read once for several tiles by threads that do a batch together."""

NEAR, FEW = 2 * 1024 * 1024, 1 << 15
"""Bytes of values and gradients of a tile, and weights, up to which training takes the tiles of a batch apart, however many, from
the first layer to the loss and back. The values are in a second-level cache then, which saves more than it costs to read weights
and to add up gradients once for each tile; threads meet twice a step. Batch normalisation needs whole batches."""

LARGEST = 2 * 1024 * 1024
"""Bytes of the largest value of a turn that evaluates or predicts images apart: as many tiles of a batch, at least one, as have no
more, since each thread needs that memory for itself, and a second-level cache holds no more."""

SHARED = 1.25
"""Work of a tile's way through a network of features from which on threads share a prediction of one tile, if a clock agrees."""

GATHERED, WHOLE = 0.35, 0.5
"""What a number of a weight takes for a single sample, and in a dense layer for sixteen, of what a survivor takes for sixteen."""

ALONE = 0.4
"""Work of a single sample from which on threads share it."""

LIGHT = 3
"""How many times as many bytes as the weights a tile of features and their gradients have at least for the same, however many
there are: threads that share a layer read half of its input from another core's cache, which at 1% density is a third of a step."""


class Programs:
    """What is done in a step's calls; parameters as for `CpuStep`."""

    training: Program  # a training step, or a tile's way through it, whose parts of the gradients `updating` takes
    updating: Program | None
    gradients: Program | None  # of all weights
    evaluation: Program
    prediction: Program
    few: Program  # a prediction of no more examples than a tile has lanes
    single: Program | None = None  # one whose turns are single examples ...
    singles: int = 0  # ... up to so many
    summed: int  # how many results of an evaluation, one for each sample, are a batch's; 0 if they are sums already
    refresh: Program  # brings weights that were written from outside into the orders that passes read

    def __init__(
        self,
        layout: Layout,
        batch_size: int,
        rule: int,
        threads: int,
        gradients: bool,
        penalties: Mapping[Parameter, float],
        turns: str | None,
        flushes: bool,
    ):
        self._layout, shared, work = layout, Threads(threads, flushes), layout.work() / SMALL
        self.turns = _choose_turns(layout, turns, bool(penalties))
        apart = layout.is_mlp or _weights(layout) <= APART
        together = Values(layout, layout.tiles, private=False)
        # Losses are added up in the order of the data, within a batch of images or a tile of features first.
        tiles, samples, self.summed = (1, layout.lanes, 0) if layout.is_mlp else (layout.tiles, batch_size, 0)
        most = max(1, LARGEST // layout.largest())
        if apart and tiles > most:
            tiles, samples, self.summed = most, most * LANES, batch_size
        evaluated = Values(layout, tiles, private=True) if apart else together
        self.updating = None
        if self.turns == "tiles":
            layout.cut_gradients()
            forth_and_back, update = lower.training_apart(layout, Values(layout, 1, private=True), rule)
            self.updating = Program(update, 1, shared)
            self.training = Program(forth_and_back, layout.lanes, shared, True, 3 * work, updating=self.updating)
        else:
            self.training = Program(lower.training(layout, together, rule, penalties), batch_size, shared)
        self.gradients = Program(lower.gradients(layout, together), batch_size, shared) if gradients else None
        results = {"indices": 8, "draws": 8 * DRAWN} | ({"results": 16} if self.summed else {})
        self.evaluation = Program(lower.evaluation(layout, evaluated), samples, shared, apart, work * tiles, results)
        size, classes = layout.graph.start.size, layout.graph.output.channels
        ahead = {"examples": 4 * size, "pixels": size, "starts": 8, "logits": 4 * classes}
        self.prediction = Program(lower.prediction(layout, evaluated), samples, shared, apart, work * tiles, ahead)
        self.few = self.prediction
        if layout.is_mlp and threads > 1 and work >= SHARED:
            predicted = together if layout.tiles == 1 else Values(layout, 1, private=False)
            self.few = Program(lower.prediction(layout, predicted), layout.lanes, shared, False, work, ahead)
        elif tiles > 1 and not layout.is_mlp:
            predicted = Values(layout, 1, private=apart)
            self.few = Program(lower.prediction(layout, predicted), LANES, shared, apart, work, ahead)
        if any(each.slices for each in layout.weights.values()):
            weights = layout.weights.values()
            tile = [each.count * (WHOLE if each.is_whole else 1) for each in weights]
            sliced = [GATHERED * w.slices.size if w.slices else cost for w, cost in zip(weights, tile, strict=True)]
            self.singles = max(1, min(SINGLES, int(sum(tile) / max(1.0, sum(sliced)))))
            alone = threads == 1 or sum(sliced) / SMALL < ALONE
            one = lower.prediction_of_one(layout, evaluated if alone else together)
            self.single = Program(one, 1, shared, alone, GATHERED * work, ahead)
        self.refresh = Program(lower.refresh(layout), 1, shared)
        self.arena = self._placed()

    @property
    def all(self) -> list[Program]:
        """All programs that there are."""
        trained = self.training, self.updating, self.gradients, self.evaluation, self.refresh
        found = *trained, self.prediction, self.few, self.single
        return list(dict.fromkeys(program for program in found if program is not None))

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
            program.arena = arena
        return arena


def _weights(layout: Layout) -> int:
    """Count the numbers of all parameters, survivors where a weight runs sparse."""
    return sum(each.count for each in layout.weights.values())


def _choose_turns(layout: Layout, asked: str | None, penalised: bool) -> str:
    """Return whether a training step takes its "batch" at once or its "tiles" one by one."""
    apart = not (penalised or layout.graph.of_kind("batch_norm"))
    if asked == "tiles" and not apart:
        raise InputError("tiles of a batch are not taken one by one under L1 penalties or with batch normalisation")
    if asked is not None:
        return asked
    weights = _weights(layout)
    near = weights <= FEW and layout.tile_bytes() <= NEAR
    light = layout.is_mlp and LIGHT * 4 * weights <= layout.tile_bytes()
    return "tiles" if apart and layout.tiles > 1 and (near or light) else "batch"
