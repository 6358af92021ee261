"""Where data sets lie on this machine: below each of these folders, in a folder of the data set's name."""

import os
from pathlib import Path

Folder = str | os.PathLike[str] | None  # what a caller may name; None: the usual places

VARIABLE = "TINYTICKET_DATA"


def search_folders(folder: Folder = None) -> list[Path]:
    """Return the folders to look in, in order.

    Parameters
    ----------
    folder : path-like, optional
        Look here and nowhere else. By default the places are the folder that the environment variable TINYTICKET_DATA
        names, if it names one, and then the user's cache folder, $XDG_CACHE_HOME/tinyticket/data
        (~/.cache/tinyticket/data where that is unset).

    Returns
    -------
    list of Path
        Whether they exist is not asked.
    """
    if folder is not None:
        return [Path(folder).expanduser()]
    named = os.environ.get(VARIABLE)
    return ([Path(named).expanduser()] if named else []) + [_cache_folder()]


def fetch_folder(folder: Folder = None) -> Path:
    """Return the folder that `fetch` writes below: the first that is looked in."""
    return search_folders(folder)[0]


def _cache_folder() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not cache.is_absolute():  # the XDG base directory specification: such paths are invalid and to be ignored
        cache = Path("~/.cache").expanduser()
    return cache / "tinyticket" / "data"
