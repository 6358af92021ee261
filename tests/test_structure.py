"""The house stays as it is drawn: rooms import downward only, importing is quick, and packaging tells the truth."""

import ast
import configparser
import contextlib
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

import tinyticket

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "tinyticket"
ROOMS = [
    "kernels",
    "autograd",
    "nn",
    "optim",
    "sparse",
    "data",
    "compiler",
    "prune",
    "store",
    "lottery",
    "report",
    "cli",
]  # lowest first
FREE = {"errors", "filesystem", "_version"}  # below everything


def imported_rooms(file):
    for node in ast.walk(ast.parse(file.read_text())):
        modules = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module == "tinyticket":
            modules = [f"tinyticket.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules = [node.module]
        for module in modules:
            parts = module.split(".")
            if parts[0] == "tinyticket" and len(parts) > 1 and parts[1] not in FREE:
                yield {"load": "lottery", "models": "nn", "warmup": "compiler"}.get(parts[1], parts[1])


def test_every_folder_is_a_known_room():
    folders = {path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders == set(ROOMS)


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_import_downward_only(room):
    allowed = set(ROOMS[: ROOMS.index(room) + 1])
    for file in (PACKAGE / room).rglob("*.py"):
        upward = set(imported_rooms(file)) - allowed
        assert not upward, f"{file.relative_to(ROOT)} imports from {sorted(upward)}, which lie above {room}"


def run_python(code):
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_importing_pulls_in_nothing_heavy():
    heavy = "{'numba', 'h5py', 'matplotlib', 'sklearn', 'rich', 'click', 'scipy', 'numpy'}"
    assert run_python(f"import sys, tinyticket; print(sorted({heavy} & set(sys.modules)))").strip() == "[]"


def test_using_tensors_and_data_needs_neither_numba_nor_h5py():
    use = "import sys, tinyticket as tt; tt.Tensor, tt.nn, tt.data.load('digits')"
    assert run_python(use + "; print({'numba', 'h5py', 'sklearn'} & set(sys.modules))").strip() == "set()"


def test_every_public_name_exists():
    for name in tinyticket.__all__:
        assert getattr(tinyticket, name) is not None
    assert set(tinyticket.__all__) <= set(dir(tinyticket))
    with pytest.raises(AttributeError, match="no attribute 'tensor'"):
        _ = tinyticket.tensor


def test_every_kernel_is_a_name_of_kernels():
    for name in tinyticket.kernels.cpu.__all__:
        assert getattr(tinyticket.kernels, name) is getattr(tinyticket.kernels.cpu, name)
    with pytest.raises(AttributeError, match="no attribute 'dense'"):
        _ = tinyticket.kernels.dense


def settings():
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


def test_the_version_is_one_everywhere():
    version = tinyticket.__version__
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text()
    assert re.search(rf"^version: {re.escape(version)}$", (ROOT / "CITATION.cff").read_text(), re.M)
    with contextlib.suppress(metadata.PackageNotFoundError):  # run from a checkout that is not installed
        assert metadata.version("tinyticket") == version


def test_markers_and_extras_are_documented():
    parser, readme = settings(), (ROOT / "README.md").read_text()
    for extra in parser["options.extras_require"]:
        assert f"`{extra}`" in readme, f"the README does not mention the extra {extra}"


def test_no_file_grows_beyond_what_one_idea_needs():
    long = {
        str(path.relative_to(ROOT)): count
        for path in PACKAGE.rglob("*.py")
        if (count := len(path.read_text().splitlines())) > 350
    }
    assert not long
