"""Arithmetic that takes subnormal numbers, those nearer to zero than 1.2e-38, for zeros.

Many CPUs compute with them by microcode, at a hundred cycles and more for each vector that meets one, and a network comes to them
in many ways: probabilities of 1e-40 where it is sure, and all gradients that follow from them; squares of gradients of 1e-20;
weights that decay until they are stuck there. A bit of the thread's floating-point control register makes the CPU read and write
zeros instead, at no cost, so nothing of it needs to be in a kernel.

The register belongs to a thread: whoever sets it puts back what it held, and no other code and no other thread sees a difference.
"""

import platform

from llvmlite import ir
from numba import types
from numba.core import cgutils

from tinyticket.kernels.cpu.vector.emit import call
from tinyticket.kernels.cpu.vector.instruction import I8, I32, I64, intrinsic

_X86, _ARM = (platform.machine() in names for names in (("x86_64", "AMD64"), ("aarch64", "arm64", "ARM64")))

CAN_FLUSH = _X86 or _ARM
"""Whether the register of this CPU is known."""

# MXCSR: flush to zero what is computed (bit 15), denormals are zeros where read (6). FPCR: FZ (24), which does both.
ZEROS = 1 << 15 | 1 << 6 if _X86 else 1 << 24


@intrinsic
def float_mode(typing):
    """Return the thread's floating-point control register."""

    def codegen(context, builder, sig, args):
        if _X86:
            place = cgutils.alloca_once(builder, I32)
            call(builder, "llvm.x86.sse.stmxcsr", builder.bitcast(place, I8.as_pointer()), result=ir.VoidType())
            return builder.zext(builder.load(place), I64)
        return call(builder, "llvm.aarch64.get.fpcr", result=I64) if _ARM else I64(0)

    return types.int64(), codegen


@intrinsic
def set_float_mode(typing, mode):
    """Set the thread's floating-point control register."""

    def codegen(context, builder, sig, args):
        if _X86:
            place = cgutils.alloca_once_value(builder, builder.trunc(args[0], I32))
            call(builder, "llvm.x86.sse.ldmxcsr", builder.bitcast(place, I8.as_pointer()), result=ir.VoidType())
        elif _ARM:
            call(builder, "llvm.aarch64.set.fpcr", args[0], result=ir.VoidType())
        return context.get_dummy_value()

    return types.void(types.int64), codegen
