"""A network in ONNX runs elsewhere and gives the same answers."""

import numpy as np
import pytest

from tests.lottery.experiments import find
from tests.lottery.networks import Counting
from tests.report.export.networks import RELATIVE, SHAPES, far, trained
from tinyticket.errors import InputError
from tinyticket.report.export import export


@pytest.mark.extra
@pytest.mark.parametrize("name", SHAPES)
def test_onnxruntime_gives_the_same_answers(name, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime", reason="running ONNX needs it: pip install 'tinyticket[export]'")
    result, x, answers = trained(name)
    export(result, path := tmp_path / "ticket.onnx", 0, 1)
    session = onnxruntime.InferenceSession(str(path))
    assert far(session.run(None, {"x": x})[0], answers) < RELATIVE
    assert far(session.run(["logits"], {"x": x[:1]})[0], answers[:1]) < RELATIVE
    assert "weights. Input: an example of" in session.get_modelmeta().description


def test_equal_networks_are_equal_files_and_weights_are_in_them(tmp_path):
    result, _, _ = trained("mlp-12-16-8-4")
    for name in ("a.onnx", "b.onnx"):
        export(result, tmp_path / name, 0, 1)
    content = (tmp_path / "a.onnx").read_bytes()
    assert content == (tmp_path / "b.onnx").read_bytes()
    assert all(np.ascontiguousarray(value).tobytes() in content for value in result.round(0, 1).trained.values())


@pytest.mark.parametrize("ending", ["onnx", "c"])
def test_a_class_of_ones_own_is_refused(ending, tmp_path):
    result = find(Counting(), rounds=0)
    with pytest.raises(
        InputError, match=r"a network of a class of its own, whose computation (ONNX|C) cannot express; its arr"
    ):
        export(result, tmp_path / f"own.{ending}", 0, 0)
