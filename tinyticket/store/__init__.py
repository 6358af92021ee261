"""The result file: HDF5, one file an experiment, readable without this library (docs/format.md).

`run` is what one training leaves, `progress` a training under way, `checkpoint` what late rewinding goes back to, `layout` where
everything stands in the file, and `header` what of it the whole experiment shares. `reading` reads a file that anybody may have
written, `archive` replaces one safely, one run at a time (`lock`).
What a reader gets from it is `tinyticket.results.result`.
"""

from tinyticket.store.archive import Archive, replace
from tinyticket.store.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from tinyticket.store.header import read_header
from tinyticket.store.progress import Course, Progress, digest, read_progress, write_progress
from tinyticket.store.reading import Group
from tinyticket.store.run import HISTORY, Run, summary

__all__ = [
    "HISTORY",
    "Archive",
    "Checkpoint",
    "Course",
    "Group",
    "Progress",
    "Run",
    "digest",
    "read_checkpoint",
    "read_header",
    "read_progress",
    "replace",
    "summary",
    "write_checkpoint",
    "write_progress",
]
