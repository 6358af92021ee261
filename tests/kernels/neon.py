"""An AArch64 machine that is not there: Numba compiles for it, and an emulator of its CPU runs what was compiled.

`pretend` makes Numba believe that it is on such a machine, before it compiles anything, in a process of its own: typing,
lowering and LLVM's passes are then those of AArch64. As a plugin of pytest this module also has every kernel that `job.run`
is asked for run by the emulator (the package unicorn), in one thread, with the arrays of the process as its memory:

    NUMBA_CPU_NAME=neoverse-n1 NUMBA_CPU_FEATURES=+neon TINYTICKET_CACHE=off \\
        python -m pytest -p tests.kernels.neon tests/kernels/test_convolution.py

So it is with every file of tests here that calls kernels by their functions in `tinyticket.kernels.cpu`. Whole training
steps, in which compiled code calls the kernels, are beyond it.
"""

import ctypes
import platform

import llvmlite.binding as llvm
import pytest

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

    calls = 0  # of all emulators

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

    def call(self, address, *arguments):
        """Call a C function of whole numbers and addresses."""
        Emulator.calls += 1
        for i, word in enumerate(arguments):
            self._cpu.reg_write(getattr(self._names, f"UC_ARM64_REG_X{i}"), int(word))
        self._cpu.reg_write(self._names.UC_ARM64_REG_SP, STACK + (1 << 19))
        self._cpu.reg_write(self._names.UC_ARM64_REG_LR, RETURN)
        self._cpu.emu_start(address, RETURN)
        for place, size in self._written:
            ctypes.memmove(place, bytes(self._cpu.mem_read(place, size)), size)


def run_emulated(words, serial):
    """Do what `job._run` does, share after share."""
    kernel, shares = map(int, words[:2])
    row = words[shares + 3 :].ctypes.data
    for share in range(shares):
        Emulator().call(kernel, row, *words[2 + share : 4 + share])


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests():
    """Have kernels, which nobody has imported yet, compiled for AArch64 and emulated."""
    pretend()
    from tinyticket.kernels.cpu import job

    job._run = run_emulated


def pytest_terminal_summary(terminalreporter):
    """Tell how often the emulator was called, and for which CPU."""
    from tinyticket.kernels.cpu.vector import machine

    assert Emulator.calls
    terminalreporter.write_line(f"emulated calls for {machine.target()[0]}: {Emulator.calls}")
