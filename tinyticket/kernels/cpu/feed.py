"""The feed: everything that changes from step to step, in one record that jobs point to."""

from typing import Annotated, Any, NamedTuple

from tinyticket.kernels.cpu.job import Bytes, Doubles, Floats, Numbers, Offsets, RowOf


class Feed(NamedTuple):
    """The turn of a compiled program, or what a function of arrays was given; fields that no kernel of it reads stay zero."""

    samples: int = 0  # of the turn; lanes beyond are padding
    batch: int = 0  # samples over which the loss is a mean: the turn's, or those of all turns of a step
    part: int = 0  # which of a step's turns it is
    parts: int = 1  # how many parts of gradients there are, one for each turn of a step
    examples: Floats = 0  # the data set, (examples, ...) ...
    pixels: Bytes = 0  # ... or as bytes (examples, channels, rows, columns), with sixteen bytes of room behind the last
    as_pixels: bool = False
    mean: Floats = 0  # of each channel's pixels, on the scale from 0 to 1
    std: Floats = 0
    as_sparse: bool = False  # whether the data set is a CSR matrix, whose rows are examples of features:
    starts: Numbers = 0  # where the entries of each row begin, and those of the last end
    columns: Offsets = 0  # of all entries, rising within a row
    values: Floats = 0  # of all entries
    labels: Floats = 0  # of the data set
    indices: Numbers = 0  # of the batch's examples
    draws: Numbers = 0  # five for each sample: `data.augmentation.augment`
    augmented: bool = False  # whether draws are to be read
    kept: Bytes = 0  # the masks of all dropouts
    scalars: Floats = 0  # of the optimizer: `update.scalars_of`
    results: Doubles = 0  # sum of the losses, and number of correct answers
    logits: Floats = 0  # (samples, classes)


Fed = Annotated[Any, RowOf(Feed)]
"""A job's field that holds the address of a feed; functions of arrays put a `Feed` there."""
