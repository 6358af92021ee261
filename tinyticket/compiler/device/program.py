"""The launches of a network's training step and evaluation, and the memory on the device that they work on."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from tinyticket.compiler.device.arena import Arena
from tinyticket.compiler.device.data import DeviceData
from tinyticket.compiler.device.feeds import Feeds
from tinyticket.compiler.device.layout import DeviceLayout
from tinyticket.compiler.device.passes import write_passes
from tinyticket.compiler.device.weights import DeviceWeights
from tinyticket.compiler.device.work import Feed, Find, Work
from tinyticket.compiler.device.writer import STATE
from tinyticket.compiler.network.program import Block, Row
from tinyticket.kernels.cuda import gather
from tinyticket.kernels.cuda.driver import Playlist
from tinyticket.kernels.cuda.launch import Launch
from tinyticket.kernels.cuda.memory import upload, zeros
from tinyticket.kernels.cuda.update import Place, update_many

ARENA = Feed(np.float32, 0)
"""Stands for the whole arena."""


class Program:
    """Lists of launches, made when they are first needed and again when feeds have grown.

    Parameters
    ----------
    layout : DeviceLayout
    rule : int
        Of `kernels.cpu.optimizers.RULES`.

    Attributes
    ----------
    passes : Passes
    arena : Arena
    fed, asked : Feeds
        Of training and of evaluation.
    state, rest : int32 device arrays of (2,)
        The turn, and how many lanes hold samples; `rest` is for the last batch of an evaluation, which may be smaller.
    training : list of Work
        A training step, but for the gathering of its batch.
    """

    def __init__(self, layout: DeviceLayout, rule: int):
        self.layout = layout
        self._targets = zeros(layout.lanes, np.int32)
        self.passes = passes = write_passes(layout, self._targets)
        weights = list(layout.weights.values())
        used = [block for each in weights for block in (each.master, each.gradient)]
        update = Work(_updater(weights, rule, self._upload_masks()), ARENA, passes.scalars, STATE, touches=used)
        self.training = [*passes.training, update, passes.end()]
        self._evaluation = [*passes.evaluation, passes.end()]
        self.arena = Arena(layout.held(), [self._start(), *self.training])
        for block, number in layout.constants:
            self.arena.host[block.place : block.place + block.size] = number
        self.fed = Feeds(passes.indices, passes.draws, passes.scalars, passes.results, *passes.kept.values())
        self.asked = Feeds(passes.indices, passes.results)
        self.state, self.rest = (upload(np.zeros(2, np.int32)) for _ in range(2))
        self._lists: dict[str, list[Launch]] = {}
        self._playlists: weakref.WeakKeyDictionary[DeviceData, dict[str, Playlist]] = weakref.WeakKeyDictionary()

    def reserve(self, feeds: Feeds, turns: int) -> None:
        """Make room for the turns of a call; launches that were made hold what there was."""
        if turns > feeds.turns:
            self._lists.clear()
            self._playlists.clear()
            feeds.reserve(turns)

    def step(self, data: DeviceData, augmented: bool) -> Playlist:
        """Return the launches of a training step."""
        draws = self.fed.arrays[self.passes.draws] if augmented else None
        launches = self._list("training", self.training, self.fed, self.state)
        return self._playlist("augmented" if augmented else "training", data, self.fed, draws, self.state, launches)

    def evaluation(self, data: DeviceData, last: bool) -> Playlist:
        """Return the launches of the evaluation of a batch, or of the last one."""
        kind, state = ("rest", self.rest) if last else ("evaluation", self.state)
        launches = self._list(kind, self._evaluation, self.asked, state)
        return self._playlist(kind, data, self.asked, None, state, launches)

    def finder(self, feeds: Feeds, state: Any) -> Find:
        """Return what gives a row the arrays of its blocks and feeds."""

        def find(wanted: Block | Feed) -> Any:
            if isinstance(wanted, Block):
                return self.arena[wanted]
            if wanted is ARENA:
                return self.arena.floats
            return state if wanted is STATE else feeds.arrays[wanted]

        return find

    def _list(self, kind: str, works: list[Work], feeds: Feeds, state: Any) -> list[Launch]:
        if kind not in self._lists:
            find = self.finder(feeds, state)
            self._lists[kind] = [launch for work in works for launch in work.launches(find)]
        return self._lists[kind]

    def _playlist(
        self, kind: str, data: DeviceData, feeds: Feeds, draws: Any, state: Any, launches: list[Launch]
    ) -> Playlist:
        """Return launches behind the one that gathers a batch of these data."""
        made = self._playlists.setdefault(data, {})
        if kind not in made:
            made[kind] = Playlist([self._gather(data, feeds, draws, state), *launches])
        return made[kind]

    def _gather(self, data: DeviceData, feeds: Feeds, draws: Any, state: Any) -> Launch:
        """Return the launch that gathers a batch of these data."""
        start, indices = self.layout.graph.start, feeds.arrays[self.passes.indices]
        block, first = self.layout.value(start)
        given = data.examples, data.labels, indices, draws, state, self.arena[block], first, self._targets
        return gather.gather_examples(*given, self.layout.elementwise(start, start), data.mean, data.std)

    def _start(self) -> Row:
        """Return what stands for the gathering of a batch where places are given."""
        return Row("gather", [self.layout.value(self.layout.graph.start)[0]], lambda threads: np.zeros(1, np.int64))

    def _upload_masks(self) -> Any:
        masks = np.zeros(max(1, self.layout.masks.size), np.uint8)
        for weights in self.layout.weights.values():
            weights.write_mask(masks)
        return upload(masks, "the masks")


def _updater(weights: list[DeviceWeights], rule: int, masks: Any) -> Callable[..., Launch]:
    """Return what makes the launch that updates all parameters.

    It must not know the program: who is part of a circle is freed late, and a device has no memory to spare.
    """

    def update(floats: Any, scalars: Any, state: Any) -> Launch:
        places = [
            Place(
                each.gradient.place,
                each.splits,
                each.master.place,
                each.first.place,
                each.second.place,
                each.mask_place if each.masked else -1,
                each.count,
            )
            for each in weights
        ]
        return update_many(rule, floats, masks, places, scalars, state)

    return update
