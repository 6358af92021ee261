"""The settings of an experiment, from what somebody gave to what its file holds.

`table` declares each once, as a field (`declare`) whose values are read by `readers`; `defaults` fills in what was left open,
`document` makes signatures, docstrings and docs/format.md's table of the declarations, and `toml` writes and reads them as a file.
"""

from tinyticket.lottery.settings.defaults import resolve
from tinyticket.lottery.settings.table import Settings

__all__ = ["Settings", "resolve"]
