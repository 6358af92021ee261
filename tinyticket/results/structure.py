"""What a file has once for all networks of a trial: theta_0's arrays of whole numbers, such as connections."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property

import numpy as np

from tinyticket.store import Archive, layout


class Structure(Mapping[str, np.ndarray]):
    """The arrays of a trial by name, each read when it is first asked for, and once: all states share them, read-only."""

    def __init__(self, archive: Archive, trial: int):
        self._archive, self._path = archive, f"{layout.trial_path(trial)}/init"
        self._read: dict[str, np.ndarray] = {}

    @cached_property
    def _outline(self) -> layout.Outline:
        with self._archive.read() as root:
            return layout.read_outline(root)

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._outline.structure:
            raise KeyError(name)
        if name not in self._read:
            with self._archive.read() as root:
                group = root.group(self._path)
                found = group.array(name, self._outline.shapes[name])
                if found.dtype.kind not in "iu":
                    raise group.damage("it holds no whole numbers, as that of the first trial does", name)
            found.flags.writeable = False
            self._read[name] = found
        return self._read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._outline.structure)

    def __len__(self) -> int:
        return len(self._outline.structure)
