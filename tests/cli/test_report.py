"""`tinyticket report`."""

import pytest

from tests.cli.commands import one_sentence
from tests.lottery.experiments import find


def test_a_file_is_one_page(command, ticket, tmp_path):
    page = tmp_path / "ticket.html"
    assert command("report", ticket, "-o", page) == (0, "", f"wrote {page}\n")
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_a_folder_is_one_page_too(command, ticket, out, tmp_path):
    find(rounds=1, out=out)
    (out.parent / "a<b>.h5").write_bytes(ticket.read_bytes())
    page = tmp_path / "all.html"
    assert command("report", out.parent, "-o", page, "--quiet") == (0, "", "")
    assert "2 experiments" in (text := page.read_text(encoding="utf-8"))
    assert "a&lt;b&gt;" in text
    assert "a<b>" not in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["{ticket}", "-o", "{folder}/page.pdf"], "has no ending that says what it is: .html"),
        (["{folder}/no.h5", "-o", "{folder}/page.html"], "no.h5"),
        (["{folder}", "-o", "{folder}/page.html"], "holds no result files"),
        (["{ticket}", "-o", "{folder}/missing/page.html"], "cannot be written"),
    ],
)
def test_bad_input_is_one_sentence(arguments, words, command, ticket, tmp_path):
    given = [argument.format(ticket=ticket, folder=tmp_path) for argument in arguments]
    assert words in one_sentence(command("report", *given))
    assert list(tmp_path.iterdir()) == []


def test_no_result_is_overwritten(command, ticket, tmp_path):
    other = tmp_path / "other.html"
    other.write_bytes(before := ticket.read_bytes())
    assert "is a result file" in one_sentence(command("report", ticket, "-o", other))
    assert other.read_bytes() == before
