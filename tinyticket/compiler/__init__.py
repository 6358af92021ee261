"""Compiled training: a model's whole step as a few kernel calls over one arena of memory.

`trace` reads a model off the tape of one eager pass, `step` holds what `tt.compile` returns, `eager` its reference and stand-in;
`mlp` lays the arena out, `program` is the table that tells a compiled step about a network, `routines` are the kernels it calls,
`train` and `evaluate` the compiled loops themselves.
"""

from tinyticket.compiler.eager import EagerStep
from tinyticket.compiler.step import CompiledStep, compile
from tinyticket.compiler.warmup import warmup

__all__ = ["CompiledStep", "EagerStep", "compile", "warmup"]
