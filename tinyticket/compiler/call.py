"""Calls by address: how a compiled step reaches kernels that were compiled by themselves."""

from llvmlite import ir
from numba import types
from numba.core import cgutils

from tinyticket.kernels.cpu.vector.simd import intrinsic


@intrinsic
def call(typing, table, routine, arguments):
    """Call the routine at table[routine] with a tuple of arguments, which must have exactly the types it was compiled for."""

    def codegen(context, builder, sig, args):
        kinds = list(sig.args[2])
        result = ir.IntType(8).as_pointer()  # what Numba gives a function that returns nothing
        function = ir.FunctionType(result, [context.get_value_type(kind) for kind in kinds])
        address = builder.load(builder.gep(args[0], [args[1]]))
        builder.call(builder.inttoptr(address, function.as_pointer()), cgutils.unpack_tuple(builder, args[2]))
        return context.get_dummy_value()

    return types.void(table, types.intp, arguments), codegen
