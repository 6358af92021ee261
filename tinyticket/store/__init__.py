"""The result file: HDF5, one file an experiment, readable without this library (docs/format.md).

`run` is what one training leaves, `checkpoint` what late rewinding goes back to, `layout` where everything stands in the file, and
`archive` how the file is replaced safely.
What a reader gets from it is `tinyticket.results.result`.
"""

from tinyticket.store.archive import Archive, replace
from tinyticket.store.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from tinyticket.store.run import HISTORY, Run, summary

__all__ = [
    "HISTORY",
    "Archive",
    "Checkpoint",
    "Run",
    "read_checkpoint",
    "replace",
    "summary",
    "write_checkpoint",
]
