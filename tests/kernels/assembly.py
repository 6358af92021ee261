"""The machine code of kernels, as the library compiles them, in assembly language."""

import importlib
import re

from numba.core.codegen import JITCodeLibrary

from tinyticket.kernels import cpu
from tinyticket.kernels.cpu.job import KERNELS


def assembly_of(name):
    """Compile a kernel and return its lines of assembly."""
    for family in cpu.FAMILIES:
        importlib.import_module(f"{cpu.__name__}.{family}")
    libraries, find = (
        [],
        JITCodeLibrary.get_pointer_to_function,
    )  # the last library whose function is asked for is the kernel's

    def noted(library, function):
        libraries.append(library)
        return find(library, function)

    JITCodeLibrary.get_pointer_to_function = noted
    try:
        assert KERNELS[name].address
    finally:
        JITCodeLibrary.get_pointer_to_function = find
    return libraries[-1].get_asm_str().splitlines()


def innermost_loops(lines, jump):
    """Yield the lines of every loop without another in it: from a label to a later jump (a pattern with its target) back to it."""
    label_at, loops = {}, []
    for n, line in enumerate(lines):
        if match := re.match(r"(\.L\w+):", line):
            label_at[match[1]] = n
        elif (match := re.match(jump, line)) and match[1] in label_at:
            loops.append((label_at[match[1]], n))
    for start, end in loops:
        if not any(start <= s and e <= end and (s, e) != (start, end) for s, e in loops):
            yield lines[start : end + 1]
