"""What a compiled step is told about a network: a table of integers, nothing that would need another compilation.

Every layer is a row of the table. Most of its fields are places in one of three arenas: float32 for parameters, slots,
gradients and activations, uint32 for patterns, uint8 for masks. A step is one compiled function of the arenas and the
table; another network, mask or batch size is another table.
"""

from typing import NamedTuple

import numpy as np

(
    INPUTS,
    OUTPUTS,
    SPARSE,  # 0: dense weights (outputs, inputs); 1: survivors row by row, and from the second layer on column by column too
    WEIGHTS,  # row by row, what forward passes read
    MASTER,  # what the optimizer updates: the same place, or the survivors column by column
    FIRST,  # momentum, or Adam's first moment, in the master's order
    SECOND,  # Adam's second moment
    BIASED,  # whether there is a bias to be trained; without one it stays zero
    BIAS,
    BIAS_FIRST,
    BIAS_SECOND,
    GRADIENT,  # of survivors, in the master's order
    BIAS_GRADIENT,
    OUTPUT,  # activations
    OUTPUT_GRADIENT,
    INPUT_SAMPLES,  # the layer's input sample by sample, for dense weight gradients
    MASK,  # bytes of a dense layer's mask
    MASKED,
    ROW_STARTS,
    ROW_OFFSETS,
    ROW_BLOCKS,
    COLUMN_STARTS,
    COLUMN_OFFSETS,
    COLUMN_BLOCKS,
    TO_ROW,
    FIELDS,
) = range(26)


class Batch(NamedTuple):
    """The sizes of a batch, and the memory that each thread has for itself."""

    layers: int
    tiles: int
    lanes: int
    samples: int
    private: int  # where the first thread's own memory begins in the float32 arena ...
    private_size: int  # ... and how far the next thread's is from it
    x: int  # places in a thread's own memory: the packed input,
    x_samples: int  # the same sample by sample,
    labels: int
    logits: int
    logits_gradient: int
    losses: int
    hits: int
    even: int  # and two layers' activations of one tile, for evaluation
    odd: int


class Memory(NamedTuple):
    """The arenas and the table, as arrays or inside compiled functions as addresses."""

    floats: np.ndarray
    offsets: np.ndarray
    masks: np.ndarray
    table: np.ndarray
    bounds: np.ndarray  # of each layer's rows and columns, chunk by chunk
    routines: np.ndarray  # addresses


class Data(NamedTuple):
    """Where samples come from."""

    examples: np.ndarray  # float32 (examples, features), flat; a single number if there are pixels
    pixels: np.ndarray  # uint8, to be divided by 255, and sixteen more
    as_pixels: bool
    labels: np.ndarray  # float32
    size: int  # how many examples


class Job(NamedTuple):
    """What training and evaluation are told, handed over as one array."""

    memory: Memory
    alone: np.ndarray  # the bounds of one thread, where there is one or the others are not to be had
    batch: Batch
    data: Data
    rule: int
    meeting: np.ndarray
    threads: int
