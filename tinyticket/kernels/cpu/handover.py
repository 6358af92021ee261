"""How compiled code is told what to do: named tuples of arrays and numbers, handed over as one array of int64.

Numba unpacks and type-checks every argument at every call: a dozen arrays and thirty numbers took 4 microseconds more than
one array, a tenth of a small sparse step. So arrays are written as addresses beside the numbers, once, and read back on the
other side. Whoever keeps the int64 must keep the arrays.
"""

from itertools import count
from typing import Any

import numba
import numpy as np
from llvmlite import ir

from tinyticket.kernels.cpu.packing import address_of
from tinyticket.kernels.cpu.vector.simd import I64, intrinsic

types: Any = numba.types  # whose annotations do not know that types of tuples can be iterated
numbers = types.CPointer(types.int64)


def handed_over(told: tuple[Any, ...]) -> np.ndarray:
    """Return the addresses of a named tuple's arrays and its numbers, those of tuples inside it too, as int64."""
    said: list[int] = []
    _write(told, said)
    return np.array(said, np.int64)


def _write(told: tuple[Any, ...], said: list[int]) -> None:
    for each in told:
        if isinstance(each, np.ndarray):
            said.append(address_of(each))
        elif isinstance(each, tuple):
            _write(each, said)
        else:
            said.append(each)


def received(kind: Any) -> Any:
    """Return what reads a named tuple of such a Numba type, with addresses for arrays, from the int64 at an address."""

    @intrinsic
    def receive(typing, place):
        def codegen(context, builder, sig, args):
            position = count()

            def read(wanted):
                if isinstance(wanted, types.BaseTuple):
                    return context.make_tuple(builder, wanted, [read(each) for each in wanted])
                number = builder.load(builder.gep(args[0], [I64(next(position))]))
                if isinstance(wanted, types.CPointer):
                    return builder.inttoptr(number, context.get_value_type(wanted))
                if isinstance(wanted, types.Boolean):
                    return builder.icmp_signed("!=", number, ir.Constant(I64, 0))
                return number

            return read(kind)

        return kind(numbers), codegen

    return receive
