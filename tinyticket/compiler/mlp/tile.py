"""One tile of samples through all layers, in a thread's own memory: what evaluation and prediction share."""

import numpy as np

from tinyticket.compiler.mlp.layers import field, forward
from tinyticket.compiler.mlp.program import INPUTS, OUTPUTS
from tinyticket.kernels.cpu.vector.jit import device
from tinyticket.kernels.geometry import Shape
from tinyticket.kernels.cpu.vector.simd import advance


@device
def tile_shape(memory, batch, layer):
    """Return the sizes of a layer's work on one tile."""
    return Shape(1, field(memory, layer, INPUTS), field(memory, layer, OUTPUTS), batch.lanes)


@device
def forward_tile(memory, batch, own, x):
    """Take a packed tile through all layers; its logits then lie in the thread's own memory, packed."""
    below = x
    for layer in range(batch.layers):
        shape, hidden = tile_shape(memory, batch, layer), layer < batch.layers - 1
        above = advance(own, (batch.odd if layer % 2 else batch.even) if hidden else batch.logits)
        forward(memory, layer, shape, below, above, np.int64(0), shape.outputs, hidden)
        below = above
