"""Where compiled code is kept, and that it may be made by many processes at once."""

import importlib
import os
import pkgutil
import subprocess
import sys

import pytest

from tinyticket import compiler
from tinyticket.kernels import cpu
from tinyticket.kernels.cpu.vector import jit

USE = """
import numpy as np
from tinyticket.kernels import cpu
print(cpu.linear_bias_gradient(cpu.pack(np.ones((5, 3))), threads=1).tolist())
"""


def start(cache, **environment):
    environment = {**os.environ, "TINYTICKET_CACHE": str(cache), **environment}
    return subprocess.Popen([sys.executable, "-c", USE], env=environment, stdout=subprocess.PIPE, text=True)


def test_eight_processes_may_start_cold_at_once_and_the_ninth_finds_their_code(tmp_path):
    outputs = [process.communicate(timeout=120)[0] for process in [start(tmp_path) for _ in range(8)]]
    assert outputs == ["[5.0, 5.0, 5.0]\n"] * 8
    (folder,) = (tmp_path / "kernels").iterdir()
    code = {path: path.stat().st_mtime_ns for path in folder.rglob("*.nb*")}
    assert len({path.name.split(".")[0] for path in code if path.suffix == ".nbi"}) == 2, "the kernel and what runs it"
    assert start(tmp_path).communicate(timeout=60)[0] == "[5.0, 5.0, 5.0]\n"
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*.nb*")} == code, "nothing was compiled again"


def test_off_leaves_nothing_behind(tmp_path):
    output = start("off", XDG_CACHE_HOME=str(tmp_path)).communicate(timeout=60)[0]
    assert output == "[5.0, 5.0, 5.0]\n"
    assert not list(tmp_path.iterdir())


@pytest.fixture
def unsettled():
    jit.cache_folder.cache_clear()
    yield
    jit.cache_folder.cache_clear()


@pytest.mark.usefixtures("unsettled")
def test_the_folder_is_named_after_sources_version_and_cpu(tmp_path, monkeypatch):
    monkeypatch.setenv("TINYTICKET_CACHE", str(tmp_path))
    folder = jit.cache_folder()
    assert folder.parent == tmp_path / "kernels"
    monkeypatch.setattr(jit, "target", lambda: ("another cpu", ""))
    jit.cache_folder.cache_clear()
    assert jit.cache_folder() != folder


@pytest.mark.usefixtures("unsettled")
def test_a_home_that_cannot_be_written_to_gives_way_to_a_temporary_folder(tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    monkeypatch.delenv("TINYTICKET_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    monkeypatch.setattr(jit.tempfile, "gettempdir", lambda: str(tmp_path))
    assert jit.cache_folder().is_relative_to(tmp_path)
    monkeypatch.setattr(jit.tempfile, "gettempdir", lambda: str(blocked))
    jit.cache_folder.cache_clear()
    assert jit.cache_folder() is None


def test_no_two_helpers_share_a_name():
    """Code cached by different processes is linked by name: two closures under one name have been taken for each other."""
    named = {}
    kernels = pkgutil.walk_packages(cpu.__path__, f"{cpu.__name__}.")
    for found in (*kernels, *pkgutil.iter_modules(compiler.__path__, f"{compiler.__name__}.")):
        for value in vars(importlib.import_module(found.name)).values():
            if function := getattr(value, "py_func", None):
                name = f"{function.__module__}.{function.__qualname__}"
                assert named.setdefault(name, value) is value, name
    assert len(named) > 40
