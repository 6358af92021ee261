"""`tinyticket plot`."""

import matplotlib.image
import numpy as np
import pytest

from tests.cli.commands import one_sentence
from tests.lottery.experiments import find
from tinyticket.report.plot import KINDS
from tinyticket.report.styles import COLOURS


def colours_in(picture):
    """Return the colours, to two digits, that cover more than a few pixels."""
    pixels, counts = np.unique((picture[..., :3].reshape(-1, 3) * 100).astype(int), axis=0, return_counts=True)
    return {tuple(pixel) for pixel, count in zip(pixels.tolist(), counts, strict=True) if count > 50}


def test_a_picture_shows_tickets_and_controls_in_their_colours(command, ticket, tmp_path):
    outcome = command("plot", ticket, "-o", tmp_path / "picture.png")
    assert outcome == (0, "", f"wrote {tmp_path / 'picture.png'}\n")
    picture = matplotlib.image.imread(tmp_path / "picture.png")
    assert picture.shape[0] > 300
    assert picture.shape[1] > 800
    expected = {tuple(int(int(c[i : i + 2], 16) / 255 * 100) for i in (1, 3, 5)) for c in COLOURS[1:4]}
    assert len(expected) == 3
    assert expected <= colours_in(picture)


@pytest.mark.parametrize(("ending", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_the_ending_decides_the_kind_of_picture(ending, start, command, ticket, tmp_path):
    path = tmp_path / f"picture.{ending}"
    assert command("plot", ticket, "-o", path, "--quiet") == (0, "", "")
    assert path.read_bytes().startswith(start)


def test_a_result_without_tickets_can_be_plotted(command, out, tmp_path):
    find(rounds=0, out=out)
    assert command("plot", out, "-o", tmp_path / "picture.png").code == 0


@pytest.mark.parametrize("kind", ["curves", "masks", "layers", "cost"])
def test_every_kind_is_an_option(kind, command, ticket, tmp_path):
    chosen = ("--round", 1, "--trial", 1) if kind in ("curves", "masks") else ()
    assert command("plot", ticket, "--kind", kind, *chosen, "-o", tmp_path / "picture.png", "-q") == (0, "", "")
    assert matplotlib.image.imread(tmp_path / "picture.png").std() > 0


def test_the_help_names_every_kind(command):
    said = command("plot", "--help").out
    assert all(f"  {kind}  " in said for kind in KINDS)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--kind", "mask"], "no picture is called 'mask' (did you mean 'masks'?"),
        (["--round", "1"], "the picture overview is of all rounds and trials; curves and masks take a round"),
        (["--kind", "curves", "--round", "9"], "there is no round 9"),
        (["--kind", "masks", "--trial", "9"], "there is no trial 9"),
    ],
)
def test_what_cannot_be_drawn_is_one_sentence(arguments, words, command, ticket, tmp_path):
    assert words in one_sentence(command("plot", ticket, *arguments, "-o", tmp_path / "picture.png"))
    assert list(tmp_path.iterdir()) == []
