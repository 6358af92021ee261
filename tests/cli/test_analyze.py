"""`tinyticket analyze`."""

import json

import matplotlib.image
import pytest

from tinyticket.results.analyses import ANALYSES

OF_ANY = [what for what in (*ANALYSES, "supermask", "barriers") if what != "fields"]  # which is of images alone


@pytest.mark.parametrize("what", OF_ANY)
def test_every_analysis_has_a_table_json_and_a_picture(command, ticket, npz, what, tmp_path):
    picture = tmp_path / "picture.png"
    data = ("--data", npz) if what in ("supermask", "barriers") else ()
    shown = command("analyze", ticket, what, "-o", picture, *data)
    assert (shown.code, shown.err) == (0, f"wrote {picture}\n")
    assert "density" in shown.out
    assert matplotlib.image.imread(picture).std() > 0
    found = json.loads(command("analyze", ticket, what, "--json", *data).out)
    assert found["rows"]
    assert found["title"] == shown.out.splitlines()[0]


def test_the_help_lists_every_analysis(command):
    said = command("analyze", "--help").out
    assert all(f"  {what}  " in said for what in (*ANALYSES, "supermask", "barriers", "instability"))


def test_bad_input_is_one_sentence(command, ticket, tmp_path):
    for arguments, words in (
        ((ticket, "layer"), "no analysis is called 'layer' (did you mean 'layers'?"),
        ((tmp_path / "no.h5", "layers"), "no.h5"),
        (
            (ticket, "layers", "--round", 1),
            "--round is of instability and barriers; the analysis layers is of all rounds",
        ),
        ((ticket, "instability", "--round", 9), "there is no round 9"),
        ((ticket, "layers", "--data-folder", tmp_path), "layers looks at no data"),
        ((ticket, "supermask", "--data", "digits"), "is not what"),
        ((ticket, "fields"), "has no receptive fields"),
        ((ticket, "layers", "-o", tmp_path / "picture.gif"), "ending"),
    ):
        outcome = command("analyze", *arguments)
        assert (outcome.code, outcome.out) == (2, "")
        assert words in outcome.err
        assert outcome.err.count("\n") == 1


def test_instability_trains_once_and_draws_the_line(command, ticket, npz, out, tmp_path):
    out.write_bytes(ticket.read_bytes())
    picture = tmp_path / "line.png"
    first = command("analyze", out, "instability", "--round", 0, "--round", 2, "--data", npz, "-o", picture)
    assert first.code == 0
    assert "trial 1, round 2 (65.4%), instability-2" in first.err
    assert "barrier" in first.out
    assert matplotlib.image.imread(picture).std() > 0
    found = json.loads(command("analyze", out, "instability", "--round", 2, "--json").out)["rows"]
    assert [(row["trial"], row["round"]) for row in found] == [(0, 2), (1, 2)]
