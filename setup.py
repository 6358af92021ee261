"""What cannot stand in setup.cfg: packages that are built from a checkout say of which commit they are."""

import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

ROOT = Path(__file__).parent
sys.path.insert(0, str(ROOT))
from tinyticket.commit import BUILT, commit  # noqa: E402 - the package lies here


def write_commit(folder):
    """Write the commit into a package that is being built."""
    if (found := commit()) and Path(folder).is_dir():
        (Path(folder) / BUILT).write_text(f"{found}\n")


class BuildPackage(build_py):
    """Builds the package with its commit."""

    def run(self):
        super().run()
        if not self.editable_mode:  # which is the checkout itself
            write_commit(Path(self.build_lib) / "tinyticket")


class BuildSource(sdist):
    """Builds the source distribution with its commit."""

    def make_release_tree(self, base_dir, files):
        super().make_release_tree(base_dir, files)
        write_commit(Path(base_dir) / "tinyticket")


setup(cmdclass={"build_py": BuildPackage, "sdist": BuildSource})
