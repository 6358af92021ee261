"""Patterns of survivors as kernels on a device read them: places in shared memory, cut where the channels there change.

A block brings as many channels of the source into shared memory as find room, works through what survives of its lines in them,
and goes on to the next ones. So the survivors of a line are cut into pieces, `bounds`, and each is a place in the patch of its
channel (`patches`). Lines are dealt out like cards, the longest first, forwards and then backwards: so the warps of a device,
each of which has a hand of lines, have about the same number of survivors, however uneven the mask.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from tinyticket.errors import InputError
from tinyticket.kernels.cpu.lines import Lines
from tinyticket.kernels.cuda.geometry import WARP
from tinyticket.kernels.cuda.memory import upload
from tinyticket.kernels.cuda.patches import Patch


class Plan(NamedTuple):
    """The survivors of a layer for one of its passes.

    Attributes
    ----------
    places : int32 device array of (survivors,)
        Line by line; channel * positions + position.
    bounds : int32 device array of (lines * chunks + 1,)
        Where each piece of each line begins.
    order : int32 device array of (phases, hands, lines of a hand)
        Lines, -1 where a hand has fewer.
    tile : Any
        The tile of `sparse_walk` or `sparse_products` that it was made for.
    patch : Patch
    channels : int
        Channels of the source in shared memory at a time.
    chunks : int
        How often they change.
    hands, held : int
        How many hands there are in a phase, and lines in each.
    warps : int
        Hands of a block.
    survivors : int
        How many there are.
    """

    places: Any
    bounds: Any
    order: Any
    tile: Any
    patch: Patch
    channels: int
    chunks: int
    hands: int
    held: int
    warps: int
    survivors: int

    @property
    def blocks(self) -> int:
        """Blocks that share the lines."""
        return self.hands // self.warps

    @property
    def bytes(self) -> int:
        """Shared memory that a block needs for its patch."""
        return self.channels * self.patch.size * WARP * 4


class Source(NamedTuple):
    """What a pattern's offsets point into: how many channels, and their distances, in pixels."""

    channels: int
    row: int
    plane: int


class Hands(NamedTuple):
    """Among whom lines are dealt out: so many blocks of so many warps, with the kernel of a tile."""

    tile: Any
    blocks: int
    warps: int


def make_plan(lines: Lines, unit: int, source: Source, patch: Patch, room: int, among: Hands, phases: int = 1) -> Plan:
    """Bring rows or columns of a pattern into the form that kernels read.

    Parameters
    ----------
    lines : Lines
        `rows` or `columns` of a `sparse.Pattern` or `sparse.ConvPattern`, not cut into blocks.
    unit : int
        What the pattern counts a pixel as: `lanes` of a Pattern, 16 for a ConvPattern.
    source : Source
    patch : Patch
    room : int
        Bytes of shared memory for the patch.
    among : Hands
    phases : int
        Lines of a channel: 1 for rows, the stride's square for the columns of a convolution.
    """
    if lines.blocks != 1:
        raise InputError(f"a device reads whole lines, not lines in {lines.blocks} blocks: build the pattern with one")
    if source.channels * patch.size >= 2**31:
        raise InputError(f"patches of {source.channels} channels need places beyond 31 bits")
    most = max(1, room // (patch.size * WARP * 4))
    chunks = -(-source.channels // most)
    channels = -(-source.channels // chunks)

    channel, pixel = np.divmod((lines.offsets // np.uint32(unit)).astype(np.int64), source.plane)
    places = channel * patch.size + patch.place(*np.divmod(pixel, source.row))
    starts = lines.starts.astype(np.int64)
    counts = starts[1:] - starts[:-1]
    piece = np.repeat(np.arange(counts.size), counts) * chunks + channel // channels
    bounds = np.concatenate(([0], np.cumsum(np.bincount(piece, minlength=counts.size * chunks))))

    hands = among.blocks * among.warps
    order = _deal(counts.reshape(-1, phases), hands)
    return Plan(
        places=upload(_whole(places), "a pattern"),
        bounds=upload(_whole(bounds), "a pattern"),
        order=upload(_whole(order), "a pattern"),
        tile=among.tile,
        patch=patch,
        channels=channels,
        chunks=chunks,
        hands=hands,
        held=order.shape[-1],
        warps=among.warps,
        survivors=places.size,
    )


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


def _whole(numbers: np.ndarray) -> np.ndarray:
    """Return int32, at least one: a device has no empty arrays."""
    return numbers.astype(np.int32) if numbers.size else np.zeros(1, np.int32)
