"""Compiled training and prediction: a model's whole step as kernel calls over one arena of memory, on the packed layout.

`choose` holds `tt.compile`, `step` what it returns, `eager` its reference and stand-in, `tape` how a model is read off one eager
pass. There are two rooms, each with its own way to run a network: `mlp` for fully-connected ones, whose steps take microseconds,
and `network` for all others.
"""

from tinyticket.compiler.choose import compile
from tinyticket.compiler.eager import EagerStep
from tinyticket.compiler.step import CompiledStep
from tinyticket.compiler.warmup import warmup

__all__ = ["CompiledStep", "EagerStep", "compile", "warmup"]
