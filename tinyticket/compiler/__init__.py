"""Compiled training and prediction: a model's whole step as kernel calls over one arena of memory, on the packed layout.

`choose` holds `tt.compile`, `step` what it returns, `eager` its reference and stand-in. A model becomes a step in five stages:
`read` takes its graph (`graph`) from the tape of one eager pass (`tape`); `fuse` joins what one kernel does at once, and gives
images the zeros around them; `layout` gives values and `weights` blocks of memory; `lower` writes the programs of the graph down
as operations (`op`), and `schedule` says in which order they come, where threads meet and which blocks lie in one place. A back
end, `cpu` or `cuda`, places the blocks and runs the operations.
"""

from tinyticket.compiler.choose import compile
from tinyticket.compiler.eager import EagerStep
from tinyticket.compiler.step import CompiledStep
from tinyticket.compiler.warmup import warmup

__all__ = ["CompiledStep", "EagerStep", "compile", "warmup"]
