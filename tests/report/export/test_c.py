"""A network as a C program compiles without a warning and gives the same answers."""

import ctypes
import re
import shutil
import subprocess

import numpy as np
import pytest

from tests.report.export.networks import RELATIVE, SHAPES, far, trained
from tinyticket.report.export import export
from tinyticket.report.export.c.program import Buffers
from tinyticket.report.export.c.weights import array

STRICT = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-O2", "-shared", "-fPIC"]
FLOATS = ctypes.POINTER(ctypes.c_float)


@pytest.mark.skipif(not shutil.which("gcc"), reason="compiling C needs gcc")
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.extra] * name.startswith("resnet")) for name in SHAPES]
)
def test_it_compiles_and_gives_the_same_answers(name, tmp_path):
    result, x, answers = trained(name)
    export(result, path := tmp_path / "ticket.c", 0, 1)
    subprocess.run(["gcc", *STRICT, path, "-o", tmp_path / "ticket.so", "-lm"], check=True)
    ticket, logits = ctypes.CDLL(str(tmp_path / "ticket.so")).ticket, np.zeros(answers.shape, np.float32)
    for example, out in zip(np.ascontiguousarray(x), logits, strict=True):
        ticket(example.ctypes.data_as(FLOATS), out.ctypes.data_as(FLOATS))
    assert far(logits, answers) < RELATIVE


def test_only_survivors_are_there_in_small_integers(tmp_path):
    result, _, _ = trained("mlp-12-16-8-4")
    export(result, path := tmp_path / "ticket.c", 0, 1)
    text, masks = path.read_text(), result.round(0, 1).masks
    for name, mask in masks.items():
        own = name.removesuffix(".weight")
        assert f"float {own}_value[{mask.sum()}]" in text
        assert f"uint8_t {own}_index[{mask.sum()}]" in text
        assert f"uint8_t {own}_end[{len(mask)}]" in text
    assert "math.h" not in text
    assert not re.search(r"\b(malloc|double)\b", text)
    left = sum(mask.sum() for mask in masks.values())
    assert f" * mlp-12-16-8-4 on arrays, trial 0, round 1: {left} of 352 weights.\n" in text


@pytest.mark.parametrize(("largest", "kind"), [(255, "uint8_t"), (256, "uint16_t"), (70_000, "uint32_t")])
def test_integers_are_as_small_as_they_can_be(largest, kind):
    assert array("index", np.array([0, largest])).startswith(f"static const {kind} index[2] =")
    assert "[1] = {\n    0,\n}" in array("index", np.array([], int))


def test_floats_are_written_exactly():
    values = np.float32([1, -0.1, 1e-40, 3.4028235e38, 1 / 3])
    text = array("values", values)
    assert [np.float32(word) for word in re.findall(r"(\S+)f,", text)] == list(values)


def test_buffers_are_used_again():
    buffers = Buffers()
    first = buffers.take(10)
    second = buffers.take(4)
    buffers.keep(first)
    assert not buffers.may_change(first)
    buffers.drop(first)
    assert buffers.may_change(first)
    buffers.drop(first)
    assert buffers.take(20) == first != second
    assert buffers.sizes == {first: 20, second: 4}
    assert not buffers.may_change("x")
