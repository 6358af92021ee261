"""The machine code of kernels, as the library compiles them for this CPU, in assembly language."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from typing import Any

from tinyticket.errors import InputError

JUMP = r"\s+(?:j\w+|b(?:\.\w+)?|cbn?z\s+\w+,|tbn?z\s+\w+,\s*#?\w+,)\s+(\.L\w+)"
"""A jump of x86 or AArch64, and its target."""

MULTIPLY_ADD = r"\s+(?:vfmadd|fml[as])"
"""A vector multiplication with addition, of either."""


def assembly_of(name: str) -> list[str]:
    """Compile a kernel and return its lines of assembly; InputError if there is none of that name.

    Kernels that come from the cache have no text: TINYTICKET_CACHE=off, set before anything is compiled, keeps them from there.
    """
    from numba.core.codegen import JITCodeLibrary

    from tinyticket.kernels import cpu
    from tinyticket.kernels.cpu.job import KERNELS, Kernel

    for family in cpu.FAMILIES:
        importlib.import_module(f"{cpu.__name__}.{family}")
    if name not in KERNELS:
        raise InputError(f"there is no kernel {name!r}; there are {', '.join(sorted(KERNELS))}")
    libraries: list[Any] = []  # the last library whose function is asked for is the kernel's
    library_class: Any = JITCodeLibrary
    find = library_class.get_pointer_to_function

    def noted(library: Any, function: str) -> int:
        libraries.append(library)
        return find(library, function)

    library_class.get_pointer_to_function = noted
    try:
        anew = Kernel(KERNELS[name].function, KERNELS[name].job)  # the other one may have been compiled before
        assert anew.address
    finally:
        library_class.get_pointer_to_function = find
    return libraries[-1].get_asm_str().splitlines()


def innermost_loops(lines: list[str], jump: str = JUMP) -> Iterator[list[str]]:
    """Yield the lines of every loop without another in it: from a label to a later jump (a pattern with its target) back to it."""
    label_at: dict[str, int] = {}
    loops = []
    for n, line in enumerate(lines):
        if match := re.match(r"(\.L\w+):", line):
            label_at[match[1]] = n
        elif (match := re.match(jump, line)) and match[1] in label_at:
            loops.append((label_at[match[1]], n))
    for start, end in loops:
        if not any(start <= s and e <= end and (s, e) != (start, end) for s, e in loops):
            yield lines[start : end + 1]
