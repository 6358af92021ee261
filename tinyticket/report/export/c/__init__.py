"""C: a network as one C99 file without dependencies, for a microcontroller too: constant arrays of survivors, no allocation.

`program` goes through the layers and writes down what is called with which of a few buffers, `weights` writes a layer's survivors
with its own loop, and `helpers` has the functions of all other layers.
"""

from __future__ import annotations

from tinyticket.report.export.c.program import Program
from tinyticket.report.export.network import Network
from tinyticket.report.export.walk import Value

__all__ = ["to_c"]


def to_c(network: Network) -> bytes:
    """Return a network as the text of a C program; InputError says that it cannot be expressed."""
    model, program = network.model("C"), Program(network.input_shape)
    end = program.through(model, "", Value("x", network.input_shape))
    return program.text(network.words(), end).encode()
