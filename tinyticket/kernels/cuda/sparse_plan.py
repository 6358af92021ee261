"""Patterns of survivors as kernels on a device read them: places in shared memory, cut where the channels there change.

A block brings as many channels of the source into shared memory as find room, works through what survives of its lines in them,
and goes on to the next ones. So the survivors of a line are cut into pieces, `bounds`, and each is a place in the patch of its
channel (`patches`). Lines are dealt out like cards, the longest first, forwards and then backwards: so the warps of a device,
each of which has a hand of lines, have about the same number of survivors, however uneven the mask.
"""

from typing import Any, NamedTuple

import numpy as np

from tinyticket.errors import InputError
from tinyticket.kernels.cpu.lines import Lines
from tinyticket.kernels.cuda.geometry import Geometry
from tinyticket.kernels.cuda.memory import upload
from tinyticket.kernels.cuda.patches import Patch, View, span_of
from tinyticket.kernels.cuda.staging import Tile, Work


class Plan(NamedTuple):
    """The survivors of a layer for one of its passes."""

    places: Any  # int32 device array of (survivors,), line by line: channel * positions + position
    bounds: Any  # int32 device array of (lines * chunks + 1,): where each piece of each line begins
    order: Any  # int32 device array of (phases, hands, lines of a hand): lines, -1 where a hand has fewer
    tile: Tile
    patch: Patch
    work: Work  # but for what depends on the launch
    blocks: int  # that share the lines
    warps: int  # of each
    survivors: int

    @property
    def bytes(self) -> int:
        """Shared memory that a block needs for its patch."""
        return self.work.channels * self.patch.bytes


class Hands(NamedTuple):
    """Among whom lines are dealt out: so many blocks of so many warps, with the kernel of a tile."""

    tile: Tile
    blocks: int
    warps: int


def make_plan(
    lines: Lines, unit: int, g: Geometry, inputs: int, views: list[View], patch: Patch, room: int, among: Hands
) -> Plan:
    """Bring rows or columns of a pattern into the form that kernels read.

    The pattern counts a pixel as `unit`: `lanes` of a Pattern, 16 of a ConvPattern. The source has `inputs` channels and lies as
    the views say, one for each phase; there are `room` bytes of shared memory for the patch.
    """
    if lines.blocks != 1:
        raise InputError(f"a device reads whole lines, not lines in {lines.blocks} blocks: build the pattern with one")
    if inputs * patch.size >= 2**31:
        raise InputError(f"patches of {inputs} channels need places beyond 31 bits")
    chunks = -(-inputs // max(1, room // patch.bytes))
    channels = -(-inputs // chunks)

    source_row, source_plane = views[0].source_row, views[0].source_plane
    channel, pixel = np.divmod((lines.offsets // np.uint32(unit)).astype(np.int64), source_plane)
    places = channel * patch.size + patch.place(*np.divmod(pixel, source_row))
    counts = np.diff(lines.starts.astype(np.int64))
    piece = np.repeat(np.arange(counts.size), counts) * chunks + channel // channels
    bounds = np.concatenate(([0], np.cumsum(np.bincount(piece, minlength=counts.size * chunks))))

    hands, span = among.blocks * among.warps, span_of(g, patch.columns)
    order = _deal(counts.reshape(-1, len(views)), hands)
    work = Work(
        groups=g.lanes // span,
        span=span,
        positions=patch.size,
        pitch=patch.pitch,
        channels=channels,
        chunks=chunks,
        inputs=inputs,
        source_plane=source_plane * g.lanes,
        held=order.shape[-1],
        hands=hands,
        phases=len(views),
    )
    return Plan(_whole(places), _whole(bounds), _whole(order), among.tile, patch, work, *among[1:], places.size)


def _deal(counts: np.ndarray, hands: int) -> np.ndarray:
    """Deal the lines of each phase out, longest first, and return hands of the same size, -1 in the place of nothing."""
    lines, phases = counts.shape
    held = -(-lines // hands)
    longest = np.argsort(-counts, axis=0, kind="stable") * phases + np.arange(phases)
    dealt = np.full((held * hands, phases), -1, np.int64)
    dealt[:lines] = longest
    rounds = dealt.T.reshape(phases, held, hands)
    rounds[:, 1::2] = rounds[:, 1::2, ::-1]
    return rounds.transpose(0, 2, 1)


def _whole(numbers: np.ndarray) -> Any:
    """Upload int32, at least one: a device has no empty arrays."""
    return upload(numbers.astype(np.int32) if numbers.size else np.zeros(1, np.int32), "a pattern")
