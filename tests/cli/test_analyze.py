"""`tinyticket analyze`."""

import json

import matplotlib.image
import pytest

from tinyticket.lottery.analyses import ANALYSES, NEED_DATA


@pytest.mark.parametrize("what", ANALYSES)
def test_every_analysis_has_a_table_json_and_a_picture(command, ticket, npz, what, tmp_path):
    picture = tmp_path / "picture.png"
    data = ("--data", npz) if what in NEED_DATA else ()
    shown = command("analyze", ticket, what, "-o", picture, *data)
    assert (shown.code, shown.err) == (0, f"wrote {picture}\n")
    assert "density" in shown.out
    assert matplotlib.image.imread(picture).std() > 0
    found = json.loads(command("analyze", ticket, what, "--json", *data).out)
    assert found["rows"]
    assert found["title"] == shown.out.splitlines()[0]


def test_the_help_lists_every_analysis(command):
    said = command("analyze", "--help").out
    assert all(f"  {what}  " in said for what in ANALYSES)


def test_bad_input_is_one_sentence(command, ticket, tmp_path):
    for arguments, words in (
        ((ticket, "layer"), "no analysis is called 'layer' (did you mean 'layers'?"),
        ((tmp_path / "no.h5", "layers"), "no.h5"),
        ((ticket, "layers", "--data-folder", tmp_path), "layers looks at no data"),
        ((ticket, "supermask", "--data", "digits"), "not the one that"),
        ((ticket, "layers", "-o", tmp_path / "picture.gif"), "ending"),
    ):
        outcome = command("analyze", *arguments)
        assert (outcome.code, outcome.out) == (2, "")
        assert words in outcome.err
        assert outcome.err.count("\n") == 1
