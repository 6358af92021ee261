"""What training and evaluation share: reading the table, gathering a batch, the forward pass of a layer."""

from tinyticket.compiler.call import call
from tinyticket.compiler.mlp.program import (
    BIAS,
    FIELDS,
    INPUTS,
    OUTPUTS,
    ROW_BLOCKS,
    ROW_OFFSETS,
    ROW_STARTS,
    SPARSE,
    WEIGHTS,
    Batch,
    Data,
    Job,
    Memory,
)
from tinyticket.compiler.mlp.routines import DENSE_FORWARD, GATHER, GATHER_PIXELS, SPARSE_FORWARD
from tinyticket.kernels.cpu.handover import numbers, received, types
from tinyticket.kernels.cpu.vector.jit import device
from tinyticket.kernels.geometry import Shape
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cpu.vector.simd import I64, advance, at, floats, intrinsic
from tinyticket.kernels.cpu.sparse_passes import Lines
from tinyticket.kernels.cpu.vector.transpose import put

_integers, _offsets, _bytes = numbers, types.CPointer(types.uint32), types.CPointer(types.uint8)
MEMORY = types.NamedTuple((floats, _offsets, _bytes, *[_integers] * 3), Memory)
BATCH = types.NamedUniTuple(types.int64, len(Batch._fields), Batch)
_DATA = types.NamedTuple((floats, _bytes, types.boolean, floats, types.int64), Data)
_JOB = types.NamedTuple((MEMORY, _integers, BATCH, _DATA, types.int64, _integers, types.int64), Job)

receive_job = received(_JOB)


@device
def alone(job):
    """Return the memory as one thread sees it."""
    memory = job.memory
    return Memory(memory.floats, memory.offsets, memory.masks, memory.table, job.alone, memory.routines)


@device
def are_known(indices, count, data):
    """Are all indices in the data? Kernels would read whatever lies there."""
    unknown = 0
    for i in range(count):
        index = at(indices, i)
        unknown += index < 0 or index >= data.size
    return unknown == 0


@intrinsic
def field(typing, memory, layer, name):
    """Return a layer's entry in the table."""

    def codegen(context, builder, sig, args):
        return _entry(builder, *args)

    return types.intp(memory, types.intp, types.intp), codegen


@intrinsic
def floats_of(typing, memory, layer, name):
    """Return where a layer's floats of that name begin."""

    def codegen(context, builder, sig, args):
        arena = builder.extract_value(args[0], Memory._fields.index("floats"))
        return builder.gep(arena, [_entry(builder, *args)])

    return floats(memory, types.intp, types.intp), codegen


def _entry(builder, memory, layer, name):
    """Emit a read of the table. As a helper of its own it would be compiled for every constant that it is called with."""
    table = builder.extract_value(memory, Memory._fields.index("table"))
    return builder.load(builder.gep(table, [builder.add(builder.mul(layer, I64(FIELDS)), name)]))


@device
def shape_of(memory, batch, layer):
    """Return the sizes of a layer's work."""
    return Shape(batch.tiles, field(memory, layer, INPUTS), field(memory, layer, OUTPUTS), batch.lanes)


@device
def rows_of(memory, layer):
    """Return a sparse layer's survivors row by row."""
    starts = advance(memory.offsets, field(memory, layer, ROW_STARTS))
    return Lines(starts, advance(memory.offsets, field(memory, layer, ROW_OFFSETS)), field(memory, layer, ROW_BLOCKS))


@device
def forward(memory, layer, shape, x, y, first, last, rectify):
    """Compute some rows of a layer, dense or sparse."""
    weights, bias = floats_of(memory, layer, WEIGHTS), floats_of(memory, layer, BIAS)
    if field(memory, layer, SPARSE):
        call(
            memory.routines, SPARSE_FORWARD, (rows_of(memory, layer), weights, bias, x, y, shape, first, last, rectify)
        )
    else:
        call(memory.routines, DENSE_FORWARD, (weights, bias, x, y, shape, first, last, rectify))


@device
def gather(memory, data, indices, shape, samples, x, x_samples, both, labels):
    """Bring some samples and their labels into a thread's own memory."""
    for sample in range(samples):
        put(labels, sample, at(data.labels, at(indices, sample)))
    blocks = (shape.inputs + LANES - 1) // LANES
    if data.as_pixels:
        call(memory.routines, GATHER_PIXELS, (data.pixels, indices, x, x_samples, both, shape, samples, 0, blocks))
    else:
        call(memory.routines, GATHER, (data.examples, indices, x, x_samples, both, shape, samples, 0, blocks))
