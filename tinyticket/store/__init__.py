"""The result file: HDF5, one file an experiment, readable without this library (docs/format.md).

`run` is what one training leaves, `checkpoint` what late rewinding goes back to, `layout` where everything stands in the file, and
`header` what of it the whole experiment shares. `reading` reads a file that anybody may have written, `archive` replaces one
safely, one run at a time (`lock`).
What a reader gets from it is `tinyticket.results.result`.

`file_image` is the file as HDF5 sees it while `archive` changes it, `journal` where changes of large files wait, and `replacing`
how a file gets new content.
"""

from tinyticket.store.archive import Archive, replace
from tinyticket.store.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from tinyticket.store.header import read_header
from tinyticket.store.reading import Group
from tinyticket.store.run import HISTORY, Run, summary

__all__ = [
    "HISTORY",
    "Archive",
    "Checkpoint",
    "Group",
    "Run",
    "read_checkpoint",
    "read_header",
    "replace",
    "summary",
    "write_checkpoint",
]
