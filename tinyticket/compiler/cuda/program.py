"""A program on a device: its operations in their order, and the launches and launch graphs that are made of them."""

import time
import weakref

from tinyticket.compiler import lower
from tinyticket.compiler.cuda.feeds import CudaData
from tinyticket.compiler.cuda.launches import Arrays, Updates, gather_launch, launches_of
from tinyticket.compiler.op import Op, even
from tinyticket.kernels.cpu.loss import SumLosses
from tinyticket.kernels.cuda.driver import LaunchGraph
from tinyticket.kernels.cuda.launch import Launch
from tinyticket.kernels.cuda.toolkit import cuda


def ordered(lowered: lower.Program) -> list[Op]:
    """Return the operations of a program as a device does them: one update of all weights, and the end of the turn last."""
    ends = [op for op in lowered.ops if isinstance(op.job, SumLosses)]
    ops = [op for op in lowered.ops if op not in ends]
    if lowered.chains:
        ops.append(Op(Updates(tuple(op.job for chain in lowered.chains for op in chain)), even(1), [], []))
    return [*ops, *ends]


class Program:
    """Operations on placed blocks, of which the first gathers a batch; their launches are made when they are first needed."""

    def __init__(self, ops: list[Op], arrays: Arrays):
        self._gather, self._ops, self._arrays = ops[0], ops[1:], arrays
        self._launches: list[list[Launch]] = []
        self._graphs: weakref.WeakKeyDictionary[CudaData, dict[bool, LaunchGraph]] = weakref.WeakKeyDictionary()

    def forget(self) -> None:
        """Let go of launches, and of the feeds that they hold."""
        self._launches.clear()
        self._graphs.clear()

    def graph(self, data: CudaData, augmented: bool = False) -> LaunchGraph:
        """Return the launches of a turn on some data."""
        graphs = self._graphs.setdefault(data, {})
        if augmented not in graphs:
            gather = gather_launch(self._gather, self._arrays, data, augmented)
            graphs[augmented] = LaunchGraph([gather, *(launch for made in self._made() for launch in made)])
        return graphs[augmented]

    def profile(self) -> list[tuple[Op, float]]:
        """Do each operation once on the batch that there is, and return the seconds of each, its launches included."""
        times = []
        for op, launches in zip(self._ops, self._made(), strict=True):
            cuda.synchronize()
            begin = time.perf_counter()
            for launch in launches:
                launch.run()
            cuda.synchronize()
            times.append((op, time.perf_counter() - begin))
        return times

    def _made(self) -> list[list[Launch]]:
        """Return the launches of each operation but the first, whose depend on the data."""
        if not self._launches:
            self._launches = [launches_of(op, self._arrays) for op in self._ops]
        return self._launches
