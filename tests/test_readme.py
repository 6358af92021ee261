"""What the README shows of using a ticket is what happens."""

import re
from pathlib import Path

import numpy as np

import tinyticket as tt

README = (Path(__file__).parent.parent / "README.md").read_text()


def test_a_ticket_from_a_file_predicts_as_shown(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    small = {"iterations": 10, "rounds": 8, "trials": 1, "evaluate_every": 5, "controls": ()}
    result = tt.lottery.find("lenet-300-100", "digits", out="ticket.h5", **small)
    (shown,) = (block for block in re.findall(r"```python\n(.*?)```", README, re.S) if "step.predict" in block)
    digits = tt.data.load("digits")
    for x in (digits.x_test, digits.x_test[:1]):
        names = {"tt": tt, "x": x}
        exec(shown, names)
        with tt.no_grad():
            want = result.model(0, 8)(tt.Tensor(x)).data
        assert names["logits"].dtype == np.float32
        np.testing.assert_allclose(names["logits"], want, rtol=1e-4, atol=1e-5)
