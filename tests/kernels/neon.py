"""An AArch64 machine that is not there: Numba compiles for it, and an emulator of its CPU runs what was compiled.

`pretend` makes Numba believe that it is on such a machine, before it compiles anything, in a process of its own: typing,
lowering and LLVM's passes are then those of AArch64. As a plugin of pytest this module also has every entry point of the
kernels run by the emulator (the package unicorn), in one thread, with the arrays of the process as its memory:

    NUMBA_CPU_NAME=neoverse-n1 NUMBA_CPU_FEATURES=+neon TINYTICKET_CACHE=off \\
        python -m pytest -p tests.kernels.neon tests/kernels/test_convolution.py

So it is with every file of tests here that calls kernels by their functions in `tinyticket.kernels.cpu`. Whole training
steps, which call their kernels by address and meet at barriers, are beyond it.
"""

import ctypes
import platform
from functools import cache
from itertools import chain

import llvmlite.binding as llvm
import numba
import numpy as np
import pytest
from numba import types

TRIPLE, CPU, FEATURES = "aarch64-unknown-linux-gnu", "neoverse-n1", "+neon"
ENVIRONMENT = {"NUMBA_CPU_NAME": CPU, "NUMBA_CPU_FEATURES": FEATURES, "TINYTICKET_CACHE": "off"}
PAGE = 4096
STACK, RETURN = 1 << 44, 1 << 44 | 1 << 30
MEMCPY, MEMSET = RETURN + 16, RETURN + 32
"""Addresses far from all memory of this process."""


def pretend():
    """Let Numba compile for AArch64."""
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    target = llvm.Target.from_triple(TRIPLE)
    llvm.get_process_triple = lambda: TRIPLE
    llvm.Target.from_default_triple = lambda: target
    platform.machine = lambda: "aarch64"
    llvm.add_symbol("memcpy", MEMCPY)
    llvm.add_symbol("memset", MEMSET)


class Emulator:
    """A CPU whose memory are copies of this process's pages, fetched when touched; what it writes is copied back."""

    def __init__(self):
        import unicorn
        from unicorn import arm64_const as names

        self._names = names
        self._cpu = unicorn.Uc(unicorn.UC_ARCH_ARM64, unicorn.UC_MODE_ARM)
        self._cpu.reg_write(names.UC_ARM64_REG_CPACR_EL1, 3 << 20)  # floating point is allowed
        self._cpu.mem_map(STACK, 1 << 20)
        self._cpu.mem_map(RETURN, PAGE)
        self._cpu.mem_write(RETURN, b"\xc0\x03\x5f\xd6" * (PAGE // 4))  # ret
        self._pages, self._written = set(), set()
        self._cpu.hook_add(unicorn.UC_HOOK_MEM_UNMAPPED, self._fetch)
        self._cpu.hook_add(unicorn.UC_HOOK_MEM_WRITE, self._note)
        self._cpu.hook_add(unicorn.UC_HOOK_CODE, self._memory, begin=MEMCPY, end=MEMSET)

    def _fetch(self, cpu, access, place, size, value, data):
        for page in range(place // PAGE, (place + size - 1) // PAGE + 1):
            if page not in self._pages:
                self._pages.add(page)
                cpu.mem_map(page * PAGE, PAGE)
                cpu.mem_write(page * PAGE, ctypes.string_at(page * PAGE, PAGE))
        return True

    def _note(self, cpu, access, place, size, value, data):
        if not STACK <= place < RETURN:
            self._written.add((place, size))

    def _memory(self, cpu, place, size, data):
        """Do what the C library does on a machine that is there."""
        target, source, count = (cpu.reg_read(getattr(self._names, f"UC_ARM64_REG_X{i}")) for i in range(3))
        if count:
            self._fetch(cpu, None, target, count, None, None)
            if place == MEMCPY:
                self._fetch(cpu, None, source, count, None, None)
            content = cpu.mem_read(source, count) if place == MEMCPY else bytes([source & 255]) * count
            cpu.mem_write(target, bytes(content))
            self._note(cpu, None, target, count, None, None)

    def call(self, address, arguments):
        """Call a C function: tuples and arrays by value, as LLVM's AArch64 takes them."""
        registers, stack, floats = [], [], 0
        for part in (part for argument in arguments for part in _taken_apart(argument)):
            if isinstance(part[0], np.floating):
                for number in part:
                    kind, bits = ("S", np.uint32) if isinstance(number, np.float32) else ("D", np.uint64)
                    self._cpu.reg_write(getattr(self._names, f"UC_ARM64_REG_{kind}{floats}"), int(number.view(bits)))
                    floats += 1
            else:
                (registers if not stack and len(registers) + len(part) <= 8 else stack).extend(part)
        for i, word in enumerate(registers):
            self._cpu.reg_write(getattr(self._names, f"UC_ARM64_REG_X{i}"), word)
        top = STACK + (1 << 19)
        self._cpu.mem_write(top, np.array(stack, np.int64).tobytes())
        self._cpu.reg_write(self._names.UC_ARM64_REG_SP, top)
        self._cpu.reg_write(self._names.UC_ARM64_REG_LR, RETURN)
        self._cpu.emu_start(address, RETURN)
        for place, size in self._written:
            ctypes.memmove(place, bytes(self._cpu.mem_read(place, size)), size)


def _taken_apart(argument):
    """Yield lists of what goes into registers as a whole or not at all: a number, or all that is in an array of LLVM's."""
    if isinstance(argument, tuple):
        parts = [part for element in argument for part in _taken_apart(element)]
        alike = isinstance(numba.typeof(argument), (types.UniTuple, types.NamedUniTuple))
        yield from [list(chain(*parts))] if alike else parts
    elif isinstance(argument, np.ndarray):  # as Numba describes it
        yield from ([word] for word in (0, 0, argument.size, argument.itemsize, argument.ctypes.data))
        yield from (list(argument.shape), list(argument.strides))
    elif isinstance(argument, (float, np.floating)):
        yield [argument if isinstance(argument, np.float32) else np.float64(argument)]
    else:
        yield [int(argument)]


class Emulated:
    """An entry point of the kernels, run by the emulator."""

    calls = 0

    def __init__(self, function):
        self.py_func = function
        self._address = cache(self._compile)

    def _compile(self, *kinds):
        options = {"error_model": "numpy", "boundscheck": False}
        return numba.cfunc(numba.void(*kinds), **options)(self.py_func).address

    def __call__(self, *arguments):
        address = self._address(*map(numba.typeof, arguments))
        Emulated.calls += 1
        Emulator().call(address, arguments)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests():
    """Let `tinyticket.kernels.cpu.vector.jit.kernel`, which nobody has imported yet, make entry points that are emulated."""
    pretend()
    njit = numba.njit

    def emulated_if_parallel(function=None, **options):
        return Emulated(function) if "parallel" in options else njit(function, **options)

    numba.njit = emulated_if_parallel


def pytest_terminal_summary(terminalreporter):
    """Tell how often the emulator was called, and for which CPU."""
    from tinyticket.kernels.cpu.vector import machine

    assert Emulated.calls
    terminalreporter.write_line(f"emulated calls for {machine.target()[0]}: {Emulated.calls}")
