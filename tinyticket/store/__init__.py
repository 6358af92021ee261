"""The result file: HDF5, one file an experiment, readable without this library (docs/format.md).

`run` is what one training leaves, `progress` a training under way, `checkpoint` what late rewinding goes back to. `layout` says
where everything stands in the file, `facts` what it says of a training besides arrays, `header` what the whole experiment shares.
`contents` is what stands in a group, in plain values, and `digest` what tells whether it was changed. `reading` reads a file that
anybody may have written, `archive` replaces one safely, one run at a time (`lock`).
What a reader gets from it is `tinyticket.results.result`.

`file_image` is the file as HDF5 sees it while `archive` changes it, `journal` where changes of large files wait, and `replacing`
how a file gets new content.
"""

from tinyticket.store.archive import Archive, check_free, replace
from tinyticket.store.checkpoint import Checkpoint, read_checkpoint
from tinyticket.store.header import read_header
from tinyticket.store.progress import Course, Progress, fingerprint, read_progress, write_progress
from tinyticket.store.reading import Group
from tinyticket.store.run import HISTORY, Run, by_column, summary

__all__ = [
    "HISTORY",
    "Archive",
    "Checkpoint",
    "Course",
    "Group",
    "Progress",
    "Run",
    "by_column",
    "check_free",
    "fingerprint",
    "read_checkpoint",
    "read_header",
    "read_progress",
    "replace",
    "summary",
    "write_progress",
]
