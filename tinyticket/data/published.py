"""Published data: files that somebody else hosts, which must be on this machine before they can be read."""

import os
from dataclasses import dataclass
from pathlib import Path

from tinyticket.data.folders import Folder, search_folders
from tinyticket.errors import InputError


@dataclass(frozen=True)
class PublishedFile:
    """A gzipped file as it was published: its name, its length in bytes and its SHA-256 digest in hexadecimal."""

    name: str
    size: int
    sha256: str

    @property
    def unpacked(self) -> str:
        """Its name without .gz."""
        return self.name.removesuffix(".gz")

    def find(self, folder: Path) -> Path | None:
        """Return where it lies in `folder`, unpacked or not; None if it does not."""
        for name in self.unpacked, self.name:  # what needs no unpacking first
            if os.path.isfile(folder / name):
                return folder / name
        return None

    def missing(self, folder: Path) -> str:
        """Return what to say is missing where `find` finds nothing."""
        return self.name


@dataclass(frozen=True)
class Version:
    """A form in which an archive was published: the archive's name, the folder that it unpacks to, and the files in that."""

    archive: str
    folder: str
    files: tuple[str, ...]


@dataclass(frozen=True)
class PublishedArchive(PublishedFile):
    """A gzipped tar file; other versions of it, and what they unpack to, do as well where they are there already.

    Parameters
    ----------
    versions : tuple of Version
        The ones to take, the preferred first.
    """

    versions: tuple[Version, ...] = ()

    def find(self, folder: Path) -> Path | None:
        """Return where a version lies in `folder`, unpacked and complete or as an archive; None if none does."""
        for version in self.versions:
            if all(os.path.isfile(folder / version.folder / name) for name in version.files):
                return folder / version.folder
            if os.path.isfile(folder / version.archive):
                return folder / version.archive
        return None

    def missing(self, folder: Path) -> str:
        """Return what to say is missing: files of a folder that is there, or else the archive."""
        for version in self.versions:
            if os.path.isdir(folder / version.folder):
                lacking = [name for name in version.files if not os.path.isfile(folder / version.folder / name)]
                return ", ".join(f"{version.folder}/{name}" for name in lacking)
        return self.name

    def version_of(self, path: Path) -> Version:
        """Return the version that a path is, as `find` returns it."""
        return next(version for version in self.versions if path.name in (version.archive, version.folder))


@dataclass(frozen=True)
class Publication:
    """A data set that was published as several files, and the mirrors (addresses of folders) that serve them."""

    name: str
    files: tuple[PublishedFile, ...]
    mirrors: tuple[str, ...]

    def paths(self, folder: Folder = None) -> list[Path]:
        """Return the path of each file, in the order of `files`, in the folder that `locate` finds."""
        place = self.locate(folder)
        return [path for file in self.files if (path := file.find(place))]

    def locate(self, folder: Folder = None) -> Path:
        """Find the folder that holds the files.

        Parameters
        ----------
        folder : path-like, optional
            Look below this folder alone; by default below those of `search_folders`.

        Returns
        -------
        Path
            The first FOLDER/NAME that has every file.

        Raises
        ------
        InputError
            If there is none; the sentence names the missing files of the one that comes nearest.
        """
        places = [place / self.name for place in search_folders(folder)]
        missing = {place: [file.missing(place) for file in self.files if not file.find(place)] for place in places}
        nearest = min(places, key=lambda place: len(missing[place]))
        if missing[nearest]:
            raise InputError(
                f"{self.name}: {', '.join(missing[nearest])} not found in {' or '.join(map(str, places))} "
                f"(gzipped or unpacked); `tinyticket data fetch {self.name}` downloads what is missing"
            )
        return nearest
