"""Where data sets lie on this machine: below each of these folders, in a folder of the data set's name."""

import os
from pathlib import Path

from tinyticket.errors import InputError

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
        return [_expanded(folder)]
    named = os.environ.get(VARIABLE)
    return ([_expanded(named)] if named else []) + [_cache_folder()]


def fetch_folder(folder: Folder = None) -> Path:
    """Return the folder that `fetch` writes below: the first that is looked in."""
    return search_folders(folder)[0]


def _expanded(folder: str | os.PathLike[str]) -> Path:
    try:
        return Path(folder).expanduser()
    except RuntimeError:
        raise InputError(f"the folder {str(folder)!r} starts with the name of nobody who has a home folder") from None


def _cache_folder() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not cache.is_absolute():  # the XDG base directory specification: such paths are invalid and to be ignored
        cache = _expanded("~/.cache")
    return cache / "tinyticket" / "data"
