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
    "results",
    "lottery",
    "sklearn",
    "report",
    "learn",
    "cli",
]  # lowest first
FREE = {"commit", "errors", "filesystem", "interruption", "notebook", "_version"}  # below everything


SHOWN = {"results/shown.py": {"report"}}
"""What may import from above, inside of functions: a result is looked at by what draws it."""


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
                yield {"load": "results", "models": "nn", "warmup": "compiler"}.get(parts[1], parts[1])


def test_every_folder_is_a_known_room():
    folders = {path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders == set(ROOMS)


def test_every_folder_is_a_package_that_is_installed():
    folders = {file.parent for file in PACKAGE.rglob("*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").exists()] == []


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_import_downward_only(room):
    allowed = set(ROOMS[: ROOMS.index(room) + 1])
    for file in (PACKAGE / room).rglob("*.py"):
        shown = SHOWN.get(file.relative_to(PACKAGE).as_posix(), set())
        upward = set(imported_rooms(file)) - allowed - shown
        assert not upward, f"{file.relative_to(ROOT)} imports from {sorted(upward)}, which lie above {room}"


CIRCLES = {
    # Operations are built on tensors, and a tensor's methods call the operations: `tensor` imports them below its class.
    "autograd": {"dispatch", "einsum", "elementwise", "operation", "products", "reductions", "shapes", "tensor"},
}
"""Modules of a folder that import each other, which no other may do."""


def imports_of(statements):
    """Yield the modules of this package that importing a module imports; functions and checks of types do so later or never."""
    for node in statements:
        if isinstance(node, ast.FunctionDef):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            yield from imports_of(node.orelse)
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("tinyticket."))
        elif isinstance(node, ast.ImportFrom) and node.module.startswith("tinyticket"):
            for alias in node.names:
                path = ROOT / node.module.replace(".", "/") / alias.name
                is_module = path.is_dir() or path.with_suffix(".py").exists()
                yield f"{node.module}.{alias.name}" if is_module else node.module
        for part in ("body", "orelse", "handlers", "finalbody"):
            yield from imports_of(getattr(node, part, ()))


def imports_inside(folder):
    """Return for every module and every folder in a folder, itself (`__init__`) included, which others it imports from there."""
    prefix, found = f"{folder.relative_to(ROOT).as_posix().replace('/', '.')}.", {}
    for file in folder.rglob("*.py"):
        part = file.relative_to(folder).parts[0].removesuffix(".py")
        for module in imports_of(ast.parse(file.read_text()).body):
            if f"{module}.".startswith(prefix):
                found.setdefault(part, set()).add(f"{module}."[len(prefix) :].split(".")[0] or "__init__")
    return {part: others - {part} for part, others in found.items()}


def in_circles(imports):
    """Return what imports itself by way of others."""

    def reached(part):
        seen, left = set(), [part]
        while left:
            new = imports.get(left.pop(), set()) - seen
            seen |= new
            left += new
        return seen

    return {part for part in imports if part in reached(part)}


@pytest.mark.parametrize(
    "folder", sorted({file.parent for file in PACKAGE.rglob("*.py")} - {PACKAGE}), ids=lambda p: p.name
)
def test_imports_inside_a_room_run_in_no_circle(folder):
    assert in_circles(imports_inside(folder)) == CIRCLES.get(folder.relative_to(PACKAGE).as_posix(), set())


def test_circles_are_found():
    assert in_circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == {"b", "c"}
    code = """
import numpy
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from tinyticket import lottery
else:
    from tinyticket.nn import Module
try:
    import tinyticket.optim
except ImportError:
    from tinyticket.compiler import read, compile
def f():
    from tinyticket import cli
class A:
    from tinyticket.data import digits
    def g(self):
        import tinyticket.store
"""
    assert [*imports_of(ast.parse(code).body)] == [
        "tinyticket.nn",
        "tinyticket.optim",
        "tinyticket.compiler.read",
        "tinyticket.compiler",
        "tinyticket.data.digits",
    ]


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
    kernels = tinyticket.kernels
    assert {"conv2d", "cross_entropy", "linear", "optimizer_step", "pack", "unpack"} <= set(kernels.cpu.__all__)
    for name in kernels.cpu.__all__:
        assert getattr(kernels, name) is getattr(kernels.cpu, name)
    assert {*kernels.cpu.__all__, "Blocks", "ConvPattern", "Pattern", "Slices", "cpu", "reference"} == set(dir(kernels))
    for name in ("dense", "settings", "update", "empty"):
        assert name not in kernels.cpu.__all__
        with pytest.raises(AttributeError, match=f"no attribute '{name}'"):
            getattr(kernels, name)


def test_patterns_that_kernels_read_are_names_of_kernels():
    from tinyticket.sparse import ConvPattern, Pattern

    assert tinyticket.kernels.Pattern is Pattern
    assert tinyticket.kernels.ConvPattern is ConvPattern


def test_the_plain_references_need_no_numba():
    use = "import sys, tinyticket as tt; tt.kernels.reference; print('numba' in sys.modules)"
    assert run_python(use).strip() == "False"


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
